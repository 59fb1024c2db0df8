"""How fast a mapping is: 15 fields, `when` and a resolved name, beside the same thing written by hand in Python.

Prints one JSON line. Run by `make bench`, or `python bench/mapping.py [seconds]`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

from hub.language.mapping import Mapping, compile_mapping
from hub.model import Account, Record

MAPPING = """\
mapping: bench
about: Fifteen fields, with every word of the language that is used much.
source:
  connection: any
  event: interaction.wrapped_up
  when: { interaction.channel: voice, interaction.talk_seconds: { at_least: 5 } }
target: { connection: crm, write: Task, key: Key__c, zone: Europe/Madrid }
resolve:
  caller: { find: contact, by: { phone: customer.phone }, many: none }
fields:
  WhoId: caller.id
  WhatId: caller.account.id
  Subject: { text: "Call {interaction.direction}: {disposition.name}", max: 255 }
  Status: { value: Completed }
  CallType: { from: interaction.direction, choose: { inbound: Inbound, outbound: Outbound }, otherwise: Internal }
  CallDurationInSeconds: { from: interaction.talk_seconds, as: integer }
  Minutes__c: { from: interaction.total_seconds, as: minutes }
  ActivityDate: { from: interaction.ended_at, as: date }
  StartedAt__c: { from: interaction.started_at, as: datetime }
  Description: { from: [wrap_up.comment, interaction.summary], as: trim, max: 32000 }
  Priority: { expr: "'High' if customer.vip and disposition.class == 'negative' else 'Normal'" }
  Queue__c: { from: interaction.queue, as: upper }
  Recording__c: interaction.recording_url
  Agent__c: { from: [agent.email, agent.name], required: true }
  Order__c: attached.order
examples:
  - { about: An e-mail is not a call., given: { interaction: { channel: email } }, expect: skip }
"""

_ZONE = ZoneInfo("Europe/Madrid")
_TYPES = {"inbound": "Inbound", "outbound": "Outbound"}


def facts(n: int) -> dict[str, Any]:
    """The n-th wrapped-up call, as the store gives it."""
    call: dict[str, Any] = {
        "connection": "platform",
        "event": {"id": f"e{n}", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {
            "id": f"call-{n}", "channel": "voice", "direction": ("inbound", "outbound", "internal")[n % 3],
            "state": "wrapped_up", "remote": f"+3461234{n % 10000:04}", "local": "+34911234567", "queue": "Sales ES",
            "started_at": f"2026-11-23T10:{n % 60:02}:00Z", "ended_at": f"2026-11-23T11:{n % 60:02}:13.250000Z",
            "talk_seconds": 10 + n % 600 + 0.36, "total_seconds": 20 + n % 600 + 0.5,
        },
        "agent": {"id": "a-17", "email": "ana@example.com", "name": "Ana"},
        "customer": {"phone": f"+3461234{n % 10000:04}", "vip": n % 5 == 0},
        "wrap_up": {"code": "SALE", "comment": " Wants the red one, delivered on Friday " if n % 4 else None},
        "disposition": {"code": "SALE", "name": "Sale", "class": "negative" if n % 7 == 0 else "positive"},
        "attached": {"order": str(n)},
        "final": True,
    }  # fmt: skip
    if n % 2:
        call["interaction"]["recording_url"] = f"https://rec.example/{n}"
    return call


def by_hand(call: dict[str, Any], records: list[Record]) -> dict[str, Any] | None:
    """What MAPPING says, as a programmer would write it."""
    interaction = call.get("interaction") or {}
    if interaction.get("channel") != "voice" or (interaction.get("talk_seconds") or 0) < 5:
        return None
    customer, disposition = call.get("customer") or {}, call.get("disposition") or {}
    agent, wrap_up = call.get("agent") or {}, call.get("wrap_up") or {}
    fields: dict[str, Any] = {"Status": "Completed"}
    if len(records) == 1:
        fields["WhoId"] = records[0].id
        if records[0].account is not None:
            fields["WhatId"] = records[0].account.id
    direction = interaction.get("direction")
    fields["Subject"] = f"Call {direction or ''}: {disposition.get('name') or ''}".strip()[:255]
    fields["CallType"] = _TYPES.get(direction or "", "Internal")
    if (talk := interaction.get("talk_seconds")) is not None:
        fields["CallDurationInSeconds"] = int(talk + 0.5)
    if (total := interaction.get("total_seconds")) is not None:
        fields["Minutes__c"] = int(-(-total // 60))
    if ended := interaction.get("ended_at"):
        fields["ActivityDate"] = datetime.fromisoformat(ended).astimezone(_ZONE).date().isoformat()
    if started := interaction.get("started_at"):
        fields["StartedAt__c"] = datetime.fromisoformat(started).astimezone(_ZONE).isoformat()
    if comment := (wrap_up.get("comment") or interaction.get("summary") or "").strip():
        fields["Description"] = comment[:32000]
    fields["Priority"] = "High" if customer.get("vip") and disposition.get("class") == "negative" else "Normal"
    if queue := interaction.get("queue"):
        fields["Queue__c"] = queue.upper()
    if recording := interaction.get("recording_url"):
        fields["Recording__c"] = recording
    if name := agent.get("email") or agent.get("name"):
        fields["Agent__c"] = name
    if order := (call.get("attached") or {}).get("order"):
        fields["Order__c"] = order
    return fields


def by_mapping(mapping: Mapping, call: dict[str, Any], records: list[Record]) -> dict[str, Any] | None:
    """The same by the compiled mapping, as the deliverer calls it."""
    if mapping.skips(call) is not None:
        return None
    return mapping.render(call, {"caller": records}).fields


def rates(runs: list[Callable[[dict[str, Any]], Any]], calls: list[dict[str, Any]], seconds: float) -> list[float]:
    """Records a second of one core, the best of five rounds each; in turns, so that a busy machine is so for all."""
    best = [0.0] * len(runs)
    for _ in range(5):
        for i, run in enumerate(runs):
            done, began = 0, process_time()
            while (took := process_time() - began) < seconds / 5 / len(runs):
                for call in calls:
                    run(call)
                done += len(calls)
            best[i] = max(best[i], done / took)
    return best


def main(seconds: float = 6.0) -> None:
    """Measure and print."""
    mapping = compile_mapping(MAPPING, "bench.yaml", country="ES")
    calls = [facts(n) for n in range(2_000)]
    account = Account(object="account", id="001", title="Engines")
    records = [
        Record(object="contact", id="003", title="Ada Lovelace", account=account, fields={"Email": "ada@x.example"})
    ]
    for call in calls:
        assert by_mapping(mapping, call, records) == by_hand(call, records), call
    ours, hand, explained = rates(
        [
            lambda call: by_mapping(mapping, call, records),
            lambda call: by_hand(call, records),
            lambda call: mapping.render(call, {"caller": records}, explain=True),
        ],
        calls,
        seconds,
    )
    began = process_time()
    for _ in range(20):
        compile_mapping(MAPPING, "bench.yaml", country="ES")
    compiled = (process_time() - began) / 20
    figures = {
        "bench": "mapping",
        "fields": len(mapping.fields),
        "records_per_second": round(ours),
        "by_hand_per_second": round(hand),
        "ratio": round(ours / hand, 3),
        "explained_per_second": round(explained),
        "compile_ms": round(compiled * 1000, 2),
        "wanted": {"records_per_second": 60_000, "ratio": 0.1},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))

"""Mappings for tests: the one of the design, verbatim, and a small one to vary."""

from __future__ import annotations

import json
from typing import Any

from hub.language.mapping import Mapping, compile_mapping

DESIGN = """\
mapping: wrap_up_to_task
about: A wrapped-up call becomes a completed Task on the caller's Contact.
source:
  connection: diabolocom
  event: interaction.wrapped_up
  when: { interaction.channel: voice, interaction.talk_seconds: { at_least: 5 } }
target:
  connection: salesforce
  write: Task
  key: Interaction_Key__c            # delivering twice updates, it never duplicates
  zone: Europe/Madrid
resolve:
  caller: { find: contact, by: { phone: customer.phone }, many: none }
fields:
  WhoId: caller.id                   # omitted unless exactly one matches
  Subject: { text: "Call {interaction.direction}: {disposition.name}", max: 255 }
  Status: { value: Completed }
  CallType: { from: interaction.direction, choose: { inbound: Inbound, outbound: Outbound }, otherwise: Internal }
  CallDurationInSeconds: { from: interaction.talk_seconds, as: integer }
  ActivityDate: { from: interaction.ended_at, as: date }
  Description: { from: [wrap_up.comment, interaction.summary] }     # the first that is there
  Priority: { expr: "'High' if customer.vip and disposition.class == 'negative' else 'Normal'" }
examples:
  - about: A sale, caller known.
    given: { interaction: { channel: voice, direction: inbound, talk_seconds: 184, ended_at: "2026-03-02T23:30:00Z" }, caller: { id: "003…" } }
    expect: { WhoId: "003…", CallType: Inbound, CallDurationInSeconds: 184, ActivityDate: "2026-03-03" }
  - about: An e-mail is not a call.
    given: { interaction: { channel: email } }
    expect: skip
"""  # noqa: E501


def text(**parts: Any) -> str:
    """A small mapping with these parts instead of its own (None: without it), one part to a line. JSON is YAML."""
    small: dict[str, Any] = {
        "mapping": "small",
        "about": "A small one.",
        "source": {"connection": "any", "event": "interaction.wrapped_up"},
        "target": {"connection": "crm", "write": "task", "key": "key"},
        "fields": {"A": "interaction.id"},
        "examples": [{"about": "None.", "given": {}, "expect": {next(iter(parts.get("fields") or {"A": 0})): None}}],
    }
    merged = {word: part for word, part in (small | parts).items() if part is not None}
    return "\n".join(f"{word}: {json.dumps(part, ensure_ascii=False)}" for word, part in merged.items()) + "\n"


def mapping(**parts: Any) -> Mapping:
    """The same, compiled, in a hub in Spain."""
    return compile_mapping(text(**parts), "small.yaml", country="ES", zone="UTC")


def rendered(field: Any, facts: dict[str, Any], **parts: Any) -> Any:
    """What one field makes of facts: its value, or `problem: …`."""
    done = mapping(fields={"A": field}, **parts).render(facts, {})
    return "problem: " + done.problems["A"] if done.problems else done.fields.get("A")

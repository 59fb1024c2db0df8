"""Load the sample into an empty CRM: 1,000 people, their companies, campaigns, cases and some calls.

Demos and tests speak of these; all the others come by seed.

| who | how they are found | what it shows |
|---|---|---|
| Lucía Romero Ibáñez, `C-1001`, VIP | +34 612 34 56 78 | one match; owner ana@example.com; has a call already |
| Begoña Otxoa and three more, `C-1002`–`C-1005` | 944 12 34 00 | a switchboard: account `A-1002` Cantera Norte |
| Marta Ferrer `C-1006`, Jordi Vidal `C-1007` | 93 215 40 40 | many match; Marta has an open case |
| Éloïse Béranger, `C-1008` | 01.99.00.12.34 | do not call |
| Imogen O'Connell, `C-1009` | +44 (0)20 7946 0123 | consent unknown, which means no |
| Rubén Segura, `C-1010` | 4021 | an extension, not a number |
| Noelia Quiroga, `C-1011` | noelia.quiroga@example.org | has no number at all |
| Friederike Weißenfels, `C-1012`, `L-1001` | 030/23125123 | contact and lead in one person |
| nobody | +34600000001 (`NOBODY`) | no match: a new record |
| withheld | `anonymous` | never matched |
| the company itself | +34911234567 (`OWN_NUMBER`) | never a customer's |

The campaigns are `spring` (running) and `renewals` (planned). A member's key is `<campaign>/<its id>`, such as
`spring/M-1001`, so that a result that names list and member finds it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from hub.clock import now_ms
from hub.model import Row
from hub.store.crm.schema import ACTIVITY, CAMPAIGN, CAMPAIGN_MEMBER, CASE, OBJECTS, PEOPLE, CrmObject
from hub.store.crm.write import coming_id, next_number, write
from hub.store.database import Store
from hub.store.sample.names import AGENTS, CALLS, CASES
from hub.store.sample.people import NOBODY, OWN_NUMBER, SEED, Sample, sample_people

__all__ = ["NOBODY", "OWN_NUMBER", "load_sample"]

_COUNTRY = "ES"
_BATCH = 500
_DAY = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # the calls of the sample are of the days before

Fields = dict[str, Any]


def load_sample(store: Store) -> dict[str, int]:
    """Load the sample where the CRM holds nobody yet; how many records of each object there are of it, or nothing."""
    made = sample_people()
    with store.write() as connection:
        next_number(connection, "revision")  # two hubs that start at once take turns here
        if any(connection.execute(select(func.count()).select_from(one.table)).scalar_one() for one in PEOPLE):
            return {}
        dice = random.Random(SEED)
        counts = {}
        for name, rows in (("account", made.accounts), ("contact", made.contacts), ("lead", made.leads)):
            counts[name] = _load(connection, OBJECTS[name], rows)
        for one, rows in (
            (CASE, _cases(dice, made)),
            (ACTIVITY, _calls(dice, made)),
            (CAMPAIGN, _campaigns()),
            (CAMPAIGN_MEMBER, _members(dice, made, partial(coming_id, connection, CAMPAIGN_MEMBER))),
        ):
            counts[one.name] = _load(connection, one, rows)
    return counts


def _load(connection: Connection, one: CrmObject, rows: Iterable[Fields]) -> int:
    waiting = [Row(key=row[one.key], fields=row) for row in rows]
    for start in range(0, len(waiting), _BATCH):
        for change in write(connection, one, one.key, waiting[start : start + _BATCH], _COUNTRY, now_ms()):
            if change.error:
                raise change.error
    return len(waiting)


def _cases(dice: random.Random, made: Sample) -> list[Fields]:
    cases = [
        {"case_key": "case-0001", "subject": "Warranty claim", "status": "open", "contact": "person-0006",
         "opened_at": _DAY - timedelta(days=2)},
    ]  # fmt: skip
    for number, contact in enumerate(dice.sample(made.contacts[12:], 59), 2):
        cases.append(
            {
                "case_key": f"case-{number:04}",
                "subject": dice.choice(CASES),
                "status": dice.choice(("open", "closed", "closed")),
                "contact": contact["contact_key"],
                "account": contact["account"],
                "opened_at": _DAY - timedelta(days=dice.randint(1, 200), minutes=dice.randint(0, 480)),
            }
        )
    return cases


def _calls(dice: random.Random, made: Sample) -> list[Fields]:
    lucky = [made.contacts[0], *dice.choices(made.contacts[12:], k=139)]
    return [_call(dice, number, contact) for number, contact in enumerate(lucky, 1)]


def _call(dice: random.Random, number: int, contact: Fields) -> Fields:
    disposition, class_, comment = dice.choice(CALLS) if number > 1 else CALLS[0]
    direction = dice.choice(("inbound", "inbound", "outbound"))
    started = _DAY - timedelta(days=dice.randint(0, 90), seconds=dice.randint(0, 8 * 3600))
    seconds = 0 if class_ == "unreachable" else dice.randint(35, 900)
    return {
        "interaction_key": f"sample:call-{number:04}",
        "contact": contact["contact_key"],
        "account": contact.get("account"),
        "subject": f"Call {direction}: {disposition}",
        "channel": "voice",
        "direction": direction,
        "disposition": disposition,
        "disposition_class": class_,
        "outcome": "answered" if seconds else "missed",
        "duration_seconds": seconds,
        "started_at": started,
        "ended_at": started + timedelta(seconds=seconds + 12),
        "comment": comment,
        "agent": dice.choice(AGENTS),
        "queue": f"Sales {contact['country']}",
    }


def _campaigns() -> list[Fields]:
    return [
        {"campaign_key": "spring", "name": "Spring offer", "status": "running"},
        {"campaign_key": "renewals", "name": "Contract renewals", "status": "planned"},
    ]


def _members(dice: random.Random, made: Sample, coming: Callable[[int], str]) -> list[Fields]:
    """Members as they come: people twice by number, without consent, with numbers of no use."""
    spring = [
        *made.contacts[:12],
        *made.leads[:1],
        *dice.sample(made.contacts[12:], 240),
        *dice.sample(made.leads[1:], 60),
    ]
    renewals = [*made.contacts[5:10], *dice.sample(made.contacts[12:], 160)]
    members: list[Fields] = []
    for campaign, people in (("spring", spring), ("renewals", renewals)):
        for person in people:
            members.append(_member(campaign, person, coming(len(members))))
    _with_results(dice, [member for member in members[20:260] if member["campaign"] == "spring"])
    return members


def _member(campaign: str, person: Fields, id_: str) -> Fields:
    who = {"contact": person["contact_key"]} if "contact_key" in person else {"lead": person["lead_key"]}
    return {"member_key": f"{campaign}/{id_}", "campaign": campaign, **who}


def _with_results(dice: random.Random, members: Sequence[Fields]) -> None:
    for member in dice.sample(list(members), 30):
        disposition, class_, comment = dice.choice(CALLS)
        member |= {
            "status": "done" if class_ in ("positive", "negative", "neutral") else "in_progress",
            "result": disposition,
            "result_class": class_,
            "attempts": dice.randint(1, 3),
            "last_result_at": _DAY - timedelta(days=dice.randint(1, 9), minutes=dice.randint(0, 480)),
            "comment": comment,
        }

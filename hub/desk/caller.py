"""What is known of the other side, sifted: what may be looked up, and in plain words what may not and why.

A withheld number, one of our own and an extension are nobody's: looking them up finds colleagues, never the customer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.config import Config
from hub.connections import Connection
from hub.desk.own_numbers import OwnNumbers
from hub.model import PERSON, Clicked, Direction, Facts, Lookup
from hub.phone import digits, e164, is_extension, is_withheld
from hub.store import desk
from hub.store.database import Store


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the other side. `connection` names one CRM to ask alone, or the platform that asks.

    An empty `phone` is a withheld number; None means that nothing was said of it. `interaction` is the platform's id:
    what the ask leaves out is taken from what the hub already knows of that interaction.
    """

    phone: str | None = None
    email: str | None = None
    key: str | None = None
    connection: str | None = None
    agent: str | None = None
    interaction: str | None = None
    direction: Direction | None = None


@dataclass
class Caller:
    """The other side, sifted."""

    phone: str = ""  # E.164; as typed where it cannot be read so
    email: str = ""
    key: str = ""
    agent: str = ""  # an e-mail address where one is known
    clicked: Clicked | None = None  # the record on which this very call was clicked
    reasons: list[str] = field(default_factory=list)  # what is not looked up, and why
    learned_own: str = ""  # the number, when it is ours only because a platform showed it so

    @property
    def is_e164(self) -> bool:
        """Whether the number could be read as one."""
        return self.phone.startswith("+")

    def lookups(self) -> list[Lookup]:
        """What to ask of every CRM, in one batch: by key, then by number, then by e-mail address."""
        asked = [Lookup(PERSON, "key", self.key), Lookup(PERSON, "id", self.key)] if self.key else []
        phone = self.phone or self.learned_own
        asked += [Lookup(PERSON, "phone", phone)] if phone else []
        return asked + ([Lookup(PERSON, "email", self.email)] if self.email else [])


def caller_of(ask: Ask, platform: Connection | None, own: OwnNumbers, store: Store, config: Config) -> Caller:
    """The other side of what is asked about. `platform` is the connection that asks, where one does."""
    reasons: list[str] = []
    facts = _facts(ask, platform, store, reasons)
    phone = ask.phone if ask.phone is not None else _remote(facts)
    customer, interaction = facts and facts.customer, facts and facts.interaction
    known_agent = facts.agent if facts and facts.agent else None
    caller = Caller(
        email=_email(ask.email or (customer.email if customer else "") or ""),
        key=(ask.key or (customer.crm_key if customer else "") or "").strip(),
        agent=_agent(ask.agent, known_agent),
        clicked=facts.clicked if facts else None,
        reasons=reasons,
    )
    if (ask.direction or (interaction.direction if interaction else None)) == "internal":
        caller.reasons.append("internal call")
        caller.email = caller.key = ""
        return caller
    if phone is not None:
        country = str((platform.config.settings.get("country") if platform else None) or config.country)
        _sift(caller, phone, country, own)
    return caller


def _sift(caller: Caller, phone: str, country: str, own: OwnNumbers) -> None:
    if is_withheld(phone):
        caller.reasons.append("the number is withheld")
        return
    number = read_number(phone, country)
    ours = own.whose(number or digits(phone))
    if ours is not None and ours.kind == "declared":
        caller.reasons.append("own number")
    elif ours is not None:
        caller.reasons.append(f"own number (learned from {ours.connection})")
        caller.learned_own = number or ""
    elif is_extension(phone):
        caller.reasons.append("internal call: an extension")
    elif number is None and len(digits(phone)) < 3:
        caller.reasons.append("no phone number")
    else:
        caller.phone = number or phone.strip()


def read_number(raw: str, country: str) -> str | None:
    """`raw` as E.164, also where a platform leaves out the + of an international number."""
    number = e164(raw, country)
    bare = raw.strip()
    if number is None and bare.isdecimal() and len(bare) >= 9 and not bare.startswith("0"):
        number = e164("+" + bare, country)
    return number


def _facts(ask: Ask, platform: Connection | None, store: Store, reasons: list[str]) -> Facts | None:
    if not ask.interaction:
        return None
    with store.read() as conn:
        found = desk.facts_of_interaction(conn, ask.interaction, [platform.name] if platform else [])
    if len(found) == 1:
        return msgspec.json.decode(found[0], type=Facts)
    reasons.append(
        "two platforms have this interaction: name the one with connection"
        if found
        else "the interaction is not known yet"
    )
    return None


def _remote(facts: Facts | None) -> str | None:
    if facts is None:
        return None
    interaction, customer = facts.interaction, facts.customer
    if interaction is not None and interaction.anonymous:
        return ""
    told = interaction and (interaction.remote_e164 or interaction.remote)
    return told or (customer.phone if customer else None)


def _agent(asked: str | None, known: Any) -> str:
    if known is not None and known.email and (not asked or asked in (known.id, known.extension)):
        return str(known.email)
    return (asked or "").strip()


def _email(raw: str) -> str:
    plain = raw.strip().lower()
    name, at, host = plain.rpartition("@")
    return plain if name and at and host and not any(c.isspace() for c in plain) else ""

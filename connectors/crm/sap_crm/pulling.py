"""List pulls: the members of a marketing target group.

A target group is a fixed list of business partners that SAP CRM keeps as it was generated (CRMD_MKTTG_TG_H, the members in
CRMD_MKTTG_TG_I). No service of SAP's gives its members on-premise, so the operation is one of the customer's own (a function
module as a web service), and everything that it calls things is in the setting `members`. It tells the members' numbers, and
beside each what else it likes, such as a consent; the partners themselves are read by the service that look-ups use.

Who joined or left leaves no trace, so such a pull has no watermark: the hub pulls the group whole each time and takes off
whom it no longer sees. The numbers come ascending, so the last one is the cursor.

Sources: help.sap.com crm700_ehp01, "Target Group"; sapdatasheet and SAP's extractor 0CRM_BPART_SAMPLE_HIER for the tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from connectors.crm.sap_crm.keys import bare_id
from connectors.crm.sap_crm.partners import shown
from connectors.crm.sap_crm.refusals import WHO
from connectors.crm.sap_crm.services import Found, Services, at
from connectors.crm.sap_crm.shapes import PARTNER, Shape, known
from hub.errors import ConfigError, Rejected, Unsupported
from hub.model import Page, Query

GROUP = "target_group"  # in a query's `where`: the group's id
PORTION = 100  # partners of one read
MOST = 1_000  # of the numbers of one page
Told = list[tuple[str, dict[str, Any]]]  # of each member its number, and what the operation tells beside it
WORDS = ("operation", "group", "after", "most", "partner", "messages")
MEMBERS = ("operation=ZPB_TARGET_GROUP_MEMBERS", "group=IV_TARGET_GROUP", "after=IV_AFTER", "most=IV_MOST",
           "partner=ET_MEMBERS.item.PARTNER", "messages=ET_RETURN.item")  # fmt: skip


class Members(Struct, frozen=True, kw_only=True):
    """What the operation calls things: where the request has the group's id and, if it takes them, the number after which
    and how many; where the answer has the partners' numbers and its messages (a BAPI's return table)."""

    operation: str
    group: str
    partner: str
    after: str = ""
    most: str = ""
    messages: str = ""


def members(told: Sequence[str]) -> Members:
    """The setting `members`. Raises ConfigError."""
    pairs = dict(str(one).replace(" ", "").partition("=")[::2] for one in told)
    if strange := set(pairs) - set(WORDS):
        raise ConfigError(f"members: {sorted(strange)[0]} is none of {', '.join(WORDS)}")
    if missing := [word for word in ("operation", "group", "partner") if not pairs.get(word)]:
        raise ConfigError(f"members: it does not say {missing[0]}=…")
    if bool(pairs.get("after")) != bool(pairs.get("most")):
        raise ConfigError("members: an operation that tells its answer in parts takes both, after and most")
    return Members(**pairs)


class Puller:
    """Pulls target groups."""

    def __init__(self, services: Services, shapes: Mapping[str, Shape], members: Members) -> None:
        self._services, self._shapes, self._members = services, shapes, members

    def pages(self, query: Query) -> Iterator[Page]:
        """The group's members from the cursor on. Raises Unsupported for any other list."""
        if query.object != PARTNER or set(query.where) != {GROUP}:
            raise Unsupported(f"from {WHO} the members of one target group are pulled: list: {PARTNER}, "
                              f"where: {{ {GROUP}: its id }}")  # fmt: skip
        group = str(query.where[GROUP]).strip()
        shape = known(PARTNER, self._shapes)
        for some, after in self._members_of(group, query.cursor or "", max(1, min(query.size, MOST))):
            yield Page(rows=self._rows(shape, some, group), cursor=after or None)

    def _members_of(self, group: str, after: str, size: int) -> Iterator[tuple[Told, str]]:
        """The members page by page, by their numbers; with each page where the next one begins, empty at the end."""
        if not self._members.after:
            every = sorted({number: one for number, one in self._asked(group, "", 0) if number > after}.items())
            for start in range(0, max(1, len(every)), size):
                some = every[start : start + size]
                yield some, some[-1][0] if start + size < len(every) else ""
            return
        while True:
            some = self._asked(group, after, size)
            numbers = [number for number, _ in some]
            if numbers != sorted(set(numbers)) or len(numbers) > size or (numbers and numbers[0] <= after):
                raise Rejected(
                    f"{self._members.operation} tells members that do not ascend from where it was asked to begin"
                )
            after = numbers[-1] if len(numbers) == size else ""
            yield some, after
            if not after:
                return

    def _asked(self, group: str, after: str, size: int) -> Told:
        names = self._members
        told: Found = {names.group: group}
        if names.after:
            told |= {names.after: after, names.most: size}
        answer = self._services.members(names.operation, told, names.messages.split(".") if names.messages else ())
        *way, last = names.partner.split(".")
        members: Told = []
        for one in at(answer, way):
            number = one.get(last) if isinstance(one, dict) else None
            if number not in (None, ""):
                members.append((str(number), {name: value for name, value in one.items() if name != last}))
        return members

    def _rows(self, shape: Shape, members: Told, group: str) -> list[dict[str, Any]]:
        """The partners with these numbers, in their order; who was deleted, or we may not see, is left out."""
        element = shape.elements.get("id", "ID")
        numbers = [number for number, _ in members]
        by_number: dict[str, Found] = {}
        for start in range(0, len(numbers), PORTION):
            for row in self._services.selected(shape, element, numbers[start : start + PORTION]):
                if not row.get("DeletedIndicator"):
                    by_number[bare_id(str(row.get(element) or ""))] = row
        return [
            {**_plain(beside), **_plain(shown(shape, by_number[id])), "id": id, GROUP: group}
            for number, beside in members
            if (id := bare_id(number)) in by_number
        ]


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a row can have: no lists and tables, and what XML types as texts."""
    return {name: value.isoformat() if isinstance(value, dt.datetime | dt.date) else
            str(value) if isinstance(value, Decimal) else value
            for name, value in told.items() if not isinstance(value, list | dict)}  # fmt: skip

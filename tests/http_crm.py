"""Connectors to tests/crm_server.py: one that upserts, one that has to look before it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hub.contract import Manifest, Setting, Tools
from hub.errors import UnknownOutcome
from hub.model import Receipt, Row, Target

SETTINGS = (
    Setting(name="url", about="Where it is.", kind="url", required=True),
    Setting(name="node", about="Who we are, for the judge.", default="hub"),
)


class UpsertingCrm:
    """Native upsert."""

    manifest: ClassVar[Manifest] = Manifest(
        name="upserting", title="Upserting", about="For tests.", family="crm", idempotency="native-upsert",
        rows_per_call=20, settings=SETTINGS,
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._url, self._node, self._session = settings["url"], settings["node"], tools.session

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """One call."""
        told = self._post("upsert", rows=[{"key": row.key, "fields": row.fields} for row in rows])
        known = set(told["known"])
        return [_receipt(row, told["ids"][row.key], row.key in known) for row in rows]

    def _post(self, path: str, **asked: Any) -> Any:
        answer = self._session.post(f"{self._url}/{path}", json={"node": self._node, **asked})
        if answer.status_code != 200:
            raise UnknownOutcome(f"answered {answer.status_code}")
        return answer.json()


class SearchingCrm(UpsertingCrm):
    """Searches where it is told that a row may have been done already, and writes the others: a doubt that is forgotten on
    the way makes a double."""

    manifest: ClassVar[Manifest] = Manifest(
        name="searching", title="Searching", about="For tests.", family="crm", idempotency="search-then-write",
        rows_per_call=20, settings=SETTINGS,
    )  # fmt: skip

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """Three calls at most."""
        doubted = [row.key for row in rows if row.in_doubt]
        ids = self._post("search", keys=doubted)["ids"] if doubted else {}
        known = {row.key for row in rows if row.key in ids}
        old = [{"id": ids[row.key], "fields": row.fields} for row in rows if row.key in known]
        new = [{"key": row.key, "fields": row.fields} for row in rows if row.key not in known]
        if old:
            self._post("update", rows=old)
        if new:
            ids |= self._post("create", rows=new)["ids"]
        return [_receipt(row, ids[row.key], row.key in known) for row in rows]


class BulkingCrm(SearchingCrm):
    """The same, and 300 rows at once by a bulk path."""

    manifest: ClassVar[Manifest] = Manifest(
        name="bulking", title="Bulking", about="For tests.", family="crm", idempotency="search-then-write",
        rows_per_call=20, bulk_rows=300, settings=SETTINGS,
    )  # fmt: skip


def _receipt(row: Row, id: int, known: bool) -> Receipt:
    return Receipt(key=row.key, outcome="updated" if known else "created", id=str(id), url=f"https://crm.example/{id}")

"""Rows, written as a profile declares it: many in one request, by an upsert of the system's own, or after a look-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.wire.profiled.asking import Asks, Nothing, nothing_of
from connectors.wire.profiled.declared import Declared, DeclaredObject, checked_fields
from connectors.wire.profiled.failures import Failures
from connectors.wire.profiled.finding import Finder, listed
from connectors.wire.profiled.pieces import text
from hub.contract import Piece, Place, Profile
from hub.errors import Ambiguous, ConnectorError, NotFound, Rejected, Then, Unavailable, UnknownOutcome, Unsupported
from hub.model import Lookup, Receipt, Record, Row, Target

ROOTS = ("key", "id", "fields", "row", "options")
RESULT = ("result",)
WAYS: Mapping[str, str] = {
    "upsert": "one request by the row's own key: the system makes or changes the record, and twice is once",
    "create": "a new record, after a look-up by key found none",
    "update": "a record that the look-up found, by its `id`",
    "remove": "takes a record away",
    "batch": "many rows in one request, an upsert by their own keys",
}
ANSWER_WORDS: Mapping[str, str] = {
    "id": "the path of the record's id in the answer",
    "created": "a condition on the answer: a new record was made (status 201 says so by itself)",
    "none": "what means, to `remove`, that it is gone already: statuses, or a condition",
}
BATCH_WORDS: Mapping[str, str] = {
    "rows": "the name in the JSON body under which the rows stand",
    "row": "how each row looks",
    "of": "how many rows one request takes",
    "results": "the path of the results in the answer, one for each row",
    "result": "what a result says: `key` (else they stand in the rows' order), `id`, `created`, `failed`, `errors`",
}
RESULT_WORDS = ("key", "id", "created", "failed", "errors")
ALONE = 50  # rows that are taken at a time where each is a request of its own


@dataclass(frozen=True)
class One:
    """A request for one row, and what its answer says."""

    call: Any
    id: Piece | None
    created: Any
    none: Nothing | None


@dataclass(frozen=True)
class Many:
    """A request for many rows."""

    call: Any
    name: str
    row: Piece
    of: int
    results: Piece
    key: Piece | None
    id: Piece | None
    created: Any
    failed: Any
    errors: Failures


class Writer:
    """Every object's ways of being written."""

    def __init__(
        self, profile: Profile, objects: Mapping[str, Any], declared: Declared, asks: Asks, finder: Finder
    ) -> None:
        self._declared, self._asks, self._finder = declared, asks, finder
        self._ones: dict[tuple[str, str], One] = {}
        self._batches: dict[str, Many] = {}
        for name, words in objects.items():
            at: Place = ("objects", name, "write")
            told = profile.group(at, words.get("write", {}), WAYS)
            for way, value in told.items():
                if way == "batch":
                    self._batches[name] = _many(profile, (*at, way), value, asks)
                else:
                    self._ones[name, way] = _one(profile, (*at, way), value, asks)
            native = {"upsert", "batch"} & set(told)
            if ("create" in told or "update" in told) and not native and not finder.can(name, "key"):
                raise profile.error(at, f"{name} is written after a look-up by key, so `find.key` has to be there")
        written = {name for name, _ in self._ones} | set(self._batches)
        self.is_native = all(name in self._batches or (name, "upsert") in self._ones for name in written)
        self.rows_per_call = max((many.of for many in self._batches.values()), default=ALONE)

    def written(self, target: Target, rows: Sequence[Row]) -> list[Receipt]:
        """One receipt per row. What stops the connection stops the rows after it as well, untried."""
        one = self._declared[target.object]
        if not any(name == one.name for name in (*self._batches, *(name for name, _ in self._ones))):
            raise Unsupported(f"the profile does not say how {one.name} is written")
        first: dict[str, int] = {}
        for place, row in enumerate(rows):
            first.setdefault(row.key, place)
        receipts = self._once(one, target, [rows[place] for place in first.values()])
        # A key twice in one call: what comes later is written after what came before.
        later = [row for place, row in enumerate(rows) if first[row.key] != place]
        after = iter(self.written(target, later) if later else ())
        return [receipts[row.key] if first[row.key] == place else next(after) for place, row in enumerate(rows)]

    def _once(self, one: DeclaredObject, target: Target, rows: Sequence[Row]) -> dict[str, Receipt]:
        good: list[Row] = []
        receipts: dict[str, Receipt] = {}
        for row in rows:
            try:
                checked_fields(one, row.fields)
                good.append(row)
            except Rejected as error:
                receipts[row.key] = _failed(row, error)
        many = self._batches.get(one.name)
        batched = [row for row in good if many is not None and row.action == "upsert" and target.key != "id"]
        for start in range(0, len(batched), many.of if many else 1):
            assert many is not None
            receipts |= self._together(many, one, target, batched[start : start + many.of])
        alone = [row for row in good if row not in batched]
        return receipts | self._one_by_one(one, target, alone)

    # --- many in one request ----------------------------------------

    def _together(self, many: Many, one: DeclaredObject, target: Target, rows: Sequence[Row]) -> dict[str, Receipt]:
        receipts, sent, body = {}, [], []
        for row in rows:
            try:
                body.append(many.row(_facts(target, row)))
                sent.append(row)
            except (ValueError, Rejected) as error:
                receipts[row.key] = _failed(row, Rejected(str(error)))
        if not sent:
            return receipts
        answer = self._asks.asked(many.call, {"rows": {many.name: body}, "options": target.options}, changes=True)
        results = listed(many.results(answer.facts))
        by_key = {text(many.key({"result": result})): result for result in results} if many.key else {}
        if many.key is None and len(results) != len(sent):
            raise UnknownOutcome(f"the CRM gives {len(results)} results for {len(sent)} rows")
        for place, row in enumerate(sent):
            result = by_key.get(row.key) if many.key else results[place]
            receipts[row.key] = self._receipt_of(many, one, row, result)
        return receipts

    def _receipt_of(self, many: Many, one: DeclaredObject, row: Row, result: dict[str, Any] | None) -> Receipt:
        if result is None:
            return _failed(row, UnknownOutcome("the CRM's answer says nothing of this row"))
        facts = {"result": result}
        if (error := many.errors.error(facts)) is not None:
            return _failed(row, error)
        if many.failed is not None and many.failed(facts):
            return _failed(row, Rejected("the CRM refuses the row and does not say why"))
        made = many.created is not None and many.created(facts)
        return _done(one, row, "created" if made else "updated", many.id(facts) if many.id else None)

    # --- one by one ----------------------------------------

    def _one_by_one(self, one: DeclaredObject, target: Target, rows: Sequence[Row]) -> dict[str, Receipt]:
        receipts: dict[str, Receipt] = {}
        there = self._there(one, target, rows)
        stopped: ConnectorError | None = None
        for row in rows:
            if stopped is not None:
                receipts[row.key] = _failed(row, stopped)
                continue
            try:
                receipts[row.key] = self._write(one, target, row, there.get(row.key, []))
            except ConnectorError as error:
                if not receipts and error.then is not Then.PARK:
                    raise  # nothing was done yet, so it is the whole call's
                receipts[row.key] = _failed(row, error)
                if isinstance(error, UnknownOutcome):
                    stopped = Unavailable("not sent: the CRM did not answer the row before")
                elif error.then is not Then.PARK:
                    stopped = error
        return receipts

    def _there(self, one: DeclaredObject, target: Target, rows: Sequence[Row]) -> dict[str, list[Record]]:
        """What the keys have made already, for those rows that need to know."""
        if target.key == "id" or (one.name, "upsert") in self._ones:
            asked = [row for row in rows if row.action == "remove" and target.key != "id"]
        else:
            asked = list(rows)
        if not asked or not self._finder.can(one.name, "key"):
            return {}
        lookups = [Lookup(one.name, "key", row.key, key_field=target.key) for row in asked]
        return {row.key: found for row, found in zip(asked, self._finder.found(lookups), strict=True)}

    def _write(self, one: DeclaredObject, target: Target, row: Row, there: Sequence[Record]) -> Receipt:
        if len(there) > 1:
            raise Ambiguous(f"{len(there)} records of {one.name} have the same {target.key}")
        id = row.key if target.key == "id" else there[0].id if there else None
        facts = _facts(target, row) | {"id": id}
        if row.action == "remove":
            return self._removed(one, row, facts | {"fields": {}}, known=bool(id))
        if target.key != "id" and (way := self._ones.get((one.name, "upsert"))):
            return self._sent(way, one, row, facts, "updated")
        if id is None:
            return self._sent(self._way(one, "create"), one, row, facts, "created")
        if there and all(there[0].fields.get(name) == value for name, value in row.fields.items()):
            return _done(one, row, "unchanged", id)
        return self._sent(self._way(one, "update"), one, row, facts, "updated")

    def _removed(self, one: DeclaredObject, row: Row, facts: Mapping[str, Any], *, known: bool) -> Receipt:
        way = self._way(one, "remove")
        if not known and self._finder.can(one.name, "key"):
            return _done(one, row, "unchanged", None)
        try:
            answer = self._asks.asked(way.call, facts, changes=True, none=way.none)
        except NotFound:
            return _done(one, row, "unchanged", None)
        return _done(one, row, "unchanged" if way.none and way.none(answer.facts) else "removed", None)

    def _sent(self, way: One, one: DeclaredObject, row: Row, facts: Mapping[str, Any], outcome: str) -> Receipt:
        answer = self._asks.asked(way.call, facts, changes=True)
        made = answer.status == 201 or (way.created is not None and way.created(answer.facts))
        id = way.id(answer.facts) if way.id else None
        return _done(one, row, "created" if made else outcome, id if id is not None else facts["id"])

    def _way(self, one: DeclaredObject, way: str) -> One:
        if (one.name, way) not in self._ones:
            raise Unsupported(f"the profile has no `{way}` for {one.name}")
        return self._ones[one.name, way]


def _facts(target: Target, row: Row) -> dict[str, Any]:
    keyed = {target.key: row.key} if target.key != "id" else {}
    return {"key": row.key, "fields": row.fields, "row": {**keyed, **row.fields}, "options": target.options, "id": None}


def _done(one: DeclaredObject, row: Row, outcome: Any, id: Any) -> Receipt:
    known = "" if id is None else text(id)
    url = one.link("open", id=known) if known and "open" in one.links else ""
    return Receipt(key=row.key, outcome=outcome, id=known, url=url)


def _failed(row: Row, error: Exception) -> Receipt:
    return Receipt(key=row.key, outcome="failed", error=error)


def _one(profile: Profile, at: Place, value: Any, asks: Asks) -> One:
    words = dict(profile.group(at, value, (*asks.words, *ANSWER_WORDS)))
    id = profile.path((*at, "id"), words.pop("id"), asks.roots) if "id" in words else None
    created = profile.condition((*at, "created"), words.pop("created"), asks.roots) if "created" in words else None
    none = nothing_of(profile, (*at, "none"), words.pop("none"), asks.roots) if "none" in words else None
    return One(asks.call(profile, at, words, ROOTS), id, created, none)


def _many(profile: Profile, at: Place, value: Any, asks: Asks) -> Many:
    words = dict(profile.group(at, value, (*asks.words, *BATCH_WORDS), ("rows", "row", "of", "results", "result")))
    told = profile.group((*at, "result"), words.pop("result"), RESULT_WORDS)

    def piece(word: str) -> Piece | None:
        return profile.path((*at, "result", word), told[word], RESULT) if word in told else None

    def condition(word: str) -> Any:
        return profile.condition((*at, "result", word), told[word], RESULT) if word in told else None

    name, of = words.pop("rows"), words.pop("of")
    if not isinstance(of, int) or isinstance(of, bool) or not 1 <= of <= 10_000:
        raise profile.error((*at, "of"), "`of` is how many rows a request takes, from 1 to 10000")
    results = profile.path((*at, "results"), words.pop("results"), asks.roots)
    errors = Failures(profile, (*at, "result", "errors"), told.get("errors", []), RESULT, "the CRM")
    call, row = asks.batch(profile, at, words, ROOTS)
    return Many(call, str(name), row, of, results, piece("key"), piece("id"), condition("created"), condition("failed"),
                errors)  # fmt: skip

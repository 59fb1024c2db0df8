"""Single records, collections of up to 200, and `composite`: several requests in one call.

Sources: REST API Developer Guide, sObject Rows (by External ID), sObject Collections, Composite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sandbox.frame import Faults
from sandbox.salesforce.errors import Refused, not_found
from sandbox.salesforce.org import Found, Org, value_of
from sandbox.salesforce.soql import attributes, plain

MOST_ROWS, MOST_PARTS, MOST_QUERIES = 200, 25, 5
ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."
Answer = tuple[int, Any]
Done = tuple[str, bool | None]  # the id, and for an upsert whether it is new


def record_answer(
    org: Org, faults: Faults, method: str, parts: Sequence[str], query: Mapping[str, str], body: Any
) -> Answer:
    """`sobjects/{object}[/{id} | /{external id field}/{value}]`."""
    object = org.table(parts[0]).name
    path = "/services/data/v61.0"
    if len(parts) == 1:
        if method != "POST":
            return 200, {"objectDescribe": {"name": object}, "recentItems": []}
        if faults.take("duplicate_rule"):
            raise _duplicates()
        return 201, {"id": org.insert(object, _object(body)), "success": True, "errors": []}
    if len(parts) == 2:
        id = parts[1]
        match method:
            case "GET":
                return 200, _shown(org, object, org.get(object, id), query.get("fields", ""), path)
            case "PATCH":
                org.update(object, id, _object(body))
                return 204, None
            case "DELETE":
                org.get(object, id)
                org.delete(id)
                return 204, None
    if len(parts) >= 3:
        field, value = parts[1], unquote("/".join(parts[2:]))
        there = org.by_key(object, field, value)
        if len(there) > 1:
            return 300, [f"{path}/sobjects/{object}/{id}" for id in there]
        if method == "GET":
            if not there:
                raise not_found()
            return 200, _shown(org, object, org.get(object, there[0]), "", path)
        if method == "DELETE" and there:
            org.delete(there[0])
            return 204, None
        if method == "PATCH":
            if query.get("updateOnly") == "true" and not there:
                raise not_found()
            _lock(faults, 0, 1)
            id, created = org.upsert(object, field, value, _object(body))
            return 201 if created else 200, {"id": id, "success": True, "errors": [], "created": created}
    raise Refused("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed.", status=405)


def collection_answer(
    org: Org, faults: Faults, method: str, parts: Sequence[str], query: Mapping[str, str], body: Any
) -> Answer:
    """`composite/sobjects[/{object}/{external id field}]`: always 200 where it is well-formed, one result per row."""
    if method == "DELETE":
        ids = [id for id in query.get("ids", "").split(",") if id]
        _check_size(ids)
        return 200, _each(org, faults, ids, lambda id: (org.delete(id), None), query.get("allOrNone") == "true")
    told = _object(body)
    rows = told.get("records")
    if not isinstance(rows, list):
        raise Refused("INVALID_ARGUMENT", "records is missing")
    _check_size(rows)
    for row in rows:
        org.check_types(parts[0] if parts else _kind(row), row)
    whole = bool(told.get("allOrNone"))
    if method == "POST":
        return 200, _each(org, faults, rows, lambda row: (org.insert(_kind(row), _without(row, "id")), None), whole)
    if len(parts) == 2:
        object, field = org.table(parts[0]).name, parts[1]
        column = org.table(object).column(field)
        if column is None or not (column.external_id or column.type == "id"):
            raise not_found(f"Provided external ID field does not exist or is not accessible: {field}")
        keys = [_got(row, field) for row in rows]

        def upsert(row: Found) -> Done:
            key = _got(row, field)
            if keys.count(key) > 1 and key not in (None, ""):
                raise Refused("DUPLICATE_VALUE", f"Duplicate external id specified: {key}", [field])
            if column.type != "id" and any(name.lower() == "id" for name in row):
                raise Refused("INVALID_FIELD", "cannot specify Id in an upsert by external id", ["Id"])
            if faults.take("race"):
                taken = org.insert(object, {**_without(row, field), field: key})
                message = f"duplicate value found: {field} duplicates value on record with id: {taken[:15]}"
                raise Refused("DUPLICATE_VALUE", message, [])
            return org.upsert(object, field, key, _without(row, field))

        return 200, _each(org, faults, rows, upsert, whole)

    def update(row: Found) -> Done:
        id = _got(row, "id")
        if not id:
            raise Refused("MISSING_ARGUMENT", "Id not specified in an update call", ["Id"])
        return org.update(_kind(row), str(id), _without(row, "id")), None

    return 200, _each(org, faults, rows, update, whole)


def composite_answer(org: Org, body: Any, one: Callable[[str, str, Any], tuple[int, Any]]) -> Answer:
    """`composite`: each part by `one(method, url, body)`; with allOrNone all or nothing."""
    told = _object(body)
    parts = told.get("compositeRequest")
    if not isinstance(parts, list) or len(parts) > MOST_PARTS:
        raise Refused("LIMIT_EXCEEDED", f"The limit on subrequests is {MOST_PARTS}.")
    if sum("/query" in part["url"] or "/composite/sobjects" in part["url"] for part in parts) > MOST_QUERIES:
        raise Refused("LIMIT_EXCEEDED", f"The limit on queries and collections in one composite is {MOST_QUERIES}.")
    whole = bool(told.get("allOrNone"))
    answers: list[dict[str, Any]] = []
    ids: dict[str, Any] = {}
    with org.lock:
        before = org.kept() if whole else None
        for part in parts:
            try:
                url, inner = _filled(part["url"], ids), _filled(part.get("body"), ids)
                status, answer = one(part["method"].upper(), url, inner)
            except Refused as refused:
                status, answer = refused.status, refused.told()
            if isinstance(answer, dict):
                ids[part["referenceId"]] = answer
            answers.append(
                {"body": answer, "httpHeaders": {}, "httpStatusCode": status, "referenceId": part["referenceId"]}
            )
            if status >= 400 and before is not None:
                org.restore(before)
                halted = [{"errorCode": "PROCESSING_HALTED", "message": ROLLED_BACK}]
                others = {"body": halted, "httpHeaders": {}, "httpStatusCode": 400}
                failed = answers[-1]
                names = [other["referenceId"] for other in parts]
                answers = [failed if n == failed["referenceId"] else {**others, "referenceId": n} for n in names]
                break
    return 200, {"compositeResponse": answers}


def _each(org: Org, faults: Faults, rows: list[Any], do: Callable[[Any], Done], whole: bool) -> list[dict[str, Any]]:
    halted = bool(faults.take("rolled_back"))
    results: list[dict[str, Any]] = []
    with org.lock:
        before = org.kept() if whole else None
        for place, row in enumerate(rows):
            try:
                if halted and place:
                    raise Refused("PROCESSING_HALTED", ROLLED_BACK)
                _lock(faults, place, len(rows))
                if place == 0 and faults.take("duplicate_rule"):
                    raise _duplicates()
                if place == 0 and faults.take("many_match"):
                    raise Refused(
                        "DUPLICATE_EXTERNAL_ID", "Hub_Key__c: more than one record found for external id field: []"
                    )
                id, created = do(row)
                results.append(
                    {"id": id, "success": True, "errors": []} | ({} if created is None else {"created": created})
                )
            except Refused as refused:
                results.append({"success": False, "errors": [refused.of_row()]})
        if before is not None and not all(result["success"] for result in results):
            org.restore(before)
            other = Refused("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid and "
                            "the request was using AllOrNone header")  # fmt: skip
            results = [
                {"success": False, "errors": [other.of_row()]} if result["success"] else result for result in results
            ]
    return results


def _lock(faults: Faults, place: int, rows: int) -> None:
    if place == min(1, rows - 1) and faults.take("lock"):
        raise Refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")


def _duplicates() -> Refused:
    return Refused("DUPLICATES_DETECTED", "Use one of these records?", [])


def _filled(value: Any, answers: Mapping[str, Any]) -> Any:
    """`@{reference.id}` replaced by what that part answered."""
    if isinstance(value, dict):
        return {name: _filled(inner, answers) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, answers) for inner in value]
    if not isinstance(value, str):
        return value

    def known(match: re.Match[str]) -> str:
        if match[1] not in answers:
            raise Refused(
                "PROCESSING_HALTED",
                f"Invalid reference specified. No value for {match[1]}.{match[2]} found in {match[1]}",
            )
        return str(answers[match[1]].get(match[2], ""))

    return re.sub(r"@\{(\w+)\.(\w+)\}", known, value)


def _shown(org: Org, object: str, found: Found, fields: str, path: str) -> dict[str, Any]:
    table = org.table(object)
    names = [name.strip() for name in fields.split(",") if name.strip()] or [c.name for c in table.columns.values()]
    for name in names:
        if table.column(name) is None:
            raise Refused("INVALID_FIELD", f"No such column '{name}' on sobject of type {object}")
    columns = [column for name in names if (column := table.column(name))]
    return attributes(table, found, path) | {c.name: plain(value_of(org, object, found, c.name)) for c in columns}


def _check_size(rows: Sequence[Any]) -> None:
    if not 0 < len(rows) <= MOST_ROWS:
        raise Refused(
            "EXCEEDED_ID_LIMIT" if rows else "INVALID_ARGUMENT",
            f"record limit reached. cannot submit more than {MOST_ROWS} records",
        )


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refused("JSON_PARSER_ERROR", "The request body has to be a JSON object")
    return body


def _kind(row: Any) -> str:
    kind = (row.get("attributes") or {}).get("type") if isinstance(row, dict) else None
    if not kind:
        raise Refused("INVALID_INPUT", "record type missing in attributes")
    return str(kind)


def _got(row: Mapping[str, Any], name: str) -> Any:
    return next((value for word, value in row.items() if word.lower() == name.lower()), None)


def _without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {word: value for word, value in row.items() if word.lower() not in (name.lower(), "attributes")}

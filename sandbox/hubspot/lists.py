"""Lists: found by name or number, their members paged by record id, members added and removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.hubspot.errors import Problem
from sandbox.hubspot.portal import List, Portal
from sandbox.hubspot.schema import TYPE_IDS, object_of
from sandbox.hubspot.search import milliseconds

LARGEST_SEARCH, LARGEST_PAGE = 500, 250


class Lists:
    """The lists of one account."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def answer(self, method: str, rest: list[str], query: Mapping[str, str], told: Any) -> tuple[Any, int]:
        """Body and status. Raises Problem."""
        match method, rest:
            case "POST", []:
                made = self._portal.new_list(told["name"], object_of(told["objectTypeId"]) or "contacts")
                return {"list": _shown(made)}, 200
            case "POST", ["search"]:
                return self._search(told), 200
            case "GET", [id]:
                return {"list": _shown(self._one(id))}, 200
            case "GET", [id, "memberships"]:
                return self._members(self._one(id), query), 200
            case "PUT", [id, "memberships", "add"]:
                with self._portal.lock:
                    new = [str(one) for one in told if str(one) not in self._one(id).members]
                    for record in new:
                        self._portal.join(self._one(id), record)
                return {"recordsIdsAdded": new, "recordIdsRemoved": [], "recordIdsMissing": []}, 200
            case "PUT", [id, "memberships", "remove"]:
                with self._portal.lock:
                    gone = [str(one) for one in told if self._portal.leave(self._one(id), str(one))]
                return {"recordsIdsAdded": [], "recordIdsRemoved": gone, "recordIdsMissing": []}, 200
        raise Problem(404, "Not found", "OBJECT_NOT_FOUND")

    def _one(self, id: str) -> List:
        if id not in self._portal.lists:
            raise Problem(404, f"List does not exist with ID {id[:40]}.", "OBJECT_NOT_FOUND")
        return self._portal.lists[id]

    def _search(self, told: Mapping[str, Any]) -> dict[str, Any]:
        words, ids = str(told.get("query") or "").lower(), [str(one) for one in told.get("listIds") or ()]
        count, offset = int(told.get("count") or 20), int(told.get("offset") or 0)
        if count > LARGEST_SEARCH:
            raise Problem(400, f"count is at most {LARGEST_SEARCH}")
        found = [one for one in self._portal.lists.values()
                 if words in one.name.lower() and (not ids or one.id in ids)]  # fmt: skip
        page = found[offset : offset + count]
        return {"lists": [{**_shown(one), "additionalProperties": _more(one)} for one in page],
                "total": len(found), "offset": offset + len(page), "hasMore": offset + len(page) < len(found)}  # fmt: skip

    def _members(self, one: List, query: Mapping[str, str]) -> dict[str, Any]:
        limit, after = int(query.get("limit", 100)), query.get("after", "0")
        if limit > LARGEST_PAGE or not after.isdecimal():
            raise Problem(400, f"limit is at most {LARGEST_PAGE}")
        with self._portal.lock:
            ids = sorted((id for id in one.members if int(id) > int(after)), key=int)
            results = [{"recordId": id, "membershipTimestamp": one.members[id]} for id in ids[:limit]]
        told: dict[str, Any] = {"results": results, "total": len(one.members)}
        if len(ids) > limit:
            told["paging"] = {"next": {"after": ids[limit - 1], "link": f"?after={ids[limit - 1]}"}}
        return told


def _more(one: List) -> dict[str, str]:
    """The properties that a search for lists tells beside; what is empty is left out."""
    left_at = milliseconds(one.left_at) if one.left_at else None
    told = {"hs_list_size": str(len(one.members)), "hs_last_record_removed_at": f"{left_at:.0f}" if left_at else ""}
    return {name: value for name, value in told.items() if value}


def _shown(one: List) -> dict[str, Any]:
    at = "2026-01-01T00:00:00Z"
    return {"listId": one.id, "name": one.name, "objectTypeId": TYPE_IDS[one.object], "processingType": one.processing,
            "processingStatus": "COMPLETE", "listVersion": 1, "size": len(one.members), "createdAt": at, "updatedAt": at,
            "createdById": "1", "updatedById": "1"}  # fmt: skip

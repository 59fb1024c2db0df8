"""Calls to SAP CRM's services: one SOAP client per object, the message header, and the log that may be an error."""

from __future__ import annotations

import base64
import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests

from connectors.crm.sap_crm.refusals import WHO, of_fault, of_log, of_messages
from connectors.crm.sap_crm.shapes import Shape
from connectors.wire.soap import Soap, SoapFailed
from hub.errors import NotFound, Unsupported

Found = dict[str, Any]
SELECTED = {"InclusionExclusionCode": "I", "IntervalBoundaryTypeCode": "1"}  # this value, included
MOST_HITS = 1000
GROUPS = "TargetGroup"  # in the setting endpoints: the service that tells a target group's members


class Services:
    """The services of one system as one of its users."""

    def __init__(
        self,
        session: requests.Session,
        home: str,
        shapes: Mapping[str, Shape],
        now: Callable[[], dt.datetime],
        locks: Sequence[re.Pattern[str]],
        *,
        user: str,
        password: str,
        sign_in: str,
        endpoints: Mapping[str, str],
        members_wsdl: str,
    ) -> None:
        self._now, self._locks = now, locks
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        by_token = sign_in.startswith("usernametoken")

        def soap(object: str, wsdl: str) -> Soap:
            return Soap(
                session,
                _placed(home, wsdl),
                who=WHO,
                address=_placed(home, endpoints[object]) if object in endpoints else "",
                username=user if by_token else "",
                password=password if by_token else "",
                digest=sign_in == "usernametoken_digest",
                # The WSDL itself is behind basic authentication, whatever the service takes.
                headers={"Authorization": f"Basic {basic}"},
            )

        self.soaps = {object: soap(object, shape.wsdl) for object, shape in shapes.items()}
        self._groups = soap(GROUPS, members_wsdl) if members_wsdl else None

    def called(self, shape: Shape, verb: str, message_id: uuid.UUID | None = None, **parts: Any) -> Found:
        """The answer of an operation. Raises what the fault or the log says. With a `message_id`, twice is once."""
        changes = verb != "query"
        if message_id is not None:
            header = {"ID": message_id.hex, "UUID": str(message_id), "CreationDateTime": self._now()}
            parts["MessageHeader"] = header
        try:
            answer = self.soaps[shape.object].call(shape.operation(verb), changes=changes, **parts)
        except SoapFailed as failed:
            raise of_fault(failed.fault, self._locks, changes=changes) from failed
        told = answer if isinstance(answer, dict) else {}
        if (problem := of_log(told.get("Log"), self._locks)) is not None:
            raise problem
        return told

    def members(self, operation: str, told: Mapping[str, Any], messages: Sequence[str]) -> Found:
        """The answer of the operation that tells a target group's members. Raises what the fault says, or its messages at
        the path `messages`."""
        if self._groups is None:
            raise Unsupported(
                "the connection names no service for a target group's members; see its setting members_wsdl"
            )
        try:
            answer = self._groups.call(operation, changes=False, **told)
        except SoapFailed as failed:
            raise of_fault(failed.fault, self._locks, changes=False) from failed
        if (problem := of_messages(at(answer, messages), self._locks)) is not None:
            raise problem
        return answer if isinstance(answer, dict) else {}

    def selected(self, shape: Shape, element: str, values: Sequence[str]) -> list[Found]:
        """The records in which `element` holds one of `values`; `*` stands for anything."""
        rows = [{**SELECTED, f"LowerBoundary{element}": value} for value in values]
        parts: dict[str, Any] = {
            f"{shape.object}SelectionByElements": {f"SelectionBy{element}": rows},
            "ProcessingConditions": {"QueryHitsMaximumNumberValue": MOST_HITS, "QueryHitsUnlimitedIndicator": False},
        }
        try:
            answer = self.called(shape, "query", None, **parts)
        except NotFound:  # some services call it an error that nobody was found
            return []
        return [row for row in answer.get(shape.object) or () if isinstance(row, dict)]


def at(told: Any, path: Sequence[str]) -> list[Any]:
    """What stands at a path of an answer; a list on the way stands for each of its items."""
    if isinstance(told, list):
        return [value for one in told for value in at(one, path)]
    if not path:
        return [told]
    return at(told.get(path[0]), path[1:]) if isinstance(told, dict) else []


def _placed(home: str, told: str) -> str:
    """An address: a path of the server's (`/sap/…`), a whole address, or a file of the hub's machine."""
    return home + told if told.startswith("/sap/") else told

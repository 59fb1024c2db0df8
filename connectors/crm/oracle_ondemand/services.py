"""The web services of CRM On Demand: one document for each, as an administrator downloads them, called with zeep.

Source: Oracle, Web Services On Demand Guide. QueryPage, Update and Delete are those of Web Services v2.0
(`Contact.wsdl`); v2.0 has no upsert, so InsertOrUpdate is that of v1.0 (`Contact-1.0.wsdl`); interactions have
`CTIActivity.wsdl`. All are called at one address, without a session: the user's name and password go with every request
(WS-Security UsernameToken).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests

from connectors.crm.oracle_ondemand.errors import WHO, failure
from connectors.crm.oracle_ondemand.fields import names
from connectors.wire.soap import Soap, SoapFailed
from hub.errors import Unavailable

PAGE = 100  # the most that a page holds
ENDPOINT = "/Services/Integration"
Found = dict[str, Any]


class Services:
    """All services of one company, as one user."""

    def __init__(self, session: requests.Session, settings: Mapping[str, Any], now: Callable[[], dt.datetime]) -> None:
        self._session, self._now = session, now
        self._address = settings["url"].rstrip("/") + ENDPOINT
        self._folder = settings["wsdl"].rstrip("/")
        self._user, self._password = settings["user"], settings["password"]
        self._view_mode = settings["view_mode"]
        self._lock = threading.Lock()
        self._opened: dict[str, Soap] = {}
        self._fields: dict[str, frozenset[str]] = {}

    def document(self, name: str) -> bytes:
        """A service's WSDL as it is now: an administrator may have put a newer one there."""
        service = self._service(name)
        service.forget()
        return service.documents[0]

    def fields(self, name: str) -> frozenset[str]:
        """The fields that the company's document of a record type has; read once."""
        if name not in self._fields:
            self._fields[name] = names(name, self.document(name))
        return self._fields[name]

    def call(self, name: str, operation: str, *, changes: bool, **named: Any) -> Any:
        """What an operation of the service `name` answers. Raises what the fault means."""
        try:
            return self._service(name).call(operation, changes=changes, **named)
        except SoapFailed as failed:
            raise failure(failed.fault, self._now) from failed

    def page(
        self, name: str, spec: str, fields: Sequence[str], *, start: int = 0, size: int = PAGE
    ) -> tuple[list[Found], bool]:
        """One page of the records that a searchspec fits, by ascending Id, and whether it is the last one.

        Query by template: only the fields that are named come back.
        """
        template: dict[str, Any] = dict.fromkeys(fields, "")
        template["Id"] = {"_value_1": "", "sortorder": "ASC", "sortsequence": "1"}
        if spec:
            template["searchspec"] = spec
        listed = {"pagesize": str(min(size, PAGE)), "startrownum": str(start), name: [template]}
        told = self.call(name, f"{name}QueryPage", changes=False, ViewMode=self._view_mode, **{f"ListOf{name}": listed})
        found = told.get(f"ListOf{name}", told) if isinstance(told, dict) else told
        if not isinstance(found, dict):
            raise Unavailable(f"{WHO} answers a query with something that is no list")
        records = [{field: one.get(field) for field in ("Id", *fields)} for one in found.get(name) or ()]
        return records, str(found.get("lastpage", "true")).lower() != "false"

    def records(self, name: str, spec: str, fields: Sequence[str]) -> Iterator[Found]:
        """All records that a searchspec fits."""
        start = 0
        while True:
            records, last = self.page(name, spec, fields, start=start)
            yield from records
            if last:
                return
            if not records:
                raise Unavailable(f"{WHO} says that more follows, and gives nothing")
            start += len(records)

    def _service(self, name: str) -> Soap:
        with self._lock:
            if name not in self._opened:
                self._opened[name] = Soap(
                    self._session, f"{self._folder}/{name}.wsdl", who=WHO, address=self._address,
                    username=self._user, password=self._password,
                )  # fmt: skip
            return self._opened[name]


def listed(told: Any, name: str) -> list[Found]:
    """The records in an answer, however deep zeep left them: it takes off what has one child only."""
    if isinstance(told, dict):
        told = told.get(f"ListOf{name}", told)
    if isinstance(told, dict):
        told = told.get(name)
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []

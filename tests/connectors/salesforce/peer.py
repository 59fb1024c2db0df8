"""The Salesforce sandbox, as the law of all connectors sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from hub.model import Query, Row, Target
from sandbox.salesforce import SalesforceSandbox
from tests.contract.given import a_number
from tests.contract.sandbox_peer import SandboxPeer, shared

VARIANTS = ("sandbox",)


def small() -> SalesforceSandbox:
    """Few people, so that the contract's own stand out."""
    return SalesforceSandbox(rows=30)


class Peer(SandboxPeer):
    """Contacts, tasks, and the members of a campaign."""

    NAME, SANDBOX, UNAUTHORIZED = "salesforce", small, "expired_for_ever"
    target = Target(object="Task", key="Hub_Key__c")

    @property
    def query(self) -> Query:
        """A campaign of this peer's own."""
        if not hasattr(self, "_campaign"):
            self._campaign = self.sandbox.org.insert("Campaign", {"Name": f"Campaign {a_number()}"})
        return Query(object="CampaignMember", where={"CampaignId": self._campaign})

    def person(self, name: str, phone: str = "", email: str = "") -> str:
        first, _, last = name.rpartition(" ")
        values = {"FirstName": first, "LastName": last, "MobilePhone": phone, "Email": email}
        values["Hub_Key__c"] = f"p {a_number()}"
        return str(self.sandbox.org.insert("Contact", values))

    def key_of(self, id: str) -> str:
        return str(self.sandbox.org.get("Contact", id)["Hub_Key__c"])

    def row(self, key: str, text: str) -> Row:
        return Row(key=key, fields={"Subject": "Call", "Status": "Completed", "Description": text})

    def bad_row(self, key: str) -> Row:
        return Row(key=key, fields={"Subject": "Call", "CallType": "Sideways"})

    def texts(self, key: str) -> list[str]:
        ids = self.sandbox.org.by_key("Task", "Hub_Key__c", key)
        return [str(self.sandbox.org.get("Task", id)["Description"]) for id in ids]

    def member(self, name: str) -> str:
        values = {"CampaignId": self.query.where["CampaignId"], "ContactId": self.person(name, phone=a_number())}
        return str(self.sandbox.org.insert("CampaignMember", values))

    def leave(self, id: str) -> None:
        self.sandbox.org.delete(id)


@contextlib.contextmanager
def opened(variant: str, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Against the one sandbox of this process."""
    with shared(Peer) as peer:
        yield peer

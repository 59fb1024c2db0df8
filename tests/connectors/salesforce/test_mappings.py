"""The ready mappings agree with what the sandbox describes, and carry an interaction through to it."""

from __future__ import annotations

from typing import Any

import pytest

from hub.config import ConnectionConfig, load_config
from hub.connections import Connection, Connections
from hub.contract import Tools
from hub.installed import connector_class
from hub.model import Query
from hub.store.database import Store
from tests.connectors.salesforce.bench import Bench
from tests.contract.given import a_mail, a_number
from tests.shipped import ROOT, agrees, connected, delivered, mapping_of, names_of


@pytest.mark.parametrize("name", names_of("salesforce"))
def test_it_agrees_with_what_salesforce_describes_and_its_examples_hold(bench: Bench, name: str) -> None:
    # The platform is one that takes lists: what it describes is not Salesforce's.
    softphone = connector_class("softphone")
    tools = Tools(connection="softphone", session=None, now=None, country="ES", public_url="")  # type: ignore[arg-type]
    phone = softphone({"url": "http://127.0.0.1:1", "token": "t", "secrets": "c2VjcmV0"}, tools)
    config = ConnectionConfig("softphone", "softphone", {})
    platforms = {one: Connection(one, config, phone) for one in ("softphone", "contact_centre")}
    agrees("salesforce", name, Connections({**connected("salesforce", bench.connector), **platforms}))


def recorded(bench: Bench, sqlite_store: Store, name: str, facts: dict[str, Any]) -> str:
    """The id of the record that the mapping made of an interaction."""
    every = delivered(
        sqlite_store,
        bench.connector,
        mapping_of("salesforce", f"salesforce_{name}"),
        {"connection": "softphone", **facts},
    )
    assert all(delivery.state == "delivered" and delivery.record_url for delivery in every), every
    (url,) = {delivery.record_url for delivery in every}
    return str(url).rsplit("/", 2)[1]


def test_a_wrapped_up_call_is_a_task_on_its_contact(bench: Bench, sqlite_store: Store) -> None:
    number = a_number()
    account = bench.org.insert("Account", {"Name": "Engines"})
    who = bench.contact(Phone=f"{number[3:6]} {number[6:9]} {number[9:]}", FirstName="Ada", AccountId=account)
    facts = {
        "event": {"id": "e-1", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound", "remote_e164": number,
                        "talk_seconds": 184.0, "ended_at": "2026-11-23T10:05:13Z"},
        "disposition": {"code": "SALE", "name": "Sale"}, "wrap_up": {"code": "SALE", "comment": "Wants the red one"},
    }  # fmt: skip
    task = bench.org.get("Task", recorded(bench, sqlite_store, "wrap_up_to_task", facts))
    assert (task["WhoId"], task["WhatId"], task["Hub_Key__c"]) == (who, account, "softphone:call-1")
    assert (task["Subject"], task["Status"]) == ("Call from Ada Lovelace: Sale", "Completed")
    assert (task["CallType"], task["CallDurationInSeconds"], task["CallDisposition"]) == ("Inbound", 184, "Sale")
    assert task["Description"] == "Wants the red one"
    again = recorded(bench, sqlite_store, "wrap_up_to_task", {**facts, "wrap_up": {"comment": "Wants the blue one"}})
    assert again == task["Id"] and task["Description"] == "Wants the blue one"


def test_a_mail_is_a_case_on_its_sender(bench: Bench, sqlite_store: Store) -> None:
    mail = a_mail()
    who = bench.contact(Email=mail)
    facts = {
        "event": {"id": "e-2", "type": "interaction.created", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": "mail-1", "channel": "email", "direction": "inbound", "subject": "It broke"},
        "customer": {"email": mail.upper()},
    }
    case = bench.org.get("Case", recorded(bench, sqlite_store, "mail_to_case", facts))
    assert (case["ContactId"], case["Subject"], case["Origin"]) == (who, "It broke", "Email")


def test_the_sample_campaign_can_be_pulled_and_its_results_written(bench: Bench) -> None:
    secrets = dict.fromkeys(("SALESFORCE_CLIENT_SECRET", "PATCHBAY_WEBHOOK_SECRET"), "c2VjcmV0")
    file = str(ROOT / "config" / "examples" / "salesforce.yaml")
    told = load_config({"PATCHBAY_CONFIG": file, **secrets}).connections["salesforce"]
    source = mapping_of("salesforce", "salesforce_campaign_to_dialer").document.value["source"]
    query = Query(object=source["list"], where=source["where"])
    connector = bench.opened(list_fields=told.settings["list_fields"])
    rows = [row for page in connector.pages(query) for row in page.rows]
    assert len(rows) >= 30 and {bool(row["ContactId"]) for row in rows} == {True, False}
    assert {row["Phone_Consent__c"] for row in rows} == {True, False}
    described = {field.name: field for field in connector.describe("CampaignMember").fields}
    assert {"Responded", "Reached", "Not Reached"} <= set(described["Status"].picklist)

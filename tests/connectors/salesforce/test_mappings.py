"""The ready mappings agree with what the sandbox describes, and carry an interaction through to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.config import ConnectionConfig, load_config
from hub.connections import Connection, Connections
from hub.contract import Tools
from hub.flow.agreement import disagreements
from hub.flow.subject import interaction_subject
from hub.installed import connector_class
from hub.language.examples import check_examples
from hub.language.mapping import Mapping, compile_mapping
from hub.model import Query
from hub.store.database import Store, open_store
from hub.store.schema import metadata
from tests.connectors.salesforce.bench import Bench
from tests.contract.given import a_mail, a_number
from tests.stubs import Rig, put_deliveries, put_interactions

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "mappings" / "examples" / "salesforce").glob("*.yaml"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = open_store(f"sqlite:///{tmp_path / 'patchbay.db'}")
    metadata.create_all(kept.engine)
    yield kept
    kept.close()


def mapping(file: Path) -> Mapping:
    return compile_mapping(file.read_text(), str(file), country="ES", zone="Europe/Madrid")


def named(name: str) -> Mapping:
    return mapping(ROOT / "mappings" / "examples" / "salesforce" / f"salesforce_{name}.yaml")


def connections(bench: Bench) -> Connections:
    config = ConnectionConfig("salesforce", "salesforce", {})
    softphone = connector_class("softphone")
    tools = Tools(connection="softphone", session=None, now=None, country="ES", public_url="")  # type: ignore[arg-type]
    phone = softphone({"url": "http://127.0.0.1:1", "token": "t", "secrets": "c2VjcmV0"}, tools)
    return Connections({
        "salesforce": Connection("salesforce", config, bench.connector),
        **{name: Connection(name, config, phone) for name in ("softphone", "contact_centre")},
    })  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_agrees_with_what_salesforce_describes_and_its_examples_hold(bench: Bench, file: Path) -> None:
    one = mapping(file)
    check_examples(one)
    assert disagreements(one, connections(bench)) == ([], "")


def delivered(bench: Bench, store: Store, name: str, facts: dict[str, Any]) -> str:
    """The id of the record that the mapping made of an interaction."""
    here = copy.copy(named(name))
    here.target = replace(here.target, connection="crm")
    rig = Rig(store, bench.connector, here)
    put_interactions(store, [{"connection": "softphone", "final": True, **facts}])
    put_deliveries(
        store, {"subject": interaction_subject("softphone", facts["interaction"]["id"]), "mapping": here.name}
    )
    assert rig.deliverer.run_once("crm") == 1
    assert all(delivery.state == "delivered" and delivery.record_url for delivery in rig.all()), rig.all()
    (url,) = {delivery.record_url for delivery in rig.all()}
    return str(url).rsplit("/", 2)[1]


def test_a_wrapped_up_call_is_a_task_on_its_contact(bench: Bench, store: Store) -> None:
    number = a_number()
    account = bench.org.insert("Account", {"Name": "Engines"})
    who = bench.contact(Phone=f"{number[3:6]} {number[6:9]} {number[9:]}", FirstName="Ada", AccountId=account)
    facts = {
        "event": {"id": "e-1", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound", "remote_e164": number,
                        "talk_seconds": 184.0, "ended_at": "2026-11-23T10:05:13Z"},
        "disposition": {"code": "SALE", "name": "Sale"}, "wrap_up": {"code": "SALE", "comment": "Wants the red one"},
    }  # fmt: skip
    task = bench.org.get("Task", delivered(bench, store, "wrap_up_to_task", facts))
    assert (task["WhoId"], task["WhatId"], task["Hub_Key__c"]) == (who, account, "softphone:call-1")
    assert (task["Subject"], task["Status"]) == ("Call from Ada Lovelace: Sale", "Completed")
    assert (task["CallType"], task["CallDurationInSeconds"], task["CallDisposition"]) == ("Inbound", 184, "Sale")
    assert task["Description"] == "Wants the red one"
    again = delivered(bench, store, "wrap_up_to_task", {**facts, "wrap_up": {"comment": "Wants the blue one"}})
    assert again == task["Id"] and task["Description"] == "Wants the blue one"


def test_a_mail_is_a_case_on_its_sender(bench: Bench, store: Store) -> None:
    mail = a_mail()
    who = bench.contact(Email=mail)
    facts = {
        "event": {"id": "e-2", "type": "interaction.created", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": "mail-1", "channel": "email", "direction": "inbound", "subject": "It broke"},
        "customer": {"email": mail.upper()},
    }
    case = bench.org.get("Case", delivered(bench, store, "mail_to_case", facts))
    assert (case["ContactId"], case["Subject"], case["Origin"]) == (who, "It broke", "Email")


def test_the_sample_campaign_can_be_pulled_and_its_results_written(bench: Bench) -> None:
    secrets = dict.fromkeys(("SALESFORCE_CLIENT_SECRET", "PATCHBAY_WEBHOOK_SECRET"), "c2VjcmV0")
    file = str(ROOT / "config" / "examples" / "salesforce.yaml")
    told = load_config({"PATCHBAY_CONFIG": file, **secrets}).connections["salesforce"]
    source = named("campaign_to_dialer").document.value["source"]
    query = Query(object=source["list"], where=source["where"])
    connector = bench.opened(list_fields=told.settings["list_fields"])
    rows = [row for page in connector.pages(query) for row in page.rows]
    assert len(rows) >= 30 and {bool(row["ContactId"]) for row in rows} == {True, False}
    assert {row["Phone_Consent__c"] for row in rows} == {True, False}
    described = {field.name: field for field in connector.describe("CampaignMember").fields}
    assert {"Responded", "Reached", "Not Reached"} <= set(described["Status"].picklist)

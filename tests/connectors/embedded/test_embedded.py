"""The embedded CRM as a connector, beyond the law that all connectors share."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from hub.contract import capabilities
from hub.errors import NotFound, Rejected, Unavailable
from hub.model import Lookup, Query, Row, Target
from hub.store.database import Store
from tests.contract.scenario_files import built


def test_it_does_all_that_a_crm_does() -> None:
    connector = built("embedded", {}, engine=create_engine("sqlite://"))
    assert capabilities(connector) == ("check", "find", "describe", "write", "pages", "links")
    described = {name: connector.describe(name) for name in connector.objects()}
    keys = {name: [f.name for f in d.fields if f.unique and f.writable] for name, d in described.items()}
    assert keys == {
        "contact": ["contact_key"], "lead": ["lead_key"], "account": ["account_key"], "activity": ["interaction_key"],
        "campaign": ["campaign_key"], "campaign_member": ["member_key"], "case": ["case_key"],
    }  # fmt: skip
    channel = next(f for f in described["activity"].fields if f.name == "channel")
    assert (channel.type, channel.picklist[0]) == ("picklist", "voice")


def test_links_lead_to_pages_and_nowhere_else() -> None:
    connector = built("embedded", {}, engine=create_engine("sqlite://"))
    home = connector.links("open", "contact", "C-1001").removesuffix("/contact/C-1001")
    assert home.endswith("/crm")
    assert connector.links("open", "contact", "../x?y#z") == f"{home}/contact/..%2Fx%3Fy%23z"
    assert connector.links("search", "contact", fields={"name": "Ada", "phone": "+34 6"}) == f"{home}/?q=%2B34+6"
    assert connector.links("search", "contact", fields={"first_name": "Ada", "last_name": "L"}) == f"{home}/?q=Ada+L"
    assert (
        connector.links("new", "contact", fields={"phone": "+346", "email": ""}) == f"{home}/new/contact?phone=%2B346"
    )
    assert connector.links("new", "contact") == f"{home}/new/contact"


def test_what_is_wrong_with_the_target_is_wrong_with_each_row(store: Store) -> None:
    connector = built("embedded", {}, engine=store.engine)
    rows = [Row(key="a", fields={}), Row(key="b", fields={})]
    for target, kind, problem in (
        (Target(object="contacts", key="id"), NotFound, 'did you mean "contact"'),
        (Target(object="contact", key="phone"), Rejected, "contact_key and id are"),
    ):
        receipts = connector.write(target, rows)
        assert [receipt.key for receipt in receipts] == ["a", "b"]
        assert all(isinstance(one.error, kind) and problem in str(one.error) for one in receipts)


def test_a_receipt_opens_the_record(store: Store) -> None:
    connector = built("embedded", {}, engine=store.engine)
    target = Target(object="contact", key="contact_key")
    row = Row(key="a", fields={"last_name": "X"})
    (receipt,) = connector.write(target, [row])
    assert receipt.url == connector.links("open", "contact", receipt.id)
    ((record,),) = connector.find([Lookup("contact", "key", "a")])
    assert record.url == receipt.url
    (gone,) = connector.write(target, [Row(key="a", fields={}, action="remove")])
    assert (gone.outcome, gone.id, gone.url) == ("removed", receipt.id, "")


def test_a_record_has_all_of_its_fields_whichever_are_asked_for(store: Store) -> None:
    connector = built("embedded", {}, engine=store.engine)
    connector.write(Target(object="contact", key="contact_key"), [Row(key="a", fields={"last_name": "X", "vip": True})])
    ((record,),) = connector.find([Lookup("contact", "key", "a", fields=("vip", "comment", "no_such_field"))])
    assert (record.fields["vip"], record.fields["comment"]) == (True, None)
    assert "no_such_field" not in record.fields


def test_a_store_that_does_not_answer_is_tried_again(free_port: int) -> None:
    engine = create_engine(
        f"postgresql+psycopg://nobody@127.0.0.1:{free_port}/none", connect_args={"connect_timeout": 2}
    )
    connector = built("embedded", {}, engine=engine)
    for ask in (
        connector.check,
        lambda: connector.find([Lookup("contact", "id", "C-1")]),
        lambda: connector.write(Target(object="contact", key="id"), [Row(key="C-1", fields={})]),
        lambda: next(iter(connector.pages(Query(object="contact")))),
    ):
        with pytest.raises(Unavailable, match="does not answer"):
            ask()


def test_without_a_store_there_is_no_embedded_crm() -> None:
    with pytest.raises(Unavailable, match="was given none"):
        built("embedded", {})

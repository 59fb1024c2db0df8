"""The shipped mappings agree with the sandbox, and each flow arrives there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from connectors.crm.dynamics.fields import id_for
from hub.flow.agreement import list_disagreements
from hub.store.database import Store
from tests.connectors.dynamics.peer import Peer
from tests.contract.given import a_mail, a_number
from tests.shipped import agrees, connected, delivered, mapping_of, names_of

NAMES = names_of("dynamics")
WRAP_UP = mapping_of("dynamics", "dynamics_wrap_up_to_phonecall")
CASE = mapping_of("dynamics", "dynamics_email_to_case")


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("to_dialer")])
def test_they_agree_with_the_sandbox(peer: Peer, name: str) -> None:
    agrees("dynamics", name, connected("dynamics", peer.connector))


def test_a_wrapped_up_call_arrives_on_its_caller(peer: Peer, sqlite_store: Store) -> None:
    number, call = a_number(), f"call-{a_number()}"
    caller = peer.person("Ada Lovelace", phone=f"{number[3:6]} {number[6:9]} {number[9:]}")
    (ana,) = peer.sandbox.rows("systemuser", internalemailaddress="ana@example.com")
    ended = {
        "connection": "softphone", "final": False,
        "event": {"id": "e-1", "type": "interaction.ended", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": call, "channel": "voice", "direction": "inbound", "remote_e164": number,
                        "local": "+34911234567", "talk_seconds": 184.0, "started_at": "2026-11-23T10:02:00Z"},
        "agent": {"id": "a-1", "email": "ana@example.com"},
    }  # fmt: skip
    wrapped = {
        **ended,
        "final": True,
        "disposition": {"code": "SALE", "name": "Sale"},
        "wrap_up": {"comment": "The red one"},
    }
    late = {**wrapped, "interaction": {**ended["interaction"], "ended_at": "2026-11-23T10:05:04Z"}}  # type: ignore[dict-item]
    deliveries = delivered(sqlite_store, peer.connector, WRAP_UP, ended, wrapped, late)
    assert {one.state for one in deliveries} == {"delivered"}, deliveries
    id = id_for("phonecall", "activityid", f"softphone:{call}")
    (row,) = peer.sandbox.rows("phonecall", activityid=id)
    assert (row["statecode"], row["statuscode"], row["description"]) == (1, 4, "The red one")
    assert row["subject"] == "Call from Ada Lovelace: Sale" and row["actualend"] == "2026-11-23T10:05:04Z"
    assert row["regardingobjectid"] == ("contact", caller) and row["ownerid"] == ("systemuser", ana["systemuserid"])
    assert peer.sandbox.parties(id) == [(1, f"contact/{caller}"), (2, f"systemuser/{ana['systemuserid']}")]


def test_what_a_person_changed_stays(peer: Peer, sqlite_store: Store) -> None:
    call = f"call-{a_number()}"
    wrapped = {
        "connection": "softphone", "final": True,
        "event": {"id": "e-1", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": call, "channel": "voice", "direction": "outbound", "remote_e164": a_number(),
                        "local": "+34911234567"},
        "wrap_up": {"comment": "Ours"},
    }  # fmt: skip
    delivered(sqlite_store, peer.connector, WRAP_UP, wrapped)
    id = id_for("phonecall", "activityid", f"softphone:{call}")
    peer.sandbox.update("phonecall", id, {"statecode": 0})
    peer.sandbox.update("phonecall", id, {"description": "Theirs"})
    peer.sandbox.update("phonecall", id, {"statecode": 1, "statuscode": 2})
    again = {**wrapped, "wrap_up": {"comment": "Ours again"}, "disposition": {"name": "Sale"}}
    assert {one.state for one in delivered(sqlite_store, peer.connector, WRAP_UP, again)} == {"delivered"}
    (row,) = peer.sandbox.rows("phonecall", activityid=id)
    assert (row["description"], row["category"], row["statecode"]) == ("Theirs", "Sale", 1)


def test_an_e_mail_becomes_one_case(peer: Peer, sqlite_store: Store) -> None:
    mail, message = a_mail(), f"mail-{a_number()}"
    sender = peer.person("Ada Writes", email=mail)
    facts = {
        "connection": "softphone", "final": False,
        "event": {"id": "e-1", "type": "interaction.created", "occurred_at": "2026-11-23T10:05:40Z"},
        "interaction": {"id": message, "channel": "email", "direction": "inbound", "subject": "My invoice"},
        "customer": {"email": mail},
    }  # fmt: skip
    delivered(
        sqlite_store,
        peer.connector,
        mapping_of("dynamics", "dynamics_email_to_case"),
        facts,
        {**facts, "wrap_up": {"comment": "Sent anew"}},
    )
    (row,) = peer.sandbox.rows("incident", incidentid=id_for("incident", "incidentid", f"softphone:{message}"))
    assert (row["title"], row["description"], row["customerid"]) == ("My invoice", "Sent anew", ("contact", sender))
    assert row["caseorigincode"] == 2


def test_the_list_of_the_example_is_there(peer: Peer) -> None:
    here, described = (
        connected("dynamics", peer.connector),
        SimpleNamespace(
            objects=lambda _: tuple(peer.connector.objects()),  # type: ignore[attr-defined]
            describe=lambda _, object: peer.connector.describe(object),  # type: ignore[attr-defined]
        ),
    )
    wrong = list_disagreements(mapping_of("dynamics", "dynamics_list_to_dialer"), here["dynamics"], described)
    assert wrong == []
    source = mapping_of("dynamics", "dynamics_list_to_dialer").source.contact_list
    assert source is not None
    assert peer.sandbox.rows("list", listname=source.where["list"])

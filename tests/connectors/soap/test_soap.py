"""The connector `soap` beyond the contract: what faults mean, and node's own client against the same sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.errors import CredentialsRefused, Locked, Rejected, Unavailable, UnknownOutcome
from hub.model import Lookup, Row
from sandbox.in_house.soap import PASSWORD, USER
from tests.connectors.soap.peer import Peer, opened
from tests.contract.given import a_key
from tests.judges import judged


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with opened("username_token", request) as running:
        yield running


def test_a_server_s_fault_leaves_a_write_in_doubt_and_a_look_up_not(peer: Peer) -> None:
    peer.connector.check()
    peer.sandbox.faults.set("server_fault", times=2)
    with pytest.raises(UnknownOutcome):
        peer.connector.write(peer.target, [peer.row(a_key(), "x")])
    with pytest.raises(Unavailable) as failed:
        peer.connector.find([Lookup("customer", "email", "a@example.com")])
    assert not isinstance(failed.value, UnknownOutcome)


def test_a_sender_s_fault_is_the_row_s(peer: Peer) -> None:
    peer.connector.check()
    peer.sandbox.faults.set("client_fault")
    with pytest.raises(Rejected):
        peer.connector.write(peer.target, [peer.row(a_key(), "x")])


def test_one_locked_row_of_a_batch_is_alone(peer: Peer) -> None:
    rows = [peer.row(a_key(), f"text {n}") for n in range(3)]
    peer.sandbox.faults.set("locked")
    receipts = peer.connector.write(peer.target, rows)
    assert isinstance(receipts[0].error, Locked) and [r.outcome for r in receipts[1:]] == ["created"] * 2


def test_what_xml_cannot_say_is_refused_before_it_is_sent(peer: Peer) -> None:
    bad, good = peer.connector.write(peer.target, [peer.row(a_key(), "bell \a"), peer.row(a_key(), "good")])
    assert isinstance(bad.error, Rejected) and "U+0007" in str(bad.error) and good.outcome == "created"


def test_a_number_where_the_wsdl_wants_one(peer: Peer) -> None:
    receipt = peer.connector.write(peer.target, [Row(key=a_key(), fields={"seconds": "184"})])[0]
    assert receipt.outcome == "created"


def test_a_wrong_password_is_refused(peer: Peer) -> None:
    with pytest.raises(CredentialsRefused):
        peer.opened(password="wrong").check()


def test_node_s_own_client_speaks_with_the_sandbox(peer: Peer) -> None:
    id = peer.person("Ada Lovelace", phone="612 00 11 22")
    told = judged(
        "in_house_soap",
        {"wsdl": f"{peer.served.url}/soap?wsdl", "user": USER, "password": PASSWORD, "tail": "2001122",
         "ref": a_key(), "customer": id},
    )  # fmt: skip
    assert told["login"] == USER
    assert [one["id"] for one in told["found"]] == [id]
    assert (told["first"]["status"], told["second"]["status"]) == ("created", "updated")
    assert told["refused"] == "UNAUTHORIZED"

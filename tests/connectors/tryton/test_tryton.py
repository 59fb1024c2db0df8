"""What is Tryton's own, against the real server: parties, opportunities, rights, and how many calls a batch takes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest

from connectors.crm.tryton import Tryton as Connector
from hub.clock import now
from hub.config import ConnectionConfig
from hub.connections import Connection
from hub.contract import Tools
from hub.errors import Ambiguous, CredentialsRefused, NotFound, NotPermitted, Rejected, Unsupported
from hub.flow.drafts import draft
from hub.model import PERSON, Lookup, Query, Row, Target
from hub.session import open_session
from sandbox.tryton_sample import Client
from tests.connectors.tryton.peer import Peer
from tests.contract.given import a_key, a_mail, a_number
from tests.tryton_server import Tryton
from tests.waiting import PATIENCE

NOTES, PARTIES = Target(object="ir.note", key="key"), Target(object="party.party", key="code")
OPPORTUNITIES = Target(object="sale.opportunity", key="id")


class Bench:
    """A connector that counts its calls, and a look behind its back."""

    def __init__(self, tryton: Tryton, client: Client, administrator: bool = False, **settings: Any) -> None:
        self.calls = 0
        full = tryton.settings(administrator) | settings
        config = ConnectionConfig("crm", "tryton", full, private_network=True)
        self.connector = Connector(full, Tools(connection="crm", session=open_session(config, self._count), now=now,
                                               country="ES", public_url="https://hub.example"))  # fmt: skip
        self.connector.check()
        self.calls = 0
        self.behind = client
        self.peer = Peer(self.connector, client)

    def _count(self) -> None:
        self.calls += 1

    def read(self, object: str, id: str, *fields: str) -> dict[str, Any]:
        [record] = self.behind.call(f"model.{object}.read", [int(id)], list(fields))
        return dict(record)

    def opportunity(self, **fields: Any) -> str:
        party = self.peer.person("Whom it is about")
        return str(
            self.behind.create("sale.opportunity", {"party": int(party), "description": "Red ones", **fields})[0]
        )


@pytest.fixture
def bench(shared_tryton: Tryton) -> Iterator[Bench]:
    with shared_tryton.client() as client:
        yield Bench(shared_tryton, client)


@pytest.fixture
def administrator(shared_tryton: Tryton) -> Iterator[Bench]:
    with shared_tryton.client() as client:
        yield Bench(shared_tryton, client, administrator=True)


# --- what is asked anew, and what is asked for ----------------------------------------


def test_describe_asks_each_time_and_writing_does_not(bench: Bench) -> None:
    for _ in range(2):
        bench.calls = 0
        described = bench.connector.describe(NOTES.object)
        assert (described.object, described.creatable, described.changeable) == (NOTES.object, True, True)
        assert bench.calls == 3
    bench.calls = 0
    bench.connector.write(NOTES, [bench.peer.row(a_key(), "hello")])
    assert bench.calls == 2  # search, create


def test_a_mapping_can_be_drafted_for_each_object(bench: Bench) -> None:
    connection = Connection("tryton", ConnectionConfig("tryton", "tryton", {}), bench.connector)
    drafts = {
        object: draft("interaction.wrapped_up", connection, bench.connector.describe(object), country="ES")
        for object in bench.connector.objects()
    }
    note = drafts["ir.note"].source
    for words in ("key: key", "party: caller.id", "message: { from: [wrap_up.comment, interaction.summary]"):
        assert words in note, note


def test_fields_that_are_asked_for_are_on_the_record(bench: Bench) -> None:
    number, mail = a_number(), a_mail()
    id = bench.peer.person("Ada", phone=number, email=mail)
    opportunity = bench.opportunity()
    wanted = ("full_name", "mobile", "no_such_field")
    for lookup in (Lookup(PERSON, "id", id, fields=wanted), Lookup(PERSON, "phone", number, fields=wanted),
                   Lookup(PERSON, "email", mail, fields=wanted)):  # fmt: skip
        [[record]] = bench.connector.find([lookup])
        assert (record.fields["full_name"], record.fields["mobile"]) == ("Ada", number)
        assert "no_such_field" not in record.fields
    [[record]] = bench.connector.find(
        [Lookup(OPPORTUNITIES.object, "id", opportunity, fields=("employee", "end_date"))]
    )
    assert {name: record.fields[name] for name in ("employee", "end_date")} == {"employee": None, "end_date": None}
    [[plain]] = bench.connector.find([Lookup(PERSON, "id", id)])
    assert "full_name" not in plain.fields


# --- how many calls ----------------------------------------


def test_a_batch_of_two_hundred_takes_two_calls(bench: Bench) -> None:
    rows = [bench.peer.row(a_key(), f"text {n}") for n in range(200)]
    assert {receipt.outcome for receipt in bench.connector.write(NOTES, rows)} == {"created"}
    assert bench.calls == 2  # search, create
    bench.calls = 0
    assert {receipt.outcome for receipt in bench.connector.write(NOTES, rows)} == {"unchanged"}
    assert bench.calls == 1
    bench.calls = 0
    anew = [bench.peer.row(row.key, "after") for row in rows]
    assert {receipt.outcome for receipt in bench.connector.write(NOTES, anew)} == {"updated"}
    assert bench.calls == 3  # search, create, delete


def test_one_bad_row_of_two_hundred_fails_alone_in_few_calls(bench: Bench) -> None:
    rows = [bench.peer.row(a_key(), f"text {n}") for n in range(200)]
    rows[117] = bench.peer.bad_row(a_key())
    receipts = bench.connector.write(NOTES, rows)
    assert [n for n, receipt in enumerate(receipts) if receipt.outcome == "failed"] == [117]
    assert bench.calls <= 2 + 2 * 8  # halves: two calls for each time two hundred can be halved


def test_two_hundred_lookups_take_two_calls(bench: Bench) -> None:
    known = [(number := a_number(), bench.peer.person("Ada", phone=number)) for _ in range(5)]
    lookups = [Lookup(PERSON, "phone", number) for number, _ in known]
    lookups += [Lookup(PERSON, "phone", a_number()) for _ in range(190)] + [Lookup(PERSON, "email", a_mail())]
    found = bench.connector.find(lookups)
    assert [[record.id for record in records] for records in found[:5]] == [[id] for _, id in known]
    assert not any(found[5:])
    assert bench.calls == 2  # the second one asks for what Tryton holds unnormalised


# --- people ----------------------------------------


def test_a_number_that_tryton_holds_unnormalised_is_found(bench: Bench) -> None:
    number = a_number()
    id = int(bench.peer.person("Typed by hand"))
    typed = f"(00 34) {number[3:6]}-{number[6:9]} {number[9:]}"
    bench.behind.create("party.contact_mechanism", {"party": id, "type": "other", "value": typed})
    ((record,),) = bench.connector.find([Lookup(PERSON, "phone", number)])
    assert (record.id, record.match and record.match.value) == (str(id), typed)


def test_whoever_shares_a_number_was_spoken_to_at_some_time(bench: Bench) -> None:
    number = a_number()
    first, second = (bench.peer.person(name, phone=number) for name in ("Ada", "Bea"))
    bench.connector.write(NOTES, [Row(key=a_key(), fields={"party": second, "message": "We spoke"})])
    (records,) = bench.connector.find([Lookup(PERSON, "phone", number)])
    spoken = {record.id: record.last_contact_at for record in records}
    assert spoken[first] is None
    assert spoken[second] is not None


def test_a_party_that_was_deactivated_is_nobody(bench: Bench) -> None:
    number = a_number()
    id = bench.peer.person("Gone", phone=number)
    asked = [Lookup(PERSON, "phone", number), Lookup(PERSON, "id", id), Lookup(PERSON, "key", bench.peer.key_of(id))]
    assert all(bench.connector.find(asked))
    [receipt] = bench.connector.write(PARTIES, [Row(key=bench.peer.key_of(id), fields={}, action="remove")])
    assert receipt.outcome == "removed"
    assert not any(bench.connector.find(asked))
    again = bench.connector.write(PARTIES, [Row(key=bench.peer.key_of(id), fields={}, action="remove")])
    assert again[0].outcome == "unchanged"


def test_an_identifier_is_a_key(bench: Bench) -> None:
    id, code = bench.peer.person("With a VAT number"), f"VAT{a_number()[1:]}"
    bench.behind.create("party.identifier", {"party": int(id), "type": None, "code": code})
    ((record,),) = bench.connector.find([Lookup(PERSON, "key", code)])
    assert record.id == id
    assert record.match is not None


def test_consent_is_a_category_and_unknown_means_no(bench: Bench) -> None:
    numbers = [a_number() for _ in range(3)]
    ids = [bench.peer.person("Somebody", phone=number) for number in numbers]
    consent, never = (
        bench.behind.call("model.party.category.search", [["name", "=", name]], 0, None, None)[0]
        for name in ("Phone consent", "Do not call")
    )
    bench.behind.call("model.party.party.write", [int(ids[0])], {"categories": [["add", [consent]]]})
    bench.behind.call("model.party.party.write", [int(ids[1])], {"categories": [["add", [consent, never]]]})
    told = [records[0].fields for records in bench.connector.find([Lookup(PERSON, "phone", n) for n in numbers])]
    assert [(fields["consent"], fields["do_not_call"]) for fields in told] == [
        (True, False),
        (True, True),
        (False, False),
    ]


def test_parties_are_upserted_by_code(bench: Bench) -> None:
    code, number, mail = a_key(), a_number(), a_mail()
    row = Row(key=code, fields={"name": "New One", "mobile": number[3:], "email": mail})
    [made] = bench.connector.write(PARTIES, [row])
    assert made.outcome == "created"
    assert bench.connector.write(PARTIES, [row])[0].outcome == "unchanged"
    other = a_number()
    [again] = bench.connector.write(
        PARTIES, [Row(key=code, fields={"name": "Renamed", "mobile": other, "phone": number})]
    )
    assert (again.outcome, again.id) == ("updated", made.id)
    party = bench.read("party.party", made.id, "name", "code", "contact_mechanisms.value_compact")
    assert (party["name"], party["code"]) == ("Renamed", code)
    # What people entered stays; a number that is there already is not entered again, whatever its type.
    assert {told["value_compact"] for told in party["contact_mechanisms."]} == {number, other, mail}


def test_what_is_wrong_with_a_party_is_said_by_field(bench: Bench) -> None:
    rows = [
        Row(key=a_key(), fields={"nmae": "Ada"}),
        Row(key=a_key(), fields={"name": "Ada", "phone": "12"}),
        Row(key=a_key(), fields={"name": "Ada", "lang": "Spanish"}),
        Row(key=a_key(), fields={"name": "Ada", "lang": "1", "active": True}),
    ]
    receipts = bench.connector.write(PARTIES, rows)
    errors = [receipt.error for receipt in receipts[:3]]
    assert all(isinstance(error, Rejected) for error in errors)
    assert [list(error.fields) for error in errors] == [["nmae"], ["phone"], ["lang"]]  # type: ignore[union-attr]
    assert 'did you mean "name"?' in str(errors[0])
    assert receipts[3].outcome == "created"


# --- opportunities ----------------------------------------


def test_an_opportunity_takes_typed_values_and_presses_its_buttons(bench: Bench) -> None:
    id = bench.opportunity()
    fields = {
        "comment": "Call again",
        "amount": "12.50",
        "start_date": "2026-01-02",
        "state": "lost",
        "lost_reason": "No",
    }
    assert bench.connector.write(OPPORTUNITIES, [Row(key=id, fields=fields)])[0].outcome == "updated"
    assert bench.read("sale.opportunity", id, *fields) == {
        "id": int(id), "comment": "Call again", "state": "lost", "lost_reason": "No",
        "amount": {"__class__": "Decimal", "decimal": "12.50"},
        "start_date": {"__class__": "date", "year": 2026, "month": 1, "day": 2},
    }  # fmt: skip
    assert bench.connector.write(OPPORTUNITIES, [Row(key=id, fields=fields)])[0].outcome == "unchanged"
    ((record,),) = bench.connector.find([Lookup("sale.opportunity", "id", id)])
    assert (record.fields["amount"], record.fields["start_date"]) == (Decimal("12.50"), date(2026, 1, 2))


def test_what_is_wrong_with_an_opportunity_stays_with_its_row(bench: Bench) -> None:
    ids = [bench.opportunity() for _ in range(4)]
    rows = [
        Row(key=ids[0], fields={"comment": "fine"}),
        Row(key="999999", fields={"comment": "nobody's"}),
        Row(key=ids[1], fields={"state": "won"}),
        Row(key=ids[2], fields={"amount": "a lot"}),
        Row(key=ids[3], fields={"state": "opportunity"}),  # Tryton wants an employee for that
        Row(key=ids[0], fields={}, action="remove"),
    ]
    receipts = bench.connector.write(OPPORTUNITIES, rows)
    assert receipts[0].outcome == "updated"
    kinds = [type(receipt.error) for receipt in receipts[1:]]
    assert kinds == [NotFound, Rejected, Rejected, Rejected, Unsupported]


def test_a_state_that_cannot_be_reached_is_refused(bench: Bench) -> None:
    lost, lead = bench.opportunity(), bench.opportunity()
    states = [Row(key=lost, fields={"state": "lost"}), Row(key=lead, fields={"state": "lead"})]
    assert [receipt.outcome for receipt in bench.connector.write(OPPORTUNITIES, states)] == ["updated", "unchanged"]
    [receipt] = bench.connector.write(OPPORTUNITIES, [Row(key=lost, fields={"state": "cancelled"})])
    assert isinstance(receipt.error, Rejected)
    assert list(receipt.error.fields) == ["state"]
    new = Row(key=a_key(), fields={"description": "New", "state": "lead", "company": "1"})
    [made] = bench.connector.write(Target(object="sale.opportunity", key="reference"), [new])
    assert (made.outcome, bench.read("sale.opportunity", made.id, "state")["state"]) == ("created", "lead")


def test_a_key_that_several_have_is_ambiguous(bench: Bench) -> None:
    reference = a_key()
    for _ in range(2):
        bench.opportunity(reference=reference)
    by_reference = Target(object="sale.opportunity", key="reference")
    [receipt] = bench.connector.write(by_reference, [Row(key=reference, fields={"comment": "Which one?"})])
    assert isinstance(receipt.error, Ambiguous)


def test_a_pull_of_what_changed_sees_the_party_too(bench: Bench) -> None:
    reference = a_key()
    query = Query(object="sale.opportunity", where={"reference": reference})
    id = bench.opportunity(reference=reference)
    party = bench.read("sale.opportunity", id, "party")["party"]
    far = "2099-01-01T00:00:00+00:00"
    changed_since = Query(object="sale.opportunity", where={"reference": reference}, watermark=far)
    assert [row for page in bench.connector.pages(changed_since) for row in page.rows] == []
    (row,) = [row for page in bench.connector.pages(query) for row in page.rows]
    assert (row["id"], row["party"], row["mobile"]) == (id, "Whom it is about", None)
    watermark = list(bench.connector.pages(query))[-1].watermark
    number = a_number()
    bench.behind.create("party.contact_mechanism", {"party": party, "type": "mobile", "value": number})
    pages = bench.connector.pages(Query(object="sale.opportunity", where={"reference": reference}, watermark=watermark))
    assert [row["mobile"] for page in pages for row in page.rows] == [number]
    bench.behind.call("model.party.party.write", [party], {"active": False})
    pages = bench.connector.pages(Query(object="sale.opportunity", where={"reference": reference}, watermark=watermark))
    assert id in [gone for page in pages for gone in page.removed]


def test_parties_are_a_list_too(bench: Bench) -> None:
    number = a_number()
    id = bench.peer.person("On a list", phone=number)
    query = Query(object="party.party", where={"code": bench.peer.key_of(id)})
    [page] = bench.connector.pages(query)
    assert [(row["id"], row["mobile"], row["country"]) for row in page.rows] == [(id, number, "ES")]
    with pytest.raises(Unsupported):
        list(bench.connector.pages(Query(object="ir.note")))
    with pytest.raises(Rejected):
        list(bench.connector.pages(Query(object="party.party", cursor="x")))


# --- notes and rights ----------------------------------------


def test_a_caller_who_turns_out_to_be_another_takes_the_note_along(administrator: Bench) -> None:
    ada, bea, key = administrator.peer.person("Ada"), administrator.peer.person("Bea"), a_key()
    administrator.connector.write(NOTES, [Row(key=key, fields={"party": ada, "message": "Who was it?"})])
    [receipt] = administrator.connector.write(NOTES, [Row(key=key, fields={"party": bea, "message": "It was Bea"})])
    assert receipt.outcome == "updated"
    assert administrator.peer.texts(key) == ["It was Bea"]
    assert administrator.read("ir.note", receipt.id, "resource")["resource"] == f"party.party,{bea}"


def test_a_row_that_says_only_what_changes_keeps_the_rest(administrator: Bench) -> None:
    ada, key = administrator.peer.person("Ada"), a_key()
    administrator.connector.write(NOTES, [Row(key=key, fields={"party": ada, "message": "Before"})])
    assert administrator.connector.write(NOTES, [Row(key=key, fields={"message": "After"})])[0].outcome == "updated"
    ((note,),) = administrator.connector.find([Lookup("ir.note", "key", key)])
    assert (note.fields["message"], note.fields["party"]) == ("After", ada)


def test_two_series_of_keys_are_two_notes(bench: Bench) -> None:
    key, opportunity = a_key(), bench.opportunity()
    on_opportunity = Target(object="ir.note", key="opportunity_key")
    first, second = (
        bench.peer.row(key, "on the party"),
        Row(key=key, fields={"opportunity": opportunity, "message": "on it"}),
    )
    receipts = [*bench.connector.write(NOTES, [first]), *bench.connector.write(on_opportunity, [second])]
    assert [receipt.outcome for receipt in receipts] == ["created", "created"]
    assert bench.read("ir.note", receipts[1].id, "resource")["resource"] == f"sale.opportunity,{opportunity}"


def test_only_an_administrator_searches_notes_at_large(bench: Bench) -> None:
    with pytest.raises(NotPermitted, match="administrator"):
        bench.connector.find([Lookup("ir.note", "key", a_key())])


def test_a_note_needs_something_to_be_about(bench: Bench) -> None:
    [receipt] = bench.connector.write(NOTES, [Row(key=a_key(), fields={"message": "about nobody"})])
    assert isinstance(receipt.error, Rejected)
    assert receipt.error.fields == {"party": "missing"}


def test_an_unknown_object_is_not_found(bench: Bench) -> None:
    for ask in (
        lambda: bench.connector.write(Target(object="party.partie", key="code"), [Row(key="1", fields={})]),
        lambda: bench.connector.find([Lookup("party.partie", "id", "1")]),
        lambda: list(bench.connector.pages(Query(object="party.partie"))),
    ):
        with pytest.raises(NotFound, match=r'did you mean "party\.party"'):
            ask()
    with pytest.raises(Unsupported):
        bench.connector.find([Lookup("sale.opportunity", "phone", "+34612345678")])


# --- sessions ----------------------------------------


def test_a_session_that_was_ended_there_is_renewed(bench: Bench) -> None:
    before = bench.connector._rpc.signed_in()
    bench.connector._rpc._posted(bench.connector._rpc._url, "common.db.logout", [], before.header)
    bench.calls = 0
    assert bench.connector.check().version.startswith("8.")
    assert bench.connector._rpc.signed_in() is not before
    assert bench.calls == 5  # refused, sign-in, preferences, again, version


def test_many_threads_renew_a_session_once(bench: Bench) -> None:
    before = bench.connector._rpc.signed_in()
    bench.connector._rpc._posted(bench.connector._rpc._url, "common.db.logout", [], before.header)
    bench.calls = 0
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(bench.connector.find([Lookup(PERSON, "id", "7")])))
               for _ in range(6)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(results) == 6 and all(records[0][0].id == "7" for records in results)
    assert bench.calls <= 6 + 6 + 2  # each once, at most each again, one sign-in with its preferences


def test_a_wrong_password_is_refused(bench: Bench, shared_tryton: Tryton) -> None:
    with pytest.raises(CredentialsRefused):
        Bench(shared_tryton, bench.behind, user="nobody-of-that-name")
    with pytest.raises(CredentialsRefused):
        Bench(shared_tryton, bench.behind, database="no_such_database")


def test_the_new_partys_form_is_prefilled_by_tryton_itself(bench: Bench, shared_tryton: Tryton) -> None:
    url = bench.connector.links("new", "party.party", fields={"name": "Ada & Co", "phone": "+34612345678"})
    context = json.loads(unquote(url.partition(";context=")[2].partition("&")[0]))
    fresh = Client(
        shared_tryton.url, shared_tryton.database, shared_tryton.made.admin, shared_tryton.made.admin_password
    )
    fresh._context |= context
    assert fresh.call("model.party.party.default_get", ["name", "contact_mechanisms"]) == {
        "name": "Ada & Co",
        "contact_mechanisms": [{"type": "phone", "value": "+34612345678"}],
    }
    fresh.close()
    form = Bench(shared_tryton, bench.behind, new_party_view=512).connector.links(
        "new", "party.party", fields={"name": "Ada"}
    )
    assert form.endswith("&views=%5B512%5D")

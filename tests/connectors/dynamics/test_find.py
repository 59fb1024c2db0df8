"""Find and links: numbers as they were typed, merges, who of several, and the addresses of the app."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hub.errors import CredentialsRefused, NotFound, Throttled, Unavailable, UnknownOutcome, Unsupported
from hub.model import PERSON, Lookup
from sandbox.dynamics.schema import TABLES
from sandbox.frame import FAULTS
from tests.connectors.dynamics.peer import Peer
from tests.contract.given import a_mail, a_number


def found(peer: Peer, *lookups: Lookup) -> list[list[Any]]:
    return [list(records) for records in peer.connector.find(lookups)]  # type: ignore[attr-defined]


def test_200_look_ups_are_one_call(peer: Peer) -> None:
    number = a_number()
    id = peer.person("Ada Batch", phone=number)
    asked = [Lookup(PERSON, "phone", a_number()) for _ in range(150)] + [
        Lookup(PERSON, "email", a_mail()) for _ in range(49)
    ]
    found(peer, Lookup(PERSON, "email", a_mail()))  # signed in
    before = peer.sandbox.faults.call_count
    answers = found(peer, *asked, Lookup(PERSON, "phone", number))
    assert peer.sandbox.faults.call_count - before == 1
    assert [[record.id for record in records] for records in answers[-2:]] == [[], [id]]


@pytest.mark.parametrize("column", ["telephone1", "telephone2", "telephone3", "mobilephone", "address1_telephone1"])
def test_every_phone_column_however_it_was_typed(peer: Peer, column: str) -> None:
    number = a_number()
    typed = f"(+34) {number[3:6]}-{number[6:8]}.{number[8:10]} {number[10:]}"
    id = peer.sandbox.create("contact", {"lastname": "Typed", column: typed})
    peer.sandbox.create("contact", {"lastname": "Near", column: f"+4420{number[3:]}"})  # ends in the same digits
    ((record,),) = found(peer, Lookup(PERSON, "phone", number))
    assert record.id == id and record.match.field == column and record.match.value == typed


def test_a_national_number_is_read_by_the_person_s_own_country(peer: Peer) -> None:
    ((record,),) = found(peer, Lookup(PERSON, "phone", "+33199001234"))
    assert record.title == "Éloïse Béranger" and record.fields["donotphone"] is True
    assert record.fields["address1_country"] == "FR" and record.owner == "chloe@example.com"


def test_people_are_contacts_leads_and_accounts_in_this_order(peer: Peer) -> None:
    number = a_number()
    lead = peer.sandbox.create("lead", {"lastname": "Lead", "telephone1": number})
    account = peer.sandbox.create("account", {"name": "Company", "telephone1": number})
    company = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    contact = peer.sandbox.create("contact", {"lastname": "Contact", "mobilephone": number, **company})
    case = {"title": "Broken", "customerid_contact@odata.bind": f"/contacts({contact})"}
    peer.sandbox.create("incident", case)
    about = {"subject": "Before", "regardingobjectid_lead_phonecall@odata.bind": f"/leads({lead})"}
    peer.sandbox.create("phonecall", about)
    (records,) = found(peer, Lookup(PERSON, "phone", number))
    assert [(one.object, one.id) for one in records] == [("contact", contact), ("lead", lead), ("account", account)]
    assert records[0].account.id == account and records[0].account.title == "Company"
    assert [one.open_cases for one in records] == [1, 0, 0]
    assert [one.last_contact_at is not None for one in records] == [False, True, False]


def test_who_is_inactive_is_not_calling(peer: Peer) -> None:
    number = a_number()
    id = peer.person("Ada Gone", phone=number)
    peer.sandbox.update("contact", id, {"statecode": 1})
    assert found(peer, Lookup(PERSON, "phone", number), Lookup("contact", "id", id))[0] == []


def test_a_merged_id_finds_the_survivor(peer: Peer) -> None:
    survivor, middle, first = (peer.person(name, phone=a_number()) for name in ("Ada Left", "Ada Was", "Ada Once"))
    with peer.sandbox.lock:
        peer.sandbox.records.merge(TABLES["contact"], middle, first)
        peer.sandbox.records.merge(TABLES["contact"], survivor, middle)
    answers = found(peer, *(Lookup(PERSON, "id", id) for id in (survivor, middle, first)))
    assert [[record.id for record in records] for records in answers] == [[survivor]] * 3


def test_a_column_with_numbers_in_e164_is_asked_by_equality(peer: Peer) -> None:
    number = a_number()
    id = peer.sandbox.create("contact", {"lastname": "Exact", "new_customerno": number})
    connector: Any = peer.opened(e164_fields=["contact.new_customerno"])
    ((record,),) = connector.find([Lookup(PERSON, "phone", number)])
    assert record.id == id and record.match.field == "new_customerno"


def test_other_objects(peer: Peer) -> None:
    ((user,),) = found(peer, Lookup("systemuser", "email", "ANA@example.com"))
    assert user.title == "Ana" and user.object == "systemuser"
    ((case,),) = found(peer, Lookup("incident", "key", peer.sandbox.rows("incident")[0]["ticketnumber"]))
    assert case.object == "incident" and case.url
    with pytest.raises(Unsupported):
        found(peer, Lookup("phonecall", "phone", a_number()))
    with pytest.raises(NotFound, match="phonecall"):
        found(peer, Lookup("phonecal", "id", "0f6f5c5c-7d3b-4a35-9f2a-2c3f3fe6f2a1"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_search_while_something_fails_and_after(peer: Peer, fault: str) -> None:
    number = a_number()
    id, asked = peer.person("Ada Fault", phone=number), Lookup(PERSON, "phone", number)
    found(peer, asked)
    peer.sandbox.faults.set(fault, times=1, seconds=0.01)
    try:
        ((record,),) = found(peer, asked)
        assert fault in ("slow", "gzip") and record.id == id
    except (Unavailable, Throttled) as error:
        assert not isinstance(error, UnknownOutcome)  # a search changes nothing
        assert isinstance(error, Throttled) == fault.startswith("throttled")
    peer.sandbox.faults.clear()
    ((record,),) = peer.opened().find([asked])  # type: ignore[attr-defined]
    assert record.id == id


def test_links(peer: Peer) -> None:
    connector: Any = peer.opened(app_id="5f1a")
    home = f"{peer.served.url}/main.aspx?appid=5f1a&"
    assert connector.links("open", "contact", "0f6f") == f"{home}etn=contact&pagetype=entityrecord&id=%7B0f6f%7D"
    assert (
        connector.links("search", "contact", fields={"phone": "+34 612"})
        == f"{home}pagetype=search&searchText=%2B34%20612"
    )
    url = connector.links(
        "new", "contact", fields={"phone": "+34612345678", "name": "Ada & Bea = Co", "jobtitle": "C+O"}
    )
    assert url.startswith(
        f"{home}etn=contact&pagetype=entityrecord&extraqs=telephone1%3D%252B34612345678%26firstname%3D"
    )
    (inner,) = parse_qs(urlsplit(url).query)["extraqs"]  # decoded once it is a query of its own
    assert parse_qs(inner) == {
        "telephone1": ["+34612345678"], "firstname": ["Ada & Bea ="], "lastname": ["Co"], "jobtitle": ["C+O"],
    }  # fmt: skip
    assert "name%3DAda%2520Ltd" in connector.links("new", "account", fields={"name": "Ada Ltd"})


def test_what_is_left_of_the_burst_is_told(peer: Peer) -> None:
    told: list[Any] = []
    connector: Any = peer.opened()
    connector._api._quota = told.append
    connector.check()
    assert told and told[-1].limit == 6000 and told[-1].window_seconds == 300 and 0 < told[-1].used < 6000


def test_a_wrong_secret_and_a_wrong_tenant(peer: Peer) -> None:
    wrong: Any = peer.opened(client_secret="wrong")
    with pytest.raises(CredentialsRefused, match="AADSTS7000215"):
        wrong.check()
    with pytest.raises(CredentialsRefused):
        peer.opened(tenant="nobody").check()  # type: ignore[attr-defined]
    with pytest.raises(CredentialsRefused, match="client_secret"):
        peer.opened(client_secret="").check()  # type: ignore[attr-defined]
    with pytest.raises(CredentialsRefused, match="authority has to begin with https://"):
        peer.opened(authority="http://127.0.0.1:8443").check()  # type: ignore[attr-defined]
    peer.sandbox.faults.set("secret_refused")
    with pytest.raises(CredentialsRefused):
        peer.opened().check()  # type: ignore[attr-defined]
    peer.sandbox.faults.set("throttled", path="/sandbox-tenant", seconds=7)
    with pytest.raises(Throttled) as throttled:
        peer.opened().check()  # type: ignore[attr-defined]
    assert throttled.value.retry_after == 7.0


def test_a_certificate_instead_of_a_secret(peer: Peer) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, ends = x509.Name([]), dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).not_valid_after(ends).sign(key, hashes.SHA256())
    )  # fmt: skip
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    given = {"client_secret": None, "certificate": public, "private_key": private.decode()}
    with pytest.raises(CredentialsRefused):
        peer.opened(**given).check()  # type: ignore[attr-defined]
    peer.sandbox.sign_in.certificate = public
    assert peer.opened(**given).check().expires_at == ends  # type: ignore[attr-defined]
    with pytest.raises(CredentialsRefused, match="certificate"):
        peer.opened(**{**given, "private_key": "no key"}).check()  # type: ignore[attr-defined]

"""The embedded CRM's pages, as a person with a browser sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.model import Lookup, Record, Row
from hub.store.crm import OBJECTS, Crm
from hub.store.sample.load import load_sample
from tests.whole_hub import WholeHub, whole_hub

PAGES = (
    "/crm/", "/crm/?q=romero", "/crm/?q=612345678", "/crm/contact/C-1001", "/crm/lead/L-1001", "/crm/account/A-1001",
    "/crm/campaigns", "/crm/campaign/CMP-1001", "/crm/campaign/CMP-1001?result=positive&page=1",
    "/crm/campaign/CMP-1001?page=2", "/crm/campaign_member/M-1001", "/crm/case/CASE-1001", "/crm/activity/ACT-1001",
    "/crm/contact/C-1001/edit", "/crm/activity/ACT-1001/edit", "/crm/campaign_member/M-1001/edit",
    *(f"/crm/new/{name}" for name in ("contact", "lead", "account", "activity", "campaign", "campaign_member", "case")),
)  # fmt: skip


@pytest.fixture
def whole(tmp_path: Path, store_url: str) -> Iterator[WholeHub]:
    """A whole hub with the sample, once on each engine."""
    with whole_hub(tmp_path, store_url) as hub:
        load_sample(hub.hub.store)
        yield hub


@pytest.fixture
def browser(whole: WholeHub) -> FlaskClient:
    """A browser in which the admin has signed in."""
    return whole.signed_in()


@pytest.fixture
def crm(whole: WholeHub) -> Crm:
    """The CRM behind the pages."""
    return Crm(whole.hub.store.engine, "ES")


def form_of(page: str) -> dict[str, str]:
    """What stands in the form of a page."""
    fields = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', page))
    fields |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>', page, re.DOTALL))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        fields[name] = chosen[1] if chosen else ""
    fields.pop("q", None)
    return {name: unescape(value) for name, value in fields.items()}


def sent(browser: FlaskClient, road: str, **changes: str) -> TestResponse:
    """Open the form at `road`, change it, send it."""
    return browser.post(road, data=form_of(browser.get(road).text) | changes)


def problems(page: str) -> dict[str, str]:
    """What the form says beside its fields."""
    return {
        name: unescape(text)
        for name, text in re.findall(r'<span class="problem" id="(\w+)-problem">(.*?)</span>', page)
    }


def record(crm: Crm, object: str, id: str) -> Record:
    """A record that is there."""
    found = crm.record(object, id)
    assert found is not None
    return found


def test_every_page_opens_and_is_itself(browser: FlaskClient) -> None:
    for road in PAGES:
        answer = browser.get(road)
        assert answer.status_code == 200, road
        page = answer.text
        assert page.count("<h1") == 1, road
        assert "<script" not in page and " style=" not in page and "<style" not in page, road
        assert not re.search(r' on\w+="', page), road
        assert not re.search(r'(src|href)="(https?:)?//(?!naranja)', page), road
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids)), road
        for label in re.findall(r'<label[^>]* for="([^"]+)"', page):
            assert label in ids, (road, label)
        for name in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', page):
            assert set(name.split()) <= set(ids), (road, name)


def test_a_person_with_what_was_said(whole: WholeHub, browser: FlaskClient) -> None:
    whole.take_call("call-1", wrap_up={"comment": "Wants the red one"})
    whole.deliver()
    page = browser.get("/crm/contact/C-1001").text
    for text in ("Lucía Romero Ibáñez", 'href="tel:+34612345678"', 'data-dial="+34612345678"', "612 34 56 78", "VIP",
                 "Consent given", "Naranja Viva Logística", "Wants the red one", "Spring offer",
                 "ana@example.com"):  # fmt: skip
        assert text in page, text
    company = browser.get("/crm/account/A-1001").text
    assert "Wants the red one" in company
    assert "Lucía Romero Ibáñez" in company


def test_numbers_that_are_not_to_be_dialled_are_no_links(browser: FlaskClient) -> None:
    assert "tel:" not in browser.get("/crm/contact/C-1008").text  # do not call
    extension = browser.get("/crm/contact/C-1010").text
    assert "not a dialable number" in extension and "tel:" not in extension


def test_search_and_its_empty_answer(browser: FlaskClient) -> None:
    assert "Marta Ferrer" in browser.get("/crm/?q=%2B34 93 215 40 40").text
    assert 'href="/crm/new/contact?phone=600000001"' in browser.get("/crm/?q=600000001").text
    assert 'href="/crm/new/contact?email=a@b.example"' in unescape(browser.get("/crm/?q=a@b.example").text)
    hostile = browser.get("/crm/", query_string={"q": '"><script>alert(1)</script>'})
    assert hostile.status_code == 200 and "<script" not in hostile.text


def test_what_is_not_there_is_a_page_that_says_so(browser: FlaskClient) -> None:
    for road in ("/crm/contact/C-9", "/crm/contact/%00", "/crm/contact/C-9/edit", "/crm/conact/C-1001", "/crm/new/conact",
                 "/crm/contact/<script>"):  # fmt: skip
        answer = browser.get(road, headers={"Accept": "text/html"})
        assert answer.status_code == 404, road
        assert "<script>" not in answer.text
    assert "did you mean &#34;contact&#34;" in browser.get("/crm/new/conact", headers={"Accept": "text/html"}).text
    for page in ("0", "-1", "x", "9" * 30, "1e3", "٣"):
        assert browser.get("/crm/campaign/CMP-1001", query_string={"page": page}).status_code == 200


def test_a_new_record_is_made_from_what_the_link_filled_in(browser: FlaskClient, crm: Crm) -> None:
    road = "/crm/new/contact?name=Ada+King+Lovelace&phone=%2B34600000001&email=ada%40example.org&nothing=x"
    stands = form_of(browser.get(road).text)
    assert {n: stands[n] for n in ("first_name", "last_name", "phone", "email", "consent", "do_not_call")} == {
        "first_name": "Ada King", "last_name": "Lovelace", "phone": "+34600000001", "email": "ada@example.org",
        "consent": "", "do_not_call": "no",
    }  # fmt: skip
    answer = sent(browser, road, country="ES", comment="Called first.\r\nThen wrote.")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/crm/contact/C-1821")
    made = record(crm, "contact", "C-1821")
    assert made.fields["comment"] == "Called first.\nThen wrote."
    assert (made.fields["consent"], made.fields["contact_key"]) == (None, "C-1821")
    assert "Contact C-1821 is made." in browser.get("/crm/contact/C-1821").text
    [found] = crm.find([Lookup("contact", "phone", "+34600000001")])[0]
    assert found.id == "C-1821"


def test_a_wrong_form_keeps_what_was_typed_and_says_beside_the_field_what_is_wrong(browser: FlaskClient) -> None:
    typed = {"first_name": '<b>"Ada"</b>', "email": "nobody", "account": "A-9", "country": "Spain"}
    answer = sent(browser, "/crm/new/contact", **typed)
    assert answer.status_code == 422
    assert problems(answer.text) == {
        "last_name": "Last name is required.",
        "email": "E-mail is no e-mail address such as ana@example.com.",
        "account": 'Account names the account "A-9", which is not there.',
        "country": "Country has 5 characters, at most 2 fit.",
    }
    stands = form_of(answer.text)
    assert {name: stands[name] for name in typed} == typed
    assert "<b>" not in answer.text
    unreadable = sent(browser, "/crm/new/activity", duration_seconds="long", started_at="soon", provisional="perhaps")
    assert problems(unreadable.text) == {
        "duration_seconds": "Duration (seconds) is no whole number.",
        "started_at": "Started is no date and time such as 2026-11-23 10:05.",
        "provisional": "Provisional is neither yes nor no.",
    }
    taken = sent(browser, "/crm/new/account", name="Twin", account_key="naranja-viva")
    assert problems(taken.text) == {"account_key": "Key is the key of A-1001 already."}
    lonely = sent(browser, "/crm/new/campaign_member", campaign="spring")
    assert problems(lonely.text) == {"contact": "Contact or lead: a member is exactly one of them."}


def test_a_text_is_changed_and_nothing_else(browser: FlaskClient, crm: Crm) -> None:
    before = record(crm, "activity", "ACT-1001").fields
    answer = sent(browser, "/crm/activity/ACT-1001/edit", comment="Spoke with her sister.")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/crm/activity/ACT-1001")
    after = record(crm, "activity", "ACT-1001").fields
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"comment", "updated_at"}
    assert "Nothing was changed." in sent_and_seen(browser, "/crm/activity/ACT-1001/edit")
    sent(browser, "/crm/activity/ACT-1001/edit", started_at="2026-07-01T09:30", interaction_key="stolen")
    again = record(crm, "activity", "ACT-1001").fields
    assert (again["started_at"], again["interaction_key"]) == ("2026-07-01T07:30:00Z", before["interaction_key"])
    sent(browser, "/crm/contact/C-1001/edit", consent="", mobile="")
    person = record(crm, "contact", "C-1001").fields
    assert (person["consent"], person["mobile"]) == (None, None)


def sent_and_seen(browser: FlaskClient, road: str) -> str:
    """The page after the form was sent unchanged."""
    return browser.get(sent(browser, road).headers["Location"]).text


def test_who_was_overtaken_sees_it_before_anything_is_lost(browser: FlaskClient, crm: Crm) -> None:
    form = form_of(browser.get("/crm/activity/ACT-1001/edit").text)
    crm.write("activity", "id", [Row(key="ACT-1001", fields={"comment": "From the hub", "disposition": "Late"})])
    answer = browser.post("/crm/activity/ACT-1001/edit", data=form | {"comment": "From a person"})
    assert answer.status_code == 409
    assert "changed while you had it open" in answer.text
    assert record(crm, "activity", "ACT-1001").fields["comment"] == "From the hub"
    again = form_of(answer.text)
    assert again["comment"] == "From a person"
    assert browser.post("/crm/activity/ACT-1001/edit", data=again).status_code == 302
    assert record(crm, "activity", "ACT-1001").fields["comment"] == "From a person"


def test_without_the_token_of_the_session_nothing_changes(whole: WholeHub, browser: FlaskClient, crm: Crm) -> None:
    form = form_of(browser.get("/crm/new/contact").text) | {"last_name": "Forged"}
    for token in ("", "x", form_of(whole.signed_in().get("/crm/new/contact").text)["csrf"]):
        assert browser.post("/crm/new/contact", data=form | {"csrf": token}).status_code == 403
        assert browser.post("/crm/contact/C-1001/edit", data={"csrf": token, "comment": "x"}).status_code == 403
    assert crm.find([Lookup("contact", "id", "C-1821")]) == [[]]
    stranger = whole.flask.test_client()
    for road in PAGES:
        assert stranger.get(road).headers["Location"].startswith("/sign-in")


XSS = """<script>alert(1)</script>'" onmouseover="alert(2)"><img src=x onerror=alert(3)>{{ 7*7 }}"""


def test_what_others_wrote_is_only_text(browser: FlaskClient, crm: Crm) -> None:
    key = XSS[:90]
    whats: dict[str, dict[str, Any]] = {
        "account": {"name": XSS, "phone": XSS[:100], "website": "https://x.example/" + XSS.replace(" ", "")},
        "contact": {"first_name": XSS[:110], "last_name": XSS[:110], "phone": XSS[:100], "account": key,
                    "email": "a@" + XSS.replace(" ", ""), "language": "<script"[:8]},
        "case": {"subject": XSS, "contact": key, "comment": XSS},
        "campaign": {"name": XSS},
        "activity": {"contact": key, "subject": XSS, "comment": XSS, "agent": XSS, "queue": XSS, "disposition": XSS,
                     "recording_url": "https://rec.example/1\"onclick=alert(1)", "case": key, "account": key},
        "campaign_member": {"campaign": key, "contact": key, "result": XSS, "result_class": "positive", "comment": XSS},
    }  # fmt: skip
    roads = ["/crm/", "/crm/campaigns", "/crm/?q=" + XSS[:20]]
    for name, fields in whats.items():
        [change] = crm.write(name, OBJECTS[name].key, [Row(key=key, fields=fields)])
        assert change.error is None, change.error
        roads += [f"/crm/{name}/{change.id}", f"/crm/{name}/{change.id}/edit"]
    for road in roads:
        page = browser.get(road).text
        assert not re.search(r"<(script|img)", page), road
        assert not re.search(r"<[^>]+\son\w+=(?![^<]*&)", re.sub(r'"[^"]*"', '""', page)), road
        assert "49" not in re.findall(r"{{ 7\*7 }}|>49<", page), road


def test_a_recording_that_is_no_web_address_is_no_link(whole: WholeHub, browser: FlaskClient) -> None:
    whole.take_call(
        "call-9", interaction={"id": "call-9", "channel": "voice", "recording_url": "https://rec.example/9"}
    )
    whole.deliver()
    [activity] = Crm(whole.hub.store.engine, "ES").find([Lookup("activity", "key", "platform:call-9")])[0]
    page = browser.get(f"/crm/activity/{activity.id}").text
    assert 'href="https://rec.example/9" target="_blank" rel="noopener noreferrer"' in page
    with whole.hub.store.write() as connection:  # as if it had come in before such addresses were refused
        connection.exec_driver_sql("UPDATE crm_activities SET recording_url = 'javascript:alert(1)'")
    assert "javascript:" not in browser.get(f"/crm/activity/{activity.id}").text
    assert "javascript:" not in browser.get("/crm/contact/C-1001").text

"""A small company's data in a fresh Tryton, made over its JSON-RPC as any client would: people whose numbers were typed by
people, opportunities, and the categories that say who may be called."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import requests
from msgspec import Struct

CONSENT, DO_NOT_CALL = "Phone consent", "Do not call"

# (name, how its numbers are typed in that country; {n} is two digits of its own)
COUNTRIES = {
    "ES": ("Spain", "612 34 56 {n}", "912.345.6{n}"),
    "FR": ("France", "06 12 34 56 {n}", "01.42.68.53.{n}"),
    "GB": ("United Kingdom", "07400 1234{n}", "(020) 7946 00{n}"),
    "US": ("United States", "(201) 555-01{n}", "201.555.02{n}"),
    "DE": ("Germany", "0151/234567{n}", "030 / 1234 56{n}"),
}
# The same number, as it is typed by somebody who thinks of callers from abroad.
ABROAD = {"ES": "0034 ", "FR": "+33 (0)", "GB": "+44 (0)", "US": "+1 ", "DE": "+49-"}
FIRST = ("Ada", "Björn", "Chloé", "Dídac", "Eve", "François", "Grete", "Hélène", "Íñigo", "Júlia")
LAST = ("Lovelace", "O'Brien", "Núñez", "Müller", "d'Arc", "Ōe", "Smith-Jones", "Sørensen")
COMPANIES = ("Ñandú & Sons", "Boulangerie Lefèvre", "Hopper Systems", "Zuse Werkzeuge")
STATES = ("lead", "lead", "opportunity", "lead", "lost")


class Refused(Exception):
    """Tryton said no."""


class Client:
    """A minimal client of one Tryton database."""

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self._session = requests.Session()
        self._url = f"{url}/{database}/rpc/"
        self._context: dict[str, Any] = {}
        user_id, token, *_ = self._posted("common.db.login", [user, {"password": password}, "en"])
        signed = base64.b64encode(f"{user}:{user_id}:{token}".encode()).decode()
        self._session.headers["Authorization"] = f"Session {signed}"
        self._context = {**self.call("model.res.user.get_preferences", True), "language": "en"}

    def call(self, method: str, *params: Any) -> Any:
        """The result of a method; raises Refused with what Tryton says."""
        return self._posted(method, [*params, self._context])

    def create(self, model: str, *rows: dict[str, Any]) -> list[int]:
        """The ids of new records."""
        made: list[int] = self.call(f"model.{model}.create", list(rows))
        return made

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _posted(self, method: str, params: Sequence[Any]) -> Any:
        answer = self._session.post(self._url, json={"id": 1, "method": method, "params": params}, timeout=60)
        answer.raise_for_status()
        body = answer.json()
        if "error" in body:
            raise Refused(f"{method}: {body['error']}")
        return body["result"]


class Sample(Struct, frozen=True, kw_only=True):
    """What every other record stands on."""

    company: int
    currency: int
    employee: int
    consent: int
    do_not_call: int
    countries: dict[str, int]


def fill(client: Client, user: str, password: str) -> Sample:
    """Make the company, its integration user `user`, 44 parties and 30 opportunities."""
    made = _company(client)
    groups = client.call("model.res.group.search", [["name", "=", "Sale Opportunity"]], 0, None, None)
    client.create(
        "res.user",
        {
            "name": "Patchbay", "login": user, "password": password, "groups": [["add", groups]],
            "companies": [["add", [made.company]]], "company": made.company,
        },
    )  # fmt: skip
    people = client.create("party.party", *_companies(made), *_people(made))
    leads = [
        {
            "party": people[place], "company": made.company, "currency": made.currency, "employee": made.employee,
            "description": f"Red ones, {place + 3} of them",
            "amount": {"__class__": "Decimal", "decimal": f"{place * 25}.50"},
        }
        for place in range(30)
    ]  # fmt: skip
    opportunities = client.create("sale.opportunity", *leads)
    for button, state in (("opportunity", "opportunity"), ("lost", "lost")):
        mine = [id for place, id in enumerate(opportunities) if STATES[place % len(STATES)] == state]
        client.call(f"model.sale.opportunity.{button}", mine)
    return made


def _company(client: Client) -> Sample:
    countries = client.create("country.country", *({"code": c, "name": told[0]} for c, told in COUNTRIES.items()))
    consent, do_not_call = client.create("party.category", {"name": CONSENT}, {"name": DO_NOT_CALL})
    (currency,) = client.create("currency.currency", {"name": "Euro", "code": "EUR", "symbol": "€"})
    ours, seller = client.create("party.party", {"name": "Patchbay Sample Company"}, {"name": "Ana Seller"})
    (company,) = client.create("company.company", {"party": ours, "currency": currency})
    (employee,) = client.create("company.employee", {"party": seller, "company": company})
    me = client.call("model.res.user.search", [["login", "=", "admin"]], 0, None, None)
    client.call("model.res.user.write", me, {"companies": [["add", [company]]], "company": company})
    return Sample(
        company=company, currency=currency, employee=employee, consent=consent, do_not_call=do_not_call,
        countries=dict(zip(COUNTRIES, countries, strict=True)),
    )  # fmt: skip


def _companies(made: Sample) -> list[dict[str, Any]]:
    return [
        _party(made, name, f"C-{place + 1}", code, [("phone", COUNTRIES[code][2].format(n=f"{place + 10}"))], ())
        for place, (name, code) in enumerate(zip(COMPANIES, ("ES", "FR", "US", "DE"), strict=True))
    ]


def _people(made: Sample) -> list[dict[str, Any]]:
    people = []
    for place in range(40):
        first, last = FIRST[place % len(FIRST)], LAST[place % len(LAST)]
        code = list(COUNTRIES)[place % len(COUNTRIES)]
        mobile = COUNTRIES[code][1].format(n=f"{place + 10}")
        if place % 4 == 3:
            mobile = ABROAD[code] + mobile.removeprefix("0")
        if place == 20:  # the number of place 10, as couples have
            mobile = "+34 612 34 56 20"
        contacts = [] if place == 13 else [("mobile", mobile)]
        if place % 3 == 0:
            contacts.append(("email", f"{first}.{last}{place}@Example.com".replace("'", "").replace(" ", "")))
        if place == 17:
            contacts = [("other", "(0049) 151 - 234 567 27")]
        may = [made.consent] if place % 3 else []
        never = [made.do_not_call] if place % 10 == 4 else []
        people.append(_party(made, f"{first} {last}", f"P-{place + 1}", code, contacts, [*may, *never]))
    return people


def _party(
    made: Sample, name: str, code: str, country: str, contacts: Sequence[tuple[str, str]], categories: Sequence[int]
) -> dict[str, Any]:
    return {
        "name": name,
        "code": code,
        "addresses": [["create", [{"country": made.countries[country], "city": name.split()[-1]}]]],
        "contact_mechanisms": [["create", [{"type": kind, "value": value} for kind, value in contacts]]],
        "categories": [["add", list(categories)]],
    }

"""A thousand sample people and their companies, made by seed: the same on every machine."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from hub import phone
from hub.store.crm.values import folded
from hub.store.sample.names import COUNTRIES, OWNERS, UNUSABLE, Country

SEED = 1878  # the year of the first switchboard
PEOPLE = 1_000
ACCOUNTS = 120
LEADS = 180

OWN_NUMBER = "+34911234567"  # the company's own: never a customer's
NOBODY = "+34600000001"  # valid, and nobody's
_KEPT_FREE = {OWN_NUMBER, NOBODY}
_BEHIND_ONE_SWITCHBOARD = (("Begoña", "Otxoa"), ("Xabier", "Lozano"), ("Nerea", "Arias"), ("Unai", "Calvo"))
_EXTENSIONS = range(4100, 8999)  # beyond the famous 4021

Fields = dict[str, Any]


@dataclass
class Sample:
    """What is loaded, by object, in the order of the ids. References are keys."""

    accounts: list[Fields] = field(default_factory=list)
    contacts: list[Fields] = field(default_factory=list)
    leads: list[Fields] = field(default_factory=list)


def sample_people(seed: int = SEED) -> Sample:
    """The sample's people and companies: the famous ones first, the crowd by `seed`."""
    made = _famous()
    crowd = _Crowd(random.Random(seed), made)
    while len(made.accounts) < ACCOUNTS:
        made.accounts.append(crowd.account(len(made.accounts)))
    for number in range(len(made.leads), LEADS):
        made.leads.append(crowd.lead(number))
    for number in range(len(made.contacts), PEOPLE - LEADS):
        made.contacts.append(crowd.contact(number))
    return made


def _famous() -> Sample:
    """The people of whom demos and tests speak; see the table in `hub.store.sample.load`."""
    accounts = [
        {"account_key": "naranja-viva", "name": "Naranja Viva Logística, S.L.", "phone": "+34 91 411 22 33", "country": "ES",
         "website": "https://naranja-viva.example", "owner": "ana@example.com"},
        {"account_key": "cantera-norte", "name": "Cantera Norte Seguros, S.L.", "phone": "944 12 34 00", "country": "ES",
         "website": "https://cantera-norte.example", "owner": "bruno@example.com"},
    ]  # fmt: skip
    rows: list[tuple[str, str, str, str | None, str | None, Fields]] = [
        ("Lucía", "Romero Ibáñez", "lucia.romero@naranja-viva.example", None, "612 34 56 78",
         {"account": "naranja-viva", "owner": "ana@example.com", "consent": True, "vip": True}),
        *[(first, last, f"{first.lower()}@cantera-norte.example", "944 12 34 00", None,
           {"account": "cantera-norte", "owner": "bruno@example.com", "consent": True})
          for first, last in _BEHIND_ONE_SWITCHBOARD],
        ("Marta", "Ferrer", "marta.ferrer@example.org", "93 215 40 40", None,
         {"owner": "chloe@example.com", "consent": True}),
        ("Jordi", "Vidal", "jordi.vidal@example.org", "+34 93 215 40 40", None,
         {"owner": "elena@example.com", "consent": True}),
        ("Éloïse", "Béranger", "eloise.beranger@example.org", "01.99.00.12.34", None,
         {"country": "FR", "language": "fr", "do_not_call": True, "consent": True, "owner": "chloe@example.com"}),
        ("Imogen", "O'Connell", "imogen.oconnell@example.org", "+44 (0)20 7946 0123", None,
         {"country": "GB", "language": "en", "consent": None, "owner": "dieter@example.com"}),
        ("Rubén", "Segura", "ruben.segura@naranja-viva.example", "4021", None,
         {"account": "naranja-viva", "consent": True, "owner": "ana@example.com"}),
        ("Noelia", "Quiroga", "noelia.quiroga@example.org", None, None, {"consent": True, "owner": "elena@example.com"}),
        ("Friederike", "Weißenfels", "friederike.weissenfels@example.org", "030/23125123", None,
         {"country": "DE", "language": "de", "consent": True, "owner": "dieter@example.com"}),
    ]  # fmt: skip
    contacts = [
        {"contact_key": f"person-{number:04}", "first_name": first, "last_name": last, "email": email, "phone": landline,
         "mobile": mobile, "country": "ES", "language": "es"} | more
        for number, (first, last, email, landline, mobile, more) in enumerate(rows, 1)
    ]  # fmt: skip
    leads = [
        {"lead_key": "lead-0001", "first_name": "Friederike", "last_name": "Weißenfels", "company": "Elbkontor GmbH",
         "email": "Friederike.Weissenfels@example.org", "phone": "0049 30 23125123", "mobile": None, "country": "DE",
         "language": "de", "consent": True, "owner": "dieter@example.com", "status": "working"},
    ]  # fmt: skip
    return Sample(accounts, contacts, leads)


class _Crowd:
    """Everybody else."""

    def __init__(self, dice: random.Random, made: Sample) -> None:
        self.dice, self.made = dice, made
        self.taken = _KEPT_FREE | {
            number
            for row in (*made.accounts, *made.contacts, *made.leads)
            for raw in (row.get("phone"), row.get("mobile"))
            if raw and (number := phone.e164(raw, row["country"]))
        }
        self.names = {row["name"].removesuffix(", S.L.") for row in made.accounts}

    def account(self, number: int) -> Fields:
        """A company with a switchboard."""
        country = self._country()
        while True:
            name = f"{self.dice.choice(country.company)} {self.dice.choice(country.trade)}"
            if self.dice.random() < 0.5:
                name += f" {self.dice.choice(country.last)}"
            if name not in self.names:
                break
        self.names.add(name)
        key = re.sub(r"[^a-z0-9]+", "-", folded(name)).strip("-")
        return {
            "account_key": f"{key}-{number}",
            "name": f"{name}{country.form}",
            "phone": self._number(country, country.landline),
            "country": country.code,
            "website": f"https://{key}.example" if self.dice.random() < 0.7 else None,
            "owner": self.dice.choice(OWNERS),
        }

    def contact(self, number: int) -> Fields:
        """A person; two in three work at one of the companies."""
        account = self.dice.choice(self.made.accounts) if self.dice.random() < 0.66 else None
        country = next(c for c in COUNTRIES if c.code == account["country"]) if account else self._country()
        landline, mobile = self._numbers(country, account)
        return {
            "contact_key": f"person-{number + 1:04}",
            **self._person(country),
            "phone": landline,
            "mobile": mobile,
            "account": account and account["account_key"],
        }

    def lead(self, number: int) -> Fields:
        """Somebody who may become a customer."""
        country = self._country()
        landline, mobile = self._numbers(country, None)
        return {
            "lead_key": f"lead-{number + 1:04}",
            **self._person(country),
            "phone": landline,
            "mobile": mobile,
            "company": f"{self.dice.choice(country.company)}{country.form}" if self.dice.random() < 0.6 else None,
            "status": self.dice.choice(("new", "new", "working", "qualified", "lost")),
        }

    def _person(self, country: Country) -> Fields:
        first, last = self.dice.choice(country.first), self.dice.choice(country.last)
        if country.code in ("ES", "PT") and self.dice.random() < 0.6:
            last += f" {self.dice.choice(country.last)}"
        address = re.sub(r"[^a-z0-9]+", ".", folded(f"{first} {last}").replace("'", "")).strip(".")
        email = f"{address}{self.dice.randint(1, 99)}@example.{self.dice.choice(('com', 'net', 'org'))}"
        return {
            "first_name": first,
            "last_name": last,
            "email": email if self.dice.random() < 0.9 else None,
            "country": country.code,
            "language": country.language,
            "consent": self.dice.choices((True, False, None), (62, 14, 24))[0],
            "do_not_call": self.dice.random() < 0.06,
            "owner": self.dice.choice(OWNERS),
            "vip": self.dice.random() < 0.05,
        }

    def _numbers(self, country: Country, account: Fields | None) -> tuple[str | None, str | None]:
        """(phone, mobile) as people leave them: most have one, some both, some the company's, some none of any use."""
        chance = self.dice.random()
        if chance < 0.06:
            return None, None
        if chance < 0.09:
            return self.dice.choice(UNUSABLE), None
        if account and chance < 0.2:
            return account["phone"], None
        if account and chance < 0.24:
            return str(self.dice.choice(_EXTENSIONS)), self._number(country, country.mobile)
        mobile = self._number(country, country.mobile) if self.dice.random() < 0.75 else None
        landline = self._number(country, country.landline) if mobile is None or self.dice.random() < 0.25 else None
        if mobile and self.dice.random() < 0.2:
            return mobile, None  # a mobile number in the field for landlines: nobody looks at labels
        return landline, mobile

    def _country(self) -> Country:
        return self.dice.choices(COUNTRIES, [country.share for country in COUNTRIES])[0]

    def _number(self, country: Country, patterns: tuple[str, ...]) -> str:
        """A valid number that nobody else has, written as somebody of that country types it."""
        while True:
            national = "".join(str(self.dice.randint(0, 9)) if c == "x" else c for c in self.dice.choice(patterns))
            number = phone.e164(national, country.code)
            if number and number not in self.taken:
                break
        self.taken.add(number)
        typed = _typed(self.dice.choice(country.styles), national)
        return typed if phone.e164(typed, country.code) == number else national


def _typed(style: str, national: str) -> str:
    rest = national.removeprefix("0")
    return style.format(
        n=national,
        plain=national.replace(" ", ""),
        dots=national.replace(" ", "."),
        dashes=national.replace(" ", "-"),
        slash=national.replace(" ", "/", 1),
        rest=rest,
        restplain=rest.replace(" ", ""),
    )

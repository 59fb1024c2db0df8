"""The embedded CRM's pages: search, people, companies, campaigns, cases, and the form of a new or changed record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from hub import phone
from hub.errors import NotFound, Rejected
from hub.model import Record, Row
from hub.store.crm import OBJECTS, Crm, CrmObject, crm_object, screens
from hub.store.database import Transaction
from hub.web.crm_form import inputs, prefilled, texts_of, typed
from hub.web.current import the_hub
from hub.web.display import duration, is_web_address, local
from hub.web.problems import not_found

pages = Blueprint("crm", __name__, url_prefix="/crm")

ROWS = 50  # rows of a timeline or a list on one page
LARGEST_PAGE = 100_000
CASE_OF = ("contact", "account")  # whom a case can be about


@dataclass(frozen=True)
class Number:
    """A phone number as it was typed, and as it can be dialled."""

    label: str
    raw: str
    e164: str | None


@dataclass(frozen=True)
class Leaves:
    """Where a page stands among the pages of a list."""

    page: int
    count: int
    size: int

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.count // self.size))


pages.add_app_template_filter(local)
pages.add_app_template_filter(duration)
pages.add_app_template_test(is_web_address, "web_address")


# --- the pages ----------------------------------------


@pages.get("/")
def search() -> str:
    """Search people and companies by name, number, e-mail or id."""
    words = request.args.get("q", "")[:200]
    crm = _crm()
    with crm.store.read() as connection:
        found, more = screens.search(connection, words, crm.country)
        recent = [] if words.strip() else screens.recent(connection)
        totals = screens.totals(connection)
    return render_template(
        "crm/search.html", words=words, found=found, more=more, recent=recent, totals=totals, objects=OBJECTS
    )


@pages.get("/campaigns")
def campaigns() -> str:
    """All campaigns."""
    with _crm().store.read() as connection:
        return render_template("crm/campaigns.html", campaigns=screens.campaigns(connection))


@pages.get("/<object_name>/<record_id>")
def record(object_name: str, record_id: str) -> str:
    """One record with what belongs to it."""
    one, shown = _record(object_name, record_id)
    with _crm().store.read() as connection:
        return _PAGE.get(one.name, _plain)(connection, one, shown)


@pages.get("/new/<object_name>")
def new(object_name: str) -> str:
    """The form of a new record, with what the link filled in."""
    one = _object(object_name)
    empty = {name: "no" if value is False else str(value) for name, value in one.defaults.items()}
    return _form(one, empty | prefilled(one, request.args))


@pages.post("/new/<object_name>")
def create(object_name: str) -> str | tuple[str, int] | Response:
    """Make the record, or show beside the fields what is wrong."""
    one = _object(object_name)
    values, problems = typed(one, request.form, {}, _zone(), new=True)
    if not problems:
        change = _crm().create(one.name, values)
        if not change.error:
            flash(f"{one.label} {change.id} is made.", "good")
            return redirect(url_for("crm.record", object_name=one.name, record_id=change.id))
        problems = _problems(change.error)
    return _form(one, request.form, problems), 422


@pages.get("/<object_name>/<record_id>/edit")
def edit(object_name: str, record_id: str) -> str:
    """The form of a record."""
    one, shown = _record(object_name, record_id)
    return _form(one, texts_of(one, shown.fields, _zone()), of=shown)


@pages.post("/<object_name>/<record_id>/edit")
def change(object_name: str, record_id: str) -> str | tuple[str, int] | Response:
    """Save what was changed, and only that. Who was overtaken sees it before anything is lost."""
    one, shown = _record(object_name, record_id)
    stood = texts_of(one, shown.fields, _zone())
    if request.form.get("as_of") != shown.fields["updated_at"]:
        return _form(one, stood | _sent(one), of=shown, overtaken=True), 409
    values, problems = typed(one, request.form, stood, _zone(), new=False)
    if not problems and values:
        [changed] = _crm().write(one.name, "id", [Row(key=shown.id, fields=values)])
        problems = _problems(changed.error) if changed.error else {}
    if problems:
        return _form(one, stood | _sent(one), problems, of=shown), 422
    flash("Saved." if values else "Nothing was changed.", "good")
    return redirect(url_for("crm.record", object_name=one.name, record_id=shown.id))


# --- one page for each kind of record ----------------------------------------


def _person(connection: Transaction, one: CrmObject, shown: Record) -> str:
    page, offset = _page()
    activities, count = screens.timeline(connection, one.name, shown.id, ROWS, offset)
    return render_template(
        "crm/person.html",
        object=one,
        record=shown,
        numbers=_numbers(one, shown),
        cases=screens.cases(connection, one.name, shown.id) if one.name in CASE_OF else [],
        memberships=screens.memberships(connection, one.name, shown.id),
        activities=activities,
        leaves=Leaves(page, count, ROWS),
    )


def _account(connection: Transaction, one: CrmObject, shown: Record) -> str:
    page, offset = _page()
    activities, count = screens.timeline(connection, one.name, shown.id, ROWS, offset)
    return render_template(
        "crm/account.html",
        object=one,
        record=shown,
        numbers=_numbers(one, shown),
        cases=screens.cases(connection, one.name, shown.id),
        people=screens.people(connection, shown.id),
        activities=activities,
        leaves=Leaves(page, count, ROWS),
    )


def _campaign(connection: Transaction, one: CrmObject, shown: Record) -> str:
    page, offset = _page()
    result = request.args.get("result")
    members, count = screens.members(connection, shown.id, ROWS, offset, result)
    results = screens.results(connection, shown.id)
    leaves = Leaves(page, count, ROWS)
    return render_template(
        "crm/campaign.html", object=one, record=shown, members=members, results=results, result=result, leaves=leaves
    )


def _case(connection: Transaction, one: CrmObject, shown: Record) -> str:
    page, offset = _page()
    activities, count = screens.timeline(connection, one.name, shown.id, ROWS, offset)
    return render_template(
        "crm/case.html",
        object=one,
        record=shown,
        named=_named(connection, one, shown),
        activities=activities,
        leaves=Leaves(page, count, ROWS),
    )


def _plain(connection: Transaction, one: CrmObject, shown: Record) -> str:
    return render_template(f"crm/{one.name}.html", object=one, record=shown, named=_named(connection, one, shown))


_PAGE: Mapping[str, Callable[[Transaction, CrmObject, Record], str]] = {
    "contact": _person,
    "lead": _person,
    "account": _account,
    "campaign": _campaign,
    "case": _case,
}


# --- what the pages need ----------------------------------------


def _crm() -> Crm:
    hub = the_hub()
    return Crm(hub.store.engine, hub.config.country)


def _zone() -> ZoneInfo:
    return ZoneInfo(the_hub().config.zone)


def _object(name: str) -> CrmObject:
    try:
        return crm_object(name)
    except NotFound as wrong:
        raise not_found(str(wrong)) from None


def _record(object_name: str, record_id: str) -> tuple[CrmObject, Record]:
    one = _object(object_name)
    shown = _crm().record(one.name, record_id)
    if shown is None:
        raise not_found(
            f"There is no {one.label.lower()} {record_id[:60]}. It may have been removed, or the link is cut."
        )
    return one, shown


def _page() -> tuple[int, int]:
    """The number of the page that is asked for, and the rows before it."""
    text = request.args.get("page", "1")
    page = min(int(text), LARGEST_PAGE) if text.isascii() and text.isdecimal() and len(text) < 9 else 1
    page = max(page, 1)
    return page, (page - 1) * ROWS


def _numbers(one: CrmObject, shown: Record) -> list[Number]:
    country = (shown.fields.get("country") or the_hub().config.country).upper()
    return [
        Number(one.by_name[name].label, raw, phone.e164(raw, country))
        for name in one.phones
        if (raw := shown.fields[name])
    ]


def _named(connection: Transaction, one: CrmObject, shown: Record) -> dict[str, str]:
    """The titles of the records that this one refers to, by field."""
    hits = {name: (target, shown.fields[name]) for name, target in one.references.items() if shown.fields[name]}
    titles = screens.titles(connection, list(hits.values()))
    return {name: titles[hit] for name, hit in hits.items() if hit in titles}


def _form(
    one: CrmObject,
    texts: Mapping[str, str],
    problems: Mapping[str, str] | None = None,
    *,
    of: Record | None = None,
    overtaken: bool = False,
) -> str:
    prefixes = {name: other.prefix for name, other in OBJECTS.items()}
    fields = inputs(one, texts, problems, prefixes, new=of is None)
    beside = {field.field.name for field in fields}
    other = {name: problem for name, problem in (problems or {}).items() if name not in beside}
    return render_template(
        "crm/form.html", object=one, record=of, inputs=fields, problems=problems or {}, other=other, overtaken=overtaken
    )


def _sent(one: CrmObject) -> dict[str, str]:
    return {f.name: request.form[f.name] for f in one.fields if f.name in request.form}


def _problems(error: Exception) -> dict[str, str]:
    """What is wrong by field, as a refusal says it."""
    return error.fields if isinstance(error, Rejected) and error.fields else {"": str(error)}

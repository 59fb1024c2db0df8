"""The desk's page: several records match and a person chooses, or nobody is named and the page says why."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from hub.desk.screen_pop import Ask, UnknownConnection
from hub.desk.ways import PAGE
from hub.web.api.desk import ask_of
from hub.web.current import the_hub
from hub.web.problems import Problem

pages = Blueprint("desk_pages", __name__)


@pages.get(PAGE)
def chooser() -> str:
    """Ask again, for a page is opened later than its link was made, and show every record that matches."""
    told = {name: value for name, value in request.args.items() if name in Ask.__struct_fields__}
    ask = ask_of(told)
    try:
        pop = the_hub().screen_pop.pop(ask)
    except UnknownConnection as unknown:
        raise Problem(404, str(unknown), kind="unknown-connection") from None
    return render_template("desk/chooser.html", ask=ask, pop=pop, elsewhere=the_hub().screen_pop.elsewhere(ask))

"""Signing in and out with a browser."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from hub.web.access import caller, require_csrf, sign_in, sign_out
from hub.web.current import the_hub

pages = Blueprint("sign_in", __name__)

FREE_TRIES = 5
FIRST_WAIT, LONGEST_WAIT, FORGOTTEN_AFTER = 5.0, 900.0, 3600.0
REMEMBERED = 10_000
THROTTLE = "sign_in_throttle"


class Throttle:
    """How long somebody has to wait after wrong passwords: nothing for the first five, then twice as long each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}  # (user, address) → how many, when last

    def wait(self, user: str, address: str) -> float:
        """How many seconds to wait before the next try."""
        with self._lock:
            count, last = self._failures.get((user, address), (0, 0.0))
        if count < FREE_TRIES:
            return 0.0
        return max(0.0, last + min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (count - FREE_TRIES)) - self._clock())

    def failed(self, user: str, address: str) -> None:
        """Remember a wrong password."""
        now = self._clock()
        with self._lock:
            count, last = self._failures.pop((user, address), (0, now))
            self._failures[user, address] = (1 if now - last > FORGOTTEN_AFTER else count + 1, now)
            while len(self._failures) > REMEMBERED:
                del self._failures[next(iter(self._failures))]  # the one that failed longest ago

    def forget(self, user: str, address: str) -> None:
        """The password was right."""
        with self._lock:
            self._failures.pop((user, address), None)


def prepare(app: Flask) -> None:
    """Give `app` its memory of wrong passwords."""
    app.extensions[THROTTLE] = Throttle()


def to_sign_in() -> AnyResponse:
    """A redirect to the sign-in page that comes back to the present one."""
    here = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return redirect(
        f"{url_for('sign_in.form')}?{urlencode({'next': here})}" if here != "/" else url_for("sign_in.form")
    )


def local_path(wanted: str) -> str:
    """`wanted` where it is a path of this hub, else the start page: nobody is sent elsewhere by a link."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if plain else "/"


@pages.get("/sign-in")
def form() -> AnyResponse | str:
    """The form; who is signed in already goes on."""
    known = caller()
    if known is not None and known.signed_in:
        return redirect(local_path(request.args.get("next", "/")))
    return _form()


@pages.post("/sign-in")
def enter() -> AnyResponse | str:
    """Check the password and begin a session."""
    require_csrf(request.form.get("csrf", ""))
    user, address = request.form.get("user", "")[:200], request.remote_addr or ""
    throttle: Throttle = current_app.extensions[THROTTLE]
    wait = throttle.wait(user, address)
    if wait > 0:
        seconds = math.ceil(wait)
        answer = Response(_form(f"Too many wrong passwords. Try again in {seconds} seconds."), 429)
        answer.headers["Retry-After"] = str(seconds)
        return answer
    stamp = the_hub().access.stamp_of(user, request.form.get("password", "")[:1000])
    if stamp is None:
        throttle.failed(user, address)
        return Response(_form("The name or the password is wrong."), 401)
    throttle.forget(user, address)
    sign_in(user, stamp)
    return redirect(local_path(request.form.get("next", "/")), 303)


@pages.post("/sign-out")
def leave() -> AnyResponse:
    """End the session."""
    sign_out()
    return redirect(url_for("sign_in.form"), 303)


def _form(problem: str = "") -> str:
    return render_template(
        "sign_in.html",
        problem=problem,
        user=request.form.get("user", "admin"),
        next=local_path(request.values.get("next", "/")),
    )

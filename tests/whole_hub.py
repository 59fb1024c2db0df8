"""A whole hub for tests: real settings, real parts, the embedded CRM, and a browser or a program that talks to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask
from flask.testing import FlaskClient

from hub.assembly import Hub
from hub.config import load_config
from hub.credentials import ADMIN, admit
from hub.model import Event
from hub.web.asgi import asgi_app
from hub.web.flask_app import create_flask
from tests.asgi_client import AsgiClient
from tests.empty_stores import ready
from tests.waiting import PATIENCE

PASSWORD, TOKEN, SECRET = "correct horse", "pb_test-token", "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM="

SETTINGS = """\
company: Test & Sons
country: ES
zone: Europe/Madrid
own_numbers: ["+34911234567"]
connections:
  platform:
    connector: webhook
    secrets: ${PATCHBAY_WEBHOOK_SECRET}
  other_platform:
    connector: webhook
    secrets: ${PATCHBAY_WEBHOOK_SECRET}
  crm:
    connector: embedded
"""
PATIENT = (
    "deadline: 30 seconds\n"  # a busy machine's CRM may answer late; who is silent is proven where that is the matter
)
WRAP_UP = """\
mapping: wrap_up
about: A wrapped-up call becomes an activity.
source:
  connection: any
  event: interaction.wrapped_up
  when: { interaction.channel: voice }
target:
  connection: crm
  write: activity
  key: interaction_key
resolve:
  caller: { find: contact, by: { phone: customer.phone }, many: none }
fields:
  contact: caller.id
  subject: { text: "Call {interaction.direction}", max: 40 }
  channel: interaction.channel
  direction: interaction.direction
  comment: wrap_up.comment
  recording_url: interaction.recording_url
examples:
  - about: A call.
    given: { interaction: { channel: voice, direction: inbound }, caller: { id: "C-1" } }
    expect: { contact: "C-1", subject: "Call inbound", channel: voice, direction: inbound }
  - about: An e-mail is not a call.
    given: { interaction: { channel: email } }
    expect: skip
"""


def environment(
    folder: Path, url: str, *, settings: str = SETTINGS, mappings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a hub whose files are in `folder` and whose store is at `url`."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "mappings").mkdir(exist_ok=True)
    (folder / "config" / "hub.yaml").write_text(settings)
    table = folder / "config" / "screen_pop.yaml"
    if not table.exists():
        table.write_text(PATIENT)
    for name, text in ({"wrap_up": WRAP_UP} if mappings is None else mappings).items():
        (folder / "mappings" / f"{name}.yaml").write_text(text)
    return {
        "PATCHBAY_CONFIG": str(folder / "config" / "hub.yaml"),
        "PATCHBAY_HOME": str(folder / "home"),
        "PATCHBAY_DATABASE_URL": url,
        "PATCHBAY_ADMIN_PASSWORD": PASSWORD,
        "PATCHBAY_API_TOKEN": TOKEN,
        "PATCHBAY_WEBHOOK_SECRET": SECRET,
    }


@contextmanager
def whole_hub(folder: Path, url: str, *, work: bool = False, **more: Any) -> Iterator[WholeHub]:
    """A started hub; deliveries go out when the test says so, unless `work`."""
    env = environment(folder, ready(url), **more)
    with Hub(load_config(env)) as hub:
        admit(hub.access, env)
        hub.start(work=work)
        yield WholeHub(hub, create_flask(hub))


class WholeHub:
    """A hub and whoever talks to it."""

    def __init__(self, hub: Hub, flask: Flask) -> None:
        self.hub, self.flask = hub, flask
        self.door = AsgiClient(asgi_app(hub, flask))
        self.program = Program(self.door, TOKEN)

    def take(self, connection: str = "platform", **event: Any) -> None:
        """Take an event in, as a hook that was proven."""
        moment = datetime(2026, 11, 23, 10, 5, 40, tzinfo=UTC)
        told = {"id": "e-1", "type": "interaction.wrapped_up", "occurred_at": moment} | event
        self.hub.acceptor.accept(connection, [msgspec.convert(told, Event)]).result(PATIENCE)

    def take_call(self, key: str = "call-1", connection: str = "platform", **more: Any) -> None:
        """Take a wrapped-up call in."""
        interaction = {"id": key, "channel": "voice", "direction": "inbound", "remote": "+34612345678"}
        self.take(
            connection, **{"id": f"e-{key}", "interaction": interaction, "wrap_up": {"comment": "Wants the red one"},
                           "customer": {"phone": "+34 612 34 56 78"}} | more,
        )  # fmt: skip

    def deliver(self) -> None:
        """Deliver all that waits."""
        assert self.hub.deliverer.drain(PATIENCE)

    def signed_in(self) -> FlaskClient:
        """A browser in which the admin has signed in."""
        browser = self.flask.test_client()
        page = browser.get("/sign-in").text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found is not None, page
        data = {"user": ADMIN, "password": PASSWORD, "csrf": found.group(1)}
        assert browser.post("/sign-in", data=data).status_code == 303
        return browser


class Program:
    """A program that calls the API with a token."""

    def __init__(self, client: AsgiClient, token: str) -> None:
        self._client, self._headers = client, {"Authorization": f"Bearer {token}"}

    def get(self, road: str, status: int = 200, **query: Any) -> Any:
        """The answer's JSON; its status has to be `status`."""
        return self._said(self._client.get(f"/api/v1{road}", query_string=query, headers=self._headers), status)

    def post(self, road: str, body: Any = None, status: int = 200) -> Any:
        """The same for a POST."""
        return self._said(self._client.post(f"/api/v1{road}", json=body, headers=self._headers), status)

    def _said(self, answer: Any, status: int) -> Any:
        assert answer.status_code == status, answer.text
        wanted = "application/json" if status < 400 else "application/problem+json"
        assert answer.mimetype == wanted, answer.mimetype
        return json.loads(answer.data)

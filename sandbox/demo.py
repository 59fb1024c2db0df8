"""`make demo`: a morning of traffic through a hub, and what arrived where.

Uses the hub that runs (as the settings and PATCHBAY_HOME say); starts one, with its softphone, where none does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from hub.config import Config, load_config
from hub.credentials import API_TOKEN, with_credentials

PLAYS, MINUTES = 30, 4  # so many interactions within so many minutes of the softphone's time
PATIENCE = 120.0  # seconds until we stop waiting for what has not arrived
PEOPLE = (
    {"phone": "+34612345678", "email": "lucia.romero@naranja-viva.example"},
    {"phone": "+34944123400"},
    {"phone": "+34932154040", "email": "marta.ferrer@example.org"},
    {"phone": "+442079460123", "email": "imogen.oconnell@example.org"},
    {"phone": "+493023125123", "email": "friederike.weissenfels@example.org"},
)
POPS = (
    ("Lucía, whom one record knows", {"phone": "0034 612 34 56 78"}),
    ("a switchboard that many share", {"phone": "944 12 34 00"}),
    ("two people, one with an open case", {"phone": "932154040"}),
    ("a stranger", {"phone": "+34600000001"}),
    ("a withheld number", {"phone": "anonymous"}),
)


class Demo:
    """One run of the demo against one hub."""

    def __init__(self, config: Config, token: str) -> None:
        softphone = next(one for one in config.connections.values() if one.connector == "softphone")
        self.platform, self.platform_url = softphone.name, softphone.settings["url"]
        self.platform_token = softphone.settings["token"]
        self.hub = requests.Session()
        self.hub.headers["Authorization"] = f"Bearer {token}"
        self.url = f"http://127.0.0.1:{config.port}"

    def get(self, path: str, **query: str) -> Any:
        """What the hub's API answers."""
        answer = self.hub.get(f"{self.url}/api/v1{path}", params=query, timeout=30)
        return answer.json() if answer.ok else {}

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        """What the hub's API answers to a POST."""
        return self.hub.post(f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=300).json()

    def softphone(self, path: str, body: dict[str, Any]) -> Any:
        """What the softphone answers to a POST."""
        headers = {"Authorization": f"Bearer {self.platform_token}"}
        answer = requests.post(f"{self.platform_url}/v1{path}", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def run(self) -> None:
        """Play everything and print what became of it."""
        self.pops()
        dialled = self.dial()
        listed = self.contact_list()
        played = self.softphone("/play", {"script": "morning", "people": PEOPLE, "count": PLAYS, "minutes": MINUTES})
        self.arrivals([*played["interactions"], *listed, *([dialled] if dialled else [])])

    def pops(self) -> None:
        """Screen pops: who is calling?"""
        heading("Screen pops")
        for about, ask in POPS:
            pop = self.get("/screen-pop", **ask)
            who = ", ".join(f"{record['title']} ({record['object']})" for record in pop.get("records", [])) or "nobody"
            print(f"  {about:36} {pop.get('match'):5} {who}")
            print(f"  {'':36} {'':5} {pop.get('reason') or pop.get('url')}  in {pop.get('took_ms', 0):.0f} ms")

    def dial(self) -> str:
        """Click-to-dial: the same click twice is one call. Gives the interaction."""
        heading("Click-to-dial")
        [lucia] = self.get("/records/crm/contact", phone="+34612345678")["records"]
        record = {"connection": "crm", "object": "contact", "id": lucia["id"]}
        key = f"demo-{time.time_ns()}"
        clicks = [self.post("/dial", {"to": "612 34 56 78", "agent": "a-17", "record": record}, **{"Idempotency-Key": key})
                  for _ in range(2)]  # fmt: skip
        for click in clicks:
            print(
                f"  {click.get('outcome', click.get('detail'))}: {click.get('to', '')} {click.get('interaction', '')}"
            )
        return str(clicks[0].get("interaction") or "")

    def contact_list(self) -> list[str]:
        """A campaign becomes the softphone's list, and a few of its members are called. Gives the interactions."""
        heading("Contact list")
        pulled = self.post("/lists/spring_campaign_to_dialer/pull", {"full": True}).get("counts", {})
        left_out = ", ".join(
            f"{n} {why}" for why, n in sorted(pulled.get("left_out", {}).items(), key=lambda one: -one[1])
        )
        print(f"  {pulled.get('read')} read, {pulled.get('sent')} sent, {pulled.get('unchanged')} unchanged")
        print(f"  left out: {left_out}")
        wait_until(
            lambda: not self.get("/deliveries", state="pending", mapping="spring_campaign_to_dialer")["deliveries"]
        )
        return list(self.softphone("/lists/spring/run", {"limit": 5, "seconds_apart": 20})["interactions"])

    def arrivals(self, keys: list[str]) -> None:
        """Wait for every interaction and print where it landed."""
        heading(f"A morning of {len(keys)} interactions")
        states: Counter[str] = Counter()
        waiting, deadline = list(keys), time.monotonic() + PATIENCE
        while waiting and time.monotonic() < deadline:
            for key in list(waiting):
                known = self.get(f"/interactions/{key}", connection=self.platform)
                if self.has_landed(known):
                    waiting.remove(key)
                    states.update(self.told(known))
            time.sleep(0.5)
        states.update({"not wrapped up within the demo": len(waiting)} if waiting else {})
        heading("In sum")
        for state, number in states.most_common():
            print(f"  {number:4} {state}")

    @staticmethod
    def has_landed(known: dict[str, Any]) -> bool:
        """Whether the interaction is over and no delivery of it is under way."""
        over = known.get("final") or known.get("interaction", {}).get("state") in ("ended", "missed", "voicemail")
        made = known.get("deliveries", [])
        return bool(over and made and all(one["state"] not in ("pending", "sending") for one in made))

    @staticmethod
    def told(known: dict[str, Any]) -> Iterator[str]:
        """Print one interaction's line; gives its deliveries' states."""
        facts = known["interaction"]
        result = (known.get("disposition") or {}).get("name") or facts.get("outcome") or facts.get("state") or ""
        for made in known["deliveries"]:
            where = made.get("url") or (made.get("reason") or {}).get("message") or ""
            kind = f"{facts.get('channel', '')} {facts.get('direction', '')}"
            print(f"  {kind:16} {result:24} {made['state']:10} {where}")
            yield f"{made['state']} ({made['mapping']})"


def heading(text: str) -> None:
    """One part of the demo begins."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def wait_until(done: Any, seconds: float = 30.0) -> bool:
    """Whether `done` came true in time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def is_ready(url: str) -> bool:
    """Whether a hub answers there."""
    try:
        return requests.get(f"{url}/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def running_hub(url: str, env: dict[str, str], home: Path) -> Iterator[bool]:
    """A hub at `url`: the one that runs (True), or one that is started and ended here, with its log in `home`."""
    if is_ready(url):
        yield True
        return
    home.mkdir(parents=True, exist_ok=True)
    log = home / "demo.log"
    print(f"No hub answers on {url}; starting one. It logs to {log}", flush=True)
    command = [str(Path(sys.executable).parent / "patchbay"), "serve", "--with-softphone"]
    with log.open("w") as told:
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=told)  # noqa: S603
    try:
        if not wait_until(lambda: process.poll() is not None or is_ready(url), 60) or process.poll() is not None:
            sys.exit(f"The hub did not start; {log} says why.")
        yield False
    finally:
        process.terminate()
        process.wait(40)


def main() -> None:
    """Play the demo."""
    env = {"PATCHBAY_SOFTPHONE_SPEED": "20", **with_credentials(os.environ, make=True)}
    config = load_config(env)
    with running_hub(f"http://127.0.0.1:{config.port}", env, config.home) as runs_on:
        demo = Demo(config, env[API_TOKEN])
        demo.run()
    print(f"\n  Look at it{'' if runs_on else ' (`make run` serves it again)'}: {demo.url}/  and {demo.url}/crm/")


if __name__ == "__main__":
    main()

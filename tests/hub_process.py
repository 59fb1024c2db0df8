"""A hub as a person runs it: `patchbay serve` in a process of its own, on free ports, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from standardwebhooks import Webhook

from tests.ports import free_port
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parent.parent
PATCHBAY = Path(sys.executable).parent / "patchbay"
SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1zb2Z0cGhvbmUtMDE="
TOKEN = "pb_a_token_for_the_tests_of_the_whole_hub"
PASSWORD = "correct horse battery staple"


class HubProcess:
    """`patchbay serve …`, ended by its own process id."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.port, self.softphone_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.softphone_url = f"http://127.0.0.1:{self.softphone_port}"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PATCHBAY_")},
            "PATCHBAY_HOME": str(folder),
            "PATCHBAY_CONFIG": str(ROOT / "config" / "hub.yaml"),
            "PATCHBAY_PORT": str(self.port),
            "PATCHBAY_SOFTPHONE_URL": self.softphone_url,
            "PATCHBAY_SOFTPHONE_SPEED": "600",
            "PATCHBAY_ADMIN_PASSWORD": PASSWORD,
            "PATCHBAY_API_TOKEN": TOKEN,
            "PATCHBAY_WEBHOOK_SECRET": SECRET,
            **(env or {}),
        }
        self.log = folder / "serve.log"
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [PATCHBAY, "serve", *arguments], cwd=ROOT, env=self.env, stdout=out, stderr=subprocess.STDOUT
            )
        self.api = requests.Session()
        self.api.trust_env = False
        self.api.headers["Authorization"] = f"Bearer {TOKEN}"

    def __enter__(self) -> HubProcess:
        until(self._ready, about="the hub's readiness")
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the hub ended: {self.log.read_text()}")
        try:
            return requests.get(f"{self.url}/readyz", timeout=PATIENCE).status_code == 200
        except requests.ConnectionError:
            return False

    def hook(
        self, body: Any, connection: str = "softphone", *, id: str = "msg-1", secret: str = SECRET
    ) -> requests.Response:
        """A hook as a platform sends it, signed by the reference library."""
        text = body if isinstance(body, str) else json.dumps(body)
        now = datetime.now(UTC)
        headers = {
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(id, now, text),
            "content-type": "application/json",
        }
        return requests.post(f"{self.url}/hooks/{connection}", data=text.encode(), headers=headers, timeout=PATIENCE)

    def get(self, path: str, **query: str) -> Any:
        """What the API answers, which has to be a 200."""
        answer = self.api.get(self.url + path, params=query, timeout=PATIENCE)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def pop(self, **query: str) -> Any:
        """What a screen pop says once no CRM is too late for its deadline: that is a person's, not a busy machine's."""

        def told() -> Any:
            pop = self.get("/api/v1/screen-pop", **query)
            return None if pop["silent"] else pop

        return until(told, about="an answer of every CRM")

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        """A POST to the API."""
        return self.api.post(self.url + path, json=body if body is not None else {}, headers=headers, timeout=PATIENCE)

    def play(self, script: str, **told: Any) -> list[str]:
        """Have the softphone play a script; the interactions that it makes."""
        answer = requests.post(
            f"{self.softphone_url}/v1/play",
            json={"script": script, **told},
            headers={"Authorization": f"Bearer {SECRET}"},
            timeout=PATIENCE,
        )
        assert answer.status_code == 202, answer.text
        return list(answer.json()["interactions"])

    def delivered(self, key: str, *, connection: str = "softphone") -> dict[str, Any]:
        """The interaction, once it is wrapped up and every delivery of it has ended."""

        def ended() -> dict[str, Any] | None:
            answer = self.api.get(
                f"{self.url}/api/v1/interactions/{key}", params={"connection": connection}, timeout=PATIENCE
            )
            found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
            states = {one["state"] for one in found.get("deliveries", [])}
            return found if states and found.get("final") and not states & {"pending", "sending"} else None

        return until(ended, about=f"delivery of {key}")

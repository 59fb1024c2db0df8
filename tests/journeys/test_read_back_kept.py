"""Kill -9 between a write and its read-back: the next start reads it all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.hub_process import SECRET, HubProcess, until
from tests.whole_hub import SETTINGS, environment

READ_BACK = "\n    read_back: full\n    read_back_after_seconds: 4\n"
CALL = {
    "id": "e-1",
    "type": "interaction.wrapped_up",
    "occurred_at": "2026-11-23T10:05:40Z",
    "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound", "remote": "+34612345678"},
    "wrap_up": {"comment": "Wants the red one"},
}


def test_what_was_written_before_a_kill_is_read_back_after_it(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'patchbay.db'}"  # on both engines, without processes: unit/test_read_back.py
    env = environment(tmp_path, store, settings=SETTINGS.rstrip() + READ_BACK) | {
        "PATCHBAY_MAPPINGS": str(tmp_path / "mappings"),
        "PATCHBAY_WEBHOOK_SECRET": SECRET,
    }
    with HubProcess(tmp_path / "home", env=env) as killed:
        killed.api.headers["Authorization"] = f"Bearer {env['PATCHBAY_API_TOKEN']}"
        assert killed.hook(CALL, "platform").status_code == 202
        killed.delivered("call-1", connection="platform")
        said = killed.get("/api/v1/read-back")
        assert (said["waiting"], said["read_back"]) == (1, [])
        killed.process.kill()
        killed.process.wait()

    def read(hub: HubProcess) -> Any:
        said = hub.get("/api/v1/read-back")
        return said["waiting"] == 0 and said["read_back"]

    with HubProcess(tmp_path / "home", env=env) as started_anew:
        started_anew.api.headers["Authorization"] = f"Bearer {env['PATCHBAY_API_TOKEN']}"
        scores = until(lambda: read(started_anew), about="the read-back")
        assert {one["field"]: (one["checked"], one["kept"]) for one in scores}["comment"] == (1, 1)

"""`patchbay sandbox NAME`: it says in one line that it is ready, serves over TLS that can be trusted, and ends when told."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import requests

from sandbox.frame.command import run
from tests.hub_process import PATCHBAY, ROOT
from tests.waiting import PATIENCE

SANDBOXES = {entry.name: entry.value for entry in entry_points(group="patchbay.sandboxes")}


@pytest.mark.parametrize("name", SANDBOXES)
def test_each_can_be_run_by_its_name(name: str) -> None:
    found = importlib.util.find_spec(SANDBOXES[name])
    assert found is not None
    assert not found.submodule_search_locations or importlib.util.find_spec(f"{SANDBOXES[name]}.__main__")


def test_one_is_ready_trusted_and_ended(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [PATCHBAY, "sandbox", "in-house", "--rows", "5"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={"PATCHBAY_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        known = requests.get(f"{told['url']}/_sandbox/faults", verify=told["ca"], timeout=PATIENCE).json()["known"]
        assert "reset_after" in known and "token_ended" in known
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{told['url']}/api/me", timeout=PATIENCE)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


@pytest.mark.parametrize("wrong", [["--port", "99999"], ["--port", "-1"], ["--rows", "-5"], ["--port", "many"]])
def test_what_cannot_be_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("acme", "", lambda told: pytest.fail(f"{told} was taken"), wrong)
    assert ended.value.code == 2 and wrong[0] in capsys.readouterr().err

"""`make tryton` as a person runs it: one line when it can be used, and no process left behind however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.tryton import Template
from sandbox.tryton_sample import Client
from tests.hub_process import ROOT
from tests.waiting import PATIENCE, until


@pytest.fixture
def folder(tmp_path: Path, tryton_template: Template) -> Path:
    """A folder in which the database was made before, so that the test does not wait for it."""
    made = Path(tryton_template.file).parent
    shutil.copy(made / "template.json", tmp_path)
    return tmp_path


def started(folder: Path, *command: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    sandbox = ["-m", "sandbox.tryton", "--folder", str(folder)]
    process = subprocess.Popen([*(command or (sys.executable,)), *sandbox], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def servers(folder: Path) -> list[int]:
    """The trytond processes of this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"trytond.cli" in words and str(folder / "trytond.conf").encode() in words:
                found.append(int(entry.name))
    return found


@pytest.fixture
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process, told = started(folder)
    yield process, told
    if process.poll() is None:
        process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_it_says_where_it_is_and_ends_when_told(folder: Path, running: tuple[Any, dict[str, Any]]) -> None:
    process, told = running
    client = Client(told["url"], told["database"], told["user"], told["password"])
    parties = client.call("model.party.party.search_count", [["code", "like", "P-%"]], 0, None)
    opportunities = client.call("model.sale.opportunity.search_count", [], 0, None)
    client.close()
    assert (parties, opportunities) == (40, 30)
    assert len(servers(folder)) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert servers(folder) == []
    assert (folder / f"{told['database']}.sqlite").stat().st_mode & 0o077 == 0  # it holds the passwords' hashes


def test_it_ends_with_whoever_started_it(folder: Path) -> None:
    shell, told = started(folder, "/bin/sh", "-c", f'"{sys.executable}" "$@" & wait', "sh")
    assert told["url"]
    assert servers(folder)
    os.kill(shell.pid, signal.SIGKILL)
    shell.wait()
    until(lambda: not servers(folder), about="the end of trytond")
    assert shell.stdout is not None
    shell.stdout.close()


def test_it_ends_when_it_is_killed(folder: Path, running: tuple[Any, dict[str, Any]]) -> None:
    process, _ = running
    process.kill()
    process.wait()
    until(lambda: not servers(folder), about="the end of trytond")

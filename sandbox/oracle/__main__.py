"""`python -m sandbox.oracle`: Fusion in a process of its own."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.oracle import OracleSandbox

if __name__ == "__main__":
    run("oracle", __doc__ or "", lambda told: OracleSandbox(rows=told.rows, seed=told.seed))

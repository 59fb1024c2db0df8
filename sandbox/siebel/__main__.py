"""`python -m sandbox.siebel`: Siebel in a process of its own."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.siebel import SiebelSandbox

if __name__ == "__main__":
    run("siebel", __doc__ or "", lambda told: SiebelSandbox(rows=told.rows, seed=told.seed))

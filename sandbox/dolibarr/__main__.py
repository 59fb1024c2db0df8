"""`python -m sandbox.dolibarr`: Dolibarr in a process of its own."""

from __future__ import annotations

from sandbox.dolibarr import DolibarrSandbox
from sandbox.frame.command import run

if __name__ == "__main__":
    run("dolibarr", __doc__ or "", lambda told: DolibarrSandbox(rows=told.rows, seed=told.seed))

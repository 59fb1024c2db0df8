"""`python -m sandbox.espocrm`: EspoCRM in a process of its own."""

from __future__ import annotations

from sandbox.espocrm import EspoSandbox
from sandbox.frame.command import run

if __name__ == "__main__":
    run("espocrm", __doc__ or "", lambda told: EspoSandbox(rows=told.rows, seed=told.seed))

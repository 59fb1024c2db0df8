"""`python -m sandbox.odoo`: Odoo in a process of its own."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.odoo import OdooSandbox

if __name__ == "__main__":
    run("odoo", __doc__ or "", lambda told: OdooSandbox(rows=told.rows, seed=told.seed))

"""`python -m sandbox.ondemand`: CRM On Demand in a process of its own."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.ondemand import OnDemandSandbox

if __name__ == "__main__":
    run("ondemand", __doc__ or "", lambda told: OnDemandSandbox(rows=told.rows, seed=told.seed))

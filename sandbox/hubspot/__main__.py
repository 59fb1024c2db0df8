"""`python -m sandbox.hubspot`: HubSpot in a process of its own."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.hubspot import HubSpotSandbox

if __name__ == "__main__":
    run("hubspot", __doc__ or "", lambda told: HubSpotSandbox(rows=told.rows, seed=told.seed))

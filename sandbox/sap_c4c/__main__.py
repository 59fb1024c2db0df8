"""`patchbay sandbox sap-c4c`: serve one tenant until told to end."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.sap_c4c import SapC4cSandbox

run("sap-c4c", "A stand-in for SAP Cloud for Customer.", lambda told: SapC4cSandbox(told.rows, told.seed))

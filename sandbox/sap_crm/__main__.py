"""`patchbay sandbox sap-crm`: serve one system until told to end."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.sap_crm import SapCrmSandbox

run("sap-crm", "A stand-in for SAP CRM on-premise.", lambda told: SapCrmSandbox(told.rows, told.seed))

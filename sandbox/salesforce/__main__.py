"""`patchbay sandbox salesforce`: an organisation to try mappings with, without a licence."""

from __future__ import annotations

from sandbox.frame.command import run
from sandbox.salesforce import SalesforceSandbox

run(
    "salesforce",
    "A stand-in for Salesforce: REST, SOQL, SOSL, Bulk API 2.0, with sample people.",
    lambda told: SalesforceSandbox(rows=told.rows, seed=told.seed),
)

"""`patchbay sandbox in-house`: the in-house CRM, to try; `--soap` for its SOAP services instead of REST."""

import sys

from sandbox.frame.command import run
from sandbox.in_house.rest import InHouseSandbox
from sandbox.in_house.soap import InHouseSoapSandbox

SOAP = "--soap"

if __name__ == "__main__":
    kind = InHouseSoapSandbox if SOAP in sys.argv else InHouseSandbox
    arguments = [argument for argument in sys.argv[1:] if argument != SOAP]
    run(
        "in-house",
        f"An in-house CRM: REST, or with {SOAP} its SOAP services.",
        lambda told: kind(told.rows, told.seed),
        arguments,
    )

"""`patchbay sandbox in-house`: the in-house CRM, to try."""

from sandbox.frame.command import run
from sandbox.in_house import InHouseSandbox

if __name__ == "__main__":
    run("in-house", "An in-house CRM with a REST interface.", lambda told: InHouseSandbox(told.rows, told.seed))

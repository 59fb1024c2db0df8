"""`python -m sandbox.dynamics`: the stand-in as a command."""

from sandbox.dynamics import DynamicsSandbox
from sandbox.frame.command import run

if __name__ == "__main__":
    run(
        "dynamics",
        "Dataverse, the database of Dynamics 365: its Web API v9.2 with the sign-in beside it.",
        lambda told: DynamicsSandbox(seed=told.seed, rows=told.rows),
    )

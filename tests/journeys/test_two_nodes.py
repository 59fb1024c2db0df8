"""Two nodes on PostgreSQL share the work, and one survives the other's death."""

from __future__ import annotations

from pathlib import Path

from tests.hub_process import until
from tests.whole_road import Platform, arrived, road

CALLS = 2000


def test_two_nodes_share_and_one_survives(fresh_postgres: str, tmp_path: Path) -> None:
    with road(tmp_path, fresh_postgres, "searching", latency=0.05) as built:
        one, two = built.serve("one"), built.serve("two")
        platform = Platform(CALLS)
        platform.hub = one
        platform.start()

        def both_work() -> bool:
            nodes = built.judge.tally()["nodes"]
            return min(nodes.get("one", 0), nodes.get("two", 0)) >= 100

        until(both_work, seconds=90, about="both nodes at work")
        two.process.kill()
        two.process.wait()
        at_death = built.judge.tally()
        assert at_death["records"] < CALLS
        platform.join(90)
        assert platform.problem is None
        assert len(platform.accepted) == CALLS
        arrived(built, platform.accepted)
        nodes = built.judge.tally()["nodes"]
        assert nodes["one"] + nodes["two"] == CALLS
        assert nodes["two"] >= at_death["nodes"]["two"] >= 100

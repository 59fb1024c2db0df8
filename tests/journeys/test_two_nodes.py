"""Two nodes on PostgreSQL share the work, and one survives the other's death."""

from __future__ import annotations

from pathlib import Path

from tests.waiting import until
from tests.whole_road import EVENTS_A_HOOK, Platform, arrived, road

MOST = 40_000  # calls that are posted until both nodes work
MORE = 1_000  # calls after the death of one


def test_two_nodes_share_and_one_survives(fresh_postgres: str, tmp_path: Path) -> None:
    with road(tmp_path, fresh_postgres, "searching", latency=0.05, lease=12) as built:
        one, two = built.serve("one"), built.serve("two")
        platform = Platform(MOST)
        platform.hub = one
        platform.start()

        def both_work() -> bool:
            nodes = built.judge.tally()["nodes"]
            return min(nodes.get("one", 0), nodes.get("two", 0)) >= 100

        until(both_work, seconds=180, about="both nodes at work")
        two.process.kill()
        two.process.wait()
        at_death = built.judge.tally()
        platform.last = len(platform.accepted) + MORE
        platform.join(180)
        assert platform.problem is None
        assert len(platform.accepted) >= at_death["records"] + MORE - EVENTS_A_HOOK
        arrived(built, platform.accepted)
        nodes = built.judge.tally()["nodes"]
        assert nodes["one"] + nodes["two"] == len(platform.accepted)
        assert nodes["two"] >= at_death["nodes"]["two"] >= 100

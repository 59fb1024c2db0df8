"""Kill -9 in the middle of 2,000 deliveries: what was accepted is delivered, and nothing twice.

The CRM is a process of its own that looks before it writes and would gladly keep a call twice.
"""

from __future__ import annotations

from pathlib import Path

from tests.hub_process import until
from tests.whole_road import Platform, Road, arrived, road

CALLS = 2000
KILLED_AT = (300, 900, 1500)  # records in the CRM


def reached(built: Road, records: int) -> None:
    until(lambda: built.judge.tally()["records"] >= records, seconds=90, about=f"record {records}")


def test_a_worker_is_killed_again_and_again(store_url: str, tmp_path: Path) -> None:
    with road(tmp_path, store_url, "searching", latency=0.03) as built:
        hub = built.serve("front", "--no-work")
        platform = Platform(CALLS)
        platform.hub = hub
        platform.start()
        worker = built.work(hub, "worker-0")
        for turn, records in enumerate(KILLED_AT, 1):
            reached(built, records)
            worker.kill()
            worker.wait()
            worker = built.work(hub, f"worker-{turn}")
        platform.join(90)
        assert platform.problem is None
        assert len(platform.accepted) == CALLS
        arrived(built, platform.accepted)
        assert built.taken_back() > 0  # the kills did hit calls in flight
        assert len(built.judge.tally()["nodes"]) == len(KILLED_AT) + 1


def test_a_server_is_killed_again_and_again(store_url: str, tmp_path: Path) -> None:
    with road(tmp_path, store_url, "searching", latency=0.03) as built:
        platform = Platform(CALLS)
        platform.hub = hub = built.serve("hub-0")
        platform.start()
        for turn, records in enumerate(KILLED_AT, 1):
            reached(built, records)
            hub.process.kill()
            hub.process.wait()
            platform.hub = hub = built.serve(f"hub-{turn}")
        platform.join(90)
        assert platform.problem is None
        assert len(platform.accepted) == CALLS
        arrived(built, platform.accepted)
        assert built.taken_back() > 0  # the kills did hit calls in flight

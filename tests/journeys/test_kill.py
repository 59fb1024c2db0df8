"""Kill -9 in the middle of 2,000 deliveries: what was accepted is delivered, and nothing twice.

The CRM is a process of its own that looks before it writes and would gladly keep a call twice.
"""

from __future__ import annotations

from pathlib import Path

from tests.waiting import until
from tests.whole_road import Platform, Road, arrived, road

CALLS = 2000
KILLED_AT = (300, 900, 1500)  # records in the CRM
POSTED_BY_THEN = (600, 1200, 1800)  # so that each node has something left to do, however quick or slow the machine is
PATIENCE = 180  # seconds


def reached(built: Road, platform: Platform, turn: int) -> None:
    """Wait for the moment of a kill. At the last one calls are in flight for sure: done in the CRM, and not answered."""
    records = KILLED_AT[turn]
    until(lambda: built.judge.tally()["records"] >= records, seconds=PATIENCE, about=f"record {records}")
    if records == KILLED_AT[-1]:
        built.judge.hold()
        platform.allowed = CALLS
        until(lambda: built.judge.held() > 0, seconds=PATIENCE, about="a call in flight")


def killed(built: Road, platform: Platform, turn: int) -> None:
    """After a kill: the CRM answers whoever still listens, time passes, and the platform goes on."""
    built.judge.hold(off=True)
    built.outlast_leases()
    platform.allowed = (*POSTED_BY_THEN, CALLS)[turn + 1]


def test_a_worker_is_killed_again_and_again(store_url: str, tmp_path: Path) -> None:
    with road(tmp_path, store_url, "searching", latency=0.03) as built:
        hub = built.serve("front", "--no-work")
        platform = Platform(CALLS)
        platform.hub, platform.allowed = hub, POSTED_BY_THEN[0]
        platform.start()
        worker = built.work(hub, "worker-0")
        for turn in range(len(KILLED_AT)):
            reached(built, platform, turn)
            worker.kill()
            worker.wait()
            killed(built, platform, turn)
            worker = built.work(hub, f"worker-{turn + 1}")
        platform.join(PATIENCE)
        assert platform.problem is None
        assert len(platform.accepted) == CALLS
        arrived(built, platform.accepted)
        assert built.taken_back() > 0  # the kills did hit calls in flight
        assert len(built.judge.tally()["nodes"]) == len(KILLED_AT) + 1


def test_a_server_is_killed_again_and_again(store_url: str, tmp_path: Path) -> None:
    with road(tmp_path, store_url, "searching", latency=0.03) as built:
        platform = Platform(CALLS)
        platform.hub = hub = built.serve("hub-0")
        platform.allowed = POSTED_BY_THEN[0]
        platform.start()
        for turn in range(len(KILLED_AT)):
            reached(built, platform, turn)
            hub.process.kill()
            hub.process.wait()
            killed(built, platform, turn)
            platform.hub = hub = built.serve(f"hub-{turn + 1}")
        platform.join(PATIENCE)
        assert platform.problem is None
        assert len(platform.accepted) == CALLS
        arrived(built, platform.accepted)
        assert built.taken_back() > 0  # the kills did hit calls in flight

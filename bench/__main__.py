"""`make bench`: every promise measured in one run, written to bench/results.md. Exit code 1 where one is missed.

Each bench runs in a process of its own and prints its figures as one line of JSON; what they promise stands here, once.
"""

from __future__ import annotations

import json
import operator
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Promise:
    """One figure of one bench, and what it has to be."""

    bench: str
    figure: str
    about: str
    holds: Callable[[Any, Any], bool]
    wanted: float

    def wish(self) -> str:
        """The bound in a reader's words."""
        return f"{'≥' if self.holds is operator.ge else '≤' if self.holds is operator.le else '>'} {self.wanted:,g}"


PROMISES = (
    Promise("hooks", "ratio_to_group_commit", "signed 1.8 KB hook to durable 202, of the store's rate", operator.ge, 0.35),
    Promise("hooks", "hooks_per_second", "the same, hooks a second", operator.ge, 2_500),
    Promise("hooks", "p99_ms_at_500_per_second", "the same at 500 a second offered, p99 in ms", operator.le, 50),
    Promise("mapping", "records_per_second", "15-field mapping, records a second", operator.ge, 60_000),
    Promise("mapping", "ratio", "the same, of hand-written Python", operator.ge, 0.1),
    Promise("delivery", "per_second", "wrap-ups a second into a CRM of 50 ms and 200 rows a call", operator.ge, 5_000),
    Promise("delivery", "calls_per_1000", "CRM calls for 1,000 wrap-ups", operator.le, 10),
    Promise("delivery", "doubles", "wrap-ups that are twice in the CRM", operator.le, 0),
    Promise("list_pull", "rows_per_second", "contact list, a million rows to outbox, rows a second", operator.ge, 15_000),
    Promise("list_pull", "peak_mib", "the same, peak memory in MiB", operator.le, 200),
    Promise("list_pull", "times_dlt", "the same, times as fast as dlt beside it", operator.gt, 1),
    Promise("screen_pop", "added_p99_ms", "screen pop, ms the hub adds to the CRM's answer, p99", operator.le, 10),
    Promise("directory", "rows_per_second", "customer directory, a million numbers in no order loaded, rows a second",
            operator.ge, 20_000),
    Promise("directory", "load_extra_mib", "the same, memory it takes beyond an idle hub's, in MiB", operator.le, 200),
    Promise("directory", "p99_ms", "the same, screen pops at 200 a second over HTTP while the CRM is down, p99 in ms",
            operator.le, 5),
)  # fmt: skip


def figures_of(bench: str) -> dict[str, Any]:
    """What `python -m bench.<bench>` measures."""
    print(f"{bench} …", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{bench}"], check=True, stdout=subprocess.PIPE, text=True, cwd=FOLDER.parent
    )
    figures: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            figures |= json.loads(line)
    return figures


def report(measured: dict[str, dict[str, Any]]) -> tuple[str, int]:
    """The page, and how many promises are missed."""
    rows, missed = [], 0
    for promise in PROMISES:
        value = measured[promise.bench][promise.figure]
        kept = promise.holds(value, promise.wanted)
        missed += not kept
        rows.append(f"| {promise.about} | {value:,g} | {promise.wish()} | {'yes' if kept else '**no**'} |")
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    head = (
        "# What is fast, how fast, against what\n\n"
        "Written by `make bench`: all in one run, each beside what it is compared with; machines differ, ratios less.\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, load at the end {load}.\n\n"
        "| what | measured | promised | kept |\n|---|---|---|---|\n"
    )
    every = "\n".join(f"    {bench}: {json.dumps(figures)}" for bench, figures in measured.items())
    return f"{head}{chr(10).join(rows)}\n\nEvery figure:\n\n{every}\n", missed


def main() -> int:
    """Measure all, or the benches named, and write the page where all were measured."""
    named = sys.argv[1:] or sorted({promise.bench for promise in PROMISES})
    measured = {bench: figures_of(bench) for bench in named}
    if len(sys.argv) > 1:
        print(json.dumps(measured, indent=2))
        return 0
    page, missed = report(measured)
    (FOLDER / "results.md").write_text(page, encoding="utf-8")
    print(page)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

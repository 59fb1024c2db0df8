"""The customer directory: a million numbers loaded, then looked up through the real HTTP API, 200 a second.

    python -m bench.directory [--rows 1000000]

The load runs in a process of its own, so that its peak memory is its own; what an idle hub takes there is taken off.
Look-ups are screen pops of known numbers, asked of a whole hub (uvicorn, the real front door, tokens) in another process
whose only CRM is down: every answer comes from the directory. Numbers are in no order, as in a real CRM.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from bench.screen_pop import HEADERS, TOKEN, empty_road, say_when, served

ROWS = 1_000_000
PAGE = 2000
OFFERED = 200
AGENTS = 4
LOOKUPS = 4_000
FLOOR_ROWS_PER_SECOND = 20_000
CEILING_MS = 5.0
CEILING_MIB = 200
STRIDE = 7_368_787  # odd and no multiple of 5: n × STRIDE mod a million meets every number once, in no order

SETTINGS = """\
country: ES
own_numbers: ["+34911234567"]
connections:
  crm: { connector: embedded }
"""
DIRECTORY = """\
connections:
  crm:
    screen_pop: first
    max_age: 15 minutes
    objects:
      contact:
        page: 2000
        phones: [row.mobile, row.phone]
        emails: row.email
        country: row.country
        title: { text: "{row.first_name} {row.last_name}", max: 255 }
        account: { object: account, id: row.account, title: row.company }
        owner: row.owner
        updated: row.changed_at
        fields: [row.language, row.vip, row.do_not_call]
"""


def number_of(n: int) -> str:
    """The E.164 number of contact `n`."""
    return f"+34{600 + n // 1_000_000}{n * STRIDE % 1_000_000:06}"


class Crm:
    """Contacts to pull, and a find that never answers: it is down."""

    from hub.contract import Manifest

    manifest: ClassVar[Manifest] = Manifest(
        name="rows", title="Rows", about="Gives pages.", family="crm", people=("contact", "account"), company="account"
    )

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def pages(self, query: Any) -> Iterator[Any]:
        """Contacts with a number each."""
        from hub.model import Page

        for start in range(int(query.cursor or 0), self._rows, query.size):
            end = min(start + query.size, self._rows)
            rows = [self._row(n) for n in range(start, end)]
            yield Page(rows=rows, cursor=str(end) if end < self._rows else None, watermark="1")

    def find(self, lookups: Sequence[Any]) -> Any:
        """Nothing: it is down."""
        from hub.errors import Unavailable

        raise Unavailable("down")

    @staticmethod
    def _row(n: int) -> dict[str, Any]:
        e164 = number_of(n)
        return {
            "id": f"003{n:015}", "first_name": f"Ana {n % 977}", "last_name": f"García {n % 1009}",
            "mobile": (e164, f"{e164[3:6]} {e164[6:8]} {e164[8:10]} {e164[10:]}", f"00{e164[1:]}")[n % 3], "phone": None,
            "country": "ES", "language": "es", "vip": False, "do_not_call": False, "account": f"001{n % 50_021:015}",
            "company": f"Company {n % 50_021}", "owner": f"agent{n % 97}@example.com", "changed_at": "2026-11-23T10:05:40Z",
        }  # fmt: skip


def hub_over(folder: Path, rows: int, port: int = 0) -> Any:
    """A hub whose only CRM is the one above."""
    from hub.assembly import Hub
    from hub.config import ConnectionConfig, load_config
    from hub.connections import Connection, Connections
    from hub.credentials import admit
    from hub.desk.screen_pop import ScreenPop
    from hub.flow.directory.known import Directory
    from hub.flow.directory.load import DirectoryPulls

    (folder / "hub.yaml").write_text(SETTINGS)
    (folder / "directory.yaml").write_text(DIRECTORY)
    env = {
        "PATCHBAY_CONFIG": str(folder / "hub.yaml"),
        "PATCHBAY_HOME": str(folder),
        "PATCHBAY_MAPPINGS": str(folder / "mappings"),
        "PATCHBAY_ADMIN_PASSWORD": "of the bench",
        "PATCHBAY_API_TOKEN": TOKEN,
        "PATCHBAY_PORT": str(port or 8080),
        "PATCHBAY_DATABASE_URL": os.environ.get("PATCHBAY_BENCH_DATABASE_URL", ""),
    }
    config = load_config(env)
    hub = Hub(config)
    admit(hub.access, env)
    crm = Connection("crm", ConnectionConfig("crm", "rows", {}), Crm(rows))
    connections = Connections({"crm": crm})
    hub.directory_pulls = DirectoryPulls(hub.store, connections, config)
    hub.directory = Directory(hub.store, connections, hub.directory_pulls.plan)
    hub.screen_pop = ScreenPop(hub.store, connections, config, hub.own_numbers, directory=hub.directory)
    return hub


def load(folder: Path, rows: int) -> dict[str, Any]:
    """Load the directory; how fast, and how much memory beyond what an idle hub takes."""
    with hub_over(folder, rows) as hub:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        began, worked = time.perf_counter(), time.process_time()
        counts = hub.directory_pulls.pull("directory crm/contact")
        took, worked = time.perf_counter() - began, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        assert counts.sent == rows, counts
    return {
        "rows": rows,
        "rows_per_second": round(rows / took),
        "rows_per_processor_second": round(rows / worked),
        "load_extra_mib": peak - before,
        "load_peak_mib": peak,
        "store_mib": sum(file.stat().st_size for file in folder.glob("patchbay.db*")) >> 20,
    }


def serve(folder: Path, rows: int, port: int) -> None:
    """Serve the loaded directory."""
    from hub.web.asgi import asgi_app, ready_for_callers
    from hub.web.server import server

    with hub_over(folder, rows, port) as hub:
        app = asgi_app(hub)
        ready_for_callers()
        node = server(app, host="127.0.0.1", port=port)
        threading.Thread(target=lambda: say_when(node), daemon=True).start()
        node.run()


def run(rows: int = ROWS) -> dict[str, Any]:
    """Every figure of this bench."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("PATCHBAY_BENCH_DIR")) as folder:
        command = [sys.executable, "-m", "bench.directory", "--rows", str(rows), "--folder", folder]
        loaded = subprocess.run([*command, "--load"], check=True, stdout=subprocess.PIPE, text=True)
        figures = json.loads(loaded.stdout.splitlines()[-1])
        chosen = random.Random(12)
        with served([*command, "--port"]) as (port, process):
            _asked(port, _pops(chosen, rows, LOOKUPS // 10))  # imports, caches, pages of the file
            empty = sorted(empty_road(port) for _ in range(LOOKUPS // 4))
            took = sorted(_asked(port, _pops(chosen, rows, LOOKUPS)))
            figures["server_mib"] = _resident_mib(process.pid)
    return {
        "bench": "directory",
        **figures,
        "lookups": len(took),
        "offered_per_second": OFFERED,
        "p50_ms": _ms(took, 0.5),
        "p99_ms": _ms(took, 0.99),
        "empty_road_p99_ms": _ms(empty, 0.99),
        "held": figures["rows_per_second"] >= FLOOR_ROWS_PER_SECOND
        and figures["load_extra_mib"] <= CEILING_MIB
        and _ms(took, 0.99) <= CEILING_MS,
    }


def _asked(port: int, pops: Sequence[tuple[str, str]]) -> list[float]:
    """How long each takes, asked at the offered rate by as many agents as it needs, each over one connection."""
    taken: list[float] = []

    def agent(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for at in range(first, len(pops), AGENTS):
            time.sleep(max(0.0, began + at / OFFERED - time.perf_counter()))
            road, wanted = pops[at]
            asked = time.perf_counter()
            connection.request("GET", road, headers=HEADERS)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            taken.append(time.perf_counter() - asked)
            found = body["records"][0]
            assert (body["match"], found["id"], found["source"], body["silent"]) == ("one", wanted, "directory", []), (
                body
            )
        connection.close()

    began = time.perf_counter() + 0.1
    agents = [threading.Thread(target=agent, args=[n]) for n in range(AGENTS)]
    for one in agents:
        one.start()
    for one in agents:
        one.join()
    assert len(taken) == len(pops), "an agent was answered wrong"
    return taken


def _pops(chosen: random.Random, rows: int, count: int) -> list[tuple[str, str]]:
    """Roads to ask, each with the id that has to come."""
    numbers = [chosen.randrange(rows) for _ in range(count)]
    return [(f"/api/v1/screen-pop?phone=%2B{number_of(n)[1:]}", f"003{n:015}") for n in numbers]


def _resident_mib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) >> 10
    return 0


def _ms(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=ROWS)
    asked.add_argument("--folder", type=Path)
    asked.add_argument("--load", action="store_true")
    asked.add_argument("--port", type=int)
    given = asked.parse_args()
    if given.load:
        print(json.dumps(load(given.folder, given.rows)))
    elif given.port:
        serve(given.folder, given.rows, given.port)
    else:
        print(json.dumps(run(given.rows)))

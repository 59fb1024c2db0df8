"""List pull: a million rows with unique numbers, mapped and normalised, end to end into the outbox; dlt beside it.

Both sides read the same pages, make the same E.164 numbers with the same code, run the same mapping and write to SQLite on
the same disk; dlt appends to a table of its own, the hub also keeps its members, looks for duplicates and opt-outs, and
queues deliveries. Each side runs in a process of its own, so that its peak memory is its own.

    python -m bench.list_pull [--rows 1000000] [--dlt-rows 1000000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROWS = 1_000_000
PAGE = 1000
FLOOR_ROWS_PER_SECOND = 15_000
CEILING_MIB = 200
FORMS = ("{0} {1} {2} {3}", "+34 {0} {1} {2} {3}", "0034{0}{1}{2}{3}", "{0}.{1}.{2}.{3}", "+34{0}{1}{2}{3}")

MAPPING = """
mapping: spring
about: The spring campaign on the dialler.
source:
  connection: crm
  list: campaign_member
  where: { campaign: spring }
  every: 1 day
  page: 1000
  phone: member.phone
  country: member.country
  consent: member.consent
  do_not_call: member.do_not_call
target:
  connection: dialler
  write: contact_list
  key: id
  options: { list: spring }
fields:
  phone: { from: member.phone_e164, required: true }
  first_name: { from: member.first_name, as: trim, max: 80 }
  last_name: { from: member.last_name, as: trim, max: 80 }
  email: { from: member.email, as: lower }
  company: { from: member.company, max: 120 }
  language: { from: member.language, choose: { es: es, fr: fr }, otherwise: en }
  crm_key: member.member_key
  note: { text: "{member.status}: {member.comment}", max: 200 }
examples:
  - about: Ana.
    given: { member: { phone_e164: "+34612345678", first_name: " Ana " } }
    expect: { phone: "+34612345678", first_name: Ana, language: en }
"""


def _pairs(number: int) -> tuple[str, str, str]:
    digits = f"{number % 1_000_000:06d}"
    return digits[:2], digits[2:4], digits[4:]


def page_of(start: int, size: int) -> list[dict[str, Any]]:
    """The rows from `start` on, as a CRM's JSON gives them; every number is another one."""
    return [
        {
            "id": f"M-{number:07d}",
            "member_key": f"spring-{number}",
            "campaign": "spring",
            "status": "open",
            "first_name": f"Ana {number % 977}",
            "last_name": f"García {number % 1009}",
            "phone": FORMS[number % len(FORMS)].format(600 + number // 1_000_000, *_pairs(number)),
            "email": f"Ana.{number}@example.com",
            "country": "ES",
            "language": ("es", "fr", "de")[number % 3],
            "company": f"Company {number % 5003}",
            "consent": True,
            "do_not_call": False,
            "comment": "Asked for the new catalogue in spring.",
            "changed_at": "2026-11-23T10:05:40Z",
        }
        for number in range(start, start + size)
    ]  # fmt: skip


def hub_pull(rows: int, folder: Path) -> int:
    """The hub's pull into its outbox; how many deliveries it queued."""
    from typing import ClassVar

    from hub.config import Config, ConnectionConfig
    from hub.connections import Connection, Connections
    from hub.contract import Manifest
    from hub.flow.lists.pull import ContactLists
    from hub.flow.mappings import Mappings
    from hub.model import Page, Query
    from hub.store.database import open_store
    from hub.store.schema import metadata

    class Crm:
        manifest: ClassVar[Manifest] = Manifest(
            name="rows", title="Rows", about="A CRM that only gives pages.", family="crm"
        )

        def pages(self, query: Query) -> Iterator[Page]:
            for start in range(0, rows, query.size):
                following = start + query.size
                yield Page(
                    rows=page_of(start, min(query.size, rows - start)),
                    cursor=str(following) if following < rows else None,
                    watermark="1",
                )

    store = open_store(os.environ.get("PATCHBAY_BENCH_DATABASE_URL") or f"sqlite:///{folder / 'patchbay.db'}")
    metadata.create_all(store.engine)
    config = Config(
        file=folder, company="Bench", country="FR", zone="UTC", public_url="http://127.0.0.1", home=folder, mappings=folder,
        database_url="", host="127.0.0.1", port=0, connections={},
    )  # fmt: skip
    connections = Connections({"crm": Connection("crm", ConnectionConfig("crm", "rows", {}), Crm())})
    mappings = Mappings(store, country="FR", zone="UTC")
    mappings.publish(MAPPING, by="bench")
    counts = ContactLists(store, connections, mappings, config).pull("spring")
    store.close()
    return counts.sent


def dlt_pull(rows: int, folder: Path) -> int:
    """dlt's pull of the same rows, with the same numbers and the same mapping, into SQLite."""
    os.environ.update(
        {"RUNTIME__LOG_LEVEL": "ERROR", "RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder)}
    )
    import dlt

    from hub.language.mapping import compile_mapping
    from hub.phone import e164

    mapping = compile_mapping(MAPPING, country="FR", zone="UTC")

    def mapped(row: dict[str, Any]) -> dict[str, Any]:
        member = {**row, "phone_e164": e164(row["phone"], row["country"])}
        return {"id": row["id"], **mapping.render({"member": member}, {}).fields}

    @dlt.resource(name="outgoing", write_disposition="append")  # type: ignore[untyped-decorator]
    def members() -> Iterator[list[dict[str, Any]]]:
        for start in range(0, rows, PAGE):
            yield [mapped(row) for row in page_of(start, min(PAGE, rows - start))]

    database = f"sqlite:///{folder / 'dlt.db'}"
    destination = dlt.destinations.sqlalchemy(credentials=database)
    pipeline = dlt.pipeline("list_pull", destination=destination, dataset_name="lists", pipelines_dir=str(folder))
    pipeline.run(members())
    with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM outgoing") as found:
        return int(found.fetchone()[0])


SIDES: dict[str, Callable[[int, Path], int]] = {"hub": hub_pull, "dlt": dlt_pull}


def measured(side: str, rows: int) -> dict[str, Any]:
    """One side, in a process of its own."""
    command = [sys.executable, "-m", "bench.list_pull", "--side", side, "--rows", str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run(rows: int = ROWS, dlt_rows: int = ROWS) -> dict[str, Any]:
    """The figures; dlt's are absent where it is not installed. Processor time tells the two apart on a busy machine."""
    hub = measured("hub", rows)
    figures: dict[str, Any] = {
        "bench": "list_pull",
        "rows": rows,
        "rows_per_second": hub["rows_per_second"],
        "rows_per_processor_second": hub["rows_per_processor_second"],
        "floor": FLOOR_ROWS_PER_SECOND,
        "peak_mib": hub["peak_mib"],
        "ceiling_mib": CEILING_MIB,
    }
    held = hub["rows_per_second"] >= FLOOR_ROWS_PER_SECOND and hub["peak_mib"] <= CEILING_MIB
    if find_spec("dlt") is not None:
        dlt = measured("dlt", dlt_rows)
        figures |= {f"dlt_{name}": value for name, value in dlt.items() if name not in ("side", "seconds")}
        figures["times_dlt"] = round(hub["rows_per_second"] / dlt["rows_per_second"], 1)
        held = held and figures["times_dlt"] > 1
    return figures | {"held": held}


def _one_side(side: str, rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="patchbay-bench-") as folder:
        started, worked = time.perf_counter(), time.process_time()
        done = SIDES[side](rows, Path(folder))
        took, worked = time.perf_counter() - started, time.process_time() - worked
    if done != rows:
        raise SystemExit(f"{side}: {done} of {rows} rows arrived")
    return {
        "side": side,
        "rows": rows,
        "seconds": round(took, 2),
        "rows_per_second": round(rows / took),
        "rows_per_processor_second": round(rows / worked),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=ROWS)
    asked.add_argument("--dlt-rows", type=int, default=ROWS)
    asked.add_argument("--side", choices=sorted(SIDES))
    given = asked.parse_args()
    print(json.dumps(_one_side(given.side, given.rows) if given.side else run(given.rows, given.dlt_rows)))

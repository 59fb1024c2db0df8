"""Many rows by few statements, on both engines."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from hub.store.database import Store
from hub.store.many import Into, bulk
from hub.store.schema import deliveries, directory_entries

ENTRIES: Into = (
    directory_entries.name,
    {"value": "text", "connection": "text", "object": "text", "id": "text"},
    {},
    "(value, connection, object, id) DO NOTHING",
)
DELIVERIES: Into = (
    deliveries.name,
    {"mapping": "text", "subject": "text", "connection": "text", "action": "text", "body": "text", "lane": "integer",
     "due_at": "bigint"},
    {"state": "'pending'", "provisional": "false", "in_doubt": "false", "attempts": "0", "collapsed": "0",
     "created_at": "due_at", "updated_at": "due_at"},
    "(subject, mapping) WHERE state = 'pending' DO UPDATE SET body = excluded.body, collapsed = deliveries.collapsed + 1",
)  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 1023])
def test_all_rows_and_each_once_whatever_their_number(store: Store, count: int) -> None:
    rows = [(f"+34{n:09}", "crm'; --", "contact", f'ñ"{n}?%s') for n in range(count)]
    for _ in range(2):
        with store.write() as conn:
            bulk(conn, ENTRIES, rows)
    with store.read() as conn:
        kept = conn.execute(select(directory_entries).order_by(directory_entries.c.value)).all()
    assert [tuple(row) for row in kept] == rows


def test_a_value_may_stand_for_several_columns_and_a_conflict_does_what_it_says(store: Store) -> None:
    for body in ("one", "two"):
        with store.write() as conn:
            bulk(conn, DELIVERIES, [("m", f"s{n}", "crm", "upsert", body, 2, 1000 + n) for n in range(300)])
    with store.read() as conn:
        kept = conn.execute(select(deliveries).order_by(deliveries.c.due_at)).all()
    assert [(row.subject, row.created_at, row.updated_at) for row in kept] == [
        (f"s{n}", 1000 + n, 1000 + n) for n in range(300)
    ]
    assert {(row.body, row.state, row.collapsed, row.in_doubt, row.lane) for row in kept} == {
        ("two", "pending", 1, False, 2)
    }

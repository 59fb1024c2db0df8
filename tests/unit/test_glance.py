"""Glances: what is asked all day without SQLAlchemy's work, on both engines."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from hub.store.database import Store, open_store
from hub.store.glance import KEPT, Glance, one_of
from hub.store.schema import alerts, deliveries, own_numbers

BY_NUMBER = Glance(
    lambda _: select(own_numbers.c.number, own_numbers.c.first_seen).where(own_numbers.c.number == bindparam("number"))
)
AMONG = Glance(
    lambda dialect: (
        select(own_numbers.c.number)
        .where(one_of(dialect, own_numbers.c.number, "numbers"), own_numbers.c.first_seen >= bindparam("since"))
        .order_by(own_numbers.c.number)
        .limit(3)
    ),
    lists=["numbers"],
)
HOSTILE = ("+34'\"; DROP TABLE own_numbers", "%s %(number)s ? :number", "ñ\u202e😀", '["a", "b"]')


def keep(store: Store, *numbers: str, at: int = 1) -> None:
    with store.write() as conn:
        conn.execute(own_numbers.insert(), [{"number": one, "connection": "pbx", "first_seen": at} for one in numbers])


def test_rows_have_the_columns_names(store: Store) -> None:
    keep(store, "+34911", at=1 << 40)
    (row,) = store.glance(BY_NUMBER, number="+34911")
    assert (row.number, row.first_seen) == ("+34911", 1 << 40)
    assert store.glance(BY_NUMBER, number="+34912") == []


@pytest.mark.parametrize("number", HOSTILE)
def test_values_are_values(store: Store, number: str) -> None:
    keep(store, number, "+34911")
    assert [row.number for row in store.glance(BY_NUMBER, number=number)] == [number]
    assert [row.number for row in store.glance(AMONG, numbers=[number, "nobody"], since=0)] == [number]


def test_a_list_is_one_parameter_however_long(store: Store) -> None:
    keep(store, *(f"+{n:05}" for n in range(50)))
    asked = [f"+{n:05}" for n in range(40, 40_000)]
    assert [row.number for row in store.glance(AMONG, numbers=asked, since=0)] == ["+00040", "+00041", "+00042"]
    assert store.glance(AMONG, numbers=[], since=0) == []
    assert store.glance(AMONG, numbers=asked, since=2) == []


def test_a_glance_sees_what_was_committed_and_nothing_else(store: Store) -> None:
    assert store.glance(BY_NUMBER, number="+34911") == []
    with store.write() as conn:
        conn.execute(own_numbers.insert().values(number="+34911", connection="pbx", first_seen=1))
        assert store.glance(BY_NUMBER, number="+34911") == []
    assert len(store.glance(BY_NUMBER, number="+34911")) == 1


def test_its_connections_cannot_write(store: Store) -> None:
    connection = store._glances._opened()
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        connection.execute("DELETE FROM own_numbers")
    connection.close()


def test_an_error_does_not_repeat_the_values(store: Store) -> None:
    with store.write() as conn:
        conn.execute(text("ALTER TABLE own_numbers RENAME TO elsewhere"))
    with pytest.raises(DBAPIError) as told:
        store.glance(BY_NUMBER, number="+34612345678")
    assert "612345678" not in str(told.value)
    with store.write() as conn:
        conn.execute(text("ALTER TABLE elsewhere RENAME TO own_numbers"))
    assert store.glance(BY_NUMBER, number="+34612345678") == []


@pytest.mark.parametrize("away", ["sqlite:///{folder}/gone/a.db", "postgresql://nobody@127.0.0.1:1/nothing"])
def test_a_store_that_cannot_be_opened_is_told_as_sqlalchemy_tells_it(tmp_path: Path, away: str) -> None:
    store = open_store(away.format(folder=tmp_path))
    shutil.rmtree(tmp_path)
    with pytest.raises(OperationalError):
        store.glance(BY_NUMBER, number="+34612345678")
    store.close()


def test_only_what_needs_no_conversion(store: Store) -> None:
    assert store.glance(Glance(lambda _: select(deliveries.c.id, alerts.c.key).limit(1))) == []
    with pytest.raises(TypeError):
        store.glance(Glance(lambda _: select(deliveries.c.id == 1)))


def test_many_threads_at_once_and_few_connections_after(store: Store) -> None:
    keep(store, *(f"+{n}" for n in range(100)))
    wrong: list[object] = []

    def ask(first: int) -> None:
        for n in range(first, 100, 24):
            found = [row.number for row in store.glance(BY_NUMBER, number=f"+{n}")]
            if found != [f"+{n}"]:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=[n]) for n in range(24)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
    assert len(store._glances._idle) <= KEPT
    store.close()
    assert len(store._glances._idle) == 0


def test_a_server_that_was_started_anew_is_asked_on_new_connections(filled_postgres: str) -> None:
    store = open_store(filled_postgres)
    held = [store._glances._opened() for _ in range(3)]
    for one in held:
        store._glances._put_back(one)
    keep(store, "+34911")
    with store.write() as conn:
        conn.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert len(store.glance(BY_NUMBER, number="+34911")) == 1
    assert len(store._glances._idle) == 1
    store.close()

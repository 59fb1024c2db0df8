"""Own numbers: declared, learned from traffic, and not to be poisoned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from hub.clock import now_ms
from hub.desk.own_numbers import Own, OwnNumbers
from hub.store.database import Store
from hub.store.schema import interactions
from tests.desk_stubs import config_of, connections_of
from tests.waiting import until

OURS, CUSTOMER = "+34917654321", "+34612345678"


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Iterator[OwnNumbers]:
    numbers = OwnNumbers(store, config_of(tmp_path, connections_of()))
    yield numbers
    numbers.close()


def settled(own: OwnNumbers) -> None:
    until(lambda: not own._waiting)


def add_interaction(store: Store, remote: str) -> None:
    with store.write() as conn:
        conn.execute(
            insert(interactions).values(
                connection="softphone",
                key="c1",
                state="ended",
                remote_e164=remote,
                facts="{}",
                triggered="[]",
                last_occurred_at=1,
                updated_at=now_ms(),
            )
        )


def test_declared_numbers_ranges_and_extensions(own: OwnNumbers) -> None:
    assert own.whose("+34911234567") == Own("declared")
    assert own.whose("+34918001234") == Own("declared")
    assert own.whose("201") == Own("declared")
    assert own.whose("+34910000000") is None
    assert own.whose("") is None


def test_the_local_side_of_a_call_is_learned_and_stays_learned(own: OwnNumbers, store: Store, tmp_path: Path) -> None:
    own.learn("softphone", "917 65 43 21")
    settled(own)
    assert own.whose(OURS) == Own("learned", "softphone")
    again = OwnNumbers(store, config_of(tmp_path, connections_of()))
    assert again.whose(OURS) == Own("learned", "softphone")


def test_another_part_of_the_hub_hears_of_it(own: OwnNumbers, store: Store, tmp_path: Path) -> None:
    other = OwnNumbers(store, config_of(tmp_path, connections_of()))
    assert other.whose(OURS) is None
    own.learn("softphone", OURS)
    settled(own)
    assert other.whose(OURS) == Own("learned", "softphone")


def test_a_number_that_was_a_customers_is_not_learned(own: OwnNumbers, store: Store) -> None:
    add_interaction(store, CUSTOMER)
    own.learn("softphone", CUSTOMER)
    own.learn("softphone", OURS)
    settled(own)
    assert own.whose(CUSTOMER) is None
    assert own.whose(OURS) is not None


@pytest.mark.parametrize("number", ["201", "204", "anonymous", "", "12", "not a number"])
def test_what_is_no_outside_number_is_not_learned(own: OwnNumbers, number: str) -> None:
    own.learn("softphone", number)
    settled(own)
    assert own.whose("204") is None
    assert own._learned == {}


def test_the_table_can_forbid_it(store: Store, tmp_path: Path) -> None:
    table = f"own_numbers: {{ learn: true, never: ['{OURS}'] }}\n"
    picky = OwnNumbers(store, config_of(tmp_path, connections_of(), table=table))
    picky.learn("softphone", OURS)
    assert picky.whose(OURS) is None
    deaf = OwnNumbers(store, config_of(tmp_path, connections_of(), table="own_numbers: { learn: false }\n"))
    deaf.learn("softphone", "+34917654322")
    picky.close()
    deaf.close()
    assert deaf.whose("+34917654322") is None


def test_closing_writes_what_waits(store: Store, tmp_path: Path) -> None:
    numbers = OwnNumbers(store, config_of(tmp_path, connections_of()))
    with store.write():  # the writer has to wait for us
        numbers.learn("softphone", OURS)
    numbers.close()
    assert OwnNumbers(store, config_of(tmp_path, connections_of())).whose(OURS) is not None

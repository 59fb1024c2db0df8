"""The same pops when the directory answers: the cases of test_screen_pop with every record pulled and no CRM asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.connections import Connections
from hub.desk.screen_pop import Ask, Pop, ScreenPop
from hub.flow.directory.known import Directory
from hub.flow.directory.load import DirectoryPulls
from hub.model import Page, Query, Record
from hub.store.database import Store
from tests.customer_directory import only
from tests.desk_stubs import StubCrm, config_of
from tests.unit import test_screen_pop as live

Popping = live.Popping


@pytest.fixture
def popping(store: Store, tmp_path: Path) -> Iterator[Popping]:
    """Builds a ScreenPop whose directory has everything that the stub connections have; asking one of them fails."""
    opened: list[ScreenPop] = []

    def build(connections: Connections, table: str = live.PATIENT, **more: Any) -> ScreenPop:
        for connection in connections.values():
            if isinstance(connection.connector, StubCrm):
                _pull_instead_of_find(connection.connector)
        file = tmp_path / "directory.yaml"
        file.write_text(only(connections), encoding="utf-8")
        config = config_of(tmp_path, connections, table=table, directory_file=file, **more)
        pulls = DirectoryPulls(store, connections, config)
        for name in pulls.names():
            pulls.pull(name, full=True)
        opened.append(_Told(store, connections, config, directory=Directory(store, connections, pulls.plan)))
        return opened[-1]

    yield build
    for one in opened:
        one.close()


class _Told(ScreenPop):
    """Every record has to come from the directory, but for what the hub has just written."""

    def pop(self, ask: Ask) -> Pop:
        pop = super().pop(ask)
        assert all(one.source in ("directory", "hub") for one in (*pop.records, *pop.others))
        return pop


def _pull_instead_of_find(crm: StubCrm) -> None:
    def refuse() -> None:
        raise AssertionError("a CRM was asked")

    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name, held in ((None, enumerate(crm.records)), ("key", crm.keys.items()), ("email", crm.emails.items())):
        for word, record in held:
            rows.setdefault((record.object, record.id), _row(record)).update({name: word} if name else {})

    def pages(query: Query) -> Iterator[Page]:
        mine = [row for (object, _), row in rows.items() if object == query.object]
        yield Page(rows=mine, watermark="1")

    crm.before = refuse
    crm.pages = pages  # type: ignore[attr-defined]


def _row(record: Record) -> dict[str, Any]:
    account = record.account
    return {
        "id": record.id,
        "title": record.title,
        "phone": record.match.value if record.match else None,
        "owner": record.owner,
        "open_cases": record.open_cases,
        "last_contact": record.last_contact_at,
        "account": account and account.id,
        "company": account and account.title,
    }


def test_one_record_says_by_which_field_and_opens(popping: Popping) -> None:
    pop = popping(live.connections_of(crm=StubCrm(live.person("1", live.ANA)))).pop(Ask(phone="612 34 56 78"))
    assert (pop.match, pop.url, live.ids(pop)) == ("one", "https://crm.example/open/contact/1?", ["1"])
    found = pop.records[0]
    assert (found.matched.object, found.matched.field, found.matched.value) == ("contact", "phone", live.ANA)
    assert (found.connection, found.rule, pop.silent) == ("crm", "only", ())


def test_a_record_of_another_country_with_the_same_digits_is_no_match(popping: Popping) -> None:
    crm = StubCrm(live.person("1", "+33612345678"), live.person("2", "0033612345678"), live.person("3", "612345678"))
    assert live.ids(popping(live.connections_of(crm=crm)).pop(Ask(phone=live.ANA))) == ["3"]


# The very cases of the live road; pytest runs them here with the fixture above.
test_nobody = live.test_nobody_gives_a_new_record_with_prefilled_fields
test_prefilled = live.test_the_table_says_what_is_prefilled
test_many = live.test_many_give_our_page_to_choose_from
test_rules = live.test_the_rules_choose_and_the_others_are_named
test_shared = live.test_a_shared_number_points_to_the_account
test_owner = live.test_the_owner_is_compared_with_who_asks
test_key_wins = live.test_an_attached_key_wins_over_the_number_and_the_number_over_the_mail
test_key_falls_back = live.test_an_unknown_key_falls_back_to_the_number_and_says_so
test_never_matched = live.test_these_are_never_matched
test_withheld_with_key = live.test_a_withheld_number_with_a_key_is_matched_by_the_key
test_learned = live.test_a_learned_own_number_that_people_carry_is_not_hidden_silently
test_without_plus = live.test_a_number_without_its_plus_is_read
test_one_crm = live.test_connection_names_one_crm_to_ask_alone
test_platform = live.test_connection_may_name_the_platform
test_unknown = live.test_an_unknown_connection_is_refused_with_the_nearest
test_order = live.test_the_tables_order_of_connections_decides
test_fresh = live.test_what_the_hub_just_created_is_found_before_the_index_knows_it
test_fresh_once = live.test_a_fresh_record_that_the_crm_finds_too_is_one_record

"""The connector `sql` beyond the contract and its fault matrix: roles, merged customers, profiles, SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from hub.errors import (
    ConfigError,
    CredentialsRefused,
    NotPermitted,
    Rejected,
    Unavailable,
)
from hub.model import Lookup, Row, Target
from tests.connectors.sql.peer import CRMS, Peer, opened
from tests.contract.given import a_key, a_number
from tests.contract.scenario_files import built
from tests.ports import free_port


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with opened("postgresql", request) as running:
        yield running


def written(peer: Peer, **fields: Any) -> Any:
    (receipt,) = peer.connector.write(peer.target, [Row(key=a_key(), fields=fields)])
    return receipt


def test_a_number_that_is_none_is_refused(peer: Peer) -> None:
    assert isinstance(written(peer, seconds="soon").error, Rejected)


def test_a_field_that_the_statement_leaves_behind_is_refused(peer: Peer) -> None:
    receipt = written(peer, note="n", colour="red")
    assert isinstance(receipt.error, Rejected) and receipt.error.fields == {"colour": "not in the statement"}


def test_a_locked_row_is_tried_again(peer: Peer) -> None:
    row = peer.row(a_key(), "one")
    peer.connector.write(peer.target, [row])
    impatient = built("sql", settings(peer, statement_seconds=0.3))
    with peer.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM crm.call WHERE ref = :ref FOR UPDATE"), {"ref": row.key})
        with pytest.raises(Unavailable):  # cancelled after a third of a second, so nothing is there
            impatient.write(peer.target, [row])
        holder.rollback()
    assert peer.connector.write(peer.target, [row])[0].outcome == "updated"


def test_a_role_that_only_reads_looks_up_and_may_not_write(peer: Peer) -> None:
    peer.run("DO $$ BEGIN CREATE ROLE looker LOGIN PASSWORD 'looks'; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    peer.run("GRANT USAGE ON SCHEMA crm TO looker")
    peer.run("GRANT SELECT ON ALL TABLES IN SCHEMA crm TO looker")
    looker = make_url(peer.engine.url).set(username="looker", password="looks").render_as_string(hide_password=False)
    number = a_number()
    id = peer.person("Ada", phone=number)
    connector: Any = built("sql", settings(peer, database=looker))
    (found,) = connector.find([Lookup("customer", "phone", number)])
    assert [record.id for record in found] == [id]
    (receipt,) = connector.write(peer.target, [peer.row(a_key(), "not mine to write")])
    assert isinstance(receipt.error, NotPermitted)
    two: Any = built("sql", settings(peer, lookup_database=looker))
    assert two.write(peer.target, [peer.row(a_key(), "by the other role")])[0].outcome == "created"


def test_a_database_that_is_not_there_is_not_a_bug(peer: Peer) -> None:
    gone: Any = built("sql", settings(peer, database="postgresql://nobody:x@127.0.0.1:1/none"))
    with pytest.raises(Unavailable) as failed:
        gone.check()
    assert not isinstance(failed.value, CredentialsRefused) and "nobody" not in str(failed.value)
    with pytest.raises(ConfigError, match="SQLAlchemy URL"):
        built("sql", settings(peer, database="no url at all"))


def test_a_merged_customer_s_id_finds_the_one_that_is_left(peer: Peer) -> None:
    gone, left = peer.person("Twice"), peer.person("Once")
    peer.run("UPDATE crm.customer SET merged_into = :left WHERE id = :gone", left=int(left), gone=int(gone))
    (found,) = peer.connector.find([Lookup("customer", "id", gone)])
    assert [record.id for record in found] == [left]


def test_describe_is_what_the_database_says(peer: Peer) -> None:
    described = {field.name: field for field in peer.connector.describe("customer").fields}
    assert described["ref"].unique and described["ref"].required and described["ref"].max_length == 64
    assert described["phone"].type == "phone" and not described["phone"].required
    assert described["changed"].type == "datetime" and not described["changed"].required
    assert not described["phone_tail"].writable and not described["id"].writable
    peer.run("ALTER TABLE crm.customer ALTER COLUMN ref TYPE varchar(32)")
    again = {field.name: field for field in peer.connector.describe("customer").fields}
    assert again["ref"].max_length == 32


def settings(peer: Peer, **told: Any) -> dict[str, Any]:
    url = peer.engine.url.render_as_string(hide_password=False)
    return {"database": url, "profile": str(CRMS / "in_house_sql.yaml"), **told}


# --- SQLite, and what a profile may say ----------------------------------------

SQLITE = """
profile: sql
about: A file.
objects:
  note:
    id: record.id
    key: key
    fields: { key: { unique: true }, words: {} }
    find: { key: { select: "SELECT * FROM note WHERE key = :value" } }
    write:
      create: { run: "INSERT INTO note (key, words) VALUES (:key, :words) RETURNING id", id: answer.0.id }
      update: { run: "UPDATE note SET words = :words WHERE id = :id" }
"""


def in_sqlite(folder: Path, profile: str = SQLITE) -> Any:
    (folder / "crm.yaml").write_text(profile)
    return built("sql", {"database": f"sqlite:///{folder / 'crm.db'}", "profile": str(folder / "crm.yaml")})


def test_look_up_then_write_without_an_upsert(tmp_path: Path) -> None:
    connector = in_sqlite(tmp_path)
    import sqlite3

    with sqlite3.connect(tmp_path / "crm.db") as database:
        database.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, key TEXT UNIQUE, words TEXT)")
    database.close()
    target = Target(object="note", key="key")
    outcomes = [connector.write(target, [Row(key="k", fields={"words": words})])[0].outcome
                for words in ("one", "one", "two; DROP TABLE note; --")]  # fmt: skip
    assert outcomes == ["created", "unchanged", "updated"]
    (found,) = connector.find([Lookup("note", "key", "k")])
    assert found[0].fields["words"] == "two; DROP TABLE note; --"
    assert connector.manifest.idempotency == "search-then-write"


@pytest.mark.parametrize(
    ("wrong", "right", "said", "line"),
    [
        (":value", ":valeu", 'nothing gives ":valeu", did you mean "value"?', 9),
        ("select:", "selects:", 'there is no word "selects"', 9),
        ("run: \"INSERT", "run: \"INSERT", "", 0),
        ("profile: sql", "profile: rest", "says `sql`", 2),
        ("id: record.id", "id: recrod.id", "did you mean", 6),
        ("{ unique: true }", "{ type: txt }", 'there is no type "txt", did you mean "text"?', 8),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_one_line_with_its_place(
    tmp_path: Path, wrong: str, right: str, said: str, line: int
) -> None:
    if not said:
        in_sqlite(tmp_path)
        return
    with pytest.raises(ConfigError) as failed:
        in_sqlite(tmp_path, SQLITE.replace(wrong, right, 1))
    assert said in str(failed.value) and f"crm.yaml:{line}:" in str(failed.value)


def test_a_database_that_is_not_there_says_so() -> None:
    url = f"postgresql://patchbay:secret@127.0.0.1:{free_port()}/crm"
    connector: Any = built("sql", {"database": url, "profile": str(CRMS / "in_house_sql.yaml")})
    with pytest.raises(Unavailable, match=r"cannot be reached: connection refused") as failed:
        connector.check()
    assert "secret" not in str(failed.value)

"""Every way in which a PostgreSQL server fails, through the hub's own delivery: whatever happens on the way, each row is
there once in the end and none is lost; what is the row's own fault waits for a person, what is the sign-in's pauses all.

The server is the suite's own and fails for real where it can be made to: by locks, limits, rights and constraints. What it
would not do at a word (a serialization failure, a full disk) is raised there with its SQLSTATE; connections are cut on the
wire between.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from hub.flow.delivery import pauses
from hub.flow.delivery.replay import replay
from hub.language.mapping import Rendered, TargetSpec
from hub.model import Receipt, Row, Target
from hub.store.database import Store
from hub.store.deliveries import Filter
from tests.connectors.sql.wire import Wire
from tests.contract.scenario_files import built
from tests.stubs import QUICK, Rig, StubMapping, put_calls, until

ROWS = 5
PROFILE = """\
profile: sql
about: Notes by key.
objects:
  note:
    id: record.id
    key: key
    fields: { key: { unique: true }, words: {}, kind: {} }
    find: { key: { select: "SELECT * FROM note WHERE key IN :values", of: 200 } }
    write:
"""
# Natively, and after a look-up into a table that would take a key twice.
WAYS = {
    "upsert": """\
      upsert:
        run: >
          INSERT INTO note (key, words, kind) VALUES (:key, :words, :kind)
          ON CONFLICT (key) DO UPDATE SET words = excluded.words RETURNING id, (xmax = 0) AS created
        id: answer.0.id
        created: { answer.0.created: true }
""",
    "look first": """\
      create: { run: "INSERT INTO note (key, words, kind) VALUES (:key, :words, :kind) RETURNING id", id: answer.0.id }
      update: { run: "UPDATE note SET words = :words, kind = :kind WHERE id = :id" }
""",
}
TABLE = """
CREATE TABLE note (
  id serial PRIMARY KEY, key text NOT NULL, words varchar(40) NOT NULL, kind text UNIQUE CHECK (kind <> 'odd')
);
CREATE SEQUENCE failed;
CREATE FUNCTION fail() RETURNS trigger AS $$ DECLARE n bigint := nextval('failed'); BEGIN
  -- A sequence counts on where all else is undone. Two rows pass before anything happens.
  IF n BETWEEN 3 AND 2 + TG_ARGV[0]::int THEN EXECUTE TG_ARGV[1]; END IF;
  RETURN NEW;
END $$ LANGUAGE plpgsql;
"""


class Notes:
    """A database of notes, a role of its own that writes there, and the wire between the two."""

    def __init__(self, url: str, way: str, folder: Path) -> None:
        self.role = f"notes_{uuid.uuid4().hex[:12]}"
        admin = make_url(url).set(drivername="postgresql+psycopg")
        self.engine: Engine = create_engine(admin, isolation_level="AUTOCOMMIT")
        unique = "ALTER TABLE note ADD UNIQUE (key);" if way == "upsert" else ""
        self.run(TABLE + unique + f"CREATE ROLE {self.role} LOGIN PASSWORD 'writes'; GRANT ALL ON note TO {self.role};"
                 f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {self.role}")  # fmt: skip
        self.wire = Wire(admin)
        (folder / "notes.yaml").write_text(PROFILE + WAYS[way])
        self.url = f"postgresql://{self.role}:writes@127.0.0.1:{self.wire.port}/{admin.database}?sslmode=disable&gssencmode=disable"
        self.connector: Any = Witness(built("sql", {
            "database": self.url, "profile": str(folder / "notes.yaml"), "statement_seconds": 0.4
        }))  # fmt: skip

    @contextlib.contextmanager
    def served(self) -> Iterator[Notes]:
        """Reached for as long as the block runs; the role is gone after."""
        try:
            with self.wire.served():
                yield self
        finally:
            self.run(f"DROP OWNED BY {self.role}; DROP ROLE {self.role}")
            self.engine.dispose()

    def run(self, statements: str) -> None:
        with self.engine.connect() as connection:
            connection.exec_driver_sql(statements)

    def failing(self, statement: str, times: int = 2, when: str = "BEFORE INSERT") -> None:
        """The third insert and the one after it run into this statement."""
        deferred = "DEFERRABLE INITIALLY DEFERRED" if when.startswith("AFTER") else ""
        kind = "CONSTRAINT TRIGGER" if deferred else "TRIGGER"
        quoted = statement.replace("'", "''")
        self.run(
            f"CREATE {kind} fails {when} ON note {deferred} FOR EACH ROW EXECUTE FUNCTION fail('{times}', '{quoted}')"
        )

    def raising(self, state: str, when: str = "BEFORE INSERT") -> None:
        """The third insert and the one after it fail with this SQLSTATE."""
        self.failing(f"DO $do$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $do$", when=when)

    def cutting(self, where: str) -> None:
        self.wire.cut, self.wire.after, self.wire.times = where, 2, 2

    def altering(self, how: str) -> None:
        """Our role is altered, and signs in anew."""
        mine = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.role}'"
        self.run(f"ALTER ROLE {self.role} {how}; {mine}")

    def altered(self, how: str, back: str) -> None:
        """Our role is altered until two writes have failed."""
        self.altering(how)
        self.connector.after = lambda: self.altering(back) if len(self.connector.failures) == 2 else None

    def holding(self) -> None:
        """Somebody holds the table until two writes have waited for it in vain."""
        self.altering("SET lock_timeout = '20ms'")
        holder = self.engine.execution_options(isolation_level="READ COMMITTED").connect()
        holder.execute(text("LOCK TABLE note IN SHARE MODE"))
        self.connector.after = lambda: holder.close() if len(self.connector.failures) == 2 else None

    def refusing(self, state: str, message: str, times: int = -1) -> None:
        """The server turns away who connects."""
        self.wire.refusal, self.wire.times = (state, message), times
        self.wire.drop()

    def letting_in(self) -> None:
        self.wire.refusal = None

    def granting(self, what: str, whom: str) -> None:
        self.run(f'{what} "{self.engine.url.database}" {whom}')

    def notes(self) -> Counter[tuple[str, str]]:
        with self.engine.connect() as connection:
            return Counter((key, words) for key, words in connection.execute(text("SELECT key, words FROM note")))


class Witness:
    """The connector, and what it said failed. `after` is called after each failed write."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector
        self.failures: list[str] = []
        self.after: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        try:
            receipts: Sequence[Receipt] = self._connector.write(target, rows)
        except Exception as error:
            self.failures.append(getattr(error, "name", type(error).__name__))
            self.after()
            raise
        failed = [receipt.error for receipt in receipts if receipt.error is not None]
        self.failures += [getattr(error, "name", type(error).__name__) for error in failed]
        if failed:
            self.after()
        return receipts


END = "SELECT pg_terminate_backend(pg_backend_pid())"
AT_COMMIT = "AFTER INSERT"
# What happens, and as what the connector has to say it.
FAULTS: dict[str, tuple[Callable[[Notes], None], str]] = {
    "lost before the statement": (lambda notes: notes.cutting("before statement"), "unavailable"),
    "lost before the commit": (lambda notes: notes.cutting("before commit"), "unknown_outcome"),
    "lost after the commit": (lambda notes: notes.cutting("after commit"), "unknown_outcome"),
    "ended by an administrator": (lambda notes: notes.failing(END), "unavailable"),
    "ended while it commits": (lambda notes: notes.failing(END, when=AT_COMMIT), "unknown_outcome"),
    "serialization failure 40001": (lambda notes: notes.raising("40001"), "locked"),
    "serialization failure at commit": (lambda notes: notes.raising("40001", when=AT_COMMIT), "locked"),
    "deadlock 40P01": (lambda notes: notes.raising("40P01"), "locked"),
    "lock timeout 55P03": (lambda notes: notes.holding(), "locked"),
    "statement timeout 57014": (lambda notes: notes.failing("SELECT pg_sleep(5)", times=1), "unavailable"),
    "too many connections 53300": (lambda notes: notes.altered("CONNECTION LIMIT 0", "CONNECTION LIMIT -1"), "unavailable"),
    "disk full 53100": (lambda notes: notes.raising("53100"), "unavailable"),
    "out of memory 53200": (lambda notes: notes.raising("53200"), "unavailable"),
    "starting up 57P03": (lambda notes: notes.refusing("57P03", "the database system is starting up", 2), "unavailable"),
    "a standby 25006": (
        lambda notes: notes.altered("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
        "unavailable",
    ),
}  # fmt: skip


@pytest.fixture(params=WAYS)
def notes(request: pytest.FixtureRequest, fresh_postgres: str, tmp_path: Path) -> Iterator[Notes]:
    """Once by each way to write."""
    with Notes(fresh_postgres, request.param, tmp_path).served() as made:
        made.connector.check()  # connected: the fault hits the work
        yield made


def rig_of(store: Store, notes: Notes, **odd: str) -> tuple[Rig, Counter[tuple[str, str]]]:
    """A hub's outbox with rows, and what the database has to hold in the end. `odd`: fields of the third row."""
    calls = [f"call-{number}" for number in range(ROWS)]
    words = {f"pbx:{call}": f"words of {call}" for call in calls}

    def fields(facts: Any, _found: Any) -> Rendered:
        key = f"pbx:{facts['interaction']['id']}"
        more = odd if key == "pbx:call-2" else {}
        return Rendered(fields={"words": words[key], "kind": key, **more})

    mapping = StubMapping(target=TargetSpec(connection="crm", write="note", key="key"), render=fields)
    put_calls(store, *calls)
    return Rig(store, notes.connector, mapping, pace=QUICK), Counter(words.items())


def states(rig: Rig) -> Counter[str]:
    return Counter(delivery.state for delivery in rig.all())


@pytest.mark.parametrize("fault", FAULTS)
def test_no_row_is_lost_and_none_is_there_twice(notes: Notes, fault: str, sqlite_store: Store) -> None:
    fail, name = FAULTS[fault]
    rig, wanted = rig_of(sqlite_store, notes)
    fail(notes)
    rig.deliverer.start()
    try:
        until(lambda: states(rig) == {"delivered": ROWS})
    finally:
        rig.deliverer.close()
    assert notes.notes() == wanted
    # What waits behind a row of which nobody knows is not sent.
    assert set(notes.connector.failures) == ({name, "unavailable"} if name == "unknown_outcome" else {name})
    assert all(delivery.reason is None for delivery in rig.all())


@pytest.mark.parametrize(
    ("odd", "state"),
    [({"kind": "odd"}, "23514"), ({"kind": "taken"}, "23505"), ({"words": None}, "23502"), ({"words": "x" * 41}, "22001")],
    ids=["check", "unique", "not null", "too long"],
)  # fmt: skip
def test_a_constraint_parks_its_row_alone(notes: Notes, odd: dict[str, Any], state: str, sqlite_store: Store) -> None:
    notes.run("INSERT INTO note (key, words, kind) VALUES ('other', 'was there', 'taken')")
    rig, wanted = rig_of(sqlite_store, notes, **odd)
    rig.deliverer.drain(10)
    assert states(rig) == {"delivered": ROWS - 1, "parked": 1}
    (parked,) = (delivery for delivery in rig.all() if delivery.state == "parked")
    assert parked.subject.endswith("call-2") and parked.reason and parked.reason.name == "rejected"
    assert state in parked.reason.message and "xxx" not in parked.reason.message
    del wanted["pbx:call-2", "words of call-2"]
    assert notes.notes() == wanted + Counter({("other", "was there"): 1})


def test_what_our_role_may_not_write_waits_for_a_person_and_comes_after(notes: Notes, sqlite_store: Store) -> None:
    rig, wanted = rig_of(sqlite_store, notes)
    notes.run(f"REVOKE INSERT ON note FROM {notes.role}")
    rig.deliverer.drain(10)
    assert states(rig) == {"parked": ROWS} and {one.reason.name for one in rig.all() if one.reason} == {"not_permitted"}
    notes.run(f"GRANT INSERT ON note TO {notes.role}")
    replay(sqlite_store, Filter(), by="tests")
    rig.deliverer.drain(10)
    assert states(rig) == {"delivered": ROWS} and notes.notes() == wanted


PASSWORD, HOST = "password authentication failed for user", "no pg_hba.conf entry for host"
REFUSED: dict[str, tuple[Callable[[Notes], None], Callable[[Notes], None]]] = {
    "wrong password 28P01": (lambda notes: notes.refusing("28P01", f'{PASSWORD} "{notes.role}"'), Notes.letting_in),
    "a host that may not 28000": (lambda notes: notes.refusing("28000", f'{HOST} "10.0.0.9"'), Notes.letting_in),
    "a role that may not log in": (lambda notes: notes.altering("NOLOGIN"), lambda notes: notes.altering("LOGIN")),
    "a role that may not connect": (
        lambda notes: (notes.granting("REVOKE CONNECT ON DATABASE", "FROM PUBLIC"), notes.altering("LOGIN"))[1],
        lambda notes: notes.granting("GRANT CONNECT ON DATABASE", "TO PUBLIC"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize("notes", ["upsert"], indirect=True)
def test_a_refused_sign_in_keeps_the_queue(notes: Notes, refused: str, sqlite_store: Store) -> None:
    refuse, allow = REFUSED[refused]
    rig, wanted = rig_of(sqlite_store, notes)
    refuse(notes)
    rig.deliverer.start()
    try:
        until(lambda: "crm" in pauses.states(sqlite_store) and pauses.states(sqlite_store)["crm"].paused)
        assert pauses.states(sqlite_store)["crm"].reason == "credentials_refused"
        assert set(states(rig)) <= {"pending", "sending"}
        allow(notes)
        until(lambda: states(rig) == {"delivered": ROWS})  # it tries again by itself
    finally:
        rig.deliverer.close()
    assert notes.notes() == wanted

"""The registry of mappings: immutable, numbered versions in the store, the newest of each compiled in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from hub.clock import from_ms, now_ms
from hub.errors import ConfigError, nearest
from hub.language.examples import check_examples
from hub.language.mapping import Mapping, compile_mapping
from hub.store import mappings as statements
from hub.store.database import Store

if TYPE_CHECKING:
    from hub.store.database import Transaction

FILES = "files"  # who publishes what stands in mappings/
NOTHING = ""  # the content of the version that retires a mapping
_NOTHING = sha256(NOTHING.encode()).hexdigest()

_log = structlog.get_logger()


@dataclass(frozen=True)
class Published:
    """A version of a mapping. `changed` is False where the same content was published already; `retired`: from this
    version on nothing runs under the name."""

    name: str
    version: int
    by: str
    at: datetime
    note: str = ""
    changed: bool = True
    retired: bool = False


class _Running:
    """What runs at one moment; replaced as a whole, so that a reader never sees half a change."""

    def __init__(self, by_name: dict[str, Mapping]) -> None:
        self.by_name = by_name
        self.all = tuple(by_name[name] for name in sorted(by_name))
        # An event of a connection that some mapping names finds all that it triggers here…
        self.triggered: dict[tuple[str, str], tuple[Mapping, ...]] = {}
        # … and one of another connection those mappings that take `any`.
        self.by_any: dict[str, tuple[Mapping, ...]] = {}
        named = {connection for mapping in self.all for connection in mapping.source.connections}
        for mapping in self.all:
            for event in mapping.source.events:
                for connection in mapping.source.connections or named:
                    self._add(self.triggered, (connection, event), mapping)
                if not mapping.source.connections:
                    self._add(self.by_any, event, mapping)
        self.named = frozenset(named)

    @staticmethod
    def _add(table: dict[Any, tuple[Mapping, ...]], key: Any, mapping: Mapping) -> None:
        table[key] = (*table.get(key, ()), mapping)


class Mappings:
    """What runs: the newest published version of each mapping. Reads are look-ups in memory; `refresh` reads the store."""

    def __init__(self, store: Store, *, country: str = "", zone: str = "UTC") -> None:
        self._store = store
        self._country = country
        self._zone = zone
        self._refreshing = threading.Lock()
        self._seen: dict[str, int] = {}  # by name the newest version that was looked at, also one that does not compile
        self._latest = -1  # what was published last when the store was looked at
        self._running = _Running({})
        self.refresh()

    # --- publishing ----------------------------------------

    def publish_files(self, folder: Path) -> list[Published]:
        """Publish each `*.yaml` of `folder` whose content is not the one last published by "files"; all or none.

        Raises ConfigError at the first broken file or failing example: what runs then goes on running.
        """
        if not folder.is_dir():
            raise ConfigError("there is no such folder of mappings", file=str(folder))
        read: dict[str, Mapping] = {}
        for file in sorted(folder.glob("*.yaml")):
            mapping = self._checked(_text(file), str(file))
            if mapping.name in read:
                other = Path(read[mapping.name].file).name
                raise mapping.document.error(
                    ("mapping",), f'"{mapping.name}" is the name of the mapping in {other} too'
                )
            read[mapping.name] = mapping
        return self._publish(read.values(), FILES)

    def publish(self, source: str, by: str, note: str = "") -> Published:
        """Publish a mapping. Raises ConfigError where it does not compile or an example fails."""
        return self._publish([self._checked(source)], by, note)[0]

    def rollback(self, name: str, version: int, by: str) -> Published:
        """Publish the content of an old version anew. Raises ConfigError where there is no such version."""
        source = self.source(name, version)
        if source == NOTHING:
            raise ConfigError(f'version {version} of "{name}" retires it; roll back to one before it')
        return self._publish([self._checked(source)], by, f"rolled back to version {version}")[0]

    def retire(self, name: str, by: str, note: str = "") -> Published:
        """Have nothing run under `name` any more, on any node; its versions stay, and any of them may be rolled back to.

        What waits for it in the outbox is parked and says so. Raises ConfigError where no such mapping runs.
        """
        self.refresh()
        self.current(name)
        with self._store.write() as connection:
            statements.one_publisher(connection)
            at = now_ms()
            version = statements.add(connection, name=name, source=NOTHING, digest=_NOTHING, by=by, at=at, note=note)
        self._told()
        return Published(name, version, by, from_ms(at), note, retired=True)

    def _checked(self, source: str, file: str = "") -> Mapping:
        mapping = self._compiled(source, file)
        check_examples(mapping)
        return mapping

    def _compiled(self, source: str, file: str = "") -> Mapping:
        return compile_mapping(source, file, country=self._country, zone=self._zone)

    def _publish(self, mappings: Iterable[Mapping], by: str, note: str = "") -> list[Published]:
        done = []
        with self._store.write() as connection:
            statements.one_publisher(connection)
            for mapping in mappings:
                digest = sha256(mapping.text.encode()).hexdigest()
                # A file counts as changed against the file before it: what a person published or rolled back to since
                # is not undone by the next start.
                last = statements.last(connection, mapping.name, FILES if by == FILES else None)
                if last is not None and last.digest == digest:
                    done.append(_published(last, changed=False))
                    if by == FILES and _is_retired(statements.last(connection, mapping.name)):
                        _log.warning("mapping_stays_retired", mapping=mapping.name, file=mapping.file)
                    continue
                at = now_ms()
                version = statements.add(
                    connection, name=mapping.name, source=mapping.text, digest=digest, by=by, at=at, note=note
                )
                done.append(Published(mapping.name, version, by, from_ms(at), note))
        if any(one.changed for one in done):
            self._told()
        else:
            self.refresh()
        return done

    def _told(self) -> None:
        self.refresh()
        self._store.wake("mappings")

    # --- what was published ----------------------------------------

    def history(self, name: str) -> list[Published]:
        """All versions of a mapping, newest first. Raises ConfigError with the nearest name where there are none."""
        with self._store.read() as connection:
            rows = statements.history(connection, name)
        if not rows:
            raise self._unknown(name)
        return [_published(row) for row in rows]

    def source(self, name: str, version: int) -> str:
        """The YAML of one version. Raises ConfigError where there is none."""
        with self._store.read() as connection:
            source = statements.source(connection, name, version)
        if source is None:
            newest = self.history(name)[0].version
            raise ConfigError(f'"{name}" has no version {version}; the newest is {newest}')
        return source

    def export(self, folder: Path) -> list[Path]:
        """Write what runs as files, `<name>.yaml`, and say which."""
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for mapping in self.all():
            file = folder / f"{mapping.name}.yaml"
            file.write_text(mapping.text, encoding="utf-8")
            files.append(file)
        return files

    # --- what runs ----------------------------------------

    def current(self, name: str) -> Mapping:
        """The version that runs. Raises ConfigError with the nearest name."""
        mapping = self._running.by_name.get(name)
        if mapping is None:
            raise self._unknown(name)
        return mapping

    def all(self) -> tuple[Mapping, ...]:
        """Every mapping that runs, by name."""
        return self._running.all

    def triggered_by(self, connection: str, event_type: str) -> tuple[Mapping, ...]:
        """The mappings that this event of this connection triggers: a dict look-up."""
        running = self._running
        if connection in running.named:
            return running.triggered.get((connection, event_type), ())
        return running.by_any.get(event_type, ())

    def catch_up(self, connection: Transaction) -> None:
        """Take up what was published before this transaction began to ask, so that an event that is taken in by it
        triggers just what runs. One look at an index where nothing was."""
        if statements.latest(connection) != self._latest:
            self.refresh()

    def refresh(self) -> None:
        """Take up what any node has published since. Cheap; called about each second by whoever runs."""
        with self._refreshing:
            with self._store.read() as connection:
                latest, newest = statements.latest(connection), statements.newest(connection)
            changed = {name: version for name, version in newest.items() if self._seen.get(name) != version}
            if not changed:
                self._latest = latest
                return
            by_name = dict(self._running.by_name)
            for name, version in changed.items():
                mapping = self._newest_that_compiles(name, version)
                if mapping is not None:
                    by_name[name] = mapping
                else:
                    by_name.pop(name, None)
                self._seen[name] = version
            self._running = _Running(by_name)
            self._latest = latest  # read before `newest`: what came in between is looked at once more, never missed

    def _newest_that_compiles(self, name: str, version: int) -> Mapping | None:
        """What runs when `version` is the newest: itself, or None where it retires the mapping. A version that this hub
        cannot read (made by a newer one, say) takes no node down: the former goes on."""
        former = self._running.by_name.get(name)
        oldest = former.version if former else 0
        while version > oldest:
            source = self.source(name, version)
            if source == NOTHING:
                return None
            try:
                return self._compiled(source).published(version)
            except ConfigError as error:
                _log.error("mapping_version_unreadable", mapping=name, version=version, why=error.what, line=error.line)
            version -= 1
        return former

    def _unknown(self, name: str) -> ConfigError:
        if name in self._seen and name not in self._running.by_name:
            return ConfigError(
                f'the mapping "{name}" is retired; `patchbay mapping rollback {name} VERSION` brings it back'
            )
        return ConfigError(f'there is no mapping "{name}"{nearest(name, self._running.by_name)}')


def _published(row: Any, changed: bool = True) -> Published:
    at, retired = from_ms(row.published_at), _is_retired(row)
    return Published(row.name, row.version, row.published_by, at, row.note or "", changed, retired)


def _is_retired(row: Any) -> bool:
    return row is not None and bool(row.digest == _NOTHING)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError("no readable text: a mapping is written in UTF-8", file=str(file)) from None

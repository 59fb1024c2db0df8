"""The registry of mappings: immutable, numbered versions in the store, the newest of each compiled in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.language.mapping import Mapping
from hub.store.database import Store


@dataclass(frozen=True)
class Published:
    """A version of a mapping. `changed` is False where the same content was published already."""

    name: str
    version: int
    by: str
    at: datetime
    note: str = ""
    changed: bool = True


class Mappings:
    """What runs: the newest published version of each mapping. Reads are look-ups in memory; `refresh` reads the store."""

    def __init__(self, store: Store, *, country: str = "", zone: str = "UTC") -> None:
        raise NotImplementedError

    def publish_files(self, folder: Path) -> list[Published]:
        """Publish each `*.yaml` of `folder` whose content is not the one last published by "files"; all or none.

        Raises ConfigError at the first broken file or failing example: what runs then goes on running.
        """
        raise NotImplementedError

    def publish(self, source: str, by: str, note: str = "") -> Published:
        """Publish a mapping. Raises ConfigError where it does not compile or an example fails."""
        raise NotImplementedError

    def history(self, name: str) -> list[Published]:
        """All versions of a mapping, newest first."""
        raise NotImplementedError

    def source(self, name: str, version: int) -> str:
        """The YAML of one version."""
        raise NotImplementedError

    def rollback(self, name: str, version: int, by: str) -> Published:
        """Publish the content of an old version anew."""
        raise NotImplementedError

    def export(self, folder: Path) -> list[Path]:
        """Write what runs as files, `<name>.yaml`, and say which."""
        raise NotImplementedError

    def current(self, name: str) -> Mapping:
        """The version that runs. Raises ConfigError with the nearest name."""
        raise NotImplementedError

    def all(self) -> tuple[Mapping, ...]:
        """Every mapping that runs, by name."""
        raise NotImplementedError

    def triggered_by(self, connection: str, event_type: str) -> tuple[Mapping, ...]:
        """The mappings that this event of this connection triggers: a dict look-up."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Take up what any node has published since. Cheap; called about each second by whoever runs."""
        raise NotImplementedError

"""YAML without the traps of YAML 1.1, and with every node's line."""

from __future__ import annotations

from typing import Any

from hub.errors import ConfigError

Step = str | int


class Document:
    """A YAML document: `value` is plain Python (dict with text keys, list, str, int, float, bool, None)."""

    value: Any
    file: str

    def line(self, path: tuple[Step, ...] = ()) -> int:
        """The line of the node at `path`, or of its nearest parent that is there."""
        raise NotImplementedError

    def error(self, path: tuple[Step, ...], what: str) -> ConfigError:
        """A ConfigError at the node's file and line."""
        return ConfigError(what, file=self.file, line=self.line(path))


def read_yaml(text: str, file: str = "") -> Document:
    """Read one YAML document by the core schema. Raises ConfigError with file and line."""
    raise NotImplementedError

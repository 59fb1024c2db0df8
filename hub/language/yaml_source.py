"""YAML without the traps of YAML 1.1, and with every node's line.

Only the core schema's plain forms mean something other than text: `true`/`false`, `null` (or nothing), whole numbers
without a leading zero or a sign of plus, and decimals. So `NO`, `yes`, `on`, `012`, `+34600`, `1:30`, `1_000` and
`2026-03-02` are the text that stands there. A mapping's keys are always text. A key twice, a merge key, a tag and a second
document are refused; depth and size are bounded, aliases counted at their full size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from hub.errors import ConfigError

Step = str | int

MAX_CHARACTERS = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 32
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"

_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,199})(?:\.[0-9]+(?:[eE][-+]?[0-9]{1,2})?|[eE][-+]?[0-9]{1,2})")

# The accelerated parser of libyaml where the wheel has it; both give the same events.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Node:
    """A value with its line; `children` by key or index, each with the line of its key."""

    __slots__ = ("children", "line", "size", "value")

    def __init__(self, value: Any, line: int) -> None:
        self.value = value
        self.line = line
        self.size = 1
        self.children: dict[Step, tuple[int, _Node]] = {}


class Document:
    """A YAML document: `value` is plain Python (dict with text keys, list, str, int, float, bool, None)."""

    def __init__(self, root: _Node, file: str) -> None:
        self.value: Any = root.value
        self.file = file
        self._root = root

    def line(self, path: tuple[Step, ...] = ()) -> int:
        """The line of the node at `path` (of its key, where it has one), or of its nearest parent that is there."""
        node, line = self._root, self._root.line
        for step in path:
            child = node.children.get(step)
            if child is None:
                break
            line, node = child
        return line

    def error(self, path: tuple[Step, ...], what: str) -> ConfigError:
        """A ConfigError at the node's file and line."""
        return ConfigError(what, file=self.file, line=self.line(path))


def read_yaml(text: str, file: str = "") -> Document:
    """Read one YAML document by the core schema. Raises ConfigError with file and line."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"a file of {len(text)} characters; at most {MAX_CHARACTERS} are read", file=file)
    try:
        return Document(_Reader(file).document(iter(yaml.parse(text, Loader=_Loader))), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context
        # libyaml has a bound of its own, and newer ones reach it while they look ahead.
        what = TOO_DEEP if problem == "exceeded maximum nesting depth" else f"no readable YAML: {problem}"
        raise ConfigError(what, file=file, line=mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, UnicodeError):
        raise ConfigError("no readable YAML: it holds characters that YAML does not allow", file=file) from None


class _Reader:
    """Builds nodes from libyaml's events, which come from a flat loop: no depth of nesting can exhaust the stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.anchors: dict[str, _Node | None] = {}
        self.nodes = 0

    def document(self, events: Iterator[Any]) -> _Node:
        next(events)  # the stream's start
        if isinstance(next(events), yaml.StreamEndEvent):
            return _Node(None, 1)
        root = self.node(next(events), events, 1)
        next(events)  # the document's end
        after: Any = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.error(after, "a second document; one file holds one")
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if depth > MAX_DEPTH:
            raise self.error(event, TOO_DEEP)
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise self.error(event, f'the tag "{event.tag}" is not read here; write the plain value')
        self.count(event, 1)
        node = _Node(None, event.start_mark.line + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # known, not finished: an alias to it would be a loop
        if isinstance(event, yaml.ScalarEvent):
            node.value = _scalar(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            self.sequence(node, events, depth)
        else:
            self.mapping(node, events, depth)
        node.size += sum(child.size for _, child in node.children.values())
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def sequence(self, node: _Node, events: Iterator[Any], depth: int) -> None:
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            child = self.node(event, events, depth + 1)
            node.children[len(node.children)] = (event.start_mark.line + 1, child)
        node.value = [child.value for _, child in node.children.values()]

    def mapping(self, node: _Node, events: Iterator[Any], depth: int) -> None:
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise self.error(event, "a key has to be plain text")
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise self.error(event, "merge keys (<<) are not read here; write the lines out")
            if key in node.children:
                raise self.error(event, f'"{key}" is here twice (first on line {node.children[key][0]})')
            node.children[key] = (line, self.node(next(events), events, depth + 1))
        node.value = {key: child.value for key, (_, child) in node.children.items()}

    def alias(self, event: Any) -> _Node:
        if event.anchor not in self.anchors:
            raise self.error(event, f'"*{event.anchor}" stands for nothing; there is no "&{event.anchor}" before it')
        node = self.anchors[event.anchor]
        if node is None:
            raise self.error(event, f'"*{event.anchor}" stands inside of what it stands for')
        self.count(event, node.size)
        return node

    def count(self, event: Any, more: int) -> None:
        self.nodes += more
        if self.nodes > MAX_NODES:
            raise self.error(event, f"more than {MAX_NODES} values, with aliases written out")

    def error(self, event: Any, what: str) -> ConfigError:
        return ConfigError(what, file=self.file, line=event.start_mark.line + 1)


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text

"""Examples are tests: run them, and say field by field what differs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from hub.errors import ConfigError
from hub.language.converters import moment
from hub.language.given import Example
from hub.language.mapping import Mapping, Rendered
from hub.model import Account, Record


@dataclass(frozen=True)
class ExampleResult:
    """What came of one example; `differences` is empty where it passed."""

    about: str
    line: int
    differences: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all that was expected came."""
        return not self.differences


def run_examples(mapping: Mapping) -> list[ExampleResult]:
    """Every example of the mapping, run."""
    return [
        ExampleResult(example.about, example.line, tuple(_differences(mapping, example)))
        for example in mapping.examples
    ]


def check_examples(mapping: Mapping) -> None:
    """Raise ConfigError at the first example that fails, with its line and all that differs."""
    for result in run_examples(mapping):
        if not result.passed:
            what = f'the example "{result.about}" fails: {"; ".join(result.differences)}'
            raise ConfigError(what, file=mapping.file, line=result.line)


def _differences(mapping: Mapping, example: Example) -> list[str]:
    reason = mapping.skips(example.given)
    if example.expect == "skip":
        return [] if reason is not None else ["it has to be skipped, and is not: `when` is met"]
    if reason is not None:
        return [f"it is skipped: {reason}"]
    rendered = _rendered(mapping, example)
    different = [
        f"{name}: expected {_shown(wanted)}, got {_shown(rendered.fields.get(name))}"
        for name, wanted in example.expect.items()
        if not _same(wanted, rendered.fields.get(name)) and name not in rendered.problems
    ]
    different += [f"{name}: {problem}" for name, problem in rendered.problems.items() if name not in example.problems]
    different += [f"{name}: a problem was expected" for name in example.problems if name not in rendered.problems]
    cuts = {note.field for note in rendered.notes if note.what == "cut"}
    different += [f"{name}: a cut was expected" for name in example.cuts if name not in cuts]
    return different


def _rendered(mapping: Mapping, example: Example) -> Rendered:
    if not example.records:
        return mapping.render_resolved(example.given)
    # Names that are given as one record keep it; those with several go the way that a CRM's answer goes.
    single = {one.name: [example.given[one.name]] for one in mapping.resolve if example.given.get(one.name)}
    facts = {word: value for word, value in example.given.items() if word not in single}
    found = {name: [_record(one) for one in several] for name, several in (single | example.records).items()}
    return mapping.render(facts, found)


def _record(given: dict[str, Any]) -> Record:
    rest = dict(given)
    account = rest.pop("account", None)
    times = {name: rest.pop(name, None) for name in ("last_contact_at", "created_at", "updated_at")}
    return Record(
        object=str(rest.pop("object", "")),
        id=str(rest.pop("id", "")),
        title=str(rest.pop("title", "")),
        url=str(rest.pop("url", "")),
        owner=rest.pop("owner", None),
        open_cases=rest.pop("open_cases", None),
        account=Account(**{"object": "", "id": "", "title": "", **account}) if account else None,
        last_contact_at=_moment(times["last_contact_at"]),
        created_at=_moment(times["created_at"]),
        updated_at=_moment(times["updated_at"]),
        fields=rest,
    )


def _moment(value: str | None) -> Any:
    return None if value is None else moment(value, ZoneInfo("UTC")).astimezone(UTC)


def _same(wanted: Any, got: Any) -> bool:
    return bool(wanted == got) and (type(wanted) is bool) == (type(got) is bool)


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)

"""Whether what happened is what a scenario says: a dict may have more than was told, a list may not."""

from __future__ import annotations

from typing import Any

ANYTHING = "..."


def unlike(expected: Any, actual: Any, where: str = "") -> str | None:
    """Where `actual` is not like `expected`, in words; None: it is. `...` stands for anything that is there."""
    if expected == ANYTHING:
        return None if actual is not None else f"{where}: nothing is there"
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return f"{where}: {actual!r} is not {expected!r}"
        missing = [name for name in expected if name not in actual and expected[name] is not None]
        if missing:
            return f"{where}: {', '.join(missing)} missing in {sorted(actual)}"
        inside = (unlike(value, actual.get(name), f"{where}.{name}") for name, value in expected.items())
        return next((problem for problem in inside if problem), None)
    if isinstance(expected, list):
        if not isinstance(actual, list | tuple) or len(actual) != len(expected):
            return f"{where}: {actual!r} is not {expected!r}"
        inside = (
            unlike(one, other, f"{where}[{n}]") for n, (one, other) in enumerate(zip(expected, actual, strict=True))
        )
        return next((problem for problem in inside if problem), None)
    return None if expected == actual else f"{where}: {actual!r} is not {expected!r}"


def written_out(value: Any) -> Any:
    """A scenario's value with `{repeat: text, times: n}` written out: a hundred thousand letters in one line of YAML."""
    if isinstance(value, dict):
        if set(value) == {"repeat", "times"}:
            return value["repeat"] * value["times"]
        return {name: written_out(inner) for name, inner in value.items()}
    return [written_out(inner) for inner in value] if isinstance(value, list) else value

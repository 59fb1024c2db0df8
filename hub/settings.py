"""What a declared setting is made of: a value of its kind, read from a file with references to the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.contract import Setting

REFERENCE = re.compile(r"\$\$\{|\$\{([^{}:]*)(?::-((?:[^{}]|\$\{[^{}]*\})*))?\}")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secret(str):
    """A text that no repr, log or answer shows. To the connector it is the text itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class NotSet(ValueError):
    """A reference to a variable that the environment does not have."""


class WrongValue(ValueError):
    """A value that is not of its setting's kind."""


def resolved(value: Any, env: Mapping[str, str]) -> Any:
    """`value` with every `${NAME}` and `${NAME:-default}` taken from `env`; an empty variable counts as not set.

    `$${` stays as `${`. Raises NotSet.
    """
    if isinstance(value, str) and "${" in value:
        return REFERENCE.sub(lambda found: _referred(found, env), value)
    if isinstance(value, list):
        return [resolved(item, env) for item in value]
    if isinstance(value, dict):
        return {key: resolved(item, env) for key, item in value.items()}
    return value


def _referred(found: re.Match[str], env: Mapping[str, str]) -> str:
    name, default = found.group(1), found.group(2)
    if name is None:
        return "${"
    if not ENV_NAME.fullmatch(name):
        raise NotSet(f'"{found.group()}" is not a reference; write ${{NAME}} or ${{NAME:-default}}')
    if env.get(name):
        return env[name]
    if default is None:
        raise NotSet(f"the environment variable {name} is not set")
    return str(resolved(default, env))


def checked(setting: Setting, value: Any) -> Any:
    """`value` as the setting's kind has it. Raises WrongValue with what would be right; never repeats a secret."""
    try:
        return _KINDS[setting.kind](value)
    except WrongValue as wrong:
        shown = "" if setting.secret else f", not {value!r}"
        example = f", such as {setting.example!r}" if setting.example is not None and not setting.secret else ""
        raise WrongValue(f"{setting.name} has to be {wrong}{shown}{example}") from None


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongValue("a text")
    return str(value)


def _url(value: Any) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongValue("a URL with http:// or https://")
    return str(value).rstrip("/")


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,18}", str(value).strip()):
        raise WrongValue("a whole number")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,18}(\.\d{1,9})?", str(value).strip()):
        raise WrongValue("a number")
    return float(value)


def _boolean(value: Any) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if str(value).strip().lower() not in words:
        raise WrongValue("true or false")
    return words[str(value).strip().lower()]


def _secret(value: Any) -> Secret:
    if not isinstance(value, str) or not value:
        raise WrongValue("a text that is not empty; take it from the environment: ${NAME}")
    return Secret(value)


def _secrets(value: Any) -> tuple[Secret, ...]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise WrongValue("one secret or a list of them")
    return tuple(_secret(one) for one in values)


def _file(value: Any) -> str:
    if not isinstance(value, str) or not Path(value).is_file():
        raise WrongValue("a file that is there")
    return value


def _list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list):
        raise WrongValue("a list of texts")
    return tuple(_text(item) for item in value)


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "text": _text,
    "url": _url,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "secret": _secret,
    "secrets": _secrets,
    "list": _list,
    "file": _file,
}

"""The dial plan: how a clicked number is read and what may not be dialled. Declared under `dial:` in config/hub.yaml."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from hub.config import Config
from hub.errors import ConfigError, PatchbayError, nearest
from hub.language.directory import DirectoryPlan
from hub.phone import digits, is_extension, is_premium, is_withheld


class DialRefused(PatchbayError):
    """A check forbids the dial; nothing was sent to the platform. `kind` names the check, such as `do-not-call`."""

    def __init__(self, kind: str, message: str, retry_after: float | None = None) -> None:
        self.kind, self.retry_after = kind, retry_after
        super().__init__(message)


class KeyReused(PatchbayError):
    """The idempotency key belongs to another request."""


@dataclass(frozen=True)
class DialPlan:
    """`dial:` in config/hub.yaml. Every word has its default."""

    connection: str = ""  # the platform that dials where the request names none and several could
    per_minute: int = 10  # dials of one agent
    blocked_prefixes: tuple[str, ...] = ()  # of E.164 numbers: +34803
    premium: bool = False  # whether numbers that cost extra by design may be dialled
    double_click_seconds: float = 3.0  # the same request again so soon is the same click
    answer_seconds: float = 10.0  # how long the person who clicked waits for the platform
    country_fields: tuple[str, ...] = ("country", "country_code")  # where a record keeps its ISO code
    do_not_call_fields: tuple[str, ...] = ("do_not_call",)

    def check_directory(self, directory: DirectoryPlan) -> None:
        """Raise ConfigError where the directory may say whose number it is and could not say that it must not be called."""
        for name, declared in directory.connections.items():
            if declared.policies["dial"] == "live":
                continue
            for one in declared.objects.values():
                if not any(one.keeps([field]) for field in self.do_not_call_fields):
                    wanted = " or ".join(f"row.{field}" for field in self.do_not_call_fields)
                    what = (
                        f"{name}: `dial: {declared.policies['dial']}` needs {wanted} among the `fields` of {one.object}"
                    )
                    raise ConfigError(f"{what}: else nobody would see who must not be called", file=directory.file)

    def refuse_as_typed(self, to: str) -> None:
        """Raise DialRefused for what is no outside number at all."""
        if is_withheld(to):
            raise DialRefused("no-number", "There is no number to dial.")
        if is_extension(to):
            raise DialRefused("extension", "This is an extension or a short number; dial it on the phone itself.")

    def refuse(self, number: str) -> None:
        """Raise DialRefused for an E.164 number that may not be dialled."""
        for prefix in self.blocked_prefixes:
            if number.startswith(prefix):
                raise DialRefused("blocked", f"Numbers that begin with {prefix} are blocked (dial.blocked_prefixes).")
        if not self.premium and is_premium(number):
            raise DialRefused("blocked", "This is a premium-rate number, and dial.premium does not allow them.")


def dial_plan(config: Config) -> DialPlan:
    """The plan that config/hub.yaml declares. Raises ConfigError with the nearest right name."""
    known = {field.name: field.default for field in fields(DialPlan)}
    told: dict[str, Any] = {}
    for name, value in config.dial.items():
        if name not in known:
            hint = nearest(name, known) or "; known: " + ", ".join(known)
            raise ConfigError(f"there is no setting dial.{name}{hint}", file=str(config.file))
        told[name] = _checked(config, name, value, known[name])
    plan = DialPlan(**told)
    if plan.connection and plan.connection not in config.connections:
        hint = nearest(plan.connection, config.connections)
        raise ConfigError(f'dial.connection: there is no connection "{plan.connection}"{hint}', file=str(config.file))
    return plan


def _checked(config: Config, name: str, value: Any, default: Any) -> Any:
    wanted = "a text"
    if isinstance(default, bool):
        wanted = "true or false"
        if isinstance(value, bool):
            return value
    elif isinstance(default, int | float):
        wanted = "a number above 0"
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return type(default)(value)
    elif isinstance(default, tuple):
        wanted = "a list of texts"
        if isinstance(value, list) and all(isinstance(one, str) and one for one in value):
            return tuple(_prefix(config, one) if name == "blocked_prefixes" else one for one in value)
    elif isinstance(value, str):
        return value
    raise ConfigError(f"dial.{name} has to be {wanted}, not {value!r}", file=str(config.file))


def _prefix(config: Config, written: str) -> str:
    if not written.startswith("+") or not digits(written):
        raise ConfigError(f'dial.blocked_prefixes: write "{written}" with its country code, such as +34803',
                          file=str(config.file))  # fmt: skip
    return "+" + digits(written)

"""Settings: config/hub.yaml and the environment, read once, checked against their declarations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from msgspec import structs

from hub.budget import KEPT
from hub.contract import Setting
from hub.declared import CONNECTION_SETTINGS, DIAL_SETTINGS, HUB_SETTINGS, POSITIVE
from hub.declared import VARIABLES as VARIABLE_NAMES
from hub.errors import ConfigError, nearest
from hub.installed import connector_class, connector_names
from hub.language.yaml_source import Document, read_yaml
from hub.settings import NotSet, Secret, WrongValue, checked, resolved
from hub.store.database import checked_url

READ_BACK = ("off", "sample", "full")
SECTIONS = ("connections", "dial")
VARIABLES = {"host": "PATCHBAY_HOST", "port": "PATCHBAY_PORT", "database_url": "PATCHBAY_DATABASE_URL"}
OURS = "PATCHBAY_"  # what a variable of the hub begins with
# What Kubernetes sets in every container for services whose names begin with "patchbay".
SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP)(_\w+)?$")
CONNECTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def hub_settings() -> tuple[Setting, ...]:
    """The settings of the hub itself; those below `dial:` are named with it."""
    return (*HUB_SETTINGS, *(structs.replace(setting, name=f"dial.{setting.name}") for setting in DIAL_SETTINGS))


def connection_settings() -> tuple[Setting, ...]:
    """The settings that every connection has, beside its connector's own."""
    return CONNECTION_SETTINGS


@dataclass(frozen=True)
class ConnectionConfig:
    """One configured use of a connector. `settings` are the connector's own, checked, with defaults filled in."""

    name: str
    connector: str
    settings: dict[str, Any]
    concurrency: int = 4  # calls at the same time
    calls_per_second: float | None = None
    calls_per_day: int | None = None
    kept_for_interactive: int = KEPT[0]  # percent of the day's calls that no lower lane takes
    kept_for_wrap_ups: int = KEPT[1]
    bulk_above: int = 2000  # deliveries of one mapping that are due; beyond it they go the vendor's bulk path
    timeout_seconds: float = 30.0
    read_back: str = "off"  # off | sample | full
    read_back_share: float = 0.05
    read_back_after_seconds: float = 5.0
    ca_file: str | None = None  # the certificates that are trusted instead of the public authorities'
    private_network: bool = False  # whether it may reach loopback and private addresses


@dataclass(frozen=True)
class Config:
    """Everything the hub was told."""

    file: Path
    company: str
    country: str  # ISO code: how national numbers are read where nothing nearer says so
    zone: str  # IANA name: where a mapping declares none
    public_url: str
    home: Path
    mappings: Path
    database_url: str
    host: str
    port: int
    connections: dict[str, ConnectionConfig]
    own_numbers: tuple[str, ...] = ()
    screen_pop_file: Path | None = None  # the decision table, where there is one
    directory_file: Path | None = None  # the customer directory's declaration, where there is one
    dial: dict[str, Any] = field(default_factory=dict)  # checked by hub.desk.dial
    max_body_bytes: int = 1 << 20
    lease_seconds: float = 60.0
    longest_retry_seconds: float = 600.0
    give_up_after_hours: float = 24.0
    credentials_check_hours: float = 6.0
    credentials_expiring_days: float = 14.0
    drift_hours: float = 24.0
    sample: bool = False
    unknown: tuple[str, ...] = ()  # a line for each variable that looks like one of the hub's and is none


def home_of(env: Mapping[str, str]) -> Path:
    """The folder of the store and of what else the hub keeps: PATCHBAY_HOME, by default var/."""
    return Path(env.get("PATCHBAY_HOME") or "var")


def config_file_of(env: Mapping[str, str]) -> Path:
    """The settings' file: PATCHBAY_CONFIG, by default config/hub.yaml."""
    return Path(env.get("PATCHBAY_CONFIG") or "config/hub.yaml")


def load_config(env: Mapping[str, str] | None = None) -> Config:
    """Read and check the settings. Raises ConfigError: one line with file, line and what would be right."""
    env = os.environ if env is None else env
    file = config_file_of(env)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}", file=str(file)
        ) from None
    config = _Reading(read_yaml(text, str(file)), file, env).config()
    return replace(config, unknown=tuple(unknown_variables(env, text)))


def unknown_variables(env: Mapping[str, str], text: str) -> Iterator[str]:
    """A line with the nearest right name for each PATCHBAY_… of `env` that neither the hub nor the settings `text` reads.

    Not refused: an environment may hold what another hub's settings refer to.
    """
    known = {*VARIABLE_NAMES, *re.findall(rf"\$\{{{OURS}(\w+)", text)}
    for name in sorted(name for name in env if name.startswith(OURS)):
        word = name.removeprefix(OURS)
        if word not in known and not SERVICE_LINK.search(name):
            close = nearest(word, known).replace('"', f'"{OURS}', 1)
            yield f"{name}: nothing reads this variable{close or '; config/example.env lists those that are read'}"


class _Reading:
    """One reading of one file: knows where everything stands."""

    def __init__(self, document: Document, file: Path, env: Mapping[str, str]) -> None:
        self.document, self.file, self.env = document, file, env

    def config(self) -> Config:
        top = self._mapping((), self.document.value or {})
        self._known_names((), top, (*(setting.name for setting in HUB_SETTINGS), *SECTIONS))
        told = self._settings((), top, HUB_SETTINGS, VARIABLES)
        self._plausible(told)
        home, beside = home_of(self.env), self.file.parent
        mappings = self.env.get("PATCHBAY_MAPPINGS")
        screen_pop, directory = beside / told["screen_pop"], beside / told["directory"]
        for word, named in (("screen_pop", screen_pop), ("directory", directory)):
            if word in top and not named.exists():
                raise self._wrong((word,), f"there is no file {named}")
        return Config(
            file=self.file,
            company=told["company"],
            country=told["country"].upper(),
            zone=told["zone"],
            public_url=told["public_url"] or f"http://{_reachable(told['host'])}:{told['port']}",
            home=home,
            mappings=Path(mappings or os.path.normpath(beside / (told["mappings"] or "../mappings"))),
            database_url=told["database_url"] or Secret(f"sqlite:///{home / 'patchbay.db'}"),
            host=told["host"],
            port=told["port"],
            connections=self._connections(top.get("connections") or {}),
            own_numbers=told["own_numbers"],
            screen_pop_file=screen_pop if screen_pop.exists() else None,
            directory_file=directory if directory.exists() else None,
            dial=self._dial(self._mapping(("dial",), top.get("dial") or {})),
            max_body_bytes=told["max_body_bytes"],
            lease_seconds=told["lease_seconds"],
            longest_retry_seconds=told["longest_retry_seconds"],
            give_up_after_hours=told["give_up_after_hours"],
            credentials_check_hours=told["credentials_check_hours"],
            credentials_expiring_days=told["credentials_expiring_days"],
            drift_hours=told["drift_hours"],
            sample=told["sample"],
        )

    def _dial(self, given: dict[str, Any]) -> dict[str, Any]:
        self._known_names(("dial",), given, [setting.name for setting in DIAL_SETTINGS])
        told = self._settings(("dial",), given, DIAL_SETTINGS, {})
        return {name: list(told[name]) if isinstance(told[name], tuple) else told[name] for name in given}

    def _plausible(self, told: Mapping[str, Any]) -> None:
        if told["country"].upper() not in phonenumbers.SUPPORTED_REGIONS:
            close = nearest(told["country"].upper(), phonenumbers.SUPPORTED_REGIONS)
            raise self._wrong(("country",), f'country has to be an ISO code such as ES, not "{told["country"]}"{close}')
        try:
            ZoneInfo(told["zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self._wrong(
                ("zone",), f'zone has to be an IANA name such as Europe/Madrid, not "{told["zone"]}"'
            ) from None
        if not 0 < told["port"] < 65536:
            raise self._wrong_setting("port", f"port has to be between 1 and 65535, not {told['port']}")
        if told["database_url"]:
            try:
                checked_url(told["database_url"])
            except ConfigError as error:
                raise self._wrong_setting("database_url", error.what) from None

    def _connections(self, given: Any) -> dict[str, ConnectionConfig]:
        found = {}
        for name, value in self._mapping(("connections",), given).items():
            path = ("connections", name)
            if not CONNECTION_NAME.fullmatch(name):
                raise self._wrong(path, f'"{name}" cannot name a connection; use lower-case letters, digits and _')
            found[name] = self._connection(name, path, self._mapping(path, value))
        return found

    def _connection(self, name: str, path: tuple[str, ...], given: Mapping[str, Any]) -> ConnectionConfig:
        kind = given.get("connector")
        if not isinstance(kind, str):
            known = ", ".join(connector_names())
            raise self._wrong(path, f"connection {name} has to say which connector it uses: {known}")
        try:
            own = connector_class(kind).manifest.settings
        except ConfigError as error:
            raise self._wrong((*path, "connector"), error.what) from None
        self._known_names(path, given, [setting.name for setting in (*CONNECTION_SETTINGS, *own)])
        settings = self._settings(path, given, own, {})
        common = self._settings(path, given, CONNECTION_SETTINGS, {})
        if common["read_back"] not in READ_BACK:
            close = nearest(common["read_back"], READ_BACK) or f"; known: {', '.join(READ_BACK)}"
            raise self._wrong((*path, "read_back"), f'read_back cannot be "{common["read_back"]}"{close}')
        if not 0 <= common["read_back_share"] <= 1:
            raise self._wrong((*path, "read_back_share"), "read_back_share has to be from 0 to 1")
        kept = [common[setting] for setting in ("kept_for_interactive", "kept_for_wrap_ups")]
        if min(kept) < 0 or sum(kept) > 100:
            what = "kept_for_interactive and kept_for_wrap_ups are percents of one day: together 100 at most"
            raise self._wrong(path, what)
        return ConnectionConfig(name=name, settings=settings, **common)

    def _settings(
        self, path: tuple[str, ...], given: Mapping[str, Any], declared: Iterable[Setting], from_env: Mapping[str, str]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for setting in declared:
            here, name, value = (*path, setting.name), setting.name, given.get(setting.name)
            variable = from_env.get(name, "")
            if self.env.get(variable):
                try:
                    values[name] = checked(setting, self.env[variable])
                except WrongValue as wrong:
                    raise ConfigError(f"{variable}: {wrong}") from None
            elif value is None:
                if setting.required:
                    raise self._wrong(here if name in given else path, f"{name} is required: {setting.about}")
                values[name] = setting.default
            else:
                try:
                    told = self._resolved(here, value)
                    values[name] = checked(setting, self._beside(told) if setting.kind == "file" else told)
                except WrongValue as wrong:
                    raise self._wrong(here, str(wrong)) from None
            if name in POSITIVE and values[name] is not None and values[name] <= 0:
                raise self._wrong(here, f"{name} has to be more than 0")
        return values

    def _beside(self, value: Any) -> Any:
        """A file's path, from the settings' own folder."""
        return str(self.file.parent / value) if isinstance(value, str) and value else value

    def _resolved(self, path: tuple[str, ...], value: Any) -> Any:
        try:
            return resolved(value, self.env)
        except NotSet as missing:
            raise self._wrong(path, f"{missing} (for {'.'.join(path)})") from None

    def _mapping(self, path: tuple[str, ...], value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self._wrong(path, f"{'.'.join(path) or 'the file'} has to be a list of `name: value` lines")
        return value

    def _known_names(self, path: tuple[str, ...], given: Mapping[str, Any], known: Iterable[str]) -> None:
        known = list(known)
        for name in given:
            if name not in known:
                where = f" of {'.'.join(path)}" if path else ""
                close = nearest(name, known) or f"; known: {', '.join(known)}"
                raise self._wrong((*path, name), f'there is no setting "{name}"{where}{close}')

    def _wrong_setting(self, name: str, what: str) -> ConfigError:
        """What is wrong with a setting that a variable may have given."""
        variable = VARIABLES[name]
        return ConfigError(f"{variable}: {what}") if self.env.get(variable) else self._wrong((name,), what)

    def _wrong(self, path: tuple[str, ...], what: str) -> ConfigError:
        return self.document.error(path, what)


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host  # noqa: S104

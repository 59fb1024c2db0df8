"""Settings: config/hub.yaml and the environment, read once, checked against their declarations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ConnectionConfig:
    """One configured use of a connector. `settings` are the connector's own, checked, with defaults filled in."""

    name: str
    connector: str
    settings: dict[str, Any]
    concurrency: int = 4  # calls at the same time
    calls_per_second: float | None = None
    calls_per_day: int | None = None
    timeout_seconds: float = 30.0
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
    screen_pop: dict[str, Any] = field(default_factory=dict)  # checked by hub.desk.rules
    dial: dict[str, Any] = field(default_factory=dict)  # checked by hub.desk.dial
    max_body_bytes: int = 1 << 20

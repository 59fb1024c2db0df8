"""What a connector owes, computed from its capabilities: each verb's cases, and the faults of each verb that calls out.

A scenario's name is `<verb> <case>`: `find many`, `write unknown_outcome`.
"""

from __future__ import annotations

from hub.contract import Connector, capabilities

CASES: dict[str, tuple[str, ...]] = {
    "check": ("happy",),
    "receive": ("happy", "none", "many", "twice", "unsigned", "forged", "stale", "unreadable", "invalid", "hostile"),
    "listen": ("happy", "many", "twice", "hostile"),
    "find": ("happy", "none", "many", "hostile"),
    "describe": ("happy", "none"),
    "write": ("happy", "none", "many", "twice", "changed", "half", "removed", "hostile"),
    "pages": ("happy", "none", "many", "resumed", "changed", "hostile"),
    "links": ("happy", "hostile"),
    "dial": ("happy", "refused", "twice", "hostile"),
}
FAULTS = ("unavailable", "throttled", "unauthorized")
UNKNOWN = "unknown_outcome"
CALLS_OUT = ("check", "find", "describe", "write", "pages", "dial")
CHANGES = ("write", "dial")


def owed(connector: type[Connector]) -> tuple[str, ...]:
    """The names of all scenarios that a connector owes.

    Faults of the transport are owed where there is a transport: a connector with an address to call has a setting of kind
    `url`. The embedded CRM, whose vendor is the hub's own store, has none; a platform that only sends hooks calls nobody.
    """
    verbs = capabilities(connector)
    names = [f"{verb} {case}" for verb in verbs for case in CASES[verb]]
    if any(setting.kind == "url" for setting in connector.manifest.settings):
        names += [f"{verb} {fault}" for verb in verbs if verb in CALLS_OUT for fault in FAULTS]
        names += [f"{verb} {UNKNOWN}" for verb in verbs if verb in CHANGES]
    return tuple(names)


def cases_of(verb: str) -> tuple[str, ...]:
    """Every case that a scenario of `verb` can be about."""
    return (*CASES[verb], *(FAULTS if verb in CALLS_OUT else ()), *((UNKNOWN,) if verb in CHANGES else ()))

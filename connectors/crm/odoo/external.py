"""External ids: the names that Odoo keeps for records in `ir.model.data`, each once in a database.

`load()` makes or changes the record of an external id, so a key of ours that is an external id is a native upsert. A name
has to be short and plain, and a key may be anything: the name is the key's hash, in a module of our own.
Source: Odoo, `BaseModel.load`, `ir.model.data` (unique by module and name).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from connectors.crm.odoo.rpc import Rpc

KEY = "external_id"  # as a target's key and among the fields of a description
_MOST = 500


class ExternalIds:
    """The external ids of one database that are ours."""

    def __init__(self, rpc: Rpc, module: str) -> None:
        self._rpc, self._module = rpc, module

    def full(self, key: str) -> str:
        """A key's external id, as `load()` takes it."""
        return f"{self._module}.{_name(key)}"

    def records(self, model: str, keys: Iterable[str]) -> dict[str, int]:
        """By key the id of its record, where there is one. One call for each 500 keys."""
        names = {_name(key): key for key in keys}
        found: dict[str, int] = {}
        wanted = sorted(names)
        for start in range(0, len(wanted), _MOST):
            domain = [
                ["module", "=", self._module],
                ["model", "=", model],
                ["name", "in", wanted[start : start + _MOST]],
            ]
            for one in self._rpc.ask("ir.model.data", "search_read", domain=domain, fields=["name", "res_id"]):
                found[names[one["name"]]] = int(one["res_id"])
        return found


def _name(key: str) -> str:
    return "k" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40]

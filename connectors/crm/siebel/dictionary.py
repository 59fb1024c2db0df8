"""What is known of a component's fields: asked once an hour, used by every thread."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping

from connectors.crm.siebel.components import Component
from connectors.crm.siebel.fields import types
from connectors.crm.siebel.rest import Rest
from hub.errors import NotFound, NotPermitted, Rejected

KEPT = dt.timedelta(hours=1)


class Dictionary:
    """The data types of fields, by Siebel's own `describe`."""

    def __init__(self, rest: Rest, now: Callable[[], dt.datetime]) -> None:
        self._rest, self._now = rest, now
        self._lock = threading.Lock()
        self._known: dict[str, tuple[dt.datetime, Mapping[str, str]]] = {}

    def types(self, component: Component) -> Mapping[str, str]:
        """Siebel's data types by field; none where our user may not see the description, and values then go as text."""
        with self._lock:
            found = self._known.get(component.name)
            if found is None or found[0] + KEPT <= self._now():
                found = (self._now(), self._asked(component))
                self._known[component.name] = found
            return found[1]

    def _asked(self, component: Component) -> Mapping[str, str]:
        try:
            return types(self._rest.described(component))
        except (NotFound, NotPermitted, Rejected):
            return {}

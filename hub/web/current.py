"""The hub that this Flask application serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import current_app

if TYPE_CHECKING:
    from hub.assembly import Hub

EXTENSION = "patchbay"


def the_hub() -> Hub:
    """The hub behind the present request."""
    return cast("Hub", current_app.extensions[EXTENSION])

"""Waiting for what another thread or process does.

A test says what it waits for and goes on as soon as that is so. How long it may take says nothing about the product, only
when to give up instead of hanging: PATIENCE is far more than a slow and busy machine needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0  # seconds

T = TypeVar("T")


def until(what: Callable[[], T | None], *, seconds: float = PATIENCE, about: str = "it") -> T:
    """What `what` gives as soon as that is true. Fails when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        given = what()
        if given:
            return given
        if time.monotonic() > deadline:
            raise AssertionError(f"{about} did not happen within {seconds:.0f} s")
        time.sleep(0.01)

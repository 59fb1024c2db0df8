"""How pages show values: moments in the company's zone, durations, safe links. Filters and tests of every template."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hub.clock import from_ms
from hub.web.current import the_hub


def local(moment: int | str | datetime | None) -> datetime | None:
    """A moment of the store (ms), of a record (ISO text) or of the model, in the company's zone."""
    if moment is None:
        return None
    if isinstance(moment, int):
        moment = from_ms(moment)
    elif isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone(ZoneInfo(the_hub().config.zone))


def duration(seconds: float | None) -> str:
    """Seconds as people read them: `45 s`, `3:04 min`, `1:02:03 h`."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} h"


def is_web_address(url: str | None) -> bool:
    """Whether a link to `url` is safe: http or https and nothing else."""
    return url is not None and url.lower().startswith(("https://", "http://"))

"""Structured logs: one line an event, JSON for machines or plain for a terminal. Keys are ids and names of ours.

No personal data: what people said, their names, numbers and addresses are not logged, and exceptions are logged without
the values of variables.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

import structlog
from structlog.typing import Processor

from hub.errors import ConfigError, nearest

FORMS = ("console", "json")
# What it says of a value that is not by the schema is a traceback with the value in it; the error that we raise says enough.
SILENT = ("zeep",)
QUIET = ("apscheduler", "alembic", "sqlalchemy", "urllib3", "werkzeug", "uvicorn")


def set_up_logs(env: Mapping[str, str]) -> None:
    """Log to standard error, in the form that PATCHBAY_LOG names: by default `console` on a terminal, else `json`."""
    form = env.get("PATCHBAY_LOG") or ("console" if sys.stderr.isatty() else "json")
    if form not in FORMS:
        raise ConfigError(f'PATCHBAY_LOG has to be one of {", ".join(FORMS)}, not "{form}"{nearest(form, FORMS)}')
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=False)]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)

"""Small pages of a CRM, put together: each transaction costs as much as it touches of an index in which numbers come in no
order, so few large ones are several times as fast as many small ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from hub.errors import ConnectorError
from hub.model import Page

BATCH = 20_000  # rows that are kept in one transaction, however small the CRM's pages are …
BATCH_SECONDS = 3.0  # … unless it takes its time: what was read is soon safe


def in_batches(pages: Iterator[Page], rows: int | None = None, seconds: float = BATCH_SECONDS) -> Iterator[Page]:
    """Page after page put together, as one page of at least `rows` rows or of what has come within `seconds`. What was read
    before the CRM failed comes before its failure."""
    held, since = [], time.monotonic()
    try:
        for page in pages:
            held.append(page)
            enough = sum(len(one.rows) + len(one.removed) for one in held) >= (rows or BATCH)
            if enough or page.cursor is None or time.monotonic() - since >= seconds:
                yield _together(held)
                held, since = [], time.monotonic()
    except ConnectorError:
        if held:
            yield _together(held)
        raise


def _together(pages: Sequence[Page]) -> Page:
    if len(pages) == 1:
        return pages[0]
    rows: dict[str, dict[str, Any]] = {}
    removed: set[str] = set()
    for page in pages:
        for id in page.removed:
            rows.pop(id, None)
        removed.update(page.removed)
        for row in page.rows:
            rows[str(row["id"])] = row
            removed.discard(str(row["id"]))
    last = pages[-1]
    return Page(rows=list(rows.values()), removed=sorted(removed), cursor=last.cursor, watermark=last.watermark)

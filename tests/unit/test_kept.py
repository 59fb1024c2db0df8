"""What counts as kept, whatever form a CRM gives it; and what does not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from hub.flow.kept import ABSENT, verdict
from hub.model import Field, FieldType


def judged(kind: FieldType | None, sent: Any, stored: Any) -> str:
    return verdict(None if kind is None else Field(name="X", type=kind), sent, stored, "ES")


@pytest.mark.parametrize(
    ("kind", "sent", "stored"),
    [
        ("integer", 5, "5"), ("decimal", 5, Decimal("5.00")), ("decimal", 12.345, "12.35"), ("decimal", 2.5, 2.50),
        ("decimal", 0.1 + 0.2, "0.3"), ("boolean", True, "true"), ("boolean", False, None), ("boolean", False, 0),
        ("integer", 0, None), ("date", "2026-03-02", date(2026, 3, 2)),
        ("datetime", "2026-03-02T10:00:00+01:00", "2026-03-02T09:00:00Z"),
        ("datetime", "2026-03-02T09:00:00.123Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("phone", "+34612345678", "612 34 56 78"), ("phone", "+34612345678", "(+34) 612-345-678"),
        (None, "+34612345678", "0034 612345678"), ("email", "Ana@Example.com", "ana@example.com"),
        ("url", "https://x.example", "https://x.example/"), ("picklist", "inbound", "Inbound"),
        ("longtext", "a\nb  ", "a\r\nb"), ("longtext", "a <b> c", "a <b> c"),
        ("longtext", "one\n\ntwo", "<p>one</p><p>two</p>"), ("longtext", "<p>one <b>two</b></p>", "one two"),
        ("text", "cafe\u0301", "caf\u00e9"), ("reference", "003A0000012xKLm", "003A0000012xKLmIAM"),
        ("reference", "7", 7), ("text", "x", "x "), ("text", None, ""), ("text", "", ABSENT), ("text", None, ABSENT),
    ],
)  # fmt: skip
def test_kept(kind: FieldType | None, sent: Any, stored: Any) -> None:
    assert judged(kind, sent, stored) == "kept"


@pytest.mark.parametrize(
    ("kind", "sent", "stored", "said"),
    [
        ("longtext", "a" * 300, "a" * 255, "cut"), ("text", "Call from Ada Lovelace", "Call from…", "cut"),
        ("text", "Call from Ada", "Call from ...", "cut"), ("longtext", "one\ntwo three", "<p>one</p><p>two</p>", "cut"),
        ("text", "Call", "Called", "changed"), ("text", "Call", "call", "changed"),
        ("picklist", "High", "Normal", "changed"),
        ("integer", 5, 6, "changed"), ("decimal", 12.5, 13, "changed"), ("decimal", 12.345, "12.36", "changed"),
        ("boolean", True, False, "changed"), ("boolean", True, "no", "changed"), ("boolean", True, None, "missing"),
        ("datetime", "2026-03-02T10:00:00+01:00", "2026-03-02T10:00:00Z", "changed"),
        ("date", "2026-03-02", "2026-03-01", "changed"), ("phone", "+34612345678", "+34612345679", "changed"),
        ("reference", "7", "71", "changed"), ("text", "x", None, "missing"), ("text", "x", " ", "missing"),
        ("text", "x", ABSENT, "missing"), ("boolean", False, ABSENT, "missing"), ("text", None, "by a trigger", "changed"),
        ("longtext", "x", ["x"], "changed"),
    ],
)  # fmt: skip
def test_not_kept(kind: FieldType | None, sent: Any, stored: Any, said: str) -> None:
    assert judged(kind, sent, stored) == said

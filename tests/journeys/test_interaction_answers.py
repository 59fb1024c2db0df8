"""What the API says of an interaction in each part of its life."""

from __future__ import annotations

from pathlib import Path

from tests.whole_hub import whole_hub


def test_what_goes_without_saying_in_the_store_is_said(tmp_path: Path, store_url: str) -> None:
    with whole_hub(tmp_path, store_url) as whole:
        whole.take(type="interaction.created", interaction={"id": "call-1"})
        told = whole.program.get("/interactions/call-1")
        assert (told["interaction"]["state"], told["interaction"]["anonymous"], told["final"]) == (
            "created",
            False,
            False,
        )
        whole.take(id="e-2", type="interaction.wrapped_up", interaction={"id": "call-1", "remote": "anonymous"})
        told = whole.program.get("/interactions/call-1")
        assert (told["interaction"]["state"], told["interaction"]["anonymous"], told["final"]) == (
            "wrapped_up",
            True,
            True,
        )

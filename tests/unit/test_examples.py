"""The example connections are read as they stand, by an admin who has set no more than the names without a default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.config import load_config
from tests.shipped import ROOT

FILES = sorted((ROOT / "config" / "examples").glob("*.yaml"))
WITHOUT_DEFAULT = re.compile(r"^[^#\n]*\$\{(\w+)\}", re.MULTILINE)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_an_example_connection_is_read_as_it_stands(file: Path, tmp_path: Path) -> None:
    text = file.read_text()
    if not text.startswith("country:") and "\ncountry:" not in text:  # to be added to settings that are there
        file = tmp_path / "hub.yaml"
        file.write_text(f"country: ES\n{text}")
    told = {name: f"https://{name.lower()}.example" for name in WITHOUT_DEFAULT.findall(text)}
    assert load_config({"PATCHBAY_CONFIG": str(file), **told}).connections

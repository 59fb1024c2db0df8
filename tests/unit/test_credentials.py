"""The first credentials: given, kept, or made once."""

from __future__ import annotations

import threading
from pathlib import Path

from hub.credentials import ADMIN_PASSWORD, API_TOKEN, WEBHOOK_SECRET, credentials_file, with_credentials
from tests.waiting import PATIENCE


def test_what_is_missing_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    env = {"PATCHBAY_HOME": str(tmp_path / "home")}
    first = with_credentials(env, make=True)
    assert first[WEBHOOK_SECRET].startswith("whsec_")
    assert len(first[ADMIN_PASSWORD]) >= 12
    assert with_credentials(env, make=True) == first
    assert with_credentials(env) == first
    assert credentials_file(env).stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "home").iterdir()) == [credentials_file(env)]


def test_the_environment_wins_and_is_not_kept(tmp_path: Path) -> None:
    env = {"PATCHBAY_HOME": str(tmp_path), ADMIN_PASSWORD: "given", API_TOKEN: ""}
    made = with_credentials(env, make=True)
    assert made[ADMIN_PASSWORD] == "given"
    assert made[API_TOKEN], "an empty variable is not a token"
    assert "given" not in credentials_file(env).read_text()
    assert with_credentials({"PATCHBAY_HOME": str(tmp_path)}, make=True)[ADMIN_PASSWORD] != "given"


def test_nothing_is_made_unasked(tmp_path: Path) -> None:
    assert with_credentials({"PATCHBAY_HOME": str(tmp_path)}) == {"PATCHBAY_HOME": str(tmp_path)}
    assert not list(tmp_path.iterdir())


def test_hubs_that_start_together_agree(tmp_path: Path) -> None:
    env, found = {"PATCHBAY_HOME": str(tmp_path)}, []
    ready = threading.Barrier(8)

    def start() -> None:
        ready.wait(PATIENCE)
        found.append(with_credentials(env, make=True))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(one == found[0] for one in found)

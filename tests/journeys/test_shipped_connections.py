"""What ships for each CRM, as an admin tries it: the connection, its mappings and its screen pop table, at its sandbox."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from hub.assembly import Hub
from hub.cli import main
from hub.config import load_config
from hub.desk.rules import table_of
from sandbox.frame import serving
from tests.contract.peer import peer_module
from tests.ports import free_port
from tests.shipped import mapping_of, names_of
from tests.whole_hub import SECRET

ROOT = Path(__file__).parents[2]
CONNECTIONS = ROOT / "config" / "examples"
MAPPINGS = ROOT / "mappings" / "examples"
NAMES = sorted(file.stem for file in CONNECTIONS.glob("*.yaml"))
PLATFORMS = ("softphone", "webhook")
# Their tables are in a PostgreSQL of their own; tests/journeys/test_in_house.py carries them through.
WITHOUT_A_SANDBOX = ("sql",)
VARIABLE = re.compile(r"\$\{(\w+)")

Told = dict[str, str]


@pytest.fixture(autouse=True)
def _quiet_again() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def served(name: str, closing: ExitStack) -> Told:
    """Serves the sandboxes of an example's connections; what an admin then exports, and nothing beyond."""
    env: Told = {}
    for one in yaml.safe_load((CONNECTIONS / f"{name}.yaml").read_text())["connections"].values():
        if one["connector"] in (*PLATFORMS, *WITHOUT_A_SANDBOX):
            continue
        peer = peer_module(one["connector"]).Peer  # type: ignore[union-attr]
        running = closing.enter_context(serving(peer.SANDBOX(), tls=peer.TLS))
        told = {"url": running.url + peer.PATH, **running.sandbox.credentials()}
        if peer.TLS:
            told["ca_file"] = running.ca_file
        for setting, value in told.items():
            written = str(one.get(setting, value))
            if variable := VARIABLE.match(written):
                env[variable[1]] = str(value)
            else:  # what the sandbox makes anew at each start has to be a variable
                assert written == str(value), f"{name}: {setting} is what the sandbox takes, or a variable"
        for written in one.values():  # further addresses of the same system
            if (
                (variable := VARIABLE.match(str(written)))
                and variable[1] not in env
                and "_URL:-http://127" in str(written)
            ):
                env[variable[1]] = re.sub(r".*:-http://127[\d.:]+([^}]*)}.*", running.url + r"\1", str(written))
    return env


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Told]]:
    """Gives the environment of an example whose sandbox runs."""
    with ExitStack() as closing:

        def of(name: str) -> Told:
            for variable in [one for one in os.environ if one.startswith("PATCHBAY_")]:
                monkeypatch.delenv(variable)
            env = {
                "PATCHBAY_CONFIG": str(CONNECTIONS / f"{name}.yaml"),
                "PATCHBAY_MAPPINGS": str(MAPPINGS / name),
                "PATCHBAY_HOME": str(tmp_path),
                "PATCHBAY_WEBHOOK_SECRET": SECRET,
                "PATCHBAY_SOFTPHONE_URL": f"http://127.0.0.1:{free_port()}",
                **served(name, closing),
            }
            for variable, value in env.items():
                monkeypatch.setenv(variable, value)
            return env

        yield of


def test_each_has_its_mappings_and_its_table() -> None:
    assert sorted(folder.name for folder in MAPPINGS.iterdir()) == NAMES
    assert sorted(file.stem for file in (CONNECTIONS / "screen_pop").glob("*.yaml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_any_of_its_platforms_sends_is_written(name: str) -> None:
    sources = [mapping_of(name, mapping).source for mapping in names_of(name)]
    heard = [{*one.connections} for one in sources if any(event.startswith("interaction.") for event in one.events)]
    connections = yaml.safe_load((CONNECTIONS / f"{name}.yaml").read_text())["connections"]
    platforms = {one for one, told in connections.items() if told["connector"] in PLATFORMS}
    assert heard and all(platforms <= mine for mine in heard)


@pytest.mark.parametrize("name", NAMES)
def test_as_it_stands_it_agrees_with_its_sandbox(
    name: str, tried: Callable[[str], Told], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried(name)
    monkeypatch.setattr(sys, "argv", ["patchbay", "check", "--live"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    beyond = [line for line in said.err.splitlines() if line and "by_sql.yaml:1: not compared" not in line]
    assert beyond in ([], ["Error: 1 problem"]), said.err
    assert (ended.value.code or 0) == len(beyond) and f"screen pop: {CONNECTIONS}" in said.out, (said.out, said.err)


@pytest.mark.parametrize("name", NAMES)
def test_it_signs_in_pulls_its_list_and_pops_what_its_crm_has(name: str, tried: Callable[[str], Told]) -> None:
    config = load_config(tried(name))
    with Hub(config) as hub:
        hub.mappings.publish_files(config.mappings)
        assert len(hub.mappings.all()) == len(list((MAPPINGS / name).glob("*.yaml")))
        for pulled in hub.lists.names():
            counts = hub.lists.pull(pulled, simulate=True)
            assert counts.sent, f"{pulled}: nobody may be called: {counts.left_out}"
        table = table_of(config)
        assert table.connections
        for one in table.connections:
            crm: Any = hub.connections[one].connector
            assert crm.check().user
            assert table.new_object in crm.manifest.people
            for rule in table.rules:
                assert set(rule.order) <= {*crm.objects()}, f"{rule.word}: {rule.order}"
            new = crm.links("new", table.new_object, fields=dict.fromkeys(table.new_fields, "+34612345678"))
            assert "34612345678" in new

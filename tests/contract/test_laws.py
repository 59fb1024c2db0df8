"""What holds for every connector without calling anything: what it says of itself, and what it must not do."""

from __future__ import annotations

import ast
import inspect
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import connectors
from hub.contract import VERBS, capabilities
from hub.installed import GROUP, connector_class, connector_names

ROOT = Path(connectors.__file__).parent
FAMILIES = ("crm", "platform", "mailbox")
MAY_IMPORT = ("hub.contract", "hub.model", "hub.errors", "hub.clock", "hub.phone")
# The embedded CRM's vendor is the hub's own store.
STORE_OF = {"embedded": "hub.store.crm"}
SECRET_WORDS = ("password", "secret", "token", "api_key", "private_key")


def test_found_by_entry_point() -> None:
    assert set(connector_names()) >= {"embedded", "softphone", "tryton", "webhook"}


def _named() -> dict[str, str]:
    told = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    found: dict[str, str] = told["project"]["entry-points"][GROUP]
    return found


def _written() -> list[str]:
    """The modules of `connectors/<family>/`, one for each connector."""
    places = [place for family in FAMILIES for place in (ROOT / family).glob("[!_]*")]
    return sorted(
        f"connectors.{place.parent.name}.{place.stem}"
        for place in places
        if place.suffix == ".py" or (place / "__init__.py").exists()
    )


@pytest.mark.parametrize("module", _written())
def test_is_named(module: str) -> None:
    named = [value.partition(":")[0] for value in _named().values()]
    assert module in named, f'pyproject.toml does not name {module}: a line under [project.entry-points."{GROUP}"]'


@pytest.mark.parametrize("name", sorted(_named()))
def test_is_installed(name: str) -> None:
    assert name in connector_names(), (
        f"pyproject.toml names {name}, but it is not installed yet: run `make .venv/.test`"
    )


@pytest.mark.parametrize("name", connector_names())
def test_manifest_is_complete(name: str) -> None:
    manifest = connector_class(name).manifest
    assert manifest.name == name and manifest.title and len(manifest.about) > 20
    assert manifest.family == inspect.getmodule(connector_class(name)).__name__.split(".")[1]
    assert manifest.rows_per_call > 0 and manifest.lookups_per_call > 0
    able = capabilities(connector_class(name))
    assert able, "a connector without a verb is none"
    assert ("write" in able) == (manifest.idempotency is not None), "what writes says how it stays idempotent"
    if "find" in able:
        assert manifest.people and manifest.new_person in manifest.people, "what finds says in which objects people are"
    assert not manifest.company or manifest.company in manifest.people


@pytest.mark.parametrize("name", connector_names())
def test_settings_explain_themselves(name: str) -> None:
    settings = connector_class(name).manifest.settings
    assert len({setting.name for setting in settings}) == len(settings)
    for setting in settings:
        assert len(setting.about) > 10, f"{setting.name}: what is it?"
        assert setting.example is not None or setting.default is not None or setting.secret, (
            f"{setting.name}: an example"
        )
        assert not (setting.required and setting.default is not None), f"{setting.name}: required, or with a default"
        assert setting.secret or not any(word in setting.name for word in SECRET_WORDS), f"{setting.name}: a secret"
        assert not setting.secret or setting.default is None, f"{setting.name}: no secret has a default"
        assert not setting.secret or str(setting.example or "${").startswith("${"), (
            f"{setting.name}: no secret in a manual"
        )


@pytest.mark.parametrize("name", connector_names())
def test_verbs_are_the_contract_s(name: str) -> None:
    kind = connector_class(name)
    public = {word for word, member in inspect.getmembers(kind, callable) if not word.startswith("_")}
    assert public == set(capabilities(kind)) | ({"objects"} if "describe" in public else set())
    for verb in capabilities(kind):
        promised = inspect.signature(getattr(VERBS[verb], verb)).parameters
        assert list(inspect.signature(getattr(kind, verb)).parameters) == list(promised), verb
        assert inspect.getdoc(getattr(kind, verb)), f"{verb} says nothing of itself"


def _rooms(name: str) -> list[Path]:
    """The connector's file and those of `connectors` that it imports, however far."""
    module = connector_class(name).__module__
    taken = {entry.value.partition(":")[0] for entry in entry_points(group=GROUP)} - {module}
    rooms, waiting = [], [module]
    while waiting:
        file = _file(waiting.pop())
        if file is None or file in rooms:
            continue
        rooms.append(file)
        for imported in _imports(file):
            if imported.startswith("connectors."):
                assert imported not in taken, f"{file.name} imports another connector: {imported}"
                waiting.append(imported)
    return rooms


def _file(module: str) -> Path | None:
    place = ROOT.parent.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()), None)


def _imports(file: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from hub import phone` imports a room; `from hub.phone import e164` a word of one.
            found += [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "hub" else [node.module]
    return found


@pytest.mark.parametrize("name", connector_names())
def test_knows_only_the_contract(name: str) -> None:
    may = (*MAY_IMPORT, *([STORE_OF[name]] if name in STORE_OF else []))
    for file in _rooms(name):
        strange = [module for module in _imports(file) if module.split(".")[0] in ("hub", "sandbox", "tests")
                   and not module.startswith(may)]  # fmt: skip
        assert not strange, f"{file.name} imports {strange}"
        assert "trytond" not in {module.split(".")[0] for module in _imports(file)}


@pytest.mark.parametrize("name", connector_names())
def test_neither_sleeps_nor_retries_nor_hides(name: str) -> None:
    for file in _rooms(name):
        for node in ast.walk(ast.parse(file.read_text())):
            where = f"{file.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                assert caught not in ("everything", "Exception", "BaseException"), f"{where} catches {caught}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("time.sleep", "sleep"), f"{where} sleeps"
                assert called not in ("requests.Session", "Session", "requests.request"), f"{where} opens a session"
                assert not called.startswith(("requests.get", "requests.post", "requests.put")), (
                    f"{where}: not the session"
                )
                assert not called.startswith(("logging.", "print")), f"{where} logs"
                verify = [word for word in node.keywords if word.arg == "verify"]
                assert not verify, f"{where} decides on TLS by itself"

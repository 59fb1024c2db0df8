"""Settings: read once, checked against their declarations; what is wrong is one clear line."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from hub.config import Config, connection_settings, hub_settings, load_config
from hub.contract import Setting
from hub.declared import DIAL_SETTINGS, VARIABLES
from hub.desk.dial_plan import DialPlan, dial_plan
from hub.errors import ConfigError
from hub.settings import NotSet, Secret, WrongValue, checked, resolved

GOOD = """\
company: Test
country: es
zone: Europe/Madrid
own_numbers: ["+34911234567"]
connections:
  platform:
    connector: webhook
    secrets: ${HOOK_SECRET}
    concurrency: 2
  crm:
    connector: embedded
"""


def read(tmp_path: Path, text: str, **env: str) -> Config:
    """The settings of a file that holds `text`."""
    file = tmp_path / "config" / "hub.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return load_config({"PATCHBAY_CONFIG": str(file), "HOOK_SECRET": "whsec_c2VjcmV0", **env})


def problem(tmp_path: Path, text: str, **env: str) -> str:
    """The one line that says what is wrong, after the file's name."""
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text, **env)
    line = str(refused.value)
    assert "\n" not in line
    return line.replace(str(tmp_path / "config" / "hub.yaml"), "hub.yaml")


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD, PATCHBAY_HOME=str(tmp_path / "home"))
    assert (config.company, config.country, config.zone) == ("Test", "ES", "Europe/Madrid")
    assert config.own_numbers == ("+34911234567",)
    assert list(config.connections) == ["platform", "crm"]
    assert config.connections["platform"].settings["secrets"] == ("whsec_c2VjcmV0",)
    assert config.connections["platform"].concurrency == 2
    assert config.connections["crm"].timeout_seconds == 30.0
    assert config.database_url == f"sqlite:///{tmp_path / 'home' / 'patchbay.db'}"
    assert config.public_url == "http://127.0.0.1:8080"
    assert config.mappings.resolve() == tmp_path / "mappings"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        GOOD + "port: 1\nhost: 10.0.0.1\ndatabase_url: sqlite:///no.db\nmappings: elsewhere\n",
        PATCHBAY_PORT="9999",
        PATCHBAY_HOST="0.0.0.0",
        PATCHBAY_DATABASE_URL="postgresql://a:b@db/c",
        PATCHBAY_MAPPINGS="/m",
    )
    assert (config.port, config.host, config.database_url) == (9999, "0.0.0.0", "postgresql://a:b@db/c")
    assert config.mappings == Path("/m")
    assert config.public_url == "http://127.0.0.1:9999", "an address to listen on is not one to open"


def test_the_default_settings_of_the_project_hold() -> None:
    config = load_config({"PATCHBAY_WEBHOOK_SECRET": "whsec_c2VjcmV0"})
    assert set(config.connections) == {"softphone", "contact_centre", "crm"}
    assert config.connections["softphone"].settings["secrets"] == ("whsec_c2VjcmV0",)
    assert config.screen_pop_file is not None


def test_no_secret_is_in_a_repr(tmp_path: Path) -> None:
    shown = repr(read(tmp_path, GOOD, PATCHBAY_DATABASE_URL="postgresql://a:geheim@db/c"))
    assert "geheim" not in shown
    assert "c2VjcmV0" not in shown
    assert "'***'" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("countri: ES\n", 'hub.yaml:1: there is no setting "countri", did you mean "country"?'),
        ("company: x\n", "hub.yaml:1: country is required"),
        ("country: Spain\n", 'hub.yaml:1: country has to be an ISO code such as ES, not "Spain"'),
        ("country: ES\nzone: Europe/Madird\n", "hub.yaml:2: zone has to be an IANA name such as Europe/Madrid, not"),
        ("country: ES\nport: many\n", "hub.yaml:2: port has to be a whole number, not 'many'"),
        ("country: ES\nport: 70000\n", "hub.yaml:2: port has to be between 1 and 65535, not 70000"),
        ("country: ES\npublic_url: patchbay.example\n", "hub.yaml:2: public_url has to be a URL with http:// or https://"),
        ("country: ES\nsample: maybe\n", "hub.yaml:2: sample has to be true or false, not 'maybe'"),
        ("country: ES\nmax_body_bytes: 0\n", "hub.yaml:2: max_body_bytes has to be more than 0"),
        ("country: ES\nown_numbers: {a: b}\n", "hub.yaml:2: own_numbers has to be a list of texts"),
        ("country: ES\nscreen_pop: none.yaml\n", "hub.yaml:2: there is no file"),
        ("country: ES\ncompany: ${COMPANY}\n", "hub.yaml:2: the environment variable COMPANY is not set (for company)"),
        ("country: ES\ncompany: ${1X}\n", 'hub.yaml:2: "${1X}" is not a reference; write ${NAME} or ${NAME:-default}'),
        ("- a\n", "hub.yaml:1: the file has to be"),
        ("country: ES\nconnections: [a]\n", "hub.yaml:2: connections has to be"),
        ("country: ES\nconnections:\n  A b: {connector: webhook}\n", 'hub.yaml:3: "A b" cannot name a connection'),
        ("country: ES\nconnections:\n  a:\n    secrets: x\n", "hub.yaml:3: connection a has to say which connector it uses"),
        ("country: ES\nconnections:\n  a:\n    connector: webhok\n",
         'hub.yaml:4: there is no connector "webhok", did you mean "webhook"?'),
        (
            "country: ES\nconnections:\n  a:\n    connector: webhook\n    secrets: x\n    concurency: 1\n",
            'hub.yaml:6: there is no setting "concurency" of connections.a, did you mean "concurrency"?',
        ),
        ("country: ES\nconnections:\n  a:\n    connector: webhook\n", "hub.yaml:3: secrets is required"),
        (
            "country: ES\nconnections:\n  a:\n    connector: webhook\n    secrets: ${NO_SECRET}\n",
            "hub.yaml:5: the environment variable NO_SECRET is not set (for connections.a.secrets)",
        ),
        (
            "country: ES\nconnections:\n  a:\n    connector: webhook\n    secrets: x\n    concurrency: 0\n",
            "hub.yaml:6: concurrency has to be more than 0",
        ),
        ("country: ES\nconnections:\n  a:\n    connector: embedded\n    read_back: ful\n",
         'hub.yaml:5: read_back cannot be "ful", did you mean "full"?'),
        ("country: ES\nconnections:\n  a:\n    connector: embedded\n    read_back_share: 5\n",
         "hub.yaml:5: read_back_share has to be from 0 to 1"),
        ("country: ES\ndial:\n  per_minit: 1\n",
         'hub.yaml:3: there is no setting "per_minit" of dial, did you mean "per_minute"?'),
        ("country: ES\ndial:\n  per_minute: -1\n", "hub.yaml:3: per_minute has to be more than 0"),
        ("country: ES\ndial:\n  premium: 5\n", "hub.yaml:3: premium has to be true or false"),
        ("country: ES\ncompany: a\ncompany: b\n", "hub.yaml:3:"),
        ("country: ES\n  zone: x\n", "hub.yaml:2:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert said in problem(tmp_path, text)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    assert problem(tmp_path, GOOD, PATCHBAY_PORT="x").startswith("PATCHBAY_PORT: port has to be a whole number")
    assert problem(tmp_path, GOOD, PATCHBAY_PORT="70000").startswith(
        "PATCHBAY_PORT: port has to be between 1 and 65535"
    )


@pytest.mark.parametrize(
    "url", ["patchbay.db", "mysql://a:geheim@db/c", "postgresql://a:geheim@db:port/c", "sqlte:///x"]
)
def test_a_store_that_is_none_of_ours_is_refused(tmp_path: Path, url: str) -> None:
    from_env = problem(tmp_path, GOOD, PATCHBAY_DATABASE_URL=url)
    assert from_env.startswith("PATCHBAY_DATABASE_URL: database_url has to be sqlite:///")
    from_file = problem(tmp_path, GOOD + f"database_url: {url}\n")
    assert from_file.startswith("hub.yaml:12: database_url has to be sqlite:///")
    assert "geheim" not in from_env + from_file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("PATCHBAY_PROT", ', did you mean "PATCHBAY_PORT"?'),
        ("PATCHBAY_DATABSE_URL", ', did you mean "PATCHBAY_DATABASE_URL"?'),
        ("PATCHBAY_ERP_PASWORD", ', did you mean "PATCHBAY_ERP_PASSWORD"?'),  # one that the file refers to
        ("PATCHBAY_XYZZY", "; config/example.env lists those that are read"),
    ],
)
def test_an_unknown_variable_is_one_line_with_the_nearest_name(tmp_path: Path, name: str, said: str) -> None:
    text = GOOD.replace("${HOOK_SECRET}", "${HOOK_SECRET:-${PATCHBAY_ERP_PASSWORD:-x}}")
    known = {"PATCHBAY_ERP_PASSWORD": "", "PATCHBAY_LOG": "json", "PATCHBAY_PORT_8080_TCP_ADDR": "10.0.0.1",
             "PATCHBAY_DB_SERVICE_HOST": "10.0.0.2", "PATCHBAY_SERVICE_PORT_HTTP": "80", "HOME": "/"}  # fmt: skip
    assert read(tmp_path, text, **known).unknown == ()
    assert read(tmp_path, text, **known, **{name: "secret"}).unknown == (f"{name}: nothing reads this variable{said}",)


def test_every_variable_that_is_read_is_declared() -> None:
    root = Path(__file__).parents[2]
    folders = (root / folder for folder in ("hub", "connectors", "sandbox", "bench"))
    files = [
        root / "app.py",
        root / "Makefile",
        root / "config/example.env",
        *(f for d in folders for f in d.rglob("*.py")),
    ]
    used = {name for file in files for name in re.findall(r"PATCHBAY_([A-Z]\w*)", file.read_text())}
    referred = {name for file in (root / "config").rglob("hub.yaml")
                for name in re.findall(r"\$\{PATCHBAY_(\w+)", file.read_text())}  # fmt: skip
    assert used - referred <= set(VARIABLES)
    assert set(VARIABLES) <= used | {"TEST_POSTGRES_URL"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load_config({"PATCHBAY_CONFIG": str(tmp_path / "none.yaml")})


def test_a_wrong_secret_is_not_repeated(tmp_path: Path) -> None:
    text = "country: ES\nconnections:\n  a:\n    connector: webhook\n    secrets: {key: geheim}\n"
    assert "geheim" not in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "env", "becomes"),
    [
        ("a ${X} b", {"X": "1"}, "a 1 b"),
        ("${X:-other}", {}, "other"),
        ("${X:-other}", {"X": ""}, "other"),
        ("${X:-}", {}, ""),
        ("${X:-${Y}}", {"Y": "2"}, "2"),
        ("$${X}", {}, "${X}"),
        (["${X}", 5], {"X": "1"}, ["1", 5]),
        ({"a": "${X}"}, {"X": "1"}, {"a": "1"}),
        ("${X}", {"X": "${Y}"}, "${Y}"),  # a value is not read again: what the environment holds is data
    ],
)
def test_references(text: object, env: dict[str, str], becomes: object) -> None:
    assert resolved(text, env) == becomes


def test_a_missing_reference_names_the_variable() -> None:
    with pytest.raises(NotSet, match="the environment variable Y is not set"):
        resolved("${X:-${Y}}", {})


@pytest.mark.parametrize(
    ("kind", "value", "becomes"),
    [
        ("integer", " 12 ", 12), ("number", "1.5", 1.5), ("boolean", "yes", True), ("boolean", False, False),
        ("list", "a, b", ("a", "b")), ("list", [1, "b"], ("1", "b")), ("text", 5, "5"),
        ("url", "https://a.example/", "https://a.example"), ("secrets", "x", ("x",)), ("secrets", ["x", "y"], ("x", "y")),
    ],
)  # fmt: skip
def test_kinds(kind: str, value: object, becomes: object) -> None:
    assert checked(Setting(name="s", about="", kind=kind), value) == becomes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("integer", True), ("integer", "1.5"), ("number", "nan"), ("text", True), ("text", [1]), ("url", "ftp://x"),
     ("secret", ""), ("secrets", []), ("boolean", 2), ("list", {"a": 1})],
)  # fmt: skip
def test_wrong_kinds(kind: str, value: object) -> None:
    with pytest.raises(WrongValue):
        checked(Setting(name="s", about="", kind=kind), value)  # type: ignore[arg-type]


def test_a_secret_is_its_text_to_whoever_uses_it() -> None:
    secret = Secret("geheim")
    assert secret == "geheim"
    assert secret.encode() == b"geheim"
    assert "geheim" not in repr({"a": [secret]})


def test_the_dial_plan_has_the_declared_defaults(tmp_path: Path) -> None:
    assert {setting.name: setting.default for setting in DIAL_SETTINGS} == asdict(DialPlan())
    config = read(tmp_path, GOOD + "dial:\n  blocked_prefixes: ['+34803']\n  answer_seconds: 4\n")
    assert dial_plan(config) == DialPlan(blocked_prefixes=("+34803",), answer_seconds=4.0)


def test_every_setting_says_what_it_is_about() -> None:
    for setting in (*hub_settings(), *connection_settings()):
        assert setting.about.endswith("."), setting.name

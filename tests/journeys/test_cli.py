"""The command line: what it says, where it says it, and with which exit code."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import structlog

from connectors.crm.embedded import EmbeddedCrm
from hub.cli import main
from hub.flow.alerts import clear_alerts, raise_alert
from hub.model import Identity
from hub.store import read_back
from hub.store.alerts import Trouble
from hub.store.database import open_store
from hub.store.read_back import Found
from tests.waiting import PATIENCE
from tests.whole_hub import PASSWORD, SECRET, TOKEN, WRAP_UP, environment, whole_hub

PATCHBAY = [sys.executable, "-c", "from hub.cli import main; main()"]


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of a hub on SQLite in `tmp_path`."""
    told = environment(tmp_path, f"sqlite:///{tmp_path / 'patchbay.db'}")
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    yield {**{name: value for name, value in os.environ.items() if not name.startswith("PATCHBAY_")}, **told}
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


Say = Callable[..., tuple[str, str]]


@pytest.fixture
def patchbay(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command in this process: (standard output, standard error). Its exit code has to be `code`."""

    def run(*arguments: str, code: int = 0, **more: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["patchbay", *arguments])
        for name in [name for name in os.environ if name.startswith("PATCHBAY_")]:
            monkeypatch.delenv(name)
        for name, value in {**env, **more}.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, (said.out, said.err)
        return said.out, said.err

    return run


def test_as_a_program(env: dict[str, str]) -> None:
    done = subprocess.run(
        [*PATCHBAY, "deliveries", "show", "1"], env=env, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: there is no delivery 1\n")


# --- check ----------------------------------------


def test_check_says_what_it_checked(patchbay: Say) -> None:
    out, err = patchbay("check")
    assert "3 connections" in out
    assert "mappings: 1 in" in out
    assert "2 examples" in out
    assert out.endswith("all right\n")
    assert err == ""


def test_check_names_each_problem_in_one_line(patchbay: Say, tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    (folder / "a_path.yaml").write_text(
        WRAP_UP.replace("mapping: wrap_up", "mapping: a_path").replace("wrap_up.comment", "wrap_up.coment")
    )
    (folder / "b_example.yaml").write_text(
        WRAP_UP.replace("mapping: wrap_up", "mapping: b_example").replace('subject: "Call inbound"', 'subject: "Ring"')
    )
    (folder / "c_field.yaml").write_text(
        WRAP_UP.replace("mapping: wrap_up", "mapping: c_field").replace("recording_url:", "recordng_url:")
    )
    (folder / "d_target.yaml").write_text(
        WRAP_UP.replace("mapping: wrap_up", "mapping: d_target").replace("connection: crm", "connection: crn")
    )
    (folder / "e_twice.yaml").write_text(WRAP_UP)
    _, err = patchbay("check", code=1)
    lines = err.splitlines()
    for file, what in (
        ("a_path.yaml:", 'did you mean "'), ("b_example.yaml:", "Ring"), ("c_field.yaml:", 'did you mean "recording_url"?'),
        ("d_target.yaml:", 'did you mean "crm"?'), ("wrap_up.yaml:", "already"),
    ):  # fmt: skip
        assert any(file in line and what in line for line in lines), (file, lines)
    assert lines[-1] == "Error: 5 problems"


@pytest.mark.parametrize(
    ("stands", "instead", "said"),
    [
        ("key: interaction_key", "key: subject", "activity.subject is not unique, so it is no key; unique: id, inter"),
        ("phone: customer.phone", "key: { field: customer_no, from: customer.crm_key }", 'contact has no field "customer'),
        ("phone: customer.phone", "key: { field: email, from: customer.email }", "contact.email is not unique"),
        ("many: none", "many: { first: [contact, leed] }", 'crm has no object "leed", did you mean "lead"?'),
    ],
)  # fmt: skip
def test_check_compares_keys_and_objects_with_the_crm(
    patchbay: Say, tmp_path: Path, stands: str, instead: str, said: str
) -> None:
    (tmp_path / "mappings" / "wrap_up.yaml").write_text(WRAP_UP.replace(stands, instead))
    _, err = patchbay("check", code=1)
    assert len(err.splitlines()) == 2, err
    assert said in err


def test_check_of_wrong_settings(patchbay: Say, tmp_path: Path) -> None:
    (tmp_path / "config" / "hub.yaml").write_text("country: ES\ncompni: x\n")
    _, err = patchbay("check", code=1)
    assert err.splitlines()[0].endswith('hub.yaml:2: there is no setting "compni", did you mean "company"?')


# --- what is called wrongly ----------------------------------------


def test_a_wrong_call_is_told_with_exit_code_2(patchbay: Say) -> None:
    for arguments in (
        ["servee"],
        ["mapping", "preview", "wrap_up"],
        ["deliveries", "replay"],
        ["token", "create", "a"],
    ):
        _, err = patchbay(*arguments, code=2)
        assert "Error:" in err


def test_an_expected_failure_is_one_line_with_exit_code_1(patchbay: Say, env: dict[str, str], tmp_path: Path) -> None:
    for arguments in (
        ["mapping", "preview", "wrapup", "--interaction", "x"], ["mapping", "preview", "wrap_up", "--interaction", "x"],
        ["token", "revoke", "none"], ["deliveries", "show", "5"], ["connection", "check", "crn"], ["list", "pull", "spring"],
        ["token", "create", "a", "--scope", "reed"], ["mapping", "rollback", "wrap_up", "7"],
    ):  # fmt: skip
        _, err = patchbay(*arguments, code=1)
        assert len(err.splitlines()) == 1, err
    env["PATCHBAY_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    _, err = patchbay("token", "list", code=1)
    assert err.startswith("patchbay: the store:")
    assert len(err.splitlines()) == 1


def test_the_version(patchbay: Say) -> None:
    assert patchbay("version")[0].startswith("patchbay ")


# --- mappings ----------------------------------------


def test_a_preview_shows_where_each_value_came_from(patchbay: Say, tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"interaction": {"channel": "voice", "direction": "inbound"}, "caller": {"id": "C-9"}}))
    out, _ = patchbay("mapping", "preview", "wrap_up", "--given", str(given))
    lines = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert '"C-9"' in lines["contact"]
    assert "← caller.id" in lines["contact"]
    assert '"Call inbound"' in lines["subject"]
    given.write_text(json.dumps({"interaction": {"channel": "email"}}))
    assert "skipped:" in patchbay("mapping", "preview", "wrap_up", "--given", str(given))[0]


def test_mappings_are_published_tested_rolled_back_and_exported(patchbay: Say, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(WRAP_UP)
    assert "version 1" in patchbay("mapping", "publish", str(file), "--note", "first")[0]
    file.write_text(WRAP_UP.replace("A wrapped-up call", "Each wrapped-up call"))
    assert "version 2" in patchbay("mapping", "publish", str(file))[0]
    assert "2 of 2 examples hold" in patchbay("mapping", "test")[0]
    assert "version 3" in patchbay("mapping", "rollback", "wrap_up", "1")[0]
    history = patchbay("mapping", "history", "wrap_up")[0].splitlines()
    assert [line.split()[0] for line in history] == ["VERSION", "3", "2", "1"]
    patchbay("mapping", "export", str(tmp_path / "out"))
    assert (tmp_path / "out" / "wrap_up.yaml").read_text() == WRAP_UP
    file.write_text(WRAP_UP.replace("write: activity", "wriet: activity"))
    _, err = patchbay("mapping", "publish", str(file), code=1)
    assert "draft.yaml:9: " in err
    assert 'did you mean "write"?' in err


def test_publishing_compares_with_the_crm_and_retiring_keeps_the_versions(patchbay: Say, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(WRAP_UP.replace("write: activity", "write: activty"))
    _, err = patchbay("mapping", "publish", str(file), code=1)
    assert f'{file}:9: crm has no object "activty", did you mean "activity"?' in err
    assert "--anyway" in err
    assert patchbay("mapping", "list")[0].count("\n") == 1
    assert "wrap_up version 1" in patchbay("mapping", "publish", str(file), "--anyway")[0]
    file.write_text(WRAP_UP)
    patchbay("mapping", "publish", str(file))
    told = patchbay("mapping", "retire", "wrap_up", "--note", "replaced")[0]
    assert "wrap_up is retired by version 3; `patchbay mapping rollback wrap_up 2` brings it back" in told
    assert "wrap_up.yaml is still there" in told
    assert patchbay("mapping", "list")[0].count("\n") == 1
    assert "retired: replaced" in patchbay("mapping", "history", "wrap_up")[0]
    assert "is retired" in patchbay("mapping", "retire", "wrap_up", code=1)[1]
    assert "version 4" in patchbay("mapping", "rollback", "wrap_up", "2")[0]
    assert "wrap_up" in patchbay("mapping", "list")[0]


def test_a_variable_that_nothing_reads_is_told(patchbay: Say) -> None:
    said = 'PATCHBAY_PROT: nothing reads this variable, did you mean "PATCHBAY_PORT"?'
    assert said in patchbay("check", code=1, PATCHBAY_PROT="8081")[1]
    assert f"patchbay: {said}" in patchbay("mapping", "list", PATCHBAY_PROT="8081")[1]
    assert f"look  {said}" in patchbay("doctor", PATCHBAY_PROT="8081")[0]


def test_a_check_tells_which_mappings_write_one_record(patchbay: Say, tmp_path: Path) -> None:
    (tmp_path / "mappings" / "again.yaml").write_text(WRAP_UP.replace("mapping: wrap_up", "mapping: again"))
    told = patchbay("check")[0]
    assert "note: again writes the same activity of crm for one interaction, and the later one wins in: contact" in told
    (tmp_path / "mappings" / "again.yaml").unlink()
    assert "note:" not in patchbay("check")[0]


# --- tokens, deliveries, connections ----------------------------------------


def test_tokens(patchbay: Say) -> None:
    made, hint = patchbay("token", "create", "desk", "--scope", "read", "--scope", "dial")
    assert made.startswith("pb_")
    assert "not shown again" in hint
    listed = patchbay("token", "list")[0]
    assert "desk" in listed
    assert "read dial" in listed
    assert made.strip() not in listed
    patchbay("token", "revoke", "desk")
    assert "desk" not in patchbay("token", "list")[0]


def test_deliveries_are_listed_shown_and_replayed(patchbay: Say, env: dict[str, str], tmp_path: Path) -> None:
    with whole_hub(tmp_path, env["PATCHBAY_DATABASE_URL"]) as whole:
        whole.take_call("call-1", interaction={"id": "call-1", "channel": "voice", "recording_url": "no url"})
        whole.deliver()
    listed = patchbay("deliveries", "list", "--state", "parked")[0].splitlines()
    assert len(listed) == 2
    id = listed[1].split()[0]
    shown = patchbay("deliveries", "show", id)[0]
    assert "recording_url" in shown
    assert "rejected" in shown
    assert "1 wait to go out again" in patchbay("deliveries", "replay", id)[0]
    assert "0 wait" in patchbay("deliveries", "replay", "--state", "parked")[0]


def test_a_connector_that_breaks_is_one_line(patchbay: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: EmbeddedCrm) -> Identity:
        raise KeyError("identity")

    monkeypatch.setattr(EmbeddedCrm, "check", broken)
    _, err = patchbay("connection", "check", "crm", code=1)
    assert "crm: connector_broke: the connector broke: KeyError at test_cli.py:" in err and "Traceback" not in err


def test_connections_are_checked(patchbay: Say) -> None:
    out, _ = patchbay("connection", "check")
    assert "crm:" in out
    assert "platform: has nothing to check" in out
    assert "crm: contact: our user may make and change records; mode: incremental" in out, "no hub has started yet"
    patchbay("connection", "pause", "crm", "--because", "a test")
    listed = patchbay("connection", "list")[0]
    assert "a test" in listed and "CREDENTIALS" in listed and "good" in listed
    patchbay("connection", "resume", "crm")


# --- doctor ----------------------------------------


def test_doctor_finds_nothing_wrong_here(patchbay: Say, env: dict[str, str], free_port: int) -> None:
    env["PATCHBAY_PORT"] = str(free_port)
    patchbay("token", "list")  # makes the store
    out, _ = patchbay("doctor")
    assert "WRONG" not in out
    for what in ("Python", "settings:", "store:", "disk:", "clock:", "port:", "address:"):
        assert what in out


def test_doctor_says_what_to_do(patchbay: Say, env: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "credentials.env").write_text("PATCHBAY_API_TOKEN=x\n")
    (home / "credentials.env").chmod(0o644)
    env["PATCHBAY_DATABASE_URL"] = "postgresql://nobody:geheim@127.0.0.1:1/none"
    out, err = patchbay("doctor", code=1)
    assert "chmod 600" in out
    assert "does not answer" in out
    assert "geheim" not in out + err


# --- serve ----------------------------------------


@pytest.fixture
def served(env: dict[str, str], tmp_path: Path, free_port: int) -> Iterator[tuple[str, subprocess.Popen[str], Path]]:
    """A hub that serves, its process, and the file that its output goes to."""
    said = tmp_path / "said.txt"
    with said.open("w") as out:
        process = subprocess.Popen(
            [*PATCHBAY, "serve", "--port", str(free_port)], env=env, stdout=out, stderr=out, text=True
        )
    url = f"http://127.0.0.1:{free_port}"
    try:
        wait_until_ready(url, process, said)
        yield url, process, said
    finally:
        process.kill()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[str], said: Path) -> None:
    """Wait until the hub takes traffic."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if requests.get(f"{url}/readyz", timeout=PATIENCE).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)


def test_serve_takes_a_hook_and_carries_it_into_the_crm(served: tuple[str, subprocess.Popen[str], Path]) -> None:
    from standardwebhooks.webhooks import Webhook

    url, process, said = served
    body = json.dumps(
        {"id": "evt-1", "type": "interaction.wrapped_up", "occurred_at": "2026-11-23T10:05:40Z",
         "interaction": {"id": "call-1", "channel": "voice", "direction": "inbound"}, "wrap_up": {"comment": "Hello"}}
    )  # fmt: skip
    from datetime import UTC, datetime

    moment = datetime.now(UTC)
    headers = {
        "webhook-id": "m-1", "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("m-1", moment, body), "content-type": "application/json",
    }  # fmt: skip
    answer = requests.post(f"{url}/hooks/platform", data=body, headers=headers, timeout=PATIENCE)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0})
    deadline = time.monotonic() + PATIENCE
    while True:
        told = requests.get(
            f"{url}/api/v1/interactions/call-1", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE
        ).json()
        if told["deliveries"] and told["deliveries"][0]["state"] == "delivered":
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    metrics = requests.get(f"{url}/metrics", timeout=PATIENCE).text
    assert 'patchbay_hooks_total{answer="202",connection="platform"} 1.0' in metrics
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    text = said.read_text()
    assert url in text
    assert "from PATCHBAY_ADMIN_PASSWORD" in text
    for secret in (PASSWORD, TOKEN, SECRET):
        assert secret not in text
    assert "Hello" not in text


def test_serve_makes_what_is_missing_and_says_it(env: dict[str, str], tmp_path: Path, free_port: int) -> None:
    for name in ("PATCHBAY_ADMIN_PASSWORD", "PATCHBAY_API_TOKEN", "PATCHBAY_WEBHOOK_SECRET"):
        del env[name]
    tokens = []
    for turn in (1, 2):
        said = tmp_path / f"said{turn}.txt"
        with said.open("w") as out:
            process = subprocess.Popen(
                [*PATCHBAY, "serve", "--port", str(free_port)], env=env, stdout=out, stderr=out, text=True
            )
        try:
            wait_until_ready(f"http://127.0.0.1:{free_port}", process, said)
            kept = dict(
                line.split("=", 1) for line in (tmp_path / "home" / "credentials.env").read_text().splitlines()[1:]
            )
            assert kept["PATCHBAY_API_TOKEN"] in said.read_text()
            assert kept["PATCHBAY_ADMIN_PASSWORD"] in said.read_text()
            tokens.append(kept["PATCHBAY_API_TOKEN"])
            answer = requests.get(
                f"http://127.0.0.1:{free_port}/api/v1/connections",
                headers={"Authorization": f"Bearer {tokens[-1]}"},
                timeout=PATIENCE,
            )
            assert answer.status_code == 200
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert tokens[0] == tokens[1], "the second start uses the same"


def test_a_taken_port_is_told(patchbay: Say, free_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        _, err = patchbay("serve", "--port", str(free_port), code=1)
    assert err.startswith(f"patchbay: cannot listen on 127.0.0.1:{free_port}")
    assert "PATCHBAY_PORT" in err


def test_work_delivers_what_another_process_took(env: dict[str, str], tmp_path: Path) -> None:
    with whole_hub(tmp_path, env["PATCHBAY_DATABASE_URL"]) as whole:
        whole.take_call()
        worker = subprocess.Popen([*PATCHBAY, "work"], env=env, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + PATIENCE
            while whole.program.get("/interactions/call-1")["deliveries"][0]["state"] != "delivered":
                assert worker.poll() is None, worker.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(PATIENCE) == 0
        finally:
            worker.kill()
            worker.communicate()


def test_alerts_are_listed(patchbay: Say, env: dict[str, str]) -> None:
    patchbay("mapping", "list")
    assert patchbay("alerts")[0] == "no alerts\n"
    store = open_store(env["PATCHBAY_DATABASE_URL"])
    raise_alert(
        store, Trouble(key="a", kind="drift", connection="crm", mapping="wrap_up", field="x", message="x is gone")
    )
    raise_alert(store, Trouble(key="b", kind="quota", connection="crm", message="spent by noon"))
    clear_alerts(store, ["b"])
    store.close()
    said, _ = patchbay("alerts")
    assert "crm wrap_up x" in said
    assert "x is gone" in said
    assert "spent by noon" not in said
    assert "spent by noon" in patchbay("alerts", "--all", "--kind", "quota")[0]


# --- in step with the CRM ----------------------------------------


def test_a_suggested_mapping_is_checked_and_published(patchbay: Say, tmp_path: Path) -> None:
    said, _ = patchbay("mapping", "suggest", "interaction.wrapped_up", "--connection", "crm", "--object", "activity")
    (tmp_path / "mappings" / "suggested.yaml").write_text(said)
    out, _ = patchbay("check", "--live")
    assert "mappings: 2 in" in out
    assert "published: 0 compared" in out
    patchbay("mapping", "publish", str(tmp_path / "mappings" / "suggested.yaml"))
    _, err = patchbay(
        "mapping", "suggest", "interaction.wrapped_up", "--connection", "crm", "--object", "actvity", code=1
    )
    assert 'did you mean "activity"?' in err
    _, err = patchbay(
        "mapping", "suggest", "interaction.wrapped_up", "--connection", "crn", "--object", "activity", code=1
    )
    assert 'did you mean "crm"?' in err


def test_check_live_compares_what_is_published_and_stands_in_no_file(patchbay: Say, tmp_path: Path) -> None:
    other = tmp_path / "by_hand.yaml"
    other.write_text(WRAP_UP.replace("mapping: wrap_up", "mapping: by_hand").replace("comment:", "coment:"))
    patchbay("mapping", "publish", str(other), "--anyway")
    assert "all right" in patchbay("check")[0], "offline, the files alone are looked at"
    _, err = patchbay("check", "--live", code=1)
    assert err.splitlines()[0].startswith(
        'by_hand version 1:18: activity has no field "coment", did you mean "comment"?'
    )


def test_read_back_is_told_in_a_table(patchbay: Say, env: dict[str, str]) -> None:
    assert "switches it on" in patchbay("read-back")[0]
    store = open_store(env["PATCHBAY_DATABASE_URL"])
    with store.write() as conn:
        kept, cut = (
            Found(connection="crm", mapping="wrap_up", version=1, field="comment", letter=letter) for letter in "ks"
        )
        read_back.add(conn, [kept, cut], now=0)
    store.close()
    lines = patchbay("read-back", "--connection", "crm")[0].splitlines()
    assert lines[1].split()[:8] == ["crm", "wrap_up", "1", "comment", "2", "50%", "0", "1"]

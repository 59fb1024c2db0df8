"""The manual's examples hold: what it shows is run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import responses

from connectors.wire.canonical import events_of
from connectors.wire.standard_webhooks import prove
from hub.config import load_config
from hub.contract import HookRequest
from hub.flow.directory.rows import run_directory_examples
from hub.language.directory import read_directory
from hub.language.examples import run_examples
from hub.language.mapping import compile_mapping

PROJECT = Path(__file__).parents[2]
HOW_TO = PROJECT / "docs" / "how-to"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def shown(page: Path, language: str) -> str:
    """The first example in `language` in a page."""
    found = re.search(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_connection_that_sends_events_is_one(tmp_path: Path) -> None:
    several = re.findall(r"secrets: \[.*?\]", (HOW_TO / "run-in-production.md").read_text())
    declared = shown(HOW_TO / "send-events.md", "yaml")
    for text in (declared, *(re.sub(r"secrets: .*", given, declared) for given in several)):
        file = tmp_path / "hub.yaml"
        file.write_text("country: ES\n" + text)
        config = load_config({"PATCHBAY_CONFIG": str(file), "CONTACT_CENTRE_SECRET": "a", "NEW": "b", "OLD": "c"})
        assert config.connections["contact_centre"].settings["secrets"] in (("a",), ("b", "c"))
    assert several


def test_the_event_that_it_sends_is_proven_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACT_CENTRE_SECRET", SECRET)
    with responses.RequestsMock() as platform:
        platform.post("http://127.0.0.1:8080/hooks/contact_centre", status=202, json={"accepted": 1, "duplicates": 0})
        exec(shown(HOW_TO / "send-events.md", "python"), {})
        sent = platform.calls[0].request
    headers = {name.lower(): str(value) for name, value in sent.headers.items()}
    assert isinstance(sent.body, bytes)
    request = HookRequest(method="POST", query={}, headers=headers, body=sent.body, received_at=datetime.now(UTC))
    prove(request, [SECRET])
    assert [event.type for event in events_of(request)] == ["interaction.wrapped_up"]


def test_the_first_mapping_that_a_reader_sees_is_one() -> None:
    mapping = compile_mapping(shown(PROJECT / "README.md", "yaml"), "README.md")
    assert all(result.passed for result in run_examples(mapping))


def test_the_directory_that_it_declares_is_one(tmp_path: Path) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text(shown(HOW_TO / "answer-while-the-crm-is-down.md", "yaml"))
    plan = read_directory(file, ["crm"], country="ES", zone="UTC")
    ((_, problem),) = run_directory_examples(plan.objects.values(), "ES")
    assert problem == ""


def test_the_shares_of_a_days_calls_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text("country: ES\n" + shown(HOW_TO / "keep-a-days-calls-and-credentials.md", "yaml"))
    crm = load_config({"PATCHBAY_CONFIG": str(file)}).connections["crm"]
    assert (crm.calls_per_day, crm.kept_for_interactive, crm.kept_for_wrap_ups) == (20_000, 20, 50)


@pytest.mark.parametrize("page", [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_settings_and_the_mode_that_the_page_on_being_in_step_shows_are_read(tmp_path: Path) -> None:
    page = HOW_TO / "keep-mappings-and-the-crm-in-step.md"
    file = tmp_path / "hub.yaml"
    file.write_text("country: ES\ndrift_hours: 12\n" + shown(page, "yaml"))
    config = load_config({"PATCHBAY_CONFIG": str(file)})
    assert (config.connections["crm"].read_back, config.drift_hours) == ("sample", 12)
    target = re.findall(r"```yaml\n(target: .*?)```", page.read_text(), re.DOTALL)[0]
    text = (PROJECT / "mappings" / "wrap_up_to_activity.yaml").read_text()
    appending = re.sub(r"target:\n(?:  .*\n)+", target, text)
    assert compile_mapping(appending).target.mode == "append"

"""Logs: one line an event, in the form that was asked for, without the values of variables."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from hub.errors import ConfigError
from hub.log import set_up_logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging as it was, after each test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs({"PATCHBAY_LOG": "json"})
    structlog.get_logger().info("delivered", connection="crm", interaction="call-1")
    logging.getLogger("uvicorn.error").warning("something of the server")
    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["connection"], ours["interaction"], ours["level"]) == (
        "delivered",
        "crm",
        "call-1",
        "info",
    )
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("something of the server", "warning")


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_logged_without_the_values_of_variables(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs({"PATCHBAY_LOG": form})
    number = "+346" + "12345678"
    try:
        {}[len(number)]
    except KeyError:
        structlog.get_logger().exception("failed", delivery=1)
    said = capsys.readouterr().err
    assert "KeyError" in said
    assert number not in said


def test_libraries_speak_only_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs({"PATCHBAY_LOG": "json"})
    logging.getLogger("sqlalchemy.engine").info("SELECT phone")
    logging.getLogger("urllib3.connectionpool").debug("GET /contacts?phone=")
    assert capsys.readouterr().err == ""


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ConfigError, match='one of console, json, not "jsom", did you mean "json"'):
        set_up_logs({"PATCHBAY_LOG": "jsom"})


def test_a_value_that_is_not_by_the_schema_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs({"PATCHBAY_LOG": "json"})
    logging.getLogger("zeep.xsd.types.simple").exception("Error during xml -> python translation")
    assert capsys.readouterr().err == ""

"""`patchbay sandbox`: the stand-ins that speak a vendor's wire format, to try and to demo."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import IO, cast

import click

from hub.credentials import with_credentials

GROUP = "patchbay.sandboxes"
READY_SECONDS = 15.0
END_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("name", type=click.Choice(sorted({entry.name for entry in entry_points(group=GROUP)})))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def sandbox(name: str, options: tuple[str, ...]) -> None:
    """Run the stand-in NAME until it is ended; `patchbay sandbox NAME --help` says what it takes."""
    (module,) = {entry.value for entry in entry_points(group=GROUP, name=name)}
    command = [sys.executable, "-m", module, *options]
    os.execve(command[0], command, with_credentials(os.environ))  # noqa: S606


class Beside:
    """A sandbox that runs beside the hub and ends with it."""

    def __init__(self, name: str, env: Mapping[str, str], *options: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", f"sandbox.{name}", *options],
            env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=_end_with_parent,
            start_new_session=True,
        )  # fmt: skip
        self._said = cast("IO[bytes]", self._process.stdout)

    def ready(self) -> bool:
        """Whether it serves: waits for the line by which every sandbox says so."""
        readable, _, _ = select.select([self._said], [], [], READY_SECONDS)
        return bool(readable and self._said.readline())

    def close(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def _end_with_parent() -> None:
    """On Linux the kernel ends the sandbox with the hub, even when that is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

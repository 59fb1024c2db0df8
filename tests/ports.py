"""Free TCP ports for servers that have to be told one before they begin."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_held: list[int] = []  # open files: a port stays ours, among all test runs of this machine, until this process ends


def free_port() -> int:
    """A TCP port on loopback that nobody uses and nobody will be given.

    From below the range that the kernel hands out by itself: between our look and the server's start, a test's own
    connection or a server on port 0 would else take it now and then.
    """
    try:
        highest = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        highest = 32_768
    folder = Path(tempfile.gettempdir()) / f"patchbay-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.SystemRandom().sample(range(_LOWEST, max(highest, _LOWEST + 5_000)), 500):
        held = os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(held)
            continue
        _held.append(held)
        return port
    raise AssertionError("no TCP port is free")

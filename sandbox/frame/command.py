"""A sandbox as a command: serve it, say so in one line of JSON, end when told to or when whoever started it is gone."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable

from sandbox.frame.served import Sandbox, serving


def run(
    name: str, about: str, make: Callable[[argparse.Namespace], Sandbox], arguments: list[str] | None = None
) -> None:
    """Serve what `make` makes until told to end. `make` is given the options: `seed` and `rows`."""
    parser = argparse.ArgumentParser(prog=f"patchbay sandbox {name}", description=about)
    parser.add_argument("--port", type=_port, default=0, help="the port on loopback; 0 takes a free one")
    parser.add_argument("--plain", action="store_true", help="HTTP instead of TLS")
    parser.add_argument("--rows", type=_count, default=200, help="how many sample people there are")
    parser.add_argument("--seed", type=int, default=1, help="which sample people")
    told = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parent = os.getppid()
    with contextlib.suppress(KeyboardInterrupt), serving(make(told), port=told.port, tls=not told.plain) as served:
        print(json.dumps(served.told()), flush=True)
        while os.getppid() == parent:
            time.sleep(0.5)


def _port(text: str) -> int:
    if (port := int(text)) not in range(65_536):
        raise argparse.ArgumentTypeError(f"a port is from 0 to 65535, not {port}")
    return port


def _count(text: str) -> int:
    if (count := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"there are {count} of nothing")
    return count

"""`python -m sandbox.softphone`: the softphone in a process of its own. Prints one line of JSON when it is ready."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from pathlib import Path

from sandbox.softphone.server import SoftphoneServer


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.softphone", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument(
        "--hook-url", "--hooks", default="http://127.0.0.1:8080/hooks/softphone", help="where the hub takes hooks in"
    )
    parser.add_argument("--secret", default=os.environ.get("PATCHBAY_WEBHOOK_SECRET", ""),
                        help="what hooks are signed with; by default PATCHBAY_WEBHOOK_SECRET")  # fmt: skip
    parser.add_argument("--token", default=os.environ.get("PATCHBAY_SOFTPHONE_TOKEN", ""),
                        help="the bearer token asked for; by default PATCHBAY_SOFTPHONE_TOKEN, else the secret")  # fmt: skip
    parser.add_argument("--speed", type=float, default=float(os.environ.get("PATCHBAY_SOFTPHONE_SPEED", "1")),
                        help="60 plays an hour in a minute; by default PATCHBAY_SOFTPHONE_SPEED, else 1")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="the same seed plays the same")
    parser.add_argument("--run", default="", help="what every id begins with; by default the moment of the start")
    parser.add_argument(
        "--lists", type=Path, help="the file that keeps the contact lists; by default they are forgotten"
    )
    told = parser.parse_args()
    if not told.secret:
        parser.error("--secret or PATCHBAY_WEBHOOK_SECRET is needed")
    done = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: done.set())
    with SoftphoneServer(
        hook_url=told.hook_url,
        secret=told.secret,
        token=told.token or told.secret,
        host=told.host,
        port=told.port,
        speed=told.speed,
        seed=told.seed,
        run=told.run,
        lists=told.lists,
    ) as server:
        print(json.dumps({"ready": "softphone", "url": server.url, "pid": os.getpid()}), flush=True)
        done.wait()


if __name__ == "__main__":
    main()

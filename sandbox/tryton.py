"""A real Tryton on SQLite with sample data: `python -m sandbox.tryton --folder var/tryton --port 8000`.

Tryton is GPL: it runs as a process of its own and is never imported. The first start makes the database (it takes a while);
later ones take it as it was left. When it can be used, one line of JSON says where and with which password; it ends at
SIGTERM, with Ctrl-C, or when whoever started it is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from msgspec import Struct

from sandbox.tryton_sample import Client, fill

MODULES = ("party", "sale_opportunity", "marketing")
USER, ADMIN = "patchbay", "admin"
READY_WITHIN = 60.0
# The command trytond-admin, without checking each record that Tryton itself ships: that is half of its work.
ADMIN_COMMAND = """\
from trytond.model.modelstorage import ModelStorage
ModelStorage._validate = classmethod(lambda cls, records, field_names=None: None)
from trytond.cli.admin import main
main()
"""


class Template(Struct, frozen=True, kw_only=True):
    """An initialised database: copy its file into a served folder and it can be used at once."""

    file: str
    user: str
    password: str
    admin: str
    admin_password: str


@dataclass(frozen=True)
class Server:
    """A running trytond."""

    url: str
    process: subprocess.Popen[bytes]


def template(folder: Path) -> Template:
    """The initialised database of `folder`; made where it is not there yet."""
    told = folder / "template.json"
    if not told.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = _initialised(folder)
        # Written last: a database whose making was cut short is made anew.
        told.touch(mode=0o600)
        told.write_text(json.dumps({name: getattr(made, name) for name in made.__struct_fields__}))
    return Template(**json.loads(told.read_text()))


@contextlib.contextmanager
def serving(folder: Path, port: int = 0, *, database: str) -> Iterator[Server]:
    """trytond on loopback for as long as the block runs. It serves `database` only: one that is added later, trytond would
    answer for without having loaded it."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "trytond.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 (nothing in it comes from outside)
            [sys.executable, "-m", "trytond.cli", "-c", str(_configuration(folder, port)), "-d", database],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment(), preexec_fn=_end_with_parent,
        )  # fmt: skip
    try:
        _wait_until_ready(url, process, folder)
        yield Server(url=url, process=process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _initialised(folder: Path) -> Template:
    made = Template(
        file=str(folder / "template.sqlite"), user=USER, password=secrets.token_urlsafe(12),
        admin=ADMIN, admin_password=secrets.token_urlsafe(12),
    )  # fmt: skip
    file = Path(made.file)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    passwords = folder / "password"
    passwords.touch(mode=0o600)
    passwords.write_text(made.admin_password)
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", ADMIN_COMMAND, "-c", str(_configuration(folder, 0)), "-d", file.stem, "-u", *MODULES,
         "--activate-dependencies", "--email", "admin@example.com"],
        env={**_environment(), "TRYTONPASSFILE": str(passwords)}, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent,
    )  # fmt: skip
    passwords.unlink()
    if told.returncode:
        raise RuntimeError(f"trytond-admin failed: {told.stderr[-2000:]}")
    with serving(folder, database=file.stem) as server:
        client = Client(server.url, file.stem, ADMIN, made.admin_password)
        fill(client, USER, made.password)
        client.close()
    with contextlib.closing(sqlite3.connect(file)) as database:  # what is in the write-ahead log belongs into the file
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return made


def _configuration(folder: Path, port: int) -> Path:
    file = folder / "trytond.conf"
    file.write_text(
        f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{port}\nroot =\n"
        "[session]\nauthentications = password\n"
    )
    return file


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TRYTON", "PYTHONWARNINGS"))}


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            question = {"id": 0, "method": "common.server.version", "params": []}
            if requests.post(f"{url}/rpc/", json=question, timeout=5).ok:
                return
        time.sleep(0.05)
    raise RuntimeError(f"trytond did not start; see {folder / 'trytond.log'}")


def _end_with_parent() -> None:
    """In the child: be told to end when the process that started it is gone, however it went (Linux has this)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(arguments: list[str] | None = None) -> None:
    """Serve a Tryton until told to end."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.tryton", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where its database is kept")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--database", default="sandbox", help="the database's name")
    told = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parent = os.getppid()
    folder = told.folder.resolve()
    made = template(folder)
    if not (folder / f"{told.database}.sqlite").exists():
        shutil.copy(made.file, folder / f"{told.database}.sqlite")
    with contextlib.suppress(KeyboardInterrupt), serving(folder, told.port, database=told.database) as server:
        line = {
            "url": server.url, "database": told.database, "user": made.user, "password": made.password,
            "admin": made.admin, "admin_password": made.admin_password,
        }  # fmt: skip
        print(json.dumps(line), flush=True)
        while os.getppid() == parent and server.process.poll() is None:
            time.sleep(0.5)


if __name__ == "__main__":
    main()

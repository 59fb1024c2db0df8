"""Serve a sandbox on loopback: on a thread for a test, over TLS by an authority that is made for this run alone."""

from __future__ import annotations

import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import trustme
from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.frame.faults import Faults, FaultyApp

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
NAMES = ("localhost", HOST)


class Sandbox(Protocol):
    """A stand-in for a vendor's system: its wire format, its state, and what goes wrong there."""

    faults: Faults

    def app(self, url: str, /) -> WSGIApplication:
        """The vendor's web service, told where it is reached (it stands in answers, without a slash at the end)."""

    def credentials(self) -> Mapping[str, Any]:
        """What a connection needs beside the address: the names are the connector's settings."""


@dataclass(frozen=True)
class Served:
    """A sandbox that is being served. `ca_file` is empty without TLS."""

    url: str
    ca_file: str
    sandbox: Any

    def told(self) -> dict[str, Any]:
        """The line that says it is ready: everything that a connection needs."""
        return {"url": self.url, "ca": self.ca_file, "credentials": dict(self.sandbox.credentials())}


@contextmanager
def serving(sandbox: Sandbox, *, port: int = 0, tls: bool = False, folder: Path | None = None) -> Iterator[Served]:
    """Serve for as long as the block runs. `port` 0 takes a free one; the authority's certificate is put into `folder`."""
    with ExitStack() as closing:
        context, ca_file = None, ""
        if tls:
            place = folder or Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="patchbay-sandbox-")))
            context, ca_file = _trusted(place)
        late: list[WSGIApplication] = []
        server = make_server(
            HOST, port, lambda environ, start: late[0](environ, start), threaded=True, request_handler=_Quiet,
            ssl_context=context,
        )  # fmt: skip
        closing.callback(server.server_close)
        server.daemon_threads = True  # type: ignore[attr-defined]
        url = f"{'https' if tls else 'http'}://{'localhost' if tls else HOST}:{server.server_port}"
        late.append(FaultyApp(sandbox.app(url), sandbox.faults))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        closing.callback(thread.join, 10)
        closing.callback(server.shutdown)
        yield Served(url, ca_file, sandbox)


def _trusted(folder: Path) -> tuple[ssl.SSLContext, str]:
    authority = trustme.CA(organization_name="Patchbay sandbox")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return context, str(file)


class _Quiet(WSGIRequestHandler):
    """Speaks HTTP/1.1, keeps connections open, and prints nothing of a request: paths hold numbers of people."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the other side hung up, or a fault broke the connection off
            self.close_connection = True

"""The HTTP session that the hub hands to a connector: time-outs set, TLS verified, no retries, no surprise addresses.

It says in our own words how a request failed, so no connector has to: `Unavailable` where nothing can have been done (no
connection, or a request that only reads), `UnknownOutcome` where the request was sent and its answer did not come.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util.connection import create_connection

from hub.config import ConnectionConfig
from hub.echo import without_proofs
from hub.errors import Elsewhere, Unavailable, UnknownOutcome

CONNECT_SECONDS = 10.0
MOST_REDIRECTS = 5
LARGEST_ANSWER = 64 << 20
MOST_TIMES = 10  # an answer that comes piece by piece may take so many times as long as one that does not begin
READS = ("GET", "HEAD", "OPTIONS")

# Where a cloud's own secrets are served; some of these are neither link-local nor private.
METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)


class AddressRefused(OSError):
    """The hub does not speak to this address."""


class AnswerTooSlow(requests.RequestException):
    """The answer comes, and does not end."""


class AnswerTooLarge(requests.RequestException):
    """The answer is larger than any that the hub takes in."""


def open_session(
    connection: ConnectionConfig, on_request: Callable[[], None] = lambda: None, secrets: Sequence[str] = ()
) -> requests.Session:
    """A session for one connection; `on_request` is called before each request that goes out, redirects included. `secrets`
    are left out of answers that refuse."""
    return _Session(connection, on_request, secrets)


def address_problem(address: str, private_network: bool) -> str | None:
    """Why the hub does not speak to an IP address, in words; None: it does."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        # 64:ff9b::7f00:1 and ::ffff:127.0.0.1 are 127.0.0.1 in other clothes.
        inside = ip.ipv4_mapped or ip.sixtofour or _nat64(ip)
        if inside is not None:
            return address_problem(str(inside), private_network)
    if ip in METADATA or ip.is_link_local:
        return "is a link-local or metadata address, which no connection may use"
    if ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
        return "is not the address of one machine, so no connection may use it"
    if (not ip.is_global or (ip.version == 6 and ip.is_site_local)) and not private_network:
        return "is a private address; set private_network: true on the connection if it is meant"
    return None


def _nat64(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    prefix = ipaddress.IPv6Network("64:ff9b::/96")
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in prefix else None


class _Session(requests.Session):
    def __init__(self, connection: ConnectionConfig, on_request: Callable[[], None], secrets: Sequence[str]) -> None:
        super().__init__()
        self.trust_env = False  # no proxy, netrc or CA bundle from the environment
        self.max_redirects = MOST_REDIRECTS
        self.headers["User-Agent"] = "Patchbay"
        self.verify = connection.ca_file or True
        self._connection = connection.name
        self._on_request = on_request
        self._timeout = (min(CONNECT_SECONDS, connection.timeout_seconds), connection.timeout_seconds)
        self._longest = MOST_TIMES * connection.timeout_seconds
        connections = max(10, 2 * connection.concurrency)
        adapter = _GuardedAdapter(connection.private_network, connections, self._longest, tuple(secrets))
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        if kwargs.get("verify") is False:
            raise ValueError("TLS certificates are always verified")
        self._on_request()
        try:
            return super().send(request, **kwargs)
        except requests.RequestException as error:
            raise self._in_our_words(request, error) from error

    def get_redirect_target(self, resp: Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        method = resp.request.method or ""
        if method not in READS and resp.status_code not in (307, 308):
            return None  # followed, it would become a GET and its answer look like success; the connector sees the 3xx
        here, there = urlsplit(resp.url), urlsplit(requests.compat.urljoin(resp.url, target))
        if here.hostname != there.hostname or (here.scheme == "https" and there.scheme != "https"):
            # Keys in headers of the vendor's own would travel along; requests takes only Authorization off.
            raise Elsewhere(
                f"{here.hostname} redirects to {there.scheme}://{there.hostname}; "
                f"if that is right, set it as the address of the connection {self._connection}"
            )
        return target

    def _in_our_words(self, request: PreparedRequest, error: requests.RequestException) -> Unavailable:
        # Host and cause, no more: a URL may hold a person's number.
        host = urlsplit(request.url or "").hostname or "?"
        if _never_sent(error):
            return Unavailable(f"{host} cannot be reached: {_cause(error)}")
        if isinstance(error, AnswerTooLarge):
            what = f"{host} answered more than {LARGEST_ANSWER >> 20} MiB"
        elif isinstance(error, AnswerTooSlow):
            what = f"{host} did not end its answer in {self._longest:g} s"
        elif isinstance(error, requests.Timeout):
            what = f"{host} did not answer in {self._timeout[1]:g} s"
        else:
            what = f"{host} broke off: {_cause(error)}"
        return Unavailable(what) if request.method in READS else UnknownOutcome(f"{what}; it may have been done")


def _never_sent(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    if isinstance(error, requests.exceptions.SSLError):
        return not _cut_off(error)
    if isinstance(error, requests.exceptions.InvalidSchema | requests.TooManyRedirects):
        return True
    reason = _reason(error)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def _cut_off(error: BaseException) -> bool:
    """Whether a TLS connection just ended: that happens while shaking hands, and as well after the request was sent."""
    seen: Any = error
    while isinstance(seen, BaseException):
        if isinstance(seen, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            return True
        seen = _reason(seen)
    return False


def _reason(error: BaseException) -> BaseException | None:
    inner = error.args[0] if error.args else None
    return inner.reason if isinstance(inner, MaxRetryError) else inner if isinstance(inner, BaseException) else None


def _cause(error: requests.RequestException) -> str:
    seen: BaseException | None = _reason(error) or error
    while seen is not None:
        if isinstance(seen, AddressRefused):
            return str(seen)
        if isinstance(seen, NameResolutionError):
            return "its name is not known"
        if isinstance(seen, ConnectTimeoutError) and not isinstance(seen, NewConnectionError):
            return f"no connection in {CONNECT_SECONDS:g} s"
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({seen.verify_message}); ca_file may name another authority"
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        seen = seen.__cause__ or _reason(seen)
    return type(error).__name__


class _GuardedAdapter(HTTPAdapter):
    """Connects only to addresses that it has looked at itself, and takes in no more than LARGEST_ANSWER, for no longer than
    `longest` seconds."""

    def __init__(self, private_network: bool, connections: int, longest: float, secrets: tuple[str, ...]) -> None:
        self._private_network, self._longest, self._secrets = private_network, longest, secrets
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._private_network)

    def send(self, request: PreparedRequest, stream: bool = False, *args: Any, **kwargs: Any) -> Response:
        response = super().send(request, True, *args, **kwargs)
        if not stream:
            _take_in(response, request, self._longest)
            if response.status_code >= 400:
                response._content = without_proofs(response.content, request.headers, self._secrets)
        return response


def _take_in(response: Response, request: PreparedRequest, longest: float) -> None:
    taken, until = bytearray(), time.monotonic() + longest
    for piece in _pieces(response):
        taken += piece
        if len(taken) > LARGEST_ANSWER:
            response.close()
            raise AnswerTooLarge(request=request)
        if time.monotonic() > until:
            response.close()
            raise AnswerTooSlow(request=request)
    response._content = bytes(taken)
    response._content_consumed = True  # type: ignore[attr-defined]


def _pieces(response: Response) -> Iterator[bytes]:
    """As requests itself reads, but each piece when it comes: a piece that has to be full is waited for without an end."""
    try:
        while piece := response.raw.read1(1 << 16, decode_content=True):
            yield piece
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except SSLError as error:
        raise requests.exceptions.SSLError(error) from error


def _guarded_pools(private_network: bool) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, private_network)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, private_network)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connected(connection: HTTPConnection, private_network: bool) -> socket.socket:
    """A socket to an address that was looked at: the name is resolved once, here, so it cannot mean another one later."""
    host, port = connection._dns_host, connection.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(connection.host, connection, error) from error  # type: ignore[arg-type]
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        problem = address_problem(address, private_network)
        if problem:
            refused = AddressRefused(f"{address} {problem}")
            raise NewConnectionError(connection, str(refused)) from refused
    last: OSError | None = None
    for address in addresses:
        try:
            return create_connection(
                (address, port), connection.timeout, connection.source_address, connection.socket_options
            )
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, f"no connection to {host} in time") from error
        except OSError as error:
            last = error
    raise NewConnectionError(connection, f"no connection to {host}: {last}") from last

"""The one way to fetch from hosts that are not the service: no token, no cookies, no private addresses."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from mjcli import __version__
from mjcli.errors import reason_of

CONNECT_SECONDS = 10.0
STALL_SECONDS = 30.0  # without a byte
REDIRECTS = 5

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class WebError(Exception):
    """A request that failed. `problem` completes a sentence about the link: "The link X …"."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class BadAddress(WebError):
    """The link is not an http or https address."""


class PrivateAddress(WebError):
    """The link leads into a private network."""


class BadRedirect(WebError):
    """The link redirects too often, or to something that is not an http or https address."""


class SetupError(WebError):
    """No connection can be set up: the proxy variables or certificates cannot be used."""


class TransportError(WebError):
    """The connection failed; `connected` says whether that was after it was established."""

    def __init__(self, reason: str, *, connected: bool = True) -> None:
        super().__init__(f"could not be fetched ({reason})")
        self.reason = reason
        self.connected = connected


class GuardedGet:
    """Requests to hosts that must learn nothing; threads may share one. Close it after use.

    Redirects are followed, and the address is checked on every hop, before and after connecting.
    `allow_private` permits private addresses, which is right only when the API itself is on this machine;
    hosts on this machine are then connected to without a proxy. `use_environment` honours the proxy
    variables and SSL_CERT_FILE.
    """

    def __init__(self, *, allow_private: bool, use_environment: bool) -> None:
        self._allow_private, self._use_environment = allow_private, use_environment
        self._clients: dict[tuple[str, bool], httpx.Client] = {}
        self._connections: set[_Connection] = set()
        self._stopped = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        stall: float = STALL_SECONDS,
    ) -> Iterator[httpx.Response]:
        """Yield the response behind a link, its body unread.

        `deadline` (a reading of `time.monotonic()`) ends the request, the body included, even while bytes
        trickle in; `stall` is the longest silence in seconds. Raises `WebError`, also from within the
        `with` block while the body is read.
        """
        with _transport_errors(deadline):
            address = parse_address(url)
            for _ in range(REDIRECTS + 1):
                with self._request(method, address, headers, deadline, stall) as response:
                    if not response.has_redirect_location:
                        yield response
                        return
                    address = _redirected(address, response.headers["location"])
            raise BadRedirect("redirects too many times")

    def stop(self) -> None:
        """Break off the requests in progress, and refuse others."""
        with self._lock:
            self._stopped = True
            connections = list(self._connections)
        for connection in connections:
            connection.shut()

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    @contextlib.contextmanager
    def _request(
        self,
        method: str,
        address: httpx.URL,
        headers: Mapping[str, str] | None,
        deadline: float | None,
        stall: float,
    ) -> Iterator[httpx.Response]:
        self._refuse_private(address.host)
        left = math.inf if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise TransportError("timed out")
        host = address.raw_host.decode("ascii")
        with (
            self._tracked(_Connection(host, self._refuse_private), left) as connection,
            self._client(address).stream(
                method,
                address,
                headers=headers,
                timeout=httpx.Timeout(min(stall, left), connect=min(CONNECT_SECONDS, left)),
                extensions={"trace": connection},
            ) as response,
        ):
            yield response

    @contextlib.contextmanager
    def _tracked(self, connection: _Connection, seconds: float) -> Iterator[_Connection]:
        """Let `stop`, and the end of `seconds`, shut the connection."""
        timer = threading.Timer(seconds, connection.shut) if seconds < math.inf else None
        with self._lock:
            if self._stopped:
                raise TransportError("the request was stopped", connected=False)
            self._connections.add(connection)
        try:
            if timer is not None:
                timer.daemon = True
                timer.start()
            yield connection
        finally:
            if timer is not None:
                timer.cancel()
            with self._lock:
                self._connections.discard(connection)

    def _refuse_private(self, host: str) -> None:
        private = None if self._allow_private else private_among(addresses_of(host))
        if private is not None:
            raise PrivateAddress(f"leads to the private address {private}")

    def _client(self, address: httpx.URL) -> httpx.Client:
        """The client for an address, made on first use; http needs no certificates."""
        local = self._allow_private and any(each.is_loopback for each in addresses_of(address.host))
        key = (address.scheme, local)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = _tokenless_client(
                    certificates=address.scheme == "https",
                    use_environment=self._use_environment and not local,
                )
            return self._clients[key]


def _tokenless_client(*, certificates: bool, use_environment: bool) -> httpx.Client:
    try:
        return httpx.Client(
            verify=certificates,
            trust_env=use_environment,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"user-agent": f"mj/{__version__}", "accept": "*/*", "accept-encoding": "identity"},
            # Bytes that a server sends after a response must not be taken for the next one, and only the
            # sockets of a new connection are known to `_Connection`.
            limits=httpx.Limits(max_keepalive_connections=0),
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise SetupError(f"could not be fetched: the connection cannot be set up ({error})") from error


class _Connection:
    """The sockets of one request, as httpcore's trace extension reports them.

    A host name may resolve to another address than when it was checked, so `check(address)` is called with
    the peer before anything is sent to it. A proxy's own address means nothing and is not checked.
    """

    def __init__(self, host: str, check: Callable[[str], None]) -> None:
        self._host, self._check = host, check
        self._direct = False
        self._streams: list[Any] = []
        self._shut = False
        self._lock = threading.Lock()

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Receive one event of the trace."""
        if event.endswith("connect_tcp.started"):
            self._direct = info.get("host") == self._host
        elif event.endswith("connect_tcp.complete"):
            if self._direct:
                self._check_peer(info["return_value"])
            self._add(info["return_value"])
        elif event.endswith("start_tls.complete"):
            self._add(info["return_value"])

    def shut(self) -> None:
        """End the request, from any thread, now or as soon as it is connected."""
        with self._lock:
            self._shut = True
            streams = list(self._streams)
        for stream in streams:
            _shut_socket(stream)

    def _check_peer(self, stream: Any) -> None:
        peer = stream.get_extra_info("server_addr")
        try:
            if peer is not None:
                self._check(str(peer[0]))
        except BaseException:
            stream.close()  # httpcore does not own it yet
            raise

    def _add(self, stream: Any) -> None:
        with self._lock:
            self._streams.append(stream)
            shut = self._shut
        if shut:
            _shut_socket(stream)


def _shut_socket(stream: Any) -> None:
    connection = stream.get_extra_info("socket")
    with contextlib.suppress(OSError, TypeError):
        # The plain socket's method: an SSL socket's own would drop its session while another thread reads.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


@contextlib.contextmanager
def _transport_errors(deadline: float | None) -> Iterator[None]:
    """Turn httpx's exceptions into `WebError`: the only place that does so for links."""
    try:
        yield
    except httpx.HTTPError as error:
        overdue = deadline is not None and time.monotonic() >= deadline
        connected = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        raise TransportError("timed out" if overdue else reason_of(error), connected=connected) from error
    except (httpx.InvalidURL, UnicodeError) as error:  # UnicodeError: a host name that DNS cannot carry
        raise BadAddress("is not a valid address") from error


def parse_address(url: str) -> httpx.URL:
    """A link as an http or https address. Raises `BadAddress`."""
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise BadAddress("is not a valid address") from None
    if address.scheme not in ("http", "https") or not address.host or (address.port or 1) > 65535:
        raise BadAddress("is not an http or https address")
    return address


def _redirected(address: httpx.URL, location: str) -> httpx.URL:
    try:
        return parse_address(str(address.join(location)))
    except (BadAddress, httpx.InvalidURL, ValueError):
        raise BadRedirect("redirects to something that is not an http or https address") from None


def read_head(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of the body; the rest is not read."""
    head = b""
    for piece in response.iter_bytes():
        head += piece
        if len(head) >= limit:
            break
    return head[:limit]


def addresses_of(host: str) -> list[Address]:
    """The addresses that a host name resolves to; empty when it cannot be resolved here."""
    try:
        found: list[Address] = [ipaddress.ip_address(host.strip("[]"))]
    except ValueError:
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
        found = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos]
    return [_embedded(each) or each for each in found]


def private_among(addresses: Iterable[Address]) -> Address | None:
    """The first address that is not public; None when all of them are."""
    return next((each for each in addresses if not each.is_global or each.is_multicast), None)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address within an IPv6 one: mapped, 6to4, or behind NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour

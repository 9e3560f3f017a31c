"""The one way to fetch from hosts that are not the service: no token, no cookies, no private addresses."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from mjcli import __version__, network
from mjcli.errors import ConfigError, reason_of, without_stop
from mjcli.media.direct import DirectTransport
from mjcli.media.watchdog import Watchdog

CONNECT_SECONDS = 10.0
STALL_SECONDS = 30.0  # without a byte
REDIRECTS = 5
IDLE_CONNECTIONS = 4  # kept open for each request at a time
IDLE_SECONDS = 15.0

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
    Connections are reused for further requests to the same host. `allow_private` permits private addresses,
    which is right only when the API itself is on this machine; hosts on this machine are then connected to
    without a proxy. `use_environment` honours the proxy variables and SSL_CERT_FILE.
    """

    def __init__(self, *, allow_private: bool, use_environment: bool) -> None:
        self._allow_private = allow_private
        self._proxies = network.Proxies.of_environment() if use_environment else None
        self._sessions: list[_Session] = []  # those without a request
        self._requests: set[_Request] = set()
        self._certificates: ssl.SSLContext | None = None
        self._watchdog = Watchdog()
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
        trickle in; `stall` is the longest wait in seconds for a piece of the body, and for all of the headers.
        Raises `WebError`, also from within the `with` block while the body is read.
        """
        with _transport_errors():
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
            requests = list(self._requests)
        for request in requests:
            request.shut("the request was stopped")
        self._close_idle()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            requests = list(self._requests)
        for request in requests:
            request.session.client.close()
        self._close_idle()
        self._watchdog.close()

    def _close_idle(self) -> None:
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.client.close()

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
        for reuse in (True, False):
            with self._attempt(method, address, headers, deadline, stall, reuse=reuse) as response:
                if response is not None:
                    yield response
                    return

    @contextlib.contextmanager
    def _attempt(
        self,
        method: str,
        address: httpx.URL,
        headers: Mapping[str, str] | None,
        deadline: float | None,
        stall: float,
        *,
        reuse: bool,
    ) -> Iterator[httpx.Response | None]:
        """Yield the response; None if the host had closed the connection that was reused."""
        now = time.monotonic()
        end = math.inf if deadline is None else deadline
        if end <= now:
            raise TransportError("timed out")
        timeout = httpx.Timeout(min(stall, end - now), connect=min(CONNECT_SECONDS, end - now))
        with self._tracked(address, reuse=reuse) as request:
            with self._limited(request, lambda: min(end, now + CONNECT_SECONDS + stall)):
                response = request.send(method, address, headers, timeout)
            if response is None:
                yield None
                return
            body = response.stream = _TimedBody(response.stream, stall)
            with contextlib.closing(response), self._limited(request, lambda: min(end, body.due)):
                yield response

    @contextlib.contextmanager
    def _limited(self, request: _Request, due: Callable[[], float]) -> Iterator[None]:
        """Shut the request when the block takes longer. Raises `TransportError` for a request that was shut."""
        try:
            with self._watchdog.watching(due, lambda: request.shut("timed out")):
                yield
        except httpx.HTTPError:
            request.raise_if_shut()
            raise
        request.raise_if_shut()

    @contextlib.contextmanager
    def _tracked(self, address: httpx.URL, *, reuse: bool) -> Iterator[_Request]:
        """A request that `stop` can end, with a session of its own while it lasts."""
        session = self._session(address, reuse=reuse)
        request = _Request(session, address, self._refuse_private)
        with self._lock:
            if self._stopped:
                raise TransportError("the request was stopped", connected=False)
            self._requests.add(request)
        try:
            yield request
        finally:
            request.end()
            self._give_back(request)

    def _give_back(self, request: _Request) -> None:
        with self._lock:
            self._requests.discard(request)
            self._sessions.append(request.session)
            stopped = self._stopped
        if stopped:
            self._close_idle()

    def _refuse_private(self, host: str) -> None:
        private = None if self._allow_private else private_among(addresses_of(host))
        if private is not None:
            raise PrivateAddress(f"leads to the private address {private}")

    def _session(self, address: httpx.URL, *, reuse: bool) -> _Session:
        """A session without a request, if possible one that is connected to the host of this address."""
        with _setup_errors():
            proxy = self._proxy(address)
        kind, origin = (address.scheme == "https", proxy), _origin(address)
        with self._lock:
            found = [each for each in self._sessions if each.kind == kind and (reuse or not each.origins)]
            if found:
                session = next((each for each in found if origin in each.origins), found[0])
                self._sessions.remove(session)
                return session
            if kind[0] and self._certificates is None:
                with _setup_errors():
                    self._certificates = self._load_certificates()
            certificates = self._certificates if kind[0] else None
        return _Session(kind, _tokenless_client(certificates, proxy))

    def _proxy(self, address: httpx.URL) -> str | None:
        local = self._allow_private and any(each.is_loopback for each in addresses_of(address.host))
        return None if self._proxies is None or local else self._proxies.for_url(str(address))

    def _load_certificates(self) -> ssl.SSLContext:
        if self._proxies is None:
            return httpx.create_ssl_context(trust_env=False)
        return network.certificates(httpx.create_ssl_context)


def _origin(address: httpx.URL) -> tuple[str, str, int | None]:
    return address.scheme, address.host, address.port


def _tokenless_client(certificates: ssl.SSLContext | None, proxy: str | None) -> httpx.Client:
    transport: httpx.BaseTransport
    if proxy is None:
        transport = DirectTransport(certificates, idle=IDLE_CONNECTIONS, seconds=IDLE_SECONDS)
    else:
        transport = httpx.HTTPTransport(
            verify=certificates or False,  # http needs none
            trust_env=False,
            proxy=proxy,
            limits=httpx.Limits(max_keepalive_connections=IDLE_CONNECTIONS, keepalive_expiry=IDLE_SECONDS),
        )
    return httpx.Client(
        transport=transport,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"user-agent": f"mj/{__version__}", "accept": "*/*", "accept-encoding": "identity"},
    )


@contextlib.contextmanager
def _setup_errors() -> Iterator[None]:
    """Turn settings that cannot be used into `SetupError`, which concerns one link."""
    try:
        yield
    except ConfigError as error:
        raise SetupError(f"could not be fetched: {without_stop(error.message)}") from error


class _Session:
    """A client that serves one request at a time, and the sockets that it has opened.

    Any of them may be the one that a request reuses, so that all of them are shut to end it.
    """

    def __init__(self, kind: tuple[bool, str | None], client: httpx.Client) -> None:
        self.kind, self.client = kind, client
        self.origins: set[tuple[str, str, int | None]] = set()
        self.streams: list[Any] = []

    def forget_closed(self) -> None:
        """Drop the sockets that are closed."""
        self.streams = [each for each in self.streams if each.get_extra_info("socket").fileno() >= 0]


class _Request:
    """One request of a session; its connections are those that httpcore's trace extension reports.

    A host name may resolve to another address than when it was checked, so `check(address)` is called with
    the peer before anything is sent to it. A proxy's own address means nothing and is not checked.
    """

    def __init__(self, session: _Session, address: httpx.URL, check: Callable[[str], None]) -> None:
        self.session = session
        self._origin, self._host = _origin(address), address.raw_host.decode("ascii")
        self._check = check
        self._direct = self._connected = self._over = False
        self._reason: str | None = None
        self._lock = threading.Lock()
        session.forget_closed()

    def send(
        self, method: str, address: httpx.URL, headers: Mapping[str, str] | None, timeout: httpx.Timeout
    ) -> httpx.Response | None:
        """The response; None when the connection that was reused turned out to be closed."""
        client = self.session.client
        request = client.build_request(
            method, address, headers=headers, timeout=timeout, extensions={"trace": self}
        )
        try:
            response = client.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.NetworkError):
            if self._connected or self._reason is not None or self._origin not in self.session.origins:
                raise
            return None
        self.session.origins.add(self._origin)
        return response

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Receive one event of the trace."""
        if event.endswith("connect_tcp.started"):
            self._connected, self._direct = True, info.get("host") == self._host
        elif event.endswith("connect_tcp.complete"):
            if self._direct:
                self._check_peer(info["return_value"])
            self._add(info["return_value"])
        elif event.endswith("start_tls.complete"):
            self._add(info["return_value"])
        elif event.endswith("send_request_headers.complete"):
            for stream in self.session.streams:
                _acknowledge_at_once(stream)

    def shut(self, reason: str) -> None:
        """End the request, from any thread, now or as soon as it is connected; no-op once it is over."""
        with self._lock:
            if self._over:
                return
            self._reason = reason
            for stream in self.session.streams:
                _shut_socket(stream)

    def end(self) -> None:
        """Note that the session may serve another request."""
        with self._lock:
            self._over = True

    def raise_if_shut(self) -> None:
        """Raise `TransportError` if the request was shut, which may look like the end of the body."""
        if self._reason is not None:
            raise TransportError(self._reason)

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
            self.session.streams.append(stream)
            if self._reason is not None:
                _shut_socket(stream)


class _TimedBody(httpx.SyncByteStream):
    """A body that knows until when it must bring more data, `seconds` after the reader began to wait.

    A read timeout alone would be renewed by every byte of chunk extensions and trailers, which are not data.
    """

    def __init__(self, body: Any, seconds: float) -> None:
        self._body, self._seconds = body, seconds
        self._since: float | None = None  # when the reader began to wait

    @property
    def due(self) -> float:
        """A reading of `time.monotonic()`; it is never earlier than it was."""
        since = self._since
        return (time.monotonic() if since is None else since) + self._seconds

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._body)
        while True:
            self._since = time.monotonic()
            piece = next(pieces, None)
            self._since = None
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        self._body.close()


def _acknowledge_at_once(stream: Any) -> None:
    """Avoid the delay of 40 ms before the body of a server that sends its headers alone."""
    option = getattr(socket, "TCP_QUICKACK", None)  # Linux
    if option is not None:
        with contextlib.suppress(OSError):
            stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, 1)


def _shut_socket(stream: Any) -> None:
    connection = stream.get_extra_info("socket")
    with contextlib.suppress(OSError, TypeError):
        # The plain socket's method: an SSL socket's own would drop its session while another thread reads.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


@contextlib.contextmanager
def _transport_errors() -> Iterator[None]:
    """Turn httpx's exceptions into `WebError`: the only place that does so for links."""
    try:
        yield
    except httpx.HTTPError as error:
        connected = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        raise TransportError(reason_of(error), connected=connected) from error
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

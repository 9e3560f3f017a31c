"""An httpx transport for direct connections, which reads bodies of known length in large pieces.

The transport of httpx parses and copies each 64 KB several times, which takes longer than a fast download. Here
the parser, which is the same, reads only the heads and the bodies that are not declared by their length.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h11
import httpx

PIECE = 256 * 1024  # bytes, the most that is read at a time
_HEAD = 64 * 1024
_MOST_HEAD = 100 * 1024  # bytes of the headers of a response

_Origin = tuple[str, str, int]


class DirectTransport(httpx.BaseTransport):
    """Requests without a body, one at a time; `close` may be called in any thread.

    At most `idle` connections are kept for `seconds` until they are used again. The extensions `timeout` and `trace`
    of a request work as in httpx's own transport.
    """

    def __init__(self, certificates: ssl.SSLContext | None, *, idle: int, seconds: float) -> None:
        self._certificates = certificates
        self._most_idle, self._seconds = idle, seconds
        self._connections: list[_Connection] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        origin = _origin(request.url)
        connection = self._idle(origin)
        if connection is None:
            connection = _Connection(origin, request.extensions, self._certificates)
            self._connections.append(connection)
        try:
            return connection.send(request)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _idle(self, origin: _Origin) -> _Connection | None:
        """A connection that can be used again. Those that are too old, or too many, are closed."""
        idle = [each for each in self._connections if each.idle_since is not None]
        for number, each in enumerate(reversed(idle)):
            if number >= self._most_idle or each.is_stale(self._seconds):
                each.close()
        self._connections = [each for each in self._connections if not each.closed]
        found = [each for each in idle if each.origin == origin and not each.closed]
        return found[-1] if found else None


class _Connection:
    """A connection to a server, for one request after the other. Raises httpx's exceptions."""

    def __init__(
        self, origin: _Origin, extensions: Mapping[str, Any], certificates: ssl.SSLContext | None
    ) -> None:
        self.origin = origin
        self.closed = False
        self.idle_since: float | None = None
        trace = extensions.get("trace") or _no_trace
        limit = _timeout(extensions, "connect")
        scheme, host, port = origin
        trace("connection.connect_tcp.started", {"host": host, "port": port})
        with _errors(httpx.ConnectTimeout, httpx.ConnectError):
            self._socket = socket.create_connection((host, port), limit)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            trace("connection.connect_tcp.complete", {"return_value": SocketStream(self._socket)})
            if scheme == "https":
                self._start_tls(host, certificates or ssl.create_default_context())
                trace("connection.start_tls.complete", {"return_value": SocketStream(self._socket)})
        except BaseException:
            self._socket.close()
            raise

    def _start_tls(self, host: str, certificates: ssl.SSLContext) -> None:
        certificates.set_alpn_protocols(["http/1.1"])
        with _errors(httpx.ConnectTimeout, httpx.ConnectError):
            self._socket = certificates.wrap_socket(self._socket, server_hostname=host)

    def close(self) -> None:
        """Close it, whatever is in progress."""
        self.closed = True
        self._socket.close()

    def is_stale(self, seconds: float) -> bool:
        """Whether it was idle for longer than this, or the server has closed it."""
        if self.closed or self.idle_since is None or time.monotonic() > self.idle_since + seconds:
            return True
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._socket, selectors.EVENT_READ)
                return bool(selector.select(0))
        except (OSError, ValueError):  # closed by another thread
            return True

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the response, its body unread."""
        self.idle_since = None
        trace = request.extensions.get("trace") or _no_trace
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        try:
            data = parser.send(
                h11.Request(
                    method=request.method.encode(), target=request.url.raw_path, headers=request.headers.raw
                )
            )
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        parser.send(h11.EndOfMessage())
        with _errors(httpx.WriteTimeout, httpx.WriteError):
            self._socket.settimeout(_timeout(request.extensions, "write"))
            self._socket.sendall(data or b"")
        trace("http11.send_request_headers.complete", {})
        self._socket.settimeout(_timeout(request.extensions, "read"))
        head = self._head(parser)
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(self, parser, _length(request.method, head)),
            extensions={
                "http_version": b"HTTP/" + head.http_version,
                "reason_phrase": head.reason,
                "network_stream": SocketStream(self._socket),
            },
        )

    def _head(self, parser: h11.Connection) -> h11.Response:
        while True:
            event = self.next_event(parser)
            if isinstance(event, h11.Response):
                return event

    def next_event(self, parser: h11.Connection) -> object:
        """The next part of a response, read in small pieces."""
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from error
            if event is not h11.NEED_DATA:
                return event
            data = self.read(_HEAD)
            if not data and parser.their_state is h11.SEND_RESPONSE:
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
            parser.receive_data(data)

    def read(self, most: int) -> bytes:
        """The bytes that come next, empty at the end of the connection."""
        with _errors(httpx.ReadTimeout, httpx.ReadError):
            return self._socket.recv(most)

    def release(self, *, reuse: bool) -> None:
        """The response is over: the connection may serve another request, or it is closed."""
        if reuse and not self.closed:
            self.idle_since = time.monotonic()
        else:
            self.close()


class _Body(httpx.SyncByteStream):
    """The body of a response; `length` is in bytes, None when it is not declared."""

    def __init__(self, connection: _Connection, parser: h11.Connection, length: int | None) -> None:
        self._connection, self._parser, self._length = connection, parser, length
        self._complete = self._over = False

    def __iter__(self) -> Iterator[bytes]:
        return self._parsed() if self._length is None else self._counted(self._length)

    def close(self) -> None:
        if not self._over:
            self._over = True
            # The parser is no longer "done" when one of the two sides wants to close the connection.
            reuse = self._complete and self._parser.our_state is h11.DONE
            self._connection.release(reuse=reuse)

    def _counted(self, length: int) -> Iterator[bytes]:
        """Bytes past the parser, which has read the first of them together with the head."""
        first, _ = self._parser.trailing_data
        left = length - len(first)
        if first:
            yield first[:length]
        while left > 0:
            piece = self._connection.read(min(PIECE, left))
            if not piece:
                raise httpx.RemoteProtocolError(
                    "peer closed connection without sending complete message body"
                    f" (received {length - left} bytes, expected {length})"
                )
            left -= len(piece)
            yield piece
        self._complete = left == 0

    def _parsed(self) -> Iterator[bytes]:
        while isinstance(event := self._connection.next_event(self._parser), h11.Data):
            yield bytes(event.data)
        self._complete = self._parser.their_state is h11.DONE and not self._parser.trailing_data[0]


class SocketStream:
    """What a trace returns for a connection: the part of httpcore's interface that concerns its socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def get_extra_info(self, info: str) -> Any:
        """The `socket`, or the address of the server; None for anything else."""
        if info == "server_addr":
            return self._socket.getpeername()
        return self._socket if info == "socket" else None

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def _length(method: str, head: h11.Response) -> int | None:
    """The declared length of a body; the parser has checked and merged the headers."""
    if method == "HEAD" or head.status_code in (204, 304):
        return 0
    headers = dict(head.headers)
    if b"transfer-encoding" in headers or b"content-length" not in headers:
        return None
    return int(headers[b"content-length"])


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


def _timeout(extensions: Mapping[str, Any], kind: str) -> float | None:
    limit = extensions.get("timeout", {}).get(kind)
    return None if limit is None else float(limit)


def _no_trace(_event: str, _info: Mapping[str, Any]) -> None:
    pass


@contextlib.contextmanager
def _errors(
    timeout: Callable[[str], httpx.TransportError], other: Callable[[str], httpx.TransportError]
) -> Iterator[None]:
    """Turn the exceptions of sockets into those of httpx."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except OSError as error:
        raise other(str(error)) from error

"""An HTTP server for webhook callbacks at one unguessable path, with limits for hostile senders.

waitress speaks HTTP; this module adds what a server on a public address needs: a limit on the total time of a
request, a 413 response that the sender of a large body can read, and no log output.
"""

from __future__ import annotations

import hmac
import io
import json
import logging
import os
import secrets
import select
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import unquote_to_bytes

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import BadRequest, Error, RequestEntityTooLarge

from mjcli.jobs.addresses import url_host

LARGEST = 1024 * 1024  # bytes of a body
REQUEST_SECONDS = 10.0  # within which a request must arrive completely, from its first byte
IDLE_SECONDS = 60.0  # that a connection may stay open without a request
CONNECTIONS = 2000  # at the same time; beyond that, the longest idle ones are closed
FEWER = 400  # connections on systems without poll(); select() on Windows supports 512
RESERVE = 256  # files that may be open besides the connections
WORKERS = 32  # threads that handle callbacks
BODIES = 32 * 1024 * 1024  # bytes of the bodies that are in memory at the same time
DROPPED = (
    32 * 1024 * 1024
)  # bytes of an oversized body that are read and dropped, so that the sender reads the response
SMALL = 16 * 1024  # bytes of a body that is always accepted
_REFUSAL = "MJ_REFUSAL"  # the header that passes on the status of a refused request
CHUNK_MARGIN = 64 * 1024  # bytes allowed between two chunks of a body, or after the last
CLOSE_SECONDS = 0.5  # for handlers that still run, and responses under way, when the receiver is closed
RETRY_SECONDS = 5  # value of Retry-After


class Receiver:
    """Receives POST requests at `path` and passes their bodies to `handle`, in one of several threads.

    `handle` returns the HTTP status of the response. The port is bound immediately (0 picks a free one);
    raises `OSError` if that fails. `prefix` is a path that a proxy may add in front, such as `/hook`.
    """

    def __init__(
        self,
        handle: Callable[[bytes], int],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        prefix: str = "",
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._handle = handle
        self.path = f"/{secrets.token_urlsafe(24)}"
        # Unescaped, as waitress provides them.
        self._paths = [unquote_to_bytes(self.path), unquote_to_bytes(prefix + self.path)]
        _silence_waitress()
        self._server = _Server(
            self._respond, self._refusal, host, port, request_seconds, _connections_allowed()
        )
        self.host = host
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="receiver", daemon=True)
        self._closed = False

    @property
    def address(self) -> str:
        """The scheme, host and port for programs on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{url_host(host)}:{self.port}"

    @property
    def url(self) -> str:
        """The callback URL for programs on this machine."""
        return self.address + self.path

    def start(self) -> None:
        """Start serving, in separate threads."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving and close all connections. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._server.shut_down(self._thread)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _respond(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Handle one request (the WSGI application)."""
        status = HTTPStatus(self._status(environ))
        body = json.dumps({"success": status < 300}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "POST"))
        elif status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
            headers.append(("Accept-Encoding", "identity"))
        elif status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", str(RETRY_SECONDS)))
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _status(self, environ: dict[str, Any]) -> int:
        if (refusal := environ.get(f"HTTP_{_REFUSAL}")) is not None:
            return int(refusal)
        body = environ["wsgi.input"].read(LARGEST + 1)
        if len(body) > LARGEST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            return self._handle(body)
        except Exception:  # a callback may contain anything, and must not stop the receiver
            return HTTPStatus.INTERNAL_SERVER_ERROR

    def _refusal(self, request: _Parser) -> HTTPStatus | None:
        """The status for a request that is refused because of its first line and headers; None for others."""
        path = request.path.encode("latin-1", "replace")
        # Both are compared completely, so that the time does not reveal how much matched.
        if not any([hmac.compare_digest(path, each) for each in self._paths]):  # noqa: C419
            return HTTPStatus.NOT_FOUND
        if request.command != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED
        codings = request.headers.get("CONTENT_ENCODING", "").split(",")
        if any(each.strip().lower() not in ("", "identity") for each in codings):
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        if not request.chunked and "CONTENT_LENGTH" not in request.headers:
            return HTTPStatus.LENGTH_REQUIRED
        return None


class _TooSlow(Error):  # type: ignore[misc]
    code = HTTPStatus.REQUEST_TIMEOUT.value
    reason = HTTPStatus.REQUEST_TIMEOUT.phrase


class _Sink:
    """A buffer that counts bytes and drops them."""

    def __init__(self) -> None:
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, data: bytes) -> None:
        """Count and drop the data."""
        self._count += len(data)

    def getfile(self) -> io.BytesIO:
        """Return an empty file."""
        return io.BytesIO()

    def close(self) -> None:
        """Do nothing."""


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses requests by their headers, and reads and drops the bodies that are refused.

    Closing a connection with unread data resets it, and the sender loses the response.
    """

    server: _Server

    path = ""  # waitress reads it even if the request has none
    completed = expect_continue = False
    held = 0  # bytes of the body that may be in memory
    _to_drop = 0  # bytes that are still read and dropped

    def received(self, data: bytes) -> int:
        if self._to_drop:
            return self._drop(data)
        if self.chunked:  # only stored bytes count, however small the chunks are
            self.body_bytes_received = len(self.body_rcv) + self._between_chunks
        try:
            consumed: int = super().received(data)
        except ValueError:  # waitress passes some malformed numbers and addresses to Python
            self.error, self.completed, consumed = BadRequest("Malformed request"), True, len(data)
        if self.completed:
            # A sender that expects "100 Continue" gets the error instead; waitress would wait for a body anyway.
            expects, self.expect_continue = self.expect_continue, False
            too_large = isinstance(self.error, RequestEntityTooLarge)
            if too_large and not expects and self.content_length <= DROPPED:
                self._start_dropping()
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        self.headers.pop(_REFUSAL, None)  # a sender must not choose
        refusal = self.server.refusal_of(self)
        if refusal is not None:
            self.headers[_REFUSAL] = str(int(refusal))
            if self.body_rcv is not None:
                self.body_rcv.buf.close()
                self.body_rcv.buf = _Sink()
            return
        self.held = min(LARGEST if self.chunked else self.content_length, LARGEST)

    @property
    def _between_chunks(self) -> int:
        """The number of stored bytes outside the body: chunk sizes, and trailers after the last chunk."""
        return len(self.body_rcv.control_line) + len(self.body_rcv.trailer)

    def _start_dropping(self) -> None:
        self._to_drop = DROPPED
        self.body_rcv.buf.close()
        self.body_rcv.buf = _Sink()
        self._drop(b"")  # the end of the body may have arrived already

    def _drop(self, data: bytes) -> int:
        consumed: int = self.body_rcv.received(data)
        self._to_drop = max(self._to_drop - consumed, 0)
        enough = not self._to_drop or (self.chunked and self._between_chunks > CHUNK_MARGIN)
        self.completed = enough or self.body_rcv.completed or self.body_rcv.error is not None
        return consumed


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection whose requests must arrive completely within a time limit, however slowly bytes arrive."""

    request: Any = None  # the request that is arriving
    requests: list[Any]  # those that have arrived
    will_close = False
    _began_at = 0.0  # monotonic time of the first byte of that request

    def parser_class(self, adjustments: Any) -> _Parser:
        """Create the parser of the next request."""
        parser = _Parser(adjustments)
        parser.server = self.server
        return parser

    def received(self, data: bytes) -> bool:
        before = self.request
        more: bool = super().received(data)
        if self.request is not before:
            self._began_at = time.monotonic()
        return more

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being received, handled or sent."""
        return self.request is None and not self.requests and not self.total_outbufs_len

    @property
    def held(self) -> int:
        """The bytes of bodies that may be in memory."""
        return sum(each.held for each in [*self.requests, self.request] if each is not None)

    def enforce_limits(self, now: float, limit: float) -> None:
        """Close an idle connection, and abort a request that has been arriving for `limit` seconds."""
        with self.requests_lock:
            if self.requests:
                self._began_at = time.monotonic()  # the next request is not read meanwhile
            elif self.request is None:
                self.will_close = self.will_close or self.last_activity < now - IDLE_SECONDS
            elif time.monotonic() - self._began_at >= limit:
                self._abort(self.request)

    def _abort(self, request: Any) -> None:
        """Respond to an incomplete request with an error."""
        request.error = request.error or _TooSlow("The request did not arrive in time.")
        request.completed = True
        self.request = None
        self.requests.append(request)
        self.server.add_task(self)


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server, which can be closed from another thread."""

    channel_class = _Channel

    def __init__(
        self,
        application: Any,
        refusal: Callable[[_Parser], HTTPStatus | None],
        host: str,
        port: int,
        request_seconds: float,
        most: int,
    ) -> None:
        self._refusal = refusal
        self._request_seconds, self._most = request_seconds, most
        self._gate = threading.Lock()  # between the threads that pull the trigger and the one that closes it
        self._shut_down = False
        sockets: dict[int, Any] = {}
        workers = ThreadedTaskDispatcher()
        try:
            super().__init__(
                application,
                map=sockets,
                dispatcher=workers,
                host=host,
                port=port,
                ident="mj",
                max_request_body_size=LARGEST + CHUNK_MARGIN,
                max_request_header_size=64 * 1024,
                # In memory: waitress does not close the file of an aborted request.
                inbuf_overflow=2 * (LARGEST + CHUNK_MARGIN),
                connection_limit=most + RESERVE,  # a safety net: `handle_accept` makes room
                asyncore_use_poll=hasattr(select, "poll"),
                log_socket_errors=False,
            )
        except (OSError, ValueError) as error:
            wasyncore.close_all(sockets, ignore_all=True)
            if isinstance(error, OSError):
                raise
            # This is what waitress raises for a host without an address.
            raise OSError("not an address of this machine") from error
        # Set here because the constructor rounds to whole seconds. waitress checks the connections when it wakes
        # up; that interval is shorter, or it could wake up just before a limit and miss it.
        self.adj.asyncore_loop_timeout = min(1.0, max(request_seconds / 4, 0.01))
        self.adj.cleanup_interval = self.adj.asyncore_loop_timeout / 2
        workers.set_thread_count(WORKERS)

    def set_reuse_addr(self) -> None:
        if os.name != "nt":  # on Windows, two programs could then bind the same port
            super().set_reuse_addr()

    def handle_accept(self) -> None:
        if len(self.active_channels) >= self._most:
            idle = [channel for channel in self.active_channels.values() if channel.is_idle]
            if idle:
                min(idle, key=lambda channel: channel.last_activity).handle_close()
        super().handle_accept()

    def refusal_of(self, request: _Parser) -> HTTPStatus | None:
        """The status for a request that is refused because of its headers, or because memory is short."""
        refusal = self._refusal(request)
        if refusal is None and (request.chunked or request.content_length > SMALL):
            held = sum(channel.held for channel in list(self.active_channels.values()))
            if held + LARGEST > BODIES:
                return HTTPStatus.SERVICE_UNAVAILABLE
        return refusal

    def maintenance(self, now: float) -> None:
        for channel in list(self.active_channels.values()):  # workers may close connections meanwhile
            channel.enforce_limits(now, self._request_seconds)

    def pull_trigger(self) -> None:
        with self._gate:
            if not self._shut_down:
                super().pull_trigger()

    def shut_down(self, thread: threading.Thread) -> None:
        """Close everything, in the thread that runs the loop if there is one."""
        deadline = time.monotonic() + CLOSE_SECONDS
        if thread.is_alive():
            # The service sends a callback again if the response does not arrive.
            while self._is_responding and time.monotonic() < deadline:
                time.sleep(0.01)
            with self._gate:  # otherwise a worker could pull it too, and the loop close it during our pull
                self.trigger.pull_trigger(self._close_all)
            thread.join()
        else:
            self._close_all()
        self.task_dispatcher.shutdown(timeout=max(deadline - time.monotonic(), 0.0))

    @property
    def _is_responding(self) -> bool:
        """Whether a request is being handled, or its response sent."""
        return any(each.requests or each.total_outbufs_len for each in list(self.active_channels.values()))

    def _close_all(self) -> None:
        with self._gate:
            self._shut_down = True
            wasyncore.close_all(self._map, ignore_all=True)


def _silence_waitress() -> None:
    """Discard waitress's log messages about bad senders and its own load."""
    for name in ("waitress", "waitress.queue"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _connections_allowed() -> int:
    """Raise this process's limit of open files as far as possible; return how many connections it allows."""
    if not hasattr(select, "poll"):
        return FEWER
    try:
        import resource
    except ImportError:  # a system without this limit
        return CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS
    wanted = CONNECTIONS + RESERVE
    if soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
        except (OSError, ValueError):
            pass  # fewer connections are allowed
    return min(CONNECTIONS, max(soft - RESERVE, soft // 2))

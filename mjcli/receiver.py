"""An HTTP server for webhook callbacks: one address that cannot be guessed, and no patience with bad senders.

waitress does the HTTP; what stands here is what a receiver that anybody may reach needs beyond it: a limit for
the whole time of a request, an answer that a sender of too much comes to read, and silence.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import select
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Self

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import Error, RequestEntityTooLarge

LARGEST = 1024 * 1024  # bytes of a body
REQUEST_SECONDS = 10.0  # in which a request must have arrived whole, from its first byte on
IDLE_SECONDS = 60  # for which a connection may stay open without a request
CONNECTIONS = 2000  # at the same time; for more, those that have been idle for the longest are closed
RESERVE = 256  # files that may be open beside the connections
WORKERS = 8  # threads that handle callbacks
SWALLOWED = 32 * 1024 * 1024  # bytes of a body that is too large, which are read so that the answer is
CHUNK_MARGIN = 64 * 1024  # bytes that may stand between the chunks of a body
CLOSE_SECONDS = 0.5  # for handlers that are still at work when the receiver is closed
RETRY_SECONDS = 5  # after which a sender who is told so may try again

_LAST_CHUNK = b"0\r\n\r\n"


class Receiver:
    """Receives POSTs at `path` and hands their bodies to `handle`, in one of several threads.

    What `handle` gives is the HTTP status of the answer. The port is bound at once (`port` 0 takes a free one);
    raises `OSError` where it cannot be. `prefix` is what a proxy may put before the path, such as `/hook`.
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
        self._paths = [self.path.encode(), (prefix + self.path).encode()]
        _be_silent()
        self._server = _Server(self._answer, host, port, request_seconds, _connections_allowed())
        self.host = host
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="receiver", daemon=True)
        self._closed = False

    @property
    def address(self) -> str:
        """Scheme, host and port under which this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def url(self) -> str:
        """Where callbacks are to be sent."""
        return self.address + self.path

    def start(self) -> None:
        """Serve in threads of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving and close all connections; twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._server.end(self._thread)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        status = HTTPStatus(self._status(environ))
        body = json.dumps({"success": status < 300}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "POST"))
        elif status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", str(RETRY_SECONDS)))
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _status(self, environ: dict[str, Any]) -> int:
        path = environ["PATH_INFO"].encode("latin-1", "replace")
        # Both are compared, to the end, so that the time tells nothing of how much was right.
        if not any([hmac.compare_digest(path, each) for each in self._paths]):  # noqa: C419
            return HTTPStatus.NOT_FOUND
        if environ["REQUEST_METHOD"] != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED
        body = environ["wsgi.input"].read(LARGEST + 1)
        if len(body) > LARGEST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            return self._handle(body)
        except Exception:  # a callback may be anything, and the next one is to be received, too
            return HTTPStatus.INTERNAL_SERVER_ERROR


class _TooSlow(Error):  # type: ignore[misc]
    code = HTTPStatus.REQUEST_TIMEOUT.value
    reason = HTTPStatus.REQUEST_TIMEOUT.phrase


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Reads the rest of a body that is too large without keeping it.

    A connection that is closed while something of its sender is unread is reset, and the answer lost.
    """

    completed = expect_continue = False
    _left = 0  # bytes that are swallowed yet
    _tail = b""  # of what was swallowed, where only its end tells that it is one

    def received(self, data: bytes) -> int:
        if self._left:
            return self._swallow(data)
        taken: int = super().received(data)
        if self.completed and isinstance(self.error, RequestEntityTooLarge):
            if self.expect_continue:
                self.expect_continue = False  # it waits to be told, and is told at once
            elif self.chunked:
                self._left, self.completed = SWALLOWED, False
                self._swallow(data[:taken])
            elif self.content_length <= SWALLOWED:
                self._left, self.completed = self.content_length, False
        return taken

    def _swallow(self, data: bytes) -> int:
        taken = min(len(data), self._left)
        self._left -= taken
        if self.chunked:
            self._tail = (self._tail + data[:taken])[-len(_LAST_CHUNK) :]
            if self._tail == _LAST_CHUNK:
                self._left = 0
        self.completed = not self._left
        return taken


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection whose requests must arrive whole in a certain time, however many bytes trickle in."""

    parser_class = _Parser
    request: Any = None  # the one that is arriving
    _begun = 0.0  # reading of the monotonic clock at the first byte of the request that is arriving

    def received(self, data: bytes) -> bool:
        before = self.request
        more: bool = super().received(data)
        if self.request is not before:
            self._begun = time.monotonic()
        return more

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being received, worked at or sent."""
        return self.request is None and not self.requests and not self.total_outbufs_len

    def cut(self, limit: float) -> None:
        """Answer a request that has been arriving for longer than `limit` seconds as it is."""
        with self.requests_lock:
            request = self.request
            if request is None or self.requests or time.monotonic() - self._begun < limit:
                return
            request.error = request.error or _TooSlow("The request did not arrive in time.")
            request.completed = True
            self.request = None
            self.requests.append(request)
            self.server.add_task(self)


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server, with an end that can be brought about from another thread."""

    channel_class = _Channel

    def __init__(self, application: Any, host: str, port: int, request_seconds: float, most: int) -> None:
        self._request_seconds, self._most = request_seconds, most
        self._gate = threading.Lock()  # between who pulls the trigger and who closes it
        self._ended = False
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
                channel_timeout=IDLE_SECONDS,
                cleanup_interval=1,
                connection_limit=most + RESERVE,  # never reached: `handle_accept` makes room
                asyncore_use_poll=hasattr(select, "poll"),
                log_socket_errors=False,
            )
        except (OSError, ValueError) as error:
            wasyncore.close_all(sockets, ignore_all=True)
            if isinstance(error, OSError):
                raise
            # That is how waitress calls a host that has no address.
            raise OSError(f"{host} is no address of this machine") from error
        workers.set_thread_count(WORKERS)

    def handle_accept(self) -> None:
        if len(self.active_channels) >= self._most:
            idle = [channel for channel in self.active_channels.values() if channel.is_idle]
            if idle:
                min(idle, key=lambda channel: channel.last_activity).handle_close()
        super().handle_accept()

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            channel.cut(self._request_seconds)

    def pull_trigger(self) -> None:
        with self._gate:
            if not self._ended:
                super().pull_trigger()

    def end(self, thread: threading.Thread) -> None:
        """Close everything, in the thread that runs the loop where there is one."""
        if thread.is_alive():
            with self._gate:  # or a worker that pulls it as well would have it closed before we have
                self.trigger.pull_trigger(self._close_all)
            thread.join()
        else:
            self._close_all()
        self.task_dispatcher.shutdown(timeout=CLOSE_SECONDS)

    def _close_all(self) -> None:
        with self._gate:
            self._ended = True
            wasyncore.close_all(self._map, ignore_all=True)


def _be_silent() -> None:
    """What waitress would say of bad senders and of its own load is nobody's business here."""
    for name in ("waitress", "waitress.queue"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _connections_allowed() -> int:
    """How many connections there may be; this process is let have as many files open, as far as the system does."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
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
            pass  # fewer connections, then
    return max(min(CONNECTIONS, soft - RESERVE), 1)

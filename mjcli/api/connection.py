"""Connections to the service: set up, certificates, and the time limits of each read and write."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar
from typing import Any

import httpcore
import httpx

from mjcli import network
from mjcli.api.hooks import Clock, Hooks
from mjcli.api.retries import http_date
from mjcli.errors import ConfigError

CONNECT_SECONDS = 10.0  # also for the TLS handshake and for a proxy's response
WRITE_SECONDS = 60.0  # for each piece of a request
# Seconds: sockets refuse timeouts of many years, and on Windows, Ctrl-C does not interrupt a read.
LONGEST_READ = 0.5 if os.name == "nt" else 3600.0
NEVER = float("inf")
_PIECE = 64 * 1024  # bytes of a request that are written at a time


def connect(
    url: str, *, certificates: Certificates | None, use_environment: bool, **settings: Any
) -> httpx.Client:
    """An HTTP client for one server that follows no redirects and stores no cookies.

    `certificates` is None for plain http; `settings` are those of `httpx.Client`. Raises `ConfigError` when the
    proxy or the certificates that the environment names cannot be used.
    """
    proxy = network.Proxies.of_environment().for_url(url) if use_environment else None
    return httpx.Client(
        verify=False if certificates is None else certificates.context(),
        trust_env=False,
        proxy=proxy,
        follow_redirects=False,
        cookies=_NoCookies(),
        **settings,
    )


class _NoCookies(CookieJar):
    """Ignores cookies: the API has none, and a malformed one would make every later request fail."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Store nothing."""


class Certificates:
    """The trusted certificates, loaded in a thread, since that takes tens of milliseconds."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def _load(self) -> None:
        try:
            self._context = network.certificates(httpx.create_ssl_context)
        except Exception as error:  # raised again by `context`
            self._error = error

    def context(self) -> ssl.SSLContext:
        """The context for a client. Raises `ConfigError` for certificates that cannot be used."""
        self._thread.join()
        if self._context is None:
            raise self._error or ConfigError("The trusted certificates cannot be loaded.")
        return self._context


class Exchange:
    """One request and its response on a connection, as httpcore's trace extension.

    It calls the hooks as the request is sent, and limits every read and write. httpx's own timeouts count from
    the last byte, so a response that arrives byte by byte, headers and 1xx responses included, would outlive
    any deadline. A proxy first receives a CONNECT request over the same connection, which is part of
    connecting.
    """

    def __init__(
        self,
        clock: Clock,
        deadline: float | None,
        hooks: Hooks,
        note_clock: Callable[[float], None] = lambda _: None,
        silence: float = NEVER,
    ) -> None:
        self._clock, self._hooks, self._note_clock = clock, hooks, note_clock
        #: When reading and writing end, as a reading of the monotonic clock.
        self.deadline = deadline
        now = clock.monotonic()
        self._connect_by = now + min(CONNECT_SECONDS, max(self._remaining(deadline), 0))
        #: Whether CONNECT was the last request sent, so that nothing of ours was.
        self.tunnelling = False
        #: Whether the request itself was begun.
        self.begun = False
        #: The status of the response once its headers arrived.
        self.status: int | None = None
        #: What a hook raised, which is not a fault of the connection.
        self.raised_by_hook: BaseException | None = None
        #: Whether the reading was ended on purpose, so that its end is not a fault.
        self.ended = False
        self._watches: list[Watch] = []
        #: Calls the hook `silent` whenever it was not restarted for `silence` seconds.
        self.silence = self.watch(silence, hooks.silent, repeat=True)

    # -- limits --------------------------------------------------------------------------------------

    @property
    def timeouts(self) -> dict[str, float | None]:
        """The timeouts of the request, as httpcore takes them."""
        limit = _Limit(CONNECT_SECONDS)
        limit.exchange = self
        connect = _Limit(max(self._remaining(self._connect_by), 0.001))
        connect.exchange = self
        return {"connect": connect, "read": limit, "write": limit, "pool": None}

    @property
    def overdue(self) -> bool:
        """Whether the deadline has passed."""
        return self._remaining(self.deadline) <= 0

    def hurry(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now, if it is later."""
        self.deadline = self._clock.monotonic() + min(seconds, self._remaining(self.deadline))

    def watch(self, seconds: float, over: Callable[[], bool], *, repeat: bool = False) -> Watch:
        """Call `over` when `seconds` have passed during a read, and end the reading if it returns True.

        That is then a normal end. The time counts from the last call of the watch's `restart`.
        """
        watch = Watch(self._clock, seconds, over, repeat=repeat)
        self._watches.append(watch)
        return watch

    def read(self, receive: Callable[..., bytes], size: int) -> bytes:
        """Receive up to `size` bytes within all limits. Raises httpcore's `ReadTimeout`."""
        while True:
            for watch in self._watches:
                if watch.seconds_left <= 0 and self._call(watch.expire):
                    self.ended = True
                    raise httpcore.ReadTimeout("the rest of the response is not needed")
            left = self._remaining(self._connect_by if self._is_connecting else self.deadline)
            if left <= 0:
                raise httpcore.ReadTimeout("the deadline passed")
            wait = min(left, *(watch.seconds_left for watch in self._watches), LONGEST_READ)
            try:
                # A timeout of 0 would mean not to wait at all.
                return receive(size, timeout=max(wait, 0.001))
            except httpcore.ReadTimeout:
                if wait == left:
                    raise

    def write(self, send: Callable[..., None], data: bytes) -> None:
        """Send data within all limits. Raises httpcore's `WriteTimeout`."""
        for start in range(0, len(data), _PIECE):
            left = self._remaining(self._connect_by if self._is_connecting else self.deadline)
            if left <= 0:
                raise httpcore.WriteTimeout("the deadline passed")
            send(data[start : start + _PIECE], timeout=min(left, WRITE_SECONDS))

    @property
    def _is_connecting(self) -> bool:
        return self.tunnelling or not self.begun

    def _remaining(self, moment: float | None) -> float:
        return NEVER if moment is None else moment - self._clock.monotonic()

    # -- trace ---------------------------------------------------------------------------------------

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        """Follow what httpcore does for the request."""
        if name.endswith((".connect_tcp.complete", ".start_tls.complete")):
            _limit_stream(info["return_value"])
        elif name.endswith(".send_request_headers.started"):
            self.tunnelling = info["request"].method == b"CONNECT"
            if not self.tunnelling:
                self._call(self._hooks.leaving)
                self.begun = True
        elif name.endswith(".send_request_body.complete") and not self.tunnelling:
            self._call(self._hooks.sent)
            self.silence.restart()
        elif name.endswith(".receive_response_headers.complete") and not self.tunnelling:
            self._note_headers(info["return_value"])

    def _note_headers(self, response: tuple[bytes, int, bytes, list[tuple[bytes, bytes]]]) -> None:
        _, self.status, _, headers = response
        dates = [value for name, value in headers if name.lower() == b"date"]
        date = http_date(dates[0].decode("latin-1")) if dates else None
        if date is not None:
            self._note_clock(date - self._clock.time())
        self._call(self._hooks.answered)

    def _call(self, hook: Callable[[], Any]) -> Any:
        try:
            return hook()
        except BaseException as error:
            self.raised_by_hook = error
            raise


class Watch:
    """A time that something may take, and what is done when it has passed."""

    def __init__(self, clock: Clock, seconds: float, over: Callable[[], bool], *, repeat: bool) -> None:
        self._clock, self._seconds, self._over, self._repeat = clock, seconds, over, repeat
        self._since: float | None = None

    def restart(self) -> None:
        """Let the time begin now; before the first call it does not run."""
        self._since = self._clock.monotonic()

    def stop(self) -> None:
        """Let no time run until `restart` is called again."""
        self._since = None

    @property
    def seconds_left(self) -> float:
        """Seconds until the time has passed."""
        return NEVER if self._since is None else self._since + self._seconds - self._clock.monotonic()

    def expire(self) -> bool:
        """Do what is due, and return whether the reading ends."""
        over = self._over()
        self._since = self._clock.monotonic() if self._repeat else None
        return over


class _Limit(float):
    """A timeout in seconds that also names the exchange that it belongs to; connections are reused."""

    exchange: Exchange


def _limit_stream(stream: Any) -> None:
    """Let the exchange that a timeout names carry out the reads and writes of a connection."""
    receive, send = stream.read, stream.write

    def read(max_bytes: int, timeout: float | None = None) -> bytes:
        if isinstance(timeout, _Limit):
            return timeout.exchange.read(receive, max_bytes)
        data: bytes = receive(max_bytes, timeout)
        return data

    def write(buffer: bytes, timeout: float | None = None) -> None:
        if isinstance(timeout, _Limit):
            timeout.exchange.write(send, buffer)
        else:
            send(buffer, timeout)

    stream.read, stream.write = read, write

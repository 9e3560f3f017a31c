"""HTTP for the API: connections, certificates, timeouts, retries, and faults translated into our errors.

A paid request goes over a fresh connection, and is retried only when it cannot have been accepted: the
connection was never made, or the response was 429. A query is free and is retried after any fault.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import httpx

from mjcli import __version__
from mjcli.api.models import error_of, is_error
from mjcli.api.ndjson import parse_object
from mjcli.errors import (
    ApiError,
    ConfigError,
    LostResponse,
    MjError,
    NetworkError,
    Remedy,
    StillRunning,
    reason_of,
    without_stop,
)

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0  # for queries; a job's own deadline bounds the paid requests
WRITE_SECONDS = 60.0
RETRY_AFTER_CAP = 60.0  # the longest `Retry-After` that is honoured
ERROR_LIMIT = 1024 * 1024  # bytes of an error response that are read
RESPONSE_LIMIT = 64 * 1024 * 1024  # bytes of a plain response that are read

# Errors that mean that no byte of the request was sent.
_NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.PoolTimeout)


class Clock(Protocol):
    """The clock of a client, by default the module `time`; a test may pass one that never sleeps."""

    def monotonic(self) -> float: ...
    def time(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def _ignore(*_: Any) -> None:
    return None


class Hooks(NamedTuple):
    """Functions that are called while a paid request is in progress, in the calling thread."""

    #: Before the first byte of the request is sent.
    leaving: Callable[[], None] = _ignore
    #: After the last byte of the request was sent.
    sent: Callable[[], None] = _ignore
    #: After the events that arrived together, before waiting for the next one.
    drained: Callable[[], None] = _ignore
    #: Before the pause of a retry, with its length in seconds and the reason.
    retrying: Callable[[float, str], None] = _ignore
    #: For something unexpected that was skipped, with one sentence.
    doubt: Callable[[str], None] = _ignore


class Transport:
    """Sends requests to one base URL. Threads may share one for queries.

    `clock_offset` is how many seconds the service's clock is ahead of ours, from its last `Date` header.
    """

    def __init__(
        self, base_url: str, token: str, *, token_in: str, retries: int, use_environment: bool, clock: Clock
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.retries = retries
        self.clock_offset = 0.0
        self._clock = clock
        self._use_environment = use_environment
        self._headers = {"user-agent": f"mj/{__version__}", "content-type": "application/json"}
        self._query: dict[str, str] = {}
        if token_in == "query":  # noqa: S105
            self._query["token"] = token
        else:
            self._headers["authorization"] = f"Bearer {token}"
        self._certificates = Certificates() if self.base_url.startswith("https:") else None
        self._clients: dict[int, httpx.Client] = {}
        self._connecting = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    @contextlib.contextmanager
    def submit(
        self, path: str, body: Mapping[str, Any], accept: str, *, deadline: float | None, hooks: Hooks
    ) -> Iterator[tuple[httpx.Response, Guard]]:
        """Send a paid request; yield its open response and the guard that ends it at the deadline.

        Raises `ApiError`, `NetworkError`, `LostResponse` or `StillRunning`, also from within the `with` block
        while the body is read.
        """
        guard = Guard(deadline, self._clock)
        try:
            with contextlib.closing(self._submit(path, body, accept, deadline, hooks)) as response:
                guard.watch(response)
                yield response, guard
        except httpx.HTTPError as error:
            raise failure_of(error, paid=True, overdue=guard.overdue) from error
        finally:
            guard.cancel()

    def query(self, path: str, body: Mapping[str, Any], deadline: float | None) -> dict[str, Any]:
        """Send a free request and return the JSON object of its response; retried after any fault."""
        client = self._client(keep_alive=8)
        retries = Retries(self.retries, self._clock, deadline, factor=0.5)
        while True:
            try:
                return self._query_once(client, path, body, deadline)
            except ApiError as error:
                if error.status < 500 and error.status != 429:
                    raise
                retries.pause(error)
            except (NetworkError, LostResponse) as error:
                retries.pause(error)

    def _submit(
        self, path: str, body: Mapping[str, Any], accept: str, deadline: float | None, hooks: Hooks
    ) -> httpx.Response:
        """The open response to a paid request, retried while it cannot have been accepted."""
        # Never over a used connection: if the service had closed it meanwhile, it would be unknown whether the
        # request was read.
        client = self._client(keep_alive=0)
        retries = Retries(self.retries, self._clock, deadline, hooks)
        while True:
            trace = _SendTrace(hooks, self._seconds_until(deadline))
            try:
                response = self._post(client, path, body, accept, trace)
            except httpx.HTTPError as error:
                if not (trace.tunnelling or isinstance(error, _NEVER_CONNECTED)):
                    raise
                failure = failure_of(error, paid=True, tunnelling=trace.tunnelling)
                if _is_certificate_error(error):
                    raise failure from error
                retries.pause(failure, reason="no connection")
                continue
            if 200 <= response.status_code < 300:
                return response
            refusal = _refusal_of(response)
            if response.status_code != 429:
                raise refusal
            retries.pause(refusal, retry_after(response, self._clock.time()), reason="rate limited")

    def _query_once(
        self, client: httpx.Client, path: str, body: Mapping[str, Any], deadline: float | None
    ) -> dict[str, Any]:
        seconds = self._seconds_until(deadline)
        seconds = READ_SECONDS if seconds is None else min(max(seconds, 0.5), READ_SECONDS)
        trace = _SendTrace(Hooks(), seconds)
        try:
            with contextlib.closing(self._post(client, path, body, "application/json", trace)) as response:
                if response.status_code != 200:
                    raise _about_tasks(_refusal_of(response))
                self._note_clock(response)
                document = body_object(read_body(response, RESPONSE_LIMIT))
        except httpx.HTTPError as error:
            raise failure_of(error, tunnelling=trace.tunnelling) from error
        if document is None:
            raise LostResponse("The response to the query is not a JSON object, so it is not from the API.")
        if is_error(document):
            raise _about_tasks(error_of(document, status=200, accepted=False))
        return document

    def _post(
        self, client: httpx.Client, path: str, body: Mapping[str, Any], accept: str, trace: _SendTrace
    ) -> httpx.Response:
        request = client.build_request(
            "POST",
            self.base_url + path,
            params=self._query or None,
            json=dict(body),
            headers={**self._headers, "accept": accept},
            timeout=httpx.Timeout(connect=CONNECT_SECONDS, read=trace.read, write=WRITE_SECONDS, pool=None),
            extensions={"trace": trace},
        )
        return client.send(request, stream=True)

    def _client(self, *, keep_alive: int) -> httpx.Client:
        with self._connecting:  # several threads may need the same one
            if keep_alive not in self._clients:
                self._clients[keep_alive] = connect(
                    verify=lambda: False if self._certificates is None else self._certificates.context(),
                    use_environment=self._use_environment,
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=keep_alive),
                )
            return self._clients[keep_alive]

    def _seconds_until(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(deadline - self._clock.monotonic(), 0.001)

    def _note_clock(self, response: httpx.Response) -> None:
        from email.utils import parsedate_to_datetime

        try:
            date = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError):
            return  # without a date, the clocks are assumed to agree
        self.clock_offset = date - self._clock.time()


# -- connections ---------------------------------------------------------------------------------------


def connect(
    *, verify: Callable[[], ssl.SSLContext | bool], use_environment: bool, **settings: Any
) -> httpx.Client:
    """An HTTP client that follows no redirects; `settings` are those of `httpx.Client`.

    Raises `ConfigError` when the proxy variables or the certificates cannot be used.
    """
    try:
        return httpx.Client(verify=verify(), trust_env=use_environment, follow_redirects=False, **settings)
    except ImportError as error:
        raise ConfigError(
            "The proxy set in the environment is a SOCKS proxy, which needs the package socksio: "
            "pip install 'httpx[socks]', or unset the variable."
        ) from error
    except (OSError, ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"The connection cannot be set up ({error}); check the proxy variables and SSL_CERT_FILE."
        ) from error


class Certificates:
    """The trusted certificates, loaded in a thread, since that takes tens of milliseconds."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def _load(self) -> None:
        try:
            self._context = httpx.create_ssl_context()
        except Exception as error:  # raised again by `context`
            self._error = error

    def context(self) -> ssl.SSLContext:
        """The context for a client. Raises what loading raised (`OSError` for a missing file)."""
        self._thread.join()
        if self._context is None:
            raise self._error or OSError("no certificates")
        return self._context


class _SendTrace:
    """httpcore's trace extension for one request: calls the hooks as it is sent.

    A proxy first receives a CONNECT request over the same connection. That is part of connecting and has its
    timeout; `read` (seconds) is the timeout of the actual response.
    """

    def __init__(self, hooks: Hooks, read: float | None) -> None:
        self._hooks = hooks
        self.read = read
        #: Whether CONNECT was the last request sent, so that nothing of ours was.
        self.tunnelling = False

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if name.endswith("send_request_headers.started"):
            request = info["request"]
            self.tunnelling = request.method == b"CONNECT"
            request.extensions["timeout"]["read"] = CONNECT_SECONDS if self.tunnelling else self.read
            if not self.tunnelling:
                self._hooks.leaving()
        elif name.endswith("send_request_body.complete") and not self.tunnelling:
            self._hooks.sent()


class Guard:
    """Ends the reading of a response at a deadline.

    httpx's read timeout counts from the last byte, so trickling bytes would outlive any deadline. A timer
    shuts the socket down instead, from its own thread.
    """

    def __init__(self, deadline: float | None, clock: Clock) -> None:
        self._deadline, self._clock = deadline, clock
        #: Whether `shorten` ended the reading, so that its end is not a fault.
        self.grace_over = False
        self._socket: socket.socket | None = None
        self._timers: list[threading.Timer] = []

    @property
    def overdue(self) -> bool:
        """Whether the deadline has passed."""
        return self._deadline is not None and self._clock.monotonic() >= self._deadline

    def watch(self, response: httpx.Response) -> None:
        """Start to watch over the connection of a response."""
        stream = response.extensions.get("network_stream")
        self._socket = stream.get_extra_info("socket") if stream is not None else None
        if self._deadline is not None:
            self._start(self._deadline - self._clock.monotonic(), self._shut)

    def shorten(self, seconds: float) -> None:
        """End the reading in `seconds` at the latest; that is then a normal end."""

        def over() -> None:
            self.grace_over = True
            self._shut()

        self._start(seconds, over)

    def cancel(self) -> None:
        """Stop the timers."""
        for timer in self._timers:
            timer.cancel()

    def _start(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(max(seconds, 0), action)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # The plain socket's method: an SSL socket's own would drop its session while another thread reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


# -- retries -------------------------------------------------------------------------------------------


class Retries:
    """The pauses between the attempts of one request: at most `limit`, none beyond the deadline.

    Without a `Retry-After` they are 0.5, 1, 2, … up to 8 seconds, times `factor`, with jitter so that many
    clients spread out.
    """

    def __init__(
        self,
        limit: int,
        clock: Clock,
        deadline: float | None = None,
        hooks: Hooks | None = None,
        *,
        factor: float = 1.0,
    ) -> None:
        self._limit, self._clock, self._deadline, self._factor = limit, clock, deadline, factor
        self._hooks = hooks or Hooks()
        self._count = 0

    def pause(self, failure: MjError, seconds: float | None = None, *, reason: str = "") -> None:
        """Wait before the next attempt. Raises `failure` when there is none."""
        if seconds is None:
            seconds = min(0.5 * 2**self._count, 8.0) * random.uniform(0.75, 1.25) * self._factor
        if self._count >= self._limit:
            raise failure
        if self._deadline is not None and self._clock.monotonic() + seconds >= self._deadline:
            raise failure
        self._count += 1
        self._hooks.retrying(seconds, f"{reason} (retry {self._count} of {self._limit})")
        self._clock.sleep(seconds)


def retry_after(response: httpx.Response, now: float) -> float | None:
    """Seconds of `Retry-After` (a number or an HTTP date), at most the cap; None without a usable one."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    if not seconds > 0:  # past, negative, or NaN
        return None
    return min(seconds, RETRY_AFTER_CAP)


# -- responses and faults ------------------------------------------------------------------------------


def failure_of(
    error: httpx.HTTPError,
    service: str = "the service",
    *,
    paid: bool = False,
    tunnelling: bool = False,
    overdue: bool = False,
) -> MjError:
    """What an exception of httpx means: the only place that translates them.

    `paid` says that the request may have started a job, `tunnelling` that only a proxy was reached, `overdue`
    that its deadline has passed.
    """
    reason = reason_of(error)
    if tunnelling or isinstance(error, _NEVER_CONNECTED):
        nothing = " Nothing was sent." if paid else ""
        remedy = Remedy.CHECK_CONNECTION if paid else None
        return NetworkError(f"Could not connect to {service}: {reason}.{nothing}", remedy=remedy)
    if not paid:
        return NetworkError(f"No response from {service}: {reason}.")
    if overdue or isinstance(error, httpx.ReadTimeout):
        return StillRunning("The deadline passed before the job finished.")
    return LostResponse(f"The response was lost: {reason}.")


def is_final(error: httpx.HTTPError) -> bool:
    """Whether another attempt at a free request would end the same way, or take as long."""
    return isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout) or _is_certificate_error(error)


def _is_certificate_error(error: httpx.HTTPError) -> bool:
    return "CERTIFICATE" in str(error)


def read_body(response: httpx.Response, limit: int) -> bytes:
    """At most `limit` bytes of the body; the rest is not read."""
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size >= limit:
            break
    return b"".join(pieces)[:limit]


def body_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object of a whole body, without a byte order mark; None when it is not one."""
    try:
        return parse_object(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return None


def lost_if_timeout(error: ApiError) -> MjError:
    """The error, or `LostResponse` for the service's own timeout: the job may still be alive."""
    if error.code != "timeout" and error.status != 504:
        return error
    return LostResponse(
        f"The service timed out ({without_stop(error.message)}).",
        code=error.code,
        task_id=error.task_id,
        trace_id=error.trace_id,
    )


def location_of(response: httpx.Response) -> str:
    """Where a redirect leads, without its query, which may contain a token."""
    return str(response.headers.get("location", "another address")).partition("?")[0]


def _refusal_of(response: httpx.Response) -> MjError:
    """What a response other than 2xx means for a request; closes the response."""
    status = response.status_code
    try:
        data = read_body(response, ERROR_LIMIT)
    except httpx.HTTPError:
        data = b""
    finally:
        response.close()
    document = body_object(data)
    if document is not None and (is_error(document) or 400 <= status < 500):
        return lost_if_timeout(error_of(document, status=status, accepted=False))
    if status in (401, 402, 429):
        # Even if it is a gateway's: the request went no further.
        return error_of({}, status=status, accepted=False)
    if 300 <= status < 400:
        return LostResponse(
            f'The response is a redirect to "{location_of(response)}" (HTTP {status}), which is not followed.',
            remedy=Remedy.CHECK_BASE_URL,
        )
    return LostResponse(f"The response is not from the API (HTTP {status}).")


def _about_tasks(error: MjError) -> MjError:
    """Mark the refusal of a query, which says nothing about any job."""
    if isinstance(error, ApiError):
        error.about_tasks = True
    return error

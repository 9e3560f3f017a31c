"""HTTP for the API: one request at a time, its retries, and faults translated into our errors.

A paid request goes over a fresh connection, and is retried only when it cannot have been accepted: the
connection was never made, or the response was a rate limit. A query is free and is retried after any fault.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx

from mjcli import __version__, network
from mjcli.api.connection import Certificates, Exchange, connect
from mjcli.api.hooks import Clock, Hooks
from mjcli.api.models import RATE_LIMIT_CODES
from mjcli.api.responses import (
    ACCEPT_ENCODING,
    STOPPED,
    about_tasks,
    body_object,
    error_in,
    failure_of,
    is_certificate_error,
    is_permanent,
    meaning_of,
    never_connected,
    refusal_of,
    whole_body,
)
from mjcli.api.retries import RATE_LIMITED, Retries, retry_after
from mjcli.errors import ApiError, LostResponse, MjError, NetworkError, UsageError

READ_SECONDS = 30.0  # for a query, whole; a job's own deadline bounds the paid requests


class Transport:
    """Sends requests to one base URL. Threads may share one for queries.

    `clock_offset` is how many seconds the service's clock is ahead of ours, from its last `Date` header; None
    until one was received.
    """

    def __init__(
        self, base_url: str, token: str, *, token_in: str, retries: int, use_environment: bool, clock: Clock
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.retries = retries
        self.clock_offset: float | None = None
        self._clock = clock
        self._use_environment = use_environment
        self._headers = {
            "user-agent": f"mj/{__version__}",
            "content-type": "application/json",
            "accept-encoding": ACCEPT_ENCODING,
        }
        self._query: dict[str, str] = {}
        if token_in == "query":  # noqa: S105
            self._query["token"] = token
        else:
            self._headers["authorization"] = f"Bearer {token}"
        proxy = network.Proxies.of_environment().variable_for(self.base_url) if use_environment else None
        self._service = f"the service through the proxy ({proxy})" if proxy else "the service"
        self._certificates = Certificates() if self.base_url.startswith("https:") else None
        self._clients: dict[int, httpx.Client] = {}
        self._connecting = threading.Lock()

    def prepare(self) -> None:
        """Set up what a paid request uses; `ConfigError` for a proxy or certificates that cannot be used."""
        self._client(keep_alive=0)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def retries_until(self, deadline: float | None, hooks: Hooks) -> Retries:
        """The retries of one paid request."""
        return Retries(self.retries, self._clock, deadline, hooks)

    def pause(self, retries: Retries, refusal: MjError, response: httpx.Response) -> None:
        """Wait after a rate limit, as its response says. Raises `refusal` when there is no other attempt."""
        retries.pause(refusal, retry_after(response, self._clock.time()), reason=RATE_LIMITED)

    @contextlib.contextmanager
    def submit(
        self,
        path: str,
        body: Mapping[str, Any],
        accept: str,
        *,
        deadline: float | None,
        hooks: Hooks,
        retries: Retries,
        silence: float,
    ) -> Iterator[tuple[httpx.Response, Exchange]]:
        """Send a paid request; yield its open response and the exchange that ends it at the deadline.

        The hook `silent` is called whenever nothing arrives for `silence` seconds.
        Raises `ApiError`, `NetworkError`, `LostResponse` or `StillRunning`, also from within the `with` block
        while the body is read.
        """
        exchange: Exchange | None = None
        try:
            response, exchange = self._submit(path, body, accept, deadline, hooks, retries, silence)
            with contextlib.closing(response):
                yield response, exchange
        except httpx.HTTPError as error:
            overdue = exchange.overdue if exchange is not None else _is_over(deadline, self._clock)
            raise failure_of(error, self._service, paid=True, overdue=overdue) from error

    def query(self, path: str, body: Mapping[str, Any], deadline: float | None) -> dict[str, Any]:
        """Send a free request and return the JSON object of its response; retried after any fault."""
        client = self._client(keep_alive=8)
        return self._ask(
            lambda exchange: self._post(client, path, body, "application/json", exchange), deadline
        )

    def get(self, path: str, parameters: Mapping[str, str], deadline: float | None) -> dict[str, Any]:
        """The same for a GET with these query parameters."""
        client = self._client(keep_alive=8)
        return self._ask(
            lambda exchange: self._send(
                client, exchange, "GET", path, "application/json", parameters=parameters
            ),
            deadline,
        )

    def _ask(self, send: Callable[[Exchange], httpx.Response], deadline: float | None) -> dict[str, Any]:
        """Repeat a free request until it is answered."""
        retries = Retries(self.retries, self._clock, deadline, factor=0.5)
        while True:
            answer = self._ask_once(send, deadline)
            if answer.failure is None:
                return answer.document
            if answer.is_final:
                raise answer.failure
            retries.pause(answer.failure, answer.pause)

    def _submit(
        self,
        path: str,
        body: Mapping[str, Any],
        accept: str,
        deadline: float | None,
        hooks: Hooks,
        retries: Retries,
        silence: float,
    ) -> tuple[httpx.Response, Exchange]:
        """The open response to a paid request, retried while it cannot have been accepted."""
        # Never over a used connection: if the service had closed it meanwhile, it would be unknown whether the
        # request was read.
        client = self._client(keep_alive=0)
        while True:
            exchange = Exchange(self._clock, deadline, hooks, self._note_clock, silence)
            try:
                response = self._post(client, path, body, accept, exchange)
            except httpx.HTTPError as error:
                if exchange.status is not None and 300 <= exchange.status < 400:
                    raise _paid(meaning_of(exchange.status, None, "another address")) from error
                if exchange.ended:
                    raise LostResponse(STOPPED) from error
                if not (exchange.tunnelling or never_connected(error)):
                    raise
                failure = failure_of(error, self._service, paid=True, tunnelling=exchange.tunnelling)
                if is_certificate_error(error):
                    raise failure from error
                retries.pause(failure, reason="no connection")
                continue
            if 200 <= response.status_code < 300:
                return response, exchange
            refusal = _paid(refusal_of(response, exchange))
            if not _is_rate_limit(refusal):
                raise refusal
            self.pause(retries, refusal, response)

    def _ask_once(self, send: Callable[[Exchange], httpx.Response], deadline: float | None) -> _Answer:
        latest = self._clock.monotonic() + READ_SECONDS
        exchange = Exchange(
            self._clock, latest if deadline is None else min(deadline, latest), Hooks(), self._note_clock
        )
        try:
            response = send(exchange)
            pause = retry_after(response, self._clock.time())
            if response.status_code != 200:
                return _Answer(failure=about_tasks(refusal_of(response, exchange)), pause=pause)
            with contextlib.closing(response):
                document = body_object(whole_body(response, exchange), lenient=True)
        except httpx.HTTPError as error:
            failure = failure_of(error, self._service, tunnelling=exchange.tunnelling)
            if isinstance(failure, NetworkError):
                failure.permanent = is_permanent(error)
            return _Answer(failure=failure)
        if document is None:
            problem = "The response to the query is not a JSON object, so it is not from the API."
            return _Answer(failure=LostResponse(problem), pause=pause)
        refusal = error_in(document)
        return _Answer(document, about_tasks(refusal) if refusal is not None else None, pause)

    def _post(
        self, client: httpx.Client, path: str, body: Mapping[str, Any], accept: str, exchange: Exchange
    ) -> httpx.Response:
        return self._send(client, exchange, "POST", path, accept, body=dict(body))

    def _send(
        self,
        client: httpx.Client,
        exchange: Exchange,
        method: str,
        path: str,
        accept: str,
        *,
        body: dict[str, Any] | None = None,
        parameters: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Response:
        """Send a request. Whatever goes wrong is an `httpx.HTTPError`, but for what a hook raises."""
        try:
            request = client.build_request(
                method,
                self.base_url + path,
                params={**self._query, **parameters} or None,
                json=body,
                headers={**self._headers, "accept": accept},
                extensions={"trace": exchange},
            )
        except (ValueError, TypeError) as error:
            raise UsageError(
                "The request contains text that is not valid Unicode. Nothing was sent."
            ) from error
        request.extensions["timeout"] = exchange.timeouts
        try:
            return client.send(request, stream=True)
        except httpx.HTTPError:
            raise
        except Exception as error:
            if error is exchange.raised_by_hook or isinstance(error, MjError):
                raise
            if not exchange.begun:
                raise httpx.ConnectError(str(error)) from error
            raise httpx.ReadError(str(error)) from error

    def _note_clock(self, offset: float) -> None:
        self.clock_offset = offset

    def _client(self, *, keep_alive: int) -> httpx.Client:
        with self._connecting:  # several threads may need the same one
            if keep_alive not in self._clients:
                self._clients[keep_alive] = connect(
                    self.base_url,
                    certificates=self._certificates,
                    use_environment=self._use_environment,
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=keep_alive),
                )
            return self._clients[keep_alive]


class _Answer(NamedTuple):
    """What one query led to; `pause` is the service's `Retry-After`."""

    document: dict[str, Any] = {}  # noqa: RUF012
    failure: MjError | None = None
    pause: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether another attempt would end the same way."""
        failure = self.failure
        if isinstance(failure, ApiError):
            return failure.status < 500 and not _is_rate_limit(failure)
        return isinstance(failure, NetworkError) and failure.permanent


def _paid(refusal: MjError) -> MjError:
    """The refusal of a paid request, which says so when it reached no API."""
    if isinstance(refusal, NetworkError):
        refusal.message = f"{refusal.message} Nothing was accepted."
    return refusal


def _is_rate_limit(error: MjError) -> bool:
    return isinstance(error, ApiError) and (error.status == 429 or error.code in RATE_LIMIT_CODES)


def _is_over(deadline: float | None, clock: Clock) -> bool:
    return deadline is not None and clock.monotonic() >= deadline

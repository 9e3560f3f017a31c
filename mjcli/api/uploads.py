"""`FileStore`: upload an image to a file endpoint, for a link that can be an image prompt.

An upload costs nothing, so it is retried freely.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from mjcli import __version__
from mjcli.api.connection import Certificates, Exchange, connect
from mjcli.api.hooks import Clock, Hooks
from mjcli.api.models import error_of, is_error, number_of
from mjcli.api.responses import (
    ACCEPT_ENCODING,
    ERROR_LIMIT,
    body_object,
    failure_of,
    is_certificate_error,
    is_final,
    location_of,
    whole_body,
)
from mjcli.api.retries import Retries, http_date, retry_after
from mjcli.errors import ApiError, ExitCode, MjError, NetworkError, Remedy, full_stop

LIFETIME = 7 * 86_400.0  # seconds that a link lives at most, and where the endpoint does not say how long
READ_SECONDS = 60.0  # from the end of the request to the end of the response

_CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}
_NO_JOB = "No job was sent."
_NO_ENDPOINT = (404, 405, 410, 413)
_RETRIED = (408, 425, 429)  # and every 5xx


class Uploaded(NamedTuple):
    """An uploaded file."""

    link: str
    """An http or https address; http only if the endpoint is on this machine."""
    lifetime: float
    """Seconds for which the link lives, on any clock; never more than `LIFETIME`."""


class UploadRefused(ApiError):
    """The file endpoint refused the file. No job was sent."""

    @property
    def sentence(self) -> str:
        """The message, which is complete."""
        return self.message


class FileStore:
    """A file endpoint. Use it as a context manager, or call `close`.

    Arguments:
        url: The address that files are posted to.
        token: The token of the file endpoint, if it needs one. It is sent nowhere else: redirects are not
            followed.
        token_in: Where the token is sent, as for `Client`.
        retries: How often an upload is retried.
        use_environment: Whether to honour the proxy variables and SSL_CERT_FILE.
        clock: What to wait and to measure time with; the module `time` by default.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        token_in: str = "header",  # noqa: S107
        retries: int = 3,
        use_environment: bool = True,
        clock: Clock = time,
    ) -> None:
        self.url = url
        self.retries = retries
        self._use_environment = use_environment
        self._clock = clock
        self._headers = {
            "user-agent": f"mj/{__version__}",
            "accept": "application/json",
            "accept-encoding": ACCEPT_ENCODING,
        }
        self._query: dict[str, str] | None = None  # None leaves the query of the address alone
        if token and token_in == "query":  # noqa: S105
            self._query = {"token": token}
        elif token:
            self._headers["authorization"] = f"Bearer {token}"
        self._client: httpx.Client | None = None

    def __enter__(self) -> FileStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    def upload(self, name: str, data: bytes) -> Uploaded:
        """Upload a file under this name (without a directory).

        Raises `ApiError` when the endpoint refuses the file, `NetworkError` when it cannot be reached, fails,
        or is not a file endpoint, and `ConfigError` when no connection can be set up.
        """
        if self._client is None:
            self._client = self._connect()
        retries = Retries(self.retries, self._clock)
        while True:
            try:
                response = self._post(self._client, name, data)
            except httpx.HTTPError as error:
                failure = failure_of(error, f'the file endpoint "{self.url}"')
                remedy = Remedy.CHECK_CERTIFICATES if is_certificate_error(error) else Remedy.FILES_CONNECTION
                failure = NetworkError(f"{failure.message} {_NO_JOB}", remedy=remedy)
                if is_final(error):
                    raise failure from error
                retries.pause(failure)
                continue
            if response.status not in _RETRIED and response.status < 500:
                return self._uploaded(name, response)
            retries.pause(self._refusal(name, response), response.retry_after)

    def _post(self, client: httpx.Client, name: str, data: bytes) -> _Response:
        # A file name of this machine need not be UTF-8.
        part = (name.encode("utf-8", "replace").decode(), data, _content_type(name))

        def sent() -> None:
            exchange.deadline = self._clock.monotonic() + READ_SECONDS

        exchange = Exchange(self._clock, None, Hooks(sent=sent))
        request = client.build_request(
            "POST",
            self.url,
            params=self._query,
            files={"file": part},
            headers=self._headers,
            extensions={"trace": exchange},
        )
        request.extensions["timeout"] = exchange.timeouts
        with contextlib.closing(client.send(request, stream=True)) as response:
            return _Response(response, exchange, self._clock)

    def _uploaded(self, name: str, response: _Response) -> Uploaded:
        """The file of a response. Raises `ApiError` or `NetworkError` when it has no link."""
        document = response.document
        if 200 <= response.status < 300 and document is not None and not is_error(document):
            schemes = ("https",) if self._is_public else ("https", "http")
            link, expires_at = _link_in(document, schemes)
            if link is not None:
                return Uploaded(link, _lifetime(expires_at, response.now))
        raise self._refusal(name, response)

    @property
    def _is_public(self) -> bool:
        """Whether the endpoint is on the network, whose links must be secure for the service to take them."""
        return self.url.lower().startswith("https:")

    def _refusal(self, name: str, response: _Response) -> MjError:
        """What a response without a link means."""
        status, document = response.status, response.document
        if document is not None and (is_error(document) or 400 <= status < 600):
            error = error_of(document, status=status, accepted=False)
            return self._refused(name, error, full_stop(error.message))
        if status == 429 or (400 <= status < 500 and status not in _NO_ENDPOINT):
            # Even if it is a gateway's, it is a response to this file.
            return self._refused(name, error_of({}, status=status, accepted=False), f"HTTP {status}.")
        if 300 <= status < 400:
            problem = f'redirects to "{response.location}", which is not followed'
        elif status >= 500:
            problem = f"failed (HTTP {status})"
        else:
            problem = f"returned no link, so it is not the API's (HTTP {status})"
        message = f'The file endpoint "{self.url}" {problem}. {_NO_JOB}'
        return NetworkError(message, remedy=Remedy.FILES_ADDRESS)

    def _refused(self, name: str, error: ApiError, why: str) -> UploadRefused:
        refused = UploadRefused(
            f'The file endpoint "{self.url}" refused "{name}" ({error.code}): {why} {_NO_JOB}',
            code=error.code,
            status=error.status,
            trace_id=error.trace_id,
            document=error.document,
        )
        if refused.exit_code == ExitCode.AUTH or (
            error.status == 403 and error.exit_code == ExitCode.REFUSED
        ):
            refused.remedy = Remedy.FILES_TOKEN
        elif refused.exit_code == ExitCode.REFUSED:
            refused.remedy = Remedy.HOST_IMAGE
        elif refused.exit_code == ExitCode.UNAVAILABLE:
            refused.remedy = Remedy.FILES_CONNECTION
        return refused

    def _connect(self) -> httpx.Client:
        return connect(
            self.url,
            certificates=Certificates() if self._is_public else None,
            use_environment=self._use_environment,
        )


class _Response:
    """A response whose body was read: `document` is None unless it is a JSON object."""

    def __init__(self, response: httpx.Response, exchange: Exchange, clock: Clock) -> None:
        self.status = response.status_code
        self.now = http_date(response.headers.get("date", "")) or clock.time()
        self.retry_after = retry_after(response, clock.time())
        self.location = location_of(response)
        data = whole_body(response, exchange, ERROR_LIMIT)
        self.document: dict[str, Any] | None = body_object(data)


def _link_in(document: Mapping[str, Any], schemes: Sequence[str]) -> tuple[str | None, object]:
    """The link in an object, or in `data` within it, and its `expires_at`; None when none is an address."""
    inner = document.get("data")
    for place in (document, inner if isinstance(inner, Mapping) else {}):
        for key in ("url", "file_url"):
            link = place.get(key)
            if isinstance(link, str) and _is_address(link, schemes):
                return link, place.get("expires_at")
    return None, None


def _is_address(link: str, schemes: Sequence[str]) -> bool:
    """Whether it is an address with one of these schemes that can stand among the words of a prompt."""
    try:
        parsed = httpx.URL(link)
    except (httpx.InvalidURL, ValueError):
        return False
    plain = link.isprintable() and not any(each.isspace() for each in link)
    return plain and parsed.scheme in schemes and bool(parsed.host) and not parsed.userinfo


def _lifetime(expires_at: object, now: float) -> float:
    """Seconds from `now` (Unix seconds) to a time in ISO 8601 or Unix seconds, on the service's clock."""
    try:
        when = datetime.fromisoformat(expires_at) if isinstance(expires_at, str) else None
        if when is not None and when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = number_of(expires_at) if when is None else when.timestamp()
    except (ValueError, OverflowError):
        seconds = None
    lifetime = LIFETIME if seconds is None else seconds - now
    return lifetime if 0 < lifetime <= LIFETIME else LIFETIME


def _content_type(name: str) -> str:
    return _CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")

"""The file endpoint: a picture goes there and a link comes back, which may be an image prompt.

An upload costs nothing, so it is sent again freely. How the endpoint is authorised is uncertain (api.md,
"Endpoints"): its address and its token are the caller's to say.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from mjcli import __version__
from mjcli.api.http import (
    CONNECT_SECONDS,
    ERROR_LIMIT,
    NEVER_CONNECTED,
    WRITE_SECONDS,
    backoff,
    body_object,
    cause_of,
    retry_after,
    setting_up,
)
from mjcli.api.models import error_of, is_error
from mjcli.errors import ApiError, ExitCode, MjError, NetworkError, full_stop

READ_SECONDS = 60.0  # until the answer begins, and again until it is there

_CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}
_LOG_IN_THERE = (
    "mj auth login --files  # saves a token of its own for the file endpoint; MJ_FILES_TOKEN gives one"
)
_OTHER_PLACE = "upload the picture yourself, somewhere public, and give its link in place of the file"
_OTHER_ADDRESS = "mj config list  # shows the address of the file endpoint (files_url)"
_NOTHING_PAID = "No job was sent, so nothing is paid."


class UploadRefused(ApiError):
    """The file endpoint does not take the file. No job was sent."""

    @property
    def sentence(self) -> str:
        """The message as it is, which says all."""
        return self.message


class FileStore:
    """A file endpoint. Use it as a context manager, or call `close`.

    `token` goes there as `authorization: Bearer`, and nowhere else: redirects are not followed. `retries` is
    how often an upload is tried again; `use_environment` honours the proxy variables and SSL_CERT_FILE.
    """

    def __init__(
        self, url: str, token: str | None = None, *, retries: int = 3, use_environment: bool = True
    ) -> None:
        self.url = url
        self.retries = retries
        self._use_environment = use_environment
        self._headers = {"user-agent": f"mj/{__version__}", "accept": "application/json"}
        if token:
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

    def upload(self, name: str, data: bytes) -> str:
        """Send a file under this name (no path); gives its link, an http or https address.

        Raises `ApiError` when the endpoint refuses it, `NetworkError` when it cannot be reached, is out of
        order, or what answers is no file endpoint, `ConfigError` when no connection can be set up.
        """
        if self._client is None:
            self._client = self._connect()
        tried = 0
        while True:
            delay: float | None = None
            try:
                response = self._post(self._client, name, data)
            except _Again as error:
                failure: MjError = error.failure
            else:
                if response.status not in _AGAIN and response.status < 500:
                    return self._link(name, response)
                failure, delay = self._refusal(name, response), response.retry_after
            if tried >= self.retries:
                raise failure
            time.sleep(backoff(tried) if delay is None else delay)
            tried += 1

    def _post(self, client: httpx.Client, name: str, data: bytes) -> _Answer:
        """One try. Raises `_Again` when the next one may fare better, `NetworkError` when it would not."""
        try:
            with client.stream(
                "POST",
                self.url,
                # A file's name on this machine need not be UTF-8.
                files={"file": (name.encode("utf-8", "replace").decode(), data, _content_type(name))},
                headers=self._headers,
            ) as response:
                return _Answer(response)
        except httpx.HTTPError as error:
            failure = NetworkError(f"{self._where} {self._what_befell(error)} {_NOTHING_PAID}")
            failure.hint = f"try again\n{_OTHER_ADDRESS}\n{_OTHER_PLACE}"
            slow = isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout)
            if slow or "CERTIFICATE" in str(error):
                raise failure from error
            raise _Again(failure) from error

    def _what_befell(self, error: httpx.HTTPError) -> str:
        if isinstance(error, NEVER_CONNECTED):
            return f"cannot be reached: {full_stop(cause_of(error))}"
        return f"did not answer: {full_stop(cause_of(error))}"

    @property
    def _where(self) -> str:
        return f"The file endpoint {self.url}"

    def _link(self, name: str, answer: _Answer) -> str:
        """The link in an answer that is no failure of the network's."""
        document = answer.document
        if 200 <= answer.status < 300 and document is not None and not is_error(document):
            link = _link_in(document)
            if link is not None:
                return link
        raise self._refusal(name, answer)

    def _refusal(self, name: str, answer: _Answer) -> MjError:
        """What an answer without a link means."""
        status, document = answer.status, answer.document
        if document is not None and (is_error(document) or 400 <= status < 600):
            said = error_of(document, status=status, accepted=False)
            return self._refused(name, said, full_stop(said.message))
        if status == 429 or (400 <= status < 500 and status not in (404, 405, 410)):
            # Whoever in between answered so, it is an answer to this file.
            return self._refused(name, error_of({}, status=status, accepted=False), f"HTTP {status}.")
        if 300 <= status < 400:
            what = f"answers with a redirect to {answer.location}, which no token follows"
        elif status >= 500:
            what = f"is out of order (HTTP {status})"
        else:
            what = f"gave an answer without a link, which is not the API's (HTTP {status})"
        return NetworkError(
            f"{self._where} {what}. {_NOTHING_PAID}", hint=f"{_OTHER_ADDRESS}\n{_OTHER_PLACE}"
        )

    def _refused(self, name: str, said: ApiError, why: str) -> UploadRefused:
        refused = UploadRefused(
            f"{self._where} did not take {name} ({said.code}): {why} {_NOTHING_PAID}",
            code=said.code,
            status=said.status,
            trace_id=said.trace_id,
            document=said.document,
        )
        if refused.exit_code in (ExitCode.AUTH, ExitCode.REFUSED):
            refused.hint = f"{_LOG_IN_THERE}\n{_OTHER_PLACE}"
        elif refused.exit_code == ExitCode.UNAVAILABLE:
            refused.hint = f"try again later\n{_OTHER_ADDRESS}\n{_OTHER_PLACE}"
        return refused

    def _connect(self) -> httpx.Client:
        with setting_up():
            return httpx.Client(
                verify=self.url.lower().startswith("https:"),
                trust_env=self._use_environment,
                follow_redirects=False,
                timeout=httpx.Timeout(
                    connect=CONNECT_SECONDS, read=READ_SECONDS, write=WRITE_SECONDS, pool=None
                ),
            )


_AGAIN = (408, 425, 429)


class _Again(Exception):
    """A try that failed in a way that the next one need not; `failure` is what to raise after the last."""

    def __init__(self, failure: NetworkError) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _Answer:
    """What came back, its body read: `document` is None where that is no JSON object."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.retry_after = retry_after(response)
        self.location = response.headers.get("location", "another place").partition("?")[0]
        data = bytearray()
        over = time.monotonic() + READ_SECONDS
        for piece in response.iter_bytes():
            data += piece
            if len(data) >= ERROR_LIMIT:
                break
            if time.monotonic() > over:
                raise httpx.ReadTimeout("the answer did not end")
        self.document: dict[str, Any] | None = body_object(bytes(data[:ERROR_LIMIT]))


def _link_in(document: Mapping[str, Any]) -> str | None:
    """`file_url`, else `url`, else either of them within `data`; None where there is no such address."""
    inner = document.get("data")
    for place in (document, inner if isinstance(inner, Mapping) else {}):
        for key in ("file_url", "url"):
            link = place.get(key)
            if isinstance(link, str) and _is_address(link):
                return link
    return None


def _is_address(link: str) -> bool:
    """Whether it is an http or https address that can stand among the words of a prompt."""
    try:
        parsed = httpx.URL(link)
    except (httpx.InvalidURL, ValueError):
        return False
    plain = link.isprintable() and not any(each.isspace() for each in link)
    return plain and parsed.scheme in ("http", "https") and bool(parsed.host)


def _content_type(name: str) -> str:
    return _CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")

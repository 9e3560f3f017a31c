"""What a response means: its body within limits, and the error that a status, body or fault stands for."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from mjcli.api.connection import Exchange, Watch
from mjcli.api.models import RATE_LIMIT_CODES, Result, error_of, is_error, is_record, text_of
from mjcli.api.ndjson import parse_object
from mjcli.errors import (
    ApiError,
    LostResponse,
    MjError,
    NetworkError,
    Remedy,
    StillRunning,
    reason_of,
    without_stop,
)

ERROR_LIMIT = 1024 * 1024  # bytes of an error response that are read
RESPONSE_LIMIT = 64 * 1024 * 1024  # bytes of a response that are read, unpacked
STOPPED = "The response has stopped."
ACCEPT_ENCODING = "gzip, deflate"  # the content codings that `body_pieces` unpacks
REFUSAL_SECONDS = 10.0  # for the body of an error response
FINAL_GRACE = 2.0  # how long a response may stay open after it is complete
_PIECE = 64 * 1024  # bytes that are unpacked at a time

# Errors that mean that no byte of the request was sent.
_NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.PoolTimeout)

# The statuses with which the service sends its own error object.
_REFUSALS = (400, 401, 403, 404, 429, 500, 504)
# Without the service's own object: the request did not get past a gateway that checks tokens or limits.
_REFUSED_BY_STATUS = (401, 402, 429)
# Without the service's own object: this is the address of something else.
_NO_API = (404, 405, 413)
# From a gateway that may have passed the request on before.
_GATEWAY = (408, 409, 423, 424, 425, 444, 460, 499)


# -- bodies ----------------------------------------------------------------------------------------------


class UnreadableBody(httpx.DecodingError):
    """A body that is too long, or packed in a way that is not supported."""


def body_pieces(response: httpx.Response, limit: int = RESPONSE_LIMIT) -> Iterator[bytes]:
    """The pieces of a body, unpacked. Raises `UnreadableBody` beyond `limit` bytes."""
    size = 0
    for piece in _unpacked(response):
        size += len(piece)
        if size > limit:
            raise UnreadableBody(f"it is longer than {limit // 1024**2} MB")
        if piece:
            yield piece


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The pieces of a body, at most `_PIECE` bytes each once unpacked, so that no bomb fills the memory."""
    codings = [each.strip().lower() for each in response.headers.get("content-encoding", "").split(",")]
    codings = [each for each in codings if each not in ("", "identity")]
    if len(codings) > 1 or not set(codings) <= {"gzip", "x-gzip", "deflate"}:
        raise UnreadableBody(f'its content coding "{", ".join(codings)[:80]}" is not supported')
    if not codings:
        yield from response.iter_raw()
        return
    try:
        yield from _inflated(response.iter_raw())
    except zlib.error as error:
        raise UnreadableBody("its compression is damaged") from error


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip, zlib or bare deflate, whichever it is."""
    unpack = None
    for data in pieces:
        if unpack is None and data:
            # gzip begins with 1f, zlib with 8 in the lower half of its first byte; "deflate" may be neither.
            packed = data[0] == 0x1F or data[0] & 0x0F == 8
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 32 if packed else -zlib.MAX_WBITS)
        while unpack is not None and not unpack.eof:
            piece = unpack.decompress(data, _PIECE)
            yield piece
            data = unpack.unconsumed_tail
            if not data and len(piece) < _PIECE:
                break


def watch_grace(exchange: Exchange, over: Callable[[], bool]) -> Watch:
    """A watch for the grace period that a response has once it seems to be complete."""
    return exchange.watch(FINAL_GRACE, over)


def whole_body(response: httpx.Response, exchange: Exchange, limit: int = RESPONSE_LIMIT) -> bytes:
    """The body of a response that is one JSON object.

    It is whole as soon as the object is, however the connection ends, and whether it ends at all. Raises
    `UnreadableBody` beyond `limit` bytes.
    """
    data = bytearray()
    idle = watch_grace(exchange, lambda: body_object(bytes(data), lenient=True) is not None)
    try:
        for piece in body_pieces(response, limit):
            data += piece
            if not piece.isspace():
                idle.restart()
    except UnreadableBody:
        raise
    except httpx.HTTPError:
        if not exchange.ended and body_object(bytes(data), lenient=True) is None:
            raise
    return bytes(data)


def body_object(data: bytes, *, lenient: bool = False) -> dict[str, Any] | None:
    """The JSON object of a whole body, without a byte order mark; None when it is not one.

    `lenient` is as for `parse_object`.
    """
    try:
        return parse_object(data.removeprefix(b"\xef\xbb\xbf"), lenient=lenient)
    except ValueError:
        return None


# -- errors ----------------------------------------------------------------------------------------------


def is_rate_limit(document: Mapping[str, Any]) -> bool:
    """Whether an object refuses a request because of a rate limit, so that no job was started."""
    error = document.get("error")
    code = error if isinstance(error, str) else _code_of(document)
    return code in RATE_LIMIT_CODES and not _is_of_a_job(document)


def refusal_of(response: httpx.Response, exchange: Exchange) -> MjError:
    """What a response other than 2xx means for a request; reads its body and closes it."""
    # A response that is probably a web page's need not be waited for.
    exchange.hurry(FINAL_GRACE if response.status_code in _NO_API else REFUSAL_SECONDS)
    try:
        data = b""
        if not 300 <= response.status_code < 400:
            data = whole_body(response, exchange, ERROR_LIMIT)
    except httpx.HTTPError:
        data = b""
    finally:
        response.close()
    return meaning_of(response.status_code, body_object(data), location_of(response))


def meaning_of(status: int, document: Mapping[str, Any] | None, location: str = "") -> MjError:
    """What a status other than 2xx with this JSON object (None: anything else) means for a request.

    `ApiError`: the request was refused, and nothing was accepted; only the service's own error object means
    that, or a status that a gateway sends before it passes a request on. `NetworkError`: no API was reached.
    `LostResponse`: a gateway failed, and the job may have been accepted.
    """
    if 300 <= status < 400:
        return _no_api(f'The response is a redirect to "{location}" (HTTP {status}), which is not followed.')
    is_object, document = document is not None, document or {}
    code, started = _code_of(document), _is_of_a_job(document)
    own = code is not None
    refusal = error_of(document, status=status, accepted=started)
    if code == "timeout":
        return lost_if_timeout(refusal)
    limited = status == 429 or code in RATE_LIMIT_CODES
    if started and (limited or not own):
        problem = "refuses the request, but describes its job" if own else "is not from the API"
        return LostResponse(f"The response {problem} (HTTP {status}).", task_id=refusal.task_id)
    if own and status in _REFUSALS:
        return lost_if_timeout(refusal)
    if status in _REFUSED_BY_STATUS:
        return refusal
    if status in _NO_API and not own:
        return _no_api(f"The response is not from the API (HTTP {status}).")
    if is_object and 400 <= status < 500 and status not in _GATEWAY:
        return refusal
    return LostResponse(f"The response is not from the API (HTTP {status}).", task_id=refusal.task_id)


def _is_of_a_job(document: Mapping[str, Any]) -> bool:
    """Whether an object shows that a job was started: it has the id of a task, or a result."""
    return text_of(document.get("task_id")) is not None or Result(document).has()


def _no_api(message: str) -> NetworkError:
    error = NetworkError(message, remedy=Remedy.CHECK_BASE_URL)
    error.permanent = True
    return error


def _code_of(document: Mapping[str, Any]) -> str | None:
    """The code of the service's own error object; None when an object is not one."""
    error = document.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) and code else None


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
    if never_connected(error) or tunnelling:
        nothing = " Nothing was sent." if paid else ""
        remedy = Remedy.CHECK_CONNECTION if paid else None
        if is_certificate_error(error):
            remedy = Remedy.CHECK_CERTIFICATES
        return NetworkError(f"Could not connect to {service}: {reason}.{nothing}", remedy=remedy)
    unreadable = isinstance(error, UnreadableBody)
    if not paid:
        problem = f"The response of {service} cannot be read" if unreadable else f"No response from {service}"
        return NetworkError(f"{problem}: {reason}.")
    if overdue or isinstance(error, httpx.ReadTimeout):
        return StillRunning("The deadline passed before the job finished.")
    return LostResponse(f"The response {'cannot be read' if unreadable else 'was lost'}: {reason}.")


def never_connected(error: httpx.HTTPError) -> bool:
    """Whether an exception means that no byte of the request was sent."""
    return isinstance(error, _NEVER_CONNECTED)


def is_final(error: httpx.HTTPError) -> bool:
    """Whether another attempt at a free request would end the same way, or take as long."""
    return isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout) or is_permanent(error)


def is_permanent(error: httpx.HTTPError) -> bool:
    """Whether the other side is wrongly set up: a bad certificate, or responses that cannot be read."""
    if isinstance(error, UnreadableBody):
        return True
    invalid = isinstance(error, httpx.RemoteProtocolError) and "not valid HTTP" in reason_of(error)
    return invalid or is_certificate_error(error)


def is_certificate_error(error: httpx.HTTPError) -> bool:
    """Whether the certificate of the other side was refused."""
    return "CERTIFICATE" in str(error)


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


def about_tasks(error: MjError) -> MjError:
    """Mark the refusal of a query, which says nothing about any job."""
    if isinstance(error, ApiError):
        error.about_tasks = True
    return error


def error_in(document: Mapping[str, Any]) -> ApiError | None:
    """The error of a query that a response with status 200 contains, if any; not the failure of a task."""
    if is_record(document) or not is_error(document):
        return None
    return error_of(document, status=200, accepted=False)

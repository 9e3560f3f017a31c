"""What the clients of the API have in common: time-outs, when to try again, and what a failure is called."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from typing import Any

import httpx

from mjcli.api.ndjson import parse_object
from mjcli.errors import ConfigError

CONNECT_SECONDS = 10.0
WRITE_SECONDS = 60.0
RETRY_AFTER_CAP = 60.0  # seconds of `Retry-After` that are honoured at most
ERROR_LIMIT = 1024 * 1024  # bytes of an error answer that are read

# Nothing of the request can have left.
NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.PoolTimeout)


@contextlib.contextmanager
def setting_up() -> Iterator[None]:
    """What goes wrong while a client is made lies in the environment. Raises `ConfigError`."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            "The proxy set in the environment is a SOCKS proxy, which needs the package socksio: "
            "pip install 'httpx[socks]', or unset the variable."
        ) from error
    except (OSError, ValueError, httpx.InvalidURL) as error:
        raise ConfigError(
            f"The connection cannot be set up ({error}); see the proxy variables and SSL_CERT_FILE."
        ) from error


def body_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object that a whole body is, a byte order mark left out; None when it is none."""
    try:
        return parse_object(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return None


def cause_of(error: Exception) -> str:
    """What befell a connection, for people."""
    if isinstance(error, httpx.RemoteProtocolError):
        return "the connection broke off"
    text = str(error)
    if text.startswith("[Errno"):  # the number says nothing to people
        text = text.partition("] ")[2]
    return text.rstrip(".") or type(error).__name__


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a `Retry-After` (a number or an HTTP date), within 0 and the cap; None without one."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    if not seconds > 0:  # past, negative, or no number at all
        return None
    return min(seconds, RETRY_AFTER_CAP)


def backoff(tried: int) -> float:
    """Seconds to wait before the next try: 0.5, 1, 2, … with jitter, so that many clients spread."""
    return float(min(0.5 * 2**tried, 8.0) * random.uniform(0.75, 1.25))

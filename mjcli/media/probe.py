"""Check links that will be image prompts, before a job is paid for that cannot use them.

The service fetches each link itself and needs the image, not a page that shows it. Definite errors are
refused; where the network leaves a doubt, the caller decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import httpx

from mjcli.media.formats import IMAGES, extension_of, format_name, is_image_type, size_of
from mjcli.media.links import expiry_of
from mjcli.media.web import BadAddress, GuardedGet, PrivateAddress, TransportError, WebError, read_head

SECONDS = 3.0
HEAD_SHARE = 0.5  # of the time: a server that ignores HEAD must leave some for the GET
HEAD_BYTES = 1024  # enough to identify a file
SIZE_BYTES = 256 * 1024  # enough to find an image's size, however much metadata comes first
ACCEPTED = "PNG, JPEG, WebP or GIF"
_EXPIRED = (401, 403, 404, 410)  # statuses with which hosts answer to an expired link

Verdict = Literal["good", "refused", "doubtful"]


class LinkCheck(NamedTuple):
    """What a check found; `reason` is one sentence about the link, empty for a good one."""

    url: str
    verdict: Verdict
    reason: str


class _Refused(Exception):
    """Definitely not an image that the service could use."""


class _Doubtful(Exception):
    """It cannot be decided from here."""


def check_links(
    urls: Sequence[str], *, allow_private: bool, use_environment: bool, seconds: float = SECONDS
) -> list[LinkCheck]:
    """Check links, all at the same time, each once; one `LinkCheck` per link, in the order given.

    Never raises for a link, whatever it is. `seconds` is for all of them together. Nothing is sent to
    private addresses unless `allow_private`, which is right only when the API itself is on this machine.
    """
    found: dict[str, LinkCheck] = {}
    arrived = threading.Condition()
    deadline = time.monotonic() + seconds
    web = GuardedGet(allow_private=allow_private, use_environment=use_environment)

    def check(url: str) -> None:
        result = _check(web, url, deadline)
        with arrived:
            found[url] = result
            arrived.notify()

    unique = list(dict.fromkeys(urls))
    try:
        for url in unique:
            # Daemons, so that neither Ctrl-C nor the end of the program waits for a name server.
            threading.Thread(target=check, args=(url,), daemon=True).start()
        with arrived:
            while len(found) < len(unique) and (left := deadline - time.monotonic()) > 0:
                arrived.wait(left)
            results = dict(found)
    finally:
        web.stop()
    late = f"It could not be checked (no response within {seconds:g} seconds)."
    return [results.get(url) or LinkCheck(url, "doubtful", late) for url in urls]


def measure(
    url: str, *, allow_private: bool, use_environment: bool, seconds: float = SECONDS
) -> tuple[int, int] | None:
    """Width and height in pixels of the image behind a link; None when they are not known in time.

    Never raises for a link; the options are those of `check_links`.
    """
    web = GuardedGet(allow_private=allow_private, use_environment=use_environment)
    try:
        return _size(web, url, time.monotonic() + seconds)
    except Exception:  # as in `_check`: a link may be anything
        return None
    finally:
        web.stop()


def _size(web: GuardedGet, url: str, deadline: float) -> tuple[int, int] | None:
    head = b""
    headers = {"range": f"bytes=0-{SIZE_BYTES - 1}"}
    with web.open(url, headers=headers, deadline=deadline) as response:
        for piece in response.iter_bytes() if response.is_success else ():
            head += piece
            found = size_of(head)
            if found is not None or len(head) >= SIZE_BYTES:
                return found
    return None


def _check(web: GuardedGet, url: str, deadline: float) -> LinkCheck:
    try:
        _require_image(web, url, deadline)
    except (_Refused, BadAddress) as error:
        return LinkCheck(url, "refused", _sentence(error))
    except (_Doubtful, WebError) as error:
        return LinkCheck(url, "doubtful", _sentence(error))
    except Exception as error:  # a link may be anything, and a check must not cost a job
        return LinkCheck(url, "doubtful", f"It could not be checked ({type(error).__name__}).")
    return LinkCheck(url, "good", "")


def _sentence(error: Exception) -> str:
    if isinstance(error, TransportError):
        return f"It could not be checked ({error.reason})."
    if isinstance(error, PrivateAddress):
        return f"It {error.problem}, which the service cannot reach."
    return f"It {error.problem}." if isinstance(error, WebError) else str(error)


def _require_image(web: GuardedGet, url: str, deadline: float) -> None:
    """Return for an image; raise `_Refused`, `_Doubtful` or `WebError` for anything else."""
    if _head_says_image(web, url, deadline):
        return
    with web.open(url, headers={"range": f"bytes=0-{HEAD_BYTES - 1}"}, deadline=deadline) as response:
        if response.status_code != 416:
            _judge(response, url)
            return
    with web.open(url, deadline=deadline) as response:  # an empty file has no such range
        _judge(response, url)


def _head_says_image(web: GuardedGet, url: str, deadline: float) -> bool:
    stall = max((deadline - time.monotonic()) * HEAD_SHARE, 0.001)
    try:
        with web.open(url, method="HEAD", deadline=deadline, stall=stall) as response:
            return response.is_success and is_image_type(response.headers.get("content-type", ""))
    except TransportError as error:
        if not error.connected:
            raise
        return False  # a server that does not know HEAD may do anything


def _judge(response: httpx.Response, url: str) -> None:
    """Return for an image; raise `_Refused` or `_Doubtful` for anything else."""
    status = response.status_code
    expiry = expiry_of(url)
    if status in _EXPIRED and expiry is not None and expiry <= time.time():
        when = datetime.fromtimestamp(expiry, UTC)
        raise _Refused(f"It expired at {when:%Y-%m-%d %H:%M} UTC (HTTP {status}).")
    if status in (404, 410):
        raise _Refused(f"It does not exist (HTTP {status}).")
    if not response.is_success:
        raise _Doubtful(f"It could not be checked (HTTP {status}).")
    head = read_head(response, HEAD_BYTES)
    if extension_of(head) in IMAGES:
        return
    kind = format_name(head, response.headers.get("content-type", ""))
    if kind == "a web page":
        raise _Refused("It leads to a web page; the service needs the image itself.")
    raise _Refused(f"It is {kind or 'not an image of a known format'}; the service takes {ACCEPTED}.")

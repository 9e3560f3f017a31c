"""Fetch one link into a partial file, over as many requests as it takes.

A transfer is resumed only when the server confirms that the rest belongs to the same version of the file;
otherwise it restarts. It ends: by its size, its pace, and the number of its requests.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from mjcli.errors import DownloadError
from mjcli.media.formats import HEAD, IMAGES, extension_of, is_whole
from mjcli.media.local import format_size
from mjcli.media.place import PartialFile
from mjcli.media.structure import has_structure
from mjcli.media.unpack import TooManyCodings, Unpacker
from mjcli.media.web import GuardedGet, TransportError, WebError

TRIES = 5  # without progress
MOST_MISFITS = 3  # complete transfers whose parts do not fit together
LEAST = 1024  # bytes that a request must bring to be progress; a link that drips has an end
MOST_REQUESTS, BYTES_PER_REQUEST = 100, 4096  # a server that sends less for each request is given up
SLOWEST = 1000  # bytes a second
MOST_PAUSE = 60.0  # seconds that `Retry-After` may ask for

Progress = Callable[[int, "int | None"], None]  # bytes so far, total bytes if known

_STRONG_ETAG = re.compile(r'"[!\x23-\x7e]+"')
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class LinkExpired(DownloadError):
    """The link leads to no image, or no longer; the tasks endpoint may have a fresh one."""


class Limits(NamedTuple):
    """How large a file may be (bytes), and how long a transfer may move less than 1 kB/s (seconds)."""

    size: int
    seconds: float


class _Interrupted(Exception):
    """A request ended early; another one may bring the rest. `pause` is what the server asks for, in seconds."""

    def __init__(self, reason: str, *, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class _ResumeRefused(Exception):
    """The response to a request for the rest cannot be used; a plain request may bring everything."""


class Transfer:
    """One link on its way into a partial file. `content_type` is known once it has run."""

    def __init__(
        self,
        web: GuardedGet,
        url: str,
        part: PartialFile,
        *,
        limits: Limits,
        sleep: Callable[[float], object],
        progress: Progress,
    ) -> None:
        self._web, self._url, self._part = web, url, part
        self._limits, self._sleep, self._progress = limits, sleep, progress
        self._validator: str | None = None  # what `If-Range` may send
        self._etag: str | None = None  # of any form
        self._total: int | None = None
        self._declared = False  # whether all bytes came that the server had announced
        self._unsure = False  # whether it announced a part without saying that there is no more
        self._resumed = False
        self._receiving = False  # whether the last request brought a body
        self._broken_off = ""  # the digest of a whole file, whose transfer was broken off after its end
        self._seam = 0  # where the first two parts of the file meet
        self._misfits: list[
            tuple[int, str]
        ] = []  # the seams and digests of files whose parts do not fit together
        self._break_at = 0  # where the next response is broken off, to move the seam
        self._refused = 0  # statuses in a row by which a request for the rest was refused
        self.content_type = ""

    def run(self) -> None:
        """Transfer everything. Raises `DownloadError`, `LinkExpired`."""
        tries = requests = most = largest = 0
        while True:
            requests += 1
            pause = 0.0
            try:
                self._request()
                problem = self._problem()
                if problem is None:
                    return
                self._restart()
                if self._misfits:
                    most = 0  # so that the bytes can come a second and a third time
            except _ResumeRefused as error:
                problem = str(error)
                self._restart()
                if requests <= 2 * TRIES:
                    continue
            except _Interrupted as error:
                if self._has_its_end():
                    return
                problem, pause = str(error), error.pause
            if self._part.size >= most + LEAST:
                tries = 0
            most = max(most, self._part.size)
            largest = max(largest, most)
            tries += 1
            spent = requests >= MOST_REQUESTS + largest // BYTES_PER_REQUEST
            if spent or tries >= TRIES or len(self._misfits) == MOST_MISFITS:
                raise DownloadError(
                    f'The download of "{self._url}" failed {requests} times; the last reason was: {problem}.'
                )
            self._sleep(max(min(0.2 * 2 ** (tries - 1), 5.0) * random.uniform(0.75, 1.25), pause))

    def _problem(self) -> str | None:
        """What is wrong with the file that has arrived; None when it is complete."""
        self._part.file.flush()
        kind = extension_of(self._part.head(HEAD))
        if self._resumed:
            fits = has_structure(kind, self._part.file, self._part.size)
            return (
                None if fits is not False or self._is_odd() else "the parts of the file do not fit together"
            )
        if self._declared or (kind is None and not self._unsure) or is_whole(self._part.path):
            return None
        return "the file is incomplete"

    def _is_odd(self) -> bool:
        """Whether parts that do not fit together made the same bytes before, although they met elsewhere.

        Then it is the file itself that is unusual, and not its parts that belong to different files.
        """
        digest = self._part.sha256
        same = [seam for seam, other in self._misfits if other == digest]
        self._misfits.append((self._seam, digest))
        if same and len(self._misfits) == 2:
            self._break_at = self._seam // 2
        return any(seam != self._seam for seam in same)

    def _has_its_end(self) -> bool:
        """Whether a transfer of unknown length was broken off after the end of the file, twice at the same byte."""
        part = self._part
        if self._total is not None or not self._receiving:
            return False
        part.file.flush()
        kind = extension_of(part.head(HEAD))
        if kind not in IMAGES or has_structure(kind, part.file, part.size) is not True:
            return False
        before, self._broken_off = self._broken_off, part.sha256
        return before == part.sha256

    def _restart(self) -> None:
        self._validator = self._total = None
        self._refused = 0
        self._part.truncate(0)

    def _request(self) -> None:
        """Send one request. Raises `_Interrupted`, `_ResumeRefused`, `DownloadError`."""
        self._receiving = self._unsure = False
        start = self._part.size if self._validator else 0
        if not start:
            self._total = None
        headers = {"range": f"bytes={start}-", "if-range": self._validator or ""} if start else {}
        try:
            with self._web.open(self._url, headers=headers, stall=self._limits.seconds) as response:
                begin, expected = self._accept(response, start)
                self._receive(response, begin, expected)
        except TransportError as error:
            raise _Interrupted(error.reason) from None
        except TooManyCodings as error:
            raise DownloadError(f'The file at "{self._url}" {error}; it was not downloaded.') from None
        except WebError as error:
            raise DownloadError(f'The link "{self._url}" {error.problem}; it was not downloaded.') from error

    # -- the head of a response --------------------------------------------------------------------

    def _accept(self, response: httpx.Response, start: int) -> tuple[int, int | None]:
        """Where the body begins, and how many bytes it has, None when that is not declared."""
        status = response.status_code
        if status in (408, 425, 429) or status >= 500:
            if start:
                self._refused += 1
                if self._refused > 1:  # some servers fail at every range
                    raise _ResumeRefused(f"HTTP {status}")
            raise _Interrupted(f"HTTP {status}", pause=retry_after(response))
        if status == 206:
            return self._accept_range(response, start)
        if start and not (status in (200, 203) and self._is_everything(response)):
            raise _ResumeRefused(f"HTTP {status} for the rest of the file")
        if status in (401, 403, 404, 410):
            raise LinkExpired(f'The link "{self._url}" has expired (HTTP {status}).')
        if status not in (200, 203):
            raise DownloadError(f'The link "{self._url}" could not be downloaded (HTTP {status}).')
        length = _length(response)
        self._check_size(length)
        self._validator = None if _codings(response) else _validator(response)
        self._etag = response.headers.get("etag")
        self._total = length if not _codings(response) else None
        self._resumed = False
        return 0, length

    def _accept_range(self, response: httpx.Response, start: int) -> tuple[int, int]:
        """As `_accept`, for a part of a file: the one that was requested, in the same version."""
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        first, last = (int(found[1]), int(found[2])) if found else (-1, -1)
        total = self._total if not found or found[3] == "*" else int(found[3])
        self._unsure = total is None and not start  # its bytes may be the whole file
        if self._unsure:
            total = last + 1
        count = last - first + 1
        if (
            (start and not self._is_same_version(response))
            or first != start
            or total is None
            or not first <= last < total
            or self._total not in (None, total)
            or _length(response) not in (None, count)
            or _codings(response)
        ):
            if start:
                raise _ResumeRefused("the server sent something else than the rest of the file")
            raise _Interrupted("the server sent only a part of the file")
        self._check_size(total)
        if start and not self._resumed:
            self._seam = start
        if not start:
            self._validator = None if self._unsure else _validator(response)
            self._etag = response.headers.get("etag")
        self._total, self._resumed = total, bool(start)
        return start, count

    def _is_same_version(self, response: httpx.Response) -> bool:
        """Whether a part of a file confirms the validator that was sent, and no ETag contradicts it."""
        etag = response.headers.get("etag")
        if None not in (etag, self._etag) and etag != self._etag:
            return False
        is_etag = _STRONG_ETAG.fullmatch(self._validator or "")
        return bool(self._validator == (etag if is_etag else response.headers.get("last-modified")))

    def _is_everything(self, response: httpx.Response) -> bool:
        """Whether a response to a request for the rest contains the whole file, and not only the rest."""
        # A changed validator proves nothing: hosts that send a slice as 200 may change that too.
        length = _length(response)
        return (
            length is not None
            and length == self._total
            and "content-range" not in response.headers
            and not _codings(response)
        )

    def _check_size(self, size: int | None) -> None:
        if size is not None and size > self._limits.size:
            raise DownloadError(
                f'The file at "{self._url}" is larger than {format_size(self._limits.size)}, the limit of --max-size.'
            )

    # -- the body ----------------------------------------------------------------------------------

    def _receive(self, response: httpx.Response, begin: int, expected: int | None) -> None:
        """Write the body behind the first `begin` bytes. Raises `_Interrupted` when it is cut or slow."""
        self.content_type = response.headers.get("content-type", "")
        part, pace, unpacker = self._part, _Pace(self._limits.seconds), Unpacker(_codings(response))
        part.truncate(begin)
        self._receiving = True
        received = 0
        for raw in response.iter_raw():
            received += len(raw)
            if expected is not None and received > expected:
                raise _ResumeRefused("the server sent more than it had announced")
            for data in unpacker.feed(raw):
                self._check_size(part.size + len(data))
                self._write(data, begin)
            if unpacker.ended:
                break  # the rest is not part of the file, and may have no end
            self._check_size(received)
            self._progress(part.size, self._total)
            if received != expected:  # a complete body is never too slow
                pace.moved(len(raw))
        if not unpacker.finished:
            raise _Interrupted("the compressed data is incomplete")
        if expected is not None and received < expected and not unpacker.ended:
            raise _ResumeRefused("the server sent less than it had announced")
        if self._total is not None and part.size < self._total:
            raise _Interrupted("the server sent only a part of the file")
        self._declared = expected is not None and not self._unsure

    def _write(self, data: bytes, begin: int) -> None:
        if self._break_at and not begin and self._validator:
            data = data[: self._break_at - self._part.size]
        self._part.write(data)
        if self._part.size == self._break_at:
            self._break_at = 0
            raise _Interrupted("the parts of the file do not fit together")


class _Pace:
    """Raises `_Interrupted` when less than 1 kB/s arrives for some seconds; silence is not its matter."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._since, self._bytes = seconds, time.monotonic(), 0

    def moved(self, count: int) -> None:
        self._bytes += count
        elapsed = time.monotonic() - self._since
        if elapsed < self._seconds:
            return
        if self._bytes < SLOWEST * elapsed:
            raise _Interrupted("less than 1 kB/s arrived")
        self._since, self._bytes = time.monotonic(), 0


def _codings(response: httpx.Response) -> list[str]:
    """The content codings of a body, outermost last."""
    found = response.headers.get("content-encoding", "").lower().split(",")
    return [each.strip() for each in found if each.strip() not in ("", "identity")]


def _length(response: httpx.Response) -> int | None:
    """The declared length of the body, None when there is none."""
    if "transfer-encoding" in response.headers:
        return None
    length = response.headers.get("content-length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _validator(response: httpx.Response) -> str | None:
    """What `If-Range` may send: a strong ETag, else the date of the last change, if it is old enough to be exact."""
    etag = response.headers.get("etag")
    if etag and _STRONG_ETAG.fullmatch(etag):
        return str(etag)
    changed = response.headers.get("last-modified")
    moments = [_moment(each) for each in (changed, response.headers.get("date"))]
    now = moments[1] if moments[1] is not None else time.time()
    return str(changed) if moments[0] is not None and moments[0] < now else None


def retry_after(response: httpx.Response) -> float:
    """The pause that a response asks for with `Retry-After`, in seconds, at most `MOST_PAUSE`."""
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]+", value):
        return min(float(value[:9]), MOST_PAUSE)
    moment = _moment(value)
    return min(max(moment - time.time(), 0.0), MOST_PAUSE) if moment is not None else 0.0


def _moment(date: str | None) -> float | None:
    """An HTTP date in Unix seconds."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None

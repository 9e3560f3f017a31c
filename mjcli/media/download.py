"""Download images and videos from wherever the service put them: transfer, resume, verify, place.

A file gets its final name only when it is complete; until then it is a hidden partial file in the same
directory, which is removed when the download fails.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx

from mjcli.errors import DownloadError, MjError, reason_of, without_stop
from mjcli.media.formats import EXTENSIONS, extension_of, is_web_page, is_whole
from mjcli.media.names import Target, name_for
from mjcli.media.place import PartialFile, Saved, discard_partial_files, partial_file, place_part
from mjcli.media.web import STALL_SECONDS, GuardedGet, TransportError, WebError

TRIES = 5
CHUNK = 64 * 1024
PARALLEL = 4

Progress = Callable[[int, int, "int | None"], None]  # index, bytes so far, total bytes if known


class LinkExpired(DownloadError):
    """The link leads to no image, or no longer; the tasks endpoint may have a fresh one."""


class _Interrupted(Exception):
    """A transfer ended early; another request may bring the rest."""


def expired(url: str, now: float) -> bool:
    """Whether a signed link has expired by `now` (Unix seconds), according to the link itself.

    Its query carries the expiry as `ex`, in hexadecimal Unix seconds; a link without one may be good.
    """
    try:
        value = dict(parse_qsl(urlsplit(url).query)).get("ex", "")
    except ValueError:
        return False
    return re.fullmatch("[0-9a-fA-F]+", value) is not None and int(value, 16) <= now


class Downloader:
    """Saves files from links, without a token. Close it, or use it as a context manager.

    `allow_private` lets links lead to private addresses: right only when the API itself is on this machine.
    `use_environment` honours the proxy variables and SSL_CERT_FILE. A transfer that is silent for
    `stall_seconds` is retried; `sleep` waits before each retry.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        use_environment: bool = True,
        stall_seconds: float = STALL_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._web = GuardedGet(allow_private=allow_private, use_environment=use_environment)
        self._stall_seconds = stall_seconds
        self._sleep = sleep

    def __enter__(self) -> Downloader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def save_all(
        self,
        urls: Sequence[str],
        target: Target,
        fields: Mapping[str, str],
        *,
        force: bool = False,
        refresh: Callable[[], Sequence[str]] | None = None,
        stale: Callable[[str], bool] = lambda _url: False,
        progress: Progress = lambda *_: None,
    ) -> tuple[list[Saved], list[DownloadError]]:
        """Save every link, four at a time; returns the saved files in order, and the failures.

        `refresh` returns fresh links for all of `urls` when one has expired; it is called at most once. A
        link that is `stale` has probably expired, and is used only when there is no fresh one.
        """
        fresh = _FreshLinks(refresh, len(urls))

        def save(index: int) -> Saved | DownloadError:
            name = _FileName(target, fields, index + 1, len(urls))
            url = urls[index]
            try:
                if stale(url) and (force or name.existing() is None):
                    url = fresh.link(index) or url
                try:
                    return self._save(url, name, force=force, progress=progress)
                except LinkExpired as error:
                    other = fresh.link(index)
                    if other is None or other == url:
                        raise DownloadError(f"{error.message}{fresh.why_none}") from error
                    return self._save(other, name, force=force, progress=progress)
            except DownloadError as error:
                return error

        outcomes = [save(0)] if len(urls) == 1 else _in_parallel(save, len(urls))
        saved = [each for each in outcomes if isinstance(each, Saved)]
        return saved, [each for each in outcomes if isinstance(each, DownloadError)]

    def _save(self, url: str, name: _FileName, *, force: bool, progress: Progress) -> Saved:
        """Download one link into place. Raises `DownloadError`."""
        existing = None if force else name.existing()
        if existing is not None:
            return Saved(existing, kept=True)
        directory = name.target.directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with partial_file(directory) as part:
                self._fetch(url, part, lambda done, total: progress(name.index - 1, done, total))
                part.sync()
                return place_part(part.path, name.path(_extension(url, part.head())), force=force)
        except OSError as error:
            raise DownloadError(f'"{directory}" cannot be written: {reason_of(error)}.') from error

    def _fetch(self, url: str, part: PartialFile, progress: Callable[[int, int | None], None]) -> None:
        """Transfer all of a link into the partial file, resuming it while the server allows that."""
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                self._transfer(url, part, progress)
            except _Interrupted as error:
                if last:
                    raise DownloadError(
                        f'The download of "{url}" failed {TRIES} times; the last reason was: {error}.'
                    ) from None
                self._sleep(min(0.2 * 2**attempt, 5.0) * random.uniform(0.75, 1.25))
                continue
            part.file.flush()
            if is_whole(part.path) or last or extension_of(part.head()) is None:
                return  # complete, or `_extension` and `place_part` report what is wrong with it
            # It ended in good order but the image is cut: a server that closes early without a length.
            part.validator = None

    def _transfer(self, url: str, part: PartialFile, progress: Callable[[int, int | None], None]) -> None:
        """Send one request. Raises `_Interrupted` when another one may bring the rest."""
        start = part.resumable_bytes
        headers = {"range": f"bytes={start}-", "if-range": part.validator} if start and part.validator else {}
        try:
            with self._web.open(url, headers=headers, stall=self._stall_seconds) as response:
                _check_status(url, response, part)
                _receive(response, part, start, progress)
        except TransportError as error:
            raise _Interrupted(error.reason) from None
        except WebError as error:
            raise DownloadError(f'The link "{url}" {error.problem}; it was not downloaded.') from error


def _check_status(url: str, response: httpx.Response, part: PartialFile) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in (401, 403, 404, 410):
        raise LinkExpired(f'The link "{url}" has expired (HTTP {status}).')
    if status == 416:
        part.validator = None  # restart
    if status in (408, 416, 425, 429) or status >= 500:
        raise _Interrupted(f"HTTP {status}")
    raise DownloadError(f'The link "{url}" could not be downloaded (HTTP {status}).')


def _receive(
    response: httpx.Response, part: PartialFile, start: int, progress: Callable[[int, int | None], None]
) -> None:
    """Write the body behind the first `start` bytes when the server resumes there, else from the beginning."""
    resumed = response.status_code == 206
    if resumed and not _continues(response, start, part.validator):
        part.validator = None
        raise _Interrupted("the server sent a different range than requested")
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    # Range counts the bytes before they are encoded.
    part.validator = None if encoded else _validator(response)
    done = start if resumed else 0
    total = None if encoded else _total(response, done)
    part.truncate(done)
    for chunk in response.iter_bytes() if encoded else response.iter_raw(CHUNK):
        part.file.write(chunk)
        done += len(chunk)
        progress(done, total)


def _validator(response: httpx.Response) -> str | None:
    """What `If-Range` may send: a strong ETag, else the date of the last change."""
    etag = response.headers.get("etag")
    if etag and not etag.startswith("W/"):
        return str(etag)
    return response.headers.get("last-modified") or None


def _continues(response: httpx.Response, start: int, validator: str | None) -> bool:
    """Whether a partial response starts exactly at `start`, in the same version of the file."""
    if not str(response.headers.get("content-range", "")).startswith(f"bytes {start}-"):
        return False
    return _validator(response) in (None, validator)


def _total(response: httpx.Response, done: int) -> int | None:
    length = response.headers.get("content-length", "")
    return done + int(length) if length.isdecimal() else None


def _extension(url: str, head: bytes) -> str:
    """The extension of a file that begins with `head`. Raises `LinkExpired` for anything but an image or video."""
    extension = extension_of(head)
    if extension is None:
        kind = "is not an image or video of a known format"
        if not head:
            kind = "is empty"
        elif is_web_page(head):
            kind = "is a web page"
        # Some servers answer like this when the image no longer exists.
        raise LinkExpired(f'The file at "{url}" {kind}; nothing was saved.')
    return extension


class _FreshLinks:
    """The fresh links of a job, requested when the first of its links has expired, and then shared."""

    def __init__(self, refresh: Callable[[], Sequence[str]] | None, count: int) -> None:
        self._refresh, self._count = refresh, count
        self._links: Sequence[str] | None = None
        self._lock = threading.Lock()
        self.why_none = ""

    def link(self, index: int) -> str | None:
        """The fresh link of one file; None when there is none, which is no worse than the expired one."""
        with self._lock:
            if self._links is None:
                self._links = self._request()
            # If the count changed, links cannot be matched to files.
            return self._links[index] if len(self._links) == self._count else None

    def _request(self) -> Sequence[str]:
        if self._refresh is None:
            return ()
        try:
            links = self._refresh()
        except MjError as error:
            self.why_none = f" The link could not be refreshed: {without_stop(error.message)}."
            return ()
        self.why_none = " The service has no fresh link."
        return links


class _FileName:
    """The name of file `index` (from 1) of `count`, known except for its extension."""

    def __init__(self, target: Target, fields: Mapping[str, str], index: int, count: int) -> None:
        self.target, self.fields, self.index, self.count = target, fields, index, count

    def path(self, extension: str) -> Path:
        return name_for(self.target, self.fields, ext=extension, index=self.index, count=self.count)

    def existing(self) -> Path | None:
        """A complete file that already has this name."""
        paths = dict.fromkeys(self.path(extension) for extension in EXTENSIONS)
        return next((path for path in paths if path.is_file() and is_whole(path)), None)


def _in_parallel(save: Callable[[int], Saved | DownloadError], count: int) -> list[Saved | DownloadError]:
    """The outcomes of `save(0)` … `save(count - 1)`, a few at a time.

    The threads are daemons, unlike those of concurrent.futures, so that Ctrl-C need not wait for a stalled
    transfer; the partial files that they leave are removed here.
    """
    outcomes: list[Saved | DownloadError | BaseException | None] = [None] * count
    waiting = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                index = next(waiting, None)
            if index is None:
                return
            try:
                outcomes[index] = save(index)
            except BaseException as error:  # raised again in the caller's thread
                outcomes[index] = error

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(PARALLEL, count))]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except BaseException:
        waiting = iter(())
        discard_partial_files()
        raise
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DownloadError):
            raise outcome
    return [each for each in outcomes if isinstance(each, (Saved, DownloadError))]

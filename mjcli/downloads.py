"""Fetch, verify, place: pictures and videos from wherever the service put them.

The client that fetches has no token and keeps no cookies. A file comes under its final name only when it
is whole; until then it has a hidden temporary name beside it, and is taken away when it fails.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import httpx

from mjcli.addresses import Address, on_connecting, private_among
from mjcli.addresses import addresses_of as _addresses
from mjcli.anonymous import SETUP_ERRORS, Anonymous
from mjcli.errors import DownloadError, MjError
from mjcli.filenames import Target, may_take, name_for
from mjcli.filetypes import EXTENSIONS, extension_of, is_web_page, is_whole

if sys.platform != "win32":  # there a file that is in use cannot be taken away in the first place
    import fcntl

TRIES = 5
CHUNK = 64 * 1024
STALL_SECONDS = 30.0
REDIRECTS = 5
PARALLEL = 4

Progress = Callable[[int, int, "int | None"], None]  # index, bytes so far, bytes in all


# The temporary files of this process, for an end that cannot wait for its threads.
_parts: set[Path] = set()
_PART_NAME = re.compile(r"\.mj-\d+-[0-9a-f]{12}\.part")


class Saved(NamedTuple):
    """A file on the disk; `kept` when a whole one was there already and nothing was fetched."""

    path: Path
    kept: bool


class LinkExpired(DownloadError):
    """The link leads to no picture, or not any more; the tasks endpoint may know a fresh one."""


class _BrokenOff(Exception):
    """A transfer ended early; what arrived may be built upon."""


def expired(url: str, now: float) -> bool:
    """Whether a signed link says itself that it has expired by `now` (Unix seconds).

    Its query carries the moment as `ex`, in hexadecimal; a link that does not say so may be good.
    """
    try:
        value = dict(parse_qsl(urlsplit(url).query)).get("ex", "")
    except ValueError:
        return False
    return re.fullmatch("[0-9a-fA-F]+", value) is not None and int(value, 16) <= now


def sweep(directory: Path) -> None:
    """Take away the temporary files in a directory that nobody writes any more: those of an `mj` that was killed."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(".mj-")]
    except OSError:
        return
    for name in names:
        if _PART_NAME.fullmatch(name):
            with contextlib.suppress(OSError):
                _unlink_unless_held(directory / name)


class _Part:
    """The temporary file of a download, and what tells whether the server still has the same one."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.validator: str | None = None

    @property
    def have(self) -> int:
        """Bytes that a later request may build upon."""
        return self.file.seek(0, os.SEEK_END) if self.validator else 0

    def head(self) -> bytes:
        """How the file begins."""
        self.file.seek(0)
        return self.file.read(64)


class Downloader:
    """Fetches files without a token. Close it, or use it as a context manager.

    `allow_private` lets links lead to private addresses: right only when the API itself is on this machine.
    """

    def __init__(self, *, allow_private: bool = False, use_environment: bool = True) -> None:
        self._allow_private = allow_private
        self._clients = Anonymous(
            allow_private=allow_private,
            use_environment=use_environment,
            timeout=httpx.Timeout(STALL_SECONDS, connect=10.0),
        )

    def __enter__(self) -> Downloader:
        return self

    def __exit__(self, *_: object) -> None:
        self._clients.close()

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
        """Save every link, four at a time; gives what was saved, in order, and what went wrong.

        `refresh` gives the links anew when one has expired; it is called once at most. A link that is
        `stale` is probably such a one, and is tried only when there is no fresh one.
        """
        anew = _Anew(refresh, len(urls))

        def save(index: int) -> Saved | DownloadError:
            name = _Name(target, fields, index + 1, len(urls))
            url = urls[index]
            try:
                if stale(url) and (force or name.existing() is None):
                    url = anew.link(index) or url
                try:
                    return self.save(url, name, force=force, progress=progress)
                except LinkExpired as error:
                    fresh = anew.link(index)
                    if fresh is None or fresh == url:
                        raise DownloadError(f"{error.message}{anew.why_none}") from error
                    return self.save(fresh, name, force=force, progress=progress)
            except DownloadError as error:
                return error

        outcomes = [save(0)] if len(urls) == 1 else _in_parallel(save, len(urls))
        saved = [each for each in outcomes if isinstance(each, Saved)]
        return saved, [each for each in outcomes if isinstance(each, DownloadError)]

    def save(self, url: str, name: _Name, *, force: bool, progress: Progress) -> Saved:
        """Fetch one link into its place. Raises `DownloadError`."""
        if not force:
            there = name.existing()
            if there is not None:
                return Saved(there, kept=True)
        try:
            name.target.directory.mkdir(parents=True, exist_ok=True)
            with _part_file(name.target.directory) as part:
                self._fetch(url, part, lambda done, total: progress(name.index - 1, done, total))
                os.fsync(part.file.fileno())
                return _place(part.path, name.path(_kind_of(url, part.head())), force=force)
        except OSError as error:
            raise DownloadError(
                f"{name.target.directory} cannot be written: {error.strerror or error}."
            ) from error

    # -- one link ----------------------------------------------------------------------------------

    def _fetch(self, url: str, part: _Part, progress: Callable[[int, int | None], None]) -> None:
        """The whole of a link into the part file, taken up where it broke off while the server lets us."""
        for tried in range(TRIES):
            last = tried == TRIES - 1
            try:
                self._transfer(url, part, progress)
            except _BrokenOff as error:
                if last:
                    raise DownloadError(f"The download of {url} broke off {TRIES} times ({error}).") from None
                time.sleep(min(0.2 * 2**tried, 5.0) * random.uniform(0.75, 1.25))
                continue
            part.file.flush()
            if is_whole(part.path) or last or extension_of(part.head()) is None:
                return  # whole, or `_kind_of` and `_place` say what is wrong with it
            # It ended in good order but the picture is cut: a server that closes early without a length.
            part.validator = None

    def _transfer(self, url: str, part: _Part, progress: Callable[[int, int | None], None]) -> None:
        """One request. Raises `_BrokenOff` when another one may bring the rest."""
        have = part.have
        headers = {"range": f"bytes={have}-", "if-range": part.validator} if have and part.validator else {}
        try:
            with self._open(url, headers) as response:
                _check_status(url, response, part)
                resumed = response.status_code == 206
                if resumed and not _continues(response, have, part.validator):
                    part.validator = None
                    raise _BrokenOff("the server sent another part than the one asked for")
                encoded = response.headers.get("content-encoding", "identity") != "identity"
                # The bytes of an encoded answer are not those that Range counts.
                part.validator = None if encoded else _validator(response)
                done = have if resumed else 0
                part.file.seek(done)
                part.file.truncate()
                total = None if encoded else _total(response, done)
                for chunk in response.iter_bytes() if encoded else response.iter_raw(CHUNK):
                    part.file.write(chunk)
                    done += len(chunk)
                    progress(done, total)
        except httpx.HTTPError as error:
            raise _BrokenOff(str(error) or type(error).__name__) from None
        except httpx.InvalidURL as error:
            raise DownloadError(f"The link {url} redirects to no address ({error}).") from None

    @contextlib.contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The response behind a link, redirects followed and each address looked at first."""
        for _ in range(REDIRECTS):
            parsed = self._check_address(url)
            client = self._client(parsed)
            with client.stream("GET", url, headers=headers, extensions=self._watch(url, parsed)) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = str(parsed.join(response.headers["location"]))
        raise DownloadError(f"The link {url} redirects without end.")

    def _watch(self, url: str, parsed: httpx.URL) -> dict[str, Any]:
        """The request's extensions, which look at the address that was really connected to."""
        if self._allow_private:
            return {}
        host = parsed.raw_host.decode("ascii")
        return {"trace": on_connecting(host, lambda address: _refuse_private(url, _addresses(address)))}

    def _client(self, url: httpx.URL) -> httpx.Client:
        try:
            return self._clients.client(url)
        except SETUP_ERRORS as error:
            raise DownloadError(f"The connection cannot be set up: {error}.") from error

    def _check_address(self, url: str) -> httpx.URL:
        """Refuse what no picture of the service is behind: other schemes, and hosts on the inside."""
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise DownloadError(f"The link {url} cannot be read as an address.") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise DownloadError(f"The link {url} is no http or https address and is not fetched.")
        if not self._allow_private:
            _refuse_private(url, _addresses(parsed.host))
        return parsed


class _Anew:
    """The links of a job, asked for anew when the first of them has expired, and then known for all."""

    def __init__(self, refresh: Callable[[], Sequence[str]] | None, count: int) -> None:
        self._refresh, self._count = refresh, count
        self._links: Sequence[str] | None = None
        self._lock = threading.Lock()
        self.why_none = ""  # nobody could be asked for fresh ones

    def link(self, index: int) -> str | None:
        """The fresh link of one file; None when nobody can tell it, which is no worse than the expired one."""
        with self._lock:
            if self._links is None:
                try:
                    self._links = self._refresh() if self._refresh is not None else ()
                    if self._refresh is not None:
                        self.why_none = " The service has no fresh link."
                except MjError as error:
                    self._links = ()
                    self.why_none = f" A fresh link could not be had: {error.message}"
            # Of another number of links nobody can say which is whose.
            return self._links[index] if len(self._links) == self._count else None


class _Name:
    """The name that a file will have, known but for its extension."""

    def __init__(self, target: Target, fields: Mapping[str, str], index: int, count: int) -> None:
        self.target, self.fields, self.index, self.count = target, fields, index, count

    def path(self, ext: str) -> Path:
        return name_for(self.target, self.fields, ext=ext, index=self.index, count=self.count)

    def existing(self) -> Path | None:
        """A whole file that is there already."""
        paths = dict.fromkeys(self.path(ext) for ext in EXTENSIONS)
        return next((path for path in paths if path.is_file() and is_whole(path)), None)


def _in_parallel(save: Callable[[int], Saved | DownloadError], count: int) -> list[Saved | DownloadError]:
    """The outcomes of `save(0)` … `save(count - 1)`, a few at a time.

    The threads are daemons, unlike those of concurrent.futures, so that Ctrl-C need not wait for a
    stalled transfer; what they leave behind then is taken away here.
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
            except BaseException as error:  # raised again in the thread that asked
                outcomes[index] = error

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(PARALLEL, count))]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except BaseException:
        waiting = iter(())
        for path in list(_parts):
            path.unlink(missing_ok=True)
        raise
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DownloadError):
            raise outcome
    return [each for each in outcomes if isinstance(each, (Saved, DownloadError))]


def _check_status(url: str, response: httpx.Response, part: _Part) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in (401, 403, 404, 410):
        raise LinkExpired(f"The link {url} is not valid any more (HTTP {status}).")
    if status == 416:
        part.validator = None  # begin anew
    if status in (408, 416, 425, 429) or status >= 500:
        raise _BrokenOff(f"HTTP {status}")
    raise DownloadError(f"The link {url} cannot be fetched (HTTP {status}).")


def _validator(response: httpx.Response) -> str | None:
    """What `If-Range` may carry: a strong ETag, else the date of the last change."""
    etag = response.headers.get("etag")
    if etag and not etag.startswith("W/"):
        return str(etag)
    return response.headers.get("last-modified") or None


def _continues(response: httpx.Response, have: int, validator: str | None) -> bool:
    """Whether a partial answer goes on just where we stopped, in the same version of the file."""
    if not str(response.headers.get("content-range", "")).startswith(f"bytes {have}-"):
        return False
    return _validator(response) in (None, validator)


def _total(response: httpx.Response, done: int) -> int | None:
    length = response.headers.get("content-length", "")
    return done + int(length) if length.isdecimal() else None


def _refuse_private(url: str, addresses: Sequence[Address]) -> None:
    private = private_among(addresses)
    if private is not None:
        raise DownloadError(f"The link {url} leads to the private address {private} and is not fetched.")


def _kind_of(url: str, head: bytes) -> str:
    kind = extension_of(head)
    if kind is None:
        what = (
            "empty"
            if not head
            else "a web page"
            if is_web_page(head)
            else "no picture or video of a known kind"
        )
        # As where a page says that the picture is gone.
        raise LinkExpired(f"What {url} leads to is {what}; nothing was saved.")
    return kind


def place(data: bytes, path: Path, *, force: bool) -> Saved:
    """Write a picture under its name as a download is: whole or not at all. Raises `DownloadError`."""
    try:
        with _part_file(path.parent) as part:
            part.file.write(data)
            part.file.flush()
            os.fsync(part.file.fileno())
            return _place(part.path, path, force=force)
    except OSError as error:
        raise DownloadError(f"{path} cannot be written: {error.strerror or error}.") from error


def _place(part: Path, path: Path, *, force: bool) -> Saved:
    """Give a whole file its name; a file that came there in the meantime is kept."""
    if not is_whole(part):
        raise DownloadError(f"{path.name} arrived incomplete; nothing was saved.")
    if path.is_dir():
        raise DownloadError(f"{path} is a directory; choose another --output.")
    if not force and os.path.lexists(path):
        if path.is_file() and is_whole(path):
            return Saved(path, kept=True)
        if not may_take(path):
            raise DownloadError(
                f"{path} is there already and is no picture; choose another --output, or --force."
            )
        force = True  # the torso of an earlier download
    if force:
        part.replace(path)
        return Saved(path, kept=False)
    try:
        os.link(part, path)  # unlike rename, fails when somebody was quicker
    except FileExistsError:
        return Saved(path, kept=True)
    except OSError:
        part.rename(path)  # a file system without hard links
    return Saved(path, kept=False)


@contextlib.contextmanager
def _part_file(directory: Path) -> Iterator[_Part]:
    """A new temporary file, locked as long as it is written, so that `sweep` leaves it alone."""
    while True:
        path = directory / f".mj-{os.getpid()}-{os.urandom(6).hex()}.part"
        try:
            _parts.add(path)
            with path.open("x+b") as file:
                if _hold(path, file):
                    yield _Part(path, file)
                    return
        finally:
            path.unlink(missing_ok=True)
            _parts.discard(path)


def _hold(path: Path, file: BinaryIO) -> bool:
    """Lock a new temporary file; False when a `sweep` came upon it before it was locked."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, on which nothing is swept away either
    return path.exists()


def _unlink_unless_held(path: Path) -> None:
    """Remove a temporary file unless somebody has it locked. Raises `OSError` then, and when it cannot be told."""
    if sys.platform == "win32":
        path.unlink()
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)

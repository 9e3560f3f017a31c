"""Download images and videos from wherever the service put them, and save them under names of their own.

A file gets its final name only when it is complete; until then it is a hidden partial file in the same
directory, which is removed when the download fails.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mjcli.errors import DownloadError, MjError, reason_of, without_stop
from mjcli.media.formats import (
    HEAD,
    contradicts,
    extension_for,
    extension_of,
    is_video,
    is_whole,
    name_of,
    not_a_result,
)
from mjcli.media.names import Target, is_variant, name_for
from mjcli.media.place import PartialFile, Saved, discard_partial_files, partial_file, place_part, sha256_of
from mjcli.media.transfer import Limits, LinkExpired, Transfer
from mjcli.media.web import STALL_SECONDS, GuardedGet

if TYPE_CHECKING:
    from mjcli.media.metadata import Metadata

_STEP = 0.5  # seconds within which `stop`, and on Windows Ctrl-C, is noticed
PARALLEL = 6  # more of them only wait for each other

Progress = Callable[[int, int, "int | None"], None]  # index, bytes so far, total bytes if known


class OwnFiles:
    """The files that the ledger lists as a job's, each of which is claimed by at most one of its links.

    `digests` maps their paths to SHA-256 digests, None where the ledger has none. `busy` are the files of
    other jobs that this run has saved, which --force does not replace; nor does it replace files that were
    changed after `until` (Unix seconds). A `mixed` job has videos and a cover, and neither is taken for the other.
    """

    def __init__(
        self,
        digests: Mapping[str, str | None] | None = None,
        *,
        busy: Collection[Path] = (),
        until: float | None = None,
        mixed: bool = False,
    ) -> None:
        self._mixed = mixed
        self._digests = {Path(path): digest for path, digest in (digests or {}).items()}
        self._busy, self._until = busy, until
        self._lock = threading.Lock()

    def spares(self, path: Path) -> bool:
        """Whether even --force leaves an existing file alone."""
        if path in self._busy:
            return True
        try:
            return self._until is not None and path.lstat().st_mtime > self._until
        except OSError:
            return False

    def lists(self, path: Path) -> bool:
        """Whether the ledger lists a file as the job's, and no link has claimed it."""
        with self._lock:
            return path in self._digests

    def claim(self, name: Path, *, video: bool = False) -> Saved | None:
        """The complete file of the job that has this name, numbered or not, whatever its extension."""
        with self._lock:
            for path, digest in self._digests.items():
                if not is_variant(path, name) or not is_unchanged(path, digest):
                    continue
                if self._mixed and is_video(path) is not video:
                    continue
                del self._digests[path]
                return Saved(path, kept=True, sha256=digest or "")
        return None


def is_unchanged(path: Path, digest: str | None) -> bool:
    """Whether a saved file is still complete: it has its SHA-256 digest, or its end if there is none."""
    return is_whole(path) if digest is None else sha256_of(path) == digest


class Job(NamedTuple):
    """What the `files` files of one job have in common."""

    target: Target
    fields: Mapping[str, str]
    own: OwnFiles
    force: bool
    files: int
    video: bool
    progress: Progress
    metadata: Metadata | None


class Downloader:
    """Saves files from links, without a token. Close it, or use it as a context manager.

    `allow_private` lets links lead to private addresses: right only when the API itself is on this machine.
    `use_environment` honours the proxy variables and SSL_CERT_FILE. A transfer that is silent, or slower than
    1 kB/s, for `stall_seconds` is retried; `sleep` waits before each retry, by default until `stop` at most.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        use_environment: bool = True,
        stall_seconds: float = STALL_SECONDS,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._web = GuardedGet(allow_private=allow_private, use_environment=use_environment)
        self._stall_seconds = stall_seconds
        self._stopping = threading.Event()
        self._sleep = sleep or self._pause

    def __enter__(self) -> Downloader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self) -> None:
        """Break off the transfers in progress, and refuse others, because a deadline passed; from any thread."""
        self._stopping.set()
        self._web.stop()

    def _pause(self, seconds: float) -> None:
        """Wait before a retry, in steps, so that `stop` ends it."""
        while seconds > 0 and not self._stopping.is_set():
            time.sleep(min(seconds, _STEP))
            seconds -= _STEP

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def save_all(
        self,
        urls: Sequence[str | None],
        target: Target,
        fields: Mapping[str, str],
        *,
        own: OwnFiles | None = None,
        force: bool = False,
        video: bool = False,
        refresh: Callable[[], Sequence[str | None]] | None = None,
        stale: Callable[[str], bool] = lambda _url: False,
        progress: Progress = lambda *_: None,
        metadata: Metadata | None = None,
    ) -> tuple[list[Saved], list[DownloadError]]:
        """Save every link, a few at a time; returns the saved files in order, and the failures.

        A file that is already one of the job's `own` is kept, unless `force`. `video` says what the links are
        to lead to. `refresh` returns fresh links for all of `urls` when one has expired or is missing (None);
        it is called at most once. A link that is `stale` has probably expired, and is used only when there is
        no fresh one. With `metadata`, it is saved in the files or beside them.
        """
        fresh = _FreshLinks(refresh, len(urls))
        job = Job(target, fields, own or OwnFiles(), force, len(urls), video, progress, metadata)

        def save(index: int) -> Saved | DownloadError:
            try:
                return self._save(urls[index], index, job, fresh, stale)
            except DownloadError as error:
                return error

        # On Windows, Ctrl-C does not interrupt a read, so the main thread does not read.
        alone = len(urls) == 1 and os.name != "nt"
        outcomes = [save(0)] if alone else _in_parallel(save, len(urls))
        saved = [each for each in outcomes if isinstance(each, Saved)]
        return saved, [each for each in outcomes if isinstance(each, DownloadError)]

    def _save(
        self, url: str | None, index: int, job: Job, fresh: _FreshLinks, stale: Callable[[str], bool]
    ) -> Saved:
        """Save one file, unless the job has it already. Raises `DownloadError`."""
        kept = None if job.force else job.own.claim(_name(job, index, "png"), video=job.video)
        if kept is not None:
            return kept if job.metadata is None else job.metadata.keep(kept)
        if url is None:
            url = fresh.link(index)
            if url is None:
                which = f"file {index + 1} of {job.files}" if job.files > 1 else "the file"
                raise DownloadError(f"The service sent no link for {which}.{fresh.why_none}")
        elif stale(url):
            url = fresh.link(index) or url
        try:
            return self._fetch(url, index, job)
        except LinkExpired as error:
            other = fresh.link(index)
            if other is None or other == url:
                raise DownloadError(f"{error.message}{fresh.why_none}") from error
            return self._fetch(other, index, job)

    def _fetch(self, url: str, index: int, job: Job) -> Saved:
        """Download one link into place. Raises `DownloadError`."""
        directory = job.target.directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with partial_file(directory) as part:
                transfer = Transfer(
                    self._web,
                    url,
                    part,
                    limits=Limits(job.target.max_size, self._stall_seconds),
                    sleep=self._sleep,
                    progress=lambda done, total: job.progress(index, done, total),
                )
                self._run(transfer, url)
                head = part.head(HEAD)
                if problem := not_a_result(head, transfer.content_type):
                    # Some servers answer like this when the image no longer exists.
                    raise LinkExpired(f'The file at "{url}" {problem}; nothing was saved.')
                name = _name(job, index, extension_for(head, transfer.content_type, url))

                def put(complete: PartialFile) -> Saved:
                    complete.sync()
                    return place_part(
                        complete, name, force=job.force, spare=job.own.spares, own=job.own.lists
                    )

                saved = put(part) if job.metadata is None else job.metadata.save(part, put)
                return saved._replace(notices=(*saved.notices, *_oddities(saved.path, part, head)))
        except OSError as error:
            raise DownloadError(f'"{directory}" cannot be written: {reason_of(error)}.') from error

    def _run(self, transfer: Transfer, url: str) -> None:
        """Transfer everything. Raises `DownloadError`."""
        try:
            transfer.run()
        except DownloadError as error:
            if not self._stopping.is_set():
                raise
            raise DownloadError(f'The deadline passed during the download of "{url}".') from error


def _name(job: Job, index: int, extension: str) -> Path:
    return name_for(job.target, job.fields, ext=extension, index=index + 1, count=job.files)


def _oddities(path: Path, part: PartialFile, head: bytes) -> list[str]:
    """What is unusual about a file that was saved as it came, as sentences."""
    extension = extension_of(head)
    if extension is None:
        return [f'"{path}" has an unknown format; it was saved as received.']
    found = []
    if contradicts(path.name, extension):
        found.append(f'"{path}" is {name_of(extension)}, whatever its name says.')
    if not is_whole(path):
        found.append(f'"{path}" was received in full, but it looks incomplete.')
    return found


class _FreshLinks:
    """The fresh links of a job, requested when the first of its links has expired, and then shared."""

    def __init__(self, refresh: Callable[[], Sequence[str | None]] | None, count: int) -> None:
        self._refresh, self._count = refresh, count
        self._links: Sequence[str | None] | None = None
        self._lock = threading.Lock()
        self.why_none = ""

    def link(self, index: int) -> str | None:
        """The fresh link of one file; None when there is none, which is no worse than the expired one."""
        with self._lock:
            if self._links is None:
                self._links = self._request()
            # If the count changed, links cannot be matched to files.
            return self._links[index] if len(self._links) == self._count else None

    def _request(self) -> Sequence[str | None]:
        if self._refresh is None:
            return ()
        try:
            links = self._refresh()
        except MjError as error:
            self.why_none = f" The link could not be refreshed: {without_stop(error.message)}."
            return ()
        self.why_none = " The service has no fresh link."
        return links


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
            while worker.is_alive():  # Ctrl-C does not interrupt a join on Windows
                worker.join(_STEP)
    except BaseException:
        waiting = iter(())
        discard_partial_files()
        raise
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DownloadError):
            raise outcome
    return [each for each in outcomes if isinstance(each, (Saved, DownloadError))]

"""Files under their final names, complete or not at all: partial files, and renaming them into place."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mjcli.errors import DownloadError, reason_of
from mjcli.media.formats import is_whole
from mjcli.media.names import may_take

if sys.platform != "win32":  # Windows does not remove a file that is in use, so no lock is needed there
    import fcntl

# The partial files that this process is writing, for an exit that cannot wait for its threads.
_partial: set[Path] = set()

_PARTIAL_NAME = re.compile(r"\.mj-\d+-[0-9a-f]{12}\.part")


class Saved(NamedTuple):
    """A file on disk; `kept` when a complete one already existed and nothing was fetched."""

    path: Path
    kept: bool


class PartialFile:
    """A file that is being written, with what identifies the version of its source.

    `validator` is the ETag or date that `If-Range` may send, None when the bytes so far cannot be resumed.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.validator: str | None = None

    @property
    def resumable_bytes(self) -> int:
        """The bytes that a later request may continue from."""
        return self.file.seek(0, os.SEEK_END) if self.validator else 0

    def head(self) -> bytes:
        """The first 64 bytes."""
        self.file.seek(0)
        return self.file.read(64)

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes and continue there."""
        self.file.seek(size)
        self.file.truncate()

    def sync(self) -> None:
        """Write everything to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())


@contextlib.contextmanager
def partial_file(directory: Path) -> Iterator[PartialFile]:
    """Yield a new partial file; it is locked while it is open, so that `sweep` leaves it, then removed."""
    while True:
        path = directory / f".mj-{os.getpid()}-{os.urandom(6).hex()}.part"
        try:
            _partial.add(path)
            with path.open("x+b") as file:
                if _lock(path, file):
                    yield PartialFile(path, file)
                    return
        finally:
            path.unlink(missing_ok=True)
            _partial.discard(path)


def discard_partial_files() -> None:
    """Remove the partial files of this process, whose threads may still be writing them."""
    for path in list(_partial):
        path.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Remove the partial files in a directory that no process is writing: those of an `mj` that was killed."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if _PARTIAL_NAME.fullmatch(entry.name)]
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):
            _unlink_unless_locked(directory / name)


def place(data: bytes, path: Path, *, force: bool) -> Saved:
    """Write an image under its name, complete or not at all. Raises `DownloadError`."""
    try:
        with partial_file(path.parent) as part:
            part.file.write(data)
            part.sync()
            return place_part(part.path, path, force=force)
    except OSError as error:
        raise DownloadError(f'"{path}" cannot be written: {reason_of(error)}.') from error


def place_part(part: Path, path: Path, *, force: bool) -> Saved:
    """Rename a complete partial file into place; a file that was created meanwhile is kept.

    Raises `DownloadError` when it is incomplete, or when the name belongs to something else.
    """
    if not is_whole(part):
        raise DownloadError(f'"{path.name}" is incomplete; nothing was saved.')
    if path.is_dir():
        raise DownloadError(f'"{path}" is a directory; choose another --output.')
    if not force and os.path.lexists(path):
        if path.is_file() and is_whole(path):
            return Saved(path, kept=True)
        if not may_take(path):
            raise DownloadError(
                f'"{path}" already exists and is not an image; choose another --output or use --force.'
            )
        force = True  # the remains of an earlier download
    return _rename(part, path, replace=force)


def _rename(part: Path, path: Path, *, replace: bool) -> Saved:
    if replace:
        part.replace(path)
        return Saved(path, kept=False)
    try:
        os.link(part, path)  # unlike rename, fails when another process was first
    except FileExistsError:
        return Saved(path, kept=True)
    except OSError:
        part.rename(path)  # a file system without hard links
    return Saved(path, kept=False)


def _lock(path: Path, file: BinaryIO) -> bool:
    """Lock a new partial file; False when a `sweep` found it before it was locked."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where `sweep` removes nothing either
    return path.exists()


def _unlink_unless_locked(path: Path) -> None:
    """Remove a partial file. Raises `OSError` when it is locked, or when that cannot be determined."""
    if sys.platform == "win32":
        path.unlink()
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)

"""Files under their final names, complete or not at all: partial files, and renaming them into place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mjcli.errors import ConfigError, DownloadError, reason_of
from mjcli.files import exclusive, existing_parent, rename
from mjcli.media.formats import is_whole
from mjcli.media.names import MAX_NAME, Target, check_windows_names, numbered

if sys.platform != "win32":  # Windows does not remove a file that is in use, so no lock is needed there
    import fcntl

# The partial files that this process is writing, for an exit that cannot wait for its threads.
_partial: set[Path] = set()

_PARTIAL_NAME = re.compile(r"\.mj-\d+-[0-9a-f]{12}\.part")
_PARTIAL_BYTES = len("/.mj-4194304-0123456789ab.part")


CLOSED_SECONDS = 60.0  # for which `sweep` leaves a partial file on Windows
LOCK_SECONDS = 30.0  # how long to wait for another process that replaces a file
MOST_NAMES = 10_000  # numbers that are tried for a file whose name is in use


class Saved(NamedTuple):
    """A file on disk; `kept` when it already existed, with the same bytes or as a file of the same job.

    `sha256` is the hexadecimal digest of its bytes, empty when they were not read; `received_sha256` is that of the
    bytes as received, if the file has others. `notices` are sentences.
    """

    path: Path
    kept: bool
    sha256: str = ""
    notices: tuple[str, ...] = ()
    received_sha256: str = ""


class PartialFile:
    """A file that is being written from its beginning to its end. `size` is in bytes."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.size = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The digest of the bytes so far."""
        return self._hash.hexdigest()

    def head(self, length: int) -> bytes:
        """The first bytes."""
        self.file.seek(0)
        return self.file.read(length)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self.file.write(data)
        self.size += len(data)
        self._hash.update(data)

    def truncate(self, size: int) -> None:
        """Continue after the bytes so far, or (`size` 0) begin again."""
        if size != self.size:
            assert size == 0, "a digest cannot be taken back"
            self.size, self._hash = 0, hashlib.sha256()
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
        with contextlib.suppress(PermissionError):  # on Windows, it is open; a later `sweep` removes it
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


def check_writable(target: Target) -> None:
    """Raise `ConfigError` when files cannot be saved there; call it before paying for a job.

    A file is created and removed, since only that shows a read-only or special file system.
    """
    if os.name == "nt":
        check_windows_names(target)
    directory = existing_parent(target.directory)
    if directory is None:
        raise ConfigError(f'"{target.directory}" is on a drive that does not exist; choose another --output.')
    missing = target.directory.relative_to(directory).parts
    if not os.path.isdir(directory):  # noqa: PTH112 - never raises
        raise ConfigError(
            f'"{directory}" is not a directory, so no files can be saved there; choose another --output.'
        )
    _check_lengths(directory, target, missing)
    try:
        with partial_file(directory):
            pass
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        raise ConfigError(
            f'The directory "{directory}" cannot be written ({reason}); choose another --output.'
        ) from None
    fixed = target.fixed
    if fixed is not None and os.path.isdir(fixed):  # noqa: PTH112
        raise ConfigError(
            f'"{fixed}" is a directory; give a file name in it as --output, or end it with a slash.'
        )


def _check_lengths(existing: Path, target: Target, missing: Sequence[str]) -> None:
    """Refuse names that the file system of an existing directory cannot have. Raises `ConfigError`."""
    if target.fixed is not None:
        names = [*missing, target.template]
        whole = len(os.fsencode(target.fixed))
    else:
        names = list(missing)
        whole = len(os.fsencode(target.directory)) + (1 + target.template.count("/")) * (MAX_NAME + 1)
    most, longest = _limits(existing)
    too_long = next((each for each in names if len(os.fsencode(each)) > most), None)
    if too_long is not None:
        raise ConfigError(f'The name "{too_long}" is too long; choose an --output of at most {most} bytes.')
    if max(whole, len(os.fsencode(target.directory)) + _PARTIAL_BYTES) >= longest:
        raise ConfigError(
            f'The path "{target.directory}" is too long; choose an --output below {longest} bytes.'
        )


def _limits(directory: Path) -> tuple[int, int]:
    """The most bytes of a name, and of a path, in a directory."""
    if sys.platform == "win32":
        import ctypes

        # Missing before Windows 10.
        long_paths = getattr(ctypes.windll.ntdll, "RtlAreLongPathsEnabled", lambda: False)
        return 255, 32_767 if long_paths() else 260
    try:
        return os.pathconf(directory, "PC_NAME_MAX"), os.pathconf(directory, "PC_PATH_MAX")
    except (OSError, ValueError):
        return 255, 4096


def _none(_path: Path) -> bool:
    return False


Put = Callable[[PartialFile], Saved]


def _put_alone(part: PartialFile, put: Put) -> Saved:
    return put(part)


def place(
    data: bytes,
    path: Path,
    *,
    force: bool,
    spare: Callable[[Path], bool] = _none,
    save: Callable[[PartialFile, Put], Saved] = _put_alone,
) -> Saved:
    """Write an image under its name or a numbered one; see `place_part`. Raises `DownloadError`.

    `save` gets the file and what puts it in its place.
    """

    def put(part: PartialFile) -> Saved:
        part.sync()
        return place_part(part, path, force=force, spare=spare)

    try:
        with partial_file(path.parent) as part:
            part.write(data)
            return save(part, put)
    except OSError as error:
        raise DownloadError(f'"{path}" cannot be written: {reason_of(error)}.') from error


def place_part(
    part: PartialFile,
    path: Path,
    *,
    force: bool,
    spare: Callable[[Path], bool] = _none,
    own: Callable[[Path], bool] = _none,
) -> Saved:
    """Rename a complete partial file into place.

    If something else has the name, the file gets a numbered one (`cat-2.png`); a file with the same bytes is
    kept. An empty file is replaced, and so is one with the first of these bytes (an incomplete copy) if `own`
    returns true for it. `force` replaces any file but those that `spare` returns true for. Raises
    `DownloadError`, `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, MOST_NAMES):
        name = numbered(path, number)
        replace = force and not spare(name) and not name.is_dir()
        kept = _take(part, name, replace=replace, own=own)
        if kept is not None:
            notices = () if number == 1 else (f'"{path}" already exists, so "{name.name}" was used.',)
            return Saved(name, kept, part.sha256, notices)
    raise DownloadError(f'"{path}" already exists, and so do {MOST_NAMES} numbered names.')


def _take(part: PartialFile, path: Path, *, replace: bool, own: Callable[[Path], bool]) -> bool | None:
    """Give the file this name. Returns whether the existing file was kept; None when the name is in use."""
    if sys.platform == "win32":
        part.file.close()  # an open file cannot be renamed
    if replace:
        rename(part.path, path, replace=True)
        return False
    try:
        _create(part.path, path)
        return False
    except FileExistsError:
        pass
    existing = _leading(part, path)
    if existing == part.size:
        return True
    if existing is None or path.is_symlink():
        return None
    if existing and (not own(path) or is_whole(path)):
        return None  # the same first bytes do not make it this job's
    with exclusive(path.parent, LOCK_SECONDS):
        if _leading(part, path) != existing:
            return None  # another process was faster
        rename(part.path, path, replace=True)
    return False


def replace_same(part: PartialFile, path: Path, sha256: str) -> bool:
    """Replace a file that still has this digest, and keep its permissions; False if it has another one.

    Raises `OSError`.
    """
    if sys.platform == "win32":
        part.file.close()  # an open file cannot be renamed
    with exclusive(path.parent, LOCK_SECONDS):
        if sha256_of(path) != sha256:
            return False
        with contextlib.suppress(OSError):  # a file system without permissions
            part.path.chmod(stat.S_IMODE(path.stat().st_mode))
        rename(part.path, path, replace=True)
    return True


def _create(part: Path, path: Path) -> None:
    """Give a file a free name. Raises `FileExistsError`, also when another process is faster."""
    if sys.platform == "win32":
        rename(part, path, replace=False)
        return
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with exclusive(path.parent, LOCK_SECONDS):
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            part.rename(path)


def sha256_of(path: Path) -> str | None:
    """The digest of a regular file; None when it cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def _leading(part: PartialFile, path: Path) -> int | None:
    """The size of a regular file that has the first bytes, or all bytes, of another one; None for other files."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > part.size:
            return None  # reading a pipe could block forever
        with path.open("rb") as existing, part.path.open("rb") as new:
            while block := existing.read(1024 * 1024):
                if block != new.read(len(block)):
                    return None
    except OSError:
        return None
    return status.st_size


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
        # An open file cannot be removed, but one that was just closed, to be renamed, could.
        if time.time() - path.lstat().st_mtime > CLOSED_SECONDS:
            path.unlink()
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)

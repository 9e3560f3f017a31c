"""What files need that differs between systems: locks, renaming, and the directories that exist.

The system releases a process's locks when it ends, even if it is killed. Where a file system has no locks,
every attempt to lock succeeds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
    import threading
else:
    import fcntl

LOCK_PAUSE = 0.01  # seconds between attempts
WAITS_TO_RENAME = os.name == "nt"  # elsewhere, open files can be renamed
RENAME_SECONDS = 2.0  # how long a virus scanner or an indexer may hold a new file on Windows

if sys.platform == "win32":
    _NO_LOCKS = (errno.EINVAL, errno.ENOSYS)  # what Windows reports for a file system without locks
    _mutex = threading.Lock()  # a lock's position is that of the descriptor

    def lock_byte(descriptor: int, position: int) -> bool:
        """Lock one byte of a file; return False if it is locked elsewhere."""
        with _mutex:
            os.lseek(descriptor, position, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                return error.errno in _NO_LOCKS
        return True

    def unlock_byte(descriptor: int, position: int) -> None:
        """Release the lock on a byte, if there is one."""
        with _mutex, contextlib.suppress(OSError):
            os.lseek(descriptor, position, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def open_to_lock(path: Path, *, temporary: bool = False) -> int:
        """Open a file, which is created; a temporary one is removed when all have closed it. Raises `OSError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOINHERIT | (os.O_TEMPORARY if temporary else 0)
        return os.open(path, flags, 0o600)

    def _acquire(path: Path) -> int | None:
        # A directory cannot be opened; a file in it stands for it.
        file = path / ".mj-lock" if path.is_dir() else path
        try:
            descriptor = open_to_lock(file, temporary=True)
        except PermissionError:
            if not can_create_in(file.parent):
                raise
            return None  # it is being removed
        try:
            # A file that is being removed excludes nobody: others will create a new one.
            if lock_byte(descriptor, 0) and os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        except OSError:
            pass
        os.close(descriptor)
        return None

else:

    def lock_byte(descriptor: int, position: int) -> bool:
        """Lock one byte of a file; return False if another process has locked it."""
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, position)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks
        return True

    def unlock_byte(descriptor: int, position: int) -> None:
        """Release the lock on a byte, if there is one."""
        with contextlib.suppress(OSError):
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, position)

    def open_to_lock(path: Path) -> int:
        """Open a file, which is created. Raises `OSError`."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _acquire(path: Path) -> int | None:
        is_directory = path.is_dir()
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if is_directory else open_to_lock(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            pass  # a file system without locks
        return descriptor


@contextlib.contextmanager
def exclusive(
    path: Path,
    seconds: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[None]:
    """Hold a lock on a directory, or on a file, which is created. Raises `TimeoutError` after `seconds`, `OSError`."""
    deadline = monotonic() + seconds
    while (descriptor := _acquire(path)) is None:
        if monotonic() > deadline:
            raise TimeoutError(f"{path} is still locked by another process after {seconds:.0f} seconds")
        sleep(LOCK_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path, *, replace: bool) -> None:
    """Rename a closed file. Raises `OSError`; on Windows `FileExistsError` if the name is in use, unless `replace`.

    On Windows, a file that another program has open cannot be renamed or replaced, so that is tried for a while.
    """
    deadline = time.monotonic() + RENAME_SECONDS
    while True:
        try:
            source.replace(target) if replace else source.rename(target)
        except PermissionError:
            if not WAITS_TO_RENAME or target.is_dir() or time.monotonic() > deadline:
                raise
            time.sleep(LOCK_PAUSE)
        else:
            return


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which the file written there then replaces; or nothing changes."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        yield temporary
        rename(temporary, path, replace=True)
    finally:
        temporary.unlink(missing_ok=True)


def existing_parent(path: Path) -> Path | None:
    """The nearest of a path and its parents that exists; None if there is none, as on a drive that is not there."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), None)


def can_create_in(directory: Path) -> bool:
    """Whether this process may create files in a directory that exists."""
    if sys.platform == "win32":  # has permissions that `os.access` does not see
        try:
            os.close(open_to_lock(directory / f".mj-{os.urandom(6).hex()}.tmp", temporary=True))
        except OSError:
            return False
        return True
    return os.access(directory, os.W_OK | os.X_OK)

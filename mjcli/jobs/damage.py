"""A ledger file that is damaged, cannot be used, or was replaced: what is done about it, and its errors."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
from pathlib import Path

from mjcli.errors import LedgerError, Remedy
from mjcli.files import exclusive, rename
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.database import BUSY_SECONDS, is_busy

# Errors after which the file may still be readable.
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN)
_SMALLEST_SPACE = 64 * 1024  # bytes free; the index of the write-ahead log alone takes 32 KB

Identity = tuple[int, int]  # of a file: its device and inode


def identity_of(path: Path) -> Identity | None:
    """Return what distinguishes this file from another one of the same name; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_corrupt(error: BaseException) -> bool:
    """Return whether an error means that the file is damaged, or not a database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, damaged: Identity | None, *, clock: Clock = SYSTEM_CLOCK) -> Path | None:
    """Rename a damaged ledger, with the files that belong to it; return its new path. Nothing is deleted.

    `damaged` is the file that was found to be damaged. Return None if it is no longer at `path`, or not
    damaged: another process may have replaced it meanwhile. One process at a time does this. Raises `OSError`,
    and on Windows `ConfigError` if another program has the file open.
    """
    lock = path.with_name(f"{path.name}.aside-lock")
    with exclusive(lock, BUSY_SECONDS, monotonic=clock.monotonic, sleep=clock.sleep):
        if identity_of(path) != damaged or damaged is None or not _is_damaged(path):
            return None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
        # The companions first: SQLite would apply an old log to a new ledger of this name.
        moved = []
        try:
            for suffix in ("-wal", "-shm", "-journal", ""):
                with contextlib.suppress(FileNotFoundError):
                    companion = path.with_name(path.name + suffix)
                    rename(companion, aside.with_name(aside.name + suffix), replace=True)
                    moved.append(suffix)
        except OSError as error:
            for suffix in moved:
                rename(aside.with_name(aside.name + suffix), path.with_name(path.name + suffix), replace=True)
            if os.name == "nt" and isinstance(error, PermissionError):
                raise LedgerError(
                    f'The ledger "{path}" is damaged, but another program has it open.',
                    hint="stop that program, perhaps another mj, then run the command again",
                ) from error
            raise
        return aside


def _is_damaged(path: Path) -> bool:
    """Check the whole file."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
        ) as connection:
            ((found,),) = connection.execute("PRAGMA integrity_check(1)").fetchall()
            return bool(found != "ok")
    except UnicodeDecodeError:  # an error of SQLite that quotes a damaged schema
        return True
    except sqlite3.DatabaseError as error:
        return is_corrupt(error)


def replaced(path: Path, task_id: str | None) -> LedgerError:
    """Return the error for a ledger file that was deleted, moved or replaced while it was open."""
    task = f" Task {task_id} is not in a new ledger." if task_id else ""
    return LedgerError(f'The ledger "{path}" was deleted or replaced during the job.{task}', task_id=task_id)


def unusable(
    path: Path, error: Exception, *, verb: str = "written", identity: Identity | None = None
) -> LedgerError:
    """Return the error for a ledger that cannot be used; a damaged one is set aside first.

    `identity` is that of the open file; by default it is the file at `path`.
    """
    if isinstance(error, sqlite3.DatabaseError) and is_corrupt(error):
        with contextlib.suppress(OSError):
            aside = set_aside(path, identity or identity_of(path))
            if aside is not None:
                return LedgerError(
                    f'The ledger was damaged and was moved to "{aside}"; the next command creates a new one.',
                    remedy=Remedy.LEDGER_REPLACED,
                )
    if is_busy(error):
        return LedgerError(
            f'The ledger "{path}" cannot be {verb}: another program has locked it for {BUSY_SECONDS:.0f} seconds.',
            hint="stop that program, or wait for it, then run the command again",
        )
    if _is_disk_full(path, error):
        failure = LedgerError(
            f'No space left on the device with the ledger at "{path}".',
            hint="free some space there, or set MJ_DATA_DIR to another directory",
        )
    else:
        reason = getattr(error, "strerror", None) or str(error)
        failure = LedgerError(
            f'The ledger "{path}" cannot be {verb} ({reason}).',
            hint="set MJ_DATA_DIR to a directory you can write to",
        )
    failure.unwritable = isinstance(error, OSError) or _code(error) in _UNWRITABLE
    return failure


def _is_disk_full(path: Path, error: Exception) -> bool:
    """Whether an error means that the device is full; SQLite itself may report only that it cannot write."""
    if _code(error) == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    if _code(error) not in _UNWRITABLE:
        return False
    import shutil

    try:
        return shutil.disk_usage(path.parent).free < _SMALLEST_SPACE
    except OSError:
        return False


def _code(error: Exception) -> int:
    """The primary error code of SQLite; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF

"""A ledger file that is damaged, cannot be used, or was replaced: what is done about it, and its errors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mjcli.errors import ConfigError, Remedy
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.database import BUSY_PAUSE, BUSY_SECONDS, is_busy

if sys.platform != "win32":
    import fcntl

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
    damaged: another process may have replaced it meanwhile. One process at a time does this.
    """
    with _exclusive(path.with_name(f"{path.name}.aside-lock"), clock):
        if identity_of(path) != damaged or damaged is None or not _is_damaged(path):
            return None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
        # The companions first: SQLite would apply an old log to a new ledger of this name.
        for suffix in ("-wal", "-shm", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
        path.rename(aside)
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


@contextlib.contextmanager
def _exclusive(path: Path, clock: Clock) -> Iterator[None]:
    """Hold a lock that other processes wait for, where the system and the file system have locks."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = clock.monotonic() + BUSY_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock.monotonic() > deadline:
                    raise
                clock.sleep(BUSY_PAUSE)
                continue
            except OSError:
                pass  # a file system without locks
            break
        yield
    finally:
        os.close(descriptor)


def replaced(path: Path, task_id: str | None) -> ConfigError:
    """Return the error for a ledger file that was deleted, moved or replaced while it was open."""
    task = f" Task {task_id} is not in a new ledger." if task_id else ""
    return ConfigError(f'The ledger "{path}" was deleted or replaced during the job.{task}', task_id=task_id)


def unusable(
    path: Path, error: Exception, *, verb: str = "written", identity: Identity | None = None
) -> ConfigError:
    """Return the error for a ledger that cannot be used; a damaged one is set aside first.

    `identity` is that of the open file; by default it is the file at `path`.
    """
    if isinstance(error, sqlite3.DatabaseError) and is_corrupt(error):
        with contextlib.suppress(OSError):
            aside = set_aside(path, identity or identity_of(path))
            if aside is not None:
                return ConfigError(
                    f'The ledger was damaged and was moved to "{aside}"; the next command creates a new one.',
                    remedy=Remedy.LEDGER_REPLACED,
                )
    if is_busy(error):
        return ConfigError(
            f'The ledger "{path}" cannot be {verb}: another program has locked it for {BUSY_SECONDS:.0f} seconds.',
            hint="stop that program, or wait for it, then run the command again",
        )
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigError(
        f'The ledger "{path}" cannot be {verb} ({reason}).',
        hint="free some space there, or set MJ_DATA_DIR to another directory"
        if "full" in reason
        else "set MJ_DATA_DIR to a directory you can write to",
    )

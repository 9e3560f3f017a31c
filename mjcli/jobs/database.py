"""The SQLite file of the ledger: schema, migrations, locking by other programs, damage."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mjcli.errors import ConfigError, Remedy
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock

BUSY_SECONDS = 30.0  # how long to wait for a ledger that another program has locked
SQLITE_SECONDS = 0.1  # how long SQLite itself waits at a time, during which no signal is handled
BUSY_PAUSE = 0.01  # seconds between attempts

T = TypeVar("T")

# Append only: a released migration never changes. Their count is the schema's version.
MIGRATIONS: tuple[tuple[str, str], ...] = (
    (
        "create jobs",
        """
        CREATE TABLE jobs (
            number INTEGER PRIMARY KEY,          -- in order of creation
            uuid TEXT NOT NULL UNIQUE,
            profile TEXT NOT NULL,
            host TEXT NOT NULL,                  -- base URL; 'sandbox' for the embedded one
            kind TEXT NOT NULL,                  -- imagine, action, blend, …
            path TEXT NOT NULL,                  -- endpoint
            request TEXT NOT NULL,               -- the whole body, JSON
            state TEXT NOT NULL CHECK (state IN ('submitting', 'running', 'done', 'failed', 'unknown')),
            created_at REAL NOT NULL,            -- Unix seconds
            changed_at REAL NOT NULL,
            task_id TEXT,
            image_id TEXT,
            result TEXT,                         -- the final object, JSON
            error TEXT,                          -- code and message, JSON
            files_asked TEXT,                    -- how to save files, JSON; NULL: not at all
            files TEXT NOT NULL DEFAULT '[]',    -- absolute paths saved, JSON
            parent_image TEXT,                   -- the image that an action was applied to
            pid INTEGER                          -- the process that sent it
        );
        CREATE INDEX jobs_task ON jobs (host, task_id) WHERE task_id IS NOT NULL;
        CREATE INDEX jobs_profile ON jobs (profile, number);
        CREATE INDEX jobs_image ON jobs (image_id) WHERE image_id IS NOT NULL;
        """,
    ),
    (
        "add times, subject and unsaved files",
        """
        -- subject: what the job is about; sent_at NULL: no byte was sent; files_due: requested but not saved yet
        ALTER TABLE jobs ADD COLUMN subject TEXT NOT NULL DEFAULT '';
        ALTER TABLE jobs ADD COLUMN sent_at REAL;
        ALTER TABLE jobs ADD COLUMN accepted_at REAL;
        ALTER TABLE jobs ADD COLUMN ended_at REAL;
        ALTER TABLE jobs ADD COLUMN files_due INTEGER NOT NULL DEFAULT 0;
        UPDATE jobs SET sent_at = created_at;
        UPDATE jobs SET files_due = 1 WHERE state = 'done' AND files_asked IS NOT NULL AND files = '[]';
        """,
    ),
    (
        "create uploads",
        """
        CREATE TABLE uploads (
            sha256 TEXT NOT NULL,                -- of the content, in hexadecimal
            endpoint TEXT NOT NULL,              -- address of the file endpoint
            url TEXT NOT NULL,                   -- the link of the file
            uploaded_at REAL NOT NULL,           -- Unix seconds
            PRIMARY KEY (sha256, endpoint)
        );
        """,
    ),
)


def check_version(connection: sqlite3.Connection, path: Path, *, oldest: int = 0, clock: Clock) -> int:
    """Return the version of the schema. Raises `ConfigError` if this version of mj cannot use it."""
    ((version,),) = retry_while_busy(
        lambda: connection.execute("PRAGMA user_version").fetchall(), clock=clock
    )
    if version > len(MIGRATIONS):
        raise ConfigError(
            f'The ledger "{path}" was created by a newer version of mj.',
            hint="update mj, or set MJ_DATA_DIR to another directory",
        )
    if version < oldest:
        raise ConfigError(
            f'The ledger "{path}" was created by an older version of mj and cannot be migrated, because it is'
            " not writable.",
            hint="make it writable, then run the command again",
        )
    return int(version)


def migrate(connection: sqlite3.Connection, *, clock: Clock) -> None:
    """Bring the schema up to date. Several processes may do this at once."""
    # SQLite itself does not wait for other processes when it switches the journal mode.
    retry_while_busy(lambda: connection.execute("PRAGMA journal_mode = WAL"), clock=clock)
    # One process migrates; the others wait here and then find it done.
    retry_while_busy(lambda: connection.execute("BEGIN IMMEDIATE"), clock=clock)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for _name, script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after "disk full", SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise


def retry_while_busy(attempt: Callable[[], T], *, clock: Clock = SYSTEM_CLOCK) -> T:
    """Return what `attempt` returns, retrying while another program has the file locked, up to `BUSY_SECONDS`.

    Raises what `attempt` raises. The pauses are here and short, because signals are handled only between
    calls of SQLite.
    """
    deadline = clock.monotonic() + BUSY_SECONDS
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or clock.monotonic() > deadline:
                raise
        clock.sleep(BUSY_PAUSE)


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def is_corrupt(error: sqlite3.DatabaseError) -> bool:
    """Return whether the file is damaged, or not a database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path) -> Path:
    """Rename a damaged ledger, with the files that belong to it; return its new path. Nothing is deleted."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside


def unusable(path: Path, error: Exception, *, verb: str = "written") -> ConfigError:
    """Return the error for a ledger that cannot be used; a damaged one is set aside first."""
    if isinstance(error, sqlite3.DatabaseError) and is_corrupt(error) and path.exists():
        return ConfigError(
            f'The ledger was damaged and was moved to "{set_aside(path)}"; the next command creates a new one.',
            remedy=Remedy.LEDGER_REPLACED,
        )
    if _is_busy(error):
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

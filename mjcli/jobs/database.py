"""The SQLite file of the ledger: schema, migrations, journal, locking by other programs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mjcli.errors import ConfigError
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.filesystem import network_file_system

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
    (
        "add job keys, file hashes and the clock at the time of sending",
        """
        -- clock_offset: seconds by which the service's clock was ahead; sent_uptime: seconds since the boot boot_id
        ALTER TABLE jobs ADD COLUMN clock_offset REAL;
        ALTER TABLE jobs ADD COLUMN boot_id TEXT;
        ALTER TABLE jobs ADD COLUMN sent_uptime REAL;
        ALTER TABLE jobs ADD COLUMN key TEXT;
        ALTER TABLE jobs ADD COLUMN key_fingerprint TEXT;
        -- a JSON list parallel to files; NULL: unknown
        ALTER TABLE jobs ADD COLUMN files_sha256 TEXT;
        CREATE UNIQUE INDEX jobs_key ON jobs (profile, key) WHERE key IS NOT NULL;
        -- to find the job that lists a path without reading whole rows
        CREATE INDEX jobs_files ON jobs (files) WHERE files <> '[]';
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


def migrate(
    connection: sqlite3.Connection, path: Path, *, clock: Clock, notice: Callable[[str], None]
) -> None:
    """Bring the schema up to date, after copying a ledger with jobs. Several processes may do this at once."""
    choose_journal(connection, path, clock=clock, notice=notice)
    # One process migrates; the others wait here and then find it done.
    retry_while_busy(lambda: connection.execute("BEGIN IMMEDIATE"), clock=clock)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if 0 < version < len(MIGRATIONS) and connection.execute("SELECT 1 FROM jobs LIMIT 1").fetchone():
            _back_up(path, path.with_name(f"{path.name}.before-{len(MIGRATIONS)}"))
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


def _back_up(path: Path, copy: Path) -> None:
    """Copy the ledger as it was before the transaction of the caller, which keeps other writers away.

    The copy is private, and a partial one never has the final name.
    """
    partial = copy.with_name(f"{copy.name}.part")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(partial)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
        partial.replace(copy)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def choose_journal(
    connection: sqlite3.Connection, path: Path, *, clock: Clock, notice: Callable[[str], None]
) -> None:
    """Set the journal that suits the file system. WAL needs memory that all processes share.

    On a network file system, `notice` is called if the journal was not set yet.
    """
    kind = network_file_system(path)
    mode = "WAL" if kind is None else "DELETE"
    # SQLite itself does not wait for other processes when it switches the journal mode.
    before = _journal_mode(connection, clock)
    if before != mode.lower():
        retry_while_busy(lambda: connection.execute(f"PRAGMA journal_mode = {mode}"), clock=clock)
    new = not retry_while_busy(lambda: connection.execute("PRAGMA user_version").fetchone()[0], clock=clock)
    if kind is not None and (new or before != mode.lower()):
        notice(
            f'The ledger "{path}" is on a network file system ({kind}), where only one host at a time can use'
            " it safely."
        )


def uses_wal(connection: sqlite3.Connection, *, clock: Clock) -> bool:
    """Return whether the ledger has a write-ahead log."""
    return _journal_mode(connection, clock) == "wal"


def _journal_mode(connection: sqlite3.Connection, clock: Clock) -> str:
    ((mode,),) = retry_while_busy(lambda: connection.execute("PRAGMA journal_mode").fetchall(), clock=clock)
    return str(mode)


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
            if not is_busy(error) or clock.monotonic() > deadline:
                raise
        except UnicodeDecodeError as error:  # an error of SQLite that quotes a damaged schema
            corrupt = sqlite3.DatabaseError("database schema is malformed")
            corrupt.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise corrupt from error
        clock.sleep(BUSY_PAUSE)


def is_busy(error: Exception) -> bool:
    """Return whether another program has locked the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY

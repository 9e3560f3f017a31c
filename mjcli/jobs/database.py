"""The SQLite file of the ledger: schema, migrations, journal, locking by other programs."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mjcli.errors import LedgerError
from mjcli.files import rename
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.filesystem import network_file_system

BUSY_SECONDS = 30.0  # how long to wait for a ledger that another program has locked
SQLITE_SECONDS = 0.1  # how long SQLite itself waits at a time, during which no signal is handled
BUSY_PAUSE = 0.01  # seconds between attempts
BOUND = 500  # values bound at a time; old builds of SQLite allow 999

T = TypeVar("T")


def _items(name: str) -> str:
    """SQL for the items of a column with a JSON list, none if it is damaged."""
    return f"json_each(CASE WHEN json_valid({name}) THEN {name} ELSE '[]' END)"


def _saved_files(row: str) -> str:
    """SQL that selects the saved files of a row of `jobs`: its number, path and SHA-256 digest of each."""

    def each(column: str) -> str:
        return _items(f"{row}.{column}")

    table = f"{row}, " if row == "jobs" else ""
    return (
        f"SELECT {row}.number, path.value, (SELECT hash.value FROM {each('files_sha256')} AS hash"  # noqa: S608
        f" WHERE hash.key = path.key) FROM {table}{each('files')} AS path"
    )


_SAVE_FILES = (
    "BEGIN DELETE FROM saved_files WHERE job = new.number;"  # noqa: S608
    f" INSERT INTO saved_files {_saved_files('new')} WHERE path.value IS NOT NULL; END"
)
# A file with metadata in it is also known by the bytes that were received.
_SAVE_BOTH = (
    f"{_SAVE_FILES.removesuffix('END')}INSERT INTO saved_files SELECT new.number, path.value, hash.value"  # noqa: S608
    f" FROM {_items('new.files')} AS path, {_items('new.files_received_sha256')} AS hash"
    " WHERE path.key = hash.key AND path.value IS NOT NULL AND hash.value IS NOT NULL; END"
)
_FORGET_JOB = (
    "BEGIN DELETE FROM saved_files WHERE job = old.number;"
    " DELETE FROM intermediates WHERE job = old.number; END"
)

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
    (
        "store the account and the expiry of uploads",
        """
        -- a link serves only the account that uploaded the file, which is not known for earlier links
        DROP TABLE uploads;
        CREATE TABLE uploads (
            sha256 TEXT NOT NULL,                -- of the content, in hexadecimal
            account TEXT NOT NULL,               -- fingerprint of the profile, the endpoint and the tokens
            url TEXT NOT NULL,                   -- the link of the file
            uploaded_at REAL NOT NULL,           -- Unix seconds
            expires_at REAL NOT NULL,            -- Unix seconds of this machine's clock
            PRIMARY KEY (sha256, account)
        );
        """,
    ),
    (
        "add saved files, intermediate images and the files that jobs start from",
        # A file is found by its content or its path. Damaged rows must not stop a migration or a change.
        f"""
        ALTER TABLE jobs ADD COLUMN source_sha256 TEXT;
        CREATE TABLE saved_files (job INTEGER NOT NULL, path TEXT NOT NULL, sha256 TEXT);
        CREATE INDEX saved_files_job ON saved_files (job);
        CREATE INDEX saved_files_path ON saved_files (path);
        CREATE INDEX saved_files_sha256 ON saved_files (sha256) WHERE sha256 IS NOT NULL;
        INSERT INTO saved_files {_saved_files("jobs")} WHERE path.value IS NOT NULL;
        CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs WHEN new.files <> '[]' {_SAVE_FILES};
        CREATE TRIGGER jobs_saved AFTER UPDATE OF files, files_sha256 ON jobs {_SAVE_FILES};
        CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs {_FORGET_JOB};
        -- the images that a job showed while it ran
        CREATE TABLE intermediates (image_id TEXT PRIMARY KEY, job INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX intermediates_job ON intermediates (job);
        CREATE INDEX jobs_described ON jobs (profile, number) WHERE kind = 'describe';
        """,
    ),
    (
        "list imported tasks in the order of their creation",
        """
        -- NULL: a job of this ledger; else an imported task, listed after the job with this number
        ALTER TABLE jobs ADD COLUMN listed_after INTEGER;
        CREATE INDEX jobs_listed ON jobs (profile, coalesce(listed_after + 0.5, number), created_at, number);
        """,
    ),
    (
        "add batches and costs",
        """
        -- batch, item: the batch of a job, and what identifies its line and step there; item NULL: made anew since
        ALTER TABLE jobs ADD COLUMN batch TEXT;
        ALTER TABLE jobs ADD COLUMN item TEXT;
        -- USD: reserved when the row was written; charged according to the usage records, by trace_id
        ALTER TABLE jobs ADD COLUMN estimate REAL;
        ALTER TABLE jobs ADD COLUMN charged REAL;
        ALTER TABLE jobs ADD COLUMN trace_id TEXT;
        -- the sandbox has batches of its own
        CREATE UNIQUE INDEX jobs_item ON jobs (batch, item, host = 'sandbox') WHERE item IS NOT NULL;
        CREATE INDEX jobs_submitting ON jobs (host, path) WHERE state = 'submitting';
        CREATE INDEX jobs_batch ON jobs (batch) WHERE batch IS NOT NULL;
        CREATE INDEX jobs_trace ON jobs (trace_id) WHERE trace_id IS NOT NULL;
        -- what limits add up, without reading whole rows
        CREATE INDEX jobs_cost ON jobs (host = 'sandbox', coalesce(sent_at, created_at), state, estimate, charged)
            WHERE listed_after IS NULL;
        CREATE INDEX jobs_batch_cost ON jobs (batch, host = 'sandbox', state, estimate, charged)
            WHERE item IS NOT NULL;
        CREATE INDEX jobs_charged ON jobs (profile, host, number) WHERE charged IS NOT NULL;
        UPDATE jobs SET trace_id = CASE WHEN json_valid(result) THEN json_extract(result, '$.trace_id') END
            WHERE state = 'done';
        """,
    ),
    (
        "find unfinished jobs, videos, descriptions and ids without reading every row",
        # A query uses a partial index only if it has the same condition.
        """
        DROP INDEX IF EXISTS jobs_files;
        DROP INDEX IF EXISTS jobs_described;
        CREATE INDEX jobs_described ON jobs
            (profile, coalesce(listed_after + 0.5, number), created_at, number) WHERE kind = 'describe';
        CREATE INDEX jobs_videos ON jobs (profile, coalesce(listed_after + 0.5, number), created_at, number)
            WHERE (kind IN ('video', 'extend-video') OR path = '/midjourney/videos');
        CREATE INDEX jobs_unfinished ON jobs (profile, number)
            WHERE (state IN ('submitting', 'running', 'unknown') OR state = 'done' AND files_due > 0);
        CREATE INDEX jobs_task_id ON jobs (task_id) WHERE task_id IS NOT NULL;
        """,
    ),
    (
        "add tags",
        """
        -- a star is the tag '*'
        CREATE TABLE tags (tag TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (tag, job)) WITHOUT ROWID;
        CREATE INDEX tags_job ON tags (job);
        CREATE TRIGGER jobs_untagged AFTER DELETE ON jobs BEGIN DELETE FROM tags WHERE job = old.number; END;
        """,
    ),
    (
        "add the digests of files before their metadata was written into them",
        f"""
        -- a JSON list parallel to files, with null for a file that is as it was received; NULL: all are
        ALTER TABLE jobs ADD COLUMN files_received_sha256 TEXT;
        DROP TRIGGER jobs_inserted;
        DROP TRIGGER jobs_saved;
        CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs WHEN new.files <> '[]' {_SAVE_BOTH};
        CREATE TRIGGER jobs_saved AFTER UPDATE OF files, files_sha256, files_received_sha256 ON jobs {_SAVE_BOTH};
        """,
    ),
)


def check_is_file(path: Path) -> None:
    """Raise `OSError` for a FIFO or a device, from which SQLite could read without end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def check_version(connection: sqlite3.Connection, path: Path, *, clock: Clock) -> int:
    """Return the version of the schema. Raises `LedgerError` if this version of mj cannot use it."""
    ((version,),) = retry_while_busy(
        lambda: connection.execute("PRAGMA user_version").fetchall(), clock=clock
    )
    if version > len(MIGRATIONS):
        raise LedgerError(
            f'The ledger "{path}" was created by a newer version of mj.',
            hint="update mj, or set MJ_DATA_DIR to another directory",
        )
    return int(version)


def connect_to_read(path: Path, *, clock: Clock) -> sqlite3.Connection:
    """Open a ledger that cannot be written; nothing is created beside it.

    An older one is read from a copy in memory with the current schema. Raises `sqlite3.Error`, `OSError`, and
    `LedgerError` as `check_version` does.
    """
    connection = _open_to_read(path, clock)
    try:
        if check_version(connection, path, clock=clock) == len(MIGRATIONS):
            return connection
        copy = _migrated_copy(connection)
    except BaseException:
        connection.close()
        raise
    connection.close()
    return copy


def _open_to_read(path: Path, clock: Clock) -> sqlite3.Connection:
    check_is_file(path)
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not log.stat().st_size:
        return _connect(path, "mode=ro&immutable=1")
    # An immutable file would not show the changes in the log.
    connection = _connect(path, "mode=ro")
    try:
        check_version(connection, path, clock=clock)
        return connection
    except sqlite3.OperationalError as error:
        connection.close()
        if is_busy(error):
            raise
    # The index of the log cannot be created. SQLite keeps it in memory for a connection that takes no locks.
    vfs = "win32-none" if sys.platform == "win32" else "unix-none"
    connection = _connect(path, f"mode=ro&vfs={vfs}")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=SQLITE_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _migrated_copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        connection.backup(copy)
        (version,) = copy.execute("PRAGMA user_version").fetchone()
        _apply_migrations(copy, version)
        copy.execute("PRAGMA query_only = ON")  # a change would be lost
    except BaseException:
        copy.close()
        raise
    return copy


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
        _apply_migrations(connection, version)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after "disk full", SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise


def _apply_migrations(connection: sqlite3.Connection, version: int) -> None:
    for _name, script in MIGRATIONS[version:]:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


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
        rename(partial, copy, replace=True)
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


def in_batches(values: Iterable[str]) -> Iterator[list[str]]:
    """Yield the values in lists short enough to bind, because SQLite limits the variables of a statement."""
    rest = iter(values)
    while batch := list(islice(rest, BOUND)):
        yield batch


def is_busy(error: Exception) -> bool:
    """Return whether another program has locked the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY

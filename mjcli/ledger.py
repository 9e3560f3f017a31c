"""The local record of every job: a row before its request leaves, and after each change.

SQLite in WAL mode, so that many `mj` share it: short transactions and a busy time-out. The token never
comes here.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mjcli.errors import ConfigError
from mjcli.secret import Secret

BUSY_SECONDS = 30.0

# Append only: a migration that has been released is never changed. The count is the schema's version.
MIGRATIONS: tuple[tuple[str, str], ...] = (
    (
        "create jobs",
        """
        CREATE TABLE jobs (
            number INTEGER PRIMARY KEY,          -- in the order asked
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
            files_asked TEXT,                    -- how files were asked for, JSON; NULL: not at all
            files TEXT NOT NULL DEFAULT '[]',    -- absolute paths saved, JSON
            parent_image TEXT,                   -- the image that an action was done to
            pid INTEGER                          -- the process that follows the job
        );
        CREATE INDEX jobs_task ON jobs (host, task_id) WHERE task_id IS NOT NULL;
        CREATE INDEX jobs_profile ON jobs (profile, number);
        CREATE INDEX jobs_image ON jobs (image_id) WHERE image_id IS NOT NULL;
        """,
    ),
)

_COLUMNS = (
    "number, uuid, profile, host, kind, path, request, state, created_at, changed_at, "
    "task_id, image_id, result, error, files_asked, files, parent_image"
)


class Job(NamedTuple):
    """One row of the ledger, its JSON read."""

    number: int
    uuid: str
    profile: str
    host: str
    kind: str
    path: str
    request: dict[str, Any]
    state: str
    created_at: float
    changed_at: float
    task_id: str | None
    image_id: str | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    files_asked: dict[str, Any] | None
    files: list[str]
    parent_image: str | None

    @property
    def prompt(self) -> str:
        """The prompt that was sent, empty for an action without one."""
        return str(self.request.get("prompt") or "")


class Ledger:
    """An open ledger. Methods raise `ConfigError` when it cannot be written."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self.secret = Secret()  # never comes into the file, even where a peer repeats it

    @classmethod
    def open(cls, path: Path, *, notice: Callable[[str], None]) -> Ledger:
        """Open or create the ledger at `path`; a corrupt one is set aside under a new name, never deleted.

        Raises `ConfigError` when it cannot be opened or comes from a newer version.
        """
        try:
            try:
                return cls._open(path)
            except sqlite3.DatabaseError as error:
                if not _is_corrupt(error):
                    raise
            aside = _set_aside(path)
            notice(f"The ledger was damaged; it was kept as {aside} and a new one begun.")
            return cls._open(path)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from error

    @classmethod
    def _open(cls, path: Path) -> Ledger:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # With its final mode from the start: prompts are nobody else's business.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise ConfigError(
                    f"The ledger {path} was written by a newer mj; this one leaves it alone.",
                    hint="update mj, or set MJ_DATA_DIR to another directory, or use --no-ledger",
                )
            if version < len(MIGRATIONS):
                _migrate(connection)
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return cls(connection, path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # -- writing -----------------------------------------------------------------------------------

    def record(
        self,
        *,
        profile: str,
        host: str,
        kind: str,
        path: str,
        request: Mapping[str, Any],
        files_asked: Mapping[str, Any] | None,
        parent_image: str | None,
    ) -> str:
        """Write down a job that is about to be sent, on the disk when this returns; gives its uuid."""
        identity, now = str(uuid.uuid4()), time.time()
        self._write(
            "INSERT INTO jobs (uuid, profile, host, kind, path, request, state, created_at, changed_at,"
            " files_asked, parent_image, pid) VALUES (?, ?, ?, ?, ?, ?, 'submitting', ?, ?, ?, ?, ?)",
            (
                identity,
                profile,
                host,
                kind,
                path,
                json.dumps(dict(request)),
                now,
                now,
                None if files_asked is None else json.dumps(dict(files_asked)),
                parent_image,
                os.getpid(),
            ),
        )
        return identity

    def running(self, identity: str, task_id: str) -> None:
        """The service gave the job this task."""
        self._change(identity, state="running", task_id=task_id)

    def adopt(self, identity: str, host: str, task_id: str) -> bool:
        """Give the job a task that was found rather than answered; False when another job has it."""
        self._write(
            "UPDATE jobs SET state = 'running', task_id = ?, changed_at = ? WHERE uuid = ?"
            " AND NOT EXISTS (SELECT 1 FROM jobs WHERE host = ? AND task_id = ?)",
            (task_id, time.time(), identity, host, task_id),
        )
        job = self._one("WHERE uuid = ?", (identity,))
        return job is not None and job.task_id == task_id

    def done(self, identity: str, result: Mapping[str, Any], *, image_id: str | None) -> None:
        """The job succeeded with this final object."""
        self._change(identity, state="done", result=json.dumps(dict(result)), image_id=image_id, error=None)

    def ended(self, identity: str, state: str, *, code: str, message: str) -> None:
        """The job `failed`, or its outcome is `unknown`."""
        self._change(identity, state=state, error=json.dumps({"code": code, "message": message}))

    def saved(self, identity: str, files: Sequence[str]) -> None:
        """These files of the job are on the disk."""
        self._change(identity, files=json.dumps(list(files)))

    # -- reading -----------------------------------------------------------------------------------

    def nth_newest(self, profile: str, n: int) -> Job | None:
        """The nth newest job (1: the newest) of a profile."""
        return self._one("WHERE profile = ? ORDER BY number DESC LIMIT 1 OFFSET ?", (profile, n - 1))

    def newest_with_image(self, profile: str) -> int | None:
        """Which newest job (1: the newest) of a profile is the first that has an image; None when none has."""
        newer = (
            "SELECT COUNT(*) FROM jobs WHERE profile = ? AND number >="
            " (SELECT MAX(number) FROM jobs WHERE profile = ? AND image_id IS NOT NULL)"
        )
        ((count,),) = self._query(newer, (profile, profile))
        return count or None

    def by_task(self, host: str, task_id: str) -> Job | None:
        """The job that has this task."""
        return self._one("WHERE host = ? AND task_id = ? ORDER BY number DESC LIMIT 1", (host, task_id))

    def by_image(self, profile: str, image_id: str) -> Job | None:
        """The newest job of a profile whose result is this image."""
        return self._one(
            "WHERE profile = ? AND image_id = ? ORDER BY number DESC LIMIT 1", (profile, image_id)
        )

    def known_tasks(self, host: str, task_ids: Iterable[str]) -> set[str]:
        """Which of these tasks belong to a job of the ledger."""
        ids = list(task_ids)
        marks = ",".join("?" * len(ids))
        rows = self._query(f"SELECT task_id FROM jobs WHERE host = ? AND task_id IN ({marks})", (host, *ids))  # noqa: S608
        return {task_id for (task_id,) in rows}

    # -- plumbing ----------------------------------------------------------------------------------

    def _change(self, identity: str, **columns: object) -> None:
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self._write(
            f"UPDATE jobs SET {assignments}, changed_at = ? WHERE uuid = ?",  # noqa: S608
            (*columns.values(), time.time(), identity),
        )

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            kept = [self.secret.hide(value) if isinstance(value, str) else value for value in values]
            self._connection.execute(statement, kept)
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def _query(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def _one(self, where: str, values: tuple[object, ...]) -> Job | None:
        rows = self._query(f"SELECT {_COLUMNS} FROM jobs {where}", values)  # noqa: S608
        return _job(rows[0]) if rows else None


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    for name in ("request", "result", "error", "files_asked", "files"):
        if values[name] is not None:
            values[name] = json.loads(values[name])
    return Job(**values)


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # One process migrates; the others wait here and then find it done.
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for _name, script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}-{os.getpid()}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside


def _unusable(path: Path, error: Exception) -> ConfigError:
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigError(
        f"The ledger {path} cannot be written ({reason}).",
        hint="set MJ_DATA_DIR to a directory you can write to, or use --no-ledger for this job",
    )

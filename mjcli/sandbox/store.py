"""Jobs, their callbacks and uploaded files in one SQLite file.

The progress of a job is not stored. It follows from the time when the job was accepted and its duration, so
that jobs continue while no process is running, and several processes can serve the same file.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

STEPS = (0, 15, 31, 46, 62, 78, 93)
"""Percentages at which a running job sends an event."""

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, job_id TEXT UNIQUE NOT NULL, trace_id TEXT NOT NULL, kind TEXT NOT NULL,
    image_id INTEGER UNIQUE NOT NULL, request TEXT NOT NULL, created_at REAL NOT NULL, pace REAL NOT NULL,
    lasts REAL NOT NULL, error TEXT NOT NULL, picture TEXT NOT NULL, actions TEXT NOT NULL,
    extra TEXT NOT NULL, callback_url TEXT NOT NULL, callback_stream INTEGER NOT NULL,
    callback_step INTEGER NOT NULL, callback_due REAL
);
CREATE INDEX IF NOT EXISTS jobs_created_at ON jobs (created_at);
CREATE INDEX IF NOT EXISTS jobs_trace_id ON jobs (trace_id);
CREATE INDEX IF NOT EXISTS jobs_callback_due ON jobs (callback_due) WHERE callback_due IS NOT NULL;
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, content_type TEXT NOT NULL, content BLOB NOT NULL);
"""


class TooManyJobsError(Exception):
    """The rate limit is reached; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Job:
    """An accepted request. Times are Unix seconds, lengths are seconds."""

    id: str
    """Id of the task."""
    job_id: str
    """Part of the names of its files."""
    trace_id: str
    kind: str
    image_id: int
    """Id of the finished image. The image at step `n` has the id `image_id - len(STEPS) + n`."""
    request: dict[str, Any]
    created_at: float
    pace: float
    """Duration of the whole job."""
    lasts: float
    """Time until it ends, which is less for a job that fails."""
    error: dict[str, str]
    """Empty for a job that succeeds."""
    image: dict[str, Any]
    """Empty for a job without an image."""
    actions: list[str]
    extra: dict[str, Any]
    """Further fields of the result."""
    callback_url: str = ""
    callback_stream: bool = False
    callback_step: int = 0
    """Index of the next event to deliver."""
    callback_due: float | None = None
    """When to deliver it; None if nothing is left to deliver."""

    @property
    def ends_at(self) -> float:
        """The time of its end."""
        return self.created_at + self.lasts

    @property
    def moments(self) -> list[float]:
        """The time of each of its events; the last one is its end."""
        steps = [self.pace * step / 100 for step in STEPS]
        return [self.created_at + after for after in steps if after <= self.lasts] + [self.ends_at]

    def has_ended(self, now: float) -> bool:
        """Whether it has ended at the time `now`."""
        return now >= self.ends_at

    def progress(self, now: float) -> int:
        """Percentage of a running job."""
        reached = [step for step in STEPS if self.created_at + self.pace * step / 100 <= now]
        return reached[-1] if reached else 0


class JobFilter(NamedTuple):
    """Which jobs are listed; an empty kind and None exclude nothing. Times are Unix seconds, inclusive."""

    kind: str = ""
    since: float | None = None
    until: float | None = None


_FIELDS = tuple(field.name for field in fields(Job))
_COLUMNS = tuple("picture" if name == "image" else name for name in _FIELDS)  # its name in existing files
_AS_JSON = frozenset({"request", "error", "image", "actions", "extra"})
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM jobs"  # noqa: S608 - names of our own fields


def _job(row: Sequence[Any]) -> Job:
    values = dict(zip(_FIELDS, row, strict=True))
    for name in _AS_JSON:
        values[name] = json.loads(values[name])
    values["callback_stream"] = bool(values["callback_stream"])
    return Job(**values)


class Store:
    """The SQLite file, safe for several threads and several processes.

    Raises `OSError` if the file cannot be created, cannot be opened, or is not a sandbox's.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Created before SQLite opens it, because SQLite gives its side files the mode of this file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._lock = threading.Lock()
        self._opened_at = time.time()  # jobs of earlier servers do not count towards the rate limit
        try:
            self._connection = sqlite3.connect(
                path, timeout=10, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise OSError(f'the sandbox database "{path}" cannot be opened: {error}') from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise OSError(f'the sandbox database "{path}" cannot be used: {error}') from error

    def _prepare(self) -> None:
        connection = self._connection
        for attempt in range(100):
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError:
                # The busy timeout does not apply when two processes change the mode at once.
                if attempt == 99:
                    raise
                time.sleep(0.02)
        connection.execute("PRAGMA synchronous=NORMAL")
        with self._transaction():
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA_VERSION):
                raise sqlite3.DatabaseError(f"it has schema version {version}, not {_SCHEMA_VERSION}")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def add(self, job: Job, rate_limit: int | None) -> None:
        """Record a job. Raises `TooManyJobsError` if `rate_limit` jobs were recorded in the last minute."""
        values = [getattr(job, name) for name in _FIELDS]
        packed = [
            json.dumps(value) if name in _AS_JSON else value
            for name, value in zip(_FIELDS, values, strict=True)
        ]
        with self._transaction() as connection:
            if rate_limit is not None:
                query = "SELECT created_at FROM jobs WHERE created_at > ? AND created_at <= ?"
                query += " ORDER BY created_at DESC"
                since = max(job.created_at - 60, self._opened_at)
                recent = connection.execute(query, (since, job.created_at)).fetchall()
                if len(recent) >= rate_limit:
                    oldest = recent[rate_limit - 1][0] if rate_limit > 0 else job.created_at
                    raise TooManyJobsError(max(math.ceil(oldest + 60 - job.created_at), 1))
            marks = ", ".join("?" * len(_COLUMNS))
            connection.execute(f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({marks})", packed)  # noqa: S608

    def job(self, column: Literal["id", "trace_id", "job_id"], value: str) -> Job | None:
        """The job with this id, or None."""
        rows = self._read(f"{_SELECT} WHERE {column} = ?", (_text(value),))
        return _job(rows[0]) if rows else None

    def job_of_image(self, image_id: str) -> Job | None:
        """The job whose finished image or video has this id, or None."""
        if not (image_id.isascii() and image_id.isdigit() and len(image_id) < 20 and int(image_id) < 2**63):
            return None
        rows = self._read(f"{_SELECT} WHERE image_id = ?", (int(image_id),))
        return _job(rows[0]) if rows else None

    def jobs(
        self,
        column: Literal["id", "trace_id"] | None,
        ids: list[str],
        offset: int,
        limit: int,
        which: JobFilter,
    ) -> tuple[list[Job], int]:
        """One page of jobs, newest first, and their total number; all jobs if `column` is None."""
        conditions: list[tuple[str, object]] = []
        if column is not None:
            # A single value, because SQLite limits the number of placeholders.
            in_list = json.dumps([_text(value) for value in ids])
            conditions.append((f"{column} IN (SELECT value FROM json_each(?))", in_list))  # noqa: S608
        if which.kind:
            conditions.append(("kind = ?", _text(which.kind)))
        if which.since is not None:
            conditions.append(("created_at >= ?", which.since))
        if which.until is not None:
            conditions.append(("created_at <= ?", which.until))
        where = "".join((" WHERE ", " AND ".join(each for each, _ in conditions))) if conditions else ""
        values = [value for _, value in conditions]
        order = " ORDER BY created_at DESC, image_id DESC LIMIT ? OFFSET ?"
        rows = self._read(_SELECT + where + order, [*values, limit, offset])
        ((count,),) = self._read(f"SELECT count(*) FROM jobs{where}", values)  # noqa: S608
        return [_job(row) for row in rows], count

    def all_jobs(self) -> list[Job]:
        """Every job, newest first."""
        return [_job(row) for row in self._read(f"{_SELECT} ORDER BY created_at DESC, image_id DESC")]

    def pending_callbacks(self) -> list[Job]:
        """Jobs with an event left to deliver, ordered by the time when it is due."""
        rows = self._read(f"{_SELECT} WHERE callback_due IS NOT NULL ORDER BY callback_due")
        return [_job(row) for row in rows]

    def reserve_callback(self, job: Job, following: int, due: float | None) -> bool:
        """Reserve the delivery of `job.callback_step`; False if another process has reserved it."""
        query = "UPDATE jobs SET callback_step = ?, callback_due = ? WHERE id = ? AND callback_step = ?"
        query += " AND callback_due IS NOT NULL"
        with self._transaction() as connection:
            return connection.execute(query, (following, due, job.id, job.callback_step)).rowcount == 1

    def add_upload(self, upload_id: str, content_type: str, content: bytes) -> None:
        """Record an uploaded file."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO uploads VALUES (?, ?, ?)", (upload_id, content_type, content))

    def upload(self, upload_id: str) -> tuple[str, bytes] | None:
        """Content type and bytes of an uploaded file, or None."""
        rows = self._read("SELECT content_type, content FROM uploads WHERE id = ?", (_text(upload_id),))
        return (rows[0][0], rows[0][1]) if rows else None


def _text(value: str) -> str:
    # JSON may contain lone surrogates, SQLite not; no real id has them.
    return value.encode("utf-8", "replace").decode()

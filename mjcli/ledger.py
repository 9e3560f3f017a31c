"""The local record of every job: a row before its request leaves, and after each change. Also of uploaded files.

SQLite in WAL mode, so that many `mj` share it: short transactions and a busy time-out. The token never
comes here.

A job's way: `record` (asked, nothing sent yet), `leaving` (the request leaves now), `running` (the service told
its task), then `done` or `failed`; `unknown` when its answer was lost and no task was found for it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mjcli.claims import Claims
from mjcli.errors import ApiError, ConfigError, ExitCode, MjError
from mjcli.secret import Secret

BUSY_SECONDS = 30.0  # for which a ledger that another program has locked is waited for
SQLITE_SECONDS = 0.1  # of it in one piece inside SQLite, where no signal is noticed
BUSY_PAUSE = 0.01  # seconds between tries

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
            pid INTEGER                          -- the process that sent it
        );
        CREATE INDEX jobs_task ON jobs (host, task_id) WHERE task_id IS NOT NULL;
        CREATE INDEX jobs_profile ON jobs (profile, number);
        CREATE INDEX jobs_image ON jobs (image_id) WHERE image_id IS NOT NULL;
        """,
    ),
    (
        "tell a job's times, what it is about, and what of it is still to be done",
        """
        -- subject: the words it is about; sent_at NULL: no byte of it has left; files_due: asked for, not saved yet
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
        "remember what was uploaded",
        """
        CREATE TABLE uploads (
            sha256 TEXT NOT NULL,                -- of the content, in hexadecimal
            endpoint TEXT NOT NULL,              -- address of the file endpoint
            url TEXT NOT NULL,                   -- the link it gave
            uploaded_at REAL NOT NULL,           -- Unix seconds
            PRIMARY KEY (sha256, endpoint)
        );
        """,
    ),
)

UNFINISHED = ("submitting", "running", "unknown")
STATES = (*UNFINISHED, "done", "failed")

# Error codes of ends that are none of the service's: stopped before it was sent, or wanted no more.
INTERRUPTED, GIVEN_UP, RESUBMITTED = "interrupted", "given_up", "resubmitted"

T = TypeVar("T")

_JSON = ("request", "result", "error", "files_asked", "files")


def action_of(kind: str, request: Mapping[str, Any]) -> str:
    """The word for what a job does: the service's own where that tells more than the kind of the job."""
    return str(request.get("action", kind)) if kind in _IMAGINE else kind


_IMAGINE = ("imagine", "action", "blend")  # kinds that go to the imagine endpoint


class Job(NamedTuple):
    """One row of the ledger, its JSON read; `image_id` is the video's id where a video was made."""

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
    subject: str
    sent_at: float | None
    accepted_at: float | None
    ended_at: float | None
    files_due: int

    @property
    def prompt(self) -> str:
        """The prompt that was sent, empty for an action without one."""
        return str(self.request.get("prompt") or "")

    @property
    def words(self) -> str:
        """What the job is about: its subject, else (a row of an older version) its prompt."""
        return self.subject or self.prompt

    @property
    def action(self) -> str:
        """The word for what is done."""
        return action_of(self.kind, self.request)

    @property
    def made_video(self) -> bool:
        """Whether what it makes is a video."""
        return self.kind in ("video", "extend-video")

    @property
    def unsent(self) -> bool:
        """Whether it is certain that no byte of the request has left."""
        return self.state == "submitting" and self.sent_at is None

    @property
    def unfinished(self) -> bool:
        """Whether `mj resume` has something to do for it."""
        return self.state in UNFINISHED or (self.state == "done" and self.files_due > 0)

    @property
    def reference(self) -> str:
        """What names the job in a command: its task, else the beginning of its uuid."""
        return self.task_id or self.uuid[:8]

    @property
    def wanted(self) -> bool:
        """Whether it did not fail by the user's own wish, which says nothing about the money."""
        return (self.error or {}).get("code") not in (GIVEN_UP, RESUBMITTED)

    def failure(self) -> MjError:
        """How a failed job failed, as an error with the status of a failed job."""
        error = self.error or {}
        code, message = str(error.get("code") or "api_error"), str(error.get("message") or "no reason")
        failure: MjError
        if not self.wanted:
            failure = MjError(f"The job {self.reference} is not looked for any more: {message}", code=code)
        elif self.sent_at is None:
            failure = MjError(f"The job was never sent, so nothing is paid: {message}", code=code)
        else:
            failure = ApiError(message, code=code, accepted=self.task_id is not None)
        failure.task_id, failure.exit_code = self.task_id, ExitCode.REFUSED
        return failure


_COLUMNS = ", ".join(Job._fields)
_TO_DO = f"(state IN {UNFINISHED} OR state = 'done' AND files_due > 0)"
# The columns that a job which is sent once more takes from the one before.
_ASKED = "profile, host, kind, path, request, files_asked, parent_image, subject"


class Ledger:
    """An open ledger. Methods raise `ConfigError` when it cannot be written."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._lock = threading.RLock()  # one transaction at a time on the one connection
        self.path = path
        self.secret = Secret()  # never comes into the file, even where a peer repeats it
        #: The jobs that this process has in hand, and whether others have theirs.
        self.claims = Claims(path.with_name("ledger.lock"))

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
            notice(
                f"The ledger was damaged; it was kept as {aside} and a new one begun. Jobs under way go on at the "
                "service and are billed if they succeed, but mj does not know them any more: "
                "mj describe-task TASK --wait --download fetches one whose task you know."
            )
            return cls._open(path)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from error

    @classmethod
    def open_to_read(cls, path: Path) -> Ledger:
        """Open a ledger that cannot be written, to be read only. Raises `ConfigError` when that cannot be either.

        Where a file of changes not merged yet is beside it, they would not be seen, so it is not read then.
        """
        log = path.with_name(f"{path.name}-wal")
        alone = "" if log.exists() and log.stat().st_size else "&immutable=1"
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro{alone}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                _check_version(connection, path, oldest=len(MIGRATIONS))
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error, verb="read") from error
        return cls(connection, path)

    @classmethod
    def _open(cls, path: Path) -> Ledger:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # With its final mode from the start: prompts are nobody else's business.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            path, timeout=SQLITE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            if _check_version(connection, path) < len(MIGRATIONS):
                _migrate(connection)
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return cls(connection, path)

    def close(self) -> None:
        """Close the file; the jobs in hand are let go of."""
        self._connection.close()
        self.claims.close()

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
        subject: str,
    ) -> str:
        """Write down a job that is asked for and have it in hand; gives its uuid.

        It survives this process, but is on the disk only when `leaving` returns: one flush is enough.
        """
        asked = None if files_asked is None else json.dumps(dict(files_asked))
        values = (profile, host, kind, path, json.dumps(dict(request)), asked, parent_image, subject)
        with self._transaction(durable=False):
            return self._insert(", ".join("?" * len(values)), values)

    def leaving(self, identity: str) -> bool:
        """The request leaves now, which is on the disk when this returns; False when it has left before.

        Whoever gets True is the one to send it, however many processes ask.
        """
        return self._update(
            identity, "state = 'submitting' AND sent_at IS NULL", sent_at=time.time(), pid=os.getpid()
        )

    def came_back(self, identity: str) -> None:
        """What left was certainly not accepted; it may leave once more."""
        self._update(identity, "state = 'submitting'", sent_at=None)

    def asked_again(self, identity: str) -> bool:
        """A job that failed before it was sent is to be sent after all; False when it is not such a one."""
        return self._update(
            identity, "state = 'failed' AND sent_at IS NULL", state="submitting", error=None, ended_at=None
        )

    def running(self, identity: str, task_id: str) -> None:
        """The service gave the job this task."""
        self._update(identity, state="running", task_id=task_id, accepted_at=time.time())

    def adopt(self, identity: str, host: str, task_id: str) -> bool:
        """Give the job a task that was found rather than answered; False when another job has it."""
        self._update(
            identity,
            "task_id IS NULL AND NOT EXISTS (SELECT 1 FROM jobs WHERE host = ? AND task_id = ?)",
            (host, task_id),
            state="running",
            task_id=task_id,
            accepted_at=time.time(),
            error=None,
        )
        job = self.get(identity)
        return job is not None and job.task_id == task_id

    def done(
        self, identity: str, result: Mapping[str, Any], *, image_id: str | None, files_due: int = 0
    ) -> None:
        """The job succeeded with this final object; `files_due` files are to be saved, if any were asked for."""
        now = time.time()
        self._execute(
            "UPDATE jobs SET state = 'done', result = ?, image_id = ?, error = NULL, changed_at = ?,"
            " ended_at = coalesce(ended_at, ?),"
            " files_due = CASE WHEN files_asked IS NULL OR state = 'done' THEN files_due ELSE ? END"
            " WHERE uuid = ?",
            (json.dumps(dict(result)), image_id, now, now, files_due, identity),
        )

    def failed(self, identity: str, *, code: str, message: str) -> None:
        """The job failed; one that has ended already stays as it is."""
        error = json.dumps({"code": code, "message": message})
        self._update(
            identity, "state NOT IN ('done', 'failed')", state="failed", error=error, ended_at=time.time()
        )

    def unknown(self, identity: str, task_id: str | None, *, code: str, message: str) -> None:
        """Nobody can tell what became of the job, unless it has another task by now than this one (or none)."""
        error = json.dumps({"code": code, "message": message})
        self._update(
            identity,
            "state NOT IN ('done', 'failed') AND task_id IS ?",
            (task_id,),
            state="unknown",
            error=error,
        )

    def saved(self, identity: str, files: Sequence[str], *, files_due: int = 0) -> None:
        """These files of the job are on the disk, and so many more are to come."""
        self._update(identity, files=json.dumps(list(files)), files_due=files_due)

    def given_up(self, identity: str) -> bool:
        """The user wants no more of the job; False when there is nothing of it left to do."""
        error = json.dumps({"code": GIVEN_UP, "message": "Given up by the user."})
        if self._update(
            identity, f"state IN {UNFINISHED}", state="failed", error=error, ended_at=time.time()
        ):
            return True
        return self._update(identity, "state = 'done' AND files_due > 0", files_due=0)

    def resubmitted(self, identity: str) -> Job | None:
        """A new job in the place of one whose outcome is unknown, in hand; None when another `mj` was quicker."""
        with self._transaction():
            if not self._update(identity, "state = 'unknown'", state="failed", ended_at=time.time()):
                return None
            fresh = self._insert(f"{_ASKED} FROM jobs WHERE uuid = ?", (identity,))
            message = f"Given up by the user, who had it sent once more as {fresh[:8]}."
            self._update(identity, error=json.dumps({"code": RESUBMITTED, "message": message, "by": fresh}))
        return self.get(fresh)

    def replacement(self, identity: str) -> Job | None:
        """The job that was sent in the place of this one; None when none was."""
        job = self.get(identity)
        by = (job.error or {}).get("by") if job is not None else None
        return self.get(by) if by is not None else None

    # -- uploaded files ----------------------------------------------------------------------------

    def uploaded(self, sha256: str, endpoint: str) -> str | None:
        """The link that a file endpoint once gave for this content; None when it has none."""
        rows = self._query("SELECT url FROM uploads WHERE sha256 = ? AND endpoint = ?", (sha256, endpoint))
        return rows[0][0] if rows else None

    def remember_upload(self, sha256: str, endpoint: str, url: str) -> None:
        """The file endpoint gave this link for this content; a newer one takes the place of an older."""
        self._execute(
            "INSERT OR REPLACE INTO uploads (sha256, endpoint, url, uploaded_at) VALUES (?, ?, ?, ?)",
            (sha256, endpoint, url, time.time()),
        )

    def forget_upload(self, sha256: str, endpoint: str) -> None:
        """The link is good no more."""
        self._execute("DELETE FROM uploads WHERE sha256 = ? AND endpoint = ?", (sha256, endpoint))

    # -- reading -----------------------------------------------------------------------------------

    def get(self, identity: str) -> Job | None:
        """The job of this uuid."""
        return self._one("WHERE uuid = ?", (identity,))

    def newest_first(self, profile: str) -> Iterator[Job]:
        """Every job of a profile; the first one is `@1`."""
        cursor = self._execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE profile = ? ORDER BY number DESC",  # noqa: S608
            (profile,),
        )
        return self._read(cursor)

    def unfinished(self, profile: str) -> list[Job]:
        """The jobs of a profile that `mj resume` has something to do for, oldest first."""
        return self._all(f"WHERE profile = ? AND {_TO_DO} ORDER BY number", (profile,))

    def unfinished_elsewhere(self, profile: str) -> dict[str, int]:
        """How many unfinished jobs each other profile has."""
        rows = self._query(
            f"SELECT profile, COUNT(*) FROM jobs WHERE profile <> ? AND {_TO_DO} GROUP BY profile",  # noqa: S608
            (profile,),
        )
        return dict(rows)

    def named(self, profile: str, name: str, *, at_most: int) -> list[Job]:
        """The jobs of a profile whose task, image or uuid begins so, newest first; one that is it wholly, alone."""
        whole = self._all(
            "WHERE profile = ? AND ? IN (task_id, image_id, uuid) ORDER BY number DESC LIMIT 1",
            (profile, name),
        )
        if whole:
            return whole
        begins = " OR ".join(f"substr({column}, 1, ?2) = ?3" for column in ("task_id", "image_id", "uuid"))
        return self._all(
            f"WHERE profile = ?1 AND ({begins}) ORDER BY number DESC LIMIT ?4",
            (profile, len(name), name, at_most),
        )

    def being_sent(self, host: str, *, but: str = "") -> list[tuple[str, dict[str, Any]]]:
        """The endpoints and bodies of all other jobs that a living process has in hand and whose task is not known."""
        rows = self._query(
            "SELECT number, path, request FROM jobs WHERE host = ? AND state = 'submitting' AND uuid <> ?",
            (host, but),
        )
        return [(path, json.loads(request)) for number, path, request in rows if self.claims.taken(number)]

    def nth_newest(self, profile: str, n: int) -> Job | None:
        """The nth newest job (1: the newest) of a profile."""
        return self._one("WHERE profile = ? ORDER BY number DESC LIMIT 1 OFFSET ?", (profile, n - 1))

    def newest_with_image(self, profile: str) -> int | None:
        """Which newest job (1: the newest) of a profile is the first that has an image; None when none has."""
        newer = (
            "SELECT COUNT(*) FROM jobs WHERE profile = ? AND number >="
            " (SELECT MAX(number) FROM jobs WHERE profile = ? AND image_id IS NOT NULL"
            "  AND kind NOT IN ('video', 'extend-video'))"
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

    def _insert(self, source: str, values: tuple[object, ...]) -> str:
        """A new row of what was asked; in hand before anybody else can see it."""
        identity, now = str(uuid.uuid4()), time.time()
        select = "SELECT ?, 'submitting', ?, ?, ?, "
        cursor = self._execute(
            f"INSERT INTO jobs (uuid, state, created_at, changed_at, pid, {_ASKED}) {select}{source}",
            (identity, now, now, os.getpid(), *values),
        )
        self.claims.take(cursor.lastrowid or 0)
        return identity

    def _update(
        self, identity: str, where: str = "1", values: tuple[object, ...] = (), **columns: object
    ) -> bool:
        """Change one row where the condition holds; whether it did."""
        columns["changed_at"] = time.time()
        assignments = ", ".join(f"{name} = ?" for name in columns)
        cursor = self._execute(
            f"UPDATE jobs SET {assignments} WHERE uuid = ? AND {where}",  # noqa: S608
            (*columns.values(), identity, *values),
        )
        return cursor.rowcount == 1

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Several statements as one; without `durable` it is not flushed to the disk by itself."""
        with self._lock:
            if not durable:
                self._execute("PRAGMA synchronous = NORMAL")
            try:
                self._execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _unusable(self.path, error) from error
            finally:
                if not durable:
                    self._execute("PRAGMA synchronous = FULL")

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        kept = [self.secret.hide(value) if isinstance(value, str) else value for value in values]
        try:
            with self._lock:
                return _patiently(lambda: self._connection.execute(statement, kept))
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def _query(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return self._execute(statement, values).fetchall()

    def _read(self, cursor: sqlite3.Cursor) -> Iterator[Job]:
        """The jobs of a cursor, as they are wanted."""
        try:
            yield from map(_job, cursor)
        except (sqlite3.Error, ValueError) as error:
            raise _unusable(self.path, error) from error

    def _all(self, where: str, values: tuple[object, ...]) -> list[Job]:
        return list(self._read(self._execute(f"SELECT {_COLUMNS} FROM jobs {where}", values)))  # noqa: S608

    def _one(self, where: str, values: tuple[object, ...]) -> Job | None:
        found = self._all(where, values)
        return found[0] if found else None


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip(Job._fields, row, strict=True))
    for name in _JSON:
        if values[name] is not None:
            values[name] = json.loads(values[name])
    return Job(**values)


def _check_version(connection: sqlite3.Connection, path: Path, *, oldest: int = 0) -> int:
    """The version of the schema. Raises `ConfigError` when it is not one that can be used."""
    ((version,),) = _patiently(lambda: connection.execute("PRAGMA user_version").fetchall())
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"The ledger {path} was written by a newer mj; this one leaves it alone.",
            hint="update mj, or set MJ_DATA_DIR to another directory",
        )
    if version < oldest:
        raise ConfigError(
            f"The ledger {path} was written by an older mj and cannot be brought up to date, since it cannot be"
            " written.",
            hint="make it writable, and type the command again",
        )
    return int(version)


def _migrate(connection: sqlite3.Connection) -> None:
    # Many `mj` may do so at once; for this switch SQLite does not wait by itself.
    _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
    # One process migrates; the others wait here and then find it done.
    _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for _name, script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself has rolled back what found no room on the disk
            connection.execute("ROLLBACK")
        raise


def _patiently(do: Callable[[], T]) -> T:
    """What `do` gets, once no other program has the file locked. Raises as it does, then and after a long wait.

    The waiting is done here, in small pieces, since a signal is noticed between them only.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return do()
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(BUSY_PAUSE)


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


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


def _unusable(path: Path, error: Exception, *, verb: str = "written") -> ConfigError:
    if isinstance(error, sqlite3.DatabaseError) and _is_corrupt(error) and path.exists():
        return ConfigError(
            f"The ledger was damaged; it was kept as {_set_aside(path)}, and the next command begins a new one.",
            hint="type the command again\nmj describe-task TASK --wait --download  # for a job of before",
        )
    if _is_busy(error):
        return ConfigError(
            f"The ledger {path} cannot be {verb}: another program has kept it locked for {BUSY_SECONDS:.0f} seconds.",
            hint="end that program, or wait for it, and type the command again",
        )
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigError(
        f"The ledger {path} cannot be {verb} ({reason}).",
        hint="make room there, or set MJ_DATA_DIR to another directory"
        if "full" in reason
        else "set MJ_DATA_DIR to a directory you can write to",
    )

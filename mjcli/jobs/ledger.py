"""The local record of every job, written before its request is sent and after each change; also of uploads.

SQLite in WAL mode, shared by any number of `mj` processes: transactions are short, and a locked file is
waited for.

The states of a job: `record` (submitting, not sent), `mark_sent` (submitting, about to be sent),
`mark_running` (the task id is known), then `mark_done` or `mark_failed`; `mark_unknown` when the response
was lost and no task was found.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from mjcli.errors import ConfigError
from mjcli.jobs.budget import NO_LIMITS, Limits, repeats
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.costs import Costs
from mjcli.jobs.damage import identity_of, is_corrupt, replaced, set_aside, unusable
from mjcli.jobs.database import (
    MIGRATIONS,
    SQLITE_SECONDS,
    check_is_file,
    check_version,
    choose_journal,
    connect_to_read,
    migrate,
    retry_while_busy,
)
from mjcli.jobs.filesystem import network_file_system
from mjcli.jobs.imported import ImportedRows
from mjcli.jobs.job import GIVEN_UP, ID_PREFIX, RESUBMITTED, Job, digests_of, received_digests_of
from mjcli.jobs.locks import JobLocks
from mjcli.jobs.names import UNFINISHED
from mjcli.jobs.queries import Queries
from mjcli.jobs.rows import COLUMNS, DamagedRow, decode, job_of, name_of, read_around_damage, stored_hashes
from mjcli.jobs.tags import Tags
from mjcli.jobs.transactions import Transactions
from mjcli.jobs.uploads import Uploads

CLOSE_SECONDS = 1.0  # how long to wait for other threads before the file is left open

# The columns that define a request; a resubmitted job copies them.
_REQUEST_COLUMNS = (
    "profile, host, kind, path, request, files_asked, parent_image, subject, key_fingerprint, source_sha256,"
    " batch, estimate"
)


class KeyTaken(Exception):
    """Another job of the profile has the key of a new one, or is the same item of the batch."""


class EqualInFlight(Exception):
    """An equal request of the account waits for its task id."""


class Ledger(Queries):
    """An open ledger. Methods raise `ConfigError` if the file cannot be used.

    `hide` masks the tokens in every text that is written, because a peer may repeat them. A damaged row is
    skipped wherever jobs are read; `warn` is called once for each.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        warn: Callable[[str], None],
        hide: Callable[[str], str] = str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._connection = connection
        self._connection.text_factory = decode
        self._warn = warn
        self._damaged: set[str] = set()  # what the rows are called that were warned about
        self._identity = identity_of(path)
        self._task_ids: dict[str, str] = {}  # by uuid, of the jobs that this process runs
        self._fault: ConfigError | None = None  # why the file was closed early
        self._transactions = Transactions(connection, clock)
        self._clock = clock
        self.path = path
        self.hide = hide
        #: The links of files that were uploaded earlier.
        self.uploads = Uploads(self._query, self._execute, clock)
        #: The tags and stars of jobs.
        self.tags = Tags(self._query, self._execute, self._transaction)
        #: The tasks that were imported from the service.
        self.imported = ImportedRows(self._query, self._execute, self._transaction, clock, self.tags)
        #: What the jobs cost, and the limits on it.
        self.costs = Costs(self._query, self._execute, self._transaction, clock)
        #: The locks on jobs, of this process and of others.
        self.locks = JobLocks(path.with_name("ledger.lock"))

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        notice: Callable[[str], None],
        hide: Callable[[str], str] = str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Ledger:
        """Open or create the ledger at `path`; a damaged one is renamed, never deleted, and `notice` is called.

        Raises `ConfigError` if it cannot be opened or was created by a newer version.
        """
        try:
            for _ in range(3):
                identity = identity_of(path)
                try:
                    return cls._open(path, notice, hide, clock)
                except sqlite3.DatabaseError as error:
                    if not is_corrupt(error):
                        raise
                except FileNotFoundError:  # another process has just set it aside
                    continue
                aside = set_aside(path, identity, clock=clock)
                if aside is not None:
                    notice(
                        f'The ledger was damaged and was moved to "{aside}"; a new one was created. Jobs that'
                        " are running are billed if they succeed, but the new ledger does not list them."
                    )
            return cls._open(path, notice, hide, clock)
        except (sqlite3.Error, OSError) as error:
            raise unusable(path, error) from error

    @classmethod
    def open_to_read(
        cls, path: Path, *, notice: Callable[[str], None], clock: Clock = SYSTEM_CLOCK
    ) -> Ledger:
        """Open a ledger that is not writable, for reading only. Raises `ConfigError` if that fails."""
        try:
            connection = connect_to_read(path, clock=clock)
        except (sqlite3.Error, OSError) as error:
            raise unusable(path, error, verb="read") from error
        return cls(connection, path, warn=notice, clock=clock)

    @classmethod
    def _open(
        cls, path: Path, notice: Callable[[str], None], hide: Callable[[str], str], clock: Clock
    ) -> Ledger:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # Private from the start, because prompts are.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        check_is_file(path)
        connection = sqlite3.connect(
            path, timeout=SQLITE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            if check_version(connection, path, clock=clock) < len(MIGRATIONS):
                migrate(connection, path, clock=clock, notice=notice)
            elif network_file_system(path) is not None:  # it may have been moved there
                choose_journal(connection, path, clock=clock, notice=notice)
            retry_while_busy(lambda: connection.execute("PRAGMA synchronous = FULL"), clock=clock)
        except BaseException:
            connection.close()
            raise
        return cls(connection, path, warn=notice, hide=hide, clock=clock)

    def close(self) -> None:
        """Close the file and release the locks on jobs."""
        # SQLite crashes if a connection is closed while another thread uses it.
        if self._transactions.mutex.acquire(timeout=CLOSE_SECONDS):
            try:
                self._connection.close()
            finally:
                self._transactions.mutex.release()
        self.locks.close()

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
        key: str | None = None,
        key_fingerprint: str | None = None,
        source_sha256: str | None = None,
        batch: str | None = None,
        item: str | None = None,
        estimate: float | None = None,
        limits: Limits = NO_LIMITS,
        replaces: Iterable[str] = (),
    ) -> str:
        """Insert and lock a new job; return its uuid. The jobs that it `replaces` leave their places in the batch.

        Raises `KeyTaken` if a job of the profile has the key, or a job of the batch is that item, and
        `LimitReached` if it would exceed a limit: other processes cannot insert another job meanwhile.

        The row survives the end of this process at once, but a power failure only when `mark_sent` returns:
        one flush is enough.
        """
        files = None if files_asked is None else json.dumps(dict(files_asked))
        body = json.dumps(dict(request))
        about = (parent_image, subject, key_fingerprint, source_sha256, batch, estimate)
        values = (profile, host, kind, path, body, files, *about)
        with self._transaction(durable=False):
            for uuid in replaces:
                self._release_item(uuid)
            if key is not None and self._query(
                "SELECT 1 FROM jobs WHERE profile = ? AND key = ?", (profile, key)
            ):
                raise KeyTaken
            if item is not None and self._query(
                "SELECT 1 FROM jobs WHERE batch = ? AND item = ? AND (host = 'sandbox') = ?",
                (batch, item, host == "sandbox"),
            ):
                raise KeyTaken
            sandbox, named = host == "sandbox", batch if item is not None else None
            self.costs.check(limits, estimate, sandbox=sandbox, jobs=repeats(request), batch=named)
            return self._insert(", ".join("?" * len(values)), values, key, item)

    def mark_sent(self, uuid: str, *, alone: bool = False, limits: Limits = NO_LIMITS) -> bool:
        """Mark a request as about to be sent, on disk when this returns; return False if it was already.

        Only one process gets True, and that one sends the request. With `alone`, `EqualInFlight` is raised if an
        equal request waits for its task id. Raises `LimitReached` for a row of an earlier day, or without limits,
        that would exceed one now.
        """
        with self._transaction():
            if alone and self.equal_in_flight(uuid):
                raise EqualInFlight
            sent = self._update(
                uuid,
                "state = 'submitting' AND sent_at IS NULL",
                sent_at=self._clock.time(),
                boot_id=self._clock.boot_id(),
                sent_uptime=self._clock.uptime(),
                clock_offset=None,
                pid=os.getpid(),
            )
            if sent:
                self.costs.reserve(uuid, limits)
            return sent

    def equal_in_flight(self, uuid: str) -> bool:
        """Return whether a running process has sent an equal request whose task is not known yet."""
        numbers = self._query(
            "SELECT other.number FROM jobs, jobs AS other WHERE jobs.uuid = ? AND other.host = jobs.host"
            " AND other.path = jobs.path AND other.state = 'submitting' AND other.sent_at IS NOT NULL"
            " AND other.request = jobs.request AND other.number <> jobs.number",
            (uuid,),
        )
        return any(self.locks.is_locked(number) for (number,) in numbers)

    def unlock(self, uuid: str) -> None:
        """Release this process's lock on a job."""
        for (number,) in self._query("SELECT number FROM jobs WHERE uuid = ?", (uuid,)):
            self.locks.release(number)

    def set_clock_offset(self, uuid: str, offset: float) -> None:
        """Store by how many seconds the service's clock was ahead of ours when the request was sent."""
        self._update(uuid, "sent_at IS NOT NULL AND clock_offset IS NULL", clock_offset=offset)

    def mark_unsent(self, uuid: str) -> None:
        """Allow a request to be sent again that was certainly not accepted."""
        self._update(uuid, "state = 'submitting'", sent_at=None)

    def withdraw(self, uuid: str) -> None:
        """Delete a job that was not sent, as if it had not been recorded."""
        self._execute(
            "DELETE FROM jobs WHERE uuid = ? AND state = 'submitting' AND sent_at IS NULL AND task_id IS NULL",
            (uuid,),
        )

    def requeue(self, uuid: str, limits: Limits = NO_LIMITS) -> bool:
        """Make a job sendable again that failed before it was sent; return False for any other job.

        Raises `LimitReached`, as `resubmit` and `reuse` do.
        """
        with self._transaction():
            queued = self._update(
                uuid, "state = 'failed' AND sent_at IS NULL", state="submitting", error=None, ended_at=None
            )
            if queued:
                self.costs.reserve(uuid, limits)
        return queued

    def mark_running(self, uuid: str, task_id: str) -> None:
        """Store the task id that the service returned for a job."""
        with self._transaction():
            self._update(uuid, state="running", task_id=task_id, accepted_at=self._clock.time())
            self.imported.merge(uuid)

    def adopt(self, uuid: str, host: str, task_id: str) -> bool:
        """Assign a task that was found by a search to a job; return False if another job has it.

        The row of an imported task is merged into that of the job.
        """
        owned = "SELECT 1 FROM jobs WHERE host = ? AND task_id = ? AND listed_after IS NULL"
        with self._transaction():
            now: dict[str, object] = {"accepted_at": self._clock.time(), "error": None}
            free = f"task_id IS NULL AND NOT EXISTS ({owned})"
            if self._update(uuid, free, (host, task_id), state="running", task_id=task_id, **now):
                self.imported.merge(uuid)
        job = self.get(uuid)
        return job is not None and job.task_id == task_id

    def note_intermediates(self, uuid: str, image_ids: Iterable[str]) -> None:
        """Store the ids of images that a job shows while it runs, and that the service deletes at its end."""
        with self._transaction(durable=False):
            for each in image_ids:
                self._execute(
                    "INSERT OR IGNORE INTO intermediates (image_id, job)"
                    " SELECT ?, number FROM jobs WHERE uuid = ?",
                    (each, uuid),
                )

    def mark_done(
        self,
        uuid: str,
        result: Mapping[str, Any],
        *,
        image_id: str | None,
        files_due: int = 0,
        trace_id: str | None = None,
    ) -> None:
        """Store the final object of a job; `files_due` files are to be saved, if files were requested.

        `trace_id` is that of the task, for a result without one.
        """
        self._check_identity(uuid)
        now = self._clock.time()
        self._execute(
            "UPDATE jobs SET state = 'done', result = ?, image_id = ?, error = NULL, changed_at = ?,"
            " trace_id = coalesce(?, trace_id),"
            " ended_at = coalesce(ended_at, ?),"
            " files_due = CASE WHEN files_asked IS NULL OR state = 'done' THEN files_due ELSE ? END"
            " WHERE uuid = ?",
            (json.dumps(dict(result)), image_id, now, _trace(result) or trace_id, now, files_due, uuid),
        )

    def mark_failed(
        self, uuid: str, *, code: str, message: str, task_id: str | None = None, accepted: bool = False
    ) -> None:
        """Store the failure of a job; a job that is done or failed is unchanged.

        `accepted`, or the `task_id` that came with the failure, means that it must not be sent again.
        """
        self._check_identity(uuid, task_id)
        error, now = json.dumps({"code": code, "message": message}), self._clock.time()
        with self._transaction():
            self._execute(
                "UPDATE jobs SET state = 'failed', error = ?, changed_at = ?, ended_at = ?,"
                " task_id = coalesce(task_id, ?), accepted_at = coalesce(accepted_at, ?)"
                " WHERE uuid = ? AND state NOT IN ('done', 'failed')",
                (error, now, now, task_id, now if accepted or task_id is not None else None, uuid),
            )
            if task_id is not None:
                self.imported.merge(uuid)

    def mark_unknown(self, uuid: str, task_id: str | None, *, code: str, message: str) -> None:
        """Mark a job's state as unknown, unless its task is no longer `task_id`: another process found one."""
        error = json.dumps({"code": code, "message": message})
        self._update(
            uuid,
            "state NOT IN ('done', 'failed') AND task_id IS ?",
            (task_id,),
            state="unknown",
            error=error,
        )

    def set_files(
        self,
        uuid: str,
        files: Sequence[str],
        *,
        files_due: int = 0,
        sha256: Sequence[str | None] | None = None,
        received: Mapping[str, str] | None = None,
    ) -> None:
        """Store the paths of a job's saved files, how many are still missing, and the files' hashes.

        `sha256` is parallel to `files`, with None for an unknown hash; without it, the hashes that are known
        for these paths stay. `received` has, by path, the hashes of bytes that were changed before they were saved;
        those that are known stay for files that are the same.
        """
        job = self.get(uuid)
        known = digests_of(job) if job is not None else {}
        before = received_digests_of(job) if job is not None else {}
        if sha256 is None:
            sha256 = [known.get(each) for each in files]
        for path, digest in zip(files, sha256, strict=True):
            self._take_file(uuid, path, digest)
        as_received = [
            (received or {}).get(path) or (before.get(path) if known.get(path) == digest else None)
            for path, digest in zip(files, sha256, strict=True)
        ]
        self._update(
            uuid,
            files=json.dumps(list(files)),
            files_due=files_due,
            files_sha256=stored_hashes(sha256),
            files_received_sha256=stored_hashes(as_received),
        )

    def set_steps(self, uuid: str, steps: Sequence[str]) -> None:
        """Store the paths of the intermediate pictures of a job that is done; they are none of its files."""
        job = self.get(uuid)
        if job is not None:
            stored = {**(job.files_asked or {}), "steps": list(steps)}
            self._update(uuid, "state = 'done'", files_asked=json.dumps(stored))

    def _take_file(self, uuid: str, path: str, digest: str | None) -> None:
        """Remove a file from other jobs that list its path, unless it still holds what they saved."""
        # As JSON, because a path may have characters that cannot be bound.
        having = "SELECT job FROM saved_files WHERE path = json_extract(?, '$')"
        for other in self._all(f"WHERE number IN ({having}) AND uuid <> ?", (json.dumps(path), uuid)):
            kept = {
                each: known
                for each, known in digests_of(other).items()
                if each != path or (known is not None and known == digest)
            }
            received = received_digests_of(other)
            self._update(
                other.uuid,
                files=json.dumps(list(kept)),
                files_sha256=stored_hashes(kept.values()),
                files_received_sha256=stored_hashes(received[each] for each in kept),
            )

    def give_up(self, uuid: str) -> bool:
        """Stop following a job at the user's request; return False if it is finished."""
        error = json.dumps({"code": GIVEN_UP, "message": "Given up by the user."})
        if self._update(
            uuid, f"state IN {UNFINISHED}", state="failed", error=error, ended_at=self._clock.time()
        ):
            return True
        return self._update(uuid, "state = 'done' AND files_due > 0", files_due=0)

    def delete(self, job: Job) -> bool:
        """Delete a job; its files stay. Return False if it has changed since it was read."""
        self._check_identity(job.uuid)
        statement = "DELETE FROM jobs WHERE uuid = ? AND changed_at = ?"
        return self._execute(statement, (job.uuid, job.changed_at)).rowcount == 1

    def resubmit(self, uuid: str, *, state: str = "unknown", limits: Limits = NO_LIMITS) -> Job | None:
        """Replace an unknown job by a new one, which is locked; return None if another process did it first.

        With the state "failed" a failed job is replaced. The new job gets the key and the item of the old one.
        """
        with self._transaction():
            if not self._update(uuid, f"state = '{state}'", state="failed", ended_at=self._clock.time()):
                return None
            ((number, key, item),) = self._query("SELECT number, key, item FROM jobs WHERE uuid = ?", (uuid,))
            self._update(uuid, key=None, item=None)
            fresh = self._insert(f"{_REQUEST_COLUMNS} FROM jobs WHERE uuid = ?", (uuid,), key, item)
            self.tags.copy(number, fresh)
            if state == "unknown":
                message = f"Given up by the user and resubmitted as {fresh[:ID_PREFIX]}."
                self._update(uuid, error=json.dumps({"code": RESUBMITTED, "message": message, "by": fresh}))
            try:  # the old job may be billed, too
                self.costs.reserve(fresh, limits)
            except BaseException:
                self.unlock(fresh)  # its number will be another job's
                raise
        return self.get(fresh)

    def replacement(self, uuid: str) -> Job | None:
        """Return the job that was sent in place of a resubmitted one, or None."""
        job = self.get(uuid)
        by = (job.error or {}).get("by") if job is not None else None
        return self.get(by) if by not in (None, uuid) else None

    def release_items(self, uuids: Iterable[str]) -> None:
        """Let other jobs take the places of finished ones in their batches."""
        with self._transaction():
            for uuid in uuids:
                self._release_item(uuid)

    def _release_item(self, uuid: str) -> None:
        self._update(uuid, "item IS NOT NULL AND state IN ('done', 'failed', 'unknown')", item=None)

    # -- keys --------------------------------------------------------------------------------------

    def by_key(self, profile: str, key: str) -> Job | None:
        """Return the job of a profile that has this key."""
        return self._one("WHERE profile = ? AND key = ?", (profile, key))

    def reuse(
        self,
        job: Job,
        request: Mapping[str, Any],
        files_asked: Mapping[str, Any] | None,
        limits: Limits = NO_LIMITS,
    ) -> bool:
        """Make a job sendable with this request that was never accepted and that this process has locked.

        Return False if it has changed meanwhile.
        """
        files = None if files_asked is None else json.dumps(dict(files_asked))
        with self._transaction():
            reused = self._update(
                job.uuid,
                "state = ? AND task_id IS NULL AND accepted_at IS NULL AND changed_at = ?",
                (job.state, job.changed_at),
                state="submitting",
                sent_at=None,
                error=None,
                ended_at=None,
                request=json.dumps(dict(request)),
                files_asked=files,
            )
            if reused:
                self.costs.reserve(job.uuid, limits)
        return reused

    def request_files(self, uuid: str, files_asked: Mapping[str, Any]) -> None:
        """Store how the files of a job that has not finished are to be saved."""
        self._update(uuid, "state <> 'done'", files_asked=json.dumps(dict(files_asked)))

    def in_flight(self, host: str, *, exclude: str = "") -> list[tuple[str, dict[str, Any]]]:
        """Return paths and bodies of requests that running processes have sent and whose tasks are not known yet.

        `exclude` is the uuid of a job to leave out.
        """
        jobs = self._all(
            "WHERE host = ? AND state = 'submitting' AND sent_at IS NOT NULL AND uuid <> ?", (host, exclude)
        )
        return [(job.path, job.request) for job in jobs if self.locks.is_locked(job.number)]

    # -- SQL ---------------------------------------------------------------------------------------

    def _insert(
        self, source: str, values: tuple[object, ...], key: str | None = None, item: str | None = None
    ) -> str:
        """Insert a row with the request columns from `source`; it is locked before other processes see it."""
        uuid, now = str(uuid4()), self._clock.time()
        cursor = self._execute(
            f"INSERT INTO jobs (uuid, state, created_at, changed_at, pid, key, item, {_REQUEST_COLUMNS})"
            f" SELECT ?, 'submitting', ?, ?, ?, ?, ?, {source}",
            (uuid, now, now, os.getpid(), key, item, *values),
        )
        self.locks.acquire(cursor.lastrowid or 0)
        return uuid

    def _update(
        self, uuid: str, where: str = "1", values: tuple[object, ...] = (), **columns: object
    ) -> bool:
        """Change one row if the condition holds; return whether it did."""
        self._check_identity(uuid, columns.get("task_id"))
        columns["changed_at"] = self._clock.time()
        assignments = ", ".join(f"{name} = ?" for name in columns)
        cursor = self._execute(
            f"UPDATE jobs SET {assignments} WHERE uuid = ? AND {where}",  # noqa: S608
            (*columns.values(), uuid, *values),
        )
        return cursor.rowcount == 1

    def _check_identity(self, uuid: str, task_id: object = None) -> None:
        """Raise `ConfigError` if the file at the path is no longer the open one: others do not see this job."""
        if task_id is not None:
            self._task_ids[uuid] = str(task_id)
        if identity_of(self.path) != self._identity:
            raise replaced(self.path, self._task_ids.get(uuid))

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Run several statements as one change: see `Transactions.change`."""
        try:
            with self._transactions.change(durable=durable):
                yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        masked = [self.hide(value) if isinstance(value, str) else value for value in values]
        with self._transaction():
            return self._connection.execute(statement, masked)

    def _unusable(self, error: Exception) -> ConfigError:
        if self._fault is None and os.name == "nt" and is_corrupt(error):
            self._connection.close()  # Windows does not rename an open file
            self._fault = unusable(self.path, error, identity=self._identity)
        return self._fault or unusable(self.path, error, identity=self._identity)

    def _query(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._fetch(statement, values)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _fetch(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """Return all rows at once, so that no other process waits for this one. Raises `sqlite3.Error`."""
        masked = [self.hide(value) if isinstance(value, str) else value for value in values]
        with self._transactions.mutex:
            return retry_while_busy(
                lambda: self._connection.execute(statement, masked).fetchall(), clock=self._clock
            )

    def _rows(self, where: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """Return the rows with the columns `COLUMNS`; those on damaged pages are skipped."""
        try:
            return self._fetch(f"SELECT {COLUMNS} FROM jobs {where}", values)  # noqa: S608
        except sqlite3.Error as error:
            if not is_corrupt(error):
                raise self._unusable(error) from error
            try:
                return read_around_damage(self._connection, where, values, warn=self._warn_of)
            except sqlite3.Error:
                raise self._unusable(error) from error

    def _jobs(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Job]:
        """Yield the jobs of rows, with a warning instead of a damaged one."""
        for row in rows:
            try:
                yield self.with_words(job_of(row))
            except DamagedRow as error:
                self._warn_of(name_of(row), str(error))

    def _warn_of(self, name: str, fault: str) -> None:
        if name not in self._damaged:
            self._damaged.add(name)
            self._warn(f"Job {name} is damaged in the ledger and was skipped: {fault}.")


def _trace(result: Mapping[str, Any]) -> str | None:
    """The id that links a result to its charge in the usage records."""
    trace_id = result.get("trace_id")
    return trace_id if isinstance(trace_id, str) and trace_id else None

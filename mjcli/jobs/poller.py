"""Follow many tasks together: one query for all of them, at most one a second."""

from __future__ import annotations

import math
import threading

from mjcli.api import Client, TaskRecord
from mjcli.errors import ApiError, LostResponse, MjError, NetworkError, StillRunning, full_stop
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.follow import (
    CLOCK_STEP,
    POLL_FIRST,
    POLL_GROWTH,
    POLL_LAST,
    UNREACHABLE_SECONDS,
    UNSEEN_POLLS,
    is_refusal,
    unreachable,
)
from mjcli.jobs.order import CallbackSource, Observer

PERIOD = 1.0  # seconds between two queries
CHUNK = 100  # tasks of one query
QUERY_SECONDS = 30.0  # limit of one query
UNSEEN_SECONDS = 4.0  # for each poll that may not find a task; a shared query comes more often


class _Wait:
    """One task that a thread waits for."""

    def __init__(self, task_id: str, deadline: float | None, unseen_polls: int, now: float) -> None:
        self.task_id, self.deadline, self.unseen_polls = task_id, deadline, unseen_polls
        self.unseen_since: float | None = None
        self.alone_at = -math.inf  # when it was last queried by itself
        self.pause = POLL_FIRST
        self.due = now + POLL_FIRST
        self.over = threading.Event()
        self.record: TaskRecord | None = None
        self.error: MjError | None = None

    def end(self, record: TaskRecord | None = None, error: MjError | None = None) -> None:
        """Wake the thread with what it waits for."""
        self.record, self.error = record, error
        self.over.set()


class Poller:
    """Queries the tasks of one account for all threads that wait for one. `close` it at the end.

    The tasks endpoint may be out of reach for `outage` seconds.
    """

    def __init__(
        self, client: Client, *, outage: float = UNREACHABLE_SECONDS, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._client, self._outage, self._clock = client, outage, clock
        self._waits: list[_Wait] = []
        self._mutex = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._reachable_at = clock.monotonic()
        self._queried_at = clock.monotonic() - PERIOD
        self._was_alone = False  # whether the last query was for one task

    def follow(
        self,
        client: Client,
        task_id: str,
        observer: Observer,
        *,
        deadline: float | None,
        unseen_polls: int = UNSEEN_POLLS,
        callbacks: CallbackSource | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> TaskRecord:
        """Wait until a task is done or failed, and return its record: see `mjcli.jobs.follow.follow`."""
        del client, callbacks, clock  # those of the account
        wait = _Wait(task_id, deadline, unseen_polls, self._clock.monotonic())
        with self._mutex:
            if self._closed:
                wait.end()
            else:
                self._add(wait)
        self._wake.set()
        wait.over.wait()
        if wait.record is None:
            raise wait.error or StillRunning("The task is no longer followed.", task_id=task_id)
        return wait.record

    def _add(self, wait: _Wait) -> None:
        if not self._waits:
            self._reachable_at = self._clock.monotonic()
        self._waits.append(wait)
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="poller", daemon=True)
            thread.start()  # may fail
            self._thread = thread

    def close(self) -> None:
        """Stop querying; threads that still wait get `StillRunning`."""
        with self._mutex:
            self._closed = True
            waits, self._waits = self._waits, []
        self._wake.set()
        for wait in waits:
            wait.end()

    def _run(self) -> None:
        while not self._closed:
            self._wake.clear()
            waits, seconds = self._next()
            if waits:
                self._queried_at = self._clock.monotonic()
                self._query(waits)
            elif seconds is None:
                self._wake.wait()
            else:
                self._clock.wait(self._wake, seconds)

    def _next(self) -> tuple[list[_Wait], float | None]:
        """The tasks of the next query, those that have waited longest, or the seconds until one is due."""
        with self._mutex:
            waits = sorted(self._waits, key=_moment)
        if not waits:
            return [], None
        seconds = max(_moment(waits[0]), self._queried_at + PERIOD) - self._clock.monotonic()
        if seconds > 0:
            return [], seconds
        # A task that a list does not contain is also queried by itself: old hosts know no lists.
        unseen = [wait for wait in waits if wait.unseen_since is not None]
        self._was_alone = bool(unseen) and not self._was_alone
        return ([min(unseen, key=lambda wait: wait.alone_at)] if self._was_alone else waits[:CHUNK]), None

    def _query(self, waits: list[_Wait]) -> None:
        """Query tasks, and wake the threads whose task has ended, or whose time has passed."""
        now = self._clock.monotonic()
        try:
            found: dict[str | None, TaskRecord] | None = self._records(waits, now + QUERY_SECONDS)
            self._reachable_at = self._clock.monotonic()
        except (NetworkError, LostResponse, ApiError) as error:
            outage = self._clock.monotonic() - self._reachable_at
            if is_refusal(error) or outage > self._outage:
                for wait in waits:
                    self._end(wait, error=unreachable(error, wait.task_id))
                return
            found = None
        except Exception as error:  # of this machine, such as no memory; the jobs go on at the service
            sentence = f"The task could not be queried: {type(error).__name__}: {error}"
            for wait in waits:
                self._end(wait, error=StillRunning(full_stop(sentence), task_id=wait.task_id))
            return
        for wait in waits:
            self._update(wait, found, now, len(waits))

    def _records(self, waits: list[_Wait], deadline: float) -> dict[str | None, TaskRecord]:
        """What the service knows of tasks, by their ids."""
        if not self._was_alone:
            records = self._client.tasks([wait.task_id for wait in waits], deadline=deadline)
            return {record.id: record for record in records}
        (wait,) = waits
        wait.alone_at = self._clock.monotonic()
        record = self._client.task(wait.task_id, deadline=deadline)
        return {} if record is None else {wait.task_id: record}

    def _update(
        self, wait: _Wait, found: dict[str | None, TaskRecord] | None, asked_at: float, together: int
    ) -> None:
        record = None if found is None else found.get(wait.task_id)
        if record is not None and record.state != "running":
            self._end(wait, record=record)
            return
        if record is not None:
            wait.unseen_since = None
        elif found is not None and wait.unseen_since is None:
            wait.unseen_since = asked_at
        if self._is_unknown(wait, asked_at):
            self._end(wait, error=LostResponse("The service does not know this task.", task_id=wait.task_id))
        elif wait.deadline is not None and wait.deadline - asked_at <= CLOCK_STEP:
            late = "The deadline passed before the task finished."
            self._end(wait, error=StillRunning(late, task_id=wait.task_id))
        else:
            wait.due = asked_at + wait.pause / together  # as many queries as for one job alone
            wait.pause = min(wait.pause * POLL_GROWTH, POLL_LAST)

    def _is_unknown(self, wait: _Wait, now: float) -> bool:
        """Whether the service has not known a task for so long that it will not; a list alone does not say so."""
        since, patience = wait.unseen_since, wait.unseen_polls * UNSEEN_SECONDS
        return since is not None and wait.alone_at >= since and now - since > patience

    def _end(self, wait: _Wait, *, record: TaskRecord | None = None, error: MjError | None = None) -> None:
        with self._mutex:
            if wait in self._waits:
                self._waits.remove(wait)
        wait.end(record, error)


def _moment(wait: _Wait) -> float:
    """When a task is queried next: at its deadline for the last time."""
    return wait.due if wait.deadline is None else min(wait.due, wait.deadline)

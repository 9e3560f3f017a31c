"""Follow a task: poll the tasks endpoint until the task finishes."""

from __future__ import annotations

from typing import Protocol

from mjcli.api import Client, Result, TaskRecord
from mjcli.api.models import RATE_LIMIT_CODES, ResultKind, text_of
from mjcli.errors import (
    ApiError,
    LostResponse,
    MjError,
    NetworkError,
    StillRunning,
    UnknownTask,
    full_stop,
    without_stop,
)
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.order import CallbackSource, Observer

DEADLINE_SECONDS = 900.0
POLL_FIRST, POLL_LAST, POLL_GROWTH = 1.5, 5.0, 1.3  # seconds between polls: first, longest; factor
UNSEEN_POLLS = 10  # polls in a row that may not find a task whose id the service returned
UNREACHABLE_SECONDS = 30.0  # how long an outage of the tasks endpoint may last
LAST_QUERY_SECONDS = 5.0  # limit of a query whose deadline is near or has passed
CLOCK_STEP = 0.001  # a deadline that is nearer than this has passed
CALLBACK_SECONDS = 10.0  # how long to wait for a callback before each poll


class Follow(Protocol):
    """Waits for the end of a task, as `follow` does."""

    def __call__(
        self,
        client: Client,
        task_id: str,
        observer: Observer,
        *,
        deadline: float | None,
        unseen_polls: int = UNSEEN_POLLS,
        callbacks: CallbackSource | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> TaskRecord: ...


def follow(
    client: Client,
    task_id: str,
    observer: Observer,
    *,
    deadline: float | None,
    unseen_polls: int = UNSEEN_POLLS,
    callbacks: CallbackSource | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> TaskRecord:
    """Poll a task until it is done or failed, and return its record.

    `deadline` is a reading of `clock.monotonic()`; one last query is made when it has passed. With `callbacks`
    polls are rare until a callback reports the end, which the next poll then confirms.

    Raises `StillRunning` at the deadline or when the service stays unreachable, and `LostResponse` when
    `unseen_polls` polls in a row do not find the task.
    """
    unseen, pause, reachable_at = 0, POLL_FIRST, clock.monotonic()
    while True:
        if callbacks is not None and _reports_end(callbacks, observer, deadline, clock):
            callbacks = None
        try:
            record = client.task(task_id, deadline=query_deadline(deadline, clock))
            reachable_at = clock.monotonic()
        except (NetworkError, LostResponse, ApiError) as error:
            if is_refusal(error) or clock.monotonic() - reachable_at > UNREACHABLE_SECONDS:
                raise unreachable(error, task_id) from error
            observer.notice(f"{full_stop(error.message)} Retrying; this does not affect the job.")
        else:
            if record is not None and record.state != "running":
                return record
            unseen = 0 if record is not None else unseen + 1
            if unseen >= unseen_polls:
                raise LostResponse("The service does not know this task.", task_id=task_id)
            observer.progress(record.progress if record is not None else None)
        left = None if deadline is None else deadline - clock.monotonic()
        if left is not None and left <= CLOCK_STEP:
            raise StillRunning("The deadline passed before the task finished.", task_id=task_id)
        if callbacks is None:
            clock.sleep(pause if left is None else min(pause, left))
            pause = min(pause * POLL_GROWTH, POLL_LAST)


def query_deadline(deadline: float | None, clock: Clock = SYSTEM_CLOCK) -> float | None:
    """Return the deadline of one query: that of the job, but never so soon that the service cannot respond."""
    return None if deadline is None else max(deadline, clock.monotonic() + LAST_QUERY_SECONDS)


def query_briefly(client: Client, task_id: str, *, clock: Clock = SYSTEM_CLOCK) -> TaskRecord | None:
    """Query a task, within a few seconds; return None when that fails, or the service does not know it."""
    try:
        return client.task(task_id, deadline=clock.monotonic() + LAST_QUERY_SECONDS)
    except (NetworkError, LostResponse, ApiError):
        return None


def _reports_end(callbacks: CallbackSource, observer: Observer, deadline: float | None, clock: Clock) -> bool:
    """Wait for a callback that reports the end of the task, for a limited time; return whether one came."""
    until = clock.monotonic() + CALLBACK_SECONDS
    until = until if deadline is None else min(until, deadline)
    while (remaining := until - clock.monotonic()) > 0:
        callback = callbacks.wait(remaining)
        if callback is not None and callback.state() != "running":
            return True
        observer.progress(callback.progress if callback is not None else None)
    return False


def is_refusal(error: MjError) -> bool:
    """Return whether the service refused the query; this says nothing about the job."""
    limited = error.code in RATE_LIMIT_CODES
    return isinstance(error, ApiError) and error.status < 500 and error.status != 429 and not limited


def unreachable(error: MjError, task_id: str) -> StillRunning:
    if is_refusal(error):
        reason = f"The service refused to return the task ({error.code}: {without_stop(error.message)})."
    else:
        reason = f"The task could not be queried: {full_stop(error.message)}"
    return StillRunning(reason, task_id=task_id)


def result_of(record: TaskRecord, wanted: ResultKind = "anything") -> Result | None:
    """Return the result of a task that is done; None if it is not done, or has no result of this type."""
    response = record.response
    return response if record.state == "done" and response is not None and response.has(wanted) else None


def record_task_result(ledger: Ledger, host: str, record: TaskRecord) -> Job | None:
    """Store the result or failure of a task with its job; return the job as it was, None if there is none."""
    job = ledger.by_task(host, record.id) if record.id else None
    if job is None:
        return None
    result = result_of(record)
    if record.state == "failed":
        error = record.error()
        ledger.mark_failed(job.uuid, code=error.code, message=error.message)
    elif result is not None:
        ledger.mark_done(
            job.uuid,
            result.document,
            image_id=result.id,
            files_due=len(result.file_urls),
            trace_id=text_of(record.document.get("trace_id")),
        )
    return job


FRESH_SECONDS = 15.0  # to wait for fresh links; the old ones may still work


def fresh_result(
    client: Client, ledger: Ledger | None, host: str, task_id: str | None, *, clock: Clock = SYSTEM_CLOCK
) -> Result:
    """Return the result that the service has of a task now, with valid links, and record it in the ledger.

    Raises `UnknownTask` when the service has no files of it any more, and as `Client.task` does.
    """
    deadline = clock.monotonic() + FRESH_SECONDS
    record = client.task(task_id, deadline=deadline) if task_id is not None else None
    fresh = record.response if record is not None and record.state == "done" else None
    if record is None or fresh is None or not fresh.file_urls:
        raise UnknownTask("The service does not know it any more.", task_id=task_id)
    if ledger is not None:
        record_task_result(ledger, host, record)
    return fresh

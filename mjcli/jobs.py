"""One job from request to result: record it, submit it, follow it, find it again when its answer was lost.

The rules are these: a row in the ledger before the first byte leaves; never a second POST for a request
that may have been accepted; a lost answer is looked for among the service's tasks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mjcli.api import Client, Hooks, Result, TaskRecord
from mjcli.errors import (
    FIND_LAST,
    ApiError,
    ConfigError,
    Interrupted,
    LostAnswer,
    MjError,
    NetworkError,
    StillRunning,
    full_stop,
    take_up,
)
from mjcli.ledger import Job, Ledger

DEADLINE_SECONDS = 900.0
POLL_FIRST, POLL_LAST = 1.5, 5.0  # seconds between looks at a task
LOOKS = (0.0, 1.0, 2.0, 4.0)  # pauses before each look among the recent tasks
UNSEEN_LOOKS = 10  # how often a task that we were told of may be unknown to the tasks endpoint
UNREACHABLE_SECONDS = 30.0  # how long a known task is followed through an outage
CLOCK_TOLERANCE = 2.0  # seconds that a task may seem to be older than its request

# What a task must agree in with the request that it is taken for; the rest must not contradict it.
_TELLING = ("prompt", "action", "image_id", "image_url", "video_id")
_UNTOLD = ("callback_url", "async", "timeout")


class Order(NamedTuple):
    """What is asked of the service: the endpoint and the body, and what the ledger should know beside.

    `at_once` says that the answer is a task id rather than a result (`async` or `callback_url`).
    """

    kind: str
    path: str
    body: Mapping[str, Any]
    parent_image: str | None = None
    files_asked: Mapping[str, Any] | None = None
    stream: bool = True
    at_once: bool = False
    timeout: float | None = None  # seconds until the wait is given up


class Observer(Protocol):
    """Who watches a job. All are called in the thread that runs it."""

    def sent(self) -> None:
        """The request has left."""

    def accepted(self, task_id: str) -> None:
        """The task is known, and stands in the ledger already."""

    def event(self, event: Result) -> None:
        """An event of the stream that is not the last one."""

    def drained(self) -> None:
        """All events that arrived together were told; the next may be a long time coming."""

    def progress(self, percent: int | None) -> None:
        """A look at the task showed this much."""

    def notice(self, sentence: str) -> None:
        """Something happened that is worth knowing."""

    def doubt(self, sentence: str) -> None:
        """Something odd was passed over."""


class Runner:
    """Runs orders for one profile. `ledger` is None when the user wanted none."""

    def __init__(self, client: Client, ledger: Ledger | None, *, profile: str, host: str) -> None:
        self._client = client
        self._ledger = ledger
        self._profile = profile
        self._host = host

    def run(self, order: Order, observer: Observer) -> tuple[str | None, Result]:
        """The job's row in the ledger (its uuid) and its final result, or only its task for an `at_once` order.

        Raises `ApiError` (refused or failed), `NetworkError` (never accepted), `StillRunning`,
        `LostAnswer` (outcome unknown), `ConfigError` (the ledger cannot be written, nothing sent).
        """
        run = _Run(self._client, self._ledger, self._host, order, observer)
        if self._ledger is not None:
            run.identity = self._ledger.record(
                profile=self._profile,
                host=self._host,
                kind=order.kind,
                path=order.path,
                request=order.body,
                files_asked=order.files_asked,
                parent_image=order.parent_image,
            )
        return run.identity, run.to_the_end()


def follow(client: Client, task_id: str, observer: Observer, *, deadline: float | None) -> TaskRecord:
    """Look at a task politely until it has ended, well or not.

    Raises `StillRunning` at the deadline or when the service stays out of reach, `LostAnswer` when it
    does not know the task after many looks.
    """
    unseen, pause, reachable = 0, POLL_FIRST, time.monotonic()
    while True:
        try:
            record = client.task(task_id, deadline=deadline)
            reachable = time.monotonic()
        except (NetworkError, LostAnswer, ApiError) as error:
            if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
                # A refusal of the question, not of the job.
                raise StillRunning(
                    f"The service refuses to be asked about it ({error.code}: {full_stop(error.message)[:-1]}).",
                    task_id=task_id,
                ) from error
            if time.monotonic() - reachable > UNREACHABLE_SECONDS:
                raise StillRunning(
                    f"The service cannot be asked about it: {full_stop(error.message)}", task_id=task_id
                ) from error
            observer.notice(f"{full_stop(error.message)} Looking again; the job itself goes on.")
        else:
            if record is not None and record.state != "running":
                return record
            unseen = 0 if record is not None else unseen + 1
            if unseen >= UNSEEN_LOOKS:
                raise LostAnswer("The service does not know this task.", task_id=task_id)
            observer.progress(record.progress if record is not None else None)
        if deadline is not None and time.monotonic() + pause >= deadline:
            time.sleep(max(deadline - time.monotonic(), 0))
            raise StillRunning("The wait ended before the task did.", task_id=task_id)
        time.sleep(pause)
        pause = min(pause * 1.3, POLL_LAST)


def note_task(ledger: Ledger, host: str, record: TaskRecord, files: Sequence[str]) -> None:
    """Tell the ledger what a look at a task showed, where it has the job of that task."""
    job = ledger.by_task(host, record.id) if record.id else None
    if job is None:
        return
    if record.state == "failed":
        error = record.error()
        ledger.ended(job.uuid, "failed", code=error.code, message=error.message)
    elif record.state == "done" and record.response is not None:
        ledger.done(job.uuid, record.response.document, image_id=record.response.image_id)
    if files:
        ledger.saved(job.uuid, list(dict.fromkeys((*job.files, *files))))


def find_again(client: Client, ledger: Ledger, host: str, job: Job) -> str:
    """The task of a job whose answer was lost, looked for once among the recent ones and written down.

    Raises `LostAnswer` when none or several may be it.
    """
    lost = LostAnswer("The service never answered which task this job is.")
    try:
        found = _tasks_for(client, ledger, host, job.request, job.created_at)
    except (NetworkError, LostAnswer, ApiError) as error:
        raise _none(lost, error, hint=None) from error
    if len(found) > 1:
        raise _several(found, lost)
    if not found or not ledger.adopt(job.uuid, host, found[0]):
        raise _none(lost, None, hint=None)
    return found[0]


def _tasks_for(
    client: Client,
    ledger: Ledger | None,
    host: str,
    body: Mapping[str, Any],
    since: float,
    *,
    deadline: float | None = None,
) -> list[str]:
    """The recent tasks that are for this request, were made since then, and belong to no job of the ledger."""
    tasks = client.recent_tasks(deadline=deadline)
    began = since + client.clock_offset - CLOCK_TOLERANCE
    ours = [task.id for task in tasks if task.id and _is_for(task, body, began)]
    known = ledger.known_tasks(host, ours) if ledger is not None else set()
    return [task_id for task_id in ours if task_id not in known]


def _is_for(task: TaskRecord, body: Mapping[str, Any], since: float) -> bool:
    """Whether a task is for this request and was made since then (the service's clock)."""
    if task.created_at is None or task.created_at < since:
        return False
    # Old servers leave the action out where it is the usual one.
    recorded = {"action": "generate", **task.request}
    if any(body.get(name) != recorded.get(name) for name in _TELLING if name in body):
        return False
    return all(body[name] == recorded[name] for name in body if name not in _UNTOLD and name in recorded)


def _several(found: Sequence[str], lost: MjError) -> LostAnswer:
    return LostAnswer(
        f"The answer was lost, and more than one recent task is for this request: {', '.join(found)}. "
        "One of them is this job's; none was taken for it and nothing was sent again.",
        code=lost.code,
        hint=f"mj describe-task {' '.join(found)}",
        trace_id=lost.trace_id,
    )


def _none(lost: MjError, failure: MjError | None, *, hint: str | None) -> LostAnswer:
    if failure is not None:
        sought = f"Your tasks could not be looked through ({full_stop(failure.message).rstrip('.')}),"
        hint = failure.hint or hint
    else:
        sought = "No task for it could be found,"
    return LostAnswer(
        f"{full_stop(lost.message)} {sought} so the job may have been accepted, and is then billed; "
        "nothing was sent again.",
        code="network" if isinstance(lost, StillRunning) else lost.code,
        hint=hint or "look at your tasks on the service's site before you ask again",
        trace_id=lost.trace_id,
    )


class _Run:
    """One order on its way."""

    def __init__(
        self, client: Client, ledger: Ledger | None, host: str, order: Order, observer: Observer
    ) -> None:
        self._client, self._ledger, self._host = client, ledger, host
        self._order, self._observer = order, observer
        self.identity: str | None = None
        self._task_id: str | None = None
        self._left = False
        self._warned = False
        self._began = time.time()
        seconds = DEADLINE_SECONDS if order.timeout is None else order.timeout
        self._deadline = time.monotonic() + seconds

    def to_the_end(self) -> Result:
        try:
            result = self._finished()
        except Interrupted as stop:
            stop.sent, stop.task_id = self._left, self._task_id
            if self._left and self._task_id is None and self.identity is not None:
                stop.hint = FIND_LAST
            if not self._left:
                self._note_end("failed", "interrupted", "Interrupted before it was sent.")
            raise
        except (StillRunning, LostAnswer) as error:
            raise self._unfinished(error) from error
        except MjError as error:
            error.task_id = error.task_id or self._task_id
            if isinstance(error, (ApiError, NetworkError, ConfigError)):
                self._note_end("failed", error.code, error.message)
            raise  # anything else befell us, not the job
        if result.complete or not self._order.at_once:
            self._note(lambda ledger, job: ledger.done(job, result.document, image_id=result.image_id))
        return result

    def _finished(self) -> Result:
        try:
            result = self._submitted()
        except (StillRunning, LostAnswer) as error:
            if error.task_id:
                self._accept(error.task_id)
            return self._recovered(error)
        if self._order.at_once and result.task_id and not result.failed:
            return result
        if result.failed:
            failure = result.error()
            if failure.code == "timeout":  # of the upstream; the job may still be alive (api.md, "Errors")
                return self._recovered(LostAnswer(failure.message, code="timeout", trace_id=failure.trace_id))
            raise failure
        if result.complete:
            return result
        return self._recovered(LostAnswer("The answer ended before the job did."))

    # -- submit ------------------------------------------------------------------------------------

    def _submitted(self) -> Result:
        hooks = Hooks(
            leaving=self._leave,
            sent=self._observer.sent,
            drained=self._observer.drained,
            retrying=self._retry,
            doubt=self._observer.doubt,
        )
        path, body = self._order.path, self._order.body
        if not self._order.stream:
            result = self._client.wait(path, body, deadline=self._deadline, hooks=hooks)
            self._note_task(result)
            return result
        # A final object is held back until it is known to be the last: it is the answer, not an event.
        last, held = Result({}), False
        try:
            for event in self._client.stream(path, body, deadline=self._deadline, hooks=hooks):
                self._note_task(event)
                if held:
                    self._observer.event(last)
                held = event.final
                if held or not last.final:
                    last = event
                if not held:
                    self._observer.event(event)
        except (StillRunning, LostAnswer):
            if not last.final:
                raise
            # How the connection ended after the final object does not matter.
        return last

    def _leave(self) -> None:
        self._left = True

    def _retry(self, seconds: float, reason: str) -> None:
        self._left = False  # what left came back: it was not accepted
        self._observer.notice(f"Nothing was accepted: {reason}. Trying again in {seconds:.1f} s.")

    def _note_task(self, result: Result) -> None:
        task_id = result.task_id
        if task_id is None or task_id == self._task_id:
            return
        if self._task_id is None:
            self._accept(task_id)
        elif not self._warned:
            self._warned = True
            self._observer.doubt(
                f"The service changed the task from {self._task_id} to {task_id}; the first one counts."
            )

    def _accept(self, task_id: str) -> None:
        self._task_id = task_id
        self._note(lambda ledger, job: ledger.running(job, task_id))
        self._observer.accepted(task_id)

    # -- recover -----------------------------------------------------------------------------------

    def _recovered(self, error: StillRunning | LostAnswer) -> Result:
        """The result by way of the tasks endpoint."""
        over = time.monotonic() >= self._deadline
        if self._task_id is None:
            self._observer.notice(f"{full_stop(error.message)} Looking for the job among your recent tasks.")
            self._find(error, once=over)
        elif not over:
            self._observer.notice(
                f"{full_stop(error.message)} The job goes on; following task {self._task_id}."
            )
        if over or self._task_id is None:
            raise StillRunning("The wait ended before the job did.", task_id=self._task_id)
        if self._order.at_once:
            return Result({"task_id": self._task_id})
        record = follow(self._client, self._task_id, self._observer, deadline=self._deadline)
        if record.state == "failed" or record.response is None or not record.response.file_urls:
            raise record.error()
        return record.response

    def _find(self, lost: StillRunning | LostAnswer, *, once: bool) -> None:
        """The one recent task that is ours becomes the job's; none or several: `LostAnswer`."""
        failure: MjError | None = None
        for pause in LOOKS[:1] if once else LOOKS:
            time.sleep(pause)
            deadline = time.monotonic() + 5.0 if once else None
            try:
                found = _tasks_for(
                    self._client, self._ledger, self._host, self._order.body, self._began, deadline=deadline
                )
            except (NetworkError, LostAnswer, ApiError) as error:
                failure = error
                continue
            failure = None
            if len(found) == 1 and self._adopt(found[0]):
                return
            if len(found) > 1:
                raise _several(found, lost)
        raise _none(lost, failure, hint=FIND_LAST if self.identity is not None else None)

    def _adopt(self, task_id: str) -> bool:
        ledger, identity = self._ledger, self.identity
        if ledger is not None and identity is not None and not ledger.adopt(identity, self._host, task_id):
            return False
        self._task_id = task_id
        self._observer.accepted(task_id)
        return True

    # -- ends --------------------------------------------------------------------------------------

    def _unfinished(self, error: StillRunning | LostAnswer) -> MjError:
        """The end of the wait without the end of the job."""
        error.task_id = error.task_id or self._task_id
        if error.task_id and isinstance(error, StillRunning):
            error.message = (
                f"{full_stop(error.message)} It goes on at the service and is billed if it succeeds."
            )
            error.hint = take_up(error.task_id)
        elif isinstance(error, LostAnswer):
            self._note_end("unknown", error.code, error.message)
        return error

    def _note_end(self, state: str, code: str, message: str) -> None:
        self._note(lambda ledger, job: ledger.ended(job, state, code=code, message=message))

    def _note(self, change: Callable[[Ledger, str], None]) -> None:
        """Change the job's row. Once the request has left, a ledger that fails must not cost the job."""
        if self._ledger is None or self.identity is None:
            return
        try:
            change(self._ledger, self.identity)
        except ConfigError as error:
            self._observer.doubt(f"{error.message} The job goes on, but mj may not know it later.")
            self._ledger = None

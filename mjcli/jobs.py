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
    ApiError,
    ConfigError,
    Interrupted,
    LostAnswer,
    MjError,
    NetworkError,
    StillRunning,
    full_stop,
    resume,
    take_up,
)
from mjcli.ledger import INTERRUPTED, Job, Ledger

DEADLINE_SECONDS = 900.0
POLL_FIRST, POLL_LAST = 1.5, 5.0  # seconds between looks at a task
UNSEEN_LOOKS = 10  # how often a task that we were told of may be unknown to the tasks endpoint
UNSEEN_SECONDS = 120.0  # since a job was accepted, after which its task should have appeared long ago
UNSEEN_LOOKS_LATER = 3  # the same then
UNREACHABLE_SECONDS = 30.0  # how long a known task is followed through an outage
OWNER_PAUSE = 0.2  # seconds between looks at a job that another mj has in hand
CALL_SECONDS = 10.0  # for which a callback is waited for before each look

# What makes a result the answer of an endpoint, where that is not a picture (api.md, "Endpoints").
_SOUGHT = {"videos": "video", "describe": "words", "shorten": "words", "translate": "words", "seed": "words"}


class Calls(Protocol):
    """The callbacks about one job, as they come in. Anybody may have sent them, so they prove nothing."""

    def wait(self, seconds: float) -> Result | None:
        """The next one, None when there is none within so long."""


class Order(NamedTuple):
    """What is asked of the service: the endpoint and the body, and what the ledger should know beside.

    `subject` is the words it is about; `at_once` says that the answer is a task id rather than a result
    (`async` or `callback_url`). With `calls` the answer is one as well, and the end of the job is waited for
    by its callbacks.
    """

    kind: str
    path: str
    body: Mapping[str, Any]
    subject: str = ""
    parent_image: str | None = None
    files_asked: Mapping[str, Any] | None = None
    stream: bool = True
    at_once: bool = False
    timeout: float | None = None  # seconds until the wait is given up
    calls: Calls | None = None

    @property
    def sought(self) -> str:
        """What the endpoint is asked for: a `picture`, a `video`, or `words`."""
        return _SOUGHT.get(self.path.rpartition("/")[2], "picture")

    def answered_by(self, result: Result) -> bool:
        """Whether a result has what was asked for."""
        found = {"picture": result.file_urls, "video": result.video_urls, "words": result.texts}
        return bool(found[self.sought])

    @classmethod
    def of(cls, job: Job, timeout: float | None) -> Order:
        """What a job of the ledger once asked for."""
        return cls(
            job.kind, job.path, job.request, job.subject, job.parent_image, job.files_asked, timeout=timeout
        )


class Outcome(NamedTuple):
    """What a job came to: its row in the ledger (a uuid), the task that counts, and its final result."""

    identity: str | None
    task_id: str | None
    result: Result


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

    def run(self, order: Order, observer: Observer) -> Outcome:
        """Send a job and follow it to its end, an `at_once` one to its task.

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
                subject=order.subject,
            )
        result = run.to_the_end(run.asked)
        return Outcome(run.identity, run.task_id or result.task_id, result)

    def resume(self, job: Job, observer: Observer, *, timeout: float | None = None) -> Outcome:
        """Take up a job of the ledger, wherever it was left, and give its final result.

        One that was never sent is sent; one whose answer was lost is looked for; one that has a task is
        followed. May be done any number of times, also at once. Raises as `run` does.
        """
        assert self._ledger is not None
        run = _Run(self._client, self._ledger, self._host, Order.of(job, timeout), observer)
        run.identity = job.uuid
        try:
            result = run.to_the_end(lambda: run.taken_up(job))
            return Outcome(job.uuid, run.task_id or result.task_id, result)
        finally:
            self._ledger.claims.release(job.number)


def follow(
    client: Client,
    task_id: str,
    observer: Observer,
    *,
    deadline: float | None,
    unseen_looks: int = UNSEEN_LOOKS,
    calls: Calls | None = None,
) -> TaskRecord:
    """Look at a task politely until it has ended, well or not.

    With `calls` the looks are few until a callback says that it has: the look shows whether that is true.
    Raises `StillRunning` at the deadline or when the service stays out of reach, `LostAnswer` when it
    does not know the task after many looks.
    """
    unseen, pause, reachable = 0, POLL_FIRST, time.monotonic()
    while True:
        if calls is not None and _called(calls, observer, deadline):
            calls = None
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
            if unseen >= unseen_looks:
                raise LostAnswer("The service does not know this task.", task_id=task_id)
            observer.progress(record.progress if record is not None else None)
        left = 0.0 if calls is not None else pause
        if deadline is not None and time.monotonic() + left >= deadline:
            time.sleep(max(deadline - time.monotonic(), 0))
            raise StillRunning("The wait ended before the task did.", task_id=task_id)
        if calls is None:
            time.sleep(pause)
            pause = min(pause * 1.3, POLL_LAST)


def _called(calls: Calls, observer: Observer, deadline: float | None) -> bool:
    """Wait for a callback that claims the end, but not for ever; whether there was one."""
    until = time.monotonic() + CALL_SECONDS
    until = until if deadline is None else min(until, deadline)
    while (left := until - time.monotonic()) > 0:
        claim = calls.wait(left)
        if claim is not None and claim.final:
            return True
        observer.progress(claim.progress if claim is not None else None)
    return False


def note_task(ledger: Ledger, host: str, record: TaskRecord, files: Sequence[str]) -> None:
    """Tell the ledger what a look at a task showed, where it has the job of that task."""
    job = ledger.by_task(host, record.id) if record.id else None
    if job is None:
        return
    if record.state == "failed":
        error = record.error()
        ledger.failed(job.uuid, code=error.code, message=error.message)
    elif record.state == "done" and record.response is not None and record.response.answered:
        result = record.response
        ledger.done(job.uuid, result.document, image_id=result.id, files_due=len(result.file_urls))
        if files:
            due = max(len(result.file_urls) - len(files), 0)
            ledger.saved(job.uuid, list(dict.fromkeys((*job.files, *files))), files_due=due)


class _TakenOver(Exception):
    """Another `mj` has sent this job in the meantime."""


NEVER_TOLD = "The service never answered which task this job is."


def find_again(client: Client, ledger: Ledger, host: str, job: Job) -> str:
    """The task of a job whose answer was lost, looked for among the recent ones and written down.

    Raises `LostAnswer` when none or several may be it.
    """
    from mjcli.recovery import Lost, find_task

    lost = Lost(job.path, job.request, job.sent_at or job.created_at, job.uuid, _if_still_lost(job.uuid[:8]))
    return find_task(client, ledger, host, lost, LostAnswer(NEVER_TOLD))


def _if_still_lost(reference: str) -> str:
    """What is left to do for a job that was looked for in vain."""
    return (
        f"mj resume {reference}  # looks again\n"
        f"mj resume {reference} --resubmit  # sends it again, which may cost a second time\n"
        f"mj resume {reference} --give-up  # if you do not want it any more"
    )


class _Run:
    """One order on its way."""

    def __init__(
        self, client: Client, ledger: Ledger | None, host: str, order: Order, observer: Observer
    ) -> None:
        self._client, self._ledger, self._host = client, ledger, host
        self._order, self._observer = order, observer
        self.identity: str | None = None
        self.task_id: str | None = None
        self._left = False
        self._left_at = 0.0  # reading of the monotonic clock, which nobody sets
        self._warned = False
        seconds = DEADLINE_SECONDS if order.timeout is None else order.timeout
        self._deadline = time.monotonic() + seconds

    def to_the_end(self, way: Callable[[], Result]) -> Result:
        """Go this way; however it ends, the ledger knows, and the exception tells how to take the job up."""
        try:
            result = way()
        except Interrupted as stop:
            stop.sent, stop.task_id, stop.hint = self._left, self.task_id, self._next()
            raise
        except (StillRunning, LostAnswer) as error:
            raise self._unfinished(error) from error
        except MjError as error:
            error.task_id = error.task_id or self.task_id
            if isinstance(error, (ApiError, NetworkError)):
                self._note_failed(error.code, error.message)
            raise  # anything else befell us, not the job
        if result.complete or not self._order.at_once:
            self._note(
                lambda ledger, job: ledger.done(
                    job, result.document, image_id=result.id, files_due=len(result.file_urls)
                )
            )
        return result

    def _next(self) -> str | None:
        """The command that takes the job up."""
        if self.identity is not None:
            return resume(self.task_id or self.identity[:8])
        return take_up(self.task_id) if self.task_id is not None else None

    def asked(self) -> Result:
        """The way of a job that is sent now."""
        try:
            result = self._submitted()
        except _TakenOver:
            return self.taken_up(self._row())
        except (Interrupted, ConfigError) as stop:
            if not self._left:
                self._note_unsent(stop)
            raise
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
        if result.final and self._order.answered_by(result):
            return result
        if self._order.calls is not None and result.task_id:
            return self._followed()
        return self._recovered(LostAnswer("The answer ended before the job did."))

    def taken_up(self, job: Job) -> Result:
        """The way of a job that stands in the ledger, from where it was left."""
        job = self._in_hand(job)
        self._left, self.task_id = job.sent_at is not None, job.task_id
        if job.state == "done":
            return Result(job.result or {})
        if job.state == "failed" and not self._asked_again(job):
            raise job.failure()
        if job.sent_at is None:
            return self.asked()
        if self.task_id is None:
            self._observer.notice(f"{NEVER_TOLD} Looking for it among your recent tasks.")
            self.task_id = find_again(self._client, self._kept, self._host, job)
            self._observer.accepted(self.task_id)
        self._observer.sent()
        recent = time.time() - (job.accepted_at or 0) < UNSEEN_SECONDS
        return self._followed(UNSEEN_LOOKS if recent else UNSEEN_LOOKS_LATER)

    def _asked_again(self, job: Job) -> bool:
        """Whether a job that was given up before it was sent, and is now named, may be sent after all."""
        stopped = (job.error or {}).get("code") == INTERRUPTED
        return stopped and self._kept.claims.take(job.number) and self._kept.asked_again(job.uuid)

    def _in_hand(self, job: Job) -> Job:
        """The job once no other living `mj` is sending it."""
        waiting = False
        while job.state == "submitting" and not self._kept.claims.take(job.number):
            if not waiting:
                self._observer.notice("Another mj is sending this job; waiting for what comes of it.")
                waiting = True
            if time.monotonic() >= self._deadline:
                raise StillRunning("Another mj is sending this job.")
            time.sleep(OWNER_PAUSE)
            job = self._row()
        return self._row()

    @property
    def _kept(self) -> Ledger:
        """The ledger, which a job that is taken up comes from."""
        if self._ledger is None:
            raise ConfigError("The ledger cannot be written.")
        return self._ledger

    def _row(self) -> Job:
        job = self._kept.get(self.identity or "")
        if job is None:
            raise ConfigError("The job does not stand in the ledger any more.")
        return job

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
        """The first byte is about to leave; the ledger must know, or nothing does."""
        if self._ledger is not None and self.identity is not None and not self._ledger.leaving(self.identity):
            raise _TakenOver
        self._left, self._left_at = True, time.monotonic()

    def _retry(self, seconds: float, reason: str) -> None:
        if self._left:  # what left came back: it was not accepted
            self._left = False
            self._note(lambda ledger, job: ledger.came_back(job))
        self._observer.notice(f"Nothing was accepted: {reason}. Trying again in {seconds:.1f} s.")

    def _note_task(self, result: Result) -> None:
        task_id = result.task_id
        if task_id is None or task_id == self.task_id:
            return
        if self.task_id is None:
            self._accept(task_id)
        elif not self._warned:
            self._warned = True
            self._observer.doubt(
                f"The service changed the task from {self.task_id} to {task_id}; the first one counts."
            )

    def _accept(self, task_id: str) -> None:
        self.task_id = task_id
        self._note(lambda ledger, job: ledger.running(job, task_id))
        self._observer.accepted(task_id)

    # -- recover -----------------------------------------------------------------------------------

    def _recovered(self, error: StillRunning | LostAnswer) -> Result:
        """The result by way of the tasks endpoint."""
        over = time.monotonic() >= self._deadline
        if self.task_id is None:
            self._observer.notice(f"{full_stop(error.message)} Looking for the job among your recent tasks.")
            self.task_id = self._found(error, once=over)
            self._observer.accepted(self.task_id)
        elif not over:
            self._observer.notice(
                f"{full_stop(error.message)} The job goes on; following task {self.task_id}."
            )
        if over:
            raise StillRunning("The wait ended before the job did.", task_id=self.task_id)
        if self._order.at_once:
            return Result({"task_id": self.task_id})
        return self._followed()

    def _found(self, why: StillRunning | LostAnswer, *, once: bool) -> str:
        """The task of what we sent ourselves; the time of the sending holds even if the clock was set since."""
        from mjcli.recovery import Lost, find_task

        sent_at = time.time() - (time.monotonic() - self._left_at)
        lost = Lost(self._order.path, self._order.body, sent_at, self.identity, self._next())
        return find_task(self._client, self._ledger, self._host, lost, why, once=once)

    def _followed(self, unseen_looks: int = UNSEEN_LOOKS) -> Result:
        record = follow(
            self._client,
            self.task_id or "",
            self._observer,
            deadline=self._deadline,
            unseen_looks=unseen_looks,
            calls=self._order.calls,
        )
        if record.state == "failed":
            raise record.error()
        if record.response is None or not self._order.answered_by(record.response):
            raise LostAnswer(
                f"The service says that the task is done, but gives no {self._order.sought}.",
                task_id=self.task_id,
            )
        return record.response

    # -- ends --------------------------------------------------------------------------------------

    def _unfinished(self, error: StillRunning | LostAnswer) -> MjError:
        """The end of the wait without the end of the job."""
        error.task_id = error.task_id or self.task_id
        if error.task_id and isinstance(error, StillRunning):
            error.message = (
                f"{full_stop(error.message)} It goes on at the service and is billed if it succeeds."
            )
            error.hint = self._next()
        elif isinstance(error, LostAnswer):
            if error.task_id:  # it was accepted once, and nobody can tell what became of it
                error.message = f"{full_stop(error.message)} The job may be billed; nothing was sent again."
            if error.hint is None and self.identity is not None:
                error.hint = _if_still_lost(self.identity[:8])
            self._note(
                lambda ledger, job: ledger.unknown(job, self.task_id, code=error.code, message=error.message)
            )
        return error

    def _note_unsent(self, stop: Interrupted | ConfigError) -> None:
        """Nothing has left. What nobody wants any more has failed; a session that ends leaves it to `mj resume`."""
        row = self.identity
        self._note(lambda ledger, job: ledger.came_back(job), doubtful=False)
        if isinstance(stop, ConfigError):
            self._note_failed(stop.code, stop.message, doubtful=False)
            if row is not None and self.identity is None:  # so that it still waits to be sent
                drop = f"{resume(row[:8])} --give-up  # before you ask again another way: it may wait in the ledger"
                stop.hint = f"{stop.hint}\n{drop}" if stop.hint else drop
        elif stop.by_choice:
            self._note_failed(INTERRUPTED, "Interrupted before it was sent.", doubtful=False)

    def _note_failed(self, code: str, message: str, *, doubtful: bool = True) -> None:
        self._note(lambda ledger, job: ledger.failed(job, code=code, message=message), doubtful=doubtful)

    def _note(self, change: Callable[[Ledger, str], None], *, doubtful: bool = True) -> None:
        """Change the job's row. Once the request has left, a ledger that fails must not cost the job."""
        if self._ledger is None or self.identity is None:
            return
        try:
            change(self._ledger, self.identity)
        except ConfigError as error:
            if doubtful:
                way = f": {take_up(self.task_id)} takes it up then" if self.task_id is not None else ""
                self._observer.doubt(f"{error.message} The job goes on, but mj may not know it later{way}.")
            self._ledger = self.identity = None

"""One job from request to result: record it, send it, follow it, and find it again if its response was lost.

The rules: the ledger has a row before the first byte is sent; a request that may have been accepted is never
sent again; the task of a lost response is searched for among the service's tasks.

Nothing is imported inside a function here, nor in what is imported here: the program may be replaced while a
job runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from mjcli.api import Client, Hooks, Result, TaskRecord
from mjcli.api.models import text_of
from mjcli.api.responses import STOPPED
from mjcli.errors import (
    ApiError,
    ConfigError,
    Interrupted,
    LimitReached,
    LostResponse,
    MjError,
    NetworkError,
    StillRunning,
    TakenElsewhere,
    full_stop,
    stops_shown,
)
from mjcli.jobs.budget import NO_LIMITS, Limits
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.follow import DEADLINE_SECONDS, UNSEEN_POLLS, Follow, follow, query_briefly, result_of
from mjcli.jobs.job import ID_PREFIX, INTERRUPTED, Job
from mjcli.jobs.ledger import EqualInFlight, Ledger
from mjcli.jobs.order import Gate, Observer, Order, Outcome
from mjcli.jobs.pace import Pace, Stopped
from mjcli.jobs.recover import NO_TASK_ID, LostRequest, find_lost_task, find_task

UNSEEN_SECONDS = 120.0  # after a job was accepted, by when its task must be visible
UNSEEN_POLLS_LATER = 3  # polls that may not find the task after that
LOCK_PAUSE = 0.2  # seconds between attempts to lock a job
NOT_SENT = "Interrupted before it was sent."


class Runner:
    """Runs jobs for one profile, for tasks at `host`; threads may share one. `ledger` is None if no record is kept.

    `follow` waits for the end of a task, and `pace` gives the turns of requests that were refused. Each request
    passes `gate`, which may prevent it.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger | None,
        *,
        profile: str,
        host: str,
        clock: Clock = SYSTEM_CLOCK,
        follow: Follow = follow,
        pace: Pace | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._profile = profile
        #: Where the tasks are.
        self.host = host
        self._clock = clock
        self._follow = follow
        self._pace = pace
        self._gate = gate

    def run(self, order: Order, observer: Observer) -> Outcome:
        """Send a job and follow it until it finishes; with `at_once`, until its task id is known.

        Raises `ApiError` (refused or failed), `NetworkError` (not accepted), `StillRunning` (deadline),
        `LostResponse` (unknown), `ConfigError` (the ledger cannot be written; nothing was sent), `KeyTaken`
        (another job has the order's key; nothing was sent), `LimitReached`, `Stopped` (nothing was sent).
        """
        run, uuid = self._new_run(order, observer), None
        if self._ledger is not None:
            run.uuid = uuid = self._ledger.record(
                profile=self._profile,
                host=self.host,
                kind=order.kind,
                path=order.path,
                request=order.body,
                files_asked=order.files,
                parent_image=order.parent_image,
                subject=order.subject,
                key=order.key,
                key_fingerprint=order.key_fingerprint,
                source_sha256=order.source_sha256,
                batch=order.batch,
                item=order.item,
                estimate=order.estimate,
                limits=order.limits,
                replaces=order.replaces,
            )
        try:
            result = run.complete(run.send)
            return Outcome(run.uuid, run.task_id or result.task_id, result)
        except (LimitReached, TakenElsewhere):  # since the row was written
            run.withdraw()
            raise
        finally:
            if self._ledger is not None and uuid is not None:  # also after a change that could not be stored
                with contextlib.suppress(ConfigError):
                    self._ledger.unlock(uuid)

    def resume(
        self,
        job: Job,
        observer: Observer,
        *,
        timeout: float | None = None,
        at_once: bool = False,
        limits: Limits = NO_LIMITS,
    ) -> Outcome:
        """Resume a job of the ledger in any state, and return its final result; `at_once`, its task id.

        An unsent job is sent, a lost one is searched for, a running one is followed. Resuming a job again, or
        in several processes at once, is safe. `timeout` is in seconds. Raises as `run` does.
        """
        assert self._ledger is not None
        run = self._new_run(Order.of(job, timeout)._replace(at_once=at_once, limits=limits), observer)
        run.uuid = job.uuid
        try:
            result = run.complete(lambda: run.resume(job))
            return Outcome(job.uuid, run.task_id or result.task_id, result)
        finally:
            self._ledger.locks.release(job.number)

    def _new_run(self, order: Order, observer: Observer) -> _Run:
        return _Run(
            self._client,
            self._ledger,
            self.host,
            order,
            observer,
            self._clock,
            self._follow,
            self._pace,
            self._gate,
        )


class _SentElsewhere(Exception):
    """Another process has sent this job meanwhile."""


class _Run:
    """One attempt to complete one job."""

    def __init__(
        self,
        client: Client,
        ledger: Ledger | None,
        host: str,
        order: Order,
        observer: Observer,
        clock: Clock,
        follow: Follow,
        pace: Pace | None,
        gate: Gate | None,
    ) -> None:
        self._client, self._ledger, self._host, self._clock = client, ledger, host, clock
        self._order, self._observer = order, observer
        self._follow_task, self._pace, self._gate = follow, pace, gate
        self.uuid: str | None = None
        self.task_id: str | None = None
        self._sent = False
        self._sent_at = 0.0  # reading of the monotonic clock
        self._warned = False
        self._intermediates: set[str] = set()  # ids of images, not in the ledger yet
        self._trace_id: str | None = None  # of the task
        self._record: TaskRecord | None = None  # of a task that ended while the stream brought nothing new
        self._seconds = DEADLINE_SECONDS if order.timeout is None else order.timeout
        self._deadline = clock.monotonic() + self._seconds

    def complete(self, work: Callable[[], Result]) -> Result:
        """Return the result of `work` after storing it; however `work` ends, the ledger is updated.

        An exception leaves with the facts that are needed to resume the job.
        """
        try:
            with stops_shown():
                result = work()
        except Interrupted as stop:
            stop.sent, stop.task_id, stop.job = self._sent, self.task_id, self._job
            raise
        except (StillRunning, LostResponse) as error:
            self._mark_unfinished(error)
            raise
        except MjError as error:
            error.task_id = error.task_id or self.task_id
            if isinstance(error, (ApiError, NetworkError)):
                self._mark_failed(error)
            raise  # any other error is a local one and does not end the job
        except Exception as error:
            if not self._sent:
                raise
            # A fault of this machine, such as no memory, does not end the job either.
            kind = StillRunning if self.task_id else LostResponse
            abandoned = kind(f"The job could not be followed: {type(error).__name__}: {error}")
            self._mark_unfinished(abandoned)
            raise abandoned from error
        if result.state() == "done" or not self._order.at_once:
            self._store(
                lambda ledger, uuid: ledger.mark_done(
                    uuid,
                    result.document,
                    image_id=result.id,
                    files_due=len(result.file_urls),
                    trace_id=self._trace_id,
                )
            )
        return result

    @property
    def _job(self) -> str | None:
        """What names the job in a command, if it is in the ledger."""
        return Outcome(self.uuid, self.task_id, Result({})).job

    def withdraw(self) -> None:
        """Delete the row of a job that was not sent, so that nothing sends it later."""
        self._store(lambda ledger, uuid: ledger.withdraw(uuid), warn=False)

    def send(self) -> Result:
        """Send the job and return its result."""
        if self._gate is None and self._order.is_shared:
            raise ConfigError(
                "This job belongs to a batch of several machines, so only mj batch sends it.", job=self._job
            )
        try:
            self._check_stop()
            if self._gate is not None and (task_id := self._gate.enter(self._order, self.uuid)) is not None:
                return self._join(task_id)
            result = self._post_alone()
        except _SentElsewhere:
            return self.resume(self._row())
        except TakenElsewhere:
            self._store(lambda ledger, uuid: ledger.mark_unsent(uuid))
            raise
        except (Interrupted, ConfigError) as stop:
            if not self._sent:
                self._mark_not_sent(stop)
                if self._gate is not None:
                    self._gate.not_sent(self._order)
            raise
        except Stopped:
            self._mark_failed(MjError(NOT_SENT, code=INTERRUPTED), warn=False)
            raise
        except (StillRunning, LostResponse) as error:
            if error.task_id:
                self._accept(error.task_id)
            return self._recover(error)
        if self._order.at_once and result.task_id and not result.failed:
            return result
        record, wanted = self._record, self._order.wanted
        if record is not None and (result.state(wanted) != "done" or result_of(record, wanted) is not None):
            return self._result_of(record)
        if result.failed:
            failure = result.error()
            if failure.code == "timeout":  # of the upstream service; the job may still be running
                lost = LostResponse(failure.message, code="timeout", trace_id=failure.trace_id)
                return self._recover(lost)
            raise failure
        if result.state(self._order.wanted) == "done":
            return result
        if (self._order.callbacks is not None or self._order.detached) and result.task_id:
            return self._follow()
        try:
            return self._recover(LostResponse("The response ended before the job finished."))
        except LostResponse:
            # What was received looks complete, and nothing else is known of the job.
            if result.may_be_last and result.has(wanted):
                return result
            raise

    def resume(self, job: Job) -> Result:
        """Continue a job of the ledger from its state, and return its result."""
        job = self._locked(job)
        self._sent, self.task_id = job.sent_at is not None, job.task_id
        if job.state == "done":
            return Result(job.result or {})
        if job.state == "failed" and not self._requeue(job):
            raise job.failure()
        if self.task_id is None and job.sent_at is None:
            return self.send()
        if self.task_id is None:
            self._observer.notice(f"{NO_TASK_ID} Searching your recent tasks for the job.")
            self.task_id = find_lost_task(
                self._client,
                self._require_ledger(),
                self._host,
                job,
                deadline=self._deadline,
                foreign=self._is_foreign,
                clock=self._clock,
            )
            self._announce(self.task_id)
        if self._order.at_once:
            return Result({"task_id": self.task_id})
        self._observer.sent()
        recent = self._clock.time() - (job.accepted_at or 0) < UNSEEN_SECONDS
        return self._follow(UNSEEN_POLLS if recent else UNSEEN_POLLS_LATER)

    def _requeue(self, job: Job) -> bool:
        """Requeue a job that was interrupted before it was sent; return whether it may be sent now."""
        interrupted = (job.error or {}).get("code") == INTERRUPTED
        ledger = self._require_ledger()
        return (
            interrupted and ledger.locks.acquire(job.number) and ledger.requeue(job.uuid, self._order.limits)
        )

    def _locked(self, job: Job) -> Job:
        """Lock a job that is being submitted, waiting for the process that holds it; return its current row."""
        locks = self._require_ledger().locks
        waiting = False
        while job.state == "submitting" and not locks.acquire(job.number):
            if not waiting:
                self._observer.notice("Another mj process is sending this job; waiting for it.")
                waiting = True
            if self._clock.monotonic() >= self._deadline:
                raise StillRunning("Another mj process is still sending this job.")
            self._clock.sleep(LOCK_PAUSE)
            job = self._row()
        return self._row()

    def _require_ledger(self) -> Ledger:
        if self._ledger is None:
            raise ConfigError("The ledger cannot be written.")
        return self._ledger

    def _row(self) -> Job:
        job = self._require_ledger().get(self.uuid or "")
        if job is None:
            raise ConfigError("The job is no longer in the ledger.")
        return job

    # -- sending -----------------------------------------------------------------------------------

    def _post_alone(self) -> Result:
        """Send the request of a batch when no equal one waits for its task id: a lost one could not be told apart."""
        while True:
            try:
                return self._post()
            except EqualInFlight:
                while self._ledger is not None and self._ledger.equal_in_flight(self.uuid or ""):
                    self._check_stop()
                    self._clock.sleep(LOCK_PAUSE)

    def _post(self) -> Result:
        """Send the request and return the last object of the response."""
        hooks = Hooks(
            leaving=self._before_send,
            sent=self._observer.sent,
            answered=self._note_clock,
            drained=self._drained,
            unterminated=self._note_task_id,
            enough=self._is_enough,
            silent=self._has_ended,
            limited=self._wait_for_turn,
            retrying=self._before_retry,
            pausing=self._pause,
            doubt=self._observer.warning,
        )
        if self._order.stream:
            return self._stream(hooks)
        path, body = self._order.path, self._order.body
        result = self._client.wait(path, body, deadline=self._deadline, hooks=hooks)
        self._note_task_id(result)
        return result

    def _is_enough(self, result: Result) -> bool:
        """Note the task id of an object of the response; return whether no more than the id is needed."""
        self._note_task_id(result)
        order = self._order
        return self.task_id is not None and (order.at_once or order.detached or order.callbacks is not None)

    def _stream(self, hooks: Hooks) -> Result:
        # A final object is held back until the stream ends: the last one is the result, not an event.
        last, held = Result({}), False
        path, body = self._order.path, self._order.body
        try:
            # No variable holds the stream, so that an interruption closes it at once.
            for event in self._client.stream(path, body, deadline=self._deadline, hooks=hooks):
                self._note_task_id(event)
                if held:
                    self._observer.event(last)
                held = event.state() != "running"
                if held or last.state() == "running":
                    last = event
                if not held:
                    self._intermediates.add(event.image_id or "")
                    self._observer.event(event)
        except (StillRunning, LostResponse):
            if last.state() == "running":
                raise
            # After the final object, it does not matter how the connection ended.
        finally:
            self._note_intermediates()
        return last

    def _drained(self) -> None:
        """Store the ids that arrived together, as long as nothing else arrives."""
        self._note_intermediates()
        self._observer.drained()

    def _note_intermediates(self) -> None:
        """Store the ids of intermediate images. The job does not depend on them."""
        found, self._intermediates = self._intermediates - {""}, set()
        if found and self._ledger is not None and self.uuid is not None:
            with contextlib.suppress(ConfigError):
                self._ledger.note_intermediates(self.uuid, found)

    def _has_ended(self) -> bool:
        """Query the task of a stream that brings nothing new; return whether it has ended.

        Without its id, the recent tasks are searched for it once.
        """
        if self.task_id is None:
            with contextlib.suppress(LostResponse):
                self._find(LostResponse(STOPPED), deadline=self._clock.monotonic())
        if self.task_id is None:
            return False
        if self._order.at_once:
            return True
        record = query_briefly(self._client, self.task_id, clock=self._clock)
        if record is None or record.state == "running":
            return False
        self._record = record
        return True

    def _note_clock(self) -> None:
        """Store by how much the service's clock differs from ours, as long as both are those of the request."""
        offset = self._client.clock_offset
        if offset is not None:
            self._store(lambda ledger, uuid: ledger.set_clock_offset(uuid, offset))

    def _check_stop(self) -> None:
        """Raise `Stopped` if no job is to be sent any more."""
        if self._pace is not None:
            self._pace.check()

    def _before_send(self) -> None:
        """Mark the job as sent; if the ledger cannot store that, nothing is sent."""
        self._check_stop()
        alone = self._order.item is not None
        if (
            self._ledger is not None
            and self.uuid is not None
            and not self._ledger.mark_sent(self.uuid, alone=alone, limits=self._order.limits)
        ):
            raise _SentElsewhere
        if self._gate is not None:
            self._gate.check(self._order, self.uuid)
        self._sent, self._sent_at = True, self._clock.monotonic()

    def _before_retry(self, seconds: float, reason: str) -> None:
        if self._sent:  # the request was refused, so it counts as unsent
            self._sent = False
            self._store(lambda ledger, uuid: ledger.mark_unsent(uuid))
        self._check_stop()
        self._observer.notice(f"The request was not accepted: {reason}. Retrying in {seconds:.1f} s.")

    def _wait_for_turn(self, seconds: float) -> float | None:
        """Note that the service limits the rate; return the seconds until the next turn of all jobs together."""
        if self._pace is None:
            return None
        self._pace.refused(seconds)
        return self._pace.take()

    def _pause(self, seconds: float) -> bool:
        """Pause before a retry, until nothing more is to be sent; return False if the client does it."""
        if self._pace is None:
            return False
        self._pace.wait(seconds)
        return True

    def _note_task_id(self, result: Result) -> None:
        """Accept the first task id of the response, and warn about a different one."""
        task_id = result.task_id
        if task_id is None or task_id == self.task_id:
            return
        if self.task_id is None:
            self._accept(task_id)
        elif not self._warned:
            self._warned = True
            self._observer.warning(
                f'The service changed the task id from "{self.task_id}" to "{task_id}"; the first one is used.'
            )

    def _accept(self, task_id: str) -> None:
        self.task_id = task_id
        self._store(lambda ledger, uuid: ledger.mark_running(uuid, task_id))
        if self._pace is not None:
            self._pace.accepted()
        if self._order.detached:  # the time that it waited for its turn does not count
            self._deadline = self._clock.monotonic() + self._seconds
        self._announce(task_id)

    def _announce(self, task_id: str) -> None:
        """Report the task id, once it is in the ledger."""
        if self._gate is not None:
            self._gate.accepted(self._order, task_id)
        self._observer.accepted(task_id)

    def _join(self, task_id: str) -> Result:
        """Follow the task that another process has made of this job."""
        self._sent, self.task_id = True, task_id
        self._store(lambda ledger, uuid: ledger.mark_running(uuid, task_id))
        self._observer.sent()
        self._observer.accepted(task_id)
        if self._order.at_once:
            return Result({"task_id": task_id})
        return self._follow(UNSEEN_POLLS_LATER)

    # -- recovering --------------------------------------------------------------------------------

    def _recover(self, error: StillRunning | LostResponse) -> Result:
        """Return the result from the tasks endpoint; past the deadline, after one last query."""
        expired = self._clock.monotonic() >= self._deadline
        if self.task_id is None:
            self._observer.notice(f"{full_stop(error.message)} Searching your recent tasks for the job.")
            self._find(error, deadline=self._deadline)
        elif not expired:
            self._observer.notice(f"{full_stop(error.message)} Following task {self.task_id}.")
        if self._order.at_once:
            return Result({"task_id": self.task_id})
        return self._follow()

    def _find(self, cause: StillRunning | LostResponse, *, deadline: float) -> None:
        """Search the recent tasks for that of this job. Raises `LostResponse`."""
        # Computed from the monotonic clock: the system's time may have been set since.
        sent_at = self._clock.time() - (self._clock.monotonic() - self._sent_at)
        lost = LostRequest(self._order.path, self._order.body, sent_at, self.uuid)
        try:
            self.task_id = find_task(
                self._client,
                self._ledger,
                self._host,
                lost,
                cause,
                deadline=deadline,
                foreign=self._is_foreign,
                clock=self._clock,
            )
        finally:
            self._note_clock()
        self._announce(self.task_id)

    def _is_foreign(self, task: TaskRecord) -> bool:
        return self._gate is not None and self._gate.is_foreign(self._order, task)

    def _follow(self, unseen_polls: int = UNSEEN_POLLS) -> Result:
        record = self._follow_task(
            self._client,
            self.task_id or "",
            self._observer,
            deadline=self._deadline,
            unseen_polls=unseen_polls,
            callbacks=self._order.callbacks,
            clock=self._clock,
        )
        return self._result_of(record)

    def _result_of(self, record: TaskRecord) -> Result:
        """Return the result of a task that has ended. Raises its failure."""
        self._trace_id = text_of(record.document.get("trace_id"))
        if record.state == "failed":
            raise record.error()
        result = result_of(record, self._order.wanted)
        if result is None:
            raise LostResponse(
                f"The service reports the task as done, but returned no {self._order.wanted}.",
                task_id=self.task_id,
            )
        return result

    # -- ending ------------------------------------------------------------------------------------

    def _mark_unfinished(self, error: StillRunning | LostResponse) -> None:
        """Complete the error of a job that has not finished, and store an unknown state."""
        error.task_id = error.task_id or self.task_id
        if error.task_id:
            error.message = (
                f"{full_stop(error.message)} The job was accepted and will be billed if it succeeds."
            )
        if isinstance(error, LostResponse):
            if error.job is None and self.uuid is not None:
                error.job = self.uuid[:ID_PREFIX]
            self._store(
                lambda ledger, uuid: ledger.mark_unknown(
                    uuid, self.task_id, code=error.code, message=error.message
                )
            )
        elif error.task_id:
            error.job = self._job

    def _mark_not_sent(self, stop: Interrupted | ConfigError) -> None:
        """Store that nothing was sent: an error or Ctrl-C fails the job, SIGTERM and SIGHUP leave it queued."""
        row = self.uuid
        self._store(lambda ledger, uuid: ledger.mark_unsent(uuid), warn=False)
        if isinstance(stop, ConfigError):
            self._mark_failed(stop, warn=False)
            if row is not None and self.uuid is None:  # the ledger failed, so the job is still queued
                stop.job = row[:ID_PREFIX]
        elif stop.by_choice:
            self._mark_failed(MjError(NOT_SENT, code=INTERRUPTED), warn=False)

    def _mark_failed(self, error: MjError, *, warn: bool = True) -> None:
        accepted = isinstance(error, ApiError) and error.accepted
        self._store(
            lambda ledger, uuid: ledger.mark_failed(
                uuid, code=error.code, message=error.message, task_id=error.task_id, accepted=accepted
            ),
            warn=warn,
        )

    def _store(self, change: Callable[[Ledger, str], None], *, warn: bool = True) -> None:
        """Change the job's row. A ledger that fails is given up, because an accepted job must not be."""
        if self._ledger is None or self.uuid is None:
            return
        try:
            change(self._ledger, self.uuid)
        except ConfigError as error:
            if warn:
                self._observer.warning(
                    f"{full_stop(error.message)} The job continues, but the ledger may not list it."
                )
            self._ledger = self.uuid = None

"""Run a batch: what each of its jobs requests, shows and saves, and how it all ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.cli.batch.keep import Saved
from mjcli.cli.batch.notices import LineWatch, Notices, place_of
from mjcli.cli.batch.work import Piece, Survey, following
from mjcli.cli.output.batch import (
    Reasons,
    Summary,
    failure_fields,
    print_failed,
    print_finished,
    print_summary,
)
from mjcli.cli.output.board import Board, Counts
from mjcli.cli.output.text import count_of_jobs
from mjcli.cli.signals import stopping
from mjcli.errors import (
    ApiError,
    DownloadError,
    ExitCode,
    Interrupted,
    LedgerError,
    LimitReached,
    LostResponse,
    MjError,
    OutputError,
    StillRunning,
    TakenElsewhere,
    UnknownTask,
    UsageError,
    unexpected,
)
from mjcli.jobs.batch import Ended, Engine, Item, OtherAccount, not_sent
from mjcli.jobs.order import Observer, Order
from mjcli.jobs.pace import Stopped
from mjcli.jobs.queries import error_of

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.batch.accounts import Workers
    from mjcli.cli.batch.cost import BatchCosts
    from mjcli.cli.batch.keep import Keep
    from mjcli.cli.output.report import Report
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger


LOOK_SECONDS = 30.0  # until another look at a job that another machine is sending


class Manner(NamedTuple):
    """How the jobs of a batch are carried out. `timeout` is in seconds."""

    name: str
    stream: bool = False
    timeout: float | None = None
    fail_fast: bool = False


class BatchRun:
    """One run of a batch, a `Plan` of `mjcli.jobs.batch`; `survey` says what is left to do of it."""

    def __init__(
        self,
        output: Output,
        ledger: Ledger,
        workers: Workers,
        survey: Survey,
        costs: BatchCosts,
        keep: Keep,
        manner: Manner,
        report: Report | None = None,
    ) -> None:
        self._output, self._ledger, self._workers, self._survey = output, ledger, workers, survey
        self._costs, self._keep, self._manner, self._report = costs, keep, manner, report
        self._composing = threading.Lock()  # what composes orders is made for one thread
        self._notices = Notices(output)
        self._reasons = Reasons()
        self._started = time.monotonic()
        self._running = self._done = self._failed = self._unknown = self._open = 0
        self._unsaved = 0  # jobs that are done without all their files
        self.not_offered = 0  # failed steps that their images do not offer, so that no retry helps
        self._stdout_failed = False
        self._spent: float | None = None
        self._total, self._before = survey.total, survey.before
        self._fatal: MjError | None = None  # why nothing more was sent
        self._stopped_by: Callable[[], int] = lambda: 0
        self._said_stopped = False
        self._retried: set[str] = set()  # unknown jobs that were sent again
        self._board = Board(output, self._counts)
        self.engine = Engine(workers.accounts, ledger, self)

    # -- the whole run -----------------------------------------------------------------------------

    def run(self) -> Summary:
        """Run everything that is left. The first Ctrl-C only stops sending."""
        items = list(self._items(self._survey))
        with self._costs.watched(), self._board, stopping(self.engine.stop) as self._stopped_by:
            try:
                self.engine.run(items)
            except BaseException as error:
                self._notices.end()
                if isinstance(error, Interrupted):
                    error.sent = self._notices.sent
                raise
            signal = self._stopped_by()
        if not (self.engine.left or isinstance(self._fatal, LimitReached)):
            self._fatal = None  # another account has sent everything
        if self._fatal is not None:
            self._output.alarm(self._fatal)
        spent, estimated = self._costs.spent()
        return Summary(
            self._counts._replace(spent=spent, estimated=estimated),
            time.monotonic() - self._started,
            128 + signal if signal else self._status(),
            self._manner.name,
            self._survey.before_at,
            self._reasons.all(),
            error=self._fatal,
            unsaved=self._unsaved,
        )

    def print(self, summary: Summary) -> None:
        """Print how it ended, unless standard output has failed before. Raises `OutputError`."""
        if self._stdout_failed:
            self._output.fail(summary.exit_status)
        else:
            print_summary(self._output, summary)

    def _items(self, survey: Survey) -> Iterator[Item]:
        """What is to be done: jobs in flight first, since they are paid for. Failures of earlier runs are counted."""
        for piece, error in survey.failed:
            self._count_failure(piece, error)
        self.not_offered += len(survey.impossible)
        for piece, problem in survey.impossible:
            self._count_failure(_next_step(piece), problem)
        for piece, row in survey.to_follow:
            job = self._ledger.get(row.uuid)
            if job is not None:
                yield from self._followed(job, piece)
        for piece in survey.to_send:
            if piece.profile is None or self._workers.admit(piece.profile):
                yield self._item(piece)
            else:
                self._not_done(
                    piece,
                    UsageError(f'Its image belongs to profile "{piece.profile}", which cannot be used.'),
                )

    def _followed(self, job: Job, piece: Piece) -> Iterator[Item]:
        """A job that the account which has it follows, if this machine can use that."""
        if self._workers.admit(job.profile, job.host):
            yield self._of_ledger(job, piece)
        else:
            self._leave(piece, job.profile, job.host, job.task_id)

    def _of_ledger(self, job: Job, piece: Piece) -> Item:
        timeout, limits = self._manner.timeout, self._costs.limits
        return Item(job=job, profile=job.profile, timeout=timeout, limits=limits, about=piece)

    def _item(self, piece: Piece) -> Item:
        return Item(order=lambda profile: self._order(piece, profile), profile=piece.profile, about=piece)

    @property
    def _counts(self) -> Counts:
        over = self._before + self._done + self._failed + self._unknown
        running = self._running + self._open
        return Counts(
            self._total,
            self._before,
            self._done,
            self._failed,
            self._unknown,
            running,
            max(0, self._total - over - running),
            self._spent,
            estimated=True,
        )

    def _status(self) -> int:
        """The exit status: the first that applies."""
        fatal = self._fatal
        known = [
            (isinstance(fatal, LimitReached), ExitCode.LIMIT),
            (fatal is not None and fatal.exit_code == ExitCode.AUTH, ExitCode.AUTH),
            (fatal is not None and fatal.exit_code == ExitCode.BALANCE, ExitCode.BALANCE),
            (self._unknown, ExitCode.UNKNOWN),
            (self._failed, ExitCode.SOME_FAILED),
            (isinstance(fatal, LedgerError), ExitCode.USAGE),
            (fatal is not None, ExitCode.SOME_FAILED),
            (self._unsaved or self._stdout_failed, ExitCode.FILE),
            (self._open, ExitCode.RUNNING),
        ]
        return int(next((status for applies, status in known if applies), ExitCode.OK))

    def _count_failure(self, piece: Piece, error: MjError) -> None:
        self._failed += 1
        self._reasons.add("failed", error, piece.line.number)

    # -- before a job ------------------------------------------------------------------------------

    def _order(self, piece: Piece, profile: str) -> Order:
        """The order of a piece for the account that sends it. Raises `UsageError`, `NameInUse`, and as uploads do."""
        manner, order = self._manner, piece.order
        if order is None:
            with self._composing:
                order = self._workers[profile].orders.order(piece.line)
        self._keep.check(order, piece)
        waits = {} if manner.stream else {"async": True}
        return order._replace(
            body={**order.body, **waits},
            files=self._keep.record(piece),
            stream=manner.stream,
            detached=not manner.stream,
            timeout=manner.timeout,
            batch=manner.name,
            item=piece.item,
            key_fingerprint=piece.line.content,
            replaces=tuple(row.uuid for row in self._survey.replaced.get(piece.item, ())),
            estimate=self._costs.estimate(order).usd,
            limits=self._costs.limits,
        )

    def observer(self, item: Item) -> Observer:
        """What a job reports to."""
        return LineWatch(self._notices, item.about)

    def started(self, item: Item) -> None:
        """Count a job that starts."""
        self._running += 1
        self._show()

    def tick(self) -> None:
        """Say what a signal has stopped, once."""
        if self._stopped_by() and not self._said_stopped:
            self._said_stopped = True
            self._board.notice(
                f"Nothing more is sent. Waiting for {count_of_jobs(self._running)} in flight; Ctrl-C again exits."
                if self._running
                else "Nothing more is sent."
            )

    # -- after a job -------------------------------------------------------------------------------

    def ended(self, ended: Ended) -> Iterable[Item]:
        """Count and show how a job ended; returns what follows from it."""
        self._running -= 1
        error = ended.error
        following: list[Item] = []
        if error is None:
            following = self._succeeded(ended)
        elif isinstance(error, TakenElsewhere):
            following = self._taken(ended, error)
        elif isinstance(error, OtherAccount):
            following = list(self._followed(error.job, ended.item.about))
        elif isinstance(error, (Stopped, LedgerError)):  # for all accounts alike
            if isinstance(error, LedgerError):
                error.job = None  # a later run of the batch takes care of it
                self._fatal = self._fatal or error
            self._keep.failed(ended.item.about, ended, error)
        elif not_sent(error):
            self._refused(ended, _as_error(error))
        elif (fresh := self._sent_again(ended, error)) is not None:
            following = [fresh]
        else:
            self._keep.failed(ended.item.about, ended, _as_error(error))
            self._not_done(ended.item.about, _as_error(error))
        self._show()
        return following

    def _refused(self, ended: Ended, error: MjError) -> None:
        """An account can send nothing more: the job goes back, for another account or a later run."""
        piece: Piece = ended.item.about
        if self._fatal is None and len(self._workers.chosen) > 1 and not isinstance(error, LimitReached):
            name = ended.account.name
            self._board.warning(f'Profile "{name}" sends nothing more ({error.code}): {error.message}')
        self._fatal = self._fatal or error
        self._keep.failed(piece, ended, error)
        sandbox = ended.account.runner.host == "sandbox"
        row = self._ledger.by_item(self._manner.name, piece.item, sandbox=sandbox)
        if row is not None and row.state == "failed" and row.task_id is None and row.accepted_at is None:
            self._ledger.release_items([row.uuid])

    def _succeeded(self, ended: Ended) -> list[Item]:
        assert ended.outcome is not None
        assert ended.order is not None
        self._done += 1
        if (cost := _cost(ended)) is not None:
            self._spent = (self._spent or 0.0) + cost
        piece: Piece = ended.item.about
        return self._steps_of(piece, ended.outcome.result, ended.order, ended.account.name)

    def _steps_of(self, piece: Piece, result: Result, order: Order, profile: str) -> list[Item]:
        """What follows a job that is done."""
        try:
            pieces = following(piece, result, order, profile)
        except UsageError as error:
            self.not_offered += 1
            self._total += 1  # the job, and its step
            self._not_done(_next_step(piece), error)
            return []
        survey = self._survey.of_steps()
        survey.add(pieces)
        self._before += survey.before
        return list(self._items(survey))

    def _taken(self, ended: Ended, error: TakenElsewhere) -> list[Item]:
        """Another machine has the job: look again later, or take over how it ended."""
        piece, taken = ended.item.about, error.taken
        if taken.state == "waiting":
            self._notices.notice(piece, f"{error.message} Looking again until its outcome is known.")
            pause = min(max(taken.seconds, 1.0), LOOK_SECONDS)
            return [ended.item._replace(after=time.monotonic() + pause)]
        if ended.item.job is not None:
            self._ledger.withdraw(ended.item.job.uuid)
        if taken.state != "done":
            self._not_done(piece, error_of(taken.result.error or {}) if taken.result is not None else error)
            return []
        self._before += 1
        if not piece.steps:
            return []
        order = ended.order or Order("imagine", "imagine", {}, piece.line.words)
        try:
            result = self._result_elsewhere(ended.account.name, taken.result.task_id)
        except MjError as problem:
            self._not_done(piece, problem)
            return []
        return self._steps_of(piece, result, order, ended.account.name)

    def _result_elsewhere(self, profile: str, task_id: str | None) -> Result:
        """The result of a job that another machine has finished. Raises `UnknownTask`, and as the client does."""
        record = self._workers[profile].context.client.task(task_id) if task_id is not None else None
        if record is None or record.response is None:
            raise UnknownTask(
                "The result of the job is not known any more, so nothing follows it.", task_id=task_id
            )
        return record.response

    def _sent_again(self, ended: Ended, error: Exception) -> Item | None:
        """With --retry-unknown, a job that stays unknown is sent again, once."""
        job = ended.item.job
        if not (self._survey.options.retry_unknown and isinstance(error, LostResponse)):
            return None
        if job is None or job.state != "unknown" or job.uuid in self._retried:
            return None
        self._retried.add(job.uuid)
        try:
            fresh = self._ledger.resubmit(job.uuid, limits=self._costs.limits)
        except LimitReached as limit:
            self._fatal = self._fatal or limit
            self.engine.stop()
            return None
        if fresh is None:
            return None
        return self._of_ledger(fresh, ended.item.about)

    def _not_done(self, piece: Piece, error: MjError) -> None:
        """Count and show a job that failed, is unknown, or is still running."""
        state = "failed"
        if error.exit_code == ExitCode.RUNNING:
            self._open += 1
            state = "running"
        elif error.exit_code == ExitCode.UNKNOWN:
            self._unknown += 1
            state = "unknown"
        else:
            self._failed += 1
            self._total -= piece.most - 1  # nothing can follow it
        if state != "running":
            self._reasons.add(state, error, piece.line.number)
        document = error.document if isinstance(error, ApiError) else None
        place = place_of(piece)
        self._print(lambda: print_failed(self._output, place, error, document))
        self._record({**(document or {}), **failure_fields(error)}, piece, state, None)
        if self._manner.fail_fast and state != "running":
            self.engine.stop()

    def _leave(self, piece: Piece, profile: str, host: str, task_id: str | None) -> None:
        """Count a job that this machine cannot follow: it belongs to another address or a deleted profile."""
        error = StillRunning(
            f'The job belongs to profile "{profile}" at {host}, which this command cannot reach.',
            task_id=task_id,
        )
        self._not_done(piece, error)

    # -- files -------------------------------------------------------------------------------------

    def save(self, ended: Ended) -> Saved:
        """Save the files of a job that is done."""
        return self._keep.save(self._workers[ended.account.name].saver, ended.item.about, ended)

    def saved(self, ended: Ended, result: Any) -> None:
        """Show a job that is done."""
        assert ended.outcome is not None
        found = result if isinstance(result, Saved) else Saved([], _as_download_error(result))
        self._unsaved += found.problem is not None
        piece: Piece = ended.item.about
        done: Result = ended.outcome.result
        place = place_of(piece)
        self._print(
            lambda: print_finished(self._output, self._board, place, done, found.files, found.problem)
        )
        document = {**done.document, "files": found.files}
        self._record(document, piece, "done", _cost(ended))

    def _record(self, document: Mapping[str, Any], piece: Piece, status: str, cost: float | None) -> None:
        """Add a job to the report."""
        if self._report is not None:
            place = {"line": piece.line.number, "key": piece.line.key, "step": piece.step}
            self._report.write({**document, **place}, status=status, prompt=piece.line.words, cost=cost)

    # -- showing -----------------------------------------------------------------------------------

    def _show(self) -> None:
        self._board.update(self._counts)

    def _print(self, step: Callable[[], object]) -> None:
        """Print something. Standard output that fails does not stop the jobs, which are paid for."""
        try:
            step()
        except OutputError as error:
            if not self._stdout_failed:
                self._output.alarm(error)
            self._stdout_failed = True


def _next_step(piece: Piece) -> Piece:
    """A piece that stands for the step after another one, whose actions its result does not offer."""
    step = piece.steps[0].text
    return piece._replace(step=step if piece.step is None else f"{piece.step} {step}")


def _cost(ended: Ended) -> float | None:
    """What a job cost in this run, in USD; None for one that an earlier run or another process has paid for."""
    before = ended.item.job is not None and ended.item.job.state == "done"
    return None if ended.order is None or ended.joined or before else ended.order.estimate


def _as_error(error: Exception) -> MjError:
    return error if isinstance(error, MjError) else unexpected(error)


def _as_download_error(error: Exception) -> DownloadError:
    if isinstance(error, DownloadError):
        return error
    return DownloadError(
        f"The job is done and billed once, but its files are missing: {_as_error(error).message}"
    )

"""Several jobs of one command: run at the same time, with their output in the order requested."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.cli.hints import command
from mjcli.cli.output.board import Board, Counts
from mjcli.cli.output.turns import Turn, Turns
from mjcli.errors import ExitCode, Interrupted, MjError
from mjcli.jobs.batch import Account, Ended, Engine, Item, not_sent
from mjcli.jobs.budget import NO_LIMITS, Limits
from mjcli.jobs.order import Observer, Order

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output
    from mjcli.cli.output.watch import JobWatch
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger


class Task(NamedTuple):
    """One of several jobs: its order, which is made when its turn comes, or its row in the ledger.

    `watch` returns what observes it, and `finish` saves its files and prints its result, each for an output. `failed`
    is called with a failure, which it may word, and returns the job that takes the place of this one, if any.
    `timeout` is in seconds, for a job of the ledger.
    """

    title: str
    watch: Callable[[Output], JobWatch]
    finish: Callable[[Output, Ended], object]
    order: Callable[[], Order] | None = None
    job: Job | None = None
    failed: Callable[[Job | None, MjError], Job | None] = lambda _job, _error: None
    timeout: float | None = None
    limits: Limits = NO_LIMITS


class _Place(NamedTuple):
    """Which of the jobs an item is, and what it prints to."""

    number: int
    task: Task
    turn: Turn


class Several:
    """The jobs of one command, a `Plan` of `mjcli.jobs.batch`.

    `verb` is the participle of what is not done to those that are left over, such as "sent".
    """

    def __init__(
        self, output: Output, tasks: Sequence[Task], account: Account, ledger: Ledger | None, *, verb: str
    ) -> None:
        self._output, self._tasks, self._verb = output, tasks, verb
        self._turns = Turns(output)
        self._board = Board(output, Counts(len(tasks), left=len(tasks)))
        self._engine = Engine([account], ledger, self)
        self._watches: dict[int, JobWatch] = {}  # by number, of the jobs in flight
        self._announced: set[int] = set()
        self._failed: set[int] = set()
        self._unknown = self._open = 0  # those of them that may be billed
        self._stopped: MjError | None = None  # why the rest is not sent
        self._done = 0

    def run(self, *, board: bool = True) -> None:
        """Run all jobs, with a board of their status unless something else is shown there."""
        items = [self._item(number, task) for number, task in enumerate(self._tasks, start=1)]
        with self._turns, self._board if board else contextlib.nullcontext():
            try:
                left = self._engine.run(items)
            except Interrupted as stop:
                self._explain(stop)
                raise
        skipped = sum(item.about.number not in self._failed for item in left)
        if self._stopped is not None:
            self._output.skipped(skipped, self._stopped, self._verb)

    def _item(self, number: int, task: Task) -> Item:
        return Item(
            order=None if task.order is None else lambda _profile, make=task.order: make(),  # type: ignore[misc]
            job=task.job,
            timeout=task.timeout,
            limits=task.limits,
            about=_Place(number, task, self._turns.turn(number)),
        )

    def _explain(self, stop: Interrupted) -> None:
        """Say what an interruption means for the jobs in flight, and for those that were not sent."""
        running, left = self._engine.running, self._engine.left
        if running:
            jobs = "The job in flight continues" if running == 1 else f"The {running} jobs in flight continue"
            are = "is" if running == 1 else "are"
            stop.sentence = f"Interrupted. {jobs} at the service and {are} billed if accepted and successful."
            stop.hint = command("resume")
        if left and (running or self._done):
            before = stop.sentence or "Interrupted."
            stop.sentence = f"{before} {left} more {'was' if left == 1 else 'were'} not {self._verb}."

    # -- a plan of the engine ----------------------------------------------------------------------

    def observer(self, item: Item) -> Observer:
        """What a job reports to."""
        place: _Place = item.about
        watch = self._watches[place.number] = place.task.watch(place.turn)
        return watch

    def started(self, item: Item) -> None:
        """Announce a job."""
        place: _Place = item.about
        if place.number not in self._announced:
            self._announced.add(place.number)
            place.turn.heading(place.number, len(self._tasks), place.task.title)
        self._show()

    def ended(self, ended: Ended) -> Iterable[Item]:
        """Print a failure; a result is printed with its files."""
        place: _Place = ended.item.about
        self._show()
        if (watch := self._watches.pop(place.number, None)) is not None:
            watch.__exit__(None, ended.error, None)
        if ended.error is None:
            return []
        if isinstance(ended.error, MjError):
            job = place.task.failed(ended.item.job, ended.error)
            if job is not None:
                return [ended.item._replace(job=job)]
            if not_sent(ended.error) or self._engine.stopped:
                self._stopped = self._stopped or ended.error
        self._fail(place, ended.error)
        return []

    def save(self, ended: Ended) -> None:
        """Save the files of a job and print its result."""
        place: _Place = ended.item.about
        place.task.finish(place.turn, ended)

    def saved(self, ended: Ended, result: Any) -> None:
        """End the turn of a job."""
        place: _Place = ended.item.about
        if isinstance(result, Exception):
            self._fail(place, result)
            return
        self._done += 1
        self._show()
        with place.turn:
            pass

    def tick(self) -> None:
        """Nothing is due."""

    # -- parts -------------------------------------------------------------------------------------

    def _fail(self, place: _Place, error: Exception) -> None:
        self._failed.add(place.number)
        if isinstance(error, MjError):
            self._unknown += error.exit_code == ExitCode.UNKNOWN
            self._open += error.exit_code == ExitCode.RUNNING
        with place.turn as turn:
            if isinstance(error, MjError):
                turn.failure(error)
            else:
                turn.unexpected(error)
        self._show()

    def _show(self) -> None:
        done, running = self._done, self._engine.running
        left = max(0, len(self._tasks) - done - len(self._failed) - running)
        failed = len(self._failed) - self._unknown - self._open
        self._board.update(
            Counts(
                len(self._tasks),
                done=done,
                failed=failed,
                unknown=self._unknown,
                running=running + self._open,
                left=left,
            )
        )

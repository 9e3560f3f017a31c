"""Many jobs at the same time, the one way in which `mj` runs several: each in a thread, paced for its account.

Every job goes through `Runner`, so that what holds for one job holds for each of many. The main thread decides
what runs next and gets told what came of it; nothing but that thread calls the methods of a `Plan`.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from mjcli.errors import (
    ApiError,
    ExitCode,
    Interrupted,
    LedgerError,
    LimitReached,
    MjError,
    NetworkError,
    StoreError,
)
from mjcli.jobs.budget import NO_LIMITS, Limits
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import KeyTaken, Ledger
from mjcli.jobs.order import Observer, Order, Outcome
from mjcli.jobs.pace import Pace, Stopped
from mjcli.jobs.poller import Poller
from mjcli.jobs.runner import Runner

JOBS, RATE = 5, 1.0  # the service's limits for one account: jobs in flight, submissions a second
SAVERS = 4  # jobs whose files are saved at the same time
LONGEST_WAIT = 1.0  # seconds after which the main thread looks at the clock again

# After one of these refusals the account can send nothing more.
_ACCOUNT = (ExitCode.AUTH, ExitCode.BALANCE)
# After one of these, no job can be sent.
_EVERYTHING = (NetworkError, LedgerError, StoreError)


class Item(NamedTuple):
    """One job of many: its row in the ledger, or its order, which is made for an account when its turn comes.

    `profile` names the one account that may run it. `timeout` is its deadline in seconds and `limits` are those that
    hold if it is sent, both for one of the ledger. It does not start before `after`, a reading of the monotonic
    clock. `about` is what the caller knows it by.
    """

    order: Callable[[str], Order] | None = None
    job: Job | None = None
    profile: str | None = None
    timeout: float | None = None
    limits: Limits = NO_LIMITS
    after: float = 0.0
    about: Any = None


class Ended(NamedTuple):
    """How a job ended: with an outcome or with an error. `joined` says that another process sent it."""

    item: Item
    account: Account
    outcome: Outcome | None = None
    error: Exception | None = None
    order: Order | None = None
    joined: bool = False


class OtherAccount(Exception):
    """Another process has sent the same item with another account, which alone can follow `job`."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"The job belongs to another account, {job.profile}.")
        self.job = job


class Plan(Protocol):
    """What is done with the jobs. All methods but `save` and `observer` are called in the main thread."""

    def observer(self, item: Item) -> Observer:
        """What a job reports to while it runs, in its own thread."""

    def started(self, item: Item) -> None:
        """A job is about to be sent or continued."""

    def ended(self, ended: Ended) -> Iterable[Item]:
        """A job has ended; returns the jobs that follow from it, which come next."""

    def save(self, ended: Ended) -> Any:
        """Save the files of a job, in another thread; returns what `saved` gets."""

    def saved(self, ended: Ended, result: Any) -> None:
        """The files of a job are saved; `result` is what `save` returned, or the exception that it raised."""

    def tick(self) -> None:
        """Called at least every `LONGEST_WAIT` seconds."""


class Account:
    """One account that runs jobs: at most `jobs` in flight, `rate` submissions a second; None: the service's limits.

    Without `takes_any`, it runs only items that are bound to it.
    """

    def __init__(
        self,
        name: str,
        runner: Callable[[Poller, Pace], Runner],
        poller: Poller,
        *,
        jobs: int | None = None,
        rate: float | None = None,
        takes_any: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name, self.jobs, self.takes_any = name, jobs or JOBS, takes_any
        self.pace = Pace(rate or RATE, clock=clock)
        self.poller = poller
        self.runner = runner(poller, self.pace)
        self.running = 0
        #: Why it sends nothing more.
        self.closed: Exception | None = None

    def may_run(self, item: Item) -> bool:
        """Whether it may run an item, now or later."""
        bound = item.profile == self.name if item.profile is not None else self.takes_any
        return bound and self.closed is None


class Engine:
    """Runs items until none is left. `accounts` may grow meanwhile; `ledger` is None where no record is kept."""

    def __init__(
        self, accounts: Sequence[Account], ledger: Ledger | None, plan: Plan, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._accounts, self._ledger, self._plan, self._clock = accounts, ledger, plan, clock
        self._pending: deque[Item] = deque()
        self._bound: Counter[str | None] = Counter()  # those of them that are bound to each account
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._work: queue.SimpleQueue[tuple[Item, Account]] = queue.SimpleQueue()
        self._to_save: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._workers = self._savers = self._saving = 0
        #: Whether nothing more is started.
        self.stopped = False

    @property
    def running(self) -> int:
        """The number of jobs in flight."""
        return sum(account.running for account in self._accounts)

    @property
    def left(self) -> int:
        """The number of items that were not started."""
        return len(self._pending)

    def stop(self) -> None:
        """Send nothing more; jobs in flight are followed to their end. May be called by a signal handler."""
        self.stopped = True
        for account in self._accounts:
            account.pace.stop()
        self._events.put(lambda: None)

    def run(self, items: Iterable[Item]) -> list[Item]:
        """Run all items; return those that were not sent because of `stop`, a limit, or a closed account."""
        self._put(items)
        try:
            while True:
                pause = self._start_what_may()
                if not (self.running or self._saving) and (pause is None or self.stopped):
                    return list(self._pending)
                self._handle_events(LONGEST_WAIT if pause is None else min(pause, LONGEST_WAIT))
                self._plan.tick()
        except Interrupted as stop:
            stop.threads_run = True
            raise
        finally:
            for account in self._accounts:
                account.poller.close()

    def _put(self, items: Iterable[Item], *, first: bool = False) -> None:
        """Let items wait for their turn, after the others or before them."""
        items = list(items)
        self._bound.update(item.profile for item in items)
        if first:
            self._pending.extendleft(reversed(items))
        else:
            self._pending.extend(items)

    # -- starting ----------------------------------------------------------------------------------

    def _start_what_may(self) -> float | None:
        """Start each item that may start now; return the seconds until the next one may, None if none can."""
        if self.stopped:
            return None
        while self._pending:
            places = [self._place(item) for item in self._first()]
            soonest = min((place for place in places if place is not None), default=None)
            if soonest is None:
                return None if not self._can_ever() else LONGEST_WAIT
            seconds, index, account = soonest
            if seconds > 0:
                return seconds
            item = self._pending[index]
            del self._pending[index]
            self._bound[item.profile] -= 1
            self._start(item, account)
        return None

    def _first(self) -> Iterable[tuple[int, Item]]:
        """The next item for any account, and the next one for each that is bound to one."""
        any_account = False
        left = {account.name for account in self._accounts if self._bound[account.name]}
        for index, item in enumerate(self._pending):
            if item.profile is None and not any_account:
                any_account = True
                left -= {account.name for account in self._accounts if account.takes_any}
                yield index, item
            elif item.profile in left:
                left.discard(item.profile)
                yield index, item
            if any_account and not left:
                return

    def _place(self, numbered: tuple[int, Item]) -> tuple[float, int, Account] | None:
        """Where an item may run soonest, and in how many seconds; None if not until another job has ended."""
        index, item = numbered
        rest = item.after - self._clock.monotonic()
        free = [
            (
                max(rest, 0.0 if item.job is not None and item.job.task_id else account.pace.seconds_left),
                index,
                account,
            )
            for account in self._accounts
            if account.may_run(item) and account.running < account.jobs
        ]
        return min(free, key=lambda place: place[0], default=None)

    def _can_ever(self) -> bool:
        """Whether any item may run once others have ended."""
        return any(account.may_run(item) for item in self._pending for account in self._accounts)

    def _start(self, item: Item, account: Account) -> None:
        if item.job is None or item.job.task_id is None:
            account.pace.take()
        account.running += 1
        self._plan.started(item)
        if self.running > self._workers:
            self._workers += 1
            threading.Thread(target=self._run_jobs, name="job", daemon=True).start()
        self._work.put((item, account))

    # -- in other threads --------------------------------------------------------------------------

    def _run_jobs(self) -> None:
        while True:
            item, account = self._work.get()
            ended = self._run_job(item, account)
            self._events.put(lambda ended=ended: self._end(ended))  # type: ignore[misc]

    def _run_job(self, item: Item, account: Account) -> Ended:
        """Run one job to its end. Whatever goes wrong concerns this job alone."""
        order: Order | None = None
        try:
            observer = self._plan.observer(item)
            job = item.job
            if job is None:
                assert item.order is not None
                order = item.order(account.name)
                try:
                    return Ended(item, account, account.runner.run(order, observer), order=order)
                except KeyTaken:  # another process has started the same item meanwhile
                    job = self._job_of(order, account)
                    if job is None:
                        raise
                    if job.profile != account.name:
                        raise OtherAccount(job) from None
            timeout, limits = (item.timeout, item.limits) if order is None else (order.timeout, order.limits)
            outcome = account.runner.resume(job, observer, timeout=timeout, limits=limits)
            joined = order is not None
            return Ended(item, account, outcome, order=order or Order.of(job), joined=joined)
        except Exception as error:
            return Ended(item, account, error=error, order=order)

    def _job_of(self, order: Order, account: Account) -> Job | None:
        if self._ledger is None or order.batch is None or order.item is None:
            return None
        return self._ledger.by_item(order.batch, order.item, sandbox=account.runner.host == "sandbox")

    def _save_files(self) -> None:
        while True:
            ended = self._to_save.get()
            try:
                result = self._plan.save(ended)
            except Exception as error:
                result = error
            self._events.put(lambda ended=ended, result=result: self._saved(ended, result))  # type: ignore[misc]

    # -- what came of it ---------------------------------------------------------------------------

    def _handle_events(self, seconds: float) -> None:
        """Wait for something to happen, and handle everything that has."""
        try:
            event = self._events.get(timeout=seconds)
            while True:
                event()
                event = self._events.get_nowait()
        except queue.Empty:
            pass

    def _end(self, ended: Ended) -> None:
        ended.account.running -= 1
        if not_sent(ended.error):
            self._put([ended.item], first=True)
        if isinstance(ended.error, (LimitReached, Stopped, *_EVERYTHING)):
            self.stopped = True
        elif not_sent(ended.error):
            ended.account.closed = ended.account.closed or ended.error
        following = list(self._plan.ended(ended))
        self._put([item for item in following if not item.after], first=True)
        self._put([item for item in following if item.after])
        if ended.outcome is not None:
            self._saving += 1
            if self._saving > self._savers and self._savers < SAVERS:
                self._savers += 1
                threading.Thread(target=self._save_files, name="saver", daemon=True).start()
            self._to_save.put(ended)

    def _saved(self, ended: Ended, result: Any) -> None:
        self._saving -= 1
        self._plan.saved(ended, result)


def not_sent(error: Exception | None) -> bool:
    """Whether a job stays unsent for a reason that is not its own: a stop, a limit, the account, the ledger."""
    if isinstance(error, ApiError) and error.accepted:
        return False
    if isinstance(error, (LimitReached, LedgerError, Stopped)):
        return True
    return isinstance(error, MjError) and error.exit_code in _ACCOUNT

"""Which of several machines runs which item of a batch, so that none is sent twice.

A claim is an object that only one process can create, just before it sends the request. A process that stops there
leaves a claim without a result. Others wait until its owner can no longer send, then search the account's tasks.

One `Claims` serves a batch in one process. Its methods and those of its claims may be called in any thread, and wait
for the store and the service; one claim belongs to one thread at a time. In the thread that runs a job, in this order:

    1. `Claims.acquire(item, request)` after the job's row is in the ledger and before a connection is made. It returns
       a `Claim` (send now) or a `Taken` (send nothing).
    2. `Claim.may_send()` directly before the first byte, and again before each retry. False: send nothing, `release()`
       the claim and go on at 1.
    3. `Claim.accepted(task_id)` as soon as the task id is in the ledger.

In any thread, once the job has ended: `Claim.finish("done" or "failed", …)` after its files are in the store, or
`Claim.release()` if it was certainly not accepted (then anyone may send it). A job whose fate is unknown gets neither.
After a restart, `Claims.reopen(item, uuid)` returns the claim of a row, to be finished or released.

`mjcli.jobs.gate` does this for a `Runner`.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

from mjcli.api import TaskRecord
from mjcli.errors import StoreError
from mjcli.jobs.account_tasks import Account, TooManyTasks
from mjcli.jobs.claim_objects import ClaimRecord, Ending, Keys, Place, Request, Result, Store
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.recover import CLOCK_TOLERANCE, matches_request

SEND_SECONDS = 30.0  # age of a claim from which on its owner does not send
WAIT_SECONDS = 600.0  # age of another's claim from which on its owner is taken for stopped
_READERS = 16  # objects that are read at a time

State = Literal["done", "failed", "running", "waiting", "unknown"]
STATES: tuple[State, ...] = ("done", "failed", "running", "waiting", "unknown")
Retry = Literal["done", "failed", "unknown"]


class Taken(NamedTuple):
    """An item that must not be sent now.

    done, failed: `result` says how it ended. running: its task is known, and `claim` finishes it. waiting: its owner
    may still send; look again in `seconds`. unknown: `reason` says why it is not known whether it was accepted.
    """

    item: str
    generation: int
    state: State
    result: Result | None = None
    claim: Claim | None = None
    seconds: float = 0.0
    reason: str = ""
    host: str = ""


class Counts(NamedTuple):
    """How many items of a batch are in which state; `waiting` are those that are being sent."""

    done: int
    failed: int
    running: int
    waiting: int
    unknown: int


class _Owned(NamedTuple):
    """When a claim was made, on three clocks: some do not run while the machine sleeps, others may be set."""

    time: float
    monotonic: float
    uptime: float | None

    @classmethod
    def now(cls, clock: Clock) -> _Owned:
        return cls(clock.time(), clock.monotonic(), clock.uptime())

    def is_recent(self, clock: Clock) -> bool:
        now = _Owned.now(clock)
        ages = [now.time - self.time, now.monotonic - self.monotonic]
        if self.uptime is not None and now.uptime is not None:
            ages.append(now.uptime - self.uptime)
        return all(0 <= age < SEND_SECONDS for age in ages)


class Claim:
    """The right to send one request, or to finish a job that was sent. All methods raise `StoreError`."""

    def __init__(
        self, claims: Claims, place: Place, record: ClaimRecord, owned: _Owned | None = None
    ) -> None:
        self.item, self.generation, self.account = record.item, place.generation, record.account
        self.task_id: str | None = None
        self._claims, self._place, self._record, self._owned = claims, place, record, owned

    def may_send(self) -> bool:
        """Whether the request may be sent now: ask directly before its first byte, and again before a retry."""
        return self._owned is not None and self.task_id is None and self._owned.is_recent(self._claims.clock)

    def accepted(self, task_id: str) -> None:
        """Record the task that the service made, so that others need not search for it."""
        self.task_id = task_id
        self._claims.record_task(self._place, task_id)

    def finish(
        self,
        state: Ending,
        *,
        task_id: str | None = None,
        image_id: str | None = None,
        files: Iterable[str] = (),
        cost: float | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> Result:
        """Record how the job ended, and return what is recorded: another process may have been first."""
        self._owned = None
        task_id = task_id or self.task_id
        if task_id is not None and self.task_id is None:
            self.accepted(task_id)
        return self._claims.record_result(
            self._place,
            Result(
                self.item,
                state,
                self._claims.now(self.account),
                task_id,
                image_id,
                tuple(files),
                cost,
                error,
                self._record.job,
                self._claims.host,
            ),
        )

    def release(self) -> None:
        """Record that the request was certainly not accepted, so that anyone may send it."""
        self.finish("not_sent")


class Claims:
    """The claims of one batch. All methods may be called in any thread, and raise errors of store and client.

    `accounts` are those that this process can search. `hide` masks the tokens in a text.
    """

    def __init__(
        self,
        store: Store,
        batch: str,
        accounts: Iterable[Account],
        *,
        sandbox: bool = False,
        hide: Callable[[str], str] = str,
        clock: Clock = SYSTEM_CLOCK,
        host: str | None = None,
    ) -> None:
        self.clock = clock
        self.host = host or socket.gethostname()
        self.owner = f"{uuid.uuid4().hex}-{os.getpid()}"
        self._store, self._keys = store, Keys(batch, sandbox=sandbox)
        self._hide = hide
        self._accounts = {each.fingerprint: each for each in accounts}
        self._lock = threading.Lock()
        self._newest: dict[str, Place] | None = None  # attempt at each name
        self._records: dict[Place, ClaimRecord | None] = {}
        self._results: dict[Place, Result] = {}
        self._unsent: set[str] = set()  # ids of claims that were never given to a caller
        self._first: dict[str, tuple[int, State | None]] = {}  # what this process found when it began
        self._seen: dict[Place, float] = {}  # reading of the monotonic clock

    def include(self, account: Account) -> None:
        """Search this account, too."""
        self._accounts[account.fingerprint] = account

    # -- to run an item ----------------------------------------------------------------------------

    def acquire(self, item: str, request: Request, *, retry: Collection[Retry] = ()) -> Claim | Taken:
        """Claim an item in order to send its request at once, or say who has it.

        `retry` are the states in which it is sent again, once for each process.
        """
        place = self._newest_place(item)
        while True:
            if not self._is_claimed(place):
                claim = self._create(place, item, request)
                if claim is not None:
                    self._first.setdefault(item, (place.generation, None))
                    return claim
            taken = self._taken(place, item)
            if taken is not None and not self._may_retry(taken, retry):
                return taken
            place = place.next

    def reopen(self, item: str, job: str, task_id: str | None = None) -> Claim | None:
        """Return the claim that was made for a job of this machine's ledger and has no result, to finish it.

        With `task_id`, it may also be that of another machine whose task this job follows. A claim of this job can be
        released if the ledger shows that the request was not accepted, but never sent.
        """
        place = self._newest_place(item)
        while self._is_claimed(place):
            record = self._records.get(place)
            is_own = record is not None and record.item == item and self._result(place) is None
            if record is not None and is_own and (record.job == job or self._has_task(place, task_id)):
                return Claim(self, place, record)
            place = place.next
        return None

    def is_foreign(self, item: str, account: str, task: TaskRecord) -> bool:
        """Whether a task that matches the request of this process's item is, or may be, of another item."""
        name = self._keys.place(item, 1)[:2]
        ended = self._places(self._keys.results)
        known = self._known_tasks(self._keys.tasks)
        if any(task_id == task.id and place[:2] != name for place, task_id in known.items()):
            return True
        own = {place for place in self._places(self._keys.own_claims) if place[:2] == name}
        return self._contested(task, account, ended | known.keys() | own) > 0

    # -- to report ---------------------------------------------------------------------------------

    def results(self) -> list[Taken]:
        """Return the newest attempt at every item, without a search: a claim that is too old is unknown."""
        names = {place.name: place for place in sorted(self._places(self._keys.own_claims))}
        known = self._known_tasks(self._keys.own_tasks)
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(lambda place: self._report(place, known), names.values())
            return [each for each in found if each]

    def _report(self, place: Place, known: Mapping[Place, str]) -> Taken | None:
        result = self._result(place)
        if result is not None:
            return None if result.state == "not_sent" else _ended(result, place)
        if not self._is_claimed(place):
            return None
        record = self._records.get(place)
        item, host = (record.item, record.host) if record else (place.name, "")
        state: State = (
            "running" if place in known else "waiting" if self._wait(place, record) > 0 else "unknown"
        )
        return Taken(item, place.generation, state, host=host)

    # -- what a claim is worth ---------------------------------------------------------------------

    def _create(self, place: Place, item: str, request: Request) -> Claim | None:
        """Create a claim; None if another process has."""
        now = self._accounts[request.account].now()
        record = ClaimRecord(
            item,
            uuid.uuid4().hex,
            self.owner,
            self.host,
            now,
            request.account,
            request.fingerprint,
            request.path,
            request.recorded,
            request.job,
        )
        owned = _Owned.now(self.clock)
        self._unsent.add(record.id)
        if not self._store.create(self._keys.claim(place), self._dumped(record)):
            if not self._is_claimed(place):
                raise StoreError(
                    f'"{self._keys.claim(place)}" exists and cannot be found in the object store.'
                )
            found = self._records.get(place)
            # A repeated attempt finds its own object.
            if found is None or found.id != record.id:
                self._unsent.discard(record.id)
                return None
        self._records[place] = record
        self._unsent.discard(record.id)
        return Claim(self, place, record, owned)

    def _taken(self, place: Place, item: str) -> Taken | None:
        """The state of a claim; None if its request was not sent."""
        result = self._result(place)
        if result is not None:
            return None if result.state == "not_sent" else _ended(result, place)
        record = self._records.get(place)
        if record is None and place in self._results:  # another thread has just found it
            return self._taken(place, item)
        if record is not None and record.id in self._unsent:
            self.record_result(place, Result(item, "not_sent", self.now(record.account), host=self.host))
            return None
        if record is None or record.item != item:
            return self._undecided(place, item, record, f'the object "{self._keys.claim(place)}" is damaged')
        if (task_id := self._task(place)) is not None:
            return self._running(place, record, task_id)
        return self._searched(place, record)

    def _searched(self, place: Place, record: ClaimRecord) -> Taken:
        """Search the tasks for that of a claim whose owner has stopped."""
        account = self._accounts.get(record.account)
        if self._wait(place, record) > 0 or account is None:
            return self._undecided(
                place, record.item, record, "it was sent with the token of another account"
            )
        since, until = record.time - CLOCK_TOLERANCE, record.time + WAIT_SECONDS
        try:
            tasks = account.tasks_since(since, listed_after=until)
        except TooManyTasks as error:
            return self._undecided(place, record.item, record, error.message)
        found = {
            task.id: task
            for task in tasks
            if task.id and (task.created_at or 0) <= until and matches_request(task, record.path, record.body)
        }
        # In this order: the sender of a task has a claim by now, and records the task before the result.
        ended = self._places(self._keys.results)
        others = self._known_tasks(self._keys.tasks)
        if place in others:
            return self._running(place, record, others[place])
        ids = found.keys() - account.known(found.keys()) - set(others.values())
        if len(ids) != 1:
            reason = (
                f"{len(ids)} of the account's tasks have the same request" if ids else "no task was found"
            )
            return self._undecided(place, record.item, record, reason)
        task_id = ids.pop()
        decided = ended | others.keys() | {place}
        if (seconds := self._contested(found[task_id], record.account, decided)) > 0:
            return Taken(record.item, place.generation, "waiting", seconds=seconds, host=record.host)
        if not self._adopt(place, task_id):
            return self._undecided(place, record.item, record, "its task belongs to an equal line")
        return self._running(place, record, task_id)

    def _undecided(self, place: Place, item: str, record: ClaimRecord | None, reason: str) -> Taken:
        host, seconds = record.host if record else "", self._wait(place, record)
        state: State = "waiting" if seconds > 0 else "unknown"
        return Taken(item, place.generation, state, seconds=seconds, reason=reason, host=host)

    def _running(self, place: Place, record: ClaimRecord, task_id: str) -> Taken:
        claim = Claim(self, place, record)
        claim.task_id = task_id
        return Taken(record.item, place.generation, "running", claim=claim, host=record.host)

    def _may_retry(self, taken: Taken, retry: Collection[Retry]) -> bool:
        """Whether an attempt may be followed by another: a job that failed since this process began may not."""
        first = self._first.setdefault(taken.item, (taken.generation, taken.state))
        if taken.state == "unknown":
            return "unknown" in retry and taken.generation <= first[0]
        return taken.state in retry and (taken.generation, taken.state) == first

    def _wait(self, place: Place, record: ClaimRecord | None) -> float:
        """Seconds until the owner of a claim is taken for stopped, by the service's clock or by ours."""
        monotonic = self.clock.monotonic()
        age = monotonic - self._seen.setdefault(place, monotonic)
        if record is not None:
            age = max(age, self.now(record.account) - record.time)
        return WAIT_SECONDS - age

    def _contested(self, task: TaskRecord, account: str, decided: Collection[Place]) -> float:
        """Seconds until no other process can be sending a request that this task may be of."""
        waits = [0.0]
        for each in self._places(self._keys.claims).difference(decided):
            if not self._is_claimed(each) or each in self._results:
                continue
            other = self._records.get(each)
            if other is None or (other.account == account and matches_request(task, other.path, other.body)):
                waits.append(self._wait(each, other))
        return max(waits)

    # -- objects -----------------------------------------------------------------------------------

    def now(self, account: str) -> float:
        """Return the time of the service's clock; of any account, if this one is not ours."""
        found = self._accounts.get(account) or next(iter(self._accounts.values()), None)
        return found.now() if found is not None else self.clock.time()

    def record_task(self, place: Place, task_id: str) -> None:
        """Record the task of a claim."""
        key = self._keys.task(place, task_id)
        if key is not None:
            self._store.create(key, b"{}")

    def record_result(self, place: Place, result: Result) -> Result:
        """Record the result of a claim, unless it has one; return the one that it has."""
        if self._store.create(self._keys.result(place), self._dumped(result)):
            self._note(place, result)
            return result
        return self._result(place) or result

    def _adopt(self, place: Place, task_id: str) -> bool:
        """Take a task for an item; False if another process has just taken it for an equal one."""
        mine = f"{place.batch}/{place.name}.{place.generation}".encode()
        key = self._keys.adopted(task_id)
        if key is None or not (self._store.create(key, mine) or self._store.get(key) == mine):
            return False
        self.record_task(place, task_id)
        return True

    def _dumped(self, content: ClaimRecord | Result) -> bytes:
        """The content of an object, without tokens."""
        return self._hide(content.dump().decode()).encode()

    def _newest_place(self, item: str) -> Place:
        """The newest attempt at an item when this process began; an earlier one says nothing any more."""
        place = self._keys.place(item, 1)
        with self._lock:
            if self._newest is None:
                places = sorted(self._places(self._keys.own_claims))
                self._newest = {each.name: each for each in places}
            return self._newest.get(place.name, place)

    def _places(self, prefix: str) -> set[Place]:
        return {place for key in self._store.list(prefix) if (place := self._keys.place_of(key)) is not None}

    def _known_tasks(self, prefix: str) -> dict[Place, str]:
        """The tasks of all items of one batch or of all."""
        return dict(found for key in self._store.list(prefix) if (found := self._keys.task_of(key)))

    def _task(self, place: Place) -> str | None:
        keys = self._store.list(self._keys.tasks_of(place))
        return next((found[1] for key in sorted(keys) if (found := self._keys.task_of(key))), None)

    def _has_task(self, place: Place, task_id: str | None) -> bool:
        return task_id is not None and self._task(place) == task_id

    def _is_claimed(self, place: Place) -> bool:
        """Whether there is a claim, which is then in `_records` unless its result is known."""
        if place not in self._records and place not in self._results:
            data = self._store.get(self._keys.claim(place))
            if data is None:
                return False
            self._records[place] = ClaimRecord.load(data)
        return True

    def _result(self, place: Place) -> Result | None:
        if place not in self._results:
            data = self._store.get(self._keys.result(place))
            if data is None:
                return None
            result = Result.load(data)
            if result is None:
                raise StoreError(
                    f'"{self._keys.result(place)}" in the object store is not a result.',
                    hint="delete this object to search for its job again",
                )
            self._note(place, result)
        return self._results[place]

    def _note(self, place: Place, result: Result) -> None:
        self._results[place] = result
        self._records.pop(place, None)  # it holds a whole request, and is not needed any more


def _ended(result: Result, place: Place) -> Taken:
    state: State = "done" if result.state == "done" else "failed"
    return Taken(result.item, place.generation, state, result=result, host=result.host or "")


def count(store: Store, batch: str, *, sandbox: bool = False, clock: Clock = SYSTEM_CLOCK) -> Counts:
    """Count the items of a batch that any machine has claimed; without an account, nothing is searched."""
    found = Claims(store, batch, [], sandbox=sandbox, clock=clock).results()
    states = Counter(each.state for each in found)
    return Counts(*(states[name] for name in STATES))

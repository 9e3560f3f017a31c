"""A store, a service and a clock in memory that several processes share; each operation is a step that may end one."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from mjcli.api import TaskRecord
from mjcli.jobs.account_tasks import Account
from mjcli.jobs.claim_objects import Request
from mjcli.jobs.claims import Claim, Claims, Retry, State
from tests.jobs.fakes import FakeClock
from tests.support.service import task_record

PATH = "/midjourney/imagine"
ACCOUNT = "account"


class Killed(BaseException):
    """The process ends here."""


class World:
    """What processes share. `step` is called before and after each operation on it, and may raise."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.offset: float | None = 0.0  # of the service's clock
        self.objects: dict[str, bytes] = {}
        self.tasks: list[dict[str, Any]] = []
        self.accepted: Counter[tuple[str, int]] = Counter()
        self.lost_creates = 0  # that succeed and raise
        self.listings = 0
        self.step: Callable[[], None] = lambda: None

    # -- the store

    def put(self, key: str, data: bytes) -> None:
        raise AssertionError("no object is ever replaced")

    def put_file(self, key: str, path: Path) -> None:
        raise AssertionError("files are not the claims' business")

    def create(self, key: str, data: bytes) -> bool:
        self.step()
        created = key not in self.objects
        if created:
            self.objects[key] = data
        self.step()
        if self.lost_creates:
            self.lost_creates -= 1
            raise OSError("timed out")
        return created

    def get(self, key: str) -> bytes | None:
        self.step()
        return self.objects.get(key)

    def list(self, prefix: str) -> Iterator[str]:
        assert prefix.endswith("/")
        self.step()
        return iter([key for key in self.objects if key.startswith(prefix)])

    # -- the service

    @property
    def clock_offset(self) -> float | None:
        return self.offset if self.listings else None

    def recent_tasks(self, *, offset: int = 0, limit: int = 50) -> list[TaskRecord]:
        self.step()
        self.listings += 1
        return [TaskRecord(each) for each in self.tasks[::-1][offset : offset + limit]]

    def task(self, prompt: str, *, age: float = 0.0, task_id: str | None = None) -> str:
        """Put a task at the service, created `age` seconds ago; return its id."""
        task_id = task_id or f"task-{len(self.tasks)}"
        created = self.clock.time() + (self.offset or 0.0) - age
        self.tasks.append(task_record(task_id, {"prompt": prompt}, None) | {"created_at": created})
        return task_id

    def post(self, item: str, generation: int) -> str:
        self.step()
        self.accepted[item, generation] += 1
        task_id = self.task(prompt_of(item))
        self.step()
        return task_id

    # -- a process

    def account(self, known: Collection[str] = ()) -> Account:
        return Account(self, ACCOUNT, known=lambda ids: set(known) & set(ids), clock=self.clock)

    def claims(self, *, known: Collection[str] = (), host: str = "host") -> Claims:
        """A process with an empty memory."""
        return Claims(self, "prompts.txt", [self.account(known)], clock=self.clock, host=host)


def prompt_of(item: str) -> str:
    """The prompt of an item; `a cat#2` is equal to `a cat`."""
    return item.partition("#")[0]


def request_of(item: str, job: str | None = None) -> Request:
    return Request(PATH, {"prompt": prompt_of(item), "callback_url": "https://secret.example"}, ACCOUNT, job)


def run(
    world: World, items: Collection[str], chance: random.Random, retry: Collection[Retry] = ()
) -> dict[str, State]:
    """Run items as a process does, to the end; return how each ended."""
    claims, states, pending = world.claims(), dict[str, State](), list(items)
    while pending:
        item = pending.pop(chance.randrange(len(pending)))
        found = claims.acquire(item, request_of(item), retry=retry)
        if isinstance(found, Claim):
            if chance.random() < 0.1:
                world.clock.sleep(chance.choice((5.0, 29.0, 31.0, 2000.0)))  # a lid is closed
            world.step()
            if not found.may_send() or chance.random() < 0.1:
                found.release()
                pending.append(item)
            else:
                found.accepted(world.post(item, found.generation))
                states[item] = found.finish("done").state  # type: ignore[assignment]
        elif found.state == "waiting":
            world.clock.sleep(min(found.seconds, 60.0))
            pending.append(item)
        elif found.state == "running":
            assert found.claim is not None
            states[item] = found.claim.finish("done").state  # type: ignore[assignment]
        else:
            states[item] = found.state
    return states


class Turns:
    """Lets several threads run one step at a time, in an order that the seed decides, and kills some of them."""

    def __init__(self, chance: random.Random, kills: float) -> None:
        self._chance, self._kills = chance, kills
        self._turn = threading.Condition()
        self._waiting: dict[int, bool] = {}  # whether it is this thread's turn
        self._alive = 0
        self.errors: list[BaseException] = []

    def run(self, processes: Collection[Callable[[], object]]) -> int:
        """Run processes until all have ended; return how many were killed."""
        self._alive, self._waiting = len(processes), {}
        deaths: list[None] = []

        def body(process: Callable[[], object]) -> None:
            try:
                process()
            except Killed:
                deaths.append(None)
            except BaseException as error:
                self.errors.append(error)
            with self._turn:
                self._alive -= 1
                self._next()

        threads = [threading.Thread(target=body, args=(each,)) for each in processes]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return len(deaths)

    def step(self) -> None:
        """Wait for this thread's turn; it may never come."""
        me = threading.get_ident()
        with self._turn:
            self._waiting[me] = False
            self._next()
            while not self._waiting[me]:
                self._turn.wait()
            del self._waiting[me]
        if self._chance.random() < self._kills:
            raise Killed

    def _next(self) -> None:
        # The order depends on the seed alone when every live thread waits.
        if self._waiting and len(self._waiting) == self._alive:
            chosen = self._chance.choice(list(self._waiting))
            self._waiting[chosen] = True
            self._turn.notify_all()

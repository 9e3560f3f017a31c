"""The recent tasks of one account, listed once for many lost requests, on the service's clock."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection
from typing import Protocol

from mjcli.api import TaskRecord
from mjcli.errors import MjError
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.recover import FEWEST_PER_PAGE, PAGE

PAGES = 400  # of one listing
PAUSE_SECONDS = 1.0  # between pages, the service's limit


class TooManyTasks(MjError):
    """The account has more tasks than a listing returns, so what is not found may exist."""


class TaskList(Protocol):
    """What is needed of `mjcli.api.Client`."""

    @property
    def clock_offset(self) -> float | None: ...

    def recent_tasks(self, *, offset: int = 0, limit: int = 50) -> list[TaskRecord]: ...


def account_fingerprint(base_url: str, token: str) -> str:
    """Return what identifies an account without showing its token: equal on all machines that use this token."""
    return hashlib.sha256(f"mj account\n{base_url}\n{token}".encode()).hexdigest()[:16]


def _none_known(_: Collection[str]) -> set[str]:
    return set()


class Account:
    """An account of the service. All methods may be called in any thread, and raise the client's errors.

    `known` returns those of some task ids that belong to other jobs of this machine's ledger.
    """

    def __init__(
        self,
        client: TaskList,
        fingerprint: str,
        *,
        known: Callable[[Collection[str]], set[str]] = _none_known,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.fingerprint = fingerprint
        self.known = known
        self._client, self._clock = client, clock
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskRecord] = {}
        self._listed_at, self._covered_since = float("-inf"), float("inf")
        self._asked = False

    def now(self) -> float:
        """Return the time of the service's clock, in Unix seconds."""
        if self._client.clock_offset is None and not self._asked:
            self._client.recent_tasks(limit=1)  # any response shows the service's time
            self._asked = True
        return self._clock.time() + (self._client.clock_offset or 0.0)

    def tasks_since(self, since: float, *, listed_after: float) -> list[TaskRecord]:
        """Return all tasks created since a time, from a listing made after another; both on the service's clock.

        Raises `TooManyTasks` if the account has too many.
        """
        with self._lock:
            if self._listed_at < listed_after or self._covered_since > since:
                self._list(min(since, self._covered_since))
            return [task for task in self._tasks.values() if (task.created_at or 0.0) >= since]

    def _list(self, since: float) -> None:
        began, tasks, offset = self.now(), dict[str, TaskRecord](), 0
        for number in range(PAGES):
            if number:
                self._clock.sleep(PAUSE_SECONDS)
            page = self._client.recent_tasks(offset=offset, limit=PAGE)
            # New tasks shift the others, so a page may repeat tasks of the previous one.
            new = {task.id: task for task in page if task.id and task.id not in tasks}
            tasks |= new
            offset += len(page)
            dated = [task.created_at for task in page if task.created_at is not None]
            if len(page) < FEWEST_PER_PAGE or not new or (dated and min(dated) < since):
                break
        else:
            raise TooManyTasks(f"The account has more than {len(tasks)} tasks since then.")
        self._tasks, self._listed_at, self._covered_since = tasks, began, since

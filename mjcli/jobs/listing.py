"""List the tasks of the account, page by page, at most one request per second."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mjcli.api import Client, TaskRecord
from mjcli.api.client import MOST_IDS
from mjcli.api.models import is_record, text_of
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.recover import FEWEST_PER_PAGE

PAGE = 100  # tasks per request
SECONDS = 1.0  # between requests
_CLOCK_MARGIN = 300  # seconds; the difference of the clocks is not known before the first response


class TaskFilter(NamedTuple):
    """Which tasks are listed. `type` is that of the service; times are Unix seconds of our clock."""

    type: str | None = None
    since: float = -math.inf
    before: float = math.inf
    traces: Sequence[str] = ()

    @property
    def excludes(self) -> bool:
        """Whether it may exclude a task."""
        return self != TaskFilter()

    def matches(self, task: TaskRecord, offset: float) -> bool:
        """Whether a task is listed; the service's clock is `offset` seconds ahead. What is missing matches."""
        created = task.created_at
        return (
            (self.type is None or task.type in (None, self.type))
            and (created is None or self.since <= created - offset < self.before)
            and (not self.traces or text_of(task.document.get("trace_id")) in self.traces)
        )


class TaskListing:
    """The tasks of the account that a filter lets through, newest first, each once.

    `read` is how many records were read so far, `malformed` how many of them are malformed. `complete` says, after
    the last page, that every task of the account was listed.
    """

    def __init__(self, client: Client, which: TaskFilter, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._client, self._which, self._clock = client, which, clock
        self._asked_at = -math.inf
        self._seen: set[str] = set()
        self.read = self.malformed = 0
        self.complete = False

    def pages(self, *, offset: int = 0, limit: int | None = None) -> Iterator[list[TaskRecord]]:
        """Yield the tasks of each page; skip `offset` tasks and end after `limit`. Raises as `Client.task` does."""
        traces = self._which.traces
        for start in range(0, max(len(traces), 1), MOST_IDS):
            for page in self._pages(traces[start : start + MOST_IDS], offset, limit):
                page = page if limit is None else page[:limit]
                limit = None if limit is None else limit - len(page)
                yield page
                if limit == 0:
                    self.complete = False
                    return
        self.complete = self.complete and offset == 0 and not self._which.excludes

    def _pages(self, traces: Sequence[str], offset: int, limit: int | None) -> Iterator[list[TaskRecord]]:
        size = PAGE if limit is None or self._which.excludes else min(PAGE, limit)
        while True:
            page = self._query(offset, size, traces)
            offset += len(page)
            self.read += len(page)
            records = [task for task in page if is_record(task.document)]
            self.malformed += len(page) - len(records)
            # New tasks shift the others, so a page may repeat tasks of the previous one.
            new = [task for task in records if task.id not in self._seen]
            self._seen.update(task.id for task in new if task.id is not None)
            ahead = self._client.clock_offset or 0.0
            yield [task for task in new if self._which.matches(task, ahead)]
            dated = [task.created_at for task in new if task.created_at is not None]
            if len(page) < min(FEWEST_PER_PAGE, size) or not new:
                self.complete = len(page) < min(FEWEST_PER_PAGE, size)  # else the offset was ignored
                return
            if dated and min(dated) - ahead < self._which.since:
                return

    def _query(self, offset: int, size: int, traces: Sequence[str]) -> list[TaskRecord]:
        self._clock.sleep(max(self._asked_at + SECONDS - self._clock.monotonic(), 0.0))
        self._asked_at = self._clock.monotonic()
        which, ahead = self._which, self._client.clock_offset or 0.0
        return self._client.recent_tasks(
            offset=offset,
            limit=size,
            type=which.type,
            created_at_min=_bound(which.since + ahead - _CLOCK_MARGIN),
            created_at_max=_bound(which.before + ahead + _CLOCK_MARGIN),
            trace_ids=traces or None,
        )


def _bound(moment: float) -> int | None:
    return round(moment) if math.isfinite(moment) else None

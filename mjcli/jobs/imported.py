"""The rows of tasks that were imported from the service: another machine or a lost ledger sent them."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import uuid4

from mjcli.jobs.clock import Clock
from mjcli.jobs.tags import Tags

_Values = tuple[object, ...]


class ImportedTask(NamedTuple):
    """A task to import. Times are Unix seconds of our clock; the names are those of the columns."""

    task_id: str
    kind: str
    path: str
    request: Mapping[str, Any]
    state: str
    created_at: float
    ended_at: float | None
    image_id: str | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    parent_image: str | None
    subject: str
    trace_id: str | None


class ImportedRows:
    """The imported tasks in the ledger. Methods raise `ConfigError` if the ledger cannot be used."""

    def __init__(
        self,
        query: Callable[[str, _Values], list[tuple[Any, ...]]],
        execute: Callable[[str, _Values], Any],
        transaction: Callable[[], AbstractContextManager[None]],
        clock: Clock,
        tags: Tags,
    ) -> None:
        self._query, self._execute, self._transaction, self._clock = query, execute, transaction, clock
        self._tags = tags

    def add(self, profile: str, host: str, tasks: Sequence[ImportedTask]) -> int:
        """Insert the tasks that are not in the ledger, oldest first; return how many were inserted."""
        with self._transaction():
            own = self._query(
                "SELECT number, created_at FROM jobs WHERE profile = ? AND listed_after IS NULL ORDER BY number",
                (profile,),
            )
            ((last,),) = self._query("SELECT coalesce(max(number), 0) FROM jobs", ())
            # Our clock may have been set back, so the latest time so far counts.
            latest = list(accumulate((_time(moment) for _, moment in own), max))
            added = 0
            for task in sorted(tasks, key=lambda each: each.created_at):
                place = bisect_right(latest, task.created_at)
                after = own[place][0] - 1 if place < len(own) else last
                added += self._insert(profile, host, task, after)
            return added

    def _insert(self, profile: str, host: str, task: ImportedTask, after: int) -> int:
        now = self._clock.time()
        columns: dict[str, object] = {
            **task._asdict(),
            "request": json.dumps(dict(task.request)),
            "result": None if task.result is None else json.dumps(dict(task.result)),
            "error": None if task.error is None else json.dumps(dict(task.error)),
            "uuid": str(uuid4()),
            "profile": profile,
            "host": host,
            "changed_at": now,
            "sent_at": task.created_at,
            "accepted_at": task.created_at,
            "listed_after": after,
        }
        statement = (
            f"INSERT INTO jobs ({', '.join(columns)}) SELECT {', '.join('?' * len(columns))}"  # noqa: S608
            " WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE host = ? AND task_id = ?)"
        )
        return int(self._execute(statement, (*columns.values(), host, task.task_id)).rowcount)

    def merge(self, uuid: str) -> None:
        """Remove the imported row of the task that a job of the ledger has; the job gets its files and tags."""
        for number, *files in self._query(
            "SELECT other.number, other.files, other.files_sha256, other.files_received_sha256 FROM jobs, jobs AS other"
            " WHERE jobs.uuid = ? AND other.host = jobs.host AND other.task_id = jobs.task_id"
            " AND other.listed_after IS NOT NULL AND other.number <> jobs.number",
            (uuid,),
        ):
            self._tags.copy(number, uuid)
            self._execute("DELETE FROM jobs WHERE number = ?", (number,))
            self._execute(
                "UPDATE jobs SET files = ?, files_sha256 = ?, files_received_sha256 = ?"
                " WHERE uuid = ? AND files = '[]'",
                (*files, uuid),
            )


def _time(moment: object) -> float:
    return float(moment) if isinstance(moment, (int, float)) else -math.inf

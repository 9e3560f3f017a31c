"""Import tasks of the service into the ledger.

A lost job of the ledger gets its task first, as in `recover`. The other tasks become rows of their own, which a
lost job can still adopt later.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mjcli.api import Client, TaskRecord
from mjcli.api.endpoints import ENDPOINTS
from mjcli.api.models import number_of, text_of
from mjcli.errors import LostResponse
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.follow import record_task_result, result_of
from mjcli.jobs.imported import ImportedTask
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.names import UNFINISHED
from mjcli.jobs.recover import CLOCK_TOLERANCE, find_lost_task, matches_request

SEARCH_SECONDS = 1.0  # between searches for lost jobs


class Imported(NamedTuple):
    """How many tasks an import assigned to lost jobs, added, found in the ledger, and could not read."""

    adopted: int
    added: int
    known: int
    skipped: int


def import_tasks(
    client: Client,
    ledger: Ledger,
    *,
    profile: str,
    host: str,
    tasks: Sequence[TaskRecord],
    complete: bool,
    clock: Clock = SYSTEM_CLOCK,
) -> Imported:
    """Assign tasks to the lost jobs of a profile that they match, and add the others that are not in the ledger.

    `complete` means that these are all tasks of the account; otherwise the service is searched for a lost job
    that one of them matches. Raises `ConfigError` if the ledger cannot be written.
    """
    by_id = {task.id: task for task in tasks if task.id is not None}
    owned = ledger.known_tasks(host, by_id, imported=False)
    unowned = [task for task_id, task in by_id.items() if task_id not in owned]
    adopted = _adopt(client, ledger, profile, host, unowned, complete=complete, clock=clock)
    known = ledger.known_tasks(host, by_id)
    for task_id in known:
        _update(ledger, host, by_id[task_id])
    new = [task for task_id, task in by_id.items() if task_id not in known]
    rows = _rows(client, ledger, profile, new, clock)
    added = ledger.imported.add(profile, host, rows) if rows else 0
    skipped = len(new) - len(rows) + sum(task.id is None for task in tasks)
    return Imported(adopted, added, max(len(known) - adopted, 0) + len(rows) - added, skipped)


def _rows(
    client: Client, ledger: Ledger, profile: str, tasks: Iterable[TaskRecord], clock: Clock
) -> list[ImportedTask]:
    """The tasks as rows, oldest first, without those that cannot be read; an action is about what its parent is."""
    ahead = client.clock_offset or 0.0
    if abs(ahead) <= CLOCK_TOLERANCE:  # it is known to the second only
        ahead = 0.0
    found = (imported_task(task, offset=ahead, now=clock.time()) for task in tasks)
    rows: list[ImportedTask] = []
    subjects: dict[str, str] = {}  # by image
    for row in sorted(filter(None, found), key=lambda each: each.created_at):
        if not row.subject and row.parent_image is not None:
            parent = ledger.by_image(profile, row.parent_image)
            words = parent.words if parent is not None else subjects.get(row.parent_image, "")
            row = row._replace(subject=words)
        if row.image_id is not None:
            subjects[row.image_id] = row.subject
        rows.append(row)
    return rows


def imported_task(task: TaskRecord, *, offset: float, now: float) -> ImportedTask | None:
    """A task as a row of the ledger; None if it is malformed or of an unknown type.

    `offset` is how many seconds the service's clock is ahead of ours, whose time is `now`.
    """
    created, request, kind = _moment(task), task.request, _kind(task)
    if task.id is None or kind is None or created is None or not request:
        return None
    created = min(created - offset, now)
    finished = number_of(task.document.get("finished_at"))
    state, result, error = task.state, result_of(task), None
    if state != "running" and result is None:  # it has ended, but there is nothing to save
        failure = task.error()
        state, error = "failed", {"code": failure.code, "message": failure.message}
    ended = None if state == "running" else max(min((finished or created) - offset, now), created)
    row = ImportedTask(
        task_id=task.id,
        kind=kind,
        path=ENDPOINTS[str(task.type)].path,
        request=request,
        state=state,
        created_at=created,
        ended_at=ended,
        image_id=result.id if result is not None else None,
        result=result.document if result is not None else None,
        error=error,
        parent_image=text_of(request.get("image_id")),
        subject=text_of(request.get("prompt")) or text_of(request.get("content")) or "",
        trace_id=text_of((result.document if result is not None else {}).get("trace_id"))
        or text_of(task.document.get("trace_id")),
    )
    return row if created >= 0 and _is_json(row) else None


def _kind(task: TaskRecord) -> str | None:
    """The kind of job that sends such a request; None for an unknown type."""
    if task.type not in ENDPOINTS:
        return None
    action = text_of(task.request.get("action")) or "generate"
    if task.type == "imagine":
        return "imagine" if action == "generate" else "action"
    if task.type == "videos":
        return "extend-video" if action == "extend" else "video"
    return {"edits": "edit"}.get(task.type, task.type)


def _moment(task: TaskRecord) -> float | None:
    """When a task was created, in Unix seconds of the service's clock."""
    for name in ("created_at", "started_at", "finished_at"):
        if (moment := number_of(task.document.get(name))) is not None:
            return moment
    return None


def _is_json(row: ImportedTask) -> bool:
    try:
        json.dumps((row.request, row.result))
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def _adopt(
    client: Client,
    ledger: Ledger,
    profile: str,
    host: str,
    tasks: Sequence[TaskRecord],
    *,
    complete: bool,
    clock: Clock,
) -> int:
    """Assign tasks to lost jobs, as long as one more job can be told apart; return how many."""
    adopted: set[str | None] = set()
    left = list(_lost_jobs(ledger, profile, host))
    while True:
        before = len(adopted)
        for job in list(left):
            free = [task for task in tasks if task.id not in adopted]
            if not any(matches_request(task, job.path, job.request) for task in free):
                continue
            try:
                task_id = find_lost_task(
                    client,
                    ledger,
                    host,
                    job,
                    deadline=clock.monotonic(),
                    tasks=tasks if complete else None,
                    clock=clock,
                )
            except LostResponse:  # none, or more than one
                continue
            finally:
                clock.sleep(0.0 if complete else SEARCH_SECONDS)
            adopted.add(task_id)
            left.remove(job)
        if len(adopted) == before:
            return len(adopted)


def _update(ledger: Ledger, host: str, task: TaskRecord) -> None:
    """Record the end of a task that the ledger has as running."""
    job = ledger.by_task(host, task.id or "")
    if job is not None and job.state in UNFINISHED:
        with contextlib.suppress(ValueError, TypeError, LookupError, ArithmeticError):  # of an odd record
            record_task_result(ledger, host, task)


def _lost_jobs(ledger: Ledger, profile: str, host: str) -> Iterator[Job]:
    """The jobs whose responses were lost, oldest first, without those that a process is sending."""
    for job in ledger.unfinished(profile):
        lost = job.task_id is None and job.sent_at is not None and job.state in ("submitting", "unknown")
        if (
            lost
            and job.host == host
            and not (job.state == "submitting" and ledger.locks.is_locked(job.number))
        ):
            yield job

"""Find the task of a job whose response was lost, among the recent tasks of the service.

A task belongs to the job if it has the same request, was created after the request was sent, and is not that
of another job in the ledger; one that was only imported may be. If several tasks match, or another process is
sending the same request, none is assigned.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mjcli.api import Client, TaskRecord
from mjcli.api.endpoints import ENDPOINTS
from mjcli.errors import (
    ApiError,
    ConfigError,
    LostResponse,
    MjError,
    NetworkError,
    StillRunning,
    full_stop,
    without_stop,
)
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.job import ID_PREFIX, Job
from mjcli.jobs.ledger import Ledger

SEARCH_PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before each search: a new task may appear late
PATIENCE_SECONDS = 120.0  # after a request was sent, from when on one search is enough
LAST_SEARCH_SECONDS = 5.0  # limit of the one search after the deadline
CLOCK_TOLERANCE = 2.0  # seconds by which a task may seem older than its request
PAGE, PAGES = 50, 20  # tasks per page, pages per search
FEWEST_PER_PAGE = 12  # the service's own limit; only the last page is shorter

NOT_FOUND = "The response was lost and no matching task was found."
NO_TASK_ID = "The response with the task id was lost."

# Fields of the request that the task must have, and equal; other fields must only not differ.
_IDENTIFYING = ("prompt", "action", "image_id", "image_url", "video_id", "content")
_TEXTS = (
    "prompt",
    "content",
)  # compared with white space folded, zero-width characters dropped, and Unicode normalised
# Invisible, and often lost: spaces and joiners without a width, and the byte order mark.
_ZERO_WIDTH = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
NOT_RECORDED = ("callback_url", "async", "timeout", "mask")


Foreign = Callable[[TaskRecord], bool]


def _none_foreign(_: TaskRecord) -> bool:
    return False


class LostRequest(NamedTuple):
    """A request whose response was lost; `uuid` names its job in the ledger.

    `sent_at` is in Unix seconds, on our clock. `clock_offset` is how many seconds the service's clock was ahead
    of ours then; None means that our clock has not been set since, so that the offset of now counts.
    """

    path: str
    body: Mapping[str, Any]
    sent_at: float
    uuid: str | None
    clock_offset: float | None = None

    @property
    def job(self) -> str | None:
        """The id prefix of the job, if it is in the ledger."""
        return self.uuid[:ID_PREFIX] if self.uuid is not None else None


def find_lost_task(
    client: Client,
    ledger: Ledger,
    host: str,
    job: Job,
    *,
    deadline: float | None = None,
    tasks: Sequence[TaskRecord] | None = None,
    foreign: Foreign = _none_foreign,
    clock: Clock = SYSTEM_CLOCK,
) -> str:
    """Find the task of a job in the ledger whose response was lost, assign it, and return its id.

    `deadline` is a reading of `clock.monotonic()`; one search is made even if it has passed. `tasks` are all
    tasks of the account, if the caller has listed them; the service is then not searched. `foreign` says that a
    task is or may be that of another machine. Raises `LostResponse` if there is no match or more than one.
    """
    lost = LostRequest(job.path, job.request, job.sent_at or job.created_at, job.uuid, job.clock_offset)
    uptime, boot_id = clock.uptime(), clock.boot_id()
    if job.clock_offset is None and None not in (uptime, boot_id, job.sent_uptime) and boot_id == job.boot_id:
        # The uptime shows when it was sent whether our clock was set since or not.
        lost = lost._replace(sent_at=clock.time() - ((uptime or 0) - (job.sent_uptime or 0)))
    cause = LostResponse(NO_TASK_ID)
    return find_task(
        client, ledger, host, lost, cause, deadline=deadline, tasks=tasks, foreign=foreign, clock=clock
    )


def find_task(
    client: Client,
    ledger: Ledger | None,
    host: str,
    lost: LostRequest,
    cause: MjError,
    *,
    deadline: float | None = None,
    tasks: Sequence[TaskRecord] | None = None,
    foreign: Foreign = _none_foreign,
    clock: Clock = SYSTEM_CLOCK,
) -> str:
    """Find the one recent task of a lost request, assign it to the job in the ledger, and return its id.

    `cause` is how the response was lost. `deadline` is a reading of `clock.monotonic()`; past it, one search of
    a few seconds is made. `tasks` and `foreign` are as for `find_lost_task`. Raises `LostResponse` if there is no
    match or more than one.
    """
    failure: MjError | None = None
    contested = False
    found: Mapping[str, TaskRecord] = {}
    for pause in _pauses(lost, clock) if tasks is None else SEARCH_PAUSES[:1]:
        if pause and deadline is not None and clock.monotonic() + pause >= deadline:
            break
        clock.sleep(pause)
        limit = None if deadline is None else max(deadline, clock.monotonic() + LAST_SEARCH_SECONDS)
        try:
            recent = _recent(client, lost, limit) if tasks is None else tasks
            found = _candidates(client, ledger, host, lost, recent)
            failure = None
            if (task_id := _assigned_meanwhile(ledger, lost)) is not None:
                return task_id
            if len(found) > 1:
                break
            for task_id, task in found.items():
                # The process that is sending the same request will soon know whether the task is its own.
                contested = _is_contested(ledger, host, lost, task) or foreign(task)
                if not contested and _adopt(ledger, host, lost, task_id):
                    return task_id
        except (NetworkError, LostResponse, ApiError) as error:
            failure = error
            if isinstance(error, NetworkError) and error.permanent:
                break
        except (
            ConfigError
        ) as error:  # without the ledger or the store, the owner of a task cannot be determined
            failure = error
            break
    _note_clock(client, ledger, lost)
    if len(found) > 1:
        raise _several(list(found), cause, lost)
    raise _none(cause, failure, lost, contested=contested) from failure


def _note_clock(client: Client, ledger: Ledger | None, lost: LostRequest) -> None:
    """Store what the search has shown of the clocks, for a later search after our clock has been set."""
    if ledger is None or lost.uuid is None or lost.clock_offset is not None or not client.clock_offset:
        return
    with contextlib.suppress(ConfigError):
        job = ledger.get(lost.uuid)
        if job is not None and job.sent_at is not None:
            ledger.set_clock_offset(lost.uuid, lost.sent_at + client.clock_offset - job.sent_at)


def _pauses(lost: LostRequest, clock: Clock) -> tuple[float, ...]:
    recent = clock.time() - lost.sent_at < PATIENCE_SECONDS
    return SEARCH_PAUSES if recent else SEARCH_PAUSES[:1]


def matches_request(task: TaskRecord, path: str, body: Mapping[str, Any]) -> bool:
    """Return whether a task has this request to this endpoint."""
    if task.type in ENDPOINTS and task.type != path.rpartition("/")[2]:
        return False
    # Old servers omit the default action.
    recorded = {"action": "generate", **task.request}
    return all(
        _equal(name, value, recorded.get(name))
        for name, value in body.items()
        if name in _IDENTIFYING or (name in recorded and name not in NOT_RECORDED)
    )


def _equal(name: str, ours: object, recorded: object) -> bool:
    if name in _TEXTS and isinstance(ours, str) and isinstance(recorded, str):
        return _folded(ours) == _folded(recorded)
    return ours == recorded


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).translate(_ZERO_WIDTH).split())


def _candidates(
    client: Client, ledger: Ledger | None, host: str, lost: LostRequest, tasks: Sequence[TaskRecord]
) -> dict[str, TaskRecord]:
    """Return the tasks with this request that no job of the ledger has, by id; imported tasks have none."""
    matching = {
        task.id: task
        for task in tasks
        if task.id and _created_since(task, lost, client) and matches_request(task, lost.path, lost.body)
    }
    known = ledger.known_tasks(host, matching, imported=False) if ledger is not None else set()
    return {task_id: task for task_id, task in matching.items() if task_id not in known}


def _recent(client: Client, lost: LostRequest, deadline: float | None) -> list[TaskRecord]:
    """Return the service's tasks, newest first, at least back to those created before the request was sent."""
    tasks: list[TaskRecord] = []
    seen: set[str | None] = set()
    for _ in range(PAGES):
        page = client.recent_tasks(offset=len(tasks), limit=PAGE, deadline=deadline)
        # New tasks shift the others, so a page may repeat tasks of the previous one.
        new = {task.id for task in page} - seen
        tasks += page
        seen |= new
        dated = [task for task in page if task.created_at is not None]
        if len(page) < FEWEST_PER_PAGE or not new:
            break
        if not all(_created_since(task, lost, client) for task in dated):
            break
    return tasks


def _created_since(task: TaskRecord, lost: LostRequest, client: Client) -> bool:
    """Return whether a task was created after the request was sent, on the service's clock."""
    offset = (client.clock_offset or 0.0) if lost.clock_offset is None else lost.clock_offset
    return task.created_at is not None and task.created_at >= lost.sent_at + offset - CLOCK_TOLERANCE


def _is_contested(ledger: Ledger | None, host: str, lost: LostRequest, task: TaskRecord) -> bool:
    """Return whether the task may belong to a request that another process is sending."""
    others = ledger.in_flight(host, exclude=lost.uuid or "") if ledger is not None else []
    return any(matches_request(task, path, body) for path, body in others)


def _adopt(ledger: Ledger | None, host: str, lost: LostRequest, task_id: str) -> bool:
    return ledger is None or lost.uuid is None or ledger.adopt(lost.uuid, host, task_id)


def _assigned_meanwhile(ledger: Ledger | None, lost: LostRequest) -> str | None:
    """Return the task that another process, resuming the same job, has assigned to it meanwhile."""
    job = ledger.get(lost.uuid) if ledger is not None and lost.uuid is not None else None
    return job.task_id if job is not None else None


def _several(task_ids: Sequence[str], cause: MjError, lost: LostRequest) -> LostResponse:
    error = _lost(
        cause,
        lost,
        f"More than one recent task has the same request ({', '.join(task_ids)}), so none was assigned to the"
        " job.",
    )
    error.candidates = tuple(task_ids)
    return error


def _none(cause: MjError, failure: MjError | None, lost: LostRequest, *, contested: bool) -> LostResponse:
    if failure is not None:
        finding = f"Your recent tasks could not be searched ({without_stop(failure.message)})."
    elif contested:
        finding = "A matching task was found, but another mj process is sending the same request."
    else:
        finding = ""
    return _lost(cause, lost, finding)


def _lost(cause: MjError, lost: LostRequest, finding: str) -> LostResponse:
    if finding:
        finding = f"{full_stop(cause.message)} {finding}"
    return LostResponse(
        f"{finding or NOT_FOUND} The job may have been accepted and billed.",
        code="network" if isinstance(cause, StillRunning) else cause.code,
        job=lost.job,
        trace_id=cause.trace_id,
    )

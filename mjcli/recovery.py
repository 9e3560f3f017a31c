"""Find the task of a job whose answer was lost, among the recent tasks of the service.

A task is the job's when it has the same request, was made since the sending, and belongs to no job of the
ledger. More than one such task, or another job that may be its owner: none is taken.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mjcli.api import Client, TaskRecord
from mjcli.errors import (
    ApiError,
    ConfigError,
    ExitCode,
    LostAnswer,
    MjError,
    NetworkError,
    StillRunning,
    full_stop,
)
from mjcli.ledger import Ledger

LOOKS = (0.0, 1.0, 2.0, 4.0)  # pauses before each look: a task may take a while to appear
PATIENCE_SECONDS = 120.0  # since the sending; a job that was sent before is looked for once only
ONE_LOOK_SECONDS = 5.0  # for the last look of a wait that is over
CLOCK_TOLERANCE = 2.0  # seconds that a task may seem to be older than its request
PAGE, PAGES = 50, 20  # tasks that are asked for at a time, and how often
FEWEST_A_PAGE = 12  # the service's own limit; a shorter page is the last one

# What a task must agree in with the request that it is taken for; the rest must not contradict it.
_TELLING = ("prompt", "action", "image_id", "image_url", "video_id", "content")
_UNTOLD = ("callback_url", "async", "timeout", "mask")
# The types of tasks are the endpoints' names; a type that is none of these says nothing.
_TYPES = ("imagine", "edits", "videos", "describe", "shorten", "translate", "seed")


class Lost(NamedTuple):
    """A request whose answer was lost: endpoint, body, when it was sent (Unix seconds), and its job in the ledger.

    `hint` is what to type next when it stays lost.
    """

    path: str
    body: Mapping[str, Any]
    sent_at: float
    identity: str | None
    hint: str | None

    @property
    def looks(self) -> tuple[float, ...]:
        """Pauses before each look."""
        return LOOKS if time.time() - self.sent_at < PATIENCE_SECONDS else LOOKS[:1]


def find_task(
    client: Client, ledger: Ledger | None, host: str, lost: Lost, why: MjError, *, once: bool = False
) -> str:
    """The one recent task that is for a lost request, given to its job in the ledger.

    `why` is how the answer was lost; `once` looks but one time, and not for long. Raises `LostAnswer` when
    none or several may be it, with a sentence that says what is known.
    """
    failure: MjError | None = None
    contested = False
    found: Mapping[str, TaskRecord] = {}
    for pause in lost.looks[:1] if once else lost.looks:
        time.sleep(pause)
        try:
            found = _candidates(client, ledger, host, lost, once=once)
            failure = None
            if (taken := _found_by_others(ledger, lost)) is not None:
                return taken
            if len(found) > 1:
                break
            for task_id, task in found.items():
                # Another `mj` whose request this may be, too, will soon know whether the task is its own.
                contested = _is_contested(ledger, host, lost, task)
                if not contested and _adopted(ledger, host, lost, task_id):
                    return task_id
        except (NetworkError, LostAnswer, ApiError) as error:
            failure = error
        except ConfigError as error:  # without the ledger nobody can tell whose task it is
            failure = error
            break
    if len(found) > 1:
        raise _several(list(found), why, lost)
    raise _none(why, failure, lost, contested=contested)


def is_for(task: TaskRecord, path: str, body: Mapping[str, Any]) -> bool:
    """Whether a task has this request to this endpoint."""
    if task.type in _TYPES and task.type != path.rpartition("/")[2]:
        return False
    # Old servers leave the action out where it is the usual one.
    recorded = {"action": "generate", **task.request}
    if any(body.get(name) != recorded.get(name) for name in _TELLING if name in body):
        return False
    return all(body[name] == recorded[name] for name in body if name not in _UNTOLD and name in recorded)


def _candidates(
    client: Client, ledger: Ledger | None, host: str, lost: Lost, *, once: bool
) -> dict[str, TaskRecord]:
    """The recent tasks that are for this request, were made since then, and belong to no job of the ledger."""
    deadline = time.monotonic() + ONE_LOOK_SECONDS if once else None
    ours = {
        task.id: task
        for task in _recent(client, lost.sent_at, deadline)
        if task.id and _made_since(task, lost.sent_at, client) and is_for(task, lost.path, lost.body)
    }
    known = ledger.known_tasks(host, ours) if ledger is not None else set()
    return {task_id: task for task_id, task in ours.items() if task_id not in known}


def _recent(client: Client, since: float, deadline: float | None) -> list[TaskRecord]:
    """The service's tasks, newest first, back to those made before `since`."""
    tasks: list[TaskRecord] = []
    seen: set[str | None] = set()
    for _ in range(PAGES):
        page = client.recent_tasks(offset=len(tasks), limit=PAGE, deadline=deadline)
        # Tasks that are made meanwhile push the others down, so that a page may repeat some of the one before.
        new = {task.id for task in page} - seen
        tasks += page
        seen |= new
        dated = [task for task in page if task.created_at is not None]
        if len(page) < FEWEST_A_PAGE or not new:
            break
        if not all(_made_since(task, since, client) for task in dated):
            break
    return tasks


def _made_since(task: TaskRecord, since: float, client: Client) -> bool:
    """Whether a task was made since then, by the service's clock."""
    return task.created_at is not None and task.created_at >= since + client.clock_offset - CLOCK_TOLERANCE


def _is_contested(ledger: Ledger | None, host: str, lost: Lost, task: TaskRecord) -> bool:
    others = ledger.being_sent(host, but=lost.identity or "") if ledger is not None else []
    return any(is_for(task, path, body) for path, body in others)


def _adopted(ledger: Ledger | None, host: str, lost: Lost, task_id: str) -> bool:
    return ledger is None or lost.identity is None or ledger.adopt(lost.identity, host, task_id)


def _found_by_others(ledger: Ledger | None, lost: Lost) -> str | None:
    """The task that another `mj`, which takes up the same job, has found for it meanwhile."""
    job = ledger.get(lost.identity) if ledger is not None and lost.identity is not None else None
    return job.task_id if job is not None else None


def _several(found: Sequence[str], why: MjError, lost: Lost) -> LostAnswer:
    take = (
        [f"mj resume {lost.identity[:8]} --task TASK  # with the one that is yours"] if lost.identity else []
    )
    return LostAnswer(
        f"{full_stop(why.message)} More than one recent task is for this request: {', '.join(found)}. "
        "One of them may be this job's; none was taken for it and nothing was sent again.",
        code=_code(why),
        hint="\n".join([f"mj describe-task {' '.join(found)}", *take]),
        trace_id=why.trace_id,
    )


def _none(why: MjError, failure: MjError | None, lost: Lost, *, contested: bool) -> LostAnswer:
    hint = lost.hint
    if failure is not None:
        sought = f"Your tasks could not be looked through ({full_stop(failure.message).rstrip('.')}),"
        if failure.exit_code == ExitCode.AUTH and failure.hint:
            # Any other hint is for a request that was refused, and says to ask again.
            hint = "\n".join(each for each in (failure.hint, hint) if each)
    elif contested:
        sought = "A task for it was found, but another mj is sending the same request,"
    else:
        sought = "No task for it could be found,"
    return LostAnswer(
        f"{full_stop(why.message)} {sought} so the job may have been accepted, and is then billed; "
        "nothing was sent again.",
        code=_code(why),
        hint=hint or "look at your tasks on the service's site before you ask again",
        trace_id=why.trace_id,
    )


def _code(why: MjError) -> str:
    return "network" if isinstance(why, StillRunning) else why.code

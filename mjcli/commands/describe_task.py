"""`mj describe-task`: what became of a task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.errors import ApiError, Interrupted, LostAnswer, MjError, StillRunning, UnknownTask, UsageError
from mjcli.options import FileOptions, MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.api.models import TaskRecord
    from mjcli.context import Runtime
    from mjcli.filenames import Target

app = new_app()


@app.command(
    "describe-task",
    cls=MjCommand,
    epilog="""mj describe-task 7489df4c-ef03-4de0-b598-e9a590793434
# Take a job up again and keep its picture
mj describe-task @last --wait --download
# Many at once, for a script
mj describe-task - --json < tasks.txt""",
)
@takes(files=FileOptions)
def describe_task(
    ctx: typer.Context,
    tasks: Annotated[
        list[str],
        typer.Argument(metavar="TASK", help="Task ids, @last, @2, or - for ids on standard input."),
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until each task has ended.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="SECONDS", help="With --wait: give up after so long (default 900)."),
    ] = None,
    files: FileOptions,
) -> None:
    """Tell what became of tasks: state, times, request and result.

    Asking costs nothing. A task that failed, or that the service does not know, exits with status 4; one
    that is still running with 0, or with 7 when --wait gave up on it.
    """
    from mjcli.jobs import DEADLINE_SECONDS
    from mjcli.references import expand, task_of
    from mjcli.saving import file_target

    runtime: Runtime = ctx.obj
    if timeout is not None and not wait:
        raise UsageError(
            "--timeout is for --wait, which is not given.", hint="mj describe-task TASK --wait --timeout N"
        )
    runtime.taking_up = True
    ids = [task_of(runtime, each) for each in expand(runtime, tasks, "task")]
    target = file_target(runtime, files)
    deadline = time.monotonic() + (DEADLINE_SECONDS if timeout is None else timeout) if wait else None
    known = _known(runtime, ids) if deadline is None else {}
    for task_id in ids:
        try:
            record = known.get(task_id) if deadline is None else _follow(runtime, task_id, deadline)
            if record is None:
                raise _unknown(task_id)
            _tell(runtime, task_id, record, target, force=files.force)
        except Interrupted as stop:
            stop.sent, stop.task_id = True, task_id
            raise
        except (StillRunning, ApiError, LostAnswer, UnknownTask) as error:
            error.task_id = error.task_id or task_id
            if len(ids) == 1:
                raise
            runtime.output.failure(error)
            runtime.fail(error.exit_code)


def _known(runtime: Runtime, ids: list[str]) -> dict[str, TaskRecord]:
    """The tasks that the service knows, asked for in one request."""
    if len(ids) == 1:
        record = runtime.client.task(ids[0])
        return {} if record is None else {ids[0]: record}
    return {str(record.id): record for record in runtime.client.tasks(list(dict.fromkeys(ids)))}


def _follow(runtime: Runtime, task_id: str, deadline: float) -> TaskRecord | None:
    """The task once it has ended; one that the service does not know is not waited for."""
    from mjcli.errors import take_up
    from mjcli.jobs import follow
    from mjcli.render.watch import JobWatch

    first = runtime.client.task(task_id, deadline=deadline)
    if first is None or first.state != "running":
        return first
    with JobWatch(runtime.output) as watch:
        watch.sent()
        watch.progress(first.progress)
        try:
            return follow(runtime.client, task_id, watch, deadline=deadline)
        except StillRunning as error:
            error.message = f"{error.message} It goes on at the service and is billed if it succeeds."
            error.hint = take_up(task_id)
            raise


def _unknown(task_id: str) -> UnknownTask:
    return UnknownTask(
        f"The service does not know the task {task_id}.",
        task_id=task_id,
        hint="check the id, and the profile: a task is known to its own token only",
    )


def _tell(runtime: Runtime, task_id: str, record: TaskRecord, target: Target | None, *, force: bool) -> None:
    """Answer with one record, its pictures saved where that was asked for."""
    from mjcli.delivery import quiet_lines
    from mjcli.errors import take_up
    from mjcli.filenames import fields_of
    from mjcli.saving import files_missing, save_files

    saved: list[str] = []
    problem: MjError | None = None
    response = record.response
    if record.state == "failed":
        problem = record.error()
        problem.task_id = problem.task_id or task_id
    elif target is not None and record.state == "done" and response is not None:
        fields = fields_of(
            prompt=str(record.request.get("prompt") or ""),
            image_id=response.id,
            task_id=task_id,
            action=str(record.request.get("action") or record.type or ""),
            asked_at=record.created_at,
        )
        saved, failures = save_files(runtime, response, target, fields, force=force)
        problem = files_missing(failures, task_id, take_up(task_id)) if failures else None
    if record.state != "running":
        runtime.note_task(record, saved)
    document = {**record.document, "files": saved}
    quiet = quiet_lines(response, saved) if response is not None else []
    runtime.answer(document, _lines(runtime, task_id, record, saved), quiet or [task_id], problem)


def _lines(runtime: Runtime, task_id: str, record: TaskRecord, saved: list[str]) -> list[tuple[str, str]]:
    """A record as people read it: state, times, request, result."""
    from mjcli.delivery import result_lines
    from mjcli.errors import take_up
    from mjcli.render.text import shortened

    document = record.document
    lines = [("task", record.id or task_id), ("state", record.state)]
    if record.state == "running" and record.progress is not None:
        lines.append(("progress", f"{record.progress}%"))
    if record.type:
        lines.append(("type", record.type))
    lines += [(name, _time(document.get(f"{name}_at"))) for name in ("created", "started", "finished")]
    lines.append(("elapsed", _seconds(document.get("elapsed") or document.get("duration"))))
    lines += [(f"request {name}", shortened(value)) for name, value in record.request.items()]
    if record.state == "running":
        lines.append(("next", runtime.again(take_up(task_id))))
    elif record.state == "done" and record.response is not None:
        lines += [line for line in result_lines(runtime, record.response, saved) if line[0] != "task"]
    else:
        error = record.error()
        lines.append(("error", f"{error.code}: {error.message}"))
    return [(name, value) for name, value in lines if value]


def _time(value: Any) -> str:
    from mjcli.api.models import number_of
    from mjcli.render.times import local_time

    seconds = number_of(value)
    return (local_time(seconds) or str(value)) if seconds else ""


def _seconds(value: Any) -> str:
    from mjcli.api.models import number_of

    seconds = number_of(value)
    return "" if seconds is None else f"{seconds:.1f} s"

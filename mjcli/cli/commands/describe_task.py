"""`mj describe-task`: the status and result of tasks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.cli.hints import command, follow
from mjcli.cli.options import FileOptions, SplitOption
from mjcli.cli.parser import MjCommand, new_app, takes
from mjcli.errors import (
    ApiError,
    ConfigError,
    DownloadError,
    Interrupted,
    LostResponse,
    MjError,
    StillRunning,
    UnknownTask,
    UsageError,
)

if TYPE_CHECKING:
    from mjcli.api import Client
    from mjcli.api.models import TaskRecord
    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.output.sink import Output
    from mjcli.cli.save import Saver
    from mjcli.media.names import Target

app = new_app()


@app.command(
    "describe-task",
    cls=MjCommand,
    epilog="""mj describe-task 7489df4c-ef03-4de0-b598-e9a590793434
# Wait for a task and save its image
mj describe-task @last --wait --download
# Many at once, for a script
mj describe-task - --json < tasks.txt""",
)
@takes(files=FileOptions)
def describe_task(
    ctx: typer.Context,
    tasks: Annotated[
        list[str],
        typer.Argument(metavar="TASK", help="Task id, @last or @2; - reads ids from standard input."),
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until each task has ended.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=1, max=604_800, metavar="SECONDS", help="Deadline for --wait (default 900)."),
    ] = None,
    split: SplitOption = False,
    files: FileOptions,
) -> None:
    """Show the status and result of tasks.

    Queries are free. The exit status is 4 if a task failed or was not found, 7 if it was still running at the
    --wait deadline, and otherwise 0, even if it is still running. A task that the ledger does not have is
    imported, as by mj tasks --import.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.pipe import check_one_image
    from mjcli.cli.queried import as_query, record_task
    from mjcli.cli.save import Saver, file_target, preload
    from mjcli.jobs.follow import DEADLINE_SECONDS

    context: Context = ctx.obj
    if timeout is not None and not wait:
        raise UsageError(
            "--timeout needs --wait.",
            hint=command("describe-task", "TASK", "--wait", "--timeout", "SECONDS"),
        )
    context.resuming = True
    lookup = Lookup.of(context)
    ids = [lookup.task(each) for each in expand(context.streams.stdin, tasks, "task")]
    target = file_target(context.output, context.settings, files, split=split)
    check_one_image(target, several=len(ids) > 1)
    preload(files=target is not None)
    import mjcli.cli.output.times  # noqa: F401

    seconds = DEADLINE_SECONDS if timeout is None else timeout
    find = _follower(context, time.monotonic() + seconds) if wait else _finder(context.client, ids)
    report = _Report(context.output, lookup, Saver.of(context, lookup), target, force=files.force)
    for task_id in ids:
        try:
            record = find(task_id)
            if record is None:
                raise _unknown(task_id)
            record_task(context, record)
            _note_intermediate(context, record)
            report.show(task_id, record)
        except Interrupted as stop:
            stop.sent, stop.task_id = True, task_id
            raise
        except (StillRunning, ApiError, LostResponse, UnknownTask) as error:
            if isinstance(error, LostResponse):  # of a query, which starts no job
                as_query(error)
            error.task_id = error.task_id or task_id
            if len(ids) == 1:
                raise
            context.output.failure(error)


def _finder(client: Client, ids: list[str]) -> Callable[[str], TaskRecord | None]:
    """Finds a task among those queried in one request."""
    if len(ids) == 1:
        return client.task
    return {str(record.id): record for record in client.tasks(list(dict.fromkeys(ids)))}.get


def _follower(context: Context, deadline: float) -> Callable[[str], TaskRecord | None]:
    """Follows a task to its end; one that the service does not know is not waited for."""
    from mjcli.cli.output.watch import JobWatch
    from mjcli.jobs.follow import follow as follow_task
    from mjcli.jobs.follow import query_deadline

    client = context.client

    def find(task_id: str) -> TaskRecord | None:
        first = client.task(task_id, deadline=query_deadline(deadline))
        if first is None or first.state != "running":
            return first
        with JobWatch(context.output) as watch:
            watch.sent()
            watch.progress(first.progress)
            try:
                return follow_task(client, task_id, watch, deadline=deadline)
            except StillRunning as error:
                error.message = f"{error.message} It continues at the service and is billed if it succeeds."
                error.hint = follow(task_id)
                raise

    return find


def _note_intermediate(context: Context, record: TaskRecord) -> None:
    """Store the id of the image that a running task shows, so that it is recognised when it no longer exists."""
    image = record.response.image_id if record.state == "running" and record.response is not None else None
    if image is None or record.id is None:
        return
    with contextlib.suppress(ConfigError):
        ledger = context.existing_ledger
        job = ledger.by_task(context.settings.host, record.id) if ledger is not None else None
        if ledger is not None and job is not None:
            ledger.note_intermediates(job.uuid, [image])


def _unknown(task_id: str) -> UnknownTask:
    return UnknownTask(
        f'Task "{task_id}" was not found.',
        task_id=task_id,
        hint="check the id and the profile; only the token that started a task can query it",
    )


class _Report:
    """Prints task records, and saves the images of finished ones to `target`, if any."""

    def __init__(
        self, output: Output, lookup: Lookup, saver: Saver, target: Target | None, *, force: bool
    ) -> None:
        self._lookup = lookup
        self._output, self._saver, self._target, self._force = output, saver, target, force

    def show(self, task_id: str, record: TaskRecord) -> None:
        """Print one record; its files are saved and recorded first."""
        done = record.state == "done" and record.response is not None
        self._saver.finish(
            self._lookup.of_record(record, task_id),
            self._target if done else None,
            force=self._force,
            retry=follow(task_id),
            show=lambda job, saved, problem: self._print(task_id, job, saved, problem),
        )

    def _print(self, task_id: str, job: FinishedJob, saved: list[str], missing: DownloadError | None) -> None:
        from mjcli.cli.output.result import quiet_lines
        from mjcli.jobs.follow import result_of

        record = job.record
        assert record is not None
        problem: MjError | None = missing
        if self._target is not None and record.state == "done" and result_of(record) is None:
            problem = DownloadError("The task is done, but it has no result to save.", task_id=task_id)
        if record.state == "failed":
            problem = record.error()
            problem.task_id = problem.task_id or task_id
        quiet = quiet_lines(record.response, saved) if record.response is not None else []
        document = {**record.document, "files": saved}
        self._output.answer(document, self._lines(task_id, record, saved), quiet or [task_id], problem)

    def _lines(self, task_id: str, record: TaskRecord, saved: list[str]) -> list[tuple[str, str]]:
        """A record as people read it: state, times, request, result."""
        from mjcli.cli.output.result import result_lines
        from mjcli.cli.output.text import shortened

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
            lines.append(("next", self._output.next_command(follow(task_id))))
        elif record.state == "done" and record.response is not None:
            lines += [
                line for line in result_lines(self._output, record.response, saved) if line[0] != "task"
            ]
        else:
            error = record.error()
            lines.append(("error", f"{error.code}: {error.message}"))
        return [(name, value) for name, value in lines if value]


def _time(value: Any) -> str:
    from mjcli.api.models import number_of
    from mjcli.cli.output.times import local_time

    seconds = number_of(value)
    return (local_time(seconds) or str(value)) if seconds else ""


def _seconds(value: Any) -> str:
    from mjcli.api.models import number_of

    seconds = number_of(value)
    return "" if seconds is None else f"{seconds:.1f} s"

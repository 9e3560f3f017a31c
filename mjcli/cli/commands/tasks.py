"""`mj tasks`: the service's tasks for this account, and their import into the ledger."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import command
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import LostResponse, UsageError

if TYPE_CHECKING:
    from mjcli.api import TaskRecord
    from mjcli.cli.context import Context
    from mjcli.jobs.listing import TaskListing

app = new_app()

MAX_ROWS = 20  # on a terminal, without --limit
_PROGRESS_SECONDS = 3.0  # between notices about the progress


class Type(StrEnum):
    """The types of tasks: the endpoint that received the request."""

    IMAGINE = "imagine"
    EDITS = "edits"
    VIDEOS = "videos"
    DESCRIBE = "describe"
    SHORTEN = "shorten"
    TRANSLATE = "translate"
    SEED = "seed"


@app.command(
    "tasks",
    cls=MjCommand,
    epilog="""mj tasks
mj tasks --type videos --since 2d
# The jobs of another machine, or of a lost ledger
mj tasks --import
# The links of all images, for a script
mj tasks --json | jq -r '.response.raw_image_url // empty'""",
)
def tasks(
    ctx: typer.Context,
    *,
    offset: Annotated[int, typer.Option(min=0, metavar="N", help="Skip the newest N tasks.")] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="Only the newest N tasks.")
    ] = None,
    kind: Annotated[
        Type | None, typer.Option("--type", metavar="TYPE", help="Only tasks of this type.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only tasks since WHEN: 30m, 2h, 3d, 1w, 2026-11-01, …"),
    ] = None,
    before: Annotated[str | None, typer.Option(metavar="WHEN", help="Only tasks before WHEN.")] = None,
    trace: Annotated[
        list[str] | None,
        typer.Option("--trace", metavar="ID", help="Only the task with this trace id (repeatable)."),
    ] = None,
    add: Annotated[
        bool, typer.Option("--import", help="Add the tasks to the ledger that it does not have.")
    ] = False,
) -> None:
    """List the service's tasks for this account, newest first.

    A terminal shows a table of 20 tasks, unless --limit is given. Elsewhere each task is a line with tabs between
    its fields: time, state, type, action, prompt, image, task, trace. The tasks of every machine are listed;
    queries are free and at most one per second.

    --import assigns tasks to the jobs in the ledger whose responses were lost, then adds the others. They get
    references by their time (@2) and work in mj history, mj download and as images of new jobs. Running it again
    adds nothing twice.
    """
    from mjcli.cli.inputs import moment
    from mjcli.jobs.listing import TaskFilter, TaskListing

    context: Context = ctx.obj
    if any(not each.strip() for each in trace or ()):
        raise UsageError("--trace needs a trace id.")
    which = TaskFilter(
        type=kind.value if kind is not None else None,
        since=-math.inf if since is None else moment("--since", since),
        before=math.inf if before is None else moment("--before", before),
        traces=tuple(dict.fromkeys(trace or ())),
    )
    output = context.output
    if add:
        _ = context.ledger  # an error before the service is queried for a long time
    listing = TaskListing(context.client, which)
    table = output.stdout_is_terminal and not (output.json or output.mode.quiet)
    most = MAX_ROWS if table and limit is None and not add else limit
    pages = _with_progress(context, listing, listing.pages(offset=offset, limit=most))
    if add or table:
        found = [task for page in pages for task in page]
        skipped = _import(context, listing, found) if add else 0
        _show(context, found, table=table, limit=limit)
        count = len(found)
    else:
        count = skipped = 0
        for page in pages:
            _show(context, page, table=False)
            count += len(page)
    _report_skipped(context, listing.malformed + skipped)
    if not count:
        output.notice("No matching tasks." if which.excludes or offset else "This account has no tasks.")


def _with_progress(
    context: Context, listing: TaskListing, pages: Iterator[list[TaskRecord]]
) -> Iterator[list[TaskRecord]]:
    """The pages, with a notice now and then about how many tasks were read."""
    from mjcli.cli.queried import as_query

    shown_at = time.monotonic()
    try:
        for page in pages:
            if time.monotonic() - shown_at >= _PROGRESS_SECONDS:
                context.output.notice(f"{listing.read} tasks read; more follow.")
                shown_at = time.monotonic()
            yield page
    except LostResponse as error:
        raise as_query(error) from error


def _import(context: Context, listing: TaskListing, found: list[TaskRecord]) -> int:
    """Import the tasks and say what was done; returns how many were skipped."""
    from mjcli.jobs.imports import import_tasks

    settings = context.settings
    done = import_tasks(
        context.client,
        context.ledger,
        profile=settings.profile.value,
        host=settings.host,
        tasks=found,
        complete=listing.complete,
    )
    parts = [f"{_count(done.added)} imported"]
    if done.adopted:
        parts.append(f"{_count(done.adopted)} assigned to jobs whose responses were lost")
    parts.append(f"{_count(done.known)} already in the ledger")
    context.output.notice("; ".join(parts) + ".")
    return done.skipped


def _report_skipped(context: Context, count: int) -> None:
    if count:
        context.output.warning(f"{_count(count)} skipped: malformed, or of a type that mj does not know.")


def _count(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"


# -- the list ------------------------------------------------------------------------------------------


def _show(context: Context, found: list[TaskRecord], *, table: bool, limit: int | None = None) -> None:
    """Print tasks as a table, objects, lines or ids."""
    output = context.output
    if table:
        _show_table(context, found, limit)
        return
    for task in found:
        if output.json:
            output.answer({"state": task.state, **task.document}, [])
        elif output.mode.quiet:
            output.answer({}, [], [task.id or ""])
        else:
            from mjcli.cli.output.text import visible

            output.text("\t".join(map(visible, _fields(task))) + "\n")


def _fields(task: TaskRecord) -> list[str]:
    """The fields of a task's line."""
    from mjcli.api.models import text_of
    from mjcli.cli.output.times import utc_time

    response = task.response
    return [
        utc_time(task.created_at) or "",
        task.state,
        task.type or "",
        _action(task),
        _prompt(task),
        (response.id if response is not None else None) or "",
        task.id or "",
        text_of(task.document.get("trace_id")) or "",
    ]


def _action(task: TaskRecord) -> str:
    return _text(task, "action") or task.type or ""


def _prompt(task: TaskRecord) -> str:
    return _text(task, "prompt") or _text(task, "content") or _text(task, "image_url")


def _text(task: TaskRecord, name: str) -> str:
    from mjcli.api.models import text_of

    return text_of(task.request.get(name)) or ""


def _show_table(context: Context, found: list[TaskRecord], limit: int | None) -> None:
    from mjcli.cli.output.table import Column, Paper, table
    from mjcli.cli.output.times import age

    output, now = context.output, time.time()
    columns = (
        Column("AGE", 10),
        Column("STATE", 10, colours={"done": "32", "failed": "31", "running": "36"}),
        Column("ACTION", 16, needs=50),
        Column("PROMPT"),
        Column("TASK", 36, needs=70),
    )
    shown = found if limit is not None else found[:MAX_ROWS]
    rows = [
        [
            "" if task.created_at is None else age(task.created_at, now),
            task.state,
            _action(task),
            _prompt(task),
            task.id or "",
        ]
        for task in shown
    ]
    if rows:
        paper = Paper(output.width(output.stdout), output.stdout.encoding, output.colours(output.stdout))
        output.text(table(columns, rows, paper))
    if limit is None and len(rows) == MAX_ROWS:
        line = output.next_command(command("tasks", "--limit", "100"))
        output.notice(f"Showing the newest {MAX_ROWS} tasks. For more: {line}")

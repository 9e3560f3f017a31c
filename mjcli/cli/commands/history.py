"""`mj history`: the jobs in the ledger."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from enum import StrEnum
from os.path import exists
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.cli.hints import command, no_jobs_yet, resume
from mjcli.cli.history_delete import EXAMPLES as DELETE_EXAMPLES
from mjcli.cli.history_delete import delete
from mjcli.cli.history_filter import JobFilter, typed_tag
from mjcli.cli.inputs import moment
from mjcli.cli.options import PreviewOption
from mjcli.cli.output.table import Column
from mjcli.cli.output.text import visible
from mjcli.cli.output.times import age, local_time, utc_time
from mjcli.cli.parser import MjCommand, MjGroup, new_app
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.pictures import StillPictures
    from mjcli.jobs.job import Job
    from mjcli.jobs.tags import Marks

app = new_app()


class State(StrEnum):
    """The states of a job, and "unfinished" for every job that `mj resume` resumes."""

    SUBMITTING = "submitting"
    RUNNING = "running"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"
    UNFINISHED = "unfinished"


class Kind(StrEnum):
    """The kinds of jobs: the command that starts them."""

    IMAGINE = "imagine"
    ACTION = "action"
    BLEND = "blend"
    EDIT = "edit"
    DESCRIBE = "describe"
    VIDEO = "video"
    EXTEND_VIDEO = "extend-video"
    SHORTEN = "shorten"
    TRANSLATE = "translate"
    SEED = "seed"


MAX_ROWS = 20  # on a terminal, without --all
_MIN_PREFIX, _MAX_PREFIX = 8, 12  # characters of an id in the table

_MARKS = (Column("*", 1), Column("TAGS", 20, needs=90))
_COLUMNS = (
    Column("@", 10),
    _MARKS[0],
    Column("AGE", 10, needs=30),
    Column(
        "STATE",
        10,
        colours={"done": "32", "failed": "31", "unknown": "33", "running": "36", "submitting": "36"},
    ),
    Column("ACTION", 16, needs=50),
    Column("PROMPT"),
    Column("ID", _MAX_PREFIX, needs=60),
    Column("FILES", 6, needs=60),
    _MARKS[1],
)
_ID_COLUMN = 6

_BILLING = {
    "submitting": "may have been accepted and billed",
    "unknown": "may have been accepted and billed",
    "running": "billed if it succeeds",
    "failed": "not billed",
}


@app.callback(
    cls=MjGroup,
    invoke_without_command=True,
    epilog="""mj history
# Jobs whose outcome is unknown
mj history --state unknown
mj history --search cat --since 2d
mj history --tag client --starred
# The links of all images, for a script
mj history --state done --json | jq -r .result.raw_image_url
# Everything about the newest job
mj history show @last""",
)
def history(
    ctx: typer.Context,
    *,
    state: Annotated[
        list[State] | None,
        typer.Option(help="Only jobs in this state, such as unfinished (repeatable)."),
    ] = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option(
            "--kind", metavar="KIND", help="Only jobs of this kind: imagine, action, … (repeatable)."
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only jobs with this text in their prompt, action, tags or error."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="Only jobs with this tag (repeatable: with all of them)."),
    ] = None,
    starred: Annotated[bool, typer.Option("--starred", help="Only jobs with a star.")] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only jobs since WHEN: 30m, 2h, 3d, 1w, 2026-11-01, …"),
    ] = None,
    before: Annotated[str | None, typer.Option(metavar="WHEN", help="Only jobs before WHEN.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="Only the newest N jobs.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All jobs; a terminal shows 20 by default.")
    ] = False,
) -> None:
    """List the jobs of the active profile, newest first.

    A terminal shows a table. Elsewhere each job is a line with tabs between its fields: reference, time,
    state, action, prompt, image, task, files, tags (* is a star). A reference such as @2 counts all jobs of the
    profile, also those that a filter hides, so that it can be used in other commands.

    WHEN is a time back from now (90s, 30m, 2h, 3d, 1w), a date (2026-11-01), or a date and time
    (2026-11-01T10:00, in local time unless Z or an offset such as +01:00 follows).
    """
    context: Context = ctx.obj
    if ctx.invoked_subcommand is not None:
        if any(ctx.params.values()):
            raise UsageError("Filters cannot be combined with a subcommand.")
        return
    context.output.check_field(ctx.command_path)
    if everything and limit is not None:
        raise UsageError("--all cannot be combined with --limit.")
    chosen = JobFilter(
        states=frozenset(state or ()),
        kinds=frozenset(kind or ()),
        tags=frozenset(map(typed_tag, tag or ())),
        starred=starred,
        words=(search or "").casefold(),
        since=-math.inf if since is None else moment("--since", since),
        before=math.inf if before is None else moment("--before", before),
    )
    output = context.output
    if output.stdout_is_terminal and not (output.json or output.mode.quiet):
        found = _show_table(context, chosen, limit, everything=everything)
    else:
        found = _write_lines(context, chosen, limit)
    if not found:
        _explain_empty(context)


@app.command(
    "show",
    cls=MjCommand,
    epilog="""mj history show @last
mj history show 7489df4c
# The requests of all unfinished jobs
mj history --state unfinished -q | mj history show -""",
)
def show(
    ctx: typer.Context,
    jobs: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB", help="Id, id prefix, @last, @2 or a file; - reads ids from standard input."
        ),
    ],
    *,
    preview: PreviewOption = None,
) -> None:
    """Show the complete ledger entry of a job, and its image where the terminal can.

    It contains the request, times, state, result and files, and the parent images, nearest first. The service is
    not queried; mj describe-task does that.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.pictures import StillPictures
    from mjcli.jobs.tags import NO_MARKS

    context: Context = ctx.obj
    lookup = Lookup.of(context)
    chosen = [lookup.job(each, metadata=True) for each in expand(context.streams.stdin, jobs, "job")]
    ledger = context.existing_ledger
    origins = [
        [each for each in ledger.parents(job.profile, job.parent_image) if each[1] != job] if ledger else []
        for job in chosen
    ]
    parents = [parent for each in origins for _, parent in each if parent is not None]
    numbers = _numbers(context, {job.uuid for job in [*chosen, *parents]})
    every = _all_marks(context)

    def entry(job: Job) -> dict[str, Any]:
        return _document(numbers[job.uuid], job, every.get(job.number, NO_MARKS))

    still = StillPictures(context.output, context.settings, preview)
    for job, origin in zip(chosen, origins, strict=True):
        above = [{"image_id": image} if parent is None else entry(parent) for image, parent in origin]
        people = _story(context, job, every.get(job.number, NO_MARKS), origin, numbers)
        if still.is_on and job.state == "done":
            _draw(context, job, still)
        context.output.answer({**entry(job), "parents": above}, people, _quiet(job))


app.command("delete", cls=MjCommand, epilog=DELETE_EXAMPLES)(delete)


# -- which jobs ------------------------------------------------------------------------------------------


def _numbered(context: Context) -> Iterator[tuple[int, Job]]:
    """Every job of the profile, newest first, with the number of its reference."""
    ledger = context.existing_ledger
    return enumerate(ledger.newest_first(context.settings.profile.value) if ledger is not None else (), 1)


def _all_marks(context: Context) -> Mapping[int, Marks]:
    """The marks of the jobs that have any, by the numbers of their rows."""
    ledger = context.existing_ledger
    return ledger.tags.by_job() if ledger is not None else {}


def _numbers(context: Context, uuids: Set[str]) -> dict[str, int]:
    """The reference numbers of these jobs (uuids)."""
    found: dict[str, int] = {}
    for number, job in _numbered(context):
        if job.uuid in uuids:
            found[job.uuid] = number
            if len(found) == len(uuids):
                break
    return found


# -- the list ------------------------------------------------------------------------------------------


def _write_lines(context: Context, chosen: JobFilter, limit: int | None) -> int:
    """Print each job as it is read; returns how many there were."""
    from mjcli.jobs.tags import NO_MARKS

    found, every = 0, _all_marks(context)
    for number, job in _numbered(context):
        marks = every.get(job.number, NO_MARKS)
        if chosen.matches(job, marks):
            _write_line(context, number, job, marks)
            found += 1
            if found == limit:
                break
    return found


def _write_line(context: Context, number: int, job: Job, marks: Marks) -> None:
    output = context.output
    if output.json:
        output.answer(_document(number, job, marks), [])
    elif output.mode.quiet:
        output.answer({}, [], [job.task_id or job.uuid])
    else:
        fields = (
            f"@{number}",
            utc_time(job.created_at) or "",
            job.state,
            job.action,
            job.words,
            job.image_id or "",
            job.task_id or "",
            ", ".join(job.files),
            ", ".join(["*"] * marks.starred + [*marks.tags]),
        )
        output.text("\t".join(map(visible, fields)) + "\n")


def _show_table(context: Context, chosen: JobFilter, limit: int | None, *, everything: bool) -> int:
    """Print a table of the jobs and what to type next; returns how many there were."""
    from mjcli.cli.output.table import Paper, table
    from mjcli.jobs.tags import NO_MARKS

    most = None if everything else limit or MAX_ROWS
    found, unfinished, now, every = 0, False, time.time(), _all_marks(context)
    rows: dict[str, list[str]] = {}
    ids: dict[str, list[str]] = {}
    for number, job in _numbered(context):
        ids[job.uuid] = [each for each in (job.task_id, job.uuid, job.image_id) if each]
        marks = every.get(job.number, NO_MARKS)
        if chosen.matches(job, marks):
            found += 1
            if most is None or found <= most:
                rows[job.uuid] = _cells(number, job, marks, now)
                unfinished = unfinished or job.unfinished
    if not rows:
        return 0
    for uuid, name in _short_names(ids, rows).items():
        rows[uuid][_ID_COLUMN] = name
    output = context.output
    paper = Paper(output.width(output.stdout), output.stdout.encoding, output.colours(output.stdout))
    output.text(table(*_used(_COLUMNS, list(rows.values())), paper))
    if unfinished:
        output.answer({}, [("next", context.output.next_command(command("resume")))])
    if found > len(rows) and limit is None:
        output.notice(f"Showing {len(rows)} of {found} jobs; --all shows all.")
    return found


def _cells(number: int, job: Job, marks: Marks, now: float) -> list[str]:
    """The cells of a job's row, with the id left empty."""
    files = f"{job.files_due} due" if job.files_due else str(len(job.files) or "-")
    star = "*" if marks.starred else ""
    tags = ", ".join(marks.tags)
    return [f"@{number}", star, age(job.created_at, now), job.state, job.action, job.words, "", files, tags]


def _used(
    columns: Sequence[Column], rows: Sequence[Sequence[str]]
) -> tuple[Sequence[Column], Sequence[Sequence[str]]]:
    """The table without the columns for marks that no job has."""
    kept = [n for n, column in enumerate(columns) if column not in _MARKS or any(row[n] for row in rows)]
    return [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]


def _short_names(ids: Mapping[str, Sequence[str]], shown: Iterable[str]) -> dict[str, str]:
    """The shortest unique prefix of the task id, else of the uuid, for each of these jobs (uuids).

    `ids` has the ids of all jobs.
    """
    every = sorted((each, uuid) for uuid, own in ids.items() for each in own)
    names = {}
    for uuid in shown:
        prefixes = [_unique_prefix(every, each, uuid) for each in ids[uuid]]
        names[uuid] = next((each for each in prefixes if 0 < len(each) <= _MAX_PREFIX), uuid)
    return names


def _unique_prefix(every: Sequence[tuple[str, str]], text: str, uuid: str) -> str:
    """The shortest prefix of an id that no other job's id has; empty when another job has the same id."""
    length = _MIN_PREFIX
    for step in (-1, 1):
        # In a sorted list, ids with a common prefix are neighbours.
        place = bisect_left(every, (text, uuid)) + step
        while 0 <= place < len(every) and every[place][1] == uuid:
            place += step
        if 0 <= place < len(every):
            other = every[place][0]
            if other == text:
                return ""
            while length <= len(text) and other.startswith(text[:length]):
                length += 1
    return text[:length]


def _explain_empty(context: Context) -> None:
    profile = context.settings.profile.value
    if any(True for _ in _numbered(context)):
        sentence = f'No matching jobs in profile "{profile}".'
    else:
        line = context.output.next_command(command("imagine", "a cat"))
        sentence = f"{no_jobs_yet(profile, context.existing_ledger)} To start one: {line}"
    context.output.notice(sentence)


# -- one job -------------------------------------------------------------------------------------------


def _document(number: int, job: Job, marks: Marks) -> dict[str, Any]:
    """A job as scripts get it."""
    return {
        "ref": f"@{number}",
        "id": job.uuid,
        "state": job.state,
        "kind": job.kind,
        "action": job.action,
        "prompt": job.words,
        "task_id": job.task_id,
        "image_id": job.image_id,
        "profile": job.profile,
        "host": job.host,
        "created_at": utc_time(job.created_at),
        "sent_at": utc_time(job.sent_at),
        "accepted_at": utc_time(job.accepted_at),
        "ended_at": utc_time(job.ended_at),
        "request": job.request,
        "result": job.result,
        "error": job.error,
        "files": job.files,
        "files_due": job.files_due,
        "steps": job.steps,
        "parent_image": job.parent_image,
        "key": job.key,
        "tags": list(marks.tags),
        "starred": marks.starred,
    }


def _draw(context: Context, job: Job, still: StillPictures) -> None:
    """Draw the image of a job from its file, else from its link while that works; a failure is a detail."""
    from mjcli.api.models import Result
    from mjcli.cli.pictures import picture_of
    from mjcli.media.links import has_expired
    from mjcli.media.pixels import PictureError

    result = Result(job.result or {})
    ended = has_expired(result.image_link or "", time.time()) or job.host == "sandbox"
    files = [path for path in job.files if exists(path)]  # noqa: PTH110
    if result.texts or (ended and not files):
        return
    try:
        picture = picture_of(result, files, still.fetch)
        if picture is not None:
            still.draw(picture)
    except PictureError as error:
        context.output.detail(f"The picture {error}.")


def _quiet(job: Job) -> list[str]:
    """The saved files, else the link, else the task."""
    from mjcli.api.models import Result
    from mjcli.cli.output.result import quiet_lines

    return quiet_lines(Result(job.result or {}), job.files) or [job.task_id or job.uuid]


def _story(
    context: Context,
    job: Job,
    marks: Marks,
    origins: Sequence[tuple[str, Job | None]],
    numbers: Mapping[str, int],
) -> list[tuple[str, str]]:
    """A job as people read it."""
    from mjcli.api.models import Result
    from mjcli.cli.output.result import result_lines
    from mjcli.cli.output.text import shortened

    result = result_lines(context.output, Result(job.result or {}), [])
    error = job.error or {}
    lines = [
        ("job", job.uuid),
        ("ref", f"@{numbers[job.uuid]}"),
        ("state", _state(job)),
        ("kind", job.kind),
        ("action", job.action),
        ("prompt", job.words),
        ("task", job.task_id),
        ("id", job.image_id),
        ("key", job.key),
        ("tags", ", ".join(marks.tags)),
        ("starred", "yes" if marks.starred else ""),
        ("profile", job.profile),
        ("host", job.host),
        *_times(job),
        *((f"request {name}", shortened(value)) for name, value in job.request.items()),
        *(line for line in result if line[0] not in ("id", "task", "file", "next")),
        ("error", ": ".join(str(error[name]) for name in ("code", "message") if error.get(name))),
        *(("file", path if exists(path) else f"{path} (missing)") for path in job.files),  # noqa: PTH110
        *(("step", path if exists(path) else f"{path} (missing)") for path in job.steps),  # noqa: PTH110
        ("files due", str(job.files_due or "")),
        *(("from", _parent_line(image, parent, numbers)) for image, parent in origins),
    ]
    if job.unfinished:
        lines.append(("next", context.output.next_command(resume(job.reference))))
    else:
        lines += [line for line in result if line[0] == "next"]
    return [(name, value) for name, value in lines if value]


def _state(job: Job) -> str:
    """The state, and what it means for the bill: a job is billed when it succeeds."""
    if job.host == "sandbox":
        return job.state
    if job.unsent:
        billing = "not sent"
    elif job.state == "failed" and job.sent_at is not None and job.given_up:
        billing = "given up; billed if it was accepted and succeeds"
    else:
        billing = _BILLING.get(job.state, "")
    return f"{job.state} ({billing})" if billing else job.state


def _times(job: Job) -> Iterator[tuple[str, str]]:
    """The times of a job, and how long the service took."""
    moments = (
        ("created", job.created_at),
        ("sent", job.sent_at),
        ("accepted", job.accepted_at),
        ("ended", job.ended_at),
    )
    for name, time_of in moments:
        yield name, local_time(time_of) or ""
    if job.sent_at is not None and job.ended_at is not None and job.ended_at >= job.sent_at:
        yield "took", f"{job.ended_at - job.sent_at:.1f} s"


def _parent_line(image: str, parent: Job | None, numbers: Mapping[str, int]) -> str:
    if parent is None:
        return image
    return "  ".join(
        each for each in (image, parent.action, parent.words, f"(@{numbers[parent.uuid]})") if each
    )

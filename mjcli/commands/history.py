"""`mj history`: the jobs of the ledger, and all that it has of some of them."""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from enum import StrEnum
from os.path import exists
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from mjcli.errors import UsageError
from mjcli.options import MjCommand, MjGroup, new_app
from mjcli.render.table import Column
from mjcli.render.text import visible
from mjcli.render.times import age, local_time, utc_time

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.ledger import Job

app = new_app()


class State(StrEnum):
    """The states of the ledger, and a word for all that are not the end of a job."""

    SUBMITTING = "submitting"
    RUNNING = "running"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"
    UNFINISHED = "unfinished"


SHOWN = 20  # jobs, on a terminal
_ID_SHORTEST, _ID_LONGEST = 8, 12  # characters of an id in the table
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"

_COLUMNS = (
    Column("@", 10),
    Column("AGE", 10, needs=30),
    Column(
        "STATE",
        10,
        colours={"done": "32", "failed": "31", "unknown": "33", "running": "36", "submitting": "36"},
    ),
    Column("ACTION", 16, needs=50),
    Column("PROMPT"),
    Column("ID", _ID_LONGEST, needs=60),
    Column("FILES", 6, needs=60),
)
_ID_COLUMN = 5

_MONEY = {
    "submitting": "it may have been accepted, and is then billed",
    "unknown": "it may have been accepted, and is then billed",
    "running": "billed if it succeeds",
    "failed": "not billed",
}


class HistoryGroup(MjGroup):
    """Tells who names a job without a command what to type."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands and not args[0].startswith("-"):
            import shlex

            word = shlex.quote(args[0])
            raise UsageError(
                f"There is no command mj history {args[0]}.",
                hint=f"mj history show {word}\nmj history --search {word}",
            )
        return super().resolve_command(ctx, args)


@app.callback(
    cls=HistoryGroup,
    invoke_without_command=True,
    epilog="""mj history
# What may have been accepted though its answer was lost
mj history --state unknown
mj history --search cat --since 2d
# The links of what was made, for a script
mj history --state done --json | jq -r .result.raw_image_url
# All there is to know about the newest job
mj history show @last""",
)
def history(
    ctx: typer.Context,
    *,
    state: Annotated[
        list[State] | None,
        typer.Option(help="Only jobs in this state; unfinished is all that mj resume takes up (repeatable)."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND", help="Only jobs of this kind: imagine, action, … (repeatable)."
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only jobs with this in their prompt, action or error message."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only jobs asked for since then: 30m, 2h, 3d, 1w, 2026-11-01, …"),
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only jobs asked for before then.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many, the newest.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of them, on a terminal too, where 20 are the default.")
    ] = False,
) -> None:
    """List the jobs of the profile in use, newest first.

    On a terminal they are a table; elsewhere each is one line, its fields separated by tabs: reference,
    time, state, action, prompt, image, task, files. The references count all jobs of the profile, whatever
    is left out, so that what is listed can be typed: @1 is the newest.

    WHEN is a span back from now (90s, 30m, 2h, 3d, 1w), a date (2026-11-01), or a date and time
    (2026-11-01T10:00, in local time unless Z or an offset such as +01:00 follows).
    """
    runtime: Runtime = ctx.obj
    if ctx.invoked_subcommand is not None:
        if any(ctx.params.values()):
            raise UsageError("The filters are for the list; a job that is named is shown whole.")
        return
    if everything and limit is not None:
        raise UsageError("--all contradicts --limit.")
    wanted = _Wanted(
        states=frozenset(state or ()),
        kinds=frozenset(kind or ()),
        words=(search or "").casefold(),
        since=-math.inf if since is None else _moment("--since", since),
        before=math.inf if before is None else _moment("--before", before),
    )
    output = runtime.output
    if output.stdout_is_terminal and not (output.json or output.mode.quiet):
        found = _show_table(runtime, wanted, limit, everything=everything)
    else:
        found = _write_lines(runtime, wanted, limit)
    if not found:
        _say_why_nothing(runtime)


@app.command(
    "show",
    cls=MjCommand,
    epilog="""mj history show @last
mj history show 7489df4c
# What each of the unfinished jobs was asked for
mj history --state unfinished -q | mj history show -""",
)
def show(
    ctx: typer.Context,
    jobs: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB", help="An id or its beginning, @last, @2, or - for ids on standard input."
        ),
    ],
) -> None:
    """Tell all that the ledger has of a job.

    That is its request, its times, what became of it, its files, and the images that it comes from, nearest
    first. The service is not asked: mj describe-task does that.
    """
    from mjcli.references import expand, job_of

    runtime: Runtime = ctx.obj
    chosen = [job_of(runtime, each) for each in expand(runtime, jobs, "job")]
    origins = [list(_origins(runtime, job)) for job in chosen]
    parents = [parent for each in origins for _, parent in each if parent is not None]
    numbers = _numbers(runtime, {job.uuid for job in [*chosen, *parents]})
    for job, origin in zip(chosen, origins, strict=True):
        document = {
            **_document(numbers[job.uuid], job),
            "parents": [
                {"image_id": image} if parent is None else _document(numbers[parent.uuid], parent)
                for image, parent in origin
            ],
        }
        runtime.output.answer(document, _story(runtime, job, origin, numbers), _quiet(job))


# -- which jobs ------------------------------------------------------------------------------------------


class _Wanted(NamedTuple):
    """What the jobs are chosen by; an empty set or text excludes nothing."""

    states: frozenset[str]
    kinds: frozenset[str]
    words: str  # casefolded
    since: float  # Unix seconds
    before: float

    def matches(self, job: Job) -> bool:
        """Whether the job is one that is asked for."""
        in_state = job.state in self.states or (job.unfinished and "unfinished" in self.states)
        return (
            (in_state or not self.states)
            and (job.kind in self.kinds or not self.kinds)
            and self.since <= job.created_at < self.before
            and self.words in _words(job).casefold()
        )


def _words(job: Job) -> str:
    """All that is searched through."""
    return "\n".join((job.subject, job.prompt, job.action, str((job.error or {}).get("message", ""))))


def _moment(option: str, text: str) -> float:
    """The Unix seconds that were meant. Raises `UsageError`."""
    from datetime import datetime

    from mjcli.render.times import UNITS

    if span := re.fullmatch(r"([0-9]{1,9})([smhdw])", text):
        return time.time() - int(span[1]) * UNITS[span[2]]
    if re.fullmatch(_DATE, text):
        try:
            return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            pass  # such as the 30th of February
    raise UsageError(
        f"{option} {visible(text)[:80]!r} is no time; write a span back from now (90s, 30m, 2h, 3d, 1w), "
        "a date (2026-11-01), or a date and time (2026-11-01T10:00)."
    )


def _numbered(runtime: Runtime) -> Iterator[tuple[int, Job]]:
    """Every job of the profile, newest first, with the number of its reference."""
    ledger = runtime.kept
    return enumerate(ledger.newest_first(runtime.profile) if ledger is not None else (), 1)


def _numbers(runtime: Runtime, wanted: Set[str]) -> dict[str, int]:
    """The numbers of these jobs (uuids), which are most often among the newest."""
    found: dict[str, int] = {}
    for number, job in _numbered(runtime):
        if job.uuid in wanted:
            found[job.uuid] = number
            if len(found) == len(wanted):
                break
    return found


# -- the list ------------------------------------------------------------------------------------------


def _write_lines(runtime: Runtime, wanted: _Wanted, limit: int | None) -> int:
    """Each job as soon as it is read; how many there were."""
    found = 0
    for number, job in _numbered(runtime):
        if wanted.matches(job):
            _write_line(runtime, number, job)
            found += 1
            if found == limit:
                break
    return found


def _write_line(runtime: Runtime, number: int, job: Job) -> None:
    output = runtime.output
    if output.json:
        output.answer(_document(number, job), [])
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
        )
        output.text("\t".join(map(visible, fields)) + "\n")


def _show_table(runtime: Runtime, wanted: _Wanted, limit: int | None, *, everything: bool) -> int:
    """The jobs as a table, and what to type next; how many there were."""
    from mjcli.render.output import terminal_width
    from mjcli.render.table import Paper, table

    most = None if everything else limit or SHOWN
    found, unfinished, now = 0, False, time.time()
    rows: dict[str, list[str]] = {}
    ids: dict[str, list[str]] = {}
    for number, job in _numbered(runtime):
        ids[job.uuid] = [each for each in (job.task_id, job.uuid, job.image_id) if each]
        if wanted.matches(job):
            found += 1
            if most is None or found <= most:
                rows[job.uuid] = _cells(number, job, now)
                unfinished = unfinished or job.unfinished
    if not rows:
        return 0
    for uuid, name in _short_names(ids, rows).items():
        rows[uuid][_ID_COLUMN] = name
    output = runtime.output
    paper = Paper(
        terminal_width(output.stdout, runtime.environ), output.stdout.encoding, output.colours(output.stdout)
    )
    output.text(table(_COLUMNS, list(rows.values()), paper))
    if unfinished:
        output.answer({}, [("next", runtime.again("mj resume"))])
    if found > len(rows) and limit is None:
        output.notice(f"{len(rows)} of {found} jobs are shown; --all shows them all.")
    return found


def _cells(number: int, job: Job, now: float) -> list[str]:
    """The cells of a job's row, but for its id."""
    files = f"{job.files_due} due" if job.files_due else str(len(job.files) or "-")
    return [f"@{number}", age(job.created_at, now), job.state, job.action, job.words, "", files]


def _short_names(ids: Mapping[str, Sequence[str]], shown: Iterable[str]) -> dict[str, str]:
    """What names each of the jobs shown (uuids): the shortest beginning of its task, else of its uuid.

    `ids` has the ids of all jobs, so that no other one is meant.
    """
    every = sorted((each, uuid) for uuid, own in ids.items() for each in own)
    names = {}
    for uuid in shown:
        beginnings = [_beginning(every, each, uuid) for each in ids[uuid]]
        names[uuid] = next((each for each in beginnings if 0 < len(each) <= _ID_LONGEST), uuid)
    return names


def _beginning(every: Sequence[tuple[str, str]], text: str, uuid: str) -> str:
    """The shortest beginning of an id that no id of another job has; empty when another has it wholly."""
    length = _ID_SHORTEST
    for step in (-1, 1):
        # In order, those that begin alike are neighbours.
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


def _say_why_nothing(runtime: Runtime) -> None:
    if any(True for _ in _numbered(runtime)):
        sentence = f"No job of the profile {runtime.profile} matches."
    else:
        made = runtime.again('mj imagine "a cat"')
        sentence = f"There are no jobs of the profile {runtime.profile} yet; {made} makes one."
    runtime.output.notice(sentence)


# -- one job -------------------------------------------------------------------------------------------


def _document(number: int, job: Job) -> dict[str, Any]:
    """A job as scripts have it."""
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
        "parent_image": job.parent_image,
    }


def _quiet(job: Job) -> list[str]:
    """The saved files, else the link, else the task."""
    from mjcli.api.models import Result
    from mjcli.delivery import quiet_lines

    return quiet_lines(Result(job.result or {}), job.files) or [job.task_id or job.uuid]


def _origins(runtime: Runtime, job: Job) -> Iterator[tuple[str, Job | None]]:
    """The images that a job comes from, nearest first, each with the job that made it, where that is known."""
    seen = {job.uuid}
    image = job.parent_image
    while image:
        parent = runtime.ledger.by_image(job.profile, image)
        if parent is not None and parent.uuid in seen:
            return
        yield image, parent
        if parent is None:
            return
        seen.add(parent.uuid)
        image = parent.parent_image


def _story(
    runtime: Runtime, job: Job, origins: Sequence[tuple[str, Job | None]], numbers: Mapping[str, int]
) -> list[tuple[str, str]]:
    """A job as people read it."""
    from mjcli.api.models import Result
    from mjcli.delivery import result_lines
    from mjcli.errors import resume
    from mjcli.render.text import shortened

    told = result_lines(runtime, Result(job.result or {}), [])
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
        ("profile", job.profile),
        ("host", job.host),
        *_times(job),
        *((f"request {name}", shortened(value)) for name, value in job.request.items()),
        *(line for line in told if line[0] not in ("id", "task", "file", "next")),
        ("error", ": ".join(str(error[name]) for name in ("code", "message") if error.get(name))),
        *(("file", path if exists(path) else f"{path} (missing)") for path in job.files),  # noqa: PTH110
        ("files due", str(job.files_due or "")),
        *(("from", _origin(image, parent, numbers)) for image, parent in origins),
    ]
    if job.unfinished:
        lines.append(("next", runtime.again(resume(job.reference))))
    else:
        lines += [line for line in told if line[0] == "next"]
    return [(name, value) for name, value in lines if value]


def _state(job: Job) -> str:
    """The state, and what it means for the money: a job is billed when it succeeds (api.md, "Errors")."""
    if job.host == "sandbox":
        return job.state
    if job.unsent:
        money = "not sent yet, nothing paid"
    elif job.state == "failed" and job.sent_at is not None and not job.wanted:
        money = "given up; if it was accepted, it is billed when it succeeds"
    else:
        money = _MONEY.get(job.state, "")
    return f"{job.state} ({money})" if money else job.state


def _times(job: Job) -> Iterator[tuple[str, str]]:
    """When what happened, and how long the service took."""
    moments = (
        ("asked", job.created_at),
        ("sent", job.sent_at),
        ("accepted", job.accepted_at),
        ("ended", job.ended_at),
    )
    for name, moment in moments:
        yield name, local_time(moment) or ""
    if job.sent_at is not None and job.ended_at is not None and job.ended_at >= job.sent_at:
        yield "took", f"{job.ended_at - job.sent_at:.1f} s"


def _origin(image: str, parent: Job | None, numbers: Mapping[str, int]) -> str:
    if parent is None:
        return image
    return "  ".join(
        each for each in (image, parent.action, parent.words, f"(@{numbers[parent.uuid]})") if each
    )

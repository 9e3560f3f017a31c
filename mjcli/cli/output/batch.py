"""The jobs of a batch as they end, and its summary: for scripts, for people, and for --quiet."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.cli.output.board import Board, Counts, duration, usd
from mjcli.cli.output.result import quiet_lines, result_lines
from mjcli.cli.output.sink import Output, failure_document
from mjcli.cli.output.table import clipped, display_width
from mjcli.cli.output.text import count_of_jobs, visible
from mjcli.cli.output.times import local_time
from mjcli.errors import ExitCode

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.errors import MjError

GROUPS = 20  # reasons that are told apart
SHOWN = 3  # reasons, and lines of each, in the summary for people
LINES = 20  # lines of each reason that scripts get
OF_UNKNOWN = (
    "the same command looks them up again; --retry-unknown resends them, and they may be billed twice"
)
_GAP = "  "
_PLACE = 9  # columns of "line 1234"
_PROMPT = 16  # columns of a prompt below which only the file is shown


class Place(NamedTuple):
    """Where a job comes from: its key, its line in the file, its step in a chain, and its prompt."""

    line: int
    key: str | None = None
    step: str | int | None = None
    prompt: str = ""

    def __str__(self) -> str:
        return f"line {self.line}" if self.step is None else f"line {self.line}, {self.step}"


def finished_object(
    document: Mapping[str, Any],
    files: Sequence[str],
    *,
    key: str | None,
    line: int,
    step: str | int | None,
) -> dict[str, Any]:
    """The object of a job that ended: what the service returned, the files, and where it comes from."""
    return {**document, "files": list(files), "key": key, "line": line, "step": step}


def print_finished(
    output: Output,
    board: Board,
    place: Place,
    result: Result,
    files: Sequence[str],
    problem: MjError | None = None,
) -> None:
    """Print a job that is done. With a problem, its files are incomplete; that does not decide the exit status."""
    document = finished_object(result.document, files, key=place.key, line=place.line, step=place.step)
    reads_results = output.stdout_is_terminal and not output.mode.quiet  # a person, as they appear
    if board.shows_lines or (reads_results and not output.json):
        more = "…" if (output.stderr.encoding or "").lower().startswith("utf") else "..."
        line = finished_line(place, _results(result, files), output.width(output.stderr) - 1, more)
    if board.shows_lines and not (reads_results and output.json):
        board.add(line)
    elif reads_results and not output.json:
        output.text(f"{line}\n")
    if not (reads_results or output.json) or (output.json and problem is None):
        lines = [each for each in result_lines(output, result, files) if each[0] != "next"]
        output.answer(document, [*_place_lines(place), *lines], quiet_lines(result, files))
    if problem is not None:
        output.failure_among(str(place), problem, document)


def print_failed(
    output: Output, place: Place, error: MjError, document: Mapping[str, Any] | None = None
) -> None:
    """Print a job that failed, or whose outcome is unknown; that does not decide the exit status."""
    known = finished_object(document or {}, (), key=place.key, line=place.line, step=place.step)
    name = f"{place} (job {error.job})" if error.job and error.exit_code == ExitCode.UNKNOWN else str(place)
    output.failure_among(name, error, known)


def finished_line(place: Place, results: Sequence[str], columns: int, more: str = "...") -> str:
    """One line about a job that is done: its place, its prompt, and the first of its files, else what names it.

    The prompts and the files are below each other as far as there is room; `more` marks what is cut.
    """
    label = f"{place!s:<{_PLACE}}  "
    others = f" (+{len(results) - 1})" if len(results) > 1 else ""
    file = visible(short_path(results[0])) if results else ""
    prompt, room = visible(place.prompt), columns - display_width(label)
    if not file:
        return f"{label}{clipped(prompt, room, more)}"
    left = min(room // 2, room - display_width(file + others) - len(_GAP))
    if not prompt or left < _PROMPT:
        return f"{label}{clipped(file, room - len(others), more)}{others}"
    prompt = clipped(prompt, left, more)
    return f"{label}{prompt}{' ' * (left - display_width(prompt))}{_GAP}{file}{others}"


def _results(result: Result, files: Sequence[str]) -> Sequence[str]:
    """What a person wants to know of a result, in a word: its files, its text, or what names it."""
    return files or result.texts or [each for each in [result.id or result.task_id] if each]


def _place_lines(place: Place) -> list[tuple[str, str]]:
    """A place as `name: value` lines."""
    values = [("line", str(place.line)), ("key", place.key), ("step", place.step), ("prompt", place.prompt)]
    return [(name, str(value)) for name, value in values if value not in (None, "")]


def short_path(path: str) -> str:
    """A file as it is called from the working directory, if that is shorter."""
    try:
        relative = os.path.relpath(path) if Path(path).is_absolute() else path
    except (OSError, ValueError):  # a deleted directory, another drive
        return path
    return min(relative, path, key=len)


class Reason(NamedTuple):
    """Why jobs failed: the code and the message, how many jobs it concerns, and the first of their lines."""

    state: str
    code: str
    message: str
    jobs: int
    lines: tuple[int, ...]


class Reasons:
    """Counts failures by their reason; of very many different reasons, only the first are told apart."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], tuple[int, list[int]]] = {}

    def add(self, state: str, error: MjError, line: int) -> None:
        """Count a job that ended in `state` ("failed", "unknown"), at this line of the file."""
        known = (state, error.code, error.message)
        if known not in self._found and len(self._found) >= GROUPS:
            known = (state, "", "other reasons")
        count, lines = self._found.get(known, (0, []))
        if len(lines) < LINES and line not in lines:
            lines.append(line)
        self._found[known] = (count + 1, lines)

    def all(self) -> list[Reason]:
        """The reasons, the most frequent first."""
        found = [Reason(*known, count, tuple(lines)) for known, (count, lines) in self._found.items()]
        return sorted(found, key=lambda reason: -reason.jobs)


class Summary(NamedTuple):
    """A batch at its end. `seconds` is how long this run took, `before_at` when the last earlier job was done.

    `unsaved` jobs are done, but files of them are missing. `directory` is where the files are, `next` what to type
    next, and `error` why jobs were not sent.
    """

    counts: Counts
    seconds: float
    exit_status: int
    name: str = ""
    before_at: float | None = None
    reasons: Sequence[Reason] = ()
    directory: str | None = None
    report: str | None = None
    next: str = ""
    error: MjError | None = None
    unsaved: int = 0


def summary_object(summary: Summary) -> dict[str, Any]:
    """The last object of a batch."""
    counts = summary.counts
    numbers = {name: getattr(counts, name) for name in _NUMBERS}
    return {
        "summary": True,
        "success": summary.exit_status == 0,
        "batch": summary.name,
        **numbers,
        "unsaved": summary.unsaved,
        "cost": None if counts.spent is None else round(counts.spent, 6),
        "estimated": counts.estimated,
        "seconds": round(summary.seconds, 1),
        "failures": [{**reason._asdict(), "lines": list(reason.lines)} for reason in summary.reasons],
        "exit_status": summary.exit_status,
        **(failure_fields(summary.error) if summary.error is not None else {}),
    }


def failure_fields(error: MjError) -> dict[str, Any]:
    """The fields of an error in an object that has its own `success`."""
    document = failure_document(error)
    return {name: value for name, value in document.items() if name != "success"}


_NUMBERS = ("total", "before", "done", "failed", "unknown", "running", "left")


def summary_lines(summary: Summary) -> list[tuple[str, str]]:
    """The summary for people, as `name: value` lines."""
    counts = summary.counts
    done, ran = counts.before + counts.done, counts.ended + counts.running
    lines = [
        ("done", f"{done} of {count_of_jobs(counts.total)}{f' in {_took(summary.seconds)}' if ran else ''}")
    ]
    if counts.before:
        when = local_time(summary.before_at)
        lines.append(("before", f"{counts.before} of them{f', the last at {when}' if when else ''}"))
    lines += (
        [("not saved", f"{count_of_jobs(summary.unsaved)}; their files are missing")]
        if summary.unsaved
        else []
    )
    for state in ("failed", "unknown"):
        lines += _reason_lines(state, getattr(counts, state), summary.reasons)
    lines += [("hint", OF_UNKNOWN)] if counts.unknown else []
    lines += [("running", str(counts.running))] if counts.running else []
    lines += [("not sent", str(counts.left))] if counts.left else []
    if counts.spent is not None:
        unknown = "; unknown jobs may cost nothing" if counts.unknown else ""
        lines.append(("cost", usd(counts.spent) + (f" (estimated{unknown})" if counts.estimated else "")))
    lines += [("files", summary.directory)] if summary.directory else []
    lines += [("report", summary.report)] if summary.report else []
    return [*lines, *([("next", summary.next)] if summary.next else [])]


def print_summary(output: Output, summary: Summary) -> None:
    """Print the summary, and record the exit status. `--quiet` shows nothing of it."""
    if summary.exit_status:
        output.fail(summary.exit_status)
    # A field is one of the jobs.
    if output.mode.field is None and (output.json or not output.mode.quiet):
        output.answer(summary_object(summary), summary_lines(summary))


def _reason_lines(state: str, count: int, reasons: Sequence[Reason]) -> list[tuple[str, str]]:
    """How many jobs failed, and the most frequent reasons."""
    reasons = [reason for reason in reasons if reason.state == state]
    if not count:
        return []
    shown = [
        f"{reason.jobs} {_where(reason)}: {reason.message}{f' ({reason.code})' if reason.code else ''}"
        for reason in reasons[:SHOWN]
    ]
    rest = count - sum(reason.jobs for reason in reasons[:SHOWN])
    if rest > 0:
        shown.append(f"{rest} for other reasons" if shown else str(rest))
    return [(state, each) for each in shown]


def _where(reason: Reason) -> str:
    lines = ", ".join(map(str, reason.lines[:SHOWN]))
    more = ", ..." if len(reason.lines) > SHOWN else ""
    return f"(line{'s' if len(reason.lines) > 1 else ''} {lines}{more})"


def _took(seconds: float) -> str:
    """How long something took: `4.2 s`, `3 min 20 s`; hours as in `duration`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return duration(seconds)

"""A batch as `--dry-run` describes it: what each line would request, where its files go, and what all of it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mjcli.cli.batch.steps import most_jobs
from mjcli.cli.output.batch import Place, finished_line, short_path
from mjcli.cli.output.text import visible
from mjcli.media.names import fields_of

if TYPE_CHECKING:
    from mjcli.cli.batch.cost import Forecast
    from mjcli.cli.batch.work import Piece, Survey
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.order import Order
    from mjcli.media.names import Target


def file_of(order: Order, target: Target, hide: Callable[[str], str]) -> str:
    """The path of a job's file, with placeholders for what only the result says."""
    known = fields_of(prompt=hide(order.subject), image_id=None, task_id=None, action=order.action)
    values = {name: f"{{{name}}}" for name in ("image_id", "task_id", "ext", "index")}
    values |= {name: known[name] for name in ("prompt", "action", "date")}
    return str(target.directory / target.template.format_map(values))


def print_preview(
    output: Output,
    name: str,
    survey: Survey,
    drafts: Sequence[tuple[Piece, Order]],
    forecast: Forecast,
    target_of: Callable[[Piece], Target | None],
) -> None:
    """Print what a batch would send; with --json an object for each line, and a summary as the last one."""
    requests = survey.jobs + len(survey.unsent)
    columns = output.width(output.stdout) - 1 if output.stdout_is_terminal else None
    for piece, order in drafts:
        target = target_of(piece)
        file = file_of(order, target, output.secret.hide) if target is not None else None
        if output.json:
            output.answer(_document(piece, order, file), [])
        else:
            place = Place(piece.line.number, piece.line.key, piece.step, _words(order))
            files = [short_path(file)] if file else []
            whole = "\t".join(visible(each) for each in [str(place), place.prompt, *files])
            output.text(f"{whole if columns is None else finished_line(place, files, columns)}\n")
    summary: dict[str, Any] = {
        "summary": True,
        "dry_run": True,
        "batch": name,
        "total": survey.total,
        "before": survey.before,
        "failed": len(survey.failed) + len(survey.impossible),
        "running": len(survey.to_follow) - len(survey.unsent) - survey.unsaved,
        "unsaved": survey.unsaved,
        "requests": requests,
        "jobs": forecast.jobs,
        "cost": None if forecast.at_least else round(forecast.usd, 6),
        "cost_at_least": round(forecast.usd, 6),
        "price_source": forecast.sources,
    }
    lines = [
        ("batch", name),
        ("jobs", f"{requests} of {survey.total} would be sent{_repeats(requests, forecast.jobs)}"),
        *([("before", f"{survey.before} done")] if survey.before else []),
        *(
            [("unsaved", f"{survey.unsaved} done before, only their files are missing")]
            if survey.unsaved
            else []
        ),
        *([("running", f"{summary['running']} would be followed")] if summary["running"] else []),
        *([("failed", f"{len(survey.failed)} failed before")] if survey.failed else []),
        *([("failed", _impossible(len(survey.impossible)))] if survey.impossible else []),
        ("cost", forecast.cost),
    ]
    output.answer(summary, lines)


def _repeats(requests: int, jobs: int) -> str:
    """What --repeat makes of the requests, if any prompt has it."""
    return f"; --repeat makes {'it' if requests == 1 else 'them'} {jobs}" if jobs > requests else ""


def _impossible(count: int) -> str:
    """How many steps can never be done: their images are there, and do not offer them."""
    return (
        "1 step is not offered by its image"
        if count == 1
        else f"{count} steps are not offered by their images"
    )


def _document(piece: Piece, order: Order, file: str | None) -> dict[str, Any]:
    return {
        "line": piece.line.number,
        "key": piece.line.key,
        "step": piece.step,
        "request": dict(order.body),
        "then": [each.text for each in piece.steps],
        "jobs": most_jobs(piece.steps),
        "file": file,
    }


def _words(order: Order) -> str:
    body = order.body
    if "prompt" in body and "action" not in body:
        return str(body["prompt"])
    return " ".join(str(body[each]) for each in ("action", "image_id", "prompt") if body.get(each))

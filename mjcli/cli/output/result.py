"""A result of a job: for scripts, for people, and for --quiet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mjcli.cli.hints import Outside, action_on, command
from mjcli.cli.output.screen import Actions, Identifier, Link

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.output.sink import Output
    from mjcli.errors import MjError


def print_result(
    output: Output,
    result: Result,
    saved: Sequence[str],
    problem: MjError | None = None,
    more: Sequence[tuple[str, str]] = (),
    *,
    beside: Sequence[tuple[str, str]] = (),
    fields: Mapping[str, Any] | None = None,
    another: bool = False,
) -> None:
    """Print a finished job; `saved` are the paths of its files, and `more` further lines for people.

    `beside` are the lines of what was saved beside the files, and `fields` the same for scripts.
    Files that could not be saved make it a failure that still prints what is known. With `another` job to
    come, a terminal does not show what to type next.
    """
    lines = [*result_lines(output, result, saved, beside), *more]
    if another and output.stdout_is_terminal:
        lines = [line for line in lines if line[0] != "next"]
    output.answer(
        {**result.document, "files": list(saved), **(fields or {})},
        lines,
        quiet_lines(result, saved),
        problem,
    )


def quiet_lines(result: Result, saved: Sequence[str]) -> list[str]:
    """What --quiet prints: the saved files, else the text or links of the result, else the task id."""
    found = [*saved] or result.texts or result.video_urls
    return found or [each for each in [result.image_link or result.task_id] if each]


def result_lines(
    output: Output, result: Result, saved: Sequence[str], beside: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """A result as `name: value` lines, with the command to type next; on a terminal, the files come first."""
    texts, links, ids = _text_lines(result), _link_lines(result), _id_lines(result)
    size = [] if result.video_urls else _line("size", result.size)  # of a video, that of its cover
    actions = _line("actions", Actions(" ".join(result.actions)))
    files = [*(("file", path) for path in saved), *beside]
    following = _next_lines(output, result)
    if output.stdout_is_terminal:
        return [*texts, *files, *links, *size, *actions, *ids, *following]
    return [*texts, *links, *ids, *size, *actions, *files, *following]


def _next_lines(output: Output, result: Result) -> list[tuple[str, str]]:
    """The command that continues with an image or a video."""
    if result.actions and result.image_id:
        line = action_on(result.actions[0], result.image_id)
    elif result.video_id:
        line = command("extend-video", Outside(result.video_id))
        line = f'{line} "PROMPT" --index 0' if line else ""
    else:
        return []
    return [("next", output.next_command(line))]


def _id_lines(result: Result) -> list[tuple[str, str]]:
    """The ids of the image or video and of the task."""
    return [
        line
        for name, value in (("id", result.id), ("task", result.task_id))
        for line in _line(name, Identifier(value or ""))
    ]


def _line(name: str, value: str | None) -> list[tuple[str, str]]:
    return [(name, value)] if value else []


def _text_lines(result: Result) -> list[tuple[str, str]]:
    """A text result; several texts are numbered."""
    for name in ("content", "seed"):
        if result.texts == [str(result.document.get(name))]:
            return [(name, result.texts[0])]
    return [(str(number), text) for number, text in enumerate(result.texts, start=1)]


def _link_lines(result: Result) -> list[tuple[str, str]]:
    """The links of images and videos."""
    image = [result.image_link] if result.image_link and not result.texts else []
    if videos := result.video_urls:
        return [*(("video", Link(url)) for url in videos), *(("cover", Link(url)) for url in image)]
    parts = result.file_urls
    several = parts if len(parts) > 1 else []
    return [*(("link", Link(url)) for url in image or parts), *(("part", Link(url)) for url in several)]

"""A result of a job: for scripts, for people, and for --quiet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mjcli.cli.hints import Outside, command

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
) -> None:
    """Print a finished job; `saved` are the paths of its files, `more` further lines for people.

    Files that could not be saved make it a failure that still prints what is known.
    """
    lines = [*result_lines(output, result, saved), *more]
    output.answer({**result.document, "files": list(saved)}, lines, quiet_lines(result, saved), problem)


def quiet_lines(result: Result, saved: Sequence[str]) -> list[str]:
    """What --quiet prints: the saved files, else the text or links of the result, else the task id."""
    found = [*saved] or result.texts or result.video_urls
    return found or [each for each in [result.image_link or result.task_id] if each]


def result_lines(output: Output, result: Result, saved: Sequence[str]) -> list[tuple[str, str]]:
    """A result as `name: value` lines, with the command to type next."""
    lines = [*_text_lines(result), *_link_lines(result)]
    size = None if result.video_urls else result.size  # of a video it would be the size of its cover
    for name, value in (("id", result.id), ("task", result.task_id), ("size", size)):
        if value:
            lines.append((name, value))
    if result.actions:
        lines.append(("actions", " ".join(result.actions)))
    lines += [("file", path) for path in saved]
    if result.actions and result.image_id:
        line = command("action", Outside(result.actions[0]), Outside(result.image_id))
    elif result.video_id:
        line = command("extend-video", Outside(result.video_id))
        line = f'{line} "PROMPT" --index 0' if line else ""
    else:
        return lines
    return [*lines, ("next", output.next_command(line))]


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
        return [*(("video", url) for url in videos), *(("cover", url) for url in image)]
    parts = result.file_urls
    lines = [("link", url) for url in image or parts]
    return [*lines, *(("part", url) for url in parts)] if len(parts) > 1 else lines

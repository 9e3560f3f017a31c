"""`mj blend`: one picture out of several."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.errors import UsageError
from mjcli.options import (
    FileOptions,
    JobOptions,
    PromptCommand,
    Translation,
    given_parameters,
    new_app,
    takes,
)

if TYPE_CHECKING:
    from mjcli.context import Runtime

app = new_app()

CERTAIN = 8  # characters of the beginning of an id that is hardly a word


@app.command(
    "blend",
    cls=PromptCommand,
    epilog="""mj blend https://example.com/bear.png https://example.com/saw.png "the bear holds the saw" --iw 2
# The two newest of your own pictures
mj blend @last @2
# Links from a file, one a line
mj blend - "a family" < links.txt""",
)
@takes(job=JobOptions, files=FileOptions)
def blend(
    ctx: typer.Context,
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE IMAGE PROMPT",
            help="Two to five images (links, @last, @2, ids of your own pictures; - reads standard input), then words.",
        ),
    ],
    *,
    translation: Translation = None,
    job: JobOptions,
    files: FileOptions,
) -> None:
    """Blend two to five images, with optional words.

    The images come first; the rest of the arguments is the prompt. Each link must be the image itself,
    not a page that shows it.
    """
    from mjcli.delivery import Wanted, deliver_all, prompt_body
    from mjcli.prompt.compose import MAX_IMAGES, is_link, words_of
    from mjcli.references import expand, link_of

    runtime: Runtime = ctx.obj
    every = expand(runtime, arguments, "image")
    named = [
        each for _, each in takewhile(lambda each: _means_image(runtime, *each), enumerate(every, start=1))
    ]
    words = words_of(every[len(named) :])
    late = next((word for word in every[len(named) :] if is_link(word)), None)
    if late is not None:
        raise UsageError(f"The image {late} stands behind the words; the images come first.")
    if len(named) < 2 and len(every) > len(named) and _is_file(every[len(named)]):
        raise UsageError(
            f"{every[len(named)]} is a file on this machine; blend takes links, @last, or image ids."
        )
    if not 2 <= len(named) <= MAX_IMAGES:
        raise UsageError(
            f"A blend takes two to five images, not {len(named)}.",
            hint="mj blend URL URL [PROMPT]" if len(named) != 1 else "mj imagine --image URL PROMPT",
        )
    links = [link_of(runtime, each, ask=not job.dry_run) for each in named]
    body = prompt_body(runtime, links, words, given_parameters(ctx), translation=translation)
    deliver_all(runtime, [Wanted("blend", body, slug=words or "blend")], job, files)


def _is_file(argument: str) -> bool:
    """Whether an argument names a picture on the disk, there or not."""
    from pathlib import Path

    return (
        Path(argument).suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".gif")
        or Path(argument).is_file()
    )


def _means_image(runtime: Runtime, place: int, argument: str) -> bool:
    """Whether the argument in this place (from 1) is an image rather than a word.

    The first two can only be images, so the shortest beginning of an id will do; after them a word such as
    "cafe" or "2026" is more likely one.
    """
    from mjcli.prompt.compose import is_link
    from mjcli.references import SHORTEST

    if is_link(argument) or argument.startswith("@") or _is_whole_id(argument):
        return True
    if place > 2 and (len(argument) < CERTAIN or not any(map(str.isdecimal, argument))):
        return False
    return len(argument) >= SHORTEST and bool(runtime.named(argument, at_most=1))


def _is_whole_id(argument: str) -> bool:
    """Whether it has the form of an id: of an image (digits), or of a task or job (a UUID)."""
    if argument.isascii() and argument.isdecimal():
        return len(argument) >= 17
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", argument) is not None

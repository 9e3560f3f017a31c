"""`mj blend`: one picture out of several."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.errors import UsageError
from mjcli.options import (
    FileOptions,
    JobOptions,
    PromptCommand,
    PromptOptions,
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
# Pictures on this machine are uploaded first
mj blend sketch.png photo.jpg "in the style of a woodcut"
# Links from a file, one a line
mj blend - "a family" < links.txt""",
)
@takes(job=JobOptions, files=FileOptions, checks=PromptOptions)
def blend(
    ctx: typer.Context,
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE IMAGE PROMPT",
            help="Two to five images (links, files, @last, @2, ids; - reads standard input), then words.",
        ),
    ],
    *,
    translation: Translation = None,
    job: JobOptions,
    files: FileOptions,
    checks: PromptOptions,
) -> None:
    """Blend two to five images, with optional words.

    The images come first; the rest of the arguments is the prompt. Each link must be the image itself,
    not a page that shows it.
    """
    from mjcli.delivery import Wanted, deliver_all, prepared
    from mjcli.prompt.check import MAX_IMAGES
    from mjcli.prompt.compose import words_of
    from mjcli.prompts import orders
    from mjcli.references import expand

    runtime: Runtime = ctx.obj
    target = prepared(runtime, job, files)
    every = expand(runtime, arguments, "image")
    named = [
        each for _, each in takewhile(lambda each: _means_image(runtime, *each), enumerate(every, start=1))
    ]
    words = words_of(every[len(named) :])
    if not 2 <= len(named) <= MAX_IMAGES:
        raise UsageError(
            f"A blend takes two to five images, not {len(named)}.",
            hint="mj blend IMAGE IMAGE [PROMPT]" if len(named) != 1 else "mj imagine --image IMAGE PROMPT",
        )
    made = orders(runtime, named, words, given_parameters(ctx), checks, job, translation=translation)
    jobs = [Wanted("blend", body, slug=typed or "blend") for typed, body in made]
    deliver_all(runtime, jobs, job, files, target)


def _means_image(runtime: Runtime, place: int, argument: str) -> bool:
    """Whether the argument in this place (from 1) is an image rather than a word.

    The first two can only be images, so the shortest beginning of an id will do; after them a word such as
    "cafe" or "2026" is more likely one.
    """
    from mjcli.prompt.parse import is_link
    from mjcli.prompts import names_file
    from mjcli.references import SHORTEST

    if is_link(argument) or argument.startswith("@") or names_file(argument) or _is_whole_id(argument):
        return True
    if place <= 2 and Path(argument).is_file():
        return True
    if place > 2 and (len(argument) < CERTAIN or not any(map(str.isdecimal, argument))):
        return False
    return len(argument) >= SHORTEST and bool(runtime.named(argument, at_most=1))


def _is_whole_id(argument: str) -> bool:
    """Whether it has the form of an id: of an image (digits), or of a task or job (a UUID)."""
    if argument.isascii() and argument.isdecimal():
        return len(argument) >= 17
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", argument) is not None

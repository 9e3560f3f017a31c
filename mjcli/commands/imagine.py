"""`mj imagine`: pictures from words."""

from __future__ import annotations

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


@app.command(
    "imagine",
    cls=PromptCommand,
    epilog="""mj imagine a cat on a table
# See it being made, and keep it
mj imagine "a cat on a table" --download --output cats/
# In a script: the link alone
url=$(mj imagine "a cat" -q)
# Words from a file, an image prompt in front
mj imagine --image https://example.com/sketch.png --ar 16:9 < prompt.txt
# Try it without an account
mj --sandbox imagine "a cat" --download""",
)
@takes(job=JobOptions, files=FileOptions)
def imagine(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="The words; several need no quotes. - reads standard input."),
    ] = None,
    *,
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGE",
            help="Put this image (a link, @last, an id, - for standard input) in front (repeatable, five at most).",
        ),
    ] = None,
    translation: Translation = None,
    style_reference: Annotated[
        bool | None,
        typer.Option(
            "--style-reference/--no-style-reference",
            help="Say that the prompt uses style references (dearer).",
        ),
    ] = None,
    moodboard: Annotated[
        bool | None,
        typer.Option("--moodboard/--no-moodboard", help="Say that the prompt uses a moodboard (dearer)."),
    ] = None,
    job: JobOptions,
    files: FileOptions,
) -> None:
    """Make pictures from words.

    The prompt is the words, with the images of --image in front and Midjourney's parameters, given as
    options or inside the words, behind. What stands inside the words is sent as it is. The job is paid
    when it succeeds, and never sent twice.
    """
    from mjcli.delivery import Wanted, deliver_all, prompt_body

    runtime: Runtime = ctx.obj
    text = _words(runtime, words or [], image or [])
    body = prompt_body(
        runtime,
        _links(runtime, image, ask=not job.dry_run) if image else [],
        text,
        given_parameters(ctx),
        translation=translation,
        style_reference=style_reference,
        moodboard=moodboard,
    )
    deliver_all(runtime, [Wanted("imagine", body, slug=text)], job, files)


def _links(runtime: Runtime, images: list[str], *, ask: bool) -> list[str]:
    """The links of the image prompts."""
    from mjcli.references import expand, link_of

    return [link_of(runtime, each, ask=ask) for each in expand(runtime, images, "image")]


def _words(runtime: Runtime, words: list[str], images: list[str]) -> str:
    """The prompt's words: the arguments, or standard input when there are none or they are `-`."""
    from mjcli.prompt.compose import words_of

    if words and words != ["-"]:
        return words_of(words)
    from mjcli.references import read_stdin

    if "-" in images:
        if words:
            raise UsageError("Standard input is read once: either the words or the images come from it.")
        return ""
    if not words and runtime.stdin.isatty():
        if images:
            return ""
        raise UsageError("There is no prompt.", hint='mj imagine "a cat on a table"\nmj imagine < prompt.txt')
    text = read_stdin(runtime, "the prompt").strip()
    if not text and not (images and not words):
        raise UsageError("There is no prompt: standard input is empty.", hint='mj imagine "a cat on a table"')
    return text

"""`mj imagine`: pictures from words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.options import (
    FileOptions,
    ImageOption,
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
@takes(job=JobOptions, files=FileOptions, checks=PromptOptions)
def imagine(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="The words; several need no quotes. - reads standard input."),
    ] = None,
    *,
    image: ImageOption = None,
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
    checks: PromptOptions,
) -> None:
    """Make pictures from words.

    The prompt is the words, with the images of --image in front and Midjourney's parameters, given as
    options or inside the words, behind. A mistake in it is found before anything is sent; mj check looks for
    them alone. The job is paid when it succeeds, and never sent twice.
    """
    from mjcli.delivery import Wanted, deliver_all, prepared
    from mjcli.prompts import images_named, orders, words_or_stdin

    runtime: Runtime = ctx.obj
    target = prepared(runtime, job, files)
    text = words_or_stdin(runtime, words or [], image or [])
    made = orders(
        runtime,
        images_named(runtime, image or []),
        text,
        given_parameters(ctx),
        checks,
        job,
        translation=translation,
        style_reference=style_reference,
        moodboard=moodboard,
    )
    jobs = [Wanted("imagine", body, slug=typed) for typed, body in made]
    deliver_all(runtime, jobs, job, files, target)

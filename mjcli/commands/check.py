"""`mj check`: what is wrong with a prompt, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.options import (
    ImageOption,
    PromptCommand,
    PromptOptions,
    given_parameters,
    new_app,
    takes,
)

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.prompt.compose import Composed

app = new_app()


@app.command(
    "check",
    cls=PromptCommand,
    epilog="""mj check "a cat on a table --ar 16:9 --stylise 250"
# What a preset makes of it, and where each part comes from
mj check "a lighthouse" --preset poster --ar 1:1
# In a script: is it good, doubtful things included?
mj check --strict -q < prompt.txt && mj imagine < prompt.txt""",
)
@takes(checks=PromptOptions)
def check(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="The words; several need no quotes. - reads standard input."),
    ] = None,
    *,
    image: ImageOption = None,
    checks: PromptOptions,
) -> None:
    """Check a prompt and show it as it would be sent, with the origin of each part.

    Nothing is sent, and no token is needed. A prompt that mj imagine would refuse exits with status 2; what
    is only doubtful is told and, without --strict, accepted. Links are not looked at.
    """
    from mjcli.prompts import Images, composed, images_named, words_or_stdin

    runtime: Runtime = ctx.obj
    text = words_or_stdin(runtime, words or [], image or [])
    pictures = Images(runtime, ask=False)
    links = [pictures.link(each) for each in images_named(runtime, image or [])]
    for each in composed(runtime, links, text, pictures.linked(given_parameters(ctx)), checks):
        _tell(runtime, each)
    pictures.tell()


def _tell(runtime: Runtime, prompt: Composed) -> None:
    from mjcli.prompt.check import check as findings_in

    findings = findings_in(prompt.text)
    document = {
        "success": True,
        "prompt": prompt.text,
        "parts": [{"text": piece.text, "from": piece.origin} for piece in prompt.pieces],
        "findings": [dict(each._asdict()) for each in findings],
    }
    parts = [(piece.origin, piece.text) for piece in prompt.pieces]
    runtime.output.answer(document, [("prompt", prompt.text), *parts], [prompt.text])

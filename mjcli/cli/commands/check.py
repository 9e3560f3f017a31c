"""`mj check`: find mistakes in a prompt without sending it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import CheckOptions, ImageOption, PromptOptions
from mjcli.cli.parser import PromptCommand, new_app, takes, typed_parameters

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.output.sink import Output
    from mjcli.prompt.check import Finding
    from mjcli.prompt.compose import Composed

app = new_app()


@app.command(
    "check",
    cls=PromptCommand,
    epilog="""mj check "a cat on a table --ar 16:9 --stylise 250"
# Show what a preset adds, and where each part comes from
mj check "a lighthouse" --preset poster --ar 1:1
# Stop a script at a mistake or a warning
mj check --strict -q < prompt.txt && mj imagine < prompt.txt""",
)
@takes(prompt=PromptOptions, check=CheckOptions)
def check(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Words of the prompt; - reads standard input."),
    ] = None,
    *,
    image: ImageOption = None,
    prompt: PromptOptions,
    check: CheckOptions,
) -> None:
    """Check a prompt and show it as it would be sent.

    Each part is shown with its origin. Nothing is sent and no token is needed. The exit status is 2 for a prompt
    that mj imagine would refuse; warnings are accepted unless --strict is given. Links are not checked.
    """
    from mjcli.cli.inputs import expand, words_or_stdin
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.request import RequestBuilder, Words

    context: Context = ctx.obj
    stdin = context.streams.stdin
    text = words_or_stdin(stdin, words or [], image or [], optional=True, example=("check",))
    builder = RequestBuilder.of(context, Lookup.of(context), prompt, check)
    images = builder.image_links(refresh=False)
    links = [images.link(each) for each in (expand(stdin, image, "image") if image else ())]
    typed = Words(text, parameters=images.in_arguments(typed_parameters(ctx))).prompt
    prompts = builder.compose(images.in_prompt(typed), links)
    builder.suggest_translation(prompts, "mj imagine --translation translates the prompt")
    for each in prompts:
        _show(context.output, each, builder.findings(each))
    images.report_placeholders()


def _show(output: Output, prompt: Composed, findings: list[Finding]) -> None:
    document = {
        "success": True,
        "prompt": prompt.text,
        "parts": [{"text": piece.text, "from": piece.origin} for piece in prompt.pieces],
        "findings": [dict(each._asdict()) for each in findings],
    }
    parts = [(piece.origin, piece.text) for piece in prompt.pieces]
    output.answer(document, [("prompt", prompt.text), *parts], [prompt.text])

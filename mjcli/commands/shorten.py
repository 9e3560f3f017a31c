"""`mj shorten`: a prompt in fewer words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.options import BESIDE_WORDS, JobOptions, MjCommand, PromptOptions, new_app, takes

if TYPE_CHECKING:
    from mjcli.context import Runtime

app = new_app()


@app.command(
    "shorten",
    cls=MjCommand,
    epilog="""mj shorten "a very detailed and beautiful picture of a cat that sits on an old wooden table"
# Draw the shortest one at once
mj imagine "$(mj shorten -q < prompt.txt | tail -n 1)\"""",
)
@takes(job=JobOptions, checks=PromptOptions, without=(*BESIDE_WORDS, "preset", "permute", "yes"))
def shorten(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="The words; several need no quotes. - reads standard input."),
    ] = None,
    *,
    job: JobOptions,
    checks: PromptOptions,
) -> None:
    """Shorten a prompt to what counts, in up to five ways."""
    from mjcli.delivery import Wanted, check_options, deliver
    from mjcli.prompts import checked, words_or_stdin

    runtime: Runtime = ctx.obj
    check_options(job)
    text = words_or_stdin(runtime, words or (), command="mj shorten")
    if not checks.no_check:
        text = checked(runtime, text, strict=checks.strict)
    wanted = Wanted("shorten", {"prompt": text}, slug=text, endpoint="shorten")
    deliver(runtime, wanted, job, None)

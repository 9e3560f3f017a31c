"""`mj translate`: text in English, which Midjourney understands best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import SubmitOptions
from mjcli.cli.parser import MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "translate",
    cls=MjCommand,
    epilog="""mj translate 一只坐在桌子上的猫
mj translate - < prompt.txt
# Use the translation as a prompt
mj imagine "$(mj translate -q "eine Katze auf dem Tisch")\"""",
)
@takes(submit=SubmitOptions)
def translate(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Text to translate; - reads standard input."),
    ] = None,
    *,
    submit: SubmitOptions,
) -> None:
    """Translate text into English.

    mj imagine --translation translates a prompt as part of the job.
    """
    from mjcli.cli.inputs import words_or_stdin
    from mjcli.cli.keys import KeyedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.submit import JobOptions
    from mjcli.jobs.order import Order

    context: Context = ctx.obj
    options = JobOptions(submit)
    text = words_or_stdin(context.streams.stdin, words or (), example=("translate",), what="text")
    keyed = KeyedJob(context, Lookup.of(context), options, "translate", content=text)
    if keyed.join() is not None:
        return
    order = Order("translate", "translate", {"content": text}, text)
    keyed.submit_all([order])

"""`mj shorten`: shorter versions of a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import CheckOptions, SubmitOptions
from mjcli.cli.parser import MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "shorten",
    cls=MjCommand,
    epilog="""mj shorten "a very detailed and beautiful image of a cat that sits on an old wooden table"
# Use the shortest version at once
mj imagine "$(mj shorten -q < prompt.txt | tail -n 1)\"""",
)
@takes(submit=SubmitOptions, check=CheckOptions)
def shorten(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Words of the prompt; - reads standard input."),
    ] = None,
    *,
    submit: SubmitOptions,
    check: CheckOptions,
) -> None:
    """Suggest up to five shorter versions of a prompt."""
    from mjcli.cli.inputs import words_or_stdin
    from mjcli.cli.keys import KeyedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.request import RequestBuilder
    from mjcli.cli.submit import JobOptions
    from mjcli.jobs.order import Order

    context: Context = ctx.obj
    lookup = Lookup.of(context)
    options = JobOptions(submit)
    text = words_or_stdin(context.streams.stdin, words or (), example=("shorten",))
    keyed = KeyedJob(context, lookup, options, "shorten", prompt=text)
    if keyed.join() is not None:
        return
    if not check.no_check:
        text = RequestBuilder.of(context, lookup, check=check, command="shorten").check_words(text)
    order = Order("shorten", "shorten", {"prompt": text}, text)
    keyed.submit_all([order])

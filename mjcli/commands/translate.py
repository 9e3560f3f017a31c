"""`mj translate`: words in English, which Midjourney understands best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.options import BESIDE_WORDS, JobOptions, MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.context import Runtime

app = new_app()


@app.command(
    "translate",
    cls=MjCommand,
    epilog="""mj translate 一只坐在桌子上的猫
mj translate - < prompt.txt
# Draw what it says
mj imagine "$(mj translate -q "eine Katze auf dem Tisch")\"""",
)
@takes(job=JobOptions, without=BESIDE_WORDS)
def translate(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT", help="The text; several words need no quotes. - reads standard input."
        ),
    ] = None,
    *,
    job: JobOptions,
) -> None:
    """Translate text into English.

    The words of a prompt can be translated on the way, too: mj imagine --translation.
    """
    from mjcli.delivery import Wanted, check_options, deliver
    from mjcli.prompts import words_or_stdin

    runtime: Runtime = ctx.obj
    check_options(job)
    text = words_or_stdin(runtime, words or (), command="mj translate", wanted="text")
    deliver(runtime, Wanted("translate", {"content": text}, slug=text, endpoint="translate"), job, None)

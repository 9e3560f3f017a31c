"""`mj star`: mark jobs with a star."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import command
from mjcli.cli.marks import JOB_HELP, mark
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "star",
    cls=MjCommand,
    epilog="""mj star @last
mj star @2 7489df4c cat_1234.png
mj star --remove @2
# What has a star
mj history --starred""",
)
def star(
    ctx: typer.Context,
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB", help=JOB_HELP)] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take the star away.")] = False,
) -> None:
    """Mark jobs with a star, for history and gallery."""
    from mjcli.jobs.tags import STAR

    context: Context = ctx.obj
    if not jobs:
        lines = command("star", "@last"), command("history", "--starred", note="lists what has a star")
        raise UsageError("Missing job.", hint="\n".join(lines))
    mark(context, STAR, jobs, remove=remove, verbs=("starred", "no longer starred"))

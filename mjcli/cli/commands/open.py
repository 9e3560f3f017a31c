"""`mj open`: show an image with the system's viewer, or print where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import MjError, UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.lookup import Lookup

app = new_app()


@app.command(
    "open",
    cls=MjCommand,
    epilog="""# The newest image
mj open
mj open 7489df4c
# Print where it is
mj open @2 --print""",
)
def open_(
    ctx: typer.Context,
    job: Annotated[
        str,
        typer.Argument(metavar="JOB", help="Id, id prefix, @last or @2; - reads standard input."),
    ] = "@last",
    *,
    print_only: Annotated[
        bool, typer.Option("--print", "-p", help="Print the path or link without opening it.")
    ] = False,
) -> None:
    """Open the image of a job: the saved file, else its link.

    With --json, --field or --quiet, the path or link is only printed. An expired link is refreshed first.
    """
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.opener import show

    context: Context = ctx.obj
    output, lookup = context.output, Lookup.of(context)
    names = expand(context.streams.stdin, [job], "job")
    if len(names) > 1:
        raise UsageError(f"mj open takes one job, but standard input contains {len(names)}.")
    found = lookup.finished(lookup.with_files(names[0]))
    files = found.files
    link = found.link if files else _link(context, lookup, found)
    document = {
        "file": files[0] if files else None,
        "files": files,
        "link": link,
        "task_id": found.task_id,
        "image_id": found.result.image_id,
    }
    people = [("file", each) for each in files] or [("link", link)]
    output.answer(document, people, [files[0] if files else link])
    if print_only or output.json or output.mode.quiet:
        return
    problem = show(output, files[0] if files else None, link, found.reference, link_ends=context.links_end)
    if problem is not None:
        output.notice(problem)


def _link(context: Context, lookup: Lookup, job: FinishedJob) -> str:
    """The link of an image, refreshed when it has expired."""
    # A record that was just queried is fresh, and a link that ends with this run is not opened.
    if job.job is None or context.links_end or not lookup.is_stale(job.link):
        return job.link
    try:
        return job._replace(result=lookup.fresh_result(job.task_id)).link
    except MjError as error:
        context.output.warning(f"The link has expired and could not be refreshed: {error.message}")
        return job.link

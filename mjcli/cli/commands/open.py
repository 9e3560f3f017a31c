"""`mj open`: show an image with the system's viewer, or print where it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.hints import Outside, command
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import MjError, UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.lookup import Lookup

app = new_app()

OPENER_SECONDS = 1.0  # within which an opener that cannot show a file has failed


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
    if not (print_only or output.json or output.mode.quiet):
        _show(context, found, files[0] if files else None, link)


def _link(context: Context, lookup: Lookup, job: FinishedJob) -> str:
    """The link of an image, refreshed when it has expired."""
    # A record that was just queried is fresh, and a sandbox's link ends with this run.
    if job.job is None or context.settings.sandbox.value or not lookup.is_stale(job.link):
        return job.link
    try:
        return job._replace(result=lookup.fresh_result(job.task_id)).link
    except MjError as error:
        context.output.warning(f"The link has expired and could not be refreshed: {error.message}")
        return job.link


def _show(context: Context, job: FinishedJob, file: str | None, link: str) -> None:
    """Open a file, else a link; report why when that is not possible."""
    from mjcli.prompt.parse import is_link

    output = context.output
    if file is None and context.settings.sandbox.value:
        line = output.next_command(command("download", Outside(job.reference)))
        how = f"; save the image with: {line}" if line else "."
        output.notice(f"Sandbox links stop working when this command ends{how}")
    elif file is None and not (is_link(link) and link.isprintable() and " " not in link):
        output.notice("The link was not opened: it is not an http or https address.")
    elif not _launched(file or link, output.secret.environment(context.environ)):
        output.notice("No program was found to open it.")


def _launched(what: str, environ: dict[str, str]) -> bool:
    """Open an absolute path or a link with the system's opener; False when there is none, or it failed.

    `environ` is the opener's environment, without the tokens.

    `typer.launch` would give the opener our own streams, and run a terminal browser in the foreground.
    """
    if sys.platform == "win32":
        import os

        for name in os.environ.keys() - environ.keys():
            del os.environ[name]  # the opener inherits ours, and this run ends here
        try:
            os.startfile(what)  # noqa: S606
        except OSError:
            return False
        return True
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        return False
    null = subprocess.DEVNULL
    try:
        opener = subprocess.Popen(
            [program, what], stdin=null, stdout=null, stderr=null, env=environ, start_new_session=True
        )
    except OSError:
        return False
    try:
        return opener.wait(OPENER_SECONDS) == 0
    except subprocess.TimeoutExpired:
        opener.returncode = 0  # it is the viewer itself, and outlives this process
        return True

"""`mj open`: show a picture with the system's own program, or tell where it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.errors import MjError, UsageError
from mjcli.options import MjCommand, new_app

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.pictures import Made

app = new_app()

VERDICT_SECONDS = 1.0  # in which an opener that cannot show anything has said so


@app.command(
    "open",
    cls=MjCommand,
    epilog="""# The newest picture
mj open
mj open 7489df4c
# Only tell where it is
mj open @2 --print""",
)
def open_(
    ctx: typer.Context,
    job: Annotated[
        str,
        typer.Argument(metavar="JOB", help="An id or its beginning, @last, @2, or - for standard input."),
    ] = "@last",
    *,
    print_only: Annotated[
        bool, typer.Option("--print", "-p", help="Only tell where it is; show nothing.")
    ] = False,
) -> None:
    """Show the picture of a job: the saved file, else its link.

    Under --json, --field and --quiet it only tells where it is. A link that has expired is asked for anew
    first.
    """
    from mjcli.pictures import made
    from mjcli.references import expand, known_job

    runtime: Runtime = ctx.obj
    named = expand(runtime, [job], "job")
    if len(named) > 1:
        raise UsageError(f"mj open shows one job, and standard input names {len(named)}.")
    found = made(runtime, known_job(runtime, named[0]) or named[0])
    files = found.files
    link = found.link if files else _link(runtime, found)
    document = {
        "file": files[0] if files else None,
        "files": files,
        "link": link,
        "task_id": found.task_id,
        "image_id": found.result.image_id,
    }
    people = [("file", each) for each in files] or [("link", link)]
    runtime.output.answer(document, people, [files[0] if files else link])
    if not (print_only or runtime.output.json or runtime.output.mode.quiet):
        _show(runtime, found, files[0] if files else None, link)


def _link(runtime: Runtime, found: Made) -> str:
    """The link of a picture, asked for anew when it says that it has expired."""
    from mjcli.pictures import Made, fresh_result, is_stale

    # What was asked for just now is fresh, and a sandbox's link leads nowhere once this run is over.
    if found.job is None or runtime.settings.sandbox.value or not is_stale(runtime, found.link):
        return found.link
    try:
        return Made(fresh_result(runtime, found.task_id), found.task_id).link
    except MjError as error:
        runtime.output.warning(f"The link has expired, and there is no fresh one: {error.message}")
        return found.link


def _show(runtime: Runtime, found: Made, file: str | None, link: str) -> None:
    """Show a file, else a link; when that cannot be, say why."""
    from mjcli.prompt.parse import is_link

    if file is None and runtime.settings.sandbox.value:
        keep = runtime.again(f"mj download {found.reference}")
        runtime.output.notice(
            f"The sandbox ends with this command, and so does the link; {keep} keeps the picture."
        )
    elif file is None and not (is_link(link) and link.isprintable() and " " not in link):
        runtime.output.notice("The link is no http or https address, and is not opened.")
    elif not _launched(file or link):
        runtime.output.notice("No program to show it was found here.")


def _launched(what: str) -> bool:
    """Hand an absolute path or a link to the system's own opener; False when there is none, or it says no.

    `typer.launch` gives the opener of a file our own streams, which a viewer then writes to, and runs a
    browser for terminals in the foreground.
    """
    if sys.platform == "win32":
        import os

        try:
            os.startfile(what)  # noqa: S606
        except OSError:
            return False
        return True
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        return False
    nowhere = subprocess.DEVNULL
    try:
        opener = subprocess.Popen(
            [program, what], stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    except OSError:
        return False
    try:
        return opener.wait(VERDICT_SECONDS) == 0
    except subprocess.TimeoutExpired:
        opener.returncode = 0  # it is the viewer itself, and lives on without us
        return True

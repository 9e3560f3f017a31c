"""Show a file or a link with the system's viewer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from mjcli.cli.hints import Outside, command, links_end
from mjcli.prompt.parse import is_link

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output

OPENER_SECONDS = 1.0  # within which an opener that cannot show a file has failed


def show(output: Output, file: str | None, link: str, reference: str, *, link_ends: bool) -> str | None:
    """Open a file, else a link; a sentence if that was not possible.

    `reference` is what names its job in a command. `link_ends` says that the link ends with this run.
    """
    if file is None and link_ends:
        line = output.next_command(command("download", Outside(reference)))
        return f"{links_end()} Save the image with: {line}" if line else links_end()
    if file is None and not (is_link(link) and link.isprintable() and " " not in link):
        return "The link was not opened: it is not an http or https address."
    if not _launched(file or link, output.child_environ):
        return "No program was found to open it."
    return None


def _launched(what: str, environ: dict[str, str]) -> bool:
    """Open an absolute path or a link with the system's opener; False when there is none, or it failed.

    `environ` is the opener's environment, without the tokens.

    `typer.launch` would give the opener our own streams, and run a terminal browser in the foreground.
    """
    if sys.platform == "win32":
        import os

        secrets = {name: os.environ.pop(name) for name in os.environ.keys() - environ.keys()}
        try:
            os.startfile(what)  # noqa: S606  # it inherits our environment
        except OSError:
            return False
        finally:
            os.environ.update(secrets)
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

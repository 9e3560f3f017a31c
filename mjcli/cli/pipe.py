"""`--output -`: the bytes of one image on standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output
    from mjcli.media.names import Target

STDOUT = "-"


def stdout_target(output: Output, *, split: bool) -> Target:
    """The target of `--output -`, with the directory of its temporary file.

    From here on, nothing but the image is printed to standard output. Raises `UsageError` where standard output
    is a terminal or has something else to carry.
    """
    import tempfile

    from mjcli.media.names import Target

    if output.json:
        other = "--json" if output.mode.json else "--field"
        raise UsageError(
            f"--output - writes an image to standard output, so it cannot be combined with {other}."
        )
    if split:
        raise UsageError("--output - writes one image, so it cannot be combined with --split.")
    if output.stdout_is_terminal:
        raise UsageError(
            "--output - writes an image, which a terminal cannot show; pipe it, or redirect it to a file."
        )
    if not _is_open_for_writing(output.stdout):
        raise UsageError(
            "--output - writes an image, but standard output is not open for writing. Nothing was sent.",
            hint="pipe it, or redirect it to a file",
        )
    output.carries_image = True
    try:
        return Target(Path(tempfile.gettempdir()), "image.{ext}", stdout=True)
    except OSError:
        raise UsageError("No temporary directory can be written; set TMPDIR to one.") from None


def _is_open_for_writing(stdout: TextIO) -> bool:
    """Whether standard output can take an image; one that was closed at the start was opened as the null device."""
    if getattr(stdout, "name", None) == os.devnull:
        return False
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        return fcntl.fcntl(stdout.fileno(), fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except (OSError, ValueError):  # not a file of this process
        return True


def check_one_image(target: Target | None, *, several: bool, at_once: bool = False) -> None:
    """Refuse `--output -` for `several` files, or for a job that is not waited for. Raises `UsageError`."""
    if target is None or not target.stdout:
        return
    if several:
        raise UsageError(
            "--output - writes one image, but there are several files; give a directory instead."
        )
    if at_once:
        raise UsageError(
            "--output - waits for the image, so it cannot be combined with --no-wait or --callback-url."
        )

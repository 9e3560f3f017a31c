"""Files of this machine that a batch reads: its own file, and the images that the file names."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TextIO

from mjcli.cli.hints import command
from mjcli.cli.inputs import is_regular_file
from mjcli.cli.output.text import visible
from mjcli.errors import UsageError, reason_of
from mjcli.prompt.parse import is_link, names_image

STDIN = "-"
MAX_BYTES = 50 * 1000 * 1000
LIMIT = "50 MB"
STDIN_NAME = "standard input"


def read_file(path: str, stdin: TextIO) -> tuple[bytes, str]:
    """The bytes of a batch file (`-`: of standard input), and its name for people. Raises `UsageError`."""
    if path == STDIN:
        return _read_stdin(stdin), STDIN_NAME
    name = visible(path)
    if os.path.isdir(path):  # noqa: PTH112 - never raises
        raise UsageError(f'"{name}" is a directory, not a file of prompts.')
    flags = os.O_RDONLY
    for each in (
        "O_NONBLOCK",
        "O_NOCTTY",
        "O_CLOEXEC",
        "O_BINARY",
    ):  # opening a pipe must not wait for a writer
        flags |= getattr(os, each, 0)
    try:
        descriptor = os.open(path, flags)
        with open(descriptor, "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(
                    f'"{name}" is not a regular file.', hint=f"{command('batch', '-')} < FILE reads a pipe"
                )
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f'"{name}" does not exist.') from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(f'"{name}" cannot be read: {reason_of(error)}.') from None
    return _bounded(data, f'"{name}"'), name


def _read_stdin(stdin: TextIO) -> bytes:
    if stdin.isatty():
        raise UsageError("Standard input is a terminal; pass a file, or prompts through a pipe.")
    try:
        data = stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"Standard input cannot be read: {reason_of(error)}.") from None
    return _bounded(data, "Standard input")


def _bounded(data: bytes, subject: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise UsageError(f"{subject} is larger than {LIMIT}, the limit for a batch; split it.")
    return data


def located(name: str, directory: Path) -> str:
    """The path of a file that a line names, relative to the directory of the batch; ids and links as they are."""
    if is_link(name) or name.startswith("@"):
        return name
    path = str(directory / os.path.expanduser(name))  # noqa: PTH111 - never raises
    return path if names_image(name) or is_regular_file(path) else name


class FileDigests:
    """The contents of the files that lines name, each read once: `read_lines` takes one as its `digest`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, str | None] = {}

    def __call__(self, name: str) -> str | None:
        """The SHA-256 of a file; None for anything else."""
        if name not in self._known:
            self._known[name] = self._digest(name)
        return self._known[name]

    def _digest(self, name: str) -> str | None:
        path = located(name, self._directory)
        if is_link(path) or not is_regular_file(path):
            return None
        from mjcli.media.place import sha256_of

        return sha256_of(Path(path))

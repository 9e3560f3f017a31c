"""The terminal behind a stream: its width, text folded to it, and what to do when it goes away."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from mjcli.cli.output.table import display_width

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PAUSE = 0.01  # seconds between attempts to write
MAX_DIGITS = 4  # of COLUMNS; a wider terminal does not exist


def terminal_width(stream: TextIO, environ: Mapping[str, str]) -> int:
    """Columns of the terminal behind `stream`: COLUMNS, else its own size, else 80."""
    return _columns_variable(environ) or _own_size(stream)[0] or 80


def terminal_size(stream: TextIO, environ: Mapping[str, str]) -> tuple[int, int]:
    """Columns and rows for what is drawn over: COLUMNS can narrow it, but a wider row would not be one row."""
    columns, rows = _own_size(stream)
    wanted = _columns_variable(environ)
    return min(columns or wanted or 80, wanted or columns or 80), rows or 24


def _columns_variable(environ: Mapping[str, str]) -> int:
    """COLUMNS, or 0 if it is unset or not a number of columns."""
    columns = environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and len(columns) <= MAX_DIGITS else 0


def _own_size(stream: TextIO) -> tuple[int, int]:
    """Columns and rows of the terminal behind `stream`; 0 if unknown."""
    try:
        return os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 0, 0


def in_foreground(stream: TextIO) -> bool:
    """Whether the program may use the terminal behind `stream`: no shell has put it in the background."""
    if sys.platform == "win32":
        return True
    try:
        # 0: the foreground belongs to a process outside this container.
        return os.tcgetpgrp(stream.fileno()) in (os.getpgrp(), 0)
    except (OSError, ValueError):
        return True  # not the terminal of this session, so there is no job control


def obeys_escapes(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` is a terminal that understands escape sequences."""
    name = environ.get("TERM", "")
    if not stream.isatty() or name == "dumb":
        return False
    # The consoles of Windows set no TERM.
    return _console_obeys(stream) if sys.platform == "win32" else name != ""


def _console_obeys(stream: TextIO) -> bool:
    """Make the Windows console behind `stream` interpret escape sequences; False if it cannot."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        enable_virtual_terminal_processing = 4
        kernel, mode = ctypes.windll.kernel32, ctypes.c_ulong()
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
        return bool(
            kernel.GetConsoleMode(handle, ctypes.byref(mode))
            and kernel.SetConsoleMode(handle, mode.value | enable_virtual_terminal_processing)
        )
    return False


def folded(text: str, width: int, indent: int) -> str:
    """`text` broken between words to fit `width`, its further lines indented; a link is never broken."""
    body = text.lstrip(" ")
    lines, room = [text[: len(text) - len(body)]], width - indent
    for word in body.split(" "):
        if lines[-1].strip() and _columns(lines[-1]) + 1 + _columns(word) > room:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1].strip() else word
    return f"\n{' ' * indent}".join(lines)


def _columns(text: str) -> int:
    """Columns of `text`, whose colours take none."""
    return display_width(_COLOURS.sub("", text))


def write_all(stream: TextIO, data: bytes, *, flush: bool = True) -> None:
    """Write all of `data`, waiting for a reader that is slow. Raises `OSError`.

    Another program may have made the stream non-blocking; Python then reports a full pipe as an error.
    """
    rest = memoryview(data)
    while True:
        try:
            if rest:
                stream.buffer.write(rest)
                rest = rest[len(rest) :]
            if flush:
                stream.buffer.flush()
            return
        except BlockingIOError as error:
            rest = rest[error.characters_written :] if rest else rest
            _wait_until_writable(stream)


def _wait_until_writable(stream: TextIO) -> None:
    if os.name == "nt":  # where only sockets can be waited for
        time.sleep(PAUSE)
    else:
        select.select([], [stream.fileno()], [])


def discard(stream: TextIO) -> None:
    """Discard everything still written to a broken stream, also when the interpreter exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)

"""The terminal behind a stream: its width, text folded to it, and what to do when it goes away."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from typing import TextIO

MAX_DIGITS = 4  # of COLUMNS; a wider terminal does not exist


def terminal_width(stream: TextIO, environ: Mapping[str, str]) -> int:
    """Columns of the terminal behind `stream`: COLUMNS, else its own size, else 80."""
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and len(columns) <= MAX_DIGITS and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def folded(text: str, width: int, indent: int) -> str:
    """`text` broken between words to fit `width`, its further lines indented; a link is never broken."""
    body = text.lstrip(" ")
    lines, room = [text[: len(text) - len(body)]], width - indent
    for word in body.split(" "):
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1].strip() else word
    return f"\n{' ' * indent}".join(lines)


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
            select.select([], [stream.fileno()], [])


def discard(stream: TextIO) -> None:
    """Discard everything still written to a broken stream, also when the interpreter exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)

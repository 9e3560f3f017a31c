"""The terminal behind a stream: its width, text folded to it, and what to do when it goes away."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def terminal_width(stream: TextIO, environ: Mapping[str, str]) -> int:
    """Columns of the terminal behind `stream`: COLUMNS, else its own size, else 80."""
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
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


def discard(stream: TextIO) -> None:
    """Discard everything still written to a broken stream, also when the interpreter exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)

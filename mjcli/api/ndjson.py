"""Newline-delimited JSON: bytes in, objects out, no input or output of its own.

Lines end with `\\n` or `\\r\\n` and with nothing else: U+2028 and its like may stand inside a JSON string
(api.md, "Wire"). A line may arrive in any number of pieces, cut anywhere, also inside a character.
"""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

# No event of the service comes near it; an endless line must not eat the memory.
MAX_LINE = 64 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class LineTooLong(ValueError):
    """A line went on past the limit."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    # What is too large for a float would become infinity, which cannot be said in JSON; jq clamps it, too.
    return min(max(float(text), -sys.float_info.max), sys.float_info.max)


_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).raw_decode


def parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object that `line` is; `ValueError` with a reason when it is anything else."""
    text = line.decode("utf-8").strip(" \t\r\n")
    try:
        document, end = _decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(text):
        raise ValueError("JSON with something behind it")
    if type(document) is not dict:
        raise ValueError("JSON, but no object")
    return document


class LineDecoder:
    """Collects pieces of a byte stream into lines.

    Blank lines (keep-alives) and the byte order mark of the first line are dropped.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends. Raises `LineTooLong`."""
        if b"\n" not in data:
            self._hold(data)
            return []
        *lines, rest = b"".join((*self._pieces, data)).split(b"\n")
        self._pieces, self._held = [], 0
        self._hold(rest)
        if self._first:
            lines[0] = self._clean(lines[0])
        return [line for line in [each.strip(b" \t\r") for each in lines] if line]

    def end(self) -> list[bytes]:
        """The last line, when the stream ended without a line end."""
        line = self._clean(b"".join(self._pieces))
        self._pieces, self._held = [], 0
        return [line] if line else []

    def _hold(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._held += len(data)
            if self._held > self._limit:
                raise LineTooLong(f"a line of the stream is longer than {self._limit} bytes")

    def _clean(self, line: bytes) -> bytes:
        if self._first:
            line = line.removeprefix(_BOM)
            self._first = False
        return line.strip(b" \t\r")

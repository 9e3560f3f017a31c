"""Newline-delimited JSON: bytes in, objects out, without I/O.

Lines end with `\\n` or `\\r\\n` only: U+2028 and other Unicode line separators may occur inside a JSON string.
A line may arrive in any number of pieces, cut anywhere, even inside a character.
"""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

# Far more than any event of the service (10 MB and a little more); an endless line must not fill the memory.
MAX_LINE = 11 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class LineTooLong(ValueError):
    """A line is longer than the limit."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    # A number too large for a float would become infinity, which is not JSON; jq clamps it, too.
    return min(max(float(text), -sys.float_info.max), sys.float_info.max)


def _ignore_constant(_: str) -> None:
    return None


_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).raw_decode
_decode_leniently = json.JSONDecoder(parse_constant=_ignore_constant, parse_float=_finite).raw_decode


def parse_object(line: bytes, *, lenient: bool = False) -> dict[str, Any]:
    """Parse a JSON object. Raises `ValueError`, with a reason, for anything else.

    With `lenient`, the constants NaN, Infinity and -Infinity, which are not JSON, become None.
    """
    text = line.decode("utf-8").strip(" \t\r\n")
    try:
        document, end = (_decode_leniently if lenient else _decode)(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(text):
        raise ValueError("JSON followed by something else")
    if type(document) is not dict:
        raise ValueError("JSON, but not an object")
    return document


class LineDecoder:
    """Splits a byte stream into lines.

    Blank lines (keep-alives) and a byte order mark at the start are dropped.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their line ends. Raises `LineTooLong`."""
        if b"\n" not in data:
            self._store(data)
            return []
        *lines, rest = b"".join((*self._pieces, data)).split(b"\n")
        self._pieces, self._size = [], 0
        self._store(rest)
        if self._first:
            lines[0] = self._clean(lines[0])
        return [line for line in [each.strip(b" \t\r") for each in lines] if line]

    def end(self) -> list[bytes]:
        """The last line of a stream that ended without a line end."""
        line = self._clean(b"".join(self._pieces))
        self._pieces, self._size = [], 0
        return [line] if line else []

    @property
    def pending(self) -> bytes:
        """The start of a line that has not ended yet."""
        return b"".join(self._pieces).removeprefix(_BOM if self._first else b"").strip(b" \t\r")

    def _store(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._size += len(data)
            if self._size > self._limit:
                raise LineTooLong(f"a line of the stream is longer than {self._limit} bytes")

    def _clean(self, line: bytes) -> bytes:
        if self._first:
            line = line.removeprefix(_BOM)
            self._first = False
        return line.strip(b" \t\r")

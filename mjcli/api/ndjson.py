"""JSON from outside and newline-delimited JSON: bytes in, values out, without I/O.

Lines end with `\\n` or `\\r\\n` only: U+2028 and other Unicode line separators may occur inside a JSON string.
A line may arrive in any number of pieces, cut anywhere, even inside a character.
"""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

# Far more than any event of the service (10 MB and a little more); an endless line must not fill the memory.
MAX_LINE = 11 * 1024 * 1024
# Far more than any object of the service; deeper ones exceed the recursion limit when they are written again.
MAX_DEPTH = 100
_BOM = b"\xef\xbb\xbf"
_TOO_DEEP = "nested too deeply"


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


def parse_json(text: str, *, lenient: bool = False) -> Any:
    """Parse one JSON value that came from outside.

    With `lenient`, the constants NaN, Infinity and -Infinity, which are not JSON, become None. Raises
    `ValueError`, with a reason, for anything else, and for a value nested more than `MAX_DEPTH` deep.
    """
    text = text.strip(" \t\r\n")
    try:
        value, end = (_decode_leniently if lenient else _decode)(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if end != len(text):
        raise ValueError("JSON followed by something else")
    if (
        len(text) > 2 * MAX_DEPTH
        and text.count("{") + text.count("[") > MAX_DEPTH
        and _depth_exceeds(value, MAX_DEPTH)
    ):
        raise ValueError(_TOO_DEEP)
    return value


def _depth_exceeds(value: Any, limit: int) -> bool:
    """Whether containers are nested more than `limit` deep; level by level, because recursion has a limit, too."""
    level = [value]
    for _ in range(limit + 1):
        level = [each for each in level if isinstance(each, (dict, list))]
        if not level:
            return False
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
    return True


def parse_object(line: bytes, *, lenient: bool = False) -> dict[str, Any]:
    """Parse a JSON object. Raises `ValueError`, with a reason, for anything else.

    `lenient` is as for `parse_json`.
    """
    document = parse_json(line.decode("utf-8"), lenient=lenient)
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

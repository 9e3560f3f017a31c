"""Rows under a header for a terminal of any width: a row is one line, and no line is wrapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from unicodedata import category, east_asian_width

from mjcli.cli.output.text import encode, visible

_GAP = "  "
_DIM = "2"
_JOINERS = "\u200b\u200c\u200d"
_AS_EMOJI = "\ufe0f"  # makes a narrow character a wide one


class Column(NamedTuple):
    """A column of a table; widths are counted in columns of the terminal."""

    title: str
    widest: int | None = None
    """None for one column of a table, which gets the remaining width."""
    needs: int = 0
    """On a narrower terminal the column is left out."""
    colours: Mapping[str, str] = {}
    """Cells that are coloured, and their SGR codes."""


class Paper(NamedTuple):
    """The terminal of a table: width, encoding, and whether it has colours."""

    width: int
    encoding: str | None
    colour: bool


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], paper: Paper) -> str:
    """The table as text. Cells are untrusted: control characters are made visible."""
    kept = [number for number, column in enumerate(columns) if paper.width >= column.needs]
    columns = [columns[number] for number in kept]
    titles = [column.title for column in columns]
    cells = [[_sayable(visible(row[number]), paper.encoding) for number in kept] for row in rows]
    widths = _widths(columns, [titles, *cells], paper.width)
    more = _sayable("…", paper.encoding)
    more = more if len(more) == 1 else "..."

    def line(texts: Sequence[str], codes: Sequence[str | None]) -> str:
        short = [clipped(text, width, more) for text, width in zip(texts, widths, strict=True)]
        padding = [" " * (width - display_width(text)) for text, width in zip(short, widths, strict=True)]
        painted = [_painted(*each, paper) for each in zip(short, codes, strict=True)]
        return _GAP.join(map("".join, zip(painted, padding, strict=True))).rstrip() + "\n"

    header = _painted(line(titles, [None] * len(titles)).rstrip(), _DIM, paper) + "\n"
    return header + "".join(
        line(row, [column.colours.get(text) for column, text in zip(columns, row, strict=True)])
        for row in cells
    )


def clipped(text: str, width: int, more: str = "…") -> str:
    """`text` if it fits `width` columns, else the start of it and `more`."""
    if display_width(text) <= width:
        return text
    more = more[:width]
    left, end = width - len(more), 0
    for end, character in enumerate(text):  # noqa: B007
        left -= display_width(character)
        if left < 0:
            break
    return text[:end] + more


def display_width(text: str) -> int:
    """Columns of `text`: two for an East Asian wide character or an emoji, none for a combining character."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(character: str) -> int:
    """In doubt the larger one: a line that is too short is harmless."""
    kind = category(character)
    if (kind in ("Mn", "Me") and character != _AS_EMOJI) or character in _JOINERS:
        return 0
    # Characters that Python does not know yet are mostly new emoji.
    return 2 if east_asian_width(character) in ("W", "F") or kind == "Cn" else 1


def _sayable(text: str, encoding: str | None) -> str:
    """`text` as a stream of this encoding shows it, with escapes, so that its width is right."""
    return encode(text, encoding).decode(encoding or "utf-8")


def _widths(columns: Sequence[Column], lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column: that of its cells, within its own limit and the terminal's."""
    widths = [max(map(display_width, cells)) for cells in zip(*lines, strict=True)]
    widths = [
        width if column.widest is None else min(width, column.widest)
        for column, width in zip(columns, widths, strict=True)
    ]
    left = room - len(_GAP) * (len(widths) - 1)
    fixed = sum(width for column, width in zip(columns, widths, strict=True) if column.widest is not None)
    for number, column in enumerate(columns):
        if column.widest is None:
            widths[number] = min(widths[number], max(left - fixed, 1))
    for number, width in enumerate(widths):
        widths[number] = min(width, max(room, 0))
        room -= widths[number] + len(_GAP)
    return widths


def _painted(text: str, code: str | None, paper: Paper) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if code and paper.colour and text else text

"""Show a position in a text as compilers do: the line, with a caret below."""

from __future__ import annotations

from mjcli.cli.output.table import display_width
from mjcli.cli.output.text import visible

_CUT = "…"


def excerpt(text: str, start: int, end: int, width: int) -> tuple[str, str]:
    """The part of a text around `start` to `end` (characters) in `width` columns, and the line that marks it.

    What is cut off at either side is a `…`; controls are made visible, and wide characters count as two columns.
    """
    shown = [visible(character) for character in text]
    columns = [display_width(each) for each in shown]
    left, right = _window(columns, start, end, max(width, 3))
    before = _CUT if left > 0 else ""
    after = _CUT if right < len(text) else ""
    line = before + "".join(shown[left:right]) + after
    indent = len(before) + sum(columns[left:start])
    marked = sum(columns[start : min(end, right)])
    return line, " " * indent + "^" + "~" * (marked - 1)


def _window(columns: list[int], start: int, end: int, width: int) -> tuple[int, int]:
    """Which characters are shown: the marked ones as far as there is room, then their surroundings."""
    if sum(columns) <= width:
        return 0, len(columns)
    room = width - 2 * len(_CUT)
    left = right = start
    while right < min(end, len(columns)) and columns[right] <= room:
        room -= columns[right]
        right += 1
    if right < end:
        return left, right
    grew = True
    while grew:
        grew = False
        if left > 0 and columns[left - 1] <= room:
            left -= 1
            room -= columns[left]
            grew = True
        if right < len(columns) and columns[right] <= room:
            room -= columns[right]
            right += 1
            grew = True
    return left, right

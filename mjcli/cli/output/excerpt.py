"""Show a position in a text as compilers do: the line, with a caret below."""

from __future__ import annotations

from mjcli.cli.output.table import display_width
from mjcli.cli.output.text import encode, visible

_JOINER = "\u200d"


def excerpt(text: str, start: int, end: int, width: int, encoding: str | None = None) -> tuple[str, str]:
    """The part of a text around `start` to `end` (characters) in `width` columns, and the line that marks it.

    What is cut off at either side is a `…`; controls, and what a stream of this encoding cannot show, are escapes.
    Wide characters count as two columns; a character and what combines with it stay together.
    """
    shown: list[str] = []
    first = last = 0  # the marked ones of the shown clusters
    for place, character in enumerate(text):
        escaped = encode(visible(character), encoding).decode(encoding or "utf-8")
        if shown and (display_width(escaped) == 0 or shown[-1].endswith(_JOINER)):
            shown[-1] += escaped
        else:
            shown.append(escaped)
        if place <= start:
            first = len(shown) - 1
        if place < end:
            last = len(shown)
    if start >= len(text):
        first = len(shown)
    more = "…" if encode("…", encoding).decode(encoding or "utf-8") == "…" else "..."
    columns = [display_width(each) for each in shown]
    left, right = _window(columns, first, max(first, last), max(width, 2 * len(more) + 1), len(more))
    before = more if left > 0 else ""
    after = more if right < len(shown) else ""
    line = before + "".join(shown[left:right]) + after
    indent = len(before) + sum(columns[left:first])
    marked = sum(columns[first : min(last, right)])
    return line, " " * indent + "^" + "~" * (marked - 1)


def _window(columns: list[int], start: int, end: int, width: int, cut: int) -> tuple[int, int]:
    """Which clusters are shown: the marked ones as far as there is room, then their surroundings.

    `cut` is the width of the sign for what is left out, on each side.
    """
    if sum(columns) <= width:
        return 0, len(columns)
    room = width - 2 * cut
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

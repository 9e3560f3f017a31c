"""Pictures as text: each cell shows two pixels, the upper half in its foreground and the lower in its background."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

HALF = "▀"
_LEVELS = (0, 95, 135, 175, 215, 255)  # of the colour cube of 256 colours, from number 16 on
_FIRST_GREY = 232  # of 24, from 8 in steps of 10


def rows(width: int, height: int, pixels: bytes, *, true_colour: bool) -> list[str]:
    """A picture with three bytes for each pixel as rows of text; a last odd row of pixels has the background below."""
    code = _true_colour if true_colour else _of_256
    return [_row(width, pixels, top, height, code) for top in range(0, height, 2)]


def _row(width: int, pixels: bytes, top: int, height: int, code: Callable[[bytes], str]) -> str:
    text, before = "", ("", "")
    for column in range(width):
        at = 3 * (top * width + column)
        below = at + 3 * width
        upper = code(pixels[at : at + 3])
        lower = f"48;{code(pixels[below : below + 3])}" if top + 1 < height else "49"
        changed = [each for each, old in ((f"38;{upper}", before[0]), (lower, before[1])) if each != old]
        text += (f"\x1b[{';'.join(changed)}m" if changed else "") + HALF
        before = (f"38;{upper}", lower)
    return f"{text}\x1b[0m"


def _true_colour(pixel: bytes) -> str:
    return f"2;{pixel[0]};{pixel[1]};{pixel[2]}"


@lru_cache(maxsize=65536)
def _of_256(pixel: bytes) -> str:
    """The nearest of 256 colours, in the cube or among the greys."""
    steps = [min(range(6), key=lambda n, value=value: abs(_LEVELS[n] - value)) for value in pixel]  # type: ignore[misc]
    grey = min(max(round((sum(pixel) / 3 - 8) / 10), 0), 23)
    cube = sum((a - _LEVELS[n]) ** 2 for a, n in zip(pixel, steps, strict=True))
    if sum((a - (8 + 10 * grey)) ** 2 for a in pixel) < cube:
        return f"5;{_FIRST_GREY + grey}"
    return f"5;{16 + 36 * steps[0] + 6 * steps[1] + steps[2]}"

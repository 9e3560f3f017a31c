"""Sixel, the bitmap format of DEC's terminals (https://vt100.net/docs/vt3xx-gp/chapter14.html)."""

from __future__ import annotations

import re

_BAND = 6  # rows of pixels that are sent together
_FIRST = 63  # the character of a column without pixels
_CHARACTERS = bytes((_FIRST + bits) & 255 for bits in range(256))
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)


def show(width: int, height: int, palette: bytes, pixels: bytes) -> str:
    """Show a picture at the cursor: a number of a colour for each pixel, three bytes for each colour."""
    colours = "".join(
        f"#{number};2;{_percent(palette[3 * number])};{_percent(palette[3 * number + 1])};"
        f"{_percent(palette[3 * number + 2])}"
        for number in range(len(palette) // 3)
    )
    bands = (_band(pixels[top * width : (top + _BAND) * width], width) for top in range(0, height, _BAND))
    return f'\x1bP0;1;0q"1;1;{width};{height}{colours}{"-".join(bands)}\x1b\\'


def _percent(value: int) -> int:
    return round(value * 100 / 255)


def _band(pixels: bytes, width: int) -> str:
    """Six rows, once for each colour in them."""
    masks: dict[int, bytearray] = {}
    for row in range(len(pixels) // width):
        bit = 1 << row
        for column, colour in enumerate(pixels[row * width : (row + 1) * width]):
            mask = masks.get(colour)
            if mask is None:
                mask = masks[colour] = bytearray(width)
            mask[column] |= bit
    parts = (
        f"#{colour}{_RUN.sub(_repeated, mask.rstrip(bytes(1)).translate(_CHARACTERS)).decode()}"
        for colour, mask in masks.items()
    )
    return "$".join(parts)


def _repeated(run: re.Match[bytes]) -> bytes:
    return b"!%d%b" % (len(run[0]), run[1])

"""A contact sheet: selected pictures on one page, each with a number, its words, and what made it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mjcli.errors import UsageError
from mjcli.media.pixels import Decoder, PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MOST = 400  # pictures on a sheet
_CELL = 560  # pixels, the width of a picture at most
_PIXELS = 32 * 1024 * 1024  # of a sheet
_PAPER, _INK, _SOFT, _EMPTY = "#fbfaf8", "#1d1c1a", "#77736c", "#ebe8e2"


class Labelled(NamedTuple):
    """A picture (None if there is no file), its size in pixels, and its label: words, and a line below them."""

    picture: Path | None
    size: tuple[int, int]
    words: str
    about: str


class Layout(NamedTuple):
    """Measures of a sheet in pixels. `heights` are those of the rows of pictures, without the labels."""

    columns: int
    cell: int
    heights: tuple[int, ...]

    @property
    def gap(self) -> int:
        """The space between two pictures."""
        return round(self.cell * 0.09)

    @property
    def margin(self) -> int:
        """The space around all of them."""
        return round(self.cell * 0.16)

    @property
    def label(self) -> int:
        """The height of a label."""
        return round(self.cell * 0.21)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        width = 2 * self.margin + self.columns * self.cell + (self.columns - 1) * self.gap
        rows = len(self.heights)
        return width, 2 * self.margin + sum(self.heights) + rows * self.label + (rows - 1) * self.gap

    def box(self, index: int) -> tuple[int, int, int]:
        """The left, the top and the bottom of the place of a picture."""
        row, column = divmod(index, self.columns)
        top = self.margin + sum(self.heights[:row]) + row * (self.label + self.gap)
        return self.margin + column * (self.cell + self.gap), top, top + self.heights[row]


def check_name(path: Path) -> str:
    """The format that a name asks for. Raises `UsageError`."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f'--sheet "{path}" must end in .png, .jpg or .webp.')
    return kind


def layout(sizes: Sequence[tuple[int, int]]) -> Layout:
    """A sheet of pictures of these sizes, with smaller cells where it would be too large."""
    columns = max(1, min(len(sizes), round(math.sqrt(len(sizes) * 1.6))))
    full = _layout(sizes, columns, _CELL)
    width, height = full.size
    scale = math.sqrt(_PIXELS / (width * height))
    return full if scale >= 1 else _layout(sizes, columns, int(_CELL * scale))


def _layout(sizes: Sequence[tuple[int, int]], columns: int, cell: int) -> Layout:
    heights = [round(cell * min(1.0, height / width)) for width, height in sizes]
    rows = [max(heights[start : start + columns]) for start in range(0, len(heights), columns)]
    return Layout(columns, cell, tuple(rows))


def sheet(pictures: Sequence[Labelled], kind: str, decoder: Decoder) -> tuple[bytes, list[str]]:
    """The sheet as a file of a format, and a sentence for each picture that could not be decoded."""
    import PIL.Image
    from PIL import ImageDraw

    from mjcli.gallery.fonts import Lettering

    plan = layout([each.size for each in pictures])
    page = PIL.Image.new("RGB", plan.size, _PAPER)
    draw = ImageDraw.Draw(page)
    words, about = Lettering(max(round(plan.cell / 26), 8)), Lettering(max(round(plan.cell / 31), 7))
    indent = words.width("0000")
    problems = []
    for index, each in enumerate(pictures):
        left, top, bottom = plan.box(index)
        try:
            drawn = _draw_picture(page, each.picture, (left, bottom), plan.cell, decoder)
        except PictureError as error:
            problems.append(f'"{each.picture}" {error}.')
            drawn = False
        if not drawn:
            draw.rectangle((left, top, left + plan.cell - 1, bottom - 1), fill=_EMPTY)
        base = bottom + words.size * 1.7
        words.draw(draw, (left, base), f"{index + 1}", _SOFT)
        for line in words.lines(each.words, plan.cell - indent, 2):
            words.draw(draw, (left + indent, base), line, _INK)
            base += words.size * 1.42
        for line in about.lines(each.about, plan.cell - indent, 1):
            about.draw(draw, (left + indent, base), line, _SOFT)
    written = io.BytesIO()
    page.save(written, kind, **({"quality": 92} if kind != "PNG" else {}))
    return written.getvalue(), problems


def _draw_picture(
    page: Image, picture: Path | None, corner: tuple[int, int], cell: int, decoder: Decoder
) -> bool:
    """Draw a picture above and to the right of a corner; return whether there is one."""
    import PIL.Image

    if picture is None:
        return False
    pixels = decoder.scaled(picture, (cell, cell), "rgb", ground=_PAPER, enlarges=False)
    image = PIL.Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data)
    page.paste(image, (corner[0], corner[1] - pixels.height))
    return True

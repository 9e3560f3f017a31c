"""Pictures: what each request makes of which scenes, and the PNG file of it, drawn when it is asked for."""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import font, scenes
from .scenes import Panel

_AREA = 512 * 512
_STEEPEST = 6.0
_MAX_SCALE = 8


@dataclass(frozen=True)
class Picture:
    """What is on a picture: four panels for a grid, one for a single image."""

    base: tuple[int, int]
    """Width and height in pixels of one panel of the grid that it all began with."""
    scale: int
    """Pixels of a panel for each pixel of `base`."""
    panels: tuple[Panel, ...]
    label: str

    @property
    def is_grid(self) -> bool:
        return len(self.panels) == 4

    @property
    def raw_size(self) -> tuple[int, int]:
        """Width and height of the full picture in pixels."""
        factor = self.scale * (2 if self.is_grid else 1)
        return self.base[0] * factor, self.base[1] * factor

    @property
    def thumbnail_size(self) -> tuple[int, int]:
        """Width and height of the small picture in pixels."""
        return self.base

    def dump(self) -> dict[str, Any]:
        """The picture as JSON values; `load` reads them."""
        return asdict(self)

    @classmethod
    def load(cls, values: dict[str, Any]) -> Picture:
        panels = tuple(Panel(**{**panel, "view": tuple(panel["view"])}) for panel in values["panels"])
        width, height = values["base"]
        return cls((width, height), values["scale"], panels, values["label"])


def base_size(aspect: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of a grid's panel for an aspect ratio: about 512 by 512 pixels, divisible by 8."""
    ratio = min(max(aspect[0] / aspect[1], 1 / _STEEPEST), _STEEPEST) if aspect else 1.0
    width = math.sqrt(_AREA * ratio)
    return max(round(width / 8) * 8, 8), max(round(width / ratio / 8) * 8, 8)


def _digest(*parts: object) -> str:
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def new_grid(text: str, seed: int, aspect: tuple[int, int] | None) -> Picture:
    """Four pictures for a prompt; the same text and seed give the same four."""
    draw = int(_digest(text, seed), 16)
    # Neighbours in both lists differ most, so each quadrant takes its own place in them.
    panels = tuple(
        Panel(
            key=_digest(text, seed, quadrant)[:24],
            palette=(draw + quadrant * 5) % scenes.PALETTES,
            scene=(draw // 97 + quadrant) % scenes.SCENES,
        )
        for quadrant in range(4)
    )
    return Picture(base_size(aspect), 1, panels, text)


def upscaled(picture: Picture, quadrant: int) -> Picture:
    """Quadrant 1-4 of a grid as a single picture, twice as large."""
    return replace(picture, scale=2, panels=(picture.panels[quadrant - 1],))


def enlarged(picture: Picture, factor: int) -> Picture:
    """A single picture with `factor` times the pixels on each side, up to 8 times the panel of a grid."""
    return replace(picture, scale=min(picture.scale * factor, _MAX_SCALE))


def varied(picture: Picture, quadrant: int, seed: int, strength: float, label: str | None = None) -> Picture:
    """A grid of four variations of one panel; `strength` 1 or more draws new shapes in its colours."""
    panel = picture.panels[quadrant - 1]
    label = label if label is not None else picture.label
    panels = []
    for new in range(4):
        drift_key = _digest(panel.key, panel.drift_key, seed, new, label)[:24]
        if strength >= 1:
            panels.append(replace(panel, key=drift_key, drift_key="", drift=0.0))
        else:
            panels.append(replace(panel, drift_key=drift_key, drift=strength))
    return Picture(picture.base, 1, tuple(panels), label)


def looked_at(
    picture: Picture, seed: int, *, zoom: float = 1.0, right: float = 0.0, down: float = 0.0
) -> Picture:
    """A grid of the single picture with more around it (`zoom`), or moved by a share of its size."""
    left, top, across, tall = picture.panels[0].view
    view = (
        left + across * (right + (1 - zoom) / 2),
        top + tall * (down + (1 - zoom) / 2),
        min(across * zoom, 1e6),
        min(tall * zoom, 1e6),
    )
    return varied(replace(picture, panels=(replace(picture.panels[0], view=view),)), 1, seed, 0.04)


def sub_image(picture: Picture, quadrant: int) -> Picture:
    """Quadrant 1-4 of a grid cut out of it, in its own size."""
    return replace(picture, scale=1, panels=(picture.panels[quadrant - 1],))


def draw(picture: Picture, size: tuple[int, int]) -> bytes:
    """The PNG file of a picture in `size` pixels (its raw size, or that halved any number of times)."""
    width, height = size
    if not picture.is_grid:
        return png(width, height, _panel_rows(picture.panels[0], width, height, picture))
    half = (width // 2, height // 2)
    one, two, three, four = (_panel_rows(panel, *half, picture) for panel in picture.panels)
    rows = [a + b for a, b in zip(one, two, strict=True)]
    rows += [a + b for a, b in zip(three, four, strict=True)]
    return png(width, height, rows)


def draw_unfinished(picture: Picture, size: tuple[int, int], progress: int) -> bytes:
    """The PNG file of a picture that is `progress` (0-99) per cent done: the same scenes in coarse blocks."""
    width, height = size
    across = 2 if picture.is_grid else 1
    blocks = 5 * 2 ** (progress / 28)
    shape = picture.base[0] / picture.base[1]
    cells = (max(round(blocks * math.sqrt(shape)), 2), max(round(blocks / math.sqrt(shape)), 2))
    panels = [_coloured(*scenes.paint(panel, *cells, shape)) for panel in picture.panels]
    rows: list[bytes] = []
    for line in range(across):
        beside = panels[line * across : line * across + across]
        for cell_row in zip(*beside, strict=True):
            rows.append(b"".join(bytes(row) for row in cell_row))
    columns, lines = cells[0] * across, cells[1] * across
    edges = [width * x // columns for x in range(columns + 1)]
    grown: list[bytes] = []
    for number, row in enumerate(rows):
        wide = b"".join(row[3 * x : 3 * x + 3] * (edges[x + 1] - edges[x]) for x in range(columns))
        grown += [wide] * (height * (number + 1) // lines - height * number // lines)
    title = f"SANDBOX {progress}%"
    _write(grown, width, [(title, _text_scale((width, height)))], 1.0, (width, height))
    return png(width, height, grown)


def _coloured(rows: list[bytes], tables: list[bytes]) -> list[bytes]:
    """Rows of indices as rows of red, green, blue."""
    out = []
    for row in rows:
        line = bytearray(3 * len(row))
        line[0::3], line[1::3], line[2::3] = (row.translate(table) for table in tables)
        out.append(bytes(line))
    return out


def _panel_rows(panel: Panel, width: int, height: int, picture: Picture) -> list[bytes]:
    rows = _coloured(*scenes.paint(panel, width, height, picture.base[0] / picture.base[1]))
    scale = _text_scale(picture.base)
    room = (picture.base[0] - 8 * scale) // (font.GLYPH_WIDTH * scale // 2)
    words = font.printable(picture.label)
    if len(words) > room:
        words = words[: max(room - 3, 0)].rstrip() + "..."
    _write(rows, width, [("SANDBOX", scale), (words, scale // 2)], width / picture.base[0], picture.base)
    return rows


def _text_scale(base: tuple[int, int]) -> int:
    """Pixels of `base` for a dot of the title: even, so that half of it still is a whole pixel."""
    return 2 * max(round(min(base) / 256), 1)


def _write(
    rows: list[bytes], width: int, lines: list[tuple[str, int]], factor: float, base: tuple[int, int]
) -> None:
    """Write lines of text at the lower left, on a shade that grows towards the edge.

    Positions are reckoned in pixels of `base` and sampled at `factor`, as the scenes are.
    """
    margin = 4 * lines[0][1]
    lines = [(text, scale) for text, scale in lines if text]
    top = base[1] - margin - sum(font.GLYPH_HEIGHT * scale for _, scale in lines)
    top -= sum(4 * scale for _, scale in lines[1:])
    fade = max(top - 2 * margin, 0)
    for y in range(min(math.ceil(fade * factor), len(rows)), len(rows)):
        level = 0.62 * min((y / factor - fade) / (base[1] - fade) * 1.25, 1.0)
        rows[y] = rows[y].translate(bytes(int(value * (1 - level)) for value in range(256)))
    for text, scale in lines:
        for number, lit in enumerate(font.runs(text)):
            first = math.ceil((top + number * scale) * factor)
            last = math.ceil((top + (number + 1) * scale) * factor)
            edges = [[math.ceil((margin + dot * scale) * factor) for dot in run] for run in lit]
            for y in range(max(first, 0), min(last, len(rows))):
                line = bytearray(rows[y])
                for begin, end in edges:
                    end = min(end, width)
                    if begin < end:
                        line[3 * begin : 3 * end] = b"\xff" * (3 * (end - begin))
                rows[y] = bytes(line)
        top += (font.GLYPH_HEIGHT + 2) * scale


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: Iterable[bytes]) -> bytes:
    """A PNG file of 8-bit red, green, blue from `height` rows of `3 * width` bytes."""
    # Filter 0 throughout: equal rows and runs compress well enough without one, and a filter costs time here.
    packed = zlib.compress(b"".join(b"\x00" + row for row in rows), 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    note = _chunk(b"tEXt", b"Software\x00mj-sandbox")
    body = _chunk(b"IHDR", header) + note + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body

"""Draw images as PNG files."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable

from . import font, scenes
from .images import Image
from .scenes import Panel


def draw(image: Image, size: tuple[int, int]) -> bytes:
    """The PNG file of an image in `size` pixels: its raw size, or that divided by a power of 2."""
    width, height = size
    if not image.is_grid:
        return png(width, height, _panel_rows(image.panels[0], width, height, image))
    half = (width // 2, height // 2)
    one, two, three, four = (_panel_rows(panel, *half, image) for panel in image.panels)
    rows = [a + b for a, b in zip(one, two, strict=True)]
    rows += [a + b for a, b in zip(three, four, strict=True)]
    return png(width, height, rows)


def draw_unfinished(image: Image, size: tuple[int, int], progress: int) -> bytes:
    """The PNG file of an image at `progress` percent (0-99): the same scenes in coarse blocks."""
    width, height = size
    across = 2 if image.is_grid else 1
    blocks = 5 * 2 ** (progress / 28)
    shape = image.base[0] / image.base[1]
    cells = (max(round(blocks * math.sqrt(shape)), 2), max(round(blocks / math.sqrt(shape)), 2))
    panels = [_to_rgb(*scenes.paint(panel, *cells, shape)) for panel in image.panels]
    rows: list[bytes] = []
    for line in range(across):
        beside = panels[line * across : line * across + across]
        rows += [b"".join(cell_rows) for cell_rows in zip(*beside, strict=True)]
    enlarged = _enlarge(rows, width, height)
    title = f"SANDBOX {progress}%"
    _write(enlarged, width, [(title, _text_scale((width, height)))], 1.0, (width, height))
    return png(width, height, enlarged)


def _enlarge(rows: list[bytes], width: int, height: int) -> list[bytes]:
    """Rows of red, green, blue in `width` by `height` pixels, each original pixel as a block."""
    columns, lines = len(rows[0]) // 3, len(rows)
    edges = [width * x // columns for x in range(columns + 1)]
    enlarged: list[bytes] = []
    for number, row in enumerate(rows):
        wide = b"".join(row[3 * x : 3 * x + 3] * (edges[x + 1] - edges[x]) for x in range(columns))
        enlarged += [wide] * (height * (number + 1) // lines - height * number // lines)
    return enlarged


def _to_rgb(rows: list[bytes], tables: list[bytes]) -> list[bytes]:
    """Rows of colour indices as rows of red, green, blue."""
    out = []
    for row in rows:
        line = bytearray(3 * len(row))
        line[0::3], line[1::3], line[2::3] = (row.translate(table) for table in tables)
        out.append(bytes(line))
    return out


def _panel_rows(panel: Panel, width: int, height: int, image: Image) -> list[bytes]:
    rows = _to_rgb(*scenes.paint(panel, width, height, image.base[0] / image.base[1]))
    scale = _text_scale(image.base)
    room = (image.base[0] - 8 * scale) // (font.GLYPH_WIDTH * scale // 2)
    words = font.printable(image.label)
    if len(words) > room:
        words = words[: max(room - 3, 0)].rstrip() + "..."
    _write(rows, width, [("SANDBOX", scale), (words, scale // 2)], width / image.base[0], image.base)
    return rows


def _text_scale(base: tuple[int, int]) -> int:
    """Pixels of `base` per dot of the title: even, so that half of it is a whole number."""
    return 2 * max(round(min(base) / 256), 1)


def _write(
    rows: list[bytes], width: int, lines: list[tuple[str, int]], factor: float, base: tuple[int, int]
) -> None:
    """Write lines of text at the lower left, on a background that darkens towards the edge.

    Positions are in pixels of `base` and scaled by `factor`, like the scenes.
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
    # No filter: equal rows and runs compress well enough, and a filter costs time.
    packed = zlib.compress(b"".join(b"\x00" + row for row in rows), 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    note = _chunk(b"tEXt", b"Software\x00mj-sandbox")
    body = _chunk(b"IHDR", header) + note + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body

"""Pictures for tests: grids of four colours, and files that cost a decoder much."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import PIL.Image

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]

Colour = tuple[int, int, int]


def saved(image: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image as a file."""
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def grid(side: int = 40, colours: Sequence[Colour] = COLOURS, kind: str = "PNG", **options: Any) -> bytes:
    """A grid of four colours, from the top left to the bottom right."""
    whole = PIL.Image.new("RGB", (2, 2))
    whole.putdata(list(colours))
    return saved(whole.resize((side, side), PIL.Image.Resampling.NEAREST), kind, **options)


def plain(colour: Colour, side: int = 32, kind: str = "PNG") -> bytes:
    """An image of one colour."""
    return saved(PIL.Image.new("RGB", (side, side), colour), kind)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def zeros(width: int, height: int, data: bytes | None = None, before: bytes = b"") -> bytes:
    """A PNG file with four bytes for each pixel, which compresses to nearly nothing.

    `data` replaces its content, and the chunk `before` stands before it.
    """
    if data is None:
        packer = zlib.compressobj(1)
        data = b"".join(packer.compress(bytes(1 + 4 * width)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = (chunk(b"IHDR", header), before, chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def scans(count: int, side: int = 64, noise: int = 50) -> bytes:
    """A JPEG file whose last scan is repeated."""
    file = saved(PIL.Image.effect_noise((side, side), noise), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * count + b"\xff\xd9"

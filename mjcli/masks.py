"""Which part of a picture is redrawn: a mask from a file, or one made of rectangles, as bare Base64.

A mask is a grey picture of the picture's size, white where to redraw (api.md, "An image result").
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from mjcli.errors import UsageError
from mjcli.filetypes import extension_of, is_whole_picture, size_of

LARGEST = 20 * 1024 * 1024  # bytes of a file
LARGEST_SIDE = 16384  # pixels of a mask that is made; a picture behind a link may claim anything
TOLERANCE = 0.01  # by which the proportions of a mask may differ, since the service scales it
KINDS = ("png", "jpg", "webp")

_FORM = "--region takes X,Y,W,H in pixels or percent, such as 100,50,400,300 or 10%,10%,50%,30%"
_NUMBER = re.compile(r"([0-9]{1,7})|([0-9]{1,3}(?:\.[0-9]{1,6})?)%")

Size = tuple[int, int]  # width and height in pixels


class Length(NamedTuple):
    """A number of pixels, or of percent of the picture's width or height."""

    value: float
    percent: bool

    def pixels(self, whole: int) -> float:
        """It in pixels of a side that has `whole`."""
        return self.value * whole / 100 if self.percent else self.value


class Region(NamedTuple):
    """A rectangle of a picture, from its top left corner."""

    x: Length
    y: Length
    width: Length
    height: Length

    def box(self, size: Size) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in pixels, rounded outward. Raises `UsageError` beyond the picture."""
        left, right = _span(self.x, self.width, size[0])
        top, bottom = _span(self.y, self.height, size[1])
        if right > size[0] or bottom > size[1]:
            raise UsageError(
                f"--region reaches {right} x {bottom} pixels, beyond the picture, which has {size[0]} x {size[1]}."
            )
        return left, top, right, bottom


def _span(start: Length, length: Length, whole: int) -> tuple[int, int]:
    """The pixels from a start on. Hundredths are what is left of percentages that are written with few digits."""
    begin, end = start.pixels(whole), start.pixels(whole) + length.pixels(whole)
    return math.floor(begin + 0.01), math.ceil(end - 0.01)


def parse_region(text: str) -> Region:
    """What `X,Y,W,H` means. Raises `UsageError`."""
    parts = [_NUMBER.fullmatch(part.strip()) for part in text.split(",")]
    if len(parts) != 4 or not all(parts):
        raise UsageError(f"{_FORM}; {text[:80]!r} is none.")
    lengths = [Length(float(part[1] or part[2]), part[2] is not None) for part in parts if part]
    region = Region(*lengths)
    if region.width.value <= 0 or region.height.value <= 0:
        raise UsageError(f"--region {text[:80]} has no width or no height.")
    if any(each.percent and each.value > 100 for each in lengths):
        raise UsageError(f"--region {text[:80]} asks for more than 100%.")
    return region


def mask_of(mask: Path | None, regions: Sequence[str], size: Size | None) -> str | None:
    """What --mask and --region come to, None when neither is given; `size` is the picture's, where known.

    Raises `UsageError`, also when both are given.
    """
    if mask is not None and regions:
        raise UsageError("--mask and --region exclude one another: a mask says all that is redrawn.")
    if mask is not None:
        return read_mask(mask, size)
    if not regions:
        return None
    wanted = [parse_region(each) for each in regions]
    if size is None:
        raise UsageError(
            "--region needs the size of the picture, which could not be found out.",
            hint="name the picture by an id that the ledger knows, or give it as a file\n"
            "--mask FILE  # a mask of your own",
        )
    if max(size) > LARGEST_SIDE:
        raise UsageError(f"The picture says that it has {size[0]} x {size[1]} pixels, too many for a mask.")
    return b64encode(region_mask(wanted, size)).decode()


def read_mask(path: Path, size: Size | None) -> str:
    """A file as a mask; where `size` (of the picture) is known, its proportions are compared. Raises `UsageError`."""
    data = _read(path)
    if extension_of(data[:16]) not in KINDS:
        raise UsageError(f"The mask {path} is no PNG, JPEG or WebP picture.")
    own = size_of(data)
    if own is None or not is_whole_picture(data):
        raise UsageError(f"The mask {path} is only a part of a picture, or damaged.")
    if size is not None and abs(own[0] * size[1] / (own[1] * size[0]) - 1) > TOLERANCE:
        raise UsageError(
            f"The mask {path} has {own[0]} x {own[1]} pixels and the picture {size[0]} x {size[1]};"
            " both must have the same proportions."
        )
    return b64encode(data).decode()


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"The mask {path} is no ordinary file.")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"The mask {path} cannot be read: {reason}.") from None
    if len(data) > LARGEST:
        raise UsageError(f"The mask {path} is larger than 20 MB.")
    return data


def region_mask(regions: Sequence[Region], size: Size) -> bytes:
    """A PNG of this size in 8-bit grey: white within the regions, black elsewhere. Raises `UsageError`."""
    width, height = size
    boxes = [each.box(size) for each in regions]
    # Rows that lie in the same regions are alike.
    edges = sorted({0, height, *(box[1] for box in boxes), *(box[3] for box in boxes)})
    packer = zlib.compressobj(9)
    packed = []
    for top, bottom in pairwise(edges):
        row = bytearray(1 + width)  # the first byte says that the row is not filtered
        for left, above, right, below in boxes:
            if above <= top and bottom <= below:
                row[1 + left : 1 + right] = b"\xff" * (right - left)
        packed += [packer.compress(row) for _ in range(bottom - top)]
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b"".join(packed)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

"""The part of an image to redraw: a mask from a file or from rectangles, as bare Base64.

A mask is a grey image of the same size as the image, white where to redraw.
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
from mjcli.media.formats import extension_of, is_whole_image, size_of
from mjcli.media.local import read_file

MAX_SIDE = 16384  # pixels of a generated mask; the size of an image behind a link may be any number
TOLERANCE = 0.01  # relative difference in proportions; the service scales the mask
FORMATS = ("png", "jpg", "webp")

_FORM = "--region takes X,Y,W,H in pixels or percent, such as 100,50,400,300 or 10%,10%,50%,30%"
_NUMBER = re.compile(r"([0-9]{1,7})|([0-9]{1,3}(?:\.[0-9]{1,6})?)%")

Size = tuple[int, int]  # width and height in pixels


class Length(NamedTuple):
    """A number of pixels, or a percentage of the image's width or height."""

    value: float
    percent: bool

    def pixels(self, whole: int) -> float:
        """The length in pixels on a side of `whole` pixels."""
        return self.value * whole / 100 if self.percent else self.value


class Region(NamedTuple):
    """A rectangle of an image; `x` and `y` are measured from the top left corner."""

    x: Length
    y: Length
    width: Length
    height: Length

    def box(self, size: Size) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in pixels, rounded outward. Raises `UsageError` beyond the image."""
        left, right = _span(self.x, self.width, size[0])
        top, bottom = _span(self.y, self.height, size[1])
        if right > size[0] or bottom > size[1]:
            raise UsageError(
                f"--region extends to {right} x {bottom} pixels, but the image has {size[0]} x {size[1]}."
            )
        return left, top, right, bottom


def _span(start: Length, length: Length, whole: int) -> tuple[int, int]:
    """The first and last pixel. A hundredth of a pixel is a rounding error of percentages with few digits."""
    begin, end = start.pixels(whole), start.pixels(whole) + length.pixels(whole)
    return math.floor(begin + 0.01), math.ceil(end - 0.01)


def parse_region(text: str) -> Region:
    """Parse `X,Y,W,H`. Raises `UsageError`."""
    parts = [_NUMBER.fullmatch(part.strip()) for part in text.split(",")]
    if len(parts) != 4 or not all(parts):
        raise UsageError(f'"{text[:80]}" is not a region; {_FORM}.')
    lengths = [Length(float(part[1] or part[2]), part[2] is not None) for part in parts if part]
    region = Region(*lengths)
    if region.width.value <= 0 or region.height.value <= 0:
        raise UsageError(f'The --region "{text[:80]}" has no width or no height.')
    if any(each.percent and each.value > 100 for each in lengths):
        raise UsageError(f'The --region "{text[:80]}" has a value over 100%.')
    return region


def mask_of(mask: Path | None, regions: Sequence[str], size: Size | None) -> str | None:
    """The mask for --mask and --region, None when neither is given; `size` is the image's, if known.

    Raises `UsageError` for unusable values, and when both are given.
    """
    if mask is not None and regions:
        raise UsageError("--mask and --region cannot be used together.")
    if mask is not None:
        return read_mask(mask, size)
    if not regions:
        return None
    parsed = [parse_region(each) for each in regions]
    if size is None:
        raise UsageError(
            "--region needs the size of the image, which is not known.",
            hint="name the image by an id that the ledger knows, or give it as a file\n"
            "--mask FILE uses a mask of your own",
        )
    if max(size) > MAX_SIDE:
        raise UsageError(f"The image has {size[0]} x {size[1]} pixels, too many for a mask.")
    return b64encode(region_mask(parsed, size)).decode()


def read_mask(path: Path, size: Size | None) -> str:
    """Read a mask file; its proportions must be those of `size`, if that is known. Raises `UsageError`."""
    data = read_file(path)
    if extension_of(data[:16]) not in FORMATS:
        raise UsageError(f'The mask "{path}" is not a PNG, JPEG or WebP image.')
    own = size_of(data)
    if own is None or not is_whole_image(data):
        raise UsageError(f'The mask "{path}" is incomplete or damaged.')
    if size is not None and abs(own[0] * size[1] / (own[1] * size[0]) - 1) > TOLERANCE:
        raise UsageError(
            f'The mask "{path}" has {own[0]} x {own[1]} pixels and the image {size[0]} x {size[1]};'
            " both must have the same proportions."
        )
    return b64encode(data).decode()


def region_mask(regions: Sequence[Region], size: Size) -> bytes:
    """An 8-bit grey PNG of this size: white within the regions, black elsewhere. Raises `UsageError`."""
    width, height = size
    boxes = [each.box(size) for each in regions]
    # Rows between two edges lie in the same regions, so they are equal.
    edges = sorted({0, height, *(box[1] for box in boxes), *(box[3] for box in boxes)})
    packer = zlib.compressobj(9)
    packed = []
    for top, bottom in pairwise(edges):
        row = bytearray(1 + width)  # the first byte: no filter
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

"""Whether a file is complete, from its structure; bytes after its end are allowed.

`kind` is an extension, as `formats.extension_of` returns it.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Callable
from typing import BinaryIO

_BLOCK = 64 * 1024
_MOST_PIXELS = 1024 * 1024 * 1024  # bytes of a PNG that are unpacked for a check; the rest is not checked
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"

Data = bytes | mmap.mmap


def is_complete(kind: str, file: BinaryIO, size: int) -> bool:
    """Whether a file of `size` bytes has its end: a quick look at its last bytes, else at its structure."""
    tail = _tail(file, size, 64)
    if kind == "png" and tail.endswith(_PNG_END):
        return True
    if kind == "jpg" and b"\xff\xd9" in tail:  # some writers pad after the end marker
        return True
    if kind == "gif" and tail.endswith(b"\x3b"):
        return True
    if kind == "webp":
        file.seek(0)
        return size >= int.from_bytes(file.read(8)[4:], "little") + 8
    return has_structure(kind, file, size, thorough=False) is True


def has_structure(kind: str | None, file: BinaryIO, size: int, *, thorough: bool = True) -> bool | None:
    """Whether all parts of a file are there and fit together; None for a format that cannot be checked.

    `thorough` also verifies the checksums of a PNG.
    """
    if kind == "png":
        return _png(file, size, thorough=thorough)
    check = _CHECKS.get(kind or "")
    if check is None:
        return None
    if size == 0:
        return False
    position = os.lseek(file.fileno(), 0, os.SEEK_CUR)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # On Windows, mapping moves the position, which the file's buffer does not notice.
        os.lseek(file.fileno(), position, os.SEEK_SET)
        return check(data)


def png_ends(data: bytes) -> bool:
    """Whether the bytes of a PNG contain its end."""
    return _PNG_END in data


def jpg_ends(data: Data) -> bool:
    """Whether the bytes of a JPEG contain its end."""
    # Skip the segments by their lengths: one of them may hold a preview with an end marker of its own.
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == 0xD9:
            return True
        if marker == 0xDA:  # the image data, in which this marker can only be the end
            return data.find(b"\xff\xd9", at) >= 0
        if marker == 0xFF:  # padding
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def webp_ends(data: Data) -> bool:
    """Whether the bytes of a WebP image are as many as it says."""
    return len(data) >= int.from_bytes(data[4:8], "little") + 8


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(size - length, 0))
    return file.read(length)


def _png(file: BinaryIO, size: int, *, thorough: bool) -> bool:
    """Walk the chunks; a thorough check unpacks the pixels too, for parts of two files may meet between chunks."""
    at, pixels = 8, _Pixels()
    while at + 12 <= size:
        file.seek(at)
        header = file.read(8)
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        at += 12 + length
        if at > size:
            return False
        if thorough and not _chunk_is_good(file, kind, length, pixels):
            return False
        if kind == b"IEND":
            return not thorough or pixels.complete
    return False


def _chunk_is_good(file: BinaryIO, kind: bytes, length: int, pixels: _Pixels) -> bool:
    checksum, left = zlib.crc32(kind), length
    while left:
        block = file.read(min(left, _BLOCK))
        if not block:
            return False
        checksum, left = zlib.crc32(block, checksum), left - len(block)
        if kind == b"IDAT" and not pixels.feed(block):
            return False
    return checksum == int.from_bytes(file.read(4), "big")


class _Pixels:
    """The compressed pixels of a PNG, whose end has a checksum."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj()
        self._unpacked = 0

    def feed(self, block: bytes) -> bool:
        """Whether these bytes continue the data."""
        try:
            while block and not self._inflate.eof and self._unpacked < _MOST_PIXELS:
                self._unpacked += len(self._inflate.decompress(block, _BLOCK))
                block = self._inflate.unconsumed_tail
        except zlib.error:
            return False
        return True

    @property
    def complete(self) -> bool:
        return self._inflate.eof or self._unpacked >= _MOST_PIXELS


def _gif(data: Data) -> bool:
    at = 13 + _colours(data[10:11])
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            return True
        if kind == 0x2C:
            at += 11 + _colours(data[at + 9 : at + 10])
        elif kind == 0x21:
            at += 2
        else:
            return False
        while at < len(data) and data[at]:  # blocks, each after its length
            at += 1 + data[at]
        at += 1
    return False


def _colours(flags: bytes) -> int:
    """The bytes of a colour table."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _webp(data: Data) -> bool:
    end = int.from_bytes(data[4:8], "little") + 8
    if len(data) < end:
        return False
    at = 12
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return at <= end + 1  # some writers omit the padding of the last chunk


# The boxes that make up a file; anything else may be text after its end.
_TOP_LEVEL = frozenset(
    (
        b"ftyp",
        b"styp",
        b"moov",
        b"moof",
        b"mdat",
        b"mfra",
        b"meta",
        b"free",
        b"skip",
        b"wide",
        b"uuid",
        b"sidx",
    )
)


def _boxes(data: Data) -> set[bytes] | None:
    """The kinds of the boxes of an ISO media file (MP4, AVIF); None when the last one is cut."""
    at, seen = 0, set[bytes]()
    while at < len(data):
        header = data[at : at + 16]
        kind, length = header[4:8], int.from_bytes(header[:4], "big")
        if seen and not (len(kind) == 4 and all(32 <= each < 127 or each == 0xA9 for each in kind)):
            return seen  # bytes after the end
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:  # to the end of the file
            length = len(data) - at
        at += length
        if length < 8 or at > len(data):
            return seen if seen and kind not in _TOP_LEVEL else None
        seen.add(kind)
    return seen


def _mp4(data: Data) -> bool:
    # Index (moov) and data (mdat) come in either order; a file without one of them is incomplete.
    boxes = _boxes(data) or set()
    return b"mdat" in boxes and bool(boxes & {b"moov", b"moof"})


def _avif(data: Data) -> bool:
    boxes = _boxes(data) or set()
    return b"meta" in boxes and (b"mdat" in boxes or data.find(b"idat") >= 0)


_CHECKS: dict[str, Callable[[Data], bool]] = {
    "jpg": jpg_ends,
    "gif": _gif,
    "webp": _webp,
    "mp4": _mp4,
    "avif": _avif,
}

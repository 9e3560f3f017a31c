"""Image and video files for tests: the smallest complete file of each format."""

from __future__ import annotations

import random
import struct
import zlib


def png(padding: int = 0) -> bytes:
    """A complete PNG of one pixel, padded by a text chunk with this number of random bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        *([chunk(b"teXt", b"note\0" + random.Random(padding).randbytes(padding))] if padding else []),
        chunk(b"IDAT", zlib.compress(b"\0\0")),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def box(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


WHOLE = {
    "png": png(),
    "jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\x01" * 40 + b"\xff\xd9",
    "webp": b"RIFF" + struct.pack("<I", 24) + b"WEBPVP8L" + b"\0" * 16,
    "gif": b"GIF89a" + b"\0" * 20 + b"\x3b",
    "avif": box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", b"z" * 60) + box(b"mdat", b"x" * 50),
    "mp4": box(b"ftyp", b"isom\0\0\2\0") + box(b"mdat", b"x" * 100) + box(b"moov", b"y" * 30),
}

# A complete JPEG: a preview in a segment, with an end marker of its own, then the image data.
PREVIEW = b"\xff\xd8\xff\xd9"
JPEG = (
    b"\xff\xd8\xff\xe1"
    + struct.pack(">H", 2 + len(PREVIEW))
    + PREVIEW
    + b"\xff\xda\x00\x02"
    + b"picture" * 40
    + b"\xff\xd9"
)

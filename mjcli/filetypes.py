"""What a downloaded file is, told from its bytes, and whether it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

EXTENSIONS = ("png", "jpg", "webp", "gif", "mp4")


def extension_of(head: bytes) -> str | None:
    """The extension for a file that begins with `head` (at least 12 bytes), None for an unknown kind."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[4:8] == b"ftyp":
        return "mp4"
    return None


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins so is HTML rather than a picture."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def is_whole(path: Path) -> bool:
    """Whether the file is a picture or video of a known kind that ends as its format says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            kind = extension_of(file.read(16))
            check = _WHOLE.get(kind or "")
            return check is not None and check(file, size)
    except OSError:
        return False


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(size - length, 0))
    return file.read(length)


def _png(file: BinaryIO, size: int) -> bool:
    # The IEND chunk is always these twelve bytes.
    return _tail(file, size, 12) == b"\x00\x00\x00\x00IEND\xaeB`\x82"


def _jpg(file: BinaryIO, size: int) -> bool:
    # Some writers pad behind the end marker.
    return b"\xff\xd9" in _tail(file, size, 64)


def _webp(file: BinaryIO, size: int) -> bool:
    file.seek(4)
    return size >= int.from_bytes(file.read(4), "little") + 8


def _gif(file: BinaryIO, size: int) -> bool:
    return _tail(file, size, 1) == b"\x3b"


def _mp4(file: BinaryIO, size: int) -> bool:
    # A chain of boxes, each with its length; the last one ends where the file does. Index (moov) and
    # data (mdat) come in either order, and a file without one of them is cut.
    offset, seen = 0, set()
    while offset < size:
        file.seek(offset)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:  # to the end of the file
            length = size - offset
        if length < 8:
            return False
        seen.add(header[4:8])
        offset += length
    return offset == size and {b"moov", b"mdat"} <= seen


_WHOLE = {"png": _png, "jpg": _jpg, "webp": _webp, "gif": _gif, "mp4": _mp4}

"""File formats by their bytes: what a file is, how large an image is, and whether the file is complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Literal

EXTENSIONS = ("png", "jpg", "webp", "gif", "mp4")

# The image formats that the service takes: extension -> name and content type.
IMAGES = {
    "png": ("PNG", "image/png"),
    "jpg": ("JPEG", "image/jpeg"),
    "webp": ("WebP", "image/webp"),
    "gif": ("GIF", "image/gif"),
}

# The first bytes of other formats, and their names.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF file"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\1\0", "an icon file (ICO)"),
    (b"\x1aE\xdf\xa3", "a video (WebM or Matroska)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"BM", "a BMP image"),
)
# The brand of an ISO media file (bytes 8-11), where it is not a video.
_BRANDS = {
    b"avif": "an AVIF image",
    b"avis": "an AVIF image",
    b"heic": "a HEIC image",
    b"heix": "a HEIC image",
    b"hevc": "a HEIC image",
    b"heim": "a HEIC image",
    b"heis": "a HEIC image",
    b"mif1": "a HEIC image",
    b"msf1": "a HEIC image",
}
_PAGES = ("text/html", "application/xhtml+xml")
_TYPE_NAMES = {
    "image/svg+xml": "an SVG drawing",
    "image/heic": "a HEIC image",
    "image/heif": "a HEIC image",
    "image/avif": "an AVIF image",
    "image/tiff": "a TIFF image",
    "image/bmp": "a BMP image",
    "image/x-ms-bmp": "a BMP image",
    "image/jxl": "a JPEG XL image",
    "image/x-icon": "an icon file (ICO)",
    "image/vnd.microsoft.icon": "an icon file (ICO)",
    "application/pdf": "a PDF file",
    "application/json": "JSON data",
    "application/zip": "a ZIP archive",
    "text/plain": "plain text",
}


def extension_of(head: bytes) -> str | None:
    """The extension of a file that begins with `head` (at least 12 bytes); None for an unknown format."""
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
    """Whether a file that begins with `head` is HTML."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def is_image_type(content_type: str) -> bool:
    """Whether a `Content-Type` is that of an image that the service takes."""
    return _bare(content_type) in {kind for _, kind in IMAGES.values()}


def format_name(head: bytes, content_type: str = "") -> str:
    """The format of a file that is not one of `IMAGES`: `a PDF file`, `a web page`, `an SVG drawing`, `empty`, …

    Identified by its first bytes, else by its `Content-Type`; "" when neither is known.
    """
    if not head:
        return "empty"
    kind = _bare(content_type)
    if is_web_page(head) or (head.lstrip()[:1] == b"<" and kind in _PAGES):
        return "a web page"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in start:
        return "an SVG drawing"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "a video")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "a video (AVI)"
    for beginning, name in _OTHERS:
        if head.startswith(beginning):
            return name
    return _type_name(kind)


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _type_name(kind: str) -> str:
    if kind in _PAGES:
        return "a web page"
    if kind in _TYPE_NAMES:
        return _TYPE_NAMES[kind]
    main = kind.partition("/")[0]
    return {"video": "a video", "audio": "a sound file", "text": "text"}.get(main, "")


def is_whole_image(data: bytes) -> bool:
    """Whether `data` is a complete image of one of the `IMAGES` formats, trailing bytes allowed.

    Phones append videos and previews to an image.
    """
    kind = extension_of(data[:16])
    if kind == "png":
        return _PNG_END in data
    if kind == "jpg":
        return _jpg_ends(data)
    if kind == "webp":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return kind == "gif" and data.rstrip(b"\0").endswith(b"\x3b")


def _jpg_ends(data: bytes) -> bool:
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


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of one of `IMAGES`, from its first bytes; None when they do not show it.

    It is the size as stored: the orientation in the EXIF data is ignored.
    """
    measure = _SIZES.get(extension_of(data[:16]) or "")
    found = measure(data) if measure is not None else None
    return found if found is not None and min(found) > 0 else None


def _numbers(data: bytes, at: int, length: int, order: Literal["little", "big"]) -> tuple[int, int] | None:
    """Two consecutive numbers of `length` bytes each."""
    if len(data) < at + 2 * length:
        return None
    first, second = data[at : at + length], data[at + length : at + 2 * length]
    return int.from_bytes(first, order), int.from_bytes(second, order)


def _jpg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        # A frame header; three markers of this range are tables and arithmetic coding.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height_first = _numbers(data, at + 5, 2, "big")
            return height_first and (height_first[1], height_first[0])
        if marker in (0xD9, 0xDA):  # the end, or the image data
            return None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        less_one = _numbers(data, 24, 3, "little")
        return less_one and (less_one[0] + 1, less_one[1] + 1)
    if kind == b"VP8L" and data[20:21] == b"\x2f" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        scaled = _numbers(data, 26, 2, "little")  # the upper two bits are a scale
        return scaled and (scaled[0] & 0x3FFF, scaled[1] & 0x3FFF)
    return None


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "png": lambda data: _numbers(data, 16, 4, "big") if data[12:16] == b"IHDR" else None,
    "jpg": _jpg_size,
    "webp": _webp_size,
    "gif": lambda data: _numbers(data, 6, 2, "little"),
}


def is_whole(path: Path) -> bool:
    """Whether the file is a complete image or video of a known format."""
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


# The IEND chunk is always these twelve bytes.
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


def _png(file: BinaryIO, size: int) -> bool:
    return _tail(file, size, 12) == _PNG_END


def _jpg(file: BinaryIO, size: int) -> bool:
    # Some writers pad after the end marker.
    return b"\xff\xd9" in _tail(file, size, 64)


def _webp(file: BinaryIO, size: int) -> bool:
    file.seek(4)
    return size >= int.from_bytes(file.read(4), "little") + 8


def _gif(file: BinaryIO, size: int) -> bool:
    return _tail(file, size, 1) == b"\x3b"


def _mp4(file: BinaryIO, size: int) -> bool:
    # A sequence of boxes, each with its length; the last one ends where the file does. Index (moov) and
    # data (mdat) come in either order, and a file without one of them is incomplete.
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

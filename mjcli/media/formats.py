"""File formats by their first bytes: what a file is, how large an image is, and whether it can be a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from mjcli.media.structure import is_complete, jpg_ends, png_ends, webp_ends

EXTENSIONS = ("png", "jpg", "webp", "gif", "avif", "mp4")
HEAD = 1024  # bytes, enough to identify a file
SHORTEST = 16  # bytes; no image or video has fewer

# The image formats that the service takes: extension -> name and content type.
IMAGES = {
    "png": ("PNG", "image/png"),
    "jpg": ("JPEG", "image/jpeg"),
    "webp": ("WebP", "image/webp"),
    "gif": ("GIF", "image/gif"),
}

# The first bytes of other formats, their names, and their extensions.
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "a PDF file", "pdf"),
    (b"II*\0", "a TIFF image", "tif"),
    (b"MM\0*", "a TIFF image", "tif"),
    (b"\xff\x0a", "a JPEG XL image", "jxl"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image", "jxl"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image", "jp2"),
    (b"8BPS", "a Photoshop file", "psd"),
    (b"\0\0\1\0", "an icon file (ICO)", "ico"),
    (b"\x1aE\xdf\xa3", "a video (WebM or Matroska)", "webm"),
    (b"PK\x03\x04", "a ZIP archive", "zip"),
    (b"\x1f\x8b", "a gzip file", "gz"),
    (b"BM", "a BMP image", "bmp"),
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
_HEIC = frozenset(brand for brand, name in _BRANDS.items() if name == "a HEIC image")
_PAGES = ("text/html", "application/xhtml+xml")
_TYPE_EXTENSIONS = {
    **{kind: extension for extension, (_, kind) in IMAGES.items()},
    "image/jpg": "jpg",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/heif": "heic",
    "image/tiff": "tif",
    "image/bmp": "bmp",
    "image/x-ms-bmp": "bmp",
    "image/jxl": "jxl",
    "image/jp2": "jp2",
    "image/svg+xml": "svg",
    "image/x-icon": "ico",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
}
_ALIASES = {
    "jpeg": "jpg",
    "jpe": "jpg",
    "jfif": "jpg",
    "apng": "png",
    "m4v": "mp4",
    "mov": "mp4",
    "tiff": "tif",
}
_MEDIA_EXTENSIONS = frozenset((*_TYPE_EXTENSIONS.values(), *_ALIASES))
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
        if head[8:12] in (b"avif", b"avis") or (head[8:12] in _HEIC and b"avif" in _brands(head)):
            return "avif"
        return None if head[8:12] in _HEIC else "mp4"
    return None


def _brands(head: bytes) -> bytes:
    """The compatible brands of an ISO media file."""
    return head[16 : int.from_bytes(head[:4], "big")]


def extension_for(head: bytes, content_type: str, url: str) -> str:
    """The extension for a file that begins with `head`, whatever it is; `bin` when nothing shows its format."""
    kind = _bare(content_type)
    suffix = url.partition("?")[0].partition("#")[0].rpartition(".")[2].lower()
    return (
        extension_of(head)
        or ("heic" if head[4:8] == b"ftyp" else None)
        or next((extension for start, _, extension in _OTHERS if head.startswith(start)), None)
        or _TYPE_EXTENSIONS.get(kind)
        or (suffix if suffix in _MEDIA_EXTENSIONS else "bin")
    )


def is_extension(suffix: str) -> bool:
    """Whether the end of a name (`.png`) is one that `extension_for` gives."""
    return suffix[1:].lower() in {*_MEDIA_EXTENSIONS, *(extension for _, _, extension in _OTHERS), "bin"}


def not_a_result(head: bytes, content_type: str) -> str | None:
    """What a file is that cannot be a result, as the end of "The file …": empty, a web page, JSON or text."""
    if not head:
        return "is empty"
    text = None if extension_of(head) is not None else _text(head)
    if text is None:
        return None if len(head) >= SHORTEST else "is not an image or video"
    kind, start = _bare(content_type), text.lstrip("\ufeff \t\r\n").lower()
    if is_web_page(head) or kind in _PAGES:
        return "is a web page"
    if start.startswith("<"):
        return None if "<svg" in start else "is a web page or XML document"
    if start.startswith(("{", "[")) or "json" in kind:
        return "is JSON data, not an image or video"
    return "is text, not an image or video" if kind.startswith("text/") or not start else None


def _text(head: bytes) -> str | None:
    """The beginning of a file as text, None when it has none."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        text = head[: len(head) & ~1].decode(encoding) if encoding == "utf-16" else head.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:
            text = head[: error.start].decode(encoding, "ignore")
        elif head.lstrip().startswith((b"<", b"{", b"[")):
            text = head.decode("latin-1")
        else:
            return None
    return None if any(c < " " and c not in "\t\n\r\f\x1b" for c in text) else text


def contradicts(name: str, extension: str) -> bool:
    """Whether the end of a file name is that of another image or video format than `extension`."""
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    suffix = _ALIASES.get(suffix, suffix)
    return suffix in _MEDIA_EXTENSIONS and suffix != _ALIASES.get(extension, extension)


def name_of(extension: str) -> str:
    """A format for people, such as `a PNG image`."""
    known = {"mp4": "an MP4 video", "avif": "an AVIF image"}
    return known.get(extension) or (f"a {IMAGES[extension][0]} image" if extension in IMAGES else "")


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins with `head` is HTML."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def is_video(path: Path) -> bool | None:
    """Whether a file is a video, by its first bytes; None for an unknown format or a file that cannot be read."""
    head = _head_of(path)
    if head is None:
        return None
    extension = extension_of(head)
    name = "a video" if extension == "mp4" else "an image" if extension else format_name(head)
    return name.startswith("a video") if name else None


def is_image(path: Path) -> bool:
    """Whether a file is an image that the service takes, by its first bytes; not if it cannot be read."""
    return extension_of(_head_of(path) or b"") in IMAGES


def _head_of(path: Path) -> bytes | None:
    """The first bytes of a file; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return None


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
    for beginning, name, _ in _OTHERS:
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
        return png_ends(data)
    if kind == "jpg":
        return jpg_ends(data)
    if kind == "webp":
        return webp_ends(data)
    return kind == "gif" and data.rstrip(b"\0").endswith(b"\x3b")


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of one of `IMAGES` or an AVIF image, None when its first bytes do not show it.

    It is the size as stored: the orientation in the EXIF data is ignored.
    """
    measure = _SIZES.get(extension_of(data[:HEAD]) or "")
    found = measure(data) if measure is not None else None
    return found if found is not None and min(found) > 0 else None


def _numbers(data: bytes, at: int, length: int, order: Literal["little", "big"]) -> tuple[int, int] | None:
    """Two consecutive numbers of `length` bytes each."""
    if len(data) < at + 2 * length:
        return None
    first, second = data[at : at + length], data[at + length : at + 2 * length]
    return int.from_bytes(first, order), int.from_bytes(second, order)


def jpg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments of a JPEG image: their marker, where they begin, and where they claim to end."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, end
        at = end


def _jpg_size(data: bytes) -> tuple[int, int] | None:
    for marker, at, _ in jpg_segments(data):
        # A frame header; three markers of this range are tables and arithmetic coding.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height_first = _numbers(data, at + 5, 2, "big")
            return height_first and (height_first[1], height_first[0])
        if marker in (0xD9, 0xDA):  # the end, or the image data
            return None
    return None


def _avif_size(data: bytes) -> tuple[int, int] | None:
    """The largest of the sizes in an AVIF file, since it may contain tiles and a preview."""
    found, at = [], data.find(b"ispe")
    while at >= 0:
        found.append(_numbers(data, at + 8, 4, "big"))
        at = data.find(b"ispe", at + 4)
    return max((each for each in found if each), key=lambda each: each[0] * each[1], default=None)


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
    "avif": _avif_size,
}


def is_whole(path: Path) -> bool:
    """Whether the file is a complete image or video of a known format, trailing bytes allowed."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            kind = extension_of(file.read(HEAD))
            return kind is not None and is_complete(kind, file, size)
    except (OSError, ValueError):
        return False

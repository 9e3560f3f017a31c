"""Where PNG, JPEG and WebP carry an XMP packet: found, and put there without a change of the image data.

https://www.w3.org/TR/png-3/, Adobe's XMP specification (part 3) and
https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mjcli.media.formats import extension_of, jpg_segments
from mjcli.media.xmp import MOST_READ

_PNG_KEYWORD = b"XML:com.adobe.xmp"
_JPG_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_MOST_SEGMENT = 65_533  # bytes of a JPEG segment, without its length
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10  # of a WebP's VP8X


class CannotCarry(ValueError):
    """A file that cannot carry a packet. The message says why, as the end of "it …"."""


class Part(NamedTuple):
    """A chunk or segment: its kind, where it begins and ends, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int
    content: int
    content_end: int


def parts_of(data: bytes) -> list[Part]:
    """Return the parts of a file before and around its image data. Raises `CannotCarry`."""
    kind = extension_of(data[:16])
    walk = {"png": _png_parts, "jpg": _jpg_parts, "webp": _webp_parts}.get(kind or "")
    if walk is None:
        raise CannotCarry("has a format that cannot carry it")
    return list(walk(data))


def packet_in(data: bytes) -> bytes | None:
    """Return the packet that a file carries, None if there is none. Raises `CannotCarry`."""
    kind = extension_of(data[:16])
    found = [each for part in parts_of(data) if (each := _packet(kind, data, part)) is not None]
    if len(found) > 1:
        raise CannotCarry("carries more than one description")
    return found[0] if found else None


def has_manifest(data: bytes) -> bool:
    """Whether a file carries a C2PA manifest, which any change makes invalid. Raises `CannotCarry`."""
    for part in parts_of(data):
        if part.kind in (b"caBX", b"C2PA"):
            return True
        if part.kind == b"\xeb" and data[part.content : part.content + 2] == b"JP":
            return True
    return False


def with_packet(data: bytes, packet: bytes, texts: Mapping[str, str]) -> bytes:
    """Return a file with this packet in place of the one it has; a PNG also gets texts that it does not have.

    Raises `CannotCarry`.
    """
    parts = parts_of(data)
    kind = extension_of(data[:16])
    if kind == "png":
        return _png_with(data, parts, packet, texts)
    return _jpg_with(data, parts, packet) if kind == "jpg" else _webp_with(data, parts, packet)


def _packet(kind: str | None, data: bytes, part: Part) -> bytes | None:
    """The packet in a part of a file, None if it is another part. Raises `CannotCarry`."""
    content = data[part.content : min(part.content_end, part.content + MOST_READ + 1)]
    if kind == "webp":
        return content if part.kind == b"XMP " else None
    if kind == "jpg":
        return (
            content[len(_JPG_HEADER) :] if part.kind == b"\xe1" and content.startswith(_JPG_HEADER) else None
        )
    if part.kind != b"iTXt" or not content.startswith(_PNG_KEYWORD + b"\0"):
        return None
    flags, rest = content[len(_PNG_KEYWORD) + 1 :][:2], content[len(_PNG_KEYWORD) + 3 :]
    text = rest.split(b"\0", 2)[-1]
    return _unpacked(text) if flags[:1] == b"\1" else text


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MOST_READ + 1)
    except zlib.error:
        raise CannotCarry("carries a damaged description") from None


# -- PNG -------------------------------------------------------------------------------------------


def _png_parts(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data) or (at == 8 and (kind, length) != (b"IHDR", 13)):
            break
        yield Part(kind, at, end, at + 8, end - 4)
        if kind == b"IEND":
            return
        at = end
    raise CannotCarry("is a damaged PNG image")


def _png_with(data: bytes, parts: list[Part], packet: bytes, texts: Mapping[str, str]) -> bytes:
    keywords = {
        data[part.content : part.content_end].partition(b"\0")[0]
        for part in parts
        if part.kind in (b"tEXt", b"zTXt", b"iTXt")
    }
    new = [_png_chunk(b"iTXt", _PNG_KEYWORD + b"\0\0\0\0\0" + packet)]
    new += [_png_text(key, text) for key, text in texts.items() if key.encode() not in keywords]
    old = [part for part in parts if _packet("png", data, part) is not None]
    # Directly after the header, where nothing depends on the order.
    return _replaced(data, old, parts[0].end, b"".join(new))


def _png_text(keyword: str, text: str) -> bytes:
    key, text = keyword.encode(), text.replace("\0", "")
    if text.isascii():
        return _png_chunk(b"tEXt", key + b"\0" + text.encode())
    return _png_chunk(b"iTXt", key + b"\0\0\0\0\0" + text.encode("utf-8", "replace"))


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _replaced(data: bytes, old: list[Part], at: int, new: bytes) -> bytes:
    """The data without the old parts, and with new bytes at a position before or at the first of them."""
    pieces, position = [data[:at], new], at
    for part in old:
        pieces.append(data[position : part.start])
        position = part.end
    return b"".join([*pieces, data[position:]])


# -- JPEG ------------------------------------------------------------------------------------------


def _jpg_parts(data: bytes) -> Iterator[Part]:
    for marker, at, end in jpg_segments(data):
        if end < at + 4 or end > len(data) or marker == 0xD9:
            break
        yield Part(data[at + 1 : at + 2], at, end, at + 4, end)
        if marker == 0xDA:  # the image data
            return
    raise CannotCarry("is a damaged JPEG image")


def _jpg_with(data: bytes, parts: list[Part], packet: bytes) -> bytes:
    content = _JPG_HEADER + packet
    if len(content) > _MOST_SEGMENT:
        raise CannotCarry("already carries a long description")
    if any(part.kind == b"\xe2" and data[part.content :][:4] == b"MPF\0" for part in parts):
        raise CannotCarry("contains several images")
    at = 2
    for part in parts:
        # The first segments have places of their own: JFIF, then Exif.
        if part.kind not in (b"\xe0", b"\xe1") or _packet("jpg", data, part) is not None:
            break
        at = part.end
    old = [part for part in parts if _packet("jpg", data, part) is not None]
    return _replaced(data, old, at, b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content)


# -- WebP ------------------------------------------------------------------------------------------


def _webp_parts(data: bytes) -> Iterator[Part]:
    end, at = int.from_bytes(data[4:8], "little") + 8, 12
    if end > len(data) or end < 20:
        raise CannotCarry("is a damaged WebP image")
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise CannotCarry("is a damaged WebP image")
        # Some writers omit the padding of the last chunk.
        yield Part(data[at : at + 4], at, min(at + 8 + length + length % 2, end), at + 8, at + 8 + length)
        at += 8 + length + length % 2


def _webp_with(data: bytes, parts: list[Part], packet: bytes) -> bytes:
    first = parts[0]
    if first.kind == b"VP8X":
        head = bytearray(data[first.content : first.content_end])
        if len(head) < 10:
            raise CannotCarry("is a damaged WebP image")
        head[0] |= _XMP_FLAG
        rest = parts[1:]
    else:
        head, rest = bytearray(_webp_head(data, first)), parts
    chunks = [_webp_chunk(b"VP8X", bytes(head))]
    chunks += [
        _webp_chunk(part.kind, data[part.content : part.content_end]) for part in rest if part.kind != b"XMP "
    ]
    body = b"".join([*chunks, _webp_chunk(b"XMP ", packet)])
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body + data[_riff_end(data) :]


def _riff_end(data: bytes) -> int:
    return int.from_bytes(data[4:8], "little") + 8


def _webp_head(data: bytes, first: Part) -> bytes:
    """The VP8X of a file without one."""
    from mjcli.media.formats import size_of

    size = size_of(data[:64])
    if first.kind not in (b"VP8 ", b"VP8L") or size is None:
        raise CannotCarry("is a WebP image of an unknown kind")
    has_alpha = first.kind == b"VP8L" and data[first.content + 4] & 0x10
    flags = _XMP_FLAG | (_ALPHA_FLAG if has_alpha else 0)
    width, height = size[0] - 1, size[1] - 1
    return struct.pack("<I", flags) + width.to_bytes(3, "little") + height.to_bytes(3, "little")


def _webp_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

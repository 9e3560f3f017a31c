"""Content codings of a body: at most one, unpacked in bounded pieces."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from mjcli.media.web import TransportError

PIECE = 64 * 1024  # bytes, the most that is unpacked at a time
MOST_OVERHEAD = 1024 * 1024  # bytes that may unpack to nothing; headers of gzip data have far fewer

_GZIP, _ZLIB, _RAW = 31, 15, -15  # window sizes of zlib, which select the format
_MAGIC = b"\x1f\x8b"


class TooManyCodings(Exception):
    """More than one content coding, which only a decompression bomb needs; completes "The file …"."""


class Unpacker:
    """Unpacks a body with these content codings. Raises `TooManyCodings`.

    A body that is not packed, whatever its headers say, passes unchanged, and so does an unknown coding.
    """

    def __init__(self, codings: Sequence[str]) -> None:
        if len(codings) > 1:
            raise TooManyCodings(f'has more than one content coding ("{", ".join(codings)}")')
        self._coding = {"x-gzip": "gzip"}.get(codings[0], codings[0]) if codings else ""
        self._decided = self._coding not in ("gzip", "deflate")
        self._start = b""
        self._window = 0
        self._inflate: zlib._Decompress | None = None
        self._received = self._unpacked = 0
        self.ended = False  # whether bytes came that do not belong to the compressed data, or none may follow

    def feed(self, raw: bytes) -> Iterator[bytes]:
        """The unpacked bytes, a piece at a time. Raises `TransportError` for damaged data."""
        if not self._decided:
            raw = self._start + raw
            if len(raw) < 2:
                self._start = raw
                return
            self._decide(raw)
        if self._inflate is None:
            yield raw
            return
        self._received += len(raw)
        try:
            for piece in self._unpack(self._inflate, raw):
                self._unpacked += len(piece)
                yield piece
        except zlib.error:
            raise TransportError("the compressed data is damaged") from None
        if self._received > 2 * self._unpacked + MOST_OVERHEAD:
            raise TransportError("the compressed data is mostly empty")

    @property
    def finished(self) -> bool:
        """Whether the compressed data has its end."""
        return self._inflate is None or self._inflate.eof

    def _decide(self, start: bytes) -> None:
        self._decided = True
        if self._coding == "gzip":
            self._window = _GZIP if start.startswith(_MAGIC) else 0
        elif start[:2] in (b"\x89P", b"\xff\xd8", b"RI", b"GI"):
            self._window = 0  # an image as it is
        else:
            has_header = start[0] & 15 == 8 and int.from_bytes(start[:2], "big") % 31 == 0
            self._window = _ZLIB if has_header else _RAW
        if self._window:
            self._inflate = zlib.decompressobj(self._window)

    def _unpack(self, inflate: zlib._Decompress, raw: bytes) -> Iterator[bytes]:
        while raw:
            if inflate.eof:
                if self._window != _GZIP or not raw.startswith(_MAGIC[: len(raw)]):
                    self.ended = True
                    return
                inflate = self._inflate = zlib.decompressobj(_GZIP)
            piece = inflate.decompress(raw, PIECE)
            if piece:
                yield piece
            raw = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        while not inflate.eof and (piece := inflate.decompress(b"", PIECE)):
            yield piece
        self.ended = inflate.eof and self._window != _GZIP  # more gzip data may follow

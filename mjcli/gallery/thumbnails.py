"""Thumbnails: WebP files in a cache, named after the SHA-256 digest of the picture, each made once."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mjcli.files import replacing
from mjcli.media.formats import is_video
from mjcli.media.pixel_worker import MAX_BYTES
from mjcli.media.pixels import Decoders, PictureError
from mjcli.media.place import sha256_of

SIZE = (1024, 512)  # pixels, at most; rows are up to 340 pixels high, on screens with more dots
QUALITY = 80
_NONE = ".none"  # the suffix of an empty file that stands for a picture that cannot be decoded


class Thumbnails:
    """The cache in a directory, which is created. Several threads and processes may use it at once."""

    def __init__(self, directory: Path, decoders: Decoders) -> None:
        self._directory, self._decoders = directory, decoders

    def of(self, picture: Path, digest: str | None) -> Path | None:
        """The thumbnail of a picture; None if there is none, because it is missing or cannot be decoded.

        `digest` is what the ledger knows; the file may have been changed since.
        """
        try:
            status = picture.stat()
            found = None if digest is None else self._cached(digest, since=status.st_mtime)
            if found is None and status.st_size <= MAX_BYTES:
                found = self._make(picture)
        except (OSError, ValueError):
            return None
        return found if found is not None and found.suffix != _NONE else None

    def _cached(self, digest: str, *, since: float) -> Path | None:
        """What the cache has for a digest, unless it is older than the picture."""
        for suffix in (".webp", _NONE):
            path = self._path(digest, suffix)
            with contextlib.suppress(OSError):
                if path.stat().st_mtime >= since:
                    return path
        return None

    def _path(self, digest: str, suffix: str) -> Path:
        if not (digest.isascii() and digest.isalnum()):
            raise ValueError("not a digest")
        return self._directory / digest[:2] / f"{digest}{suffix}"

    def _make(self, picture: Path) -> Path | None:
        """What the cache then has for a picture; None if it has no thumbnail and may have one later."""
        digest = None if is_video(picture) is not False else sha256_of(picture)
        if digest is None:
            return None
        found = self._cached(digest, since=0.0)
        if found is not None:
            os.utime(found)  # it is newer than the picture again
            return found
        try:
            with self._decoders.one() as decoder:
                data, suffix = decoder.thumbnail(picture, SIZE, QUALITY), ".webp"
        except PictureError as error:
            if not error.lasts:
                return None
            data, suffix = b"", _NONE
        return self._place(self._path(digest, suffix), data)

    def _place(self, path: Path, data: bytes) -> Path:
        """Write a file completely or not at all; another process may write the same one."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        return path

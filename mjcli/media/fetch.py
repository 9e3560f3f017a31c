"""One picture behind a link, in memory."""

from __future__ import annotations

import time

from mjcli.media.formats import HEAD, IMAGES, extension_of
from mjcli.media.web import GuardedGet, WebError

MAX_BYTES = 32 * 1024 * 1024


def fetch_image(web: GuardedGet, url: str, *, seconds: float, limit: int = MAX_BYTES) -> bytes:
    """The bytes of an image, whole as far as its declared length says. Raises `WebError`."""
    with web.open(url, deadline=time.monotonic() + seconds) as response:
        if not response.is_success:
            raise WebError(f"could not be fetched (HTTP {response.status_code})")
        if not response.headers.get("content-length", "0").isdecimal():
            raise WebError("has no valid length")
        data = bytearray()
        for piece in response.iter_raw():
            data += piece
            if len(data) > limit:
                raise WebError("leads to a file that is too large to show")
    if len(data) < int(response.headers.get("content-length", "0")):
        raise WebError("could not be fetched as a whole")
    if extension_of(bytes(data[:HEAD])) not in (*IMAGES, "avif"):
        raise WebError("leads to something that is not an image")
    return bytes(data)

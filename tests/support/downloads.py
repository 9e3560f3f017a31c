"""Downloads in-process: saving a link, and links with scripted faults."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mjcli.media.download import Downloader
from mjcli.media.names import Target, fields_of
from mjcli.media.place import Saved
from tests.support.images import png
from tests.support.service import Received, Reply, Script, Service

IMAGE = png(200_000)
FIELDS = fields_of(prompt="a cat", image_id="1", task_id="t", action="generate")
NAME = "a-cat_1.png"


def no_pause(_seconds: float) -> None:
    """Take the place of `sleep`."""


def get(fetch: Downloader, url: str, place: Path, **options: Any) -> Saved:
    """Save one link under the default name; raises its failure."""
    saved, failures = fetch.save_all([url], Target(place), FIELDS, **options)
    if failures:
        assert not saved
        raise failures[0]
    (file,) = saved
    return file


def digest(data: bytes) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def nothing_left(place: Path) -> bool:
    """Whether there is no file, not even a hidden one."""
    return not place.exists() or not list(place.iterdir())


def link(service: Service, name: str = "cat.png") -> str:
    return f"{service.base_url}/files/{name}"


def scripted(service: Service, *scripts: Script) -> str:
    """A link whose requests are answered by one script after the other; the last one repeats."""
    left = list(scripts)
    service.files["/files/cat.png"] = lambda request, reply: (left.pop(0) if len(left) > 1 else left[0])(
        request, reply
    )
    return link(service)


def ranged(request: Received, reply: Reply, *, etag: str = '"one"', data: bytes = IMAGE) -> None:
    """Answer like a server that honours Range and If-Range."""
    begin = 0
    if "range" in request.headers and request.headers.get("if-range") in (None, etag):
        begin = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
    if begin:
        reply.whole(
            data[begin:], 206, {"etag": etag, "content-range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
        )
    else:
        reply.whole(data, 200, {"etag": etag})


def cut_off(at: int, headers: dict[str, str] | None = None, data: bytes = IMAGE) -> Script:
    """Declare the length of the whole image and close after `at` bytes."""

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, headers, length=len(data))
        reply.send(data[:at])
        reply.close()

    return script

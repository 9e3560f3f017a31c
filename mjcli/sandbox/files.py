"""Files under their links: images, videos and uploads, whole or in part."""

from __future__ import annotations

import hashlib
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from . import links
from .drawing import draw, draw_unfinished
from .fields import RefusalError, bad
from .images import Image, sub_image
from .store import STEPS, Job, Store
from .videos import video

_UUID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_IMAGE = re.compile(rf"/attachments/\d+/\d+/(?:sandbox_\w+_{_UUID}|{_UUID}_grid_(\d))\.png", re.ASCII)
_SUB_IMAGE = re.compile(rf"/{_UUID}/0_([0-3])\.png")
# Real video links have these two slashes, and a client has to keep them.
_VIDEO = re.compile(rf"//video/{_UUID}/0_([0-3])\.mp4")
_UPLOAD = re.compile(rf"/files/{_UUID}/[\w.-]+", re.ASCII)
_CACHE_SIZE = 32 * 1024 * 1024  # bytes of drawn files in memory
UPLOAD_LIMIT = 25 * 1024 * 1024  # bytes per file
_CONTENT_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}


@dataclass(frozen=True)
class File:
    """A file to serve."""

    content_type: str
    content: bytes

    @property
    def etag(self) -> str:
        """A validator that changes with the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


class Files:
    """Finds, draws and accepts files."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, File] = OrderedDict()

    def find(self, path: str, query: str) -> File | None:
        """The file at `path`, or None. Raises `RefusalError` for a changed or expired link."""
        if match := _IMAGE.fullmatch(path):
            return self._image(path, query, match[1] or match[2], match[3])
        if match := _SUB_IMAGE.fullmatch(path):
            return self._sub_image(path, match[1], int(match[2]) + 1)
        if match := _VIDEO.fullmatch(path):
            job = self._finished(match[1])
            is_video = job is not None and job.kind == "videos"
            return File("video/mp4", video(match[1], int(match[2]))) if is_video else None
        if match := _UPLOAD.fullmatch(path):
            found = self._store.upload(match[1])
            return File(*found) if found else None
        return None

    def _sub_image(self, path: str, job_id: str, quadrant: int) -> File | None:
        job = self._finished(job_id)
        if job is None or not job.extra.get("split") or job.kind == "videos":
            return None
        image = sub_image(Image.load(job.image), quadrant)
        return self._cached(path, lambda: draw(image, image.raw_size))

    def _finished(self, job_id: str) -> Job | None:
        job = self._store.job("job_id", job_id)
        return job if job and job.image and not job.error and job.has_ended(time.time()) else None

    def _image(self, path: str, query: str, job_id: str, step: str | None) -> File | None:
        values = {name: found[0] for name, found in parse_qs(query).items()}
        expires, issued = values.get("ex", ""), values.get("is", "")
        if values.get("hm") != links.signature(path, expires, issued):
            raise RefusalError(403, "forbidden", "sandbox: the query of this link has been changed")
        if int(expires, 16) < time.time():
            raise RefusalError(403, "forbidden", "sandbox: this link has expired")
        small = "width" in values
        if step is None:
            return self._finished_image(path, job_id, small=small)
        return self._unfinished_image(path, job_id, int(step), small=small)

    def _finished_image(self, path: str, job_id: str, *, small: bool) -> File | None:
        job = self._finished(job_id)
        if job is None or path != links.image_path(job):
            return None
        image = Image.load(job.image)
        size = image.thumbnail_size if small or job.kind == "videos" else image.raw_size
        return self._cached(f"{path} {size}", lambda: draw(image, size))

    def _unfinished_image(self, path: str, job_id: str, step: int, *, small: bool) -> File | None:
        job = self._store.job("job_id", job_id)
        # The image of a running job disappears when the job ends.
        if job is None or job.has_ended(time.time()) or not job.image or step >= len(STEPS):
            return None
        if path != links.image_path(job, step):
            return None
        image = Image.load(job.image)
        return File("image/png", draw_unfinished(image, image.unfinished_sizes[small], STEPS[step]))

    def _cached(self, key: str, make: Callable[[], bytes]) -> File:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        file = File("image/png", make())
        with self._lock:
            self._cache[key] = file
            while (
                len(self._cache) > 1 and sum(len(each.content) for each in self._cache.values()) > _CACHE_SIZE
            ):
                self._cache.popitem(last=False)
        return file

    def upload(self, content_type: str, body: bytes) -> str:
        """Store the image in the part `file` of a multipart body; returns its path."""
        boundary = re.search(r'boundary="?([^";]+)"?', content_type, re.IGNORECASE)
        if not content_type.lower().startswith("multipart/form-data") or boundary is None:
            raise bad("the body must be multipart/form-data with a part named file")
        for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode("latin-1", "replace"))[1:]:
            head, separator, content = part.partition(b"\r\n\r\n")
            headers = head.decode("utf-8", "replace")
            if not separator or not re.search(r'[;\s]name="?file"?(?:[;\r\s]|$)', headers, re.IGNORECASE):
                continue
            name = re.search(r'filename="([^"\r\n]*)"', headers)
            if len(content) > UPLOAD_LIMIT:
                raise RefusalError(413, "bad_request", f"the file is larger than {UPLOAD_LIMIT} bytes")
            extension = _image_extension(content)
            if extension is None:
                raise bad("the file is not a PNG, JPEG, WebP or GIF image")
            stem = (name[1] if name else "file").rpartition(".")[0] or "file"
            upload_id = str(uuid.uuid4())
            self._store.add_upload(upload_id, _CONTENT_TYPES[extension], content)
            return f"/files/{upload_id}/{links.slug(stem)}.{extension}"
        raise bad("the body has no part named file")


def _image_extension(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    return "gif" if content.startswith((b"GIF87a", b"GIF89a")) else None


def byte_range(header: str, length: int) -> tuple[int, int] | None:
    """First and last byte of a `Range` header; None if it must be ignored.

    Raises `ValueError` if a file of `length` bytes has no byte in the range.
    """
    match = re.fullmatch(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", header, re.ASCII | re.IGNORECASE)
    if match is None or not (match[1] or match[2]) or max(len(match[1]), len(match[2])) > 18:
        return None
    if not match[1]:
        first, last = max(length - int(match[2]), 0), length - 1
        if int(match[2]) == 0 or length == 0:
            raise ValueError(header)
        return first, last
    first, last = int(match[1]), int(match[2] or length - 1)
    if match[2] and first > last:
        return None
    if first >= length:
        raise ValueError(header)
    return first, min(last, length - 1)

"""What the page knows of each job: plain data, made from a row of the ledger and the files on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mjcli.api.models import Result
from mjcli.jobs.job import Job, digests_of
from mjcli.jobs.tags import Marks
from mjcli.media.formats import IMAGES, extension_of, size_of

_HEAD = 64 * 1024  # bytes, enough to find the size of an image
_LONGEST = 300  # characters of a value; a mask is a picture in Base64
# Fields of a request that are shown elsewhere.
_SHOWN_ELSEWHERE = ("prompt", "action", "image_id", "video_id")

Entry = dict[str, Any]
Lines = Sequence[tuple[str, str]]


class Media(NamedTuple):
    """A picture or video on this machine. `kind` is the extension of its format, `digest` what the ledger knows."""

    path: Path
    kind: str
    width: int
    height: int
    digest: str | None
    version: str
    """Changes when the file does."""

    @property
    def is_video(self) -> bool:
        """Whether it is a video, which has no thumbnail."""
        return self.kind == "mp4"


class Extras(NamedTuple):
    """What the interface adds to a job: commands to copy (label, line), and its cost as a sentence."""

    commands: Lines = ()
    cost: str = ""


class Addresses(NamedTuple):
    """Where the page finds a file and its thumbnail, relative to itself; None if there is none."""

    source: str
    thumbnail: str | None


def media_of(job: Job) -> list[Media]:
    """The files of a job that are here and that a browser can show."""
    found = (media_at(Path(path), digest) for path, digest in digests_of(job).items())
    return [each for each in found if each is not None]


def can_be_saved(job: Job) -> bool:
    """Whether a job has made files, which can be downloaded."""
    return job.state == "done" and job.makes != "text"


def media_at(path: Path, digest: str | None = None) -> Media | None:
    """A file that a browser can show; None for any other, and for one that is not there."""
    try:
        if not path.is_file():
            return None
        status = path.stat()
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return None
    kind = extension_of(head)
    version = f"{status.st_mtime_ns:x}-{status.st_size:x}"
    if kind == "mp4":
        return Media(path, kind, 16, 9, digest, version)
    size = size_of(head)
    if kind is None or size is None or (kind not in IMAGES and kind != "avif"):
        return None
    return Media(path, kind, *size, digest, version)


class Lineage:
    """Which job made the pictures that another one starts from."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._by_image: dict[str, int] = {}
        self._by_digest: dict[str, int] = {}
        self._by_link: dict[str, int] = {}
        for job in jobs:
            self.add(job)

    def add(self, job: Job) -> None:
        """Remember what a job made."""
        if job.image_id and job.makes != "text":
            self._by_image[job.image_id] = job.number
        for digest in digests_of(job).values():
            if digest:
                self._by_digest.setdefault(digest, job.number)
        result = Result(job.result or {})
        for link in (result.image_link, *result.links):
            if link:
                self._by_link.setdefault(_place(link), job.number)

    def parents(self, job: Job) -> list[int]:
        """The numbers of the jobs whose pictures a job starts from; the first is the one that it was applied to."""
        found = [
            self._by_image.get(job.parent or ""),
            self._by_digest.get(job.source_sha256 or ""),
            *(self._by_link.get(_place(each)) for each in _links(job)),
        ]
        return list(dict.fromkeys(each for each in found if each is not None and each != job.number))


def _links(job: Job) -> list[str]:
    """The links of images that a request contains."""
    fields = [job.request.get(name) for name in ("image_url", "end_image_url")]
    words = [each.strip("<>") for each in job.prompt.split()]
    return [
        each for each in (*fields, *words) if isinstance(each, str) and each.startswith(("http:", "https:"))
    ]


def _place(link: str) -> str:
    """A link without its signature, which changes."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return link
    return f"{parts.netloc}{parts.path}"


def entry_of(
    job: Job,
    marks: Marks,
    parents: Sequence[int],
    extras: Extras,
    media: Sequence[tuple[Media, Addresses]],
    *,
    private: bool,
) -> Entry:
    """A job as the page gets it. With `private`, also what concerns the owner alone: account, paths, cost, key."""
    result = Result(job.result or {})
    error = job.error or {}
    return {
        "n": job.number,
        "state": job.state,
        "makes": job.makes,
        "action": job.action,
        "words": job.words,
        "profile": job.profile if private else "",
        "created": job.created_at,
        "tags": list(marks.tags),
        "star": marks.starred,
        "image": job.image_id or "",
        "task": job.task_id or "",
        "id": job.uuid if private else "",
        "parents": list(parents),
        "media": [_shown(each, place) for each, place in media],
        "size": list(result.dimensions or ()),
        "texts": result.texts if job.state == "done" else [],
        "error": _error(error) if job.state in ("failed", "unknown") else "",
        "actions": result.actions if private and job.has_image else [],
        "facts": _facts(job, result, len(media), extras, private=private),
        "commands": [[label, line] for label, line in extras.commands if line],
    }


def _shown(media: Media, place: Addresses) -> Entry:
    return {
        "video": media.is_video,
        "src": place.source,
        "thumb": place.thumbnail,
        "w": media.width,
        "h": media.height,
    }


def _error(error: Mapping[str, Any]) -> str:
    return ": ".join(str(error[name]) for name in ("code", "message") if error.get(name))


def _facts(job: Job, result: Result, files: int, extras: Extras, *, private: bool) -> list[list[object]]:
    """What the light box lists: a name and a text, or a time in Unix seconds."""
    ended = job.ended_at if job.ended_at is not None and job.sent_at is not None else None
    took = (
        f"{ended - (job.sent_at or 0.0):.0f} s" if ended is not None and ended >= (job.sent_at or 0.0) else ""
    )
    fields = {name: value for name, value in job.request.items() if name not in _SHOWN_ELSEWHERE}
    facts: list[tuple[str, object]] = [
        ("created", job.created_at),
        ("sent", job.sent_at),
        ("accepted", job.accepted_at),
        ("ended", job.ended_at),
        ("took", took),
        ("size", "{} × {}".format(*result.dimensions) if result.dimensions else ""),
        *(
            (name.replace("_", " "), _text(value))
            for name, value in fields.items()
            if private or _is_plain(value)
        ),
        ("task", job.task_id),
        ("image", job.image_id),
        ("from image", job.parent),
    ]
    if private:
        facts += [
            ("job", job.uuid),
            ("profile", job.profile),
            ("host", job.host),
            ("key", job.key),
            ("batch", job.batch),
            ("cost", extras.cost),
            *(("file", path) for path in job.files),
        ]
        missing = len(job.files) - files
        facts.append(("missing", f"{missing} of {len(job.files)} files" if missing > 0 else ""))
    return [[name, value] for name, value in facts if value not in (None, "")]


def _is_plain(value: object) -> bool:
    """Whether a field of a request may be published: no link, which may be signed or a callback."""
    return not isinstance(value, (dict, list)) and "://" not in str(value)


def _text(value: object) -> str:
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

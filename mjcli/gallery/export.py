"""Write the page into a directory, for a web server or to be opened as it is: nothing in it is private."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mjcli.errors import OutputError, UsageError, reason_of
from mjcli.files import replacing
from mjcli.gallery.entries import (
    Addresses,
    Entry,
    Extras,
    Lineage,
    Media,
    can_be_saved,
    entry_of,
    media_of,
)
from mjcli.gallery.page import STATIC, Page, html, static
from mjcli.gallery.thumbnails import Thumbnails
from mjcli.jobs.job import Job
from mjcli.jobs.tags import NO_MARKS, Marks
from mjcli.media.place import sha256_of

_OURS = '<meta name="generator" content="mj gallery">'
_NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{2,4}")  # of a picture or thumbnail that this module wrote


class Exported(NamedTuple):
    """What was written. `without` counts the pictures that have no thumbnail.

    `unsaved` are the jobs whose files are not on this machine, and can be downloaded.
    """

    page: Path
    pictures: int
    without: int
    unsaved: list[Job]


def check_directory(directory: Path, *, force: bool) -> None:
    """Refuse a directory with a page of something else. Raises `UsageError`."""
    index = directory / "index.html"
    try:
        if not os.path.lexists(index) or force:
            return
        if index.is_file() and _OURS in index.read_text("utf-8", "replace")[:4096]:
            return
    except OSError as error:
        raise UsageError(f'"{index}" cannot be read: {reason_of(error)}.') from error
    raise UsageError(f'"{index}" exists and is not a page of mj gallery.', hint="--force replaces it")


def export(
    directory: Path,
    jobs: Sequence[Job],
    marks: Mapping[int, Marks],
    extras: Callable[[Job], Extras],
    thumbnails: Thumbnails,
    *,
    title: str,
    more: int = 0,
    originals: bool = True,
) -> Exported:
    """Write the page with these jobs, their thumbnails and, unless not `originals`, their files.

    Raises `UsageError` if the directory cannot be used, and `OutputError` if writing fails.
    """
    _make_directories(directory)
    media = {job.number: media_of(job) for job in jobs}
    every = [each for found in media.values() for each in found]
    try:
        places = _write_media(directory, every, thumbnails, originals=originals)
        lineage = Lineage(jobs)
        entries: list[Entry] = [
            entry_of(
                job,
                marks.get(job.number, NO_MARKS),
                lineage.parents(job),
                extras(job),
                [(each, places[each]) for each in media[job.number] if each in places],
                private=False,
            )
            for job in jobs
        ]
        for name in STATIC:
            _write(directory / name, static(name))
        index = directory / "index.html"
        _write(index, html(Page(title, entries, more=more)))
        used = {name for place in places.values() for name in place if name}
        _remove_unused(directory, used)
    except OSError as error:
        raise OutputError(f'The gallery cannot be written to "{directory}": {reason_of(error)}.') from error
    without = sum(
        1 for each in every if not each.is_video and (each not in places or not places[each].thumbnail)
    )
    unsaved = [job for job in jobs if not media[job.number] and can_be_saved(job)]
    return Exported(index, sum(1 for entry in entries if entry["media"]), without, unsaved)


def _make_directories(directory: Path) -> None:
    try:
        for name in ("thumbs", "images"):
            (directory / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f'The directory "{directory}" cannot be written: {reason_of(error)}; choose another --output.'
        ) from error


def _write_media(
    directory: Path, media: Iterable[Media], thumbnails: Thumbnails, *, originals: bool
) -> dict[Media, Addresses]:
    """Write thumbnails and files, named after their digests; return where each one is."""
    from concurrent.futures import ThreadPoolExecutor

    def write(each: Media) -> Addresses | None:
        made = None if each.is_video else thumbnails.of(each.path, each.digest)
        digest = made.stem if made is not None else sha256_of(each.path)
        if digest is None:
            return None  # removed meanwhile
        thumbnail = f"thumbs/{digest}.webp" if made is not None else None
        if made is not None and thumbnail is not None:
            _copy(made, directory / thumbnail)
        if not originals and thumbnail is not None:
            return Addresses(thumbnail, thumbnail)
        source = f"images/{digest}.{each.kind}"
        _copy(each.path, directory / source)
        return Addresses(source, thumbnail)

    distinct = list(dict.fromkeys(media))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(write, distinct)
        return {each: place for each, place in zip(distinct, found, strict=True) if place is not None}


def _copy(source: Path, target: Path) -> None:
    """Copy a file, unless it is there: its name is that of its content."""
    with contextlib.suppress(OSError):
        if target.stat().st_size == source.stat().st_size:
            return
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _remove_unused(directory: Path, used: set[str]) -> None:
    """Remove pictures of an earlier page: a job that was deleted must not stay on a web server."""
    for name in ("thumbs", "images"):
        for path in (directory / name).iterdir():
            if _NAME.fullmatch(path.name) and f"{name}/{path.name}" not in used:
                path.unlink(missing_ok=True)

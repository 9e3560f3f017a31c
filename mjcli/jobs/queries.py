"""What the ledger is asked: jobs by id, reference, file or picture, always newest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, Literal, NamedTuple

from mjcli.api.endpoints import ENDPOINTS
from mjcli.api.ndjson import parse_json
from mjcli.errors import ApiError
from mjcli.jobs.database import in_batches
from mjcli.jobs.job import Job
from mjcli.jobs.names import UNFINISHED, VIDEO_KINDS
from mjcli.jobs.rows import NEWEST_FIRST, OLDER, position_of

#: What a reference is to be: an image, a video, the files of either, a task, or what has a description.
Need = Literal["image", "video", "files", "task", "description"]

TO_RESUME = f"(state IN {UNFINISHED} OR state = 'done' AND files_due > 0)"
_FIRST_PAGE, _PAGE = 8, 200  # rows that are read at a time: first, then
_LAST = "\U0010ffff"  # sorts after every other character
_MOST_PARENTS = 1000  # of an image, in case the ledger is odd

_TEXT = f"kind IN {tuple(each.name for each in ENDPOINTS.values() if each.result == 'text')}"
_VIDEO = f"(kind IN {VIDEO_KINDS} OR path = '{ENDPOINTS['videos'].path}')"
_ENDS_WITH_ID = f"(state IN {UNFINISHED} OR state = 'done' AND image_id IS NOT NULL)"
# The jobs that fit a need, or may fit it once they are done.
_FITS: dict[Need, str] = {
    "image": f"NOT {_TEXT} AND NOT {_VIDEO} AND {_ENDS_WITH_ID}",
    "video": f"{_VIDEO} AND {_ENDS_WITH_ID}",
    "files": f"NOT {_TEXT} AND state <> 'failed'",
    "description": f"(kind = 'describe' AND state <> 'failed' OR NOT {_TEXT} AND NOT {_VIDEO} AND {_ENDS_WITH_ID})",
    "task": f"(task_id IS NOT NULL OR state IN {UNFINISHED} AND sent_at IS NOT NULL)",
}


class ItemRow(NamedTuple):
    """What a batch needs to know of one of its jobs before it is looked at: columns of its row, unchecked."""

    item: str
    uuid: str
    state: str
    profile: str
    sent_at: float | None
    accepted_at: float | None
    ended_at: float | None
    task_id: str | None
    error: str | None
    files: str
    files_due: int
    estimate: float | None
    charged: float | None
    key_fingerprint: str | None

    @property
    def unsent(self) -> bool:
        """Whether no byte of the request was sent."""
        return self.state == "submitting" and self.sent_at is None

    @property
    def cost(self) -> float:
        """What it was charged, else what it is expected to cost, in USD; a failed job costs nothing."""
        if self.charged is not None:
            return self.charged
        return (self.estimate or 0.0) if self.state != "failed" else 0.0

    @property
    def failure(self) -> ApiError:
        """The error of a failed job."""
        return error_of(object_of(self.error))


def error_of(fields: Mapping[str, Any]) -> ApiError:
    """The error of a failed job from its code and message."""
    code, message = str(fields.get("code") or "unknown"), str(fields.get("message") or "The job failed.")
    return ApiError(message, code=code, accepted=True)


class Queries:
    """The queries of a ledger, which reads the rows. Methods raise `ConfigError` if the file cannot be used."""

    def get(self, uuid: str) -> Job | None:
        """Return the job with this uuid."""
        return self._one("WHERE uuid = ?", (uuid,))

    # -- lists -------------------------------------------------------------------------------------

    def newest_first(self, profile: str, condition: str = "1") -> Iterator[Job]:
        """Yield every job of a profile that meets a condition in SQL; the first of all is `@1`."""
        below: tuple[float, float, int] = (float(2**63), 0.0, 0)
        size = _FIRST_PAGE
        while True:
            page = self._rows(
                f"WHERE profile = ? AND {OLDER} AND {condition} ORDER BY {NEWEST_FIRST} LIMIT ?",
                (profile, below[0], *below, size),
            )
            yield from self._jobs(page)
            if len(page) < size:
                return
            below, size = position_of(page[-1]), _PAGE

    def unfinished(self, profile: str) -> list[Job]:
        """Return the jobs of a profile that can be resumed, oldest first."""
        return self._all(f"WHERE profile = ? AND {TO_RESUME} ORDER BY number", (profile,))

    def unfinished_by_profile(self, *, exclude: str) -> dict[str, int]:
        """Return the number of unfinished jobs of each profile except one."""
        rows = self._query(
            f"SELECT profile, COUNT(*) FROM jobs WHERE profile <> ? AND {TO_RESUME} GROUP BY profile",  # noqa: S608
            (exclude,),
        )
        return {name: count for name, count in rows if isinstance(name, str)}

    def count(self, profile: str) -> int:
        """Return how many jobs a profile has."""
        ((count,),) = self._query("SELECT COUNT(*) FROM jobs WHERE profile = ?", (profile,))
        return int(count)

    # -- all profiles ------------------------------------------------------------------------------

    def profiles(self) -> list[str]:
        """Return the names of the profiles that have jobs."""
        rows = self._query("SELECT DISTINCT profile FROM jobs ORDER BY profile", ())
        return [name for (name,) in rows if isinstance(name, str)]

    def numbered(self, numbers: Iterable[int]) -> list[Job]:
        """Return the jobs with these numbers."""
        found: list[Job] = []
        for part in in_batches(map(str, numbers)):
            marks = ",".join("?" * len(part))
            found += self._all(f"WHERE number IN ({marks})", tuple(map(int, part)))
        return found

    def changes(self, lowest: int) -> dict[int, float]:
        """Return when each job from this number on was changed, by its number."""
        return dict(self._query("SELECT number, changed_at FROM jobs WHERE number >= ?", (lowest,)))

    def data_version(self) -> int:
        """Return a number that changes when another process changes the ledger."""
        ((version,),) = self._query("PRAGMA data_version", ())
        return int(version)

    # -- references --------------------------------------------------------------------------------

    def nth_newest(self, profile: str, n: int) -> Job | None:
        """Return the nth newest job (1: the newest) of a profile."""
        return next(islice(self.newest_first(profile), n - 1, None), None)

    def newest_fitting(self, profile: str, need: Need) -> Job | None:
        """Return the newest job of a profile that is what is needed, or may be when it is done."""
        return next(self.newest_first(profile, _FITS[need]), None)

    def newest_with_image(self, profile: str) -> int | None:
        """Return the position (1: the newest) of a profile's newest job with an image, or None."""
        found = (job for job in self.newest_first(profile, _FITS["image"]) if job.has_image)
        job = next(found, None)
        return self.position(job) if job is not None else None

    def position(self, job: Job) -> int:
        """Return the number N by which `@N` means this job: rows that are damaged do not count."""
        newer = takewhile(lambda each: each.number != job.number, self.newest_first(job.profile))
        return 1 + sum(1 for _ in newer)

    def with_id_prefix(self, profile: str, prefix: str, *, limit: int) -> list[Job]:
        """Return the jobs of a profile whose task, image or uuid starts with `prefix`, newest first.

        An exact match is returned alone.
        """
        exact = self._all(
            f"WHERE number IN ({_by_id('= ?1')}) AND profile = ?2 ORDER BY number DESC LIMIT 1",
            (prefix, profile),
        )
        if exact:
            return exact
        return self._all(
            f"WHERE number IN ({_by_id('BETWEEN ?1 AND ?2')}) AND profile = ?3 ORDER BY number DESC LIMIT ?4",
            (prefix, f"{prefix}{_LAST}", profile, limit),
        )

    # -- by what they made or came from ------------------------------------------------------------

    def by_task(self, host: str, task_id: str) -> Job | None:
        """Return the job that has this task."""
        return self._one("WHERE host = ? AND task_id = ? ORDER BY number DESC", (host, task_id))

    def by_image(self, profile: str, image_id: str) -> Job | None:
        """Return the newest job of a profile that made this image."""
        return self._one("WHERE profile = ? AND image_id = ? ORDER BY number DESC", (profile, image_id))

    def by_intermediate(self, profile: str, image_id: str) -> Job | None:
        """Return the job of a profile that showed this image while it ran; a prefix is enough if it is unique."""
        numbers = self._query(
            "SELECT DISTINCT job FROM intermediates WHERE image_id >= ? AND image_id < ? LIMIT 2",
            (image_id, f"{image_id}{_LAST}"),
        )
        return self._numbered(profile, [number for (number,) in numbers]) if len(numbers) == 1 else None

    def by_file(self, profile: str, path: str, sha256: str) -> Job | None:
        """Return the newest job of a profile that saved a file with this digest.

        A file at the same `path` counts if the digest of what was saved there is not known.
        """
        numbers = self._query(
            "SELECT job FROM saved_files WHERE sha256 = ? UNION"
            " SELECT job FROM saved_files WHERE path = ? AND sha256 IS NULL",
            (sha256, path),
        )
        return self._numbered(profile, [number for (number,) in numbers])

    def has_saved(self, profile: str, path: str) -> bool:
        """Return whether a job of a profile saved a file at this path, whatever the file contains now."""
        numbers = self._query("SELECT job FROM saved_files WHERE path = ?", (path,))
        return self._numbered(profile, [number for (number,) in numbers]) is not None

    def descriptions(self, profile: str, host: str) -> Iterator[Job]:
        """Yield the descriptions of images that a profile got from a host, newest first."""
        for job in self.newest_first(profile, "kind = 'describe' AND state = 'done'"):
            if job.host == host:
                yield job

    def with_words(self, job: Job) -> Job:
        """A job with the words that its image is about: an action has those of the image it was applied to."""
        image, seen = job.parent, {job.number}
        if job.words or image is None or job.makes == "text":
            return job
        for _ in range(_MOST_PARENTS):
            # Without the words of that row: its parents are looked up here.
            rows = self._query(
                "SELECT number, subject, request, parent_image FROM jobs WHERE image_id = ?"
                " ORDER BY profile = ? DESC, number DESC LIMIT 1",
                (image, job.profile),
            )
            if not rows or rows[0][0] in seen:
                break
            seen.add(rows[0][0])
            parent = job._replace(subject=_text(rows[0][1]), request=object_of(rows[0][2]))
            parent = parent._replace(parent_image=_text(rows[0][3]) or None)
            if parent.words:
                return job._replace(subject=parent.words)
            image = parent.parent
            if image is None:
                break
        return job

    def parents(self, profile: str, image: str | None) -> Iterator[tuple[str, Job | None]]:
        """Yield an image and those that it came from, nearest first, each with the job that made it, if known."""
        seen: set[str] = set()
        for _ in range(_MOST_PARENTS):
            job = self.by_image(profile, image) if image else None
            if not image or (job is not None and job.uuid in seen):
                return
            yield image, job
            if job is None:
                return
            seen.add(job.uuid)
            image = job.parent_image

    def seed_of(self, profile: str, image: str) -> str | None:
        """Return the seed of an image, if a job asked for it. Every row is read."""
        rows = self._query(
            "SELECT result FROM jobs WHERE kind = 'seed' AND profile = ? AND parent_image = ? AND state = 'done'"
            " ORDER BY number DESC LIMIT 1",
            (profile, image),
        )
        seed = object_of(rows[0][0]).get("seed") if rows else None
        return str(seed) if isinstance(seed, (str, int)) else None

    # -- batches -----------------------------------------------------------------------------------

    def by_item(self, batch: str, item: str, *, sandbox: bool) -> Job | None:
        """Return the job that is an item of a batch; the sandbox has batches of its own."""
        return self._one("WHERE batch = ? AND item = ? AND (host = 'sandbox') = ?", (batch, item, sandbox))

    def items_of(self, batch: str, *, sandbox: bool) -> dict[str, ItemRow]:
        """Return what is known of each item of a batch."""
        columns = ", ".join(ItemRow._fields)
        rows = self._query(
            f"SELECT {columns} FROM jobs WHERE batch = ? AND item IS NOT NULL AND (host = 'sandbox') = ?",  # noqa: S608
            (batch, sandbox),
        )
        return {row.item: row for row in (ItemRow(*each) for each in rows)}

    def subjects_outside(self, batch: str, subjects: Collection[str]) -> set[str]:
        """Return those of these words of prompts that jobs outside of a batch have; failed jobs do not count."""
        found: set[str] = set()
        for some in in_batches(subjects):
            marks = ",".join("?" * len(some))
            rows = self._query(
                f"SELECT DISTINCT subject FROM jobs WHERE subject IN ({marks})"  # noqa: S608
                " AND batch IS NOT ? AND state <> 'failed'",
                (*some, batch),
            )
            found.update(subject for (subject,) in rows)
        return found

    # -- by state ----------------------------------------------------------------------------------

    def known_tasks(self, host: str, task_ids: Iterable[str], *, imported: bool = True) -> set[str]:
        """Return those of the tasks that are in the ledger; without `imported`, those of its own jobs."""
        own = "" if imported else " AND listed_after IS NULL"
        known: set[str] = set()
        for ids in in_batches(task_ids):
            marks = ",".join("?" * len(ids))
            statement = f"SELECT task_id FROM jobs WHERE host = ? AND task_id IN ({marks}){own}"  # noqa: S608
            known.update(task_id for (task_id,) in self._query(statement, (host, *ids)))
        return known

    def _numbered(self, profile: str, numbers: Sequence[int]) -> Job | None:
        """The newest of the jobs with these numbers that belongs to a profile."""
        for number in sorted(numbers, reverse=True):
            job = self._one("WHERE number = ? AND profile = ?", (number, profile))
            if job is not None:
                return job
        return None

    # -- what a ledger provides --------------------------------------------------------------------

    def _query(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def _rows(self, where: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def _jobs(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Job]:
        raise NotImplementedError

    def _all(self, where: str, values: tuple[object, ...]) -> list[Job]:
        return list(self._jobs(self._rows(where, values)))

    def _one(self, where: str, values: tuple[object, ...]) -> Job | None:
        return next(self._jobs(self._rows(where, values)), None)


def _by_id(comparison: str) -> str:
    """SQL that selects the numbers of the jobs one of whose ids compares like this, by an index for each."""
    columns = ("task_id", "image_id", "uuid")
    return " UNION ALL ".join(f"SELECT number FROM jobs WHERE {each} {comparison}" for each in columns)  # noqa: S608


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def object_of(value: object) -> dict[str, Any]:
    """An object in JSON; empty if it is damaged."""
    try:
        found = parse_json(_text(value), lenient=True)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

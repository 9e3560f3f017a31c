"""The marks that people give to jobs: tags, and a star."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from mjcli.jobs.job import Job

_Values = tuple[object, ...]

LONGEST_TAG = 50  # characters
STAR = "*"  # the star among the tags; no tag can have this name
_FIRST = "-@#"  # characters of options, references and comments
_NOWHERE = "*,\"'`<>\\"


class Marks(NamedTuple):
    """The marks of a job; the tags are sorted."""

    tags: tuple[str, ...] = ()
    starred: bool = False


NO_MARKS = Marks()


def tag_of(text: str) -> str:
    """A tag as it is stored: letter case does not matter. Raises `ValueError`, which says what is wrong."""
    tag = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    if not tag:
        raise ValueError("is empty")
    if len(tag) > LONGEST_TAG:
        raise ValueError(f"is longer than {LONGEST_TAG} characters")
    if any(each.isspace() for each in tag):
        raise ValueError("contains a space" if " " in tag else "contains white space")
    if tag[0] in _FIRST:
        raise ValueError(f'begins with "{tag[0]}"')
    wrong = next((each for each in tag if each in _NOWHERE or not each.isprintable()), None)
    if wrong is not None:
        quote = "'" if wrong == '"' else '"'
        raise ValueError(
            f"contains {quote}{wrong}{quote}" if wrong.isprintable() else "contains a control character"
        )
    return tag


class Tags:
    """The tags and stars in a ledger. Methods raise `ConfigError` if the ledger cannot be used.

    A tag is given as `tag_of` returns it, or as `STAR`. The marks of a job are deleted with it.
    """

    def __init__(
        self,
        query: Callable[[str, _Values], list[tuple[Any, ...]]],
        execute: Callable[[str, _Values], Any],
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._query, self._execute, self._transaction = query, execute, transaction

    def add(self, tag: str, jobs: Iterable[Job]) -> None:
        """Give a mark to all of these jobs, or to none if that fails."""
        with self._transaction():
            for job in jobs:
                self._execute(
                    "INSERT OR IGNORE INTO tags (tag, job) SELECT ?, number FROM jobs WHERE uuid = ?",
                    (tag, job.uuid),
                )

    def remove(self, tag: str, jobs: Iterable[Job]) -> set[str]:
        """Take a mark from these jobs; return the uuids of those that had it."""
        had = set()
        with self._transaction():
            for job in jobs:
                statement = (
                    "DELETE FROM tags WHERE tag = ? AND job = (SELECT number FROM jobs WHERE uuid = ?)"
                )
                if self._execute(statement, (tag, job.uuid)).rowcount:
                    had.add(job.uuid)
        return had

    def of(self, job: Job) -> Marks:
        """Return the marks of one job."""
        return _marks(tag for (tag,) in self._query("SELECT tag FROM tags WHERE job = ?", (job.number,)))

    def by_job(self) -> dict[int, Marks]:
        """Return the marks of every job that has one, by the number of its row."""
        found: dict[int, list[str]] = {}
        for number, tag in self._query("SELECT job, tag FROM tags", ()):
            found.setdefault(number, []).append(tag)
        return {number: _marks(tags) for number, tags in found.items()}

    def jobs(self, tag: str) -> set[int]:
        """Return the row numbers of the jobs of all profiles that have this mark."""
        return {number for (number,) in self._query("SELECT job FROM tags WHERE tag = ?", (tag,))}

    def counts(self, profile: str) -> dict[str, int]:
        """Return how many jobs of a profile have each mark."""
        rows = self._query(
            "SELECT tag, COUNT(*) FROM tags JOIN jobs ON number = job WHERE profile = ? GROUP BY tag ORDER BY tag",
            (profile,),
        )
        return {tag: count for tag, count in rows if isinstance(tag, str)}

    def copy(self, number: int, uuid: str) -> None:
        """Give the marks of the job with this row number to another one, too."""
        self._execute(
            "INSERT OR IGNORE INTO tags (tag, job)"
            " SELECT tag, jobs.number FROM tags, jobs WHERE tags.job = ? AND jobs.uuid = ?",
            (number, uuid),
        )


def _marks(tags: Iterable[object]) -> Marks:
    found = {tag for tag in tags if isinstance(tag, str)}
    return Marks(tuple(sorted(found - {STAR})), STAR in found)

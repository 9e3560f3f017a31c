"""The jobs that the page shows, as they are in the ledger now, and what changed since."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.gallery.entries import Addresses, Entry, Extras, Lineage, Media, entry_of, media_of
from mjcli.jobs.tags import NO_MARKS, Marks

if TYPE_CHECKING:
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger


class Which(NamedTuple):
    """Which jobs are shown: the newest `limit` of these profiles, or those with these row numbers."""

    profiles: Collection[str]
    limit: int
    numbers: Collection[int] | None = None


class Changes(NamedTuple):
    """The entries that changed after a version, those of deleted jobs reduced to `{"n": …, "gone": true}`."""

    version: int
    entries: list[Entry]


class Shown:
    """The jobs shown and their entries, for a page that is served. Methods may be called from several threads.

    `extras` adds to a job what the interface knows.
    """

    def __init__(self, ledger: Ledger, which: Which, extras: Callable[[Job], Extras]) -> None:
        self._ledger, self._which, self._extras = ledger, which, extras
        self._changed = threading.Condition()
        self._lineage = Lineage()
        self._jobs: dict[int, Job] = {}
        self._marks: dict[int, Marks] = {}
        self._moments: dict[int, float] = {}
        self._entries: dict[int | str, tuple[int, Entry]] = {}
        self._version = 0
        self._data_version: int | None = None
        self._lowest = 0

    def job(self, number: int) -> Job | None:
        """A job that is shown."""
        with self._changed:
            return self._jobs.get(number)

    def jobs(self) -> list[Job]:
        """Every job that is shown, newest first."""
        with self._changed:
            return sorted(self._jobs.values(), key=lambda job: (job.created_at, job.number), reverse=True)

    def all(self) -> Changes:
        """Every entry, newest first."""
        with self._changed:
            return Changes(self._version, [self._entries[job.number][1] for job in self.jobs()])

    def refresh(self) -> bool:
        """Read what changed in the ledger; return whether anything did. Raises `ConfigError`."""
        with self._changed:
            version = self._ledger.data_version()
            if version == self._data_version:
                return False
            first, self._data_version = self._data_version is None, version
            before = self._version
            if first:
                self._read_all()
            else:
                self._read_changes()
            if self._version != before:
                self._changed.notify_all()
            return self._version != before

    def forget(self) -> None:
        """Make the next `refresh` read again: this process itself has changed the ledger."""
        with self._changed:
            if self._data_version is not None:
                self._data_version = -1

    def note(self, number: int, more: dict[str, Any]) -> None:
        """Add to the entry of a job what the ledger does not know, such as its progress."""
        with self._changed:
            if number in self._jobs and number in self._entries:
                self._put(number, {**self._entries[number][1], **more})
                self._changed.notify_all()

    def publish(self, name: str, entry: Entry) -> None:
        """Tell the page something that concerns no job of the ledger; it replaces the last one of this name."""
        with self._changed:
            self._put(name, entry)
            self._changed.notify_all()

    def wait(self, version: int, seconds: float) -> Changes:
        """What changed after a version; waits for a change at most this long."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version, seconds)
            found = [entry for at, entry in self._entries.values() if at > version]
            return Changes(self._version, found)

    # -- reading -----------------------------------------------------------------------------------

    def _read_all(self) -> None:
        jobs = read_jobs(self._ledger, self._which)
        self._lowest = min((job.number for job in jobs), default=0)
        self._moments = self._ledger.changes(self._lowest)
        self._marks = self._ledger.tags.by_job()
        self._add(jobs)

    def _read_changes(self) -> None:
        moments, marks = self._ledger.changes(self._lowest), self._ledger.tags.by_job()
        changed = {number for number, moment in moments.items() if self._moments.get(number) != moment}
        marked = {number for number in self._jobs if marks.get(number) != self._marks.get(number)}
        gone = self._jobs.keys() - moments.keys()
        self._moments, self._marks = moments, marks
        for number in gone:
            del self._jobs[number]
            self._put(number, {"n": number, "gone": True})
        self._add(self._ledger.numbered((changed | marked) - gone))

    def _add(self, jobs: Iterable[Job]) -> None:
        """Show jobs, those that are new only if they belong here."""
        found = list(jobs)
        for job in found:
            self._lineage.add(job)
        for job in found:
            parents = self._lineage.parents(job)
            if job.number in self._jobs or self._belongs(job, parents):
                self._jobs[job.number] = job
                self._put(job.number, self._entry(job, parents))

    def _entry(self, job: Job, parents: list[int]) -> Entry:
        marks = self._marks.get(job.number, NO_MARKS)
        media = [(each, _address(job.number, index, each)) for index, each in enumerate(media_of(job))]
        return entry_of(job, marks, parents, self._extras(job), media, private=True)

    def _belongs(self, job: Job, parents: list[int]) -> bool:
        which = self._which
        if job.profile not in which.profiles:
            return False
        # A selection also shows what was made from it.
        return which.numbers is None or job.number in which.numbers or any(n in self._jobs for n in parents)

    def _put(self, number: int | str, entry: Entry) -> None:
        self._version += 1
        self._entries[number] = (self._version, entry)


def read_jobs(ledger: Ledger, which: Which) -> list[Job]:
    """The jobs to show, newest first."""
    if which.numbers is not None:
        jobs = ledger.numbered(which.numbers)
    else:
        jobs = [job for name in which.profiles for job in islice(ledger.newest_first(name), which.limit)]
    jobs.sort(key=lambda job: (job.created_at, job.number), reverse=True)
    return jobs[: which.limit]


def _address(number: int, index: int, media: Media) -> Addresses:
    """Where the server has a file of a job; another address when the file has changed."""
    path = f"{number}/{index}?v={media.version}"
    return Addresses(f"images/{path}", None if media.is_video else f"thumbs/{path}")

"""Which jobs `mj history` lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mjcli.cli.output.text import visible
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.jobs.job import Job
    from mjcli.jobs.tags import Marks


class JobFilter(NamedTuple):
    """Which jobs are listed; an empty set or text excludes nothing."""

    states: frozenset[str]
    kinds: frozenset[str]
    tags: frozenset[str]
    starred: bool
    words: str  # casefolded
    since: float  # Unix seconds
    before: float

    def matches(self, job: Job, marks: Marks) -> bool:
        """Whether the job is listed."""
        in_state = job.state in self.states or (job.unfinished and "unfinished" in self.states)
        return (
            (in_state or not self.states)
            and (job.kind in self.kinds or not self.kinds)
            and self.tags.issubset(marks.tags)
            and (marks.starred or not self.starred)
            and self.since <= job.created_at < self.before
            and self.words in _words(job, marks).casefold()
        )


def _words(job: Job, marks: Marks) -> str:
    """The text that --search searches."""
    error = str((job.error or {}).get("message", ""))
    return "\n".join((job.subject, job.prompt, job.action, error, *marks.tags))


def typed_tag(text: str, hint: str | None = None) -> str:
    """A tag as it is stored. Raises `UsageError`."""
    from mjcli.jobs.tags import tag_of

    try:
        return tag_of(text)
    except ValueError as error:
        raise UsageError(f'"{visible(text)[:80]}" is not a tag: it {error}.', hint=hint) from None

"""A finished job: its result, and what names its files, as the ledger or the service knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.api.models import Result
from mjcli.jobs.job import digests_of, parent_in

if TYPE_CHECKING:
    from mjcli.api.models import TaskRecord
    from mjcli.jobs.job import Job
    from mjcli.jobs.order import Order, Outcome


class FinishedJob(NamedTuple):
    """A job with a result. `job` is its row in the ledger before this command, `record` the service's record.

    `uuid` names its row, None when the ledger does not have it. `requested_at` is in Unix seconds. `request` is the
    body of its request, and `parent` the image or video that it was applied to.
    """

    result: Result
    task_id: str | None
    uuid: str | None = None
    subject: str = ""
    action: str = ""
    requested_at: float | None = None
    job: Job | None = None
    record: TaskRecord | None = None
    request: Mapping[str, Any] = {}
    parent: str | None = None

    @classmethod
    def of_job(cls, job: Job) -> FinishedJob:
        """A job that is done in the ledger."""
        result = Result(job.result or {})
        return cls(
            result,
            job.task_id or result.task_id,
            job.uuid,
            job.words,
            job.action,
            job.created_at,
            job=job,
            request=job.request,
            parent=job.parent,
        )

    @classmethod
    def of_record(cls, record: TaskRecord, task_id: str) -> FinishedJob:
        """A task that the service has finished and that the ledger need not know."""
        request = record.request
        return cls(
            record.response or Result({}),
            record.id or task_id,
            subject=str(request.get("prompt") or ""),
            action=str(request.get("action") or record.type or ""),
            requested_at=record.created_at,
            record=record,
            request=request,
            parent=parent_in(request),
        )

    @classmethod
    def of_outcome(cls, order: Order, outcome: Outcome, earlier: Job | None = None) -> FinishedJob:
        """An order that was just carried out; `earlier` is its row before it was resumed, if it was."""
        return cls(
            outcome.result,
            outcome.task_id,
            outcome.uuid,
            order.subject,
            order.action,
            earlier.created_at if earlier is not None else None,
            job=earlier,
            request=order.body,
            parent=order.parent_image or parent_in(order.body),
        )

    @property
    def reference(self) -> str:
        """What names it in a command."""
        return self.job.reference if self.job is not None else self.task_id or ""

    @property
    def link(self) -> str:
        """The link of the image (for a split grid, the whole grid), or of the first video."""
        found = [*self.result.video_urls[:1], *filter(None, [self.result.image_link])]
        return (found or self.result.file_urls)[0]

    @property
    def files(self) -> list[str]:
        """The saved files that still exist and hold what was saved."""
        if self.job is None:
            return []
        from mjcli.media.download import is_unchanged

        digests = digests_of(self.job).items()
        return [
            path
            for path, digest in digests
            if (_exists(path) if digest is None else is_unchanged(Path(path), digest))
        ]

    @property
    def is_saved(self) -> bool:
        """Whether all of its files were saved and are still complete."""
        from mjcli.media.download import is_unchanged
        from mjcli.media.formats import is_video

        job = self.job
        if job is None or job.files_due:
            return False
        has_videos = bool(self.result.video_urls)
        saved = [each for each in job.files if not has_videos or is_video(Path(each)) is not False]
        if len(saved) < len(self.result.links):
            return False
        return all(is_unchanged(Path(each), digest) for each, digest in digests_of(job).items())

    def name_fields(self, hide: Callable[[str], str]) -> dict[str, str]:
        """The values of the placeholders in its files' names; the same whenever they are saved.

        `hide` masks the tokens in a text.
        """
        from mjcli.media.names import fields_of

        return fields_of(
            prompt=hide(self.subject),
            image_id=hide(self.result.id or ""),
            task_id=hide(self.result.task_id or self.task_id or ""),
            action=hide(self.action),
            created_at=self.requested_at,
        )


def _exists(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False  # in a directory that cannot be searched

"""The pictures of jobs that are done: which job is meant, why it may have none, and links that are good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mjcli.api.models import Result
from mjcli.errors import DownloadError, MjError, StillRunning, UnknownTask, resume, take_up

if TYPE_CHECKING:
    from mjcli.api.models import TaskRecord
    from mjcli.context import Runtime
    from mjcli.ledger import Job

FRESH_SECONDS = 15.0  # for a fresh link; the old one may still do


class Made(NamedTuple):
    """A job that is done and has something to fetch: as the ledger has it, else as the service does."""

    result: Result
    task_id: str | None
    job: Job | None = None
    record: TaskRecord | None = None

    @property
    def reference(self) -> str:
        """What names it in a command."""
        return self.job.reference if self.job is not None else self.task_id or ""

    @property
    def link(self) -> str:
        """The link of the picture (of a split job, the whole grid), or of the first video."""
        found = [*self.result.video_urls[:1], *filter(None, [self.result.picture_url])]
        return (found or self.result.file_urls)[0]

    @property
    def files(self) -> list[str]:
        """What was saved of it and is still there."""
        return [each for each in self.job.files if _is_there(each)] if self.job is not None else []

    @property
    def whole(self) -> bool:
        """Whether all of it was saved, and is still there in one piece."""
        from mjcli.filetypes import is_whole

        job = self.job
        if job is None or job.files_due or len(job.files) < len(self.result.file_urls):
            return False
        return all(is_whole(Path(each)) for each in job.files)

    @property
    def fields(self) -> dict[str, str]:
        """What names its files: the same as when they are saved at once."""
        from mjcli.filenames import fields_of

        prompt, action, asked_at = self._asked
        return fields_of(
            prompt=prompt,
            image_id=self.result.id,
            task_id=self.result.task_id or self.task_id,
            action=action,
            asked_at=asked_at,
        )

    @property
    def _asked(self) -> tuple[str, str, float | None]:
        """The prompt, the action, and the moment it was asked (Unix seconds), where known."""
        if self.job is not None:
            return self.job.words, self.job.action, self.job.created_at
        if self.record is not None:
            request = self.record.request
            action = str(request.get("action") or self.record.type or "")
            return str(request.get("prompt") or ""), action, self.record.created_at
        return "", "", None


def made(runtime: Runtime, which: Job | str, output: str | None = None) -> Made:
    """A job, or the id of a task that the ledger does not know, once it is sure to have something to fetch.

    The service is asked about an id that the ledger does not know; `output` is for the command that waits
    for its task. Raises `StillRunning` for a job that is not done, `DownloadError` for one without a link,
    `UnknownTask`, and as `Client.task` does; a job that failed is an error with exit status 4.
    """
    found = _asked(runtime, which, output) if isinstance(which, str) else _kept(which)
    if not found.result.file_urls:
        raise DownloadError(
            "The job is done, but its answer has no link to a picture.",
            task_id=found.task_id,
            hint=f"mj describe-task {found.task_id}" if found.task_id else None,
        )
    return found


def fresh_result(runtime: Runtime, task_id: str | None) -> Result:
    """What the service has of a task now, with links that are good, told to the ledger too.

    Raises `UnknownTask` when it has no picture of it (any more), and as `Client.task` does.
    """
    record = (
        runtime.client.task(task_id, deadline=time.monotonic() + FRESH_SECONDS)
        if task_id is not None
        else None
    )
    fresh = record.response if record is not None and record.state == "done" else None
    if record is None or fresh is None or not fresh.file_urls:
        raise UnknownTask("The service does not know it any more.", task_id=task_id)
    runtime.note_task(record, [])
    return fresh


def is_stale(runtime: Runtime, url: str) -> bool:
    """Whether the link of an earlier job has probably expired; a sandbox's end with the run that made them."""
    from mjcli.downloads import expired

    return runtime.settings.sandbox.value or expired(url, time.time())


def say_kept(runtime: Runtime, paths: Sequence[Path | str]) -> None:
    """Tell that files were there already and were not fetched again."""
    for path in paths:
        runtime.output.notice(f"{path} was there already and was kept; --force fetches it again.")


def _is_there(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False  # somewhere that may not be looked into


def _kept(job: Job) -> Made:
    """A job of the ledger that is done."""
    if job.unfinished and job.state != "done":
        raise StillRunning(
            f"There is no picture yet: the job is not done, its state is {job.state}.",
            task_id=job.task_id,
            hint=resume(job.reference),
        )
    if job.state == "failed":
        failure = job.failure()
        error = MjError(f"There is no picture. {failure.sentence}", code=failure.code, task_id=job.task_id)
        error.exit_code = failure.exit_code
        raise error
    result = Result(job.result or {})
    return Made(result, job.task_id or result.task_id, job=job)


def _asked(runtime: Runtime, task_id: str, output: str | None) -> Made:
    """A task that the ledger does not know, which is done."""
    record = runtime.client.task(task_id)
    if record is None:
        raise UnknownTask(
            f"Neither the ledger nor the service knows {task_id}; an image that was made elsewhere can be"
            " named by the id of its task only.",
            task_id=task_id,
            hint="check the id, and the profile: a task is known to its own token only",
        )
    if record.state == "running":
        raise StillRunning(
            "There is no picture yet: the task is still running.",
            task_id=task_id,
            hint=take_up(task_id, output),
        )
    if record.state == "failed":
        raise record.error()
    return Made(record.response or Result({}), record.id or task_id, record=record)

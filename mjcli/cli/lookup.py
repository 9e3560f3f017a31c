"""Find what people name: a job, an image, a video or a task, by id, id prefix or reference (`@last`, `@2`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from mjcli.cli.finished import FinishedJob
from mjcli.cli.hints import Outside, command, follow, resume
from mjcli.cli.inputs import is_file, refuse_bad_link
from mjcli.cli.output.text import visible
from mjcli.errors import (
    ConfigError,
    DownloadError,
    ExitCode,
    MjError,
    NetworkError,
    StillRunning,
    UnknownTask,
    UsageError,
)
from mjcli.prompt.parse import is_link

if TYPE_CHECKING:
    from mjcli.api import Client, Result
    from mjcli.cli.context import Context
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.settings.load import Settings

SHORTEST_PREFIX = 4  # characters of an id that may stand for the whole
LISTED = 5  # jobs that the error about an ambiguous prefix names

_HISTORY = command("history", note="lists your jobs")


class Image(NamedTuple):
    """An image or video, and the job that made it, None when the ledger does not know it."""

    id: str
    job: Job | None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, if the ledger knows them."""
        from mjcli.api.models import Result

        return Result((self.job.result if self.job is not None else None) or {}).dimensions


class Source(NamedTuple):
    """The image that a job starts from: a link, a file, or an image of the service (`image`)."""

    name: str
    image: Image | None = None

    @property
    def parent(self) -> str | None:
        """The id of the image, if it is one of the service's."""
        return self.image.id if self.image is not None else None

    @property
    def words(self) -> str:
        """Its name in file names: the words of its prompt, else the name of its file."""
        if self.image is not None:
            return self.image.job.words if self.image.job is not None else self.image.id
        path = unquote(urlsplit(self.name).path) if is_link(self.name) else self.name
        return Path(path).name or self.name

    @property
    def known_size(self) -> tuple[int, int] | None:
        """Width and height in pixels, as far as the ledger or the file itself says."""
        if self.image is not None:
            return self.image.size
        if is_link(self.name):
            return None
        from mjcli.media.formats import size_of
        from mjcli.media.local import read_image

        return size_of(read_image(Path(self.name)))


class Lookup:
    """Looks names up in the ledger, and asks the service where the ledger cannot tell.

    `ledger` returns the ledger if there is one; `client` the API client. Both are called only when needed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Callable[[], Ledger | None],
        client: Callable[[], Client],
    ) -> None:
        self._settings, self._ledger, self._client = settings, ledger, client
        self.profile: str = settings.profile.value

    @classmethod
    def of(cls, context: Context) -> Lookup:
        """The lookup of the active profile."""
        return cls(context.settings, ledger=lambda: context.existing_ledger, client=lambda: context.client)

    # -- jobs --------------------------------------------------------------------------------------

    def job(self, text: str) -> Job:
        """The job of a reference, id or id prefix. Raises `UsageError` when the ledger does not have it."""
        job = self.known_job(text)
        if job is None:
            raise UsageError(f'No job in profile "{self.profile}" matches "{visible(text)}".', hint=_HISTORY)
        return job

    def known_job(self, text: str, what: str = "job") -> Job | None:
        """The job of a reference, id or id prefix; None for an id that the ledger does not know.

        Raises `UsageError` for an unknown reference, an ambiguous prefix, and a malformed id.
        """
        if text.startswith("@"):
            return self._referenced(text)
        if not text or len(text) > 200 or any(c.isspace() or not c.isprintable() for c in text):
            raise UsageError(f'"{visible(text)[:80]}" is not {"an" if what == "image" else "a"} {what} id.')
        return self._with_prefix(text)

    def with_files(self, text: str) -> Job | str:
        """The job of a name, or the id if the ledger does not know it.

        Raises `UsageError` for a job whose kind makes no files, and as `known_job` does.
        """
        from mjcli.api.endpoints import endpoint

        job = self.known_job(text)
        if job is not None and endpoint(job.path.rpartition("/")[2]).result == "text":
            raise UsageError(
                f'{text} has no image: "{job.action}" jobs make none.', hint=self._newest_with_image()
            )
        return job or text

    def has_prefix(self, text: str) -> bool:
        """Whether an id in the ledger begins with `text`, which is long enough to be an id prefix."""
        return len(text) >= SHORTEST_PREFIX and bool(self._named(text, limit=1))

    def check_host(self, job: Job) -> None:
        """Refuse a job that the active service does not know. Raises `UsageError`."""
        host = self._settings.host
        if job.host != host:
            raise UsageError(
                f'Job {job.reference} was sent to {job.host}, but profile "{self.profile}" now uses {host}.',
                hint="restore base_url, or use the profile that sent the job",
            )

    def _referenced(self, text: str) -> Job:
        number = "1" if text == "@last" else text[1:]
        if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number) > 0):
            raise UsageError(
                f'"{visible(text)}" is not a valid reference; use @last, or @2 for the second newest job.'
            )
        ledger = self._ledger()
        job = ledger.nth_newest(self.profile, int(number)) if ledger is not None else None
        if job is not None:
            return job
        if ledger is None or ledger.nth_newest(self.profile, 1) is None:
            raise UsageError(no_jobs_yet(self.profile, ledger), hint=command("imagine", "a cat"))
        raise UsageError(f'Profile "{self.profile}" has fewer jobs than {visible(text)}.', hint=_HISTORY)

    def _with_prefix(self, text: str) -> Job | None:
        """The job with this task, image or uuid, or the only one whose id begins so; None when there is none."""
        found = self._named(text, limit=LISTED + 1)
        if not found:
            return None
        exact = text in (found[0].task_id, found[0].image_id, found[0].uuid)
        if len(text) < SHORTEST_PREFIX and not exact:
            raise UsageError(
                f'"{text}" is too short: an id prefix has at least {SHORTEST_PREFIX} characters.',
                hint=_HISTORY,
            )
        if len({_matching_id(text, job) for job in found}) > 1:
            names = [f"{_matching_id(text, job)} ({visible(job.words)[:30]})" for job in found[:LISTED]]
            more = ", …" if len(found) > LISTED else ""
            raise UsageError(
                f'"{text}" matches several ids: {", ".join(names)}{more}.',
                hint=f"add more characters of the id\n{_HISTORY}",
            )
        return found[0]

    def _named(self, text: str, *, limit: int) -> list[Job]:
        """The jobs with this id prefix; none if the ledger cannot be used, since the service may know the id."""
        try:
            ledger = self._ledger()
            return ledger.with_id_prefix(self.profile, text, limit=limit) if ledger is not None else []
        except ConfigError:
            return []

    # -- images, videos, tasks ---------------------------------------------------------------------

    def image(self, text: str) -> Image:
        """The image of an id or reference; an id that the ledger does not know is used as it is.

        Raises `UsageError` for an unknown reference, and for a job without an image.
        """
        _refuse_link(text, "image")
        job = self.known_job(text, "image")
        if job is None:
            return Image(text, None)
        if job.image_id is None or job.made_video:
            why = f'"{job.action}" jobs make none' if job.state == "done" else f"its state is {job.state}"
            raise UsageError(f"{text} has no image: {why}.", hint=self._instead(job))
        return Image(job.image_id, job)

    def video(self, text: str) -> Image:
        """The video of an id or reference; as `image`."""
        _refuse_link(text, "video")
        job = self.known_job(text, "video")
        if job is None:
            return Image(text, None)
        if job.image_id is None or not job.made_video:
            why = f"its state is {job.state}" if job.made_video else f'"{job.action}" jobs make none'
            raise UsageError(
                f"{text} has no video: {why}.", hint=resume(job.reference) if job.unfinished else None
            )
        return Image(job.image_id, job)

    def task(self, text: str) -> str:
        """The task of an id or reference; an id that the ledger does not know is used as it is.

        A job whose response was lost is searched for at the service. Raises `UsageError`, `LostResponse`.
        """
        job = self.known_job(text, "task")
        if job is None:
            return text
        if text != job.task_id:  # a full id may be queried anywhere
            self.check_host(job)
        if job.task_id is not None:
            return job.task_id
        ledger = self._ledger()
        if job.sent_at is not None and job.state in ("submitting", "unknown") and ledger is not None:
            from mjcli.jobs.recover import find_lost_task

            return find_lost_task(self._client(), ledger, self._settings.host, job)
        why = "the response contained none" if job.result else "it was never accepted"
        raise UsageError(f"{text} has no task: {why}.")

    def source(self, name: str) -> Source:
        """The image that a job starts from. Raises as `image` does."""
        refuse_bad_link(name)
        return Source(name, None if is_link(name) or is_file(name) else self.image(name))

    def size(self, source: Source) -> tuple[int, int] | None:
        """Width and height in pixels, None when unknown; of a link, the first bytes are fetched."""
        if not is_link(source.name):
            return source.known_size
        from mjcli.media.probe import measure

        settings = self._settings
        return measure(
            source.name,
            allow_private=settings.api_is_local,
            use_environment=not settings.sandbox.value,
        )

    def _instead(self, job: Job) -> str | None:
        """What to type instead of a reference to a job without an image."""
        if job.unfinished:
            return resume(job.reference)
        return self._newest_with_image()

    def _newest_with_image(self) -> str | None:
        ledger = self._ledger()
        number = ledger.newest_with_image(self.profile) if ledger is not None else None
        return f"@{number} is the newest job with an image" if number else None

    # -- links and results -------------------------------------------------------------------------

    def link(self, text: str, *, refresh: bool = True) -> str:
        """The link of an image given as a link, a reference, or an id that the ledger knows.

        An expired link is refreshed from the service unless `refresh` is False: a paid job must not start
        from a dead link. Raises `UsageError`, `NetworkError`.
        """
        from mjcli.api.models import Result

        refuse_bad_link(text)
        if is_link(text):
            if any(c.isspace() or ord(c) < 0x20 for c in text):
                raise UsageError(f'The link "{visible(text)}" contains a space or control character.')
            return text
        job = self.image(text).job
        link = Result(job.result or {}).image_link if job is not None else None
        if job is None or link is None:
            raise UsageError(f'"{visible(text)}" is not a link, a file, or an image in the ledger.')
        return self._fresh_link(job) if refresh and self.is_stale(link) else link

    def is_stale(self, url: str) -> bool:
        """Whether the link of an earlier job has probably expired; a sandbox's links end with its run."""
        from mjcli.media.links import has_expired

        return self._settings.sandbox.value or has_expired(url, time.time())

    def fresh_result(self, task_id: str | None) -> Result:
        """The result of a task with valid links. Raises `UnknownTask`, and as `Client.task` does."""
        from mjcli.jobs.follow import fresh_result

        try:
            ledger = self._ledger()
        except ConfigError:
            ledger = None  # only the record of the fresh links is lost
        return fresh_result(self._client(), ledger, self._settings.host, task_id)

    def finished(self, which: Job | str, output: str | None = None) -> FinishedJob:
        """A finished job with files: from the ledger, or the id of a task that only the service knows.

        `output` is for the suggested command. Raises `StillRunning` for a job that has not finished,
        `DownloadError` for a result without a link, `UnknownTask`, and as `Client.task` does; a failed job is
        an error with exit status 4.
        """
        found = self._finished_task(which, output) if isinstance(which, str) else _finished_job(which)
        if not found.result.file_urls:
            raise DownloadError(
                "The job is done, but its result has no link.",
                task_id=found.task_id,
                hint=command("describe-task", Outside(found.task_id)) if found.task_id else None,
            )
        return found

    def _finished_task(self, task_id: str, output: str | None) -> FinishedJob:
        record = self._client().task(task_id)
        if record is None:
            raise UnknownTask(
                f'"{task_id}" was not found in the ledger or at the service.',
                task_id=task_id,
                hint="check the id and the profile; a job from another machine needs its task id",
            )
        if record.state == "running":
            raise StillRunning(
                "The task is still running and has no image yet.",
                task_id=task_id,
                hint=follow(task_id, output),
            )
        if record.state == "failed":
            raise record.error()
        return FinishedJob.of_record(record, task_id)

    def _fresh_link(self, job: Job) -> str:
        self.check_host(job)
        expired = f"The link of image {job.image_id} has expired"
        try:
            link = self.fresh_result(job.task_id).image_link
            if link is not None:
                return link
            why = "The service has none."
        except MjError as error:
            if error.exit_code == ExitCode.AUTH:
                raise
            why = error.message
            if not isinstance(error, UnknownTask):
                raise NetworkError(
                    f"{expired} and could not be refreshed: {why} Nothing was sent.", hint="try again"
                ) from error
        raise UsageError(
            f"{expired} and there is no new one: {why} Nothing was sent.",
            hint="pass the link of a copy that the service can reach",
        )


def no_jobs_yet(profile: str, ledger: Ledger | None) -> str:
    """The sentence for a profile without jobs; those of the sandbox are easily taken for them."""
    from mjcli.settings.schema import SANDBOX

    sandbox = ledger.count(SANDBOX) if ledger is not None and profile != SANDBOX else 0
    more = f" (The sandbox has {sandbox}: add --sandbox.)" if sandbox else ""
    return f'No jobs yet in profile "{profile}".{more}'


def _matching_id(text: str, job: Job) -> str:
    """The id of a job that begins with `text`."""
    ids = (job.task_id, job.image_id, job.uuid)
    return next(each for each in ids if each is not None and each.startswith(text))


def _refuse_link(text: str, what: str) -> None:
    if not text.startswith("@") and "://" in text:
        article = "an" if what == "image" else "a"
        raise UsageError(f"Expected {article} {what} id, not a link; results show the id.")


def _finished_job(job: Job) -> FinishedJob:
    """A job of the ledger that is done. Raises as `Lookup.finished` does."""
    if job.unfinished and job.state != "done":
        raise StillRunning(
            f"The job has no image yet; its state is {job.state}.",
            task_id=job.task_id,
            hint=resume(job.reference),
        )
    if job.state == "failed":
        failure = job.failure()
        error = MjError(f"The job has no image. {failure.sentence}", code=failure.code, task_id=job.task_id)
        error.exit_code = failure.exit_code
        raise error
    return FinishedJob.of_job(job)

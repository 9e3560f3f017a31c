"""Find what people name: a job, an image, a video or a task, by id, id prefix or reference (`@last`, `@2`)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mjcli.cli.finished import FinishedJob
from mjcli.cli.hints import Outside, command, follow, no_jobs_yet, resume
from mjcli.cli.inputs import (
    VIDEO_SUFFIXES,
    is_file,
    is_regular_file,
    is_whole_id,
    names_image_file,
    names_media_file,
    refuse_bad_link,
)
from mjcli.cli.meant import id_in_link, identifier, reference
from mjcli.cli.origins import Image, Source
from mjcli.cli.output.text import visible
from mjcli.cli.queried import record_task
from mjcli.errors import (
    ConfigError,
    DownloadError,
    ExitCode,
    MjError,
    NetworkError,
    StillRunning,
    UnknownTask,
    UsageError,
    full_stop,
)
from mjcli.jobs.job import digests_of
from mjcli.jobs.names import UNFINISHED, is_plain
from mjcli.prompt.parse import is_link

if TYPE_CHECKING:
    from mjcli.api import Client, Result, TaskRecord
    from mjcli.cli.context import Context
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.queries import Need
    from mjcli.media.metadata import Embedded
    from mjcli.settings.load import Settings

SHORTEST_PREFIX = 4  # characters of an id that may stand for the whole
LISTED = 5  # jobs that the error about an ambiguous prefix names

_NEVER_IN_IDS = frozenset("\"'`<>()[]{}|/\\?*")
_ROUNDED = r"[0-9]+(?:[.,][0-9]+)?[eE]\+[0-9]+"  # by a spreadsheet: `1.57552E+18`
_HISTORY = command("history", note="lists your jobs")


class Lookup:
    """Looks names up in the ledger, and asks the service where the ledger cannot tell.

    `ledger` returns the ledger if there is one; `client` the API client. Both are called only when needed.
    `notice` is called with what a reference means where that is not the newest job, `record_task` with a task
    that only the service knew.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Callable[[], Ledger | None],
        client: Callable[[], Client],
        notice: Callable[[str], None] = lambda _: None,
        record_task: Callable[[TaskRecord], None] = lambda _: None,
    ) -> None:
        self._settings, self._ledger, self._client, self._notice = settings, ledger, client, notice
        self._record_task = record_task
        self._said: set[str] = set()
        self.profile: str = settings.profile.value

    @classmethod
    def of(cls, context: Context) -> Lookup:
        """The lookup of the active profile."""
        return cls(
            context.settings,
            ledger=lambda: context.existing_ledger,
            client=lambda: context.client,
            notice=context.output.notice,
            record_task=lambda record: record_task(context, record),
        )

    # -- jobs --------------------------------------------------------------------------------------

    def job(self, text: str, *, metadata: bool = False) -> Job:
        """The job of a reference, id, id prefix or saved file; with `metadata`, of a file whose metadata names it.

        Raises `UsageError` when the ledger does not have it.
        """
        embedded = self._embedded(text) if metadata else None
        if embedded is not None:
            job = self._job_of(embedded)
            if job is not None:
                by_task = embedded.task_id is not None and job.task_id == embedded.task_id
                named = f"task {embedded.task_id}" if by_task else f"image {embedded.image_id}"
                self._say(f'"{visible(text)}" is not as mj saved it; its metadata names {named}.')
                return job
            raise UsageError(
                f'"{visible(text)}" is not as mj saved it, and its metadata names a job that profile'
                f' "{self.profile}" does not have.',
                hint=command("tasks", "--import", note="adds the service's tasks to the ledger"),
            )
        job = self.known_job(text) or self._shown_by(text)
        if job is None:
            raise UsageError(f'No job in profile "{self.profile}" matches "{visible(text)}".', hint=_HISTORY)
        return job

    def known_job(self, text: str, what: str = "job", *, need: Need | None = None) -> Job | None:
        """The job of a reference, saved file, id or id prefix; None for an id that the ledger does not know.

        With `need`, `@last` is the newest job that fits. Raises `UsageError` for an unknown reference, an
        ambiguous prefix, a file that no job saved, and a malformed id.
        """
        if text.startswith("@"):
            return self._referenced(text, need)
        if names_media_file(text):
            return self._saved(text)
        job = self._with_prefix(text) if text.isprintable() and 0 < len(text) <= 200 else None
        if job is None and is_regular_file(text):
            return self._saved(text)
        if job is None:
            self._refuse_slip(text, what)
        return job

    def _refuse_slip(self, text: str, what: str) -> None:
        """Refuse what cannot be an id and was meant as something else. Raises `UsageError`."""
        article = "an" if what == "image" else "a"
        if "://" in text:
            raise UsageError(
                f"Expected {article} {what} id, not a link; results show the id."
                f"{self._question(id_in_link(text))}",
                hint=_HISTORY,
            )
        if re.fullmatch(_ROUNDED, text):
            raise UsageError(
                f'"{text}" is {article} {what} id that a spreadsheet has rounded; use the whole id, as text.',
                hint=_HISTORY,
            )
        meant = self._meant(text) or identifier(text)
        # A directory may be named after a task.
        if meant is None and os.path.lexists(text) and not is_whole_id(text):
            raise UsageError(f'"{visible(text)}" {_why_no_file(text)}.', hint=_HISTORY)
        malformed = not text or text.startswith("-") or len(text) > 200
        malformed = malformed or any(c.isspace() or not c.isprintable() for c in text)
        if meant or malformed or any(c in _NEVER_IN_IDS for c in text):
            question = f" Did you mean {meant}?" if meant else ""
            raise UsageError(f'"{visible(text)[:80]}" is not {article} {what} id.{question}', hint=_HISTORY)

    def _meant(self, text: str) -> str | None:
        """The reference that a misspelled one means; a number of several digits only if there are as many jobs."""
        meant = reference(text)
        if meant is None or not text.isdecimal() or len(text) == 1:
            return meant
        ledger = self._ledger()
        return meant if ledger is not None and ledger.count(self.profile) >= int(text) else None

    def _question(self, uuid: str | None) -> str:
        """Whether the id in the address of a page was meant, if the ledger knows it."""
        return f" Did you mean {uuid}?" if uuid is not None and self.has_prefix(uuid) else ""

    def saved_file(self, name: str) -> Job | None:
        """The job that saved a file of this machine, wherever it is now; None if no job of the profile did."""
        if not is_regular_file(name):
            return None
        try:
            ledger = self._ledger()
            if ledger is None:
                return None
            from mjcli.media.place import sha256_of

            path = Path(name)
            digest = sha256_of(path)
            return ledger.by_file(self.profile, str(path.absolute()), digest) if digest is not None else None
        except (ConfigError, OSError):  # OSError: the working directory was deleted
            return None

    def _embedded(self, name: str) -> Embedded | None:
        """What the metadata of a file says that no job saved as it is, if its host is that of the profile."""
        if name.startswith("@") or not is_regular_file(name) or self.saved_file(name) is not None:
            return None
        from mjcli.media.metadata import read_file

        found = read_file(Path(name))
        return found if found is not None and found.host == self._settings.host else None

    def _job_of(self, embedded: Embedded) -> Job | None:
        """The job that the metadata of a file names."""
        ledger = self._ledger()
        if ledger is None:
            return None
        task = embedded.task_id and ledger.by_task(embedded.host, embedded.task_id)
        if task and task.profile == self.profile:
            return task
        return ledger.by_image(self.profile, embedded.image_id) if embedded.image_id else None

    def _saved(self, name: str) -> Job:
        """The job that saved a file. Raises `UsageError` if there is none."""
        from mjcli.media.formats import is_image

        job = self.saved_file(name)
        if job is not None:
            return job
        if not is_regular_file(name):
            raise UsageError(f'"{visible(name)}" {_why_no_file(name)}.', hint=_HISTORY)
        raise UsageError(
            f'"{visible(name)}" is not a file that a job in profile "{self.profile}" saved.',
            hint=command("edit", name, "a cat on a table", note="starts from any image file")
            if names_image_file(name) and is_image(Path(name))
            else _HISTORY,
        )

    def with_files(self, text: str) -> Job | str:
        """The job of a name, or the id if the ledger does not know it.

        Raises `UsageError` for a job whose kind makes no files, and as `known_job` does.
        """
        job = self.known_job(text, need="files") or self._shown_by(text)
        if job is not None and job.makes == "text":
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

    def _referenced(self, text: str, need: Need | None) -> Job:
        """The job of `@last` or `@N`. Raises `UsageError`."""
        number = "1" if text == "@last" else text[1:]
        if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number) > 0):
            meant = reference(text)
            problem = f'"{visible(text)}" is not a valid reference'
            raise UsageError(
                f"{problem}. Did you mean {meant}?"
                if meant
                else f"{problem}; use @last, or @2 for the second newest job."
            )
        ledger = self._ledger()
        job = ledger.nth_newest(self.profile, int(number)) if ledger is not None else None
        if ledger is not None and job is not None:
            return job if text != "@last" or need is None else self._fitting(ledger, job, need)
        if ledger is None or ledger.nth_newest(self.profile, 1) is None:
            raise UsageError(no_jobs_yet(self.profile, ledger), hint=command("imagine", "a cat"))
        raise UsageError(f'Profile "{self.profile}" has fewer jobs than {visible(text)}.', hint=_HISTORY)

    def _fitting(self, ledger: Ledger, newest: Job, need: Need) -> Job:
        """The newest job that is what is needed; the newest of all if there is none."""
        job = ledger.newest_fitting(self.profile, need)
        if job is None or job.uuid == newest.uuid:
            return newest
        if not job.unfinished or job.state == "done":
            failed = " The newest job failed." if newest.state == "failed" else ""
            self._say(f"@last is @{ledger.position(job)}, {_name_of(job)}.{failed}")
        return job

    def _say(self, sentence: str) -> None:
        """Say what a reference means, once although it may be resolved again."""
        if sentence not in self._said:
            self._said.add(sentence)
            self._notice(sentence)

    def _shown_by(self, text: str) -> Job | None:
        """The job that showed this image while it ran, None if there is none."""
        if len(text) < SHORTEST_PREFIX:
            return None
        try:
            ledger = self._ledger()
            return ledger.by_intermediate(self.profile, text) if ledger is not None else None
        except ConfigError:
            return None

    def _with_prefix(self, text: str) -> Job | None:
        """The job with this task, image or uuid, or the only one whose id begins so; None when there is none."""
        found = self._named(text, limit=LISTED + 1)
        if not found:
            return None
        exact = text in (found[0].task_id, found[0].image_id, found[0].uuid)
        if not exact and self._meant(text):
            return None  # "2" is rather @2 than the beginning of an id
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

    def image(self, text: str, *, metadata: bool = False) -> Image:
        """The image of an id, reference or saved file; an id that the ledger does not know is used as it is.

        With `metadata`, a file that no job saved as it is means the image that its metadata names: right only where
        the service uses its own image, since the file may have been edited.
        Raises `UsageError` for an unknown reference, a job without an image and an image of a stream, which
        no longer exists; `StillRunning` if `@last` is a job that has not finished.
        """
        embedded = self._embedded(text) if metadata else None
        if embedded is not None and embedded.image_id is not None and is_plain(embedded.image_id):
            ledger = self._ledger()
            job = ledger.by_image(self.profile, embedded.image_id) if ledger is not None else None
            self._say(
                f'"{visible(text)}" is not as mj saved it; using image {embedded.image_id}, which its metadata names.'
            )
            if job is None:
                return Image(embedded.image_id, None)
        else:
            job = self.known_job(text, "image", need="image")
        if job is None:
            self._refuse_intermediate(text)
            return Image(text, None)
        if job.image_id is None or not job.has_image:
            self._refuse_unfinished(text, job, "image")
            why = f'"{job.action}" jobs make none' if job.state == "done" else f"its state is {job.state}"
            raise UsageError(f"{text} has no image: {why}.", hint=self._instead(job))
        return Image(job.image_id, job)

    def video(self, text: str) -> Image:
        """The video of an id, reference or saved file; as `image`."""
        job = self.known_job(text, "video", need="video")
        if job is None:
            self._refuse_intermediate(text)
            return Image(text, None)
        if job.image_id is None or not job.has_video:
            self._refuse_unfinished(text, job, "video")
            why = f"its state is {job.state}" if job.made_video else f'"{job.action}" jobs make none'
            line = resume(job.reference) if job.made_video and job.unfinished else None
            raise UsageError(f"{text} has no video: {why}.", hint=line)
        return Image(job.image_id, job)

    def video_index(self, name: str) -> int:
        """Which of its job's videos a name means, from 0: a saved file is one of them, anything else the first.

        Raises `UsageError` if the ledger cannot tell.
        """
        job = None if name.startswith("@") else self.saved_file(name)
        if job is None:
            return 0
        from mjcli.api.models import Result
        from mjcli.media.place import sha256_of

        digest, videos = sha256_of(Path(name)), Result(job.result or {}).video_urls
        saved = [
            each for path, each in digests_of(job).items() if Path(path).suffix.lower() in VIDEO_SUFFIXES
        ]
        if len(saved) == len(videos) and saved.count(digest) == 1:
            return saved.index(digest)
        raise UsageError(
            f'The ledger does not know which video of its job "{visible(name)}" is. Nothing was sent.',
            hint="--index 0 to 3 selects one",
        )

    def _refuse_unfinished(self, text: str, job: Job, what: Need) -> None:
        """Report that `@last` is a job that may make what is needed. Raises `StillRunning`."""
        if text == "@last" and job.makes == what and job.state in UNFINISHED:
            raise StillRunning(
                f"@last is job {job.reference}, which has no {what} yet: its state is {job.state}."
                " Nothing was sent.",
                task_id=job.task_id,
                hint=self._instead(job),
            )

    def _refuse_intermediate(self, text: str) -> None:
        """Refuse an image that a job showed while it ran. Raises `UsageError`, `StillRunning`."""
        job = self._shown_by(text)
        if job is None:
            return
        shown = f'"{text}" is an intermediate image of job {job.reference}'
        if job.state in UNFINISHED:
            raise StillRunning(
                f"{shown}, whose state is {job.state}. Nothing was sent.",
                task_id=job.task_id,
                hint=resume(job.reference),
            )
        final = f"its final image is {job.image_id}" if job.image_id else "which has no final image"
        raise UsageError(f"{shown} and no longer exists; {final}. Nothing was sent.", hint=_HISTORY)

    def task(self, text: str) -> str:
        """The task of an id or reference; an id that the ledger does not know is used as it is.

        A job whose response was lost is searched for at the service. Raises `UsageError`, `LostResponse`.
        """
        job = self.known_job(text, "task", need="task") or self._shown_by(text)
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
        if is_link(name):
            return Source(name)
        if not is_file(name):
            return Source(name, self.image(name))
        job = self.saved_file(name)
        image = Image(job.image_id, job) if job is not None and job.image_id and job.has_image else None
        return Source(name, image, is_file=True)

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

    def link_of_file(self, name: str, *, refresh: bool = True) -> str | None:
        """The link of the image that was saved as a file, if it is the same image; None if there is none.

        One of several files of a job has no link of its own. `refresh` is as in `link`.
        """
        from mjcli.api.models import Result

        job = self.saved_file(name)
        if job is None or not job.has_image or job.host != self._settings.host:
            return None
        result = Result(job.result or {})
        link = result.image_link
        if link is None or len(result.links) != 1 or len(job.files) != 1:
            return None
        if not refresh or not self.is_stale(link):
            return link
        try:
            return self._fresh_link(job)
        except (NetworkError, UsageError):
            return None  # the file itself can be uploaded

    def image_ids_by_link(self) -> Iterator[tuple[str, str]]:
        """Yield the links of all images in the ledger, each with the id of its image, the newest first."""
        from mjcli.api.models import Result

        ledger = self._ledger()
        for job in ledger.newest_first(self.profile, "state = 'done'") if ledger is not None else ():
            link = Result(job.result or {}).image_link
            if link is not None and job.image_id is not None and job.has_image:
                yield link, job.image_id

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
        found = (
            self._finished_task(which, output)
            if isinstance(which, str)
            else _finished_job(self._checked(which))
        )
        if not found.result.file_urls:
            raise DownloadError(
                "The job is done, but its result has no link.",
                task_id=found.task_id,
                hint=command("describe-task", Outside(found.task_id)) if found.task_id else None,
            )
        return found

    def _checked(self, job: Job) -> Job:
        """A job of the ledger as it is now: one that was running is looked up at the service, once.

        Raises `StillRunning` if the service cannot tell.
        """
        if job.state not in UNFINISHED or job.task_id is None or job.host != self._settings.host:
            return job
        from mjcli.jobs.follow import record_task_result

        try:
            record = self._client().task(job.task_id)
            ledger = self._ledger()
            if record is not None and record.state != "running" and ledger is not None:
                record_task_result(ledger, job.host, record)
                return ledger.get(job.uuid) or job
        except MjError as error:
            raise StillRunning(
                f"The job has no image yet, and its task could not be queried: {full_stop(error.message)}",
                task_id=job.task_id,
                hint=resume(job.reference),
            ) from error
        return job

    def _finished_task(self, task_id: str, output: str | None) -> FinishedJob:
        record = self._client().task(task_id)
        if record is None:
            raise UnknownTask(
                f'"{task_id}" was not found in the ledger or at the service.',
                task_id=task_id,
                hint="check the id and the profile; a job from another machine needs its task id",
            )
        self._record_task(record)
        if record.state == "running":
            raise StillRunning(
                "The task is still running and has no image yet.",
                task_id=task_id,
                hint=follow(task_id, output),
            )
        if record.state == "failed":
            raise record.error()
        return self.of_record(record, task_id)

    def of_record(self, record: TaskRecord, task_id: str) -> FinishedJob:
        """A task that the service has finished; an action has the words of the image it was applied to."""
        found = FinishedJob.of_record(record, task_id)
        image = record.request.get("image_id")
        if found.subject or not isinstance(image, str):
            return found
        try:
            ledger = self._ledger()
            job = ledger.by_image(self.profile, image) if ledger is not None else None
        except ConfigError:
            return found
        return found._replace(subject=job.words if job is not None else "")

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


def _name_of(job: Job) -> str:
    """What people recognise a job by: its image, and the words of it."""
    id_ = job.image_id or job.reference
    return f'{visible(id_)} ("{visible(job.words)[:40]}")' if job.words else visible(id_)


def _matching_id(text: str, job: Job) -> str:
    """The id of a job that begins with `text`."""
    ids = (job.task_id, job.image_id, job.uuid)
    return next(each for each in ids if each is not None and each.startswith(text))


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


def _why_no_file(name: str) -> str:
    """Why a name is not that of a regular file, as the end of a sentence."""
    if os.path.isdir(name):  # noqa: PTH112 - unlike `Path.is_dir`, it never raises
        return "is a directory"
    return "is not a regular file" if os.path.lexists(name) else "does not exist, and is not an id"

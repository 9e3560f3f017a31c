"""Jobs, images and tasks as people name them: an id or its beginning, `@last`, `@2`, or `-` for standard input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mjcli.errors import ExitCode, MjError, NetworkError, UnknownTask, UsageError, resume
from mjcli.prompt.parse import is_link
from mjcli.render.text import visible

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.ledger import Job

SHORTEST = 4  # characters of an id that may stand for the whole
MENTIONED = 5  # of the jobs that a beginning may mean
STDIN_LIMIT = 1024 * 1024  # bytes; no prompt and no list of ids comes near it


class Image(NamedTuple):
    """An image (or video) that was named, and the job that made it, where the ledger knows it."""

    id: str
    job: Job | None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, where the ledger knows them."""
        from mjcli.api.models import Result

        return Result((self.job.result if self.job is not None else None) or {}).dimensions


def read_stdin(runtime: Runtime, wanted: str) -> str:
    """All of standard input as UTF-8. Raises `UsageError` naming what was wanted."""
    if runtime.stdin.isatty():
        raise UsageError(f"Standard input is a terminal; give {wanted} as an argument or through a pipe.")
    data = runtime.stdin.buffer.read(STDIN_LIMIT + 1)
    if len(data) > STDIN_LIMIT:
        raise UsageError(f"Standard input holds more than {STDIN_LIMIT} bytes, too much for {wanted}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"Standard input is not UTF-8 text, so {wanted} cannot be read from it.") from None


def expand(runtime: Runtime, arguments: Sequence[str], wanted: str) -> list[str]:
    """The arguments, with `-` replaced by the lines of standard input."""
    found: list[str] = []
    for argument in arguments:
        if argument == "-":
            lines = [line.strip() for line in read_stdin(runtime, wanted).splitlines()]
            found += [line for line in lines if line]
        else:
            found.append(argument)
    if not found:
        raise UsageError(f"There is no {wanted} on standard input.")
    return found


def known_job(runtime: Runtime, text: str, what: str = "job") -> Job | None:
    """The job of the ledger meant by a reference, an id or the beginning of one; None for an id it does not know.

    Raises `UsageError` for an unknown reference, an ambiguous beginning, and what is no id at all.
    """
    return _referenced(runtime, text) if text.startswith("@") else _named(runtime, _id(text, what))


def job_of(runtime: Runtime, text: str) -> Job:
    """The job of the ledger meant by a reference, an id or the beginning of one. Raises `UsageError`."""
    job = known_job(runtime, text)
    if job is None:
        raise UsageError(
            f"The ledger has no job of the profile {runtime.profile} that is called {visible(text)}.",
            hint="mj history  # lists the jobs",
        )
    return job


def image_of(runtime: Runtime, text: str) -> Image:
    """The image meant by an id or a reference; an id that the ledger does not know is taken as it is.

    Raises `UsageError` for an unknown reference, or one to a job without an image.
    """
    if not text.startswith("@") and is_link(text):
        raise UsageError("The id of an image is needed here, not a link; it stands in the job's answer.")
    job = known_job(runtime, text, "image")
    if job is None:
        return Image(text, None)
    if job.image_id is None or job.made_video:
        why = f"that job ({job.action}) made none" if job.state == "done" else f"its state is {job.state}"
        raise UsageError(f"{text} has no image: {why}.", hint=_instead(runtime, job))
    return Image(job.image_id, job)


def video_of(runtime: Runtime, text: str) -> Image:
    """The video meant by an id or a reference; an id that the ledger does not know is taken as it is.

    Raises `UsageError` for an unknown reference, or one to a job without a video.
    """
    if not text.startswith("@") and is_link(text):
        raise UsageError("The id of a video is needed here, not a link; it stands in the job's answer.")
    job = known_job(runtime, text, "video")
    if job is None:
        return Image(text, None)
    if job.image_id is None or not job.made_video:
        why = f"its state is {job.state}" if job.made_video else f"that job ({job.action}) makes none"
        raise UsageError(
            f"{text} has no video: {why}.", hint=resume(job.reference) if job.unfinished else None
        )
    return Image(job.image_id, job)


def task_of(runtime: Runtime, text: str) -> str:
    """The task meant by an id or a reference, one that the ledger does not know as it is. Raises `UsageError`."""
    job = known_job(runtime, text, "task")
    if job is None:
        return text
    if text != job.task_id:  # an id in full may be asked for anywhere
        check_host(runtime, job)
    if job.task_id is not None:
        return job.task_id
    if job.sent_at is not None and job.state in ("submitting", "unknown"):
        return runtime.find_again(job)
    raise UsageError(
        f"{text} has no task: that job was {'answered without one' if job.result else 'never accepted'}."
    )


def link_of(runtime: Runtime, text: str, *, ask: bool = True) -> str:
    """The link of an image given as a link, a reference, or the id of one that the ledger knows.

    The service is asked for a fresh one where that of an earlier job has expired, unless `ask` is False: a
    paid job must not be built upon a dead link. Raises `UsageError`, `NetworkError`.
    """
    from mjcli.api.models import Result

    if is_link(text):
        if any(c.isspace() or ord(c) < 0x20 for c in text):
            raise UsageError(f"The link {visible(text)} holds a space or control character.")
        return text
    job = image_of(runtime, text).job
    link = Result(job.result or {}).picture_url if job is not None else None
    if job is None or link is None:
        raise UsageError(f"{visible(text)} is neither a link, a file, nor an image that mj knows.")
    from mjcli.pictures import is_stale

    return _fresh_link(runtime, job) if ask and is_stale(runtime, link) else link


def check_host(runtime: Runtime, job: Job) -> None:
    """Refuse a job that the service in use knows nothing of. Raises `UsageError`."""
    if job.host != runtime.host:
        raise UsageError(
            f"The job {job.reference} is at {job.host}, and the profile {runtime.profile} is now at {runtime.host}.",
            hint="set base_url back, or use the profile that it was sent with",
        )


def _fresh_link(runtime: Runtime, job: Job) -> str:
    """The link of a job's picture, asked for anew. Raises `UsageError`, `NetworkError`."""
    from mjcli.pictures import fresh_result

    check_host(runtime, job)
    try:
        link = fresh_result(runtime, job.task_id).picture_url
        if link is not None:
            return link
        why = "The service gives none."
    except MjError as error:
        if error.exit_code == ExitCode.AUTH:
            raise
        why = error.message
        if not isinstance(error, UnknownTask):
            raise NetworkError(
                f"The link of the image {job.image_id} has expired, and a fresh one could not be had: {why}"
                " Nothing was sent, nothing is paid.",
                hint="try again",
            ) from error
    raise UsageError(
        f"The link of the image {job.image_id} has expired, and there is no fresh one: {why} Nothing was sent,"
        " nothing is paid.",
        hint="give the link of a copy that the service can reach",
    )


def _referenced(runtime: Runtime, text: str) -> Job:
    number = "1" if text == "@last" else text[1:]
    if not (number.isascii() and number.isdecimal() and 0 < int(number) < 10**9):
        raise UsageError(f"{visible(text)} is not a reference; write @last, or @2 for the second newest job.")
    ledger = runtime.kept
    job = ledger.nth_newest(runtime.profile, int(number)) if ledger is not None else None
    if job is None:
        raise UsageError(
            f"{text} means nothing yet: the profile {runtime.profile} does not have so many jobs.",
            hint="mj history  # lists the jobs" if int(number) > 1 else 'mj imagine "a cat"  # makes one',
        )
    return job


def _named(runtime: Runtime, text: str) -> Job | None:
    """The job whose task, image or uuid is `text`, or alone begins so; None when there is none."""
    found = runtime.named(text, at_most=MENTIONED + 1)
    if found and len(text) < SHORTEST and text not in (found[0].task_id, found[0].image_id, found[0].uuid):
        raise UsageError(
            f"{text} is too short for the beginning of an id: it takes {SHORTEST} characters.",
            hint="mj history  # lists the jobs",
        )
    if len({_meant_by(text, job) for job in found}) > 1:
        names = [f"{_meant_by(text, job)} ({visible(job.words)[:30]})" for job in found[:MENTIONED]]
        more = ", …" if len(found) > MENTIONED else ""
        raise UsageError(
            f"{text} is the beginning of more than one id: {', '.join(names)}{more}.",
            hint="type more of it\nmj history  # lists the jobs",
        )
    return found[0] if found else None


def _meant_by(text: str, job: Job) -> str:
    """The id of a job that begins so."""
    ids = (job.task_id, job.image_id, job.uuid)
    return next(each for each in ids if each is not None and each.startswith(text))


def _id(text: str, what: str) -> str:
    if not text or len(text) > 200 or any(c.isspace() or not c.isprintable() for c in text):
        raise UsageError(f"{visible(text)[:80]!r} is no {what} id.")
    return text


def _instead(runtime: Runtime, job: Job) -> str | None:
    """What to type instead of a reference to a job without an image."""
    if job.unfinished:
        return resume(job.reference)
    number = runtime.ledger.newest_with_image(runtime.profile)
    return f"@{number} is the newest one that has an image" if number else None

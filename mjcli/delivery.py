"""From what a command wants to what the user gets: build the order, run it, save its files, answer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mjcli.errors import (
    ConfigError,
    DownloadError,
    ExitCode,
    Interrupted,
    MjError,
    StillRunning,
    UsageError,
    full_stop,
    resume,
    take_up,
)
from mjcli.render.text import json_line
from mjcli.render.watch import FilesWatch, JobWatch

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.context import Runtime
    from mjcli.filenames import Target
    from mjcli.jobs import Outcome
    from mjcli.ledger import Job
    from mjcli.options import FileOptions, JobOptions

T = TypeVar("T")

_UNRECORDED = "--no-ledger sends the job without a record of it"

# After these ends of one job the next of several can still fare better.
_ONE_JOB_ONLY = (ExitCode.REFUSED, ExitCode.RUNNING, ExitCode.FILE, ExitCode.UNKNOWN)


class Wanted(NamedTuple):
    """A job as a command asks for it: its kind, its body, and what names its files."""

    kind: str
    body: Mapping[str, Any]
    slug: str  # the prompt that the files are named after
    parent_image: str | None = None

    @property
    def action(self) -> str:
        """The service's word for what is done."""
        return str(self.body.get("action", self.kind))

    @classmethod
    def of(cls, job: Job) -> Wanted:
        """What a job of the ledger once asked for."""
        return cls(job.kind, job.request, job.words, job.parent_image)


def asked_for(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are to be sent: the service has defaults of its own for the rest, which are None."""
    return {name: value for name, value in fields.items() if value is not None}


def prepared(runtime: Runtime, options: JobOptions, files: FileOptions) -> Target | None:
    """Where files go; what would keep jobs from being done is found out before anything at all is sent."""
    check_options(options)
    return file_target(runtime, files)


def deliver_all(
    runtime: Runtime, jobs: Sequence[Wanted], options: JobOptions, files: FileOptions, target: Target | None
) -> None:
    """Run jobs one after the other, as `prepared`."""
    if target is not None and len(jobs) > 1:
        from mjcli.filenames import check_for_several

        check_for_several(target)
    one_after_another(runtime, jobs, lambda job: deliver(runtime, job, options, files, target), left="sent")


def one_after_another(runtime: Runtime, jobs: Sequence[T], do: Callable[[T], None], *, left: str) -> None:
    """Do something for each job; one that fails by itself does not stop the rest.

    `left` says what was not done to those that were not tried.
    """
    for number, job in enumerate(jobs):
        try:
            do(job)
        except MjError as error:
            if len(jobs) == 1:
                raise
            runtime.output.failure(error)
            runtime.fail(error.exit_code)
            if error.exit_code not in _ONE_JOB_ONLY:
                runtime.output.not_done(len(jobs) - number - 1, error, left)
                return


def check_options(options: JobOptions) -> None:
    """Refuse options that contradict one another. Raises `UsageError`."""
    if options.timeout is not None and not math.isfinite(options.timeout):
        raise UsageError("--timeout takes a number of seconds.")
    url = options.callback_url
    if url is not None and not url.lower().startswith(("http://", "https://")):
        raise UsageError("--callback-url takes an address that begins with http:// or https://.")


def file_target(runtime: Runtime, files: FileOptions) -> Target | None:
    """Where files go, None when none were asked for. Raises before anything is paid for (exit 2)."""
    settings = runtime.settings
    wanted = files.download
    if wanted is None:
        wanted = bool(settings.download.value) or files.output is not None
    if not wanted:
        return None
    from mjcli.filenames import check_writable, parse_target

    target = parse_target(files.output, settings.output.value or ".")
    check_writable(target, force=files.force)
    return target


def deliver(
    runtime: Runtime, wanted: Wanted, options: JobOptions, files: FileOptions, target: Target | None
) -> None:
    """One job, from its order to its answer."""
    body = {**wanted.body, **_shared_fields(runtime, options)}
    at_once = options.no_wait or options.callback_url is not None
    stream = bool(options.stream) if at_once else options.stream is not False
    if options.dry_run:
        _show_request(runtime, body, stream=stream)
        return
    from mjcli.api.client import IMAGINE
    from mjcli.jobs import Order

    runtime.client.retries = options.retries
    order = Order(
        kind=wanted.kind,
        path=IMAGINE,
        body=body,
        subject=wanted.slug,
        parent_image=wanted.parent_image,
        files_asked=None
        if target is None
        else {"directory": str(target.directory), "template": target.template, "force": files.force},
        stream=stream,
        at_once=at_once,
        timeout=options.timeout,
    )
    runtime.output.detail(
        f"POST {runtime.base_url}{order.path}, profile {runtime.profile}: {json_line(body)}"
    )
    print_events = runtime.output.json and options.stream is True
    with JobWatch(runtime.output, bar=stream, print_events=print_events, at_once=at_once) as watch:
        try:
            if not options.no_ledger:
                runtime.output.detail(f"The ledger is {runtime.ledger.path}.")
            outcome = runtime.runner(ledger=not options.no_ledger).run(order, watch)
        except (Interrupted, StillRunning) as error:
            if error.task_id and options.no_ledger:
                error.hint = take_up(error.task_id, files.output)
            raise
        except ConfigError as error:  # of the ledger; once the request has left, it costs no job any more
            error.message = f"{full_stop(error.message)} Nothing was sent, so nothing is paid."
            error.hint = "\n".join(each for each in (error.hint, _UNRECORDED) if each)
            raise
    again = _again(outcome, files.output)
    with _done_but(outcome, again):
        if at_once and not outcome.result.complete:
            _answer_task(runtime, outcome.result, again, files_asked=target is not None)
        else:
            _finish(runtime, wanted, outcome, target, again, force=files.force)


def take_up_job(
    runtime: Runtime, job: Job, target: Target | None, *, force: bool, timeout: float | None
) -> None:
    """One job of the ledger, from where it was left to its answer; its files go to `target`."""
    with JobWatch(runtime.output) as watch:
        outcome = runtime.runner(ledger=True).resume(job, watch, timeout=timeout)
    again = resume(job.reference)
    with _done_but(outcome, again):
        _finish(runtime, Wanted.of(job), outcome, target, again, force=force, earlier=job)


def target_asked(job: Job) -> Target | None:
    """Where the files of a job of the ledger were to go, None when none were asked for."""
    if job.files_asked is None:
        return None
    from pathlib import Path

    from mjcli.filenames import Target

    return Target(Path(job.files_asked["directory"]), job.files_asked["template"])


def _again(outcome: Outcome, output: str | None) -> str | None:
    """The command that takes a job up once more, or its files."""
    if outcome.identity is not None:
        return resume(outcome.task_id or outcome.identity[:8])
    return take_up(outcome.task_id, output) if outcome.task_id else None


@contextlib.contextmanager
def _done_but(outcome: Outcome, again: str | None) -> Iterator[None]:
    """What goes wrong now befalls the answer or the files of a job that was accepted, and does not undo it."""
    complete = outcome.result.complete
    try:
        yield
    except Interrupted as stop:
        stop.sent, stop.finished, stop.task_id, stop.hint = True, complete, outcome.task_id, again
        raise
    except DownloadError as error:
        error.task_id = error.task_id or outcome.task_id
        state = "done and billed, once" if complete else "accepted and goes on at the service"
        error.message = f"The job is {state}, but: {error.message}"
        error.hint = again
        raise


def _finish(
    runtime: Runtime,
    wanted: Wanted,
    outcome: Outcome,
    target: Target | None,
    again: str | None,
    *,
    force: bool,
    earlier: Job | None = None,
) -> None:
    """Save the files of a job that is done, and answer; `earlier` is its row before it was taken up, if it was."""
    identity, task_id, result = outcome
    saved: list[str] = []
    failures: list[DownloadError] = []
    if target is not None:
        from mjcli.filenames import fields_of

        fields = fields_of(
            prompt=wanted.slug,
            image_id=result.image_id,
            task_id=task_id,
            action=wanted.action,
            asked_at=earlier.created_at if earlier is not None else None,
        )
        saved, failures = save_files(
            runtime,
            result,
            target,
            fields,
            force=force,
            earlier=earlier is not None and earlier.state == "done",
            task_id=task_id,
        )
        if identity is not None and saved:
            before = earlier.files if earlier is not None else ()
            with contextlib.suppress(ConfigError):  # the files are there, whatever the ledger knows of them
                runtime.ledger.saved(
                    identity, list(dict.fromkeys((*before, *saved))), files_due=len(failures)
                )
    elif runtime.settings.sandbox.value:
        runtime.output.notice(
            "The sandbox ends with this command, and so does the link; --download keeps the picture."
        )
    problem = files_missing(failures, task_id, again) if failures else None
    answer_result(runtime, result, saved, problem)


def _shared_fields(runtime: Runtime, options: JobOptions) -> dict[str, Any]:
    """The body's fields that every job command sets alike."""
    return asked_for(
        {
            "mode": options.mode or runtime.settings.mode.value,
            "split_images": options.split_images,
            "timeout": None if options.timeout is None else math.ceil(options.timeout),
            "callback_url": options.callback_url,
            "async": True if options.no_wait else None,
        }
    )


def save_files(
    runtime: Runtime,
    result: Result,
    target: Target,
    fields: Mapping[str, str],
    *,
    force: bool,
    earlier: bool = False,
    task_id: str | None = None,
) -> tuple[list[str], list[DownloadError]]:
    """Download what a result has; gives the absolute paths and what went wrong.

    `earlier` says that the result is that of an earlier run: a link that has expired since is not tried
    before a fresh one was asked for. `task_id` is its task, where the result itself may not tell.
    """
    from mjcli.downloads import Downloader, sweep
    from mjcli.pictures import fresh_result, is_stale, say_kept

    def fresh_links() -> Sequence[str]:
        return fresh_result(runtime, task_id or result.task_id).file_urls

    sweep(target.directory)  # of what an `mj` left there that was killed on the way
    urls = result.file_urls
    labels = [f"file {n}/{len(urls)}" if len(urls) > 1 else "file" for n in range(1, len(urls) + 1)]
    with (
        Downloader(
            allow_private=runtime.on_this_machine, use_environment=not runtime.settings.sandbox.value
        ) as fetch,
        FilesWatch(runtime.output, labels) as progress,
    ):
        saved, failures = fetch.save_all(
            urls,
            target,
            fields,
            force=force,
            refresh=fresh_links,
            stale=lambda url: earlier and is_stale(runtime, url),
            progress=progress,
        )
    say_kept(runtime, [file.path for file in saved if file.kept])
    return [str(file.path) for file in saved], failures


def answer_result(
    runtime: Runtime, result: Result, saved: Sequence[str], problem: DownloadError | None = None
) -> None:
    """Answer a finished job; files that could not be saved make it a failure (exit 8) that still tells all."""
    document = {**result.document, "files": list(saved)}
    quiet = [*saved] or [each for each in [result.picture_url or result.task_id] if each]
    runtime.answer(document, result_lines(runtime, result, saved), quiet, problem)


def result_lines(runtime: Runtime, result: Result, saved: Sequence[str]) -> list[tuple[str, str]]:
    """A result as people read it, and the command to type next."""
    lines = [
        ("link", url) for url in ([result.picture_url] if result.picture_url else result.file_urls) if url
    ]
    if len(result.file_urls) > 1:
        lines += [("part", url) for url in result.file_urls]
    for name, value in (("id", result.image_id), ("task", result.task_id), ("size", result.size)):
        if value:
            lines.append((name, value))
    if result.actions:
        lines.append(("actions", " ".join(result.actions)))
    lines += [("file", path) for path in saved]
    if result.actions and result.image_id:
        lines.append(("next", runtime.again(f"mj action {result.actions[0]} {result.image_id}")))
    return lines


def _answer_task(runtime: Runtime, result: Result, again: str | None, *, files_asked: bool) -> None:
    task_id = result.task_id or ""
    if files_asked:
        runtime.output.notice(
            "The pictures cannot be saved before they are made; the command below does it then."
        )
    runtime.output.answer(
        {**result.document, "files": []},
        [("task", task_id), ("next", runtime.again(again or ""))],
        [task_id],
    )


def files_missing(failures: Sequence[DownloadError], task_id: str | None, hint: str | None) -> DownloadError:
    """The files of a job that could not be saved, as one failure."""
    sentence = " ".join(dict.fromkeys(error.message for error in failures))
    what = "a file is" if len(failures) == 1 else f"{len(failures)} files are"
    return DownloadError(
        f"The job is done and billed, once; {what} missing: {sentence}", task_id=task_id, hint=hint
    )


def _show_request(runtime: Runtime, body: Mapping[str, Any], *, stream: bool) -> None:
    """The request as a curl command; the token stays in the environment variable that it would come from."""
    import shlex

    from mjcli.api.client import IMAGINE

    settings = runtime.settings
    # The sandbox's address is not known before it is up, and nothing is started for a dry run.
    base = settings.base_url.value or "http://127.0.0.1:8765"
    in_query = settings.token_in.value == "query"
    accept = "application/x-ndjson" if stream else "application/json"
    words = [
        "curl",
        *(["-N"] if stream else []),
        "-X",
        "POST",
        f'"{base}{IMAGINE}?token=$MJ_TOKEN"' if in_query else shlex.quote(base + IMAGINE),
        *([] if in_query else ["-H", '"authorization: Bearer $MJ_TOKEN"']),
        "-H",
        shlex.quote(f"accept: {accept}"),
        "-H",
        shlex.quote("content-type: application/json"),
        "--data-raw",
        shlex.quote(runtime.output.sayable_json(body)),
    ]
    command = " ".join(words)
    document = {
        "curl": command,
        "method": "POST",
        "url": base + IMAGINE,
        "accept": accept,
        "body": dict(body),
    }
    if runtime.output.json:
        runtime.output.answer(document, [])
    else:
        runtime.output.text(command + "\n")

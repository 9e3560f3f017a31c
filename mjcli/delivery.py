"""From what a command wants to what the user gets: build the order, run it, save its files, answer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.errors import (
    ConfigError,
    DownloadError,
    ExitCode,
    Interrupted,
    MjError,
    StillRunning,
    UsageError,
    take_up,
)
from mjcli.render.text import json_line
from mjcli.render.watch import FilesWatch, JobWatch

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.context import Runtime
    from mjcli.filenames import Target
    from mjcli.options import FileOptions, JobOptions

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


def prompt_body(
    runtime: Runtime,
    images: Sequence[str],
    words: str,
    given: Mapping[str, Sequence[str]],
    **fields: bool | None,
) -> dict[str, Any]:
    """The body of a job from a prompt: images, words and parameters composed; fields that are None left out.

    Warns of typographic slips, which are sent as they are. Raises `UsageError` as `compose` does.
    """
    from mjcli.prompt.compose import body_fields, compose
    from mjcli.prompt.rules import typographic_slips

    for slip in typographic_slips(words):
        runtime.output.warning(f"{slip} is sent as a word; a parameter begins with two hyphens.")
    prompt = compose(images, words, given)
    return {"action": "generate", "prompt": prompt, **body_fields(given), **_asked_for(fields)}


def _asked_for(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for; the service has defaults of its own for the rest."""
    return {name: value for name, value in fields.items() if value is not None}


def deliver_all(runtime: Runtime, jobs: Sequence[Wanted], options: JobOptions, files: FileOptions) -> None:
    """Run jobs one after the other; one that fails by itself does not stop the rest."""
    check_options(options)
    target = file_target(runtime, files)
    for number, job in enumerate(jobs):
        try:
            deliver(runtime, job, options, files, target)
        except MjError as error:
            if len(jobs) == 1:
                raise
            runtime.output.failure(error)
            runtime.fail(error.exit_code)
            if error.exit_code not in _ONE_JOB_ONLY:
                runtime.output.not_done(len(jobs) - number - 1, error)
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
        parent_image=wanted.parent_image,
        files_asked=None
        if target is None
        else {"directory": str(target.directory), "template": target.template},
        stream=stream,
        at_once=at_once,
        timeout=options.timeout,
    )
    runtime.output.detail(
        f"POST {runtime.base_url}{order.path}, profile {runtime.profile}: {json_line(body)}"
    )
    if not options.no_ledger:
        runtime.output.detail(f"The ledger is {runtime.ledger.path}.")
    print_events = runtime.output.json and options.stream is True
    with JobWatch(runtime.output, bar=stream, print_events=print_events, at_once=at_once) as watch:
        try:
            identity, result = runtime.runner(ledger=not options.no_ledger).run(order, watch)
        except (Interrupted, StillRunning) as error:
            if error.task_id:
                error.hint = take_up(error.task_id, files.output)
            raise
    try:
        if at_once and not result.complete:
            _answer_task(runtime, result, files.output, files_asked=target is not None)
        else:
            _finish(runtime, wanted, result, identity, target, force=files.force)
    except Interrupted as stop:
        stop.sent, stop.finished, stop.task_id = True, result.complete, result.task_id
        stop.hint = take_up(result.task_id, files.output) if result.task_id else None
        raise
    except DownloadError as error:
        error.task_id = error.task_id or result.task_id
        if result.complete:
            error.message = f"The job is done, but: {error.message}"
            error.hint = f"mj describe-task {result.task_id}" if result.task_id else None
        raise


def _finish(
    runtime: Runtime,
    wanted: Wanted,
    result: Result,
    identity: str | None,
    target: Target | None,
    *,
    force: bool,
) -> None:
    """Save the files of a job that is done, and answer."""
    saved: list[str] = []
    failures: list[DownloadError] = []
    if target is not None:
        from mjcli.filenames import fields_of

        fields = fields_of(
            prompt=wanted.slug, image_id=result.image_id, task_id=result.task_id, action=wanted.action
        )
        saved, failures = save_files(runtime, result, target, fields, force=force)
        if identity is not None and saved:
            with contextlib.suppress(ConfigError):  # the files are there, whatever the ledger knows of them
                runtime.ledger.saved(identity, saved)
    elif runtime.settings.sandbox.value:
        runtime.output.notice(
            "The sandbox ends with this command, and so does the link; --download keeps the picture."
        )
    answer_result(runtime, result, saved, failures)


def _shared_fields(runtime: Runtime, options: JobOptions) -> dict[str, Any]:
    """The body's fields that every job command sets alike."""
    return _asked_for(
        {
            "mode": options.mode or runtime.settings.mode.value,
            "split_images": options.split_images,
            "timeout": None if options.timeout is None else math.ceil(options.timeout),
            "callback_url": options.callback_url,
            "async": True if options.no_wait else None,
        }
    )


def save_files(
    runtime: Runtime, result: Result, target: Target, fields: Mapping[str, str], *, force: bool
) -> tuple[list[str], list[DownloadError]]:
    """Download what a result has; gives the absolute paths and what went wrong."""
    from mjcli.downloads import Downloader

    def fresh_links() -> Sequence[str]:
        record = runtime.client.task(result.task_id) if result.task_id else None
        return record.response.file_urls if record is not None and record.response is not None else ()

    urls = result.file_urls
    labels = [f"file {n}/{len(urls)}" if len(urls) > 1 else "file" for n in range(1, len(urls) + 1)]
    with (
        Downloader(
            allow_private=runtime.on_this_machine, use_environment=not runtime.settings.sandbox.value
        ) as fetch,
        FilesWatch(runtime.output, labels) as progress,
    ):
        saved, failures = fetch.save_all(
            urls, target, fields, force=force, refresh=fresh_links, progress=progress
        )
    for file in saved:
        if file.kept:
            runtime.output.notice(f"{file.path} was there already and was kept; --force fetches it again.")
    return [str(file.path) for file in saved], failures


def answer_result(
    runtime: Runtime, result: Result, saved: Sequence[str], failures: Sequence[DownloadError] = ()
) -> None:
    """Answer a finished job; files that could not be saved make it a failure (exit 8) that still tells all."""
    document = {**result.document, "files": list(saved)}
    quiet = [*saved] or [each for each in [result.picture_url or result.task_id] if each]
    problem = _joined(failures, result.task_id) if failures else None
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


def _answer_task(runtime: Runtime, result: Result, output: str | None, *, files_asked: bool) -> None:
    task_id = result.task_id or ""
    following = runtime.again(take_up(task_id, output))
    if files_asked:
        runtime.output.notice(
            "The pictures cannot be saved before they are made; the command below does it then."
        )
    runtime.output.answer(
        {**result.document, "files": []}, [("task", task_id), ("next", following)], [task_id]
    )


def _joined(failures: Sequence[DownloadError], task_id: str | None) -> DownloadError:
    sentence = " ".join(dict.fromkeys(error.message for error in failures))
    hint = f"mj describe-task {task_id} --download" if task_id else None
    return DownloadError(f"The job is done, but: {sentence}", task_id=task_id, hint=hint)


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

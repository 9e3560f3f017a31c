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
from mjcli.render.text import shortened
from mjcli.render.watch import JobWatch
from mjcli.saving import asked_of, file_target, files_missing, save_files

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.context import Runtime
    from mjcli.filenames import Target
    from mjcli.jobs import Order, Outcome
    from mjcli.ledger import Job
    from mjcli.options import FileOptions, JobOptions

T = TypeVar("T")

_UNRECORDED = "--no-ledger sends the job without a record of it"

_STAND_IN = "https://callback.invalid/"  # for the address of a receiver that a dry run does not open

# The endpoints that answer by a stream, and have fields for how the job is waited for (api.md, "Endpoints").
_STREAMING = ("imagine", "edits", "videos")

# After these ends of one job the next of several can still fare better.
_ONE_JOB_ONLY = (ExitCode.REFUSED, ExitCode.RUNNING, ExitCode.FILE, ExitCode.UNKNOWN)


class Wanted(NamedTuple):
    """A job as a command asks for it: its kind, its body, and what names its files."""

    kind: str
    body: Mapping[str, Any]
    slug: str  # the prompt that the files are named after
    parent_image: str | None = None
    endpoint: str = "imagine"

    @property
    def path(self) -> str:
        """The endpoint's path."""
        return f"/midjourney/{self.endpoint}"

    @property
    def action(self) -> str:
        """The word for what is done."""
        from mjcli.ledger import action_of

        return action_of(self.kind, self.body)

    @classmethod
    def of(cls, job: Job) -> Wanted:
        """What a job of the ledger once asked for."""
        return cls(job.kind, job.request, job.words, job.parent_image, job.path.rpartition("/")[2])


def asked_for(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are to be sent: the service has defaults of its own for the rest, which are None."""
    return {name: value for name, value in fields.items() if value is not None}


def prepared(runtime: Runtime, options: JobOptions, files: FileOptions) -> Target | None:
    """Where files go; what would keep jobs from being done is found out before anything at all is sent."""
    check_options(options)
    return file_target(runtime, files)


def deliver_all(
    runtime: Runtime,
    jobs: Sequence[Wanted],
    options: JobOptions,
    files: FileOptions | None,
    target: Target | None = None,
) -> None:
    """Run jobs one after the other, as `prepared`; `files` is None for those that make none."""
    if target is not None and len(jobs) > 1:
        from mjcli.filenames import check_for_several

        check_for_several(target)
    one_after_another(runtime, jobs, lambda job: deliver(runtime, job, options, files, target), left="sent")


def one_after_another(runtime: Runtime, jobs: Sequence[T], do: Callable[[T], object], *, left: str) -> None:
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
    if options.listen and (url is not None or options.no_wait):
        other = "--no-wait" if url is None else "--callback-url"
        raise UsageError(f"--listen waits for a callback of its own, so it contradicts {other}.")
    if not options.listen and (options.host, options.port, options.public_url) != ("127.0.0.1", 0, None):
        raise UsageError("--host, --port and --public-url are for --listen.", hint="mj imagine … --listen")


def deliver(
    runtime: Runtime,
    wanted: Wanted,
    options: JobOptions,
    files: FileOptions | None,
    target: Target | None = None,
    *,
    told: bool = True,
) -> Outcome | None:
    """One job, from its order to its answer, unless that is not to be `told`; None when nothing was sent."""
    body = {**wanted.body, **_shared_fields(runtime, wanted, options)}
    at_once = options.no_wait or options.callback_url is not None
    stream = bool(options.stream) if at_once else options.stream is not False
    stream = stream and wanted.endpoint in _STREAMING
    if options.dry_run:
        if options.listen:
            runtime.output.notice(f"The address of a receiver would stand in place of {_STAND_IN}")
            body["callback_url"] = _STAND_IN
        _show_request(runtime, wanted.path, body, stream=stream)
        return None
    from mjcli.jobs import Order

    force, output = (files.force, files.output) if files is not None else (False, None)
    order = Order(
        kind=wanted.kind,
        path=wanted.path,
        body=body,
        subject=wanted.slug,
        parent_image=wanted.parent_image,
        files_asked=asked_of(target, force=force),
        stream=stream,
        at_once=at_once,
        timeout=options.timeout,
    )
    with _called(runtime, order, options) as order:
        outcome = _run(runtime, order, options, output)
    again = _again(outcome, output)
    with _done_but(outcome, again):
        if at_once and not outcome.result.complete:
            _answer_task(runtime, outcome.result, again, files_asked=target is not None)
        elif told:
            _finish(runtime, wanted, outcome, target, again, force=force)
    return outcome


@contextlib.contextmanager
def _called(runtime: Runtime, order: Order, options: JobOptions) -> Iterator[Order]:
    """With --listen, the order with the address of a receiver that is there for as long as this lasts."""
    if not options.listen:
        yield order
        return
    from mjcli.callbacks import mailbox

    with mailbox(host=options.host, port=options.port, public_url=options.public_url) as box:
        runtime.output.detail(f"Callbacks are received at {box.url}")
        if options.public_url is None and not reachable(runtime, options.host):
            runtime.output.warning(
                f"The service cannot reach {box.url} from outside; the task is looked at now and then instead."
                " --public-url gives the address of a tunnel."
            )
        yield order._replace(body={**order.body, "callback_url": box.url}, calls=box)


def reachable(runtime: Runtime, host: str) -> bool:
    """Whether the API may reach a receiver under the address that it is bound to."""
    from mjcli.config import is_loopback

    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - which interface leads outside, nobody here knows
        host = "localhost"
    address = f"[{host}]" if ":" in host else host
    return runtime.on_this_machine or not is_loopback(f"http://{address}")


def _run(runtime: Runtime, order: Order, options: JobOptions, output: str | None) -> Outcome:
    """Send a job and watch it; however it ends, the exception says what that means for the money."""
    runtime.client.retries = options.retries
    runtime.output.detail(
        f"POST {runtime.base_url}{order.path}, profile {runtime.profile}: {shortened(dict(order.body))}"
    )
    print_events = runtime.output.json and options.stream is True
    with JobWatch(
        runtime.output, bar=order.stream, print_events=print_events, at_once=order.at_once
    ) as watch:
        try:
            if not options.no_ledger:
                runtime.output.detail(f"The ledger is {runtime.ledger.path}.")
            return runtime.runner(ledger=not options.no_ledger).run(order, watch)
        except (Interrupted, StillRunning) as error:
            if error.task_id and options.no_ledger:
                error.hint = take_up(error.task_id, output)
            raise
        except ConfigError as error:  # of the ledger; once the request has left, it costs no job any more
            error.message = f"{full_stop(error.message)} Nothing was sent, so nothing is paid."
            error.hint = "\n".join(each for each in (error.hint, _UNRECORDED) if each)
            raise


def take_up_job(
    runtime: Runtime, job: Job, target: Target | None, *, force: bool, timeout: float | None
) -> None:
    """One job of the ledger, from where it was left to its answer; its files go to `target`."""
    with JobWatch(runtime.output) as watch:
        outcome = runtime.runner(ledger=True).resume(job, watch, timeout=timeout)
    again = resume(job.reference)
    with _done_but(outcome, again):
        _finish(runtime, Wanted.of(job), outcome, target, again, force=force, earlier=job)


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
    result = outcome.result
    saved: list[str] = []
    failures: list[DownloadError] = []
    if target is not None:
        saved, failures = save_and_note(runtime, wanted, outcome, target, force=force, earlier=earlier)
    elif runtime.settings.sandbox.value and result.file_urls:
        runtime.output.notice(
            "The sandbox ends with this command, and so does the link; --download keeps the picture."
        )
    problem = files_missing(failures, outcome.task_id, again) if failures else None
    answer_result(runtime, result, saved, problem, _next_lines(runtime, wanted, outcome))


def save_and_note(
    runtime: Runtime,
    wanted: Wanted,
    outcome: Outcome,
    target: Target,
    *,
    force: bool,
    earlier: Job | None = None,
) -> tuple[list[str], list[DownloadError]]:
    """Save the files of a job that is done, and tell the ledger; `earlier` is as in `_finish`."""
    from mjcli.filenames import fields_of

    identity, task_id, result = outcome
    fields = fields_of(
        prompt=wanted.slug,
        image_id=result.id,
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
            runtime.ledger.saved(identity, list(dict.fromkeys((*before, *saved))), files_due=len(failures))
    return saved, failures


def _next_lines(runtime: Runtime, wanted: Wanted, outcome: Outcome) -> list[tuple[str, str]]:
    """What to type after an answer in words."""
    if wanted.kind == "describe" and outcome.identity is not None:
        return [("next", runtime.again(f"mj describe {outcome.task_id or outcome.identity[:8]} --use 1"))]
    if wanted.kind == "shorten":
        import shlex

        return [("next", runtime.again(f"mj imagine {shlex.quote(outcome.result.texts[0])}"))]
    return []


def _shared_fields(runtime: Runtime, wanted: Wanted, options: JobOptions) -> dict[str, Any]:
    """The body's fields that every job command sets alike, as far as the endpoint knows them."""
    if wanted.endpoint not in _STREAMING:
        return {}
    mode = options.mode or runtime.settings.mode.value
    if wanted.endpoint == "videos" and mode == "relax":  # from the settings: the option knows better
        runtime.output.notice("There is no relax mode for videos; the service's own default is used.")
        mode = None
    return asked_for(
        {
            "mode": mode,
            "split_images": options.split_images,
            "timeout": None if options.timeout is None else math.ceil(options.timeout),
            "callback_url": options.callback_url,
            "async": True if options.no_wait else None,
        }
    )


def answer_result(
    runtime: Runtime,
    result: Result,
    saved: Sequence[str],
    problem: DownloadError | None = None,
    more: Sequence[tuple[str, str]] = (),
) -> None:
    """Answer a finished job; files that could not be saved make it a failure (exit 8) that still tells all.

    `more` are further lines for people.
    """
    document = {**result.document, "files": list(saved)}
    lines = [*result_lines(runtime, result, saved), *more]
    runtime.answer(document, lines, quiet_lines(result, saved), problem)


def quiet_lines(result: Result, saved: Sequence[str]) -> list[str]:
    """What --quiet prints of a result: the saved files, else the words or links that were asked for, else the task."""
    found = [*saved] or result.texts or result.video_urls
    return found or [each for each in [result.picture_url or result.task_id] if each]


def result_lines(runtime: Runtime, result: Result, saved: Sequence[str]) -> list[tuple[str, str]]:
    """A result as people read it, and the command to type next."""
    lines = [*_text_lines(result), *_link_lines(result)]
    size = None if result.video_urls else result.size  # of videos it would be that of their cover
    for name, value in (("id", result.id), ("task", result.task_id), ("size", size)):
        if value:
            lines.append((name, value))
    if result.actions:
        lines.append(("actions", " ".join(result.actions)))
    lines += [("file", path) for path in saved]
    if result.actions and result.image_id:
        lines.append(("next", runtime.again(f"mj action {result.actions[0]} {result.image_id}")))
    elif result.video_id:
        lines.append(("next", runtime.again(f'mj extend-video {result.video_id} "PROMPT" --index 0')))
    return lines


def _text_lines(result: Result) -> list[tuple[str, str]]:
    """An answer in words; several are numbered."""
    for name in ("content", "seed"):
        if result.texts == [str(result.document.get(name))]:
            return [(name, result.texts[0])]
    return [(str(number), text) for number, text in enumerate(result.texts, start=1)]


def _link_lines(result: Result) -> list[tuple[str, str]]:
    """Where pictures and videos are."""
    picture = [result.picture_url] if result.picture_url and not result.texts else []
    if videos := result.video_urls:
        return [*(("video", url) for url in videos), *(("cover", url) for url in picture)]
    parts = result.file_urls
    lines = [("link", url) for url in picture or parts]
    return [*lines, *(("part", url) for url in parts)] if len(parts) > 1 else lines


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


def _show_request(runtime: Runtime, path: str, body: Mapping[str, Any], *, stream: bool) -> None:
    """The request as a curl command; the token stays in the environment variable that it would come from."""
    import shlex

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
        f'"{base}{path}?token=$MJ_TOKEN"' if in_query else shlex.quote(base + path),
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
        "url": base + path,
        "accept": accept,
        "body": dict(body),
    }
    if runtime.output.json:
        runtime.output.answer(document, [])
    else:
        runtime.output.text(command + "\n")

"""`mj listen`: receive the service's callbacks."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.cli.hints import Outside, command, follow, resume
from mjcli.cli.options import FileOptions, HostOption, PortOption, PublicUrlOption, SplitOption
from mjcli.cli.parser import MjCommand, new_app, takes
from mjcli.errors import DownloadError, Interrupted, MjError, OutputError, StillRunning

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from mjcli.cli.context import Context
    from mjcli.cli.finished import FinishedJob
    from mjcli.cli.output.sink import Output
    from mjcli.cli.programs import Programs
    from mjcli.cli.save import Saver
    from mjcli.jobs.callbacks import Event, Inbox
    from mjcli.media.names import Target

_UNFINISHED = "Unfinished jobs continue at the service and are billed if they succeed."

app = new_app()

QUIET_SECONDS = 5.0  # without a callback, after which --until-idle ends
LAST_SECONDS = 5.0  # after the deadline, for the last query and the files in progress
POLL_SECONDS = 0.5  # between checks whether it is over
MAX_WORDS = 30  # characters of a prompt, on a terminal
_COLOURS = {"progress": "36", "success": "32", "failure": "31"}


@app.command(
    "listen",
    cls=MjCommand,
    epilog="""mj listen --port 8766
# In another terminal, with the address that the first one shows
mj imagine "a cat" --callback-url http://127.0.0.1:8766/…
# A tunnel that lets the service reach this machine, either of these
cloudflared tunnel --url http://127.0.0.1:8766
ngrok http 8766
# and the address that it shows
mj listen --port 8766 --public-url https://example.trycloudflare.com
# In a script: events as JSON Lines, until all jobs sent with the address have ended
mj listen --json --until-idle --download
# Pass each event to a program
mj listen --exec ./on-event.sh""",
)
@takes(files=FileOptions)
def listen(
    ctx: typer.Context,
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    public_url: PublicUrlOption = None,
    once: Annotated[
        str | None, typer.Option("--once", metavar="TASK", help="Exit when this task has ended.")
    ] = None,
    until_idle: Annotated[
        bool,
        typer.Option(
            "--until-idle",
            help="Exit when all jobs with this address have ended.",
        ),
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, max=604_800, metavar="SECONDS", help="Deadline for listening.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also accept callbacks for tasks that are not in the ledger.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Accept callbacks without confirming them."),
    ] = False,
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Command to run for each event, with its JSON on stdin.",
        ),
    ] = None,
    *,
    split: SplitOption = False,
    files: FileOptions,
) -> None:
    """Receive callbacks and print each as an event.

    The address for --callback-url is printed first. Callbacks are not signed, so each is confirmed with the
    service before it is accepted and recorded in the ledger. The command of --exec runs without a shell, with
    the event on its standard input and MJ_EVENT, MJ_TASK_ID and MJ_IMAGE_ID in its environment. It runs for
    one event at a time, at most 15 minutes each, and is terminated when listening ends.
    """
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.save import Saver, file_target, preload
    from mjcli.jobs.callbacks import Inbox, open_receiver
    from mjcli.media.names import check_for_several

    context: Context = ctx.obj
    context.resuming = True
    words = _command(exec_)
    settings = context.settings
    target = file_target(context.output, settings, files, split=split)
    if target is not None and files.output is not None:
        check_for_several(target)
    lookup = Lookup.of(context)
    awaited = [lookup.task(once)] if once is not None else []
    tokenless = trust and not settings.token.value
    inbox = Inbox(
        None if tokenless else context.client,
        context.ledger,
        profile=settings.profile.value,
        host=settings.host,
        warn=context.output.alarm,
        trust=trust,
        accept_unknown=everything,
        awaited=awaited,
    )
    preload(files=True)
    import mjcli.cli.output.times  # noqa: F401 - for each event

    receiver, inbox.url = open_receiver(inbox.receive, host=host, port=port, public_url=public_url)
    deadline = None if timeout is None else time.monotonic() + timeout
    over = _until(inbox, awaited, until_idle=until_idle)
    with (
        _explained_stop(context),
        receiver,
        _programs(context, words, deadline) as programs,
        _stopped_downloads(context, None if target is None else deadline),
    ):
        reporter = _Reporter(context, Saver.of(context, lookup), files, target, awaited, inbox, programs)
        _announce(context, inbox.url, receiver.port)
        try:
            inbox.start_polling(at_once=bool(awaited))
            _report_all(inbox, reporter.report, over, deadline, context.output)
        finally:
            inbox.close()


@contextmanager
def _programs(context: Context, words: list[str] | None, deadline: float | None) -> Iterator[Programs | None]:
    """What runs the command of --exec; at a normal end, its runs are waited for until the deadline."""
    if words is None:
        yield None
        return
    from mjcli.cli.programs import Programs

    output = context.output
    environment = output.secret.environment(context.environ)
    programs = Programs(words, environment, stdout=output.stderr.fileno(), warn=output.alarm)
    try:
        yield programs
        programs.finish(None if deadline is None else max(deadline - time.monotonic(), 0.0))
    finally:
        programs.close()


@contextmanager
def _stopped_downloads(context: Context, deadline: float | None) -> Iterator[None]:
    """Stop the downloads soon after the deadline; what is missing then is reported."""
    if deadline is None:
        yield
        return
    import threading

    stop = context.downloader.stop  # created here: the timer runs in a thread of its own
    timer = threading.Timer(deadline + LAST_SECONDS - time.monotonic(), stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _explained_stop(context: Context) -> Iterator[None]:
    """Word Ctrl-C and the deadline as normal ends of listening; only unfinished jobs need a next command."""

    def unfinished() -> bool:
        return bool(context.ledger.unfinished(context.settings.profile.value))

    try:
        yield
    except Interrupted as stop:
        stop.sentence = "Stopped listening."
        if unfinished():
            stop.sentence += f" {_UNFINISHED}"
            stop.hint = stop.hint or command("resume")
        raise
    except StillRunning as error:
        if unfinished():
            error.message += f" {_UNFINISHED}"
        raise


def _command(text: str | None) -> list[str] | None:
    """The words of --exec, its program found. Raises `UsageError`."""
    if text is None:
        return None
    from mjcli.cli.programs import program

    return program(text)


def _announce(context: Context, url: str, port: int) -> None:
    """Show where callbacks are to be sent, first thing."""
    from mjcli.cli.submit import is_reachable

    output = context.output
    if output.mode.field is None:  # a field is one of the events
        output.answer({"event": "listening", "callback_url": url}, [("callback url", url)], [url])
    if not output.stdout_is_terminal:
        output.notice(f"Receiving callbacks at {url}")
    if not is_reachable(context.settings, url):
        output.notice(
            "The service cannot reach this address, which is in a private network. A tunnel lets it, for"
            f" example: cloudflared tunnel --url http://127.0.0.1:{port}"
        )
        line = command("listen", "--port", str(port), "--public-url")
        output.notice(f"Then: {line} https://… (the address that the tunnel shows)")


def _until(inbox: Inbox, awaited: list[str], *, until_idle: bool) -> Callable[[], bool]:
    """Whether it is over: checked after each event, and now and then."""

    def over() -> bool:
        if awaited and not inbox.outstanding() & set(awaited):
            return True
        if not until_idle or inbox.last_received_at is None:
            return False
        return time.monotonic() - inbox.last_received_at > QUIET_SECONDS and not inbox.outstanding()

    return over


def _report_one(event: Event, report: Callable[[Event], None], output: Output) -> None:
    """Report an event; a failure concerns this event alone, unless standard output cannot be written."""
    try:
        report(event)
    except OutputError:
        raise
    except MjError as error:
        error.task_id = error.task_id or event.task_id
        output.failure(error)
    except Exception as error:
        output.alarm(f"The {event.kind} of task {event.task_id} was received, but could not be reported.")
        output.unexpected(error)


def _report_all(
    inbox: Inbox,
    report: Callable[[Event], None],
    over: Callable[[], bool],
    deadline: float | None,
    output: Output,
) -> None:
    """Report each event until it is over. Raises `StillRunning` at the deadline."""
    failed = False  # whether the last check failed, which is reported once

    def report_waiting() -> None:
        """Report the events that wait now; those that arrive meanwhile must not delay the end."""
        for _ in range(len(inbox)):
            if (event := inbox.next(0)) is not None:
                _report_one(event, report, output)

    while True:
        try:
            finished, failed = over(), False
        except MjError as error:  # of the ledger, which another process may be using
            if not failed:
                output.alarm(error.message)
            finished, failed = False, True
        if finished:  # an event is in the ledger a moment before it is queued
            if (event := inbox.next(POLL_SECONDS)) is None:
                return
            _report_one(event, report, output)
            report_waiting()
            return
        left = POLL_SECONDS if deadline is None else deadline - time.monotonic()
        if left <= 0:
            break
        if (event := inbox.next(min(left, POLL_SECONDS))) is not None:
            _report_one(event, report, output)
    with suppress(Exception):  # the events that wait are reported in any case
        inbox.poll(seconds=LAST_SECONDS)
    report_waiting()
    with suppress(MjError):
        if over():
            return
    raise StillRunning("The deadline passed.", hint=command("resume"))


class _Reporter:
    """Does with each event what was requested: a line, files, a run of a command."""

    def __init__(
        self,
        context: Context,
        saver: Saver,
        files: FileOptions,
        target: Target | None,
        awaited: Collection[str],
        inbox: Inbox,
        programs: Programs | None,
    ) -> None:
        self._context, self._output, self._saver = context, context.output, saver
        self._files, self._target, self._awaited = files, target, awaited
        self._inbox, self._programs = inbox, programs

    def report(self, event: Event) -> None:
        """Save the files of an event, print it, and run the command."""
        document: dict[str, Any] = {}
        try:
            self._report(event, document)
            if self._programs is None:
                self._inbox.release(event.size)
            else:
                self._run(event, document, self._programs)
        except BaseException:
            self._inbox.release(event.size)
            raise

    def _report(self, event: Event, document: dict[str, Any]) -> None:
        """Save the files of an event and print it; `document` is filled with what is printed."""
        from mjcli.cli.finished import FinishedJob

        job = event.job
        finished = FinishedJob(
            event.result,
            event.task_id,
            job.uuid if job is not None else None,
            job.words if job is not None else "",
            job.action if job is not None else "task",
            request=job.request if job is not None else {},
            parent=job.parent if job is not None else None,
        )

        def show(_job: FinishedJob, saved: list[str], problem: DownloadError | None) -> None:
            document.update(
                {
                    **event.result.document,
                    "task_id": event.task_id,
                    "files": saved,
                    "event": event.kind,
                    "confirmed": event.confirmed,
                }
            )
            self._print(event, document, saved, problem)

        self._saver.finish(
            finished,
            self._target_of(event),
            force=self._files.force,
            retry=self._retry(event),
            show=show,
        )
        if event.kind == "failure" and event.task_id in self._awaited:
            self._output.fail(event.result.error().exit_code)

    def _retry(self, event: Event) -> str:
        """What saves the missing files of an event: `mj resume` does it for those that the job itself requested."""
        output = self._files.output
        if event.job is None:
            return follow(event.task_id, output)
        if event.job.files_asked is not None and output is None:
            return resume(event.task_id)
        return command("download", Outside(event.task_id), *(["-o", output] if output else []))

    def _target_of(self, event: Event) -> Target | None:
        """Where the files of a success go: as --output says, else as the job itself requested."""
        from mjcli.cli.save import stored_target, with_options

        target = self._target
        if target is None or event.kind != "success":
            return None
        stored = stored_target(event.job) if event.job is not None else None
        if self._files.output is not None or stored is None:
            return target
        return with_options(stored, self._files)._replace(split=stored.split or target.split)

    def _print(
        self, event: Event, document: dict[str, Any], saved: list[str], problem: DownloadError | None
    ) -> None:
        from mjcli.cli.output.result import quiet_lines

        output = self._output
        if output.json:
            output.answer(document, [])
        elif not output.mode.quiet:
            colours = output.colours(output.stdout)
            terminal = output.stdout_is_terminal
            output.text(_row(event, saved, colours=colours) if terminal else _line(event, saved))
        elif event.kind == "success":
            output.answer({}, [], quiet_lines(event.result, saved))
        if event.kind == "failure" and output.mode.quiet:
            output.alarm(f"Task {event.task_id} failed: {event.result.error().message}")
        if problem is not None:
            output.alarm(problem)
            output.fail(problem.exit_code)

    def _run(self, event: Event, document: dict[str, Any], programs: Programs) -> None:
        """Run the command of --exec for an event; its output goes to standard error."""
        from mjcli.cli.output.text import encode, encode_json, json_line, visible
        from mjcli.cli.programs import Run

        kind, task_id = event.kind, event.task_id
        ledger, host = self._context.ledger, self._context.settings.host
        variables = {
            "MJ_EVENT": kind,
            "MJ_TASK_ID": task_id,
            # An environment cannot hold every id; the event on standard input has it as received.
            "MJ_IMAGE_ID": encode(visible(event.result.id or ""), "utf-8").decode(),
        }

        def encoded(document: dict[str, Any]) -> bytes:
            return self._output.secret.hide_bytes(encode_json(json_line(document) + "\n"))

        data = encoded(document) if event.size else None
        rest = {name: document[name] for name in ("task_id", "files", "event", "confirmed")}

        def stdin() -> bytes:
            if data is not None:
                return data
            # The inbox had no room for the document, and neither has the queue of the programs.
            job = ledger.by_task(host, task_id)
            outcome = {} if job is None else job.result or {"success": False, "error": job.error}
            return encoded({**outcome, **rest})

        size, inbox = event.size, self._inbox
        programs.add(Run(f"the {kind} of task {task_id}", variables, stdin, lambda: inbox.release(size)))


def _fields(event: Event, saved: list[str]) -> tuple[str, str]:
    """The words of an event's job, and its progress, files or error."""
    result = event.result
    words = event.job.words if event.job is not None else ""
    if event.kind == "progress":
        return words, "" if result.progress is None else f"{result.progress}%"
    if event.kind == "failure":
        error = result.error()
        return words, f"{error.code}: {error.message}"
    return words, " ".join(saved or result.video_urls or result.texts or [result.image_link or ""])


def _line(event: Event, saved: list[str]) -> str:
    """An event for programs: time, kind, task, words and details, separated by tabs."""
    from mjcli.cli.output.text import visible
    from mjcli.cli.output.times import utc_time

    fields = (utc_time(time.time()) or "", event.kind, event.task_id, *_fields(event, saved))
    return "\t".join(map(visible, fields)) + "\n"


def _row(event: Event, saved: list[str], *, colours: bool) -> str:
    """The same for people, short enough for a narrow terminal except for links and errors."""
    from mjcli.cli.output.text import visible

    words, details = _fields(event, saved)
    words = words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS - 1]}…"
    kind = f"{event.kind:8}"
    kind = f"\x1b[{_COLOURS[event.kind]}m{kind}\x1b[0m" if colours else kind
    fields = (visible(event.task_id[:8]), visible(words), visible(details))
    return "  ".join([time.strftime("%H:%M:%S"), kind, *filter(None, fields)]) + "\n"

"""`mj listen`: receives the service's callbacks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mjcli.errors import DownloadError, StillRunning, UsageError
from mjcli.options import FileOptions, HostOption, MjCommand, PortOption, PublicUrlOption, new_app, takes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mjcli.callbacks import Event, Inbox
    from mjcli.context import Runtime
    from mjcli.filenames import Target

app = new_app()

QUIET_SECONDS = 5.0  # without a callback, after which nothing more is expected when all jobs have ended
PAUSE = 0.5  # seconds between looks at whether it is over
WORDS_SHOWN = 30  # characters of a prompt, on a terminal
_COLOURS = {"progress": "36", "success": "32", "failure": "31"}


@app.command(
    "listen",
    cls=MjCommand,
    epilog="""mj listen --port 8766
# In another terminal, with the address that the first one shows
mj imagine "a cat" --callback-url http://127.0.0.1:8766/…
# Where the service is to reach this machine from outside: a tunnel, either of these
cloudflared tunnel --url http://127.0.0.1:8766
ngrok http 8766
# and the address that it shows
mj listen --port 8766 --public-url https://example.trycloudflare.com
# In a script: each event as a line of JSON, until all jobs that were sent with the address have ended
mj listen --json --until-idle --download
# Hand each event to a program
mj listen --exec ./on-event.sh""",
)
@takes(files=FileOptions)
def listen(
    ctx: typer.Context,
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    public_url: PublicUrlOption = None,
    once: Annotated[
        str | None, typer.Option("--once", metavar="TASK", help="End when this task has ended.")
    ] = None,
    until_idle: Annotated[
        bool,
        typer.Option(
            "--until-idle",
            help="End when something has come, all jobs sent with the address have ended, and nothing more comes.",
        ),
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Give up after so long.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also take callbacks for tasks that the ledger does not know.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Believe what a callback says; do not ask the service whether it is so."
        ),
    ] = False,
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Run this for each event, which it reads as JSON; MJ_EVENT is progress, success or failure.",
        ),
    ] = None,
    *,
    files: FileOptions,
) -> None:
    """Receive callbacks and tell each one as an event; the ledger learns of it, too.

    The address to give to --callback-url is shown first. Callbacks are not signed, so the service is asked
    whether one is true before it is believed. A command given to --exec is run without a shell, with the
    event on its standard input and MJ_EVENT, MJ_TASK_ID and MJ_IMAGE_ID in its environment.
    """
    from mjcli.callbacks import Inbox, open_receiver
    from mjcli.references import task_of

    runtime: Runtime = ctx.obj
    runtime.taking_up = True
    command = _command(exec_)
    target = _target(runtime, files)
    awaited = [task_of(runtime, once)] if once is not None else []
    tokenless = trust and not runtime.settings.token.value
    inbox = Inbox(
        None if tokenless else runtime.client,
        runtime.ledger,
        profile=runtime.profile,
        host=runtime.host,
        say=runtime.output.alarm,
        trust=trust,
        everything=everything,
        awaited=awaited,
    )
    receiver, inbox.url = open_receiver(inbox.receive, host=host, port=port, public_url=public_url)
    teller = _Teller(runtime, files, target, command, awaited)
    over = _until(inbox, awaited, until_idle=until_idle)
    with receiver:
        _announce(runtime, inbox.url, receiver.port, host, public_url)
        try:
            inbox.keep_looking(at_once=bool(awaited))
            _tell_all(inbox, teller.tell, over, timeout)
        finally:
            inbox.close()


def _command(text: str | None) -> list[str] | None:
    """The words of --exec, its program found. Raises `UsageError`."""
    if text is None:
        return None
    import shlex
    import shutil

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--exec {text!r} cannot be read: {error}.") from None
    if not words or shutil.which(words[0]) is None:
        raise UsageError(
            f"--exec: there is no program {words[0] if words else text!r}.",
            hint="--exec takes one program and its arguments; no shell reads it",
        )
    return words


def _target(runtime: Runtime, files: FileOptions) -> Target | None:
    """Where files are saved for which nothing else was asked, None when none are to be saved."""
    from mjcli.filenames import check_for_several
    from mjcli.saving import file_target

    target = file_target(runtime, files)
    if target is not None and files.output is not None:
        check_for_several(target)
    return target


def _announce(runtime: Runtime, url: str, port: int, host: str, public_url: str | None) -> None:
    """Say where callbacks are to be sent, first thing."""
    from mjcli.delivery import reachable

    output = runtime.output
    if output.mode.field is None:  # a field is one of the events
        output.answer({"event": "listening", "callback_url": url}, [("callback url", url)], [url])
    if not output.stdout_is_terminal:
        output.notice(f"Callbacks are received at {url}")
    if public_url is None and not reachable(runtime, host):
        output.notice(
            "Only programs on this machine can reach that. A tunnel lets the service do so, for example"
            f" cloudflared tunnel --url http://127.0.0.1:{port}"
        )
        output.notice(f"and then: mj listen --port {port} --public-url https://… (what the tunnel shows)")


def _until(inbox: Inbox, awaited: list[str], *, until_idle: bool) -> Callable[[], bool]:
    """Whether it is over: asked after each event, and now and then."""

    def over() -> bool:
        if awaited and not inbox.outstanding() & set(awaited):
            return True
        if not until_idle or inbox.heard_at is None:
            return False
        return time.monotonic() - inbox.heard_at > QUIET_SECONDS and not inbox.outstanding()

    return over


def _tell_all(
    inbox: Inbox, tell: Callable[[Event], None], over: Callable[[], bool], timeout: float | None
) -> None:
    """Tell each event until it is over. Raises `StillRunning` when that takes too long."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        event = inbox.next(PAUSE)
        if event is not None:
            tell(event)
        elif over():
            return
        elif deadline is not None and time.monotonic() >= deadline:
            raise StillRunning(
                "The wait for callbacks ended; jobs that still run go on at the service and are billed if they"
                " succeed.",
                hint="mj resume",
            )


class _Teller:
    """Makes of each event what was asked for: a line, files, a run of a command."""

    def __init__(
        self,
        runtime: Runtime,
        files: FileOptions,
        target: Target | None,
        command: list[str] | None,
        awaited: Collection[str],
    ) -> None:
        self._runtime, self._files, self._target = runtime, files, target
        self._command, self._awaited = command, awaited

    def tell(self, event: Event) -> None:
        saved, failures = self._saved(event)
        document = {
            **event.result.document,
            "task_id": event.task_id,
            "files": saved,
            "event": event.kind,
            "confirmed": event.confirmed,
        }
        self._answer(event, document, saved, failures)
        if event.kind == "failure" and event.task_id in self._awaited:
            self._runtime.fail(event.result.error().exit_code)
        if self._command is not None:
            self._run(event, document)

    def _saved(self, event: Event) -> tuple[list[str], list[DownloadError]]:
        """The files of a success, where --output says, else where the job itself was asked to save them."""
        from mjcli.delivery import Wanted, save_and_note
        from mjcli.jobs import Outcome
        from mjcli.saving import target_asked

        job, target = event.job, self._target
        if target is None or event.kind != "success":
            return [], []
        if self._files.output is None and job is not None:
            asked = target_asked(job)
            target = target if asked is None else asked._replace(split=asked.split or target.split)
        wanted = Wanted.of(job) if job is not None else Wanted("task", {}, "")
        outcome = Outcome(job.uuid if job is not None else None, event.task_id, event.result)
        return save_and_note(self._runtime, wanted, outcome, target, force=self._files.force)

    def _answer(
        self, event: Event, document: dict[str, Any], saved: list[str], failures: list[DownloadError]
    ) -> None:
        from mjcli.delivery import quiet_lines
        from mjcli.errors import resume
        from mjcli.saving import files_missing

        output = self._runtime.output
        if output.json:
            output.answer(document, [])
        elif not output.mode.quiet:
            colours = output.colours(output.stdout)
            terminal = output.stdout_is_terminal
            output.text(_row(event, saved, colours=colours) if terminal else _line(event, saved))
        elif event.kind == "success":
            output.answer({}, [], quiet_lines(event.result, saved))
        if event.kind == "failure" and output.mode.quiet:
            output.alarm(f"The task {event.task_id} failed: {event.result.error().message}")
        for failure in failures:
            problem = files_missing([failure], event.task_id, resume(event.task_id))
            output.alarm(problem.message)
            self._runtime.fail(problem.exit_code)

    def _run(self, event: Event, document: dict[str, Any]) -> None:
        """Run the command of --exec for an event; what it prints goes to standard error."""
        import subprocess

        from mjcli.render.text import encode, encode_json, json_line, visible

        assert self._command is not None
        runtime = self._runtime
        environment = {
            **runtime.environ,
            "MJ_EVENT": event.kind,
            "MJ_TASK_ID": event.task_id,
            # What no environment can hold is an id of nothing; the event on standard input has it as it came.
            "MJ_IMAGE_ID": encode(visible(event.result.id or ""), "utf-8").decode(),
        }
        try:
            done = subprocess.run(
                self._command,
                input=runtime.output.secret.hide_bytes(encode_json(json_line(document) + "\n")),
                stdout=runtime.stderr.fileno(),
                env=environment,
                check=False,
            )
        except (OSError, ValueError) as error:
            runtime.output.alarm(f"--exec could not be run for task {event.task_id}: {error}.")
            return
        if done.returncode != 0:
            runtime.output.alarm(
                f"--exec ended with status {done.returncode} for the {event.kind} of task {event.task_id}."
            )


def _fields(event: Event, saved: list[str]) -> tuple[str, str]:
    """The words of an event's job, and what matters of the event: how far, what was made, or why not."""
    result = event.result
    words = event.job.words if event.job is not None else ""
    if event.kind == "progress":
        return words, "" if result.progress is None else f"{result.progress}%"
    if event.kind == "failure":
        error = result.error()
        return words, f"{error.code}: {error.message}"
    return words, " ".join(saved or result.video_urls or result.texts or [result.picture_url or ""])


def _line(event: Event, saved: list[str]) -> str:
    """An event on one line for programs: time, kind, task, words and what matters, separated by tabs."""
    from mjcli.render.text import visible
    from mjcli.render.times import utc_time

    fields = (utc_time(time.time()) or "", event.kind, event.task_id, *_fields(event, saved))
    return "\t".join(map(visible, fields)) + "\n"


def _row(event: Event, saved: list[str], *, colours: bool) -> str:
    """The same for people, short enough for a narrow terminal but for links and reasons."""
    from mjcli.render.text import visible

    words, matter = _fields(event, saved)
    words = words if len(words) <= WORDS_SHOWN else f"{words[: WORDS_SHOWN - 1]}…"
    kind = f"{event.kind:8}"
    kind = f"\x1b[{_COLOURS[event.kind]}m{kind}\x1b[0m" if colours else kind
    fields = (visible(event.task_id[:8]), visible(words), visible(matter))
    return "  ".join([time.strftime("%H:%M:%S"), kind, *filter(None, fields)]) + "\n"

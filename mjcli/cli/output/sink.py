"""The sink: what goes to standard output and standard error, in which form, and the exit status of the run."""

from __future__ import annotations

import contextlib
import json
from _thread import RLock  # without the module threading, which help does not need
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from mjcli.cli.hints import (
    command,
    for_error,
    for_interruption,
    split_note,
    with_globals,
    without_sandbox,
)
from mjcli.cli.output.redact import VARIABLES, Secret
from mjcli.cli.output.terminal import discard, folded, in_foreground, obeys_escapes, terminal_width, write_all
from mjcli.cli.output.text import (
    encode,
    encode_exactly,
    encode_json,
    json_line,
    parse_field,
    raw_json_line,
    raw_value,
    select_field,
    visible,
    visible_lines,
)
from mjcli.cli.shell import with_variables
from mjcli.errors import (
    BatchRefused,
    DownloadError,
    ExitCode,
    Interrupted,
    MjError,
    OutputError,
    PromptRefused,
    UsageError,
    reason_of,
    unexpected,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mjcli.cli.output.live import Live
    from mjcli.cli.output.screen import Page

Lines = Sequence[tuple[str, str]]

_INDENT = " " * 4  # of lines that are never folded: excerpts and tracebacks
_NOTE = " " * 8  # the indent of a note below a command


class Streams(NamedTuple):
    """The standard streams of a run."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO


class Mode(NamedTuple):
    """The global options that concern the output."""

    json: bool = False
    field: str | None = None
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False


class Output:
    """Standard output for results, standard error for everything else.

    `global_options` returns the words that a suggested command needs to reach the same profile or sandbox.
    Raises `UsageError` when `--field` is not a path, before anything is done.
    """

    def __init__(
        self,
        streams: Streams,
        environ: Mapping[str, str],
        mode: Mode,
        *,
        global_options: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.stdin, self.stdout, self.stderr = streams
        self.environ = environ
        self.mode = mode
        self._global_options = global_options
        self.live: Live | None = None
        #: The tokens to mask: those of the environment, then also those of the settings.
        self.secret = Secret(*map(environ.get, VARIABLES))
        #: Whether standard output carries the bytes of an image and nothing else.
        self.carries_image = False
        #: Whether `ring` notifies a person at the end of the run.
        self.notifies = False
        #: The exit status of the run: that of the first failure.
        self.status: int = ExitCode.OK
        #: Why standard output failed; everything that would be printed later is missing, too.
        self._broken: str | None = None
        self._printing = RLock()  # several jobs may print at a time
        self._field: list[str | int] | None = None
        if mode.field is not None:
            try:
                self._field = parse_field(mode.field)
            except ValueError as error:
                raise UsageError(str(error)) from None

    @property
    def json(self) -> bool:
        """Whether standard output carries JSON, or a field of it."""
        return self.mode.json or self.mode.field is not None

    @property
    def child_environ(self) -> dict[str, str]:
        """The environment of a child process, without tokens."""
        return self.secret.environment(self.environ)

    @property
    def animates(self) -> bool:
        """Whether standard error is a terminal that can show a live display."""
        return not self.mode.quiet and obeys_escapes(self.stderr, self.environ)

    @property
    def stdout_is_terminal(self) -> bool:
        """Whether a person reads the result as it appears."""
        return self.stdout.isatty()

    @property
    def _one_screen(self) -> bool:
        """Whether one person sees both streams, so that nothing needs repeating."""
        return self.stdout.isatty() and self.stderr.isatty() and not self.mode.quiet

    def colours(self, stream: TextIO) -> bool:
        """Whether to colour output on `stream`; an empty variable is as good as none (https://bixense.com/clicolors)."""
        environ = self.environ
        if self.mode.no_color or environ.get("NO_COLOR"):
            return False
        if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "") not in ("", "0"):
            return True
        return environ.get("CLICOLOR") != "0" and obeys_escapes(stream, environ)

    def width(self, stream: TextIO) -> int:
        """Columns of the terminal behind `stream`."""
        return terminal_width(stream, self.environ)

    def check_field(self, command: str) -> None:
        """Refuse a `--field` that the objects of a command (`mj history`) cannot have. Raises `UsageError`."""
        if self._field is None:
            return
        from mjcli.cli.output.fields import check_field

        try:
            check_field(str(self._field[0]), command)
        except UsageError:
            # The failure's object does not have it, either.
            self._field, self.mode = None, self.mode._replace(field=None)
            raise

    def next_command(self, line: str, variables: Mapping[str, str] | None = None) -> str:
        """A command to type next, with the global options that reach the same profile or sandbox.

        `variables` are set in its environment. Empty if the terminal cannot show the line exactly as it is.
        """
        line = self.outside_sandbox(with_globals(line, self._global_options()))
        if line and variables:
            line = with_variables(line, variables)
        # A masked or escaped line would be another command.
        exact = self.secret.hide(visible(line)) == line and _can_encode(line, self.stderr.encoding)
        return line if exact else ""

    def outside_sandbox(self, line: str) -> str:
        """A command that needs the real service, so that it does even if MJ_SANDBOX is set; others unchanged."""
        return without_sandbox(line) if self.environ.get("MJ_SANDBOX") else line

    # -- standard output ---------------------------------------------------------------------------

    def answer(
        self,
        document: Mapping[str, Any],
        people: Lines,
        quiet: Sequence[str] = (),
        problem: MjError | None = None,
    ) -> None:
        """Print one result: an object for scripts, `name: value` lines for people, bare lines for --quiet.

        With a problem, what is known is printed first and then the failure, under --json in one object.
        """
        if problem is None or not self.json:
            if self.json:
                self._document(document)
                self._explain_missing(document)
            elif self.mode.quiet:
                self._write("".join(f"{visible(line)}\n" for line in quiet))
            else:
                self._write(self._people(people))
        if problem is not None:
            self.failure(problem, document)

    def event(self, raw: bytes, document: Mapping[str, Any]) -> None:
        """Print one event of a stream as received, for `--json --stream`; the caller flushes."""
        line = raw_json_line(raw) if self._field is None else None
        if line is None:
            self._document(document, flush=False)
        else:
            self._write_bytes(line + b"\n", flush=False)

    def flush(self) -> None:
        """Flush standard output."""
        self._write_bytes(b"")

    def heading(self, number: int, count: int, text: str) -> None:
        """Show on a terminal which of several jobs begins, by its number and prompt; nothing elsewhere."""
        stream = self.stderr if self.stderr.isatty() else self.stdout
        if self.json or self.mode.quiet or not stream.isatty():
            return
        from mjcli.cli.output.screen import heading

        shown = heading(f"{number}/{count}", self.secret.hide(text), self._page(stream))
        shown = shown if number == 1 else f"\n{shown}"
        if stream is self.stderr:
            self._message(shown)
        else:
            self._write(f"{shown}\n")

    def text(self, text: str) -> None:
        """Print text that the program laid out; what comes from outside in it has been made visible."""
        self._write(text)

    def picture_result(self, text: str) -> None:
        """Print what draws a picture, in lines of its own."""
        self._put(encode(f"{text}\n", self.stdout.encoding))

    def file(self, path: Path) -> None:
        """Print the bytes of a file. Raises `DownloadError` when it cannot be read or written."""
        try:
            with path.open("rb") as file:
                while block := file.read(1024 * 1024):
                    self._put(block)
        except OSError as error:
            raise DownloadError(f'"{path}" cannot be read: {reason_of(error)}.') from error

    def value(self, text: str) -> None:
        """Print a bare value: exactly for programs, with visible control characters on a terminal."""
        shown = visible_lines(text) if self.stdout_is_terminal else text
        self._write_bytes(encode_exactly(f"{shown}\n", self.stdout.encoding))

    def _document(self, document: Mapping[str, Any], *, flush: bool = True) -> None:
        if self._field is None:
            line = json_line(document)
        else:
            line = raw_value(self.secret.hide_in(select_field(document, self._field)))
            if self.stdout_is_terminal:
                line = visible_lines(line)
        self._write_bytes(encode_json(line + "\n"), flush=flush)

    def _explain_missing(self, document: Mapping[str, Any]) -> None:
        """Warn that a result lacks the field that was requested; it was printed as null, as jq does."""
        if self._field is not None and document and str(self._field[0]) not in document:
            names = ", ".join(document)
            self.warning(f'The result has no field "{self._field[0]}"; it has {names}.')

    def _people(self, lines: Lines) -> str:
        # A command that cannot be typed is empty.
        lines = [line for line in lines if line[1] or line[0] != "next"]
        if not self.stdout.isatty():
            return "".join(f"{visible(name)}: {visible(value)}\n" for name, value in lines)
        from mjcli.cli.output.screen import laid_out

        return laid_out(lines, self._page(self.stdout))

    def _page(self, stream: TextIO) -> Page:
        from mjcli.cli.output.features import shows_links
        from mjcli.cli.output.screen import Page

        links = obeys_escapes(stream, self.environ) and shows_links(self.environ)
        return Page(self.width(stream), stream.encoding, self.colours(stream), links, self.secret.hide)

    def _write(self, text: str) -> None:
        self._write_bytes(encode(text, self.stdout.encoding))

    def _write_bytes(self, data: bytes, *, flush: bool = True) -> None:
        self._put(self.secret.hide_bytes(data), flush=flush)

    def _put(self, data: bytes, *, flush: bool = True) -> None:
        if self._broken is not None:
            raise OutputError(self._broken)
        try:
            with self._printing:
                if self.live is not None and self.stdout_is_terminal:
                    with self.live.aside():
                        write_all(self.stdout, data)
                else:
                    write_all(self.stdout, data, flush=flush)
        except BrokenPipeError:
            discard(self.stdout)
            raise Interrupted(ExitCode.SIGPIPE - 128) from None
        except OSError as error:
            discard(self.stdout)
            self._broken = f"Cannot write to standard output: {error.strerror}."
            raise OutputError(self._broken) from error

    def printable_json(self, document: object) -> str:
        """JSON that standard output can carry as text in its own encoding."""
        line = json_line(document)
        try:
            line.encode(self.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            return json.dumps(document)
        return line

    # -- standard error ----------------------------------------------------------------------------

    def notice(self, text: str) -> None:
        """Show something worth knowing that is not the result; silent under --quiet."""
        if not self.mode.quiet:
            self._say(visible(text))

    def detail(self, text: str) -> None:
        """Show something for debugging: under --verbose only."""
        if self.mode.verbose and not self.mode.quiet:
            self._say(visible(text))

    def warning(
        self, text: str, *, prompt: str = "", start: int = 0, end: int = 0, following: str = ""
    ) -> None:
        """Show a warning that did not stop the work; silent under --quiet.

        It may have a position in a prompt, and `following` is a line to type next.
        """
        if not self.mode.quiet:
            more = self._place(prompt, start, end) if prompt else []
            more += [f"  next: {visible(following)}"] if following else []
            self._say("\n".join([f"{self._paint('warning:', '33')} {visible(text)}", *more]))

    def alarm(self, problem: str | MjError) -> None:
        """Show a problem that did not stop the work, even under --quiet; of an error, also what to type next."""
        text, more = (
            (problem.sentence, self._hints(problem)) if isinstance(problem, MjError) else (problem, [])
        )
        self._say("\n".join([f"{self._paint('warning:', '33')} {visible(text)}", *more]))

    def picture(self, text: str) -> None:
        """Show what draws a picture on standard error, in lines of its own."""
        self._message(text)

    def ask(self, question: str) -> bool:
        """Ask a yes-or-no question on the terminal; the default is no, also when it cannot be asked."""
        from mjcli.cli.output.prompt import Prompt

        question = self.secret.hide(question)
        if not self.can_ask:
            self.notice(f"{question} Not asked in the background; the answer is no.")
            return False
        prompt = Prompt(f"{visible(question)} [y/N] ", self.stdin, self.stderr)
        try:
            return prompt.read(self.stdin.readline).strip().lower() in ("y", "yes")
        except (OSError, UnicodeDecodeError):  # the terminal went away; typed by mistake
            return False

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer a question: not when the program is in the background."""
        return self.stdin.isatty() and self.stderr.isatty() and in_foreground(self.stdin)

    def ring(self) -> None:
        """Notify the person at the terminal, if one was to be notified, that the run is over; never in a pipe.

        Also in the background, since neither a bell nor a notification changes what is on the screen.
        """
        stream = self.stderr if self.stderr.isatty() else self.stdout
        if not self.notifies or not stream.isatty():
            return
        from mjcli.cli.output.features import notification

        how = {int(ExitCode.OK): "done", int(ExitCode.RUNNING): "still running"}.get(self.status, "failed")
        with contextlib.suppress(OSError):
            write_all(stream, notification(self.environ, f"mj: {how}").encode())

    # -- failures ----------------------------------------------------------------------------------

    def fail(self, status: int) -> None:
        """Record a failure; the first one decides the exit status."""
        if self.status == ExitCode.OK:
            self.status = status

    def failure(self, error: MjError, document: Mapping[str, Any] | None = None) -> None:
        """Show and record a failure: a sentence for people and, under --json, an object for scripts.

        `document` is what is known of the result; the failure's own fields are laid over it.
        """
        self.fail(error.exit_code)
        self._failure_for_people(error)
        self._failure_for_scripts(error, document)

    def failure_among(self, place: str, error: MjError, document: Mapping[str, Any]) -> None:
        """The same for one of very many jobs, in one line; it does not decide the exit status."""
        self._say(f"{self._paint('mj:', '1;31')} {visible(place)}: {visible(error.sentence)}")
        self._failure_for_scripts(error, document)

    def _failure_for_scripts(self, error: MjError, document: Mapping[str, Any] | None) -> None:
        if self.json:
            self._document({**(document or {}), **failure_document(error)})
        elif self.carries_image:
            pass
        elif error.task_id and error.exit_code in _UNFINISHED and not self._one_screen:
            # The task id is all that a script gets.
            self._write(
                f"{visible(error.task_id)}\n" if self.mode.quiet else self._people([("task", error.task_id)])
            )

    def _failure_for_people(self, error: MjError) -> None:
        lines = [f"{self._paint('mj:', '1;31')} {visible(error.sentence)}"]
        if isinstance(error, PromptRefused):
            for finding in error.findings:
                lines += [
                    f"  {visible(finding.message)}",
                    *self._place(error.prompt, finding.start, finding.end),
                ]
        if isinstance(error, BatchRefused):
            lines += [f"  {visible(each)}" for each in error.excerpt]
        if error.task_id:
            lines.append(f"  task: {visible(error.task_id)}")
        if error.trace_id:
            lines.append(f"  trace: {visible(error.trace_id)} (for the service's support)")
        self._say("\n".join([*lines, *self._hints(error)]))

    def _hints(self, error: MjError) -> list[str]:
        """What to type after an error, each with its label."""
        lines = []
        for hint in for_error(error):
            note, line = split_note(hint)
            if not line.startswith("mj "):
                lines.append(f"  hint: {visible(line)}")
            elif typed := self.next_command(line):
                lines.append(f"  next: {typed}")
                lines += [f"{_NOTE}({note})"] if note else []
        return lines

    def _place(self, text: str, start: int, end: int) -> list[str]:
        """An excerpt of a prompt with carets below the position; nothing for an empty prompt."""
        if not text.strip():
            return []
        from mjcli.cli.output.excerpt import excerpt

        # The last column stays free: some terminals wrap a line that fills it.
        lines = excerpt(text, start, end, self.width(self.stderr) - len(_INDENT) - 1, self.stderr.encoding)
        return [f"{_INDENT}{line}" for line in lines]

    def interrupted(self, stop: Interrupted, *, resuming: bool) -> None:
        """Report that a signal ended the program: the status of the job, and how to resume it.

        `resuming` says that the command works on jobs that were sent before.
        """
        if resuming and not (stop.sentence or stop.finished or stop.task_id or stop.sent or stop.job):
            stop.hint = stop.hint or command("resume")
        error = MjError(
            stop.sentence or _interruption(stop, resuming=resuming),
            code="interrupted",
            hint="\n".join(for_interruption(stop)),
            task_id=stop.task_id,
        )
        if stop.closed_pipe:
            if stop.sent:
                self._failure_for_people(error)
            return
        error.exit_code = ExitCode(128 + stop.signal_number)
        self.failure(error)

    def skipped(self, count: int, error: MjError, verb: str) -> None:
        """Report items that were not tried because of a failure; under --json each is an object.

        `verb` is the participle of what was not done to them, such as "sent".
        """
        if count and not self.json:
            self.notice(f"{count} more {'was' if count == 1 else 'were'} not {verb}.")
        for _ in range(count if self.json else 0):
            self._document(
                failure_document(
                    MjError(f"Not {verb} because of an earlier error: {error.message}", code=error.code)
                )
            )

    def unexpected(self, error: Exception) -> None:
        """Show and record an unexpected failure of one item among several; the traceback with --verbose."""
        if self.mode.verbose:
            self.traceback(error)
        self.failure(unexpected(error))

    def traceback(self, error: Exception) -> None:
        """Show the Python traceback of an exception."""
        import traceback

        text = "".join(traceback.format_exception(error))
        self._say("\n".join(visible(line) for line in text.rstrip().split("\n")))

    def _paint(self, text: str, sgr: str) -> str:
        return f"\x1b[{sgr}m{text}\x1b[0m" if self.colours(self.stderr) else text

    def _say(self, text: str) -> None:
        """Show a message, folded on a terminal."""
        text = self.secret.hide(text)
        if self.stderr.isatty():
            width = self.width(self.stderr)
            text = "\n".join(
                line if _stays_on_one_line(line) else folded(line, width, len(line) - len(line.lstrip()) + 2)
                for line in text.split("\n")
            )
        self._message(text)

    def _message(self, text: str) -> None:
        """Show text on standard error, above a live display."""
        if self.live is not None:
            self.live.above(text)
            return
        try:
            write_all(self.stderr, encode(text + "\n", self.stderr.encoding))
        except OSError:
            discard(self.stderr)  # the result and the exit status still count


def _stays_on_one_line(line: str) -> bool:
    """Whether a line is for copying, as a command is, or has marks below, as an excerpt has."""
    return line.startswith(("  next: ", _INDENT)) and not line.startswith(f"{_NOTE}(")


def _can_encode(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


# Exit statuses that leave a job to resume.
_UNFINISHED = (ExitCode.RUNNING, ExitCode.UNKNOWN, ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.SIGHUP)


def _interruption(stop: Interrupted, *, resuming: bool) -> str:
    """What an interruption means for the job and the bill."""
    if stop.finished:
        return "Interrupted. The job is done and billed; only its files may be missing."
    if stop.task_id:
        return "Interrupted. The job continues at the service and is billed if it succeeds."
    if stop.sent:
        return "Interrupted after the request was sent. The job may have been accepted and billed."
    if resuming:
        return "Interrupted. Nothing more was sent; jobs sent before continue and are billed if they succeed."
    if stop.job and not stop.by_choice:
        return "Interrupted. Nothing was sent; the job waits in the ledger until it is resumed."
    return "Interrupted. Nothing was sent."


def failure_document(error: MjError) -> dict[str, Any]:
    """The object that a failure is under --json."""
    document: dict[str, Any] = {"success": False, "error": {"code": error.code, "message": error.message}}
    if error.task_id:
        document["task_id"] = error.task_id
    if error.trace_id:
        document["trace_id"] = error.trace_id
    if isinstance(error, PromptRefused):
        document |= {"prompt": error.prompt, "findings": [dict(each._asdict()) for each in error.findings]}
    if isinstance(error, BatchRefused):
        document["problems"] = [dict(each._asdict()) for each in error.problems]
    return document

"""The sink: what goes to standard output and standard error, in which form, and nothing anywhere else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from mjcli.errors import (
    DownloadError,
    ExitCode,
    Interrupted,
    MjError,
    PromptRefused,
    UsageError,
    take_up,
)
from mjcli.render.text import (
    encode,
    encode_json,
    json_line,
    parse_field,
    raw_json_line,
    raw_value,
    select_field,
    visible,
)
from mjcli.secret import Secret

if TYPE_CHECKING:
    from mjcli.render.human import Live

Lines = Sequence[tuple[str, str]]


class Mode(NamedTuple):
    """How the answer was asked for: the global options that concern the output."""

    json: bool = False
    field: str | None = None
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False


class Output:
    """Standard output for the answer, standard error for everything else.

    `again` makes a command to type next one for the same sandbox or profile. Raises `UsageError` when
    `--field` is no path, before anything is done.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        environ: Mapping[str, str],
        mode: Mode,
        *,
        again: Callable[[str], str] = str,
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self._environ = environ
        self.mode = mode
        self._again = again
        self.live: Live | None = None
        self.secret = Secret()  # set as soon as a token is in use
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
    def animates(self) -> bool:
        """Whether standard error is a terminal that can show something live."""
        return (
            not self.mode.quiet and self.stderr.isatty() and self._environ.get("TERM", "") not in ("", "dumb")
        )

    @property
    def _one_screen(self) -> bool:
        """Whether one person sees both streams, so that nothing needs saying twice."""
        return self.stdout.isatty() and self.stderr.isatty() and not self.mode.quiet

    @property
    def stdout_is_terminal(self) -> bool:
        """Whether the answer is read by a person as it appears."""
        return self.stdout.isatty()

    def colours(self, stream: TextIO) -> bool:
        """Whether to colour what goes to `stream` (NO_COLOR, FORCE_COLOR, TERM=dumb, --no-color)."""
        if self.mode.no_color or self._environ.get("NO_COLOR"):
            return False
        if self._environ.get("FORCE_COLOR"):
            return True
        return stream.isatty() and self._environ.get("TERM", "") not in ("", "dumb")

    # -- standard output ---------------------------------------------------------------------------

    def answer(self, document: Mapping[str, Any], people: Lines, quiet: Sequence[str] = ()) -> None:
        """One thing asked, answered: an object for scripts, `name: value` lines for people, bare lines for --quiet."""
        if self.json:
            self._document(document)
        elif self.mode.quiet:
            self._write("".join(f"{visible(line)}\n" for line in quiet))
        else:
            self._write(self._people(people))

    def event(self, raw: bytes, document: Mapping[str, Any]) -> None:
        """One event of a stream, for `--json --stream`, as it came; `flush` must follow what arrived with it."""
        if self._field is not None:
            self._document(document, flush=False)
        else:
            self._write_bytes(raw_json_line(raw) + b"\n", flush=False)

    def flush(self) -> None:
        """Let the reader have all that was written."""
        self._write_bytes(b"")

    def text(self, text: str) -> None:
        """Text that is the answer, written as it is."""
        self._write(text)

    def _document(self, document: Mapping[str, Any], *, flush: bool = True) -> None:
        field = self._field
        line = json_line(document) if field is None else raw_value(select_field(document, field))
        self._write_bytes(encode_json(line + "\n"), flush=flush)

    def _people(self, lines: Lines) -> str:
        lines = [(visible(name), visible(value)) for name, value in lines]
        if not self.stdout.isatty():
            return "".join(f"{name}: {value}\n" for name, value in lines)
        on, off = ("\x1b[36m", "\x1b[0m") if self.colours(self.stdout) else ("", "")
        indent = max((len(name) for name, _ in lines), default=0) + 2
        width = terminal_width(self.stdout, self._environ)
        return "".join(
            f"{on}{name.ljust(indent)}{off}{value if name == 'next' else folded(value, width, indent)}\n"
            for name, value in lines
        )

    def _write(self, text: str) -> None:
        self._write_bytes(encode(text, self.stdout.encoding))

    def _write_bytes(self, data: bytes, *, flush: bool = True) -> None:
        try:
            self.stdout.buffer.write(self.secret.hide_bytes(data))
            if flush:
                self.stdout.buffer.flush()
        except BrokenPipeError:
            discard(self.stdout)
            raise Interrupted(ExitCode.SIGPIPE - 128) from None
        except OSError as error:
            discard(self.stdout)
            raise DownloadError(f"Standard output cannot be written: {error.strerror}.") from error

    # -- standard error ----------------------------------------------------------------------------

    def notice(self, text: str) -> None:
        """Something worth knowing that is not the answer; silent under --quiet."""
        if not self.mode.quiet:
            self._say(visible(text))

    def detail(self, text: str) -> None:
        """Something for the curious: shown under --verbose only."""
        if self.mode.verbose and not self.mode.quiet:
            self._say(visible(text))

    def warning(self, text: str, *, prompt: str = "", start: int = 0, end: int = 0) -> None:
        """Something doubtful that did not stop the work, maybe at a place of a prompt; silent under --quiet."""
        if not self.mode.quiet:
            place = self._place(prompt, start, end) if prompt else []
            self._say("\n".join([f"{self._paint('warning:', '33')} {visible(text)}", *place]))

    def alarm(self, text: str) -> None:
        """Something wrong that did not stop the work, and that --quiet does not silence."""
        self._say(f"{self._paint('warning:', '33')} {visible(text)}")

    def failure(self, error: MjError, document: Mapping[str, Any] | None = None) -> None:
        """The end of a thing asked that failed: the sentence for people, and under --json the object for scripts.

        `document` is what is known all the same; the failure's own fields are laid over it.
        """
        self._failure_for_people(error)
        if self.json:
            self._document({**(document or {}), **failure_document(error)})
        elif error.task_id and error.exit_code in _UNFINISHED and not self._one_screen:
            # The task id is the answer that there is.
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
        if error.task_id:
            lines.append(f"  task: {visible(error.task_id)}")
        if error.trace_id:
            lines.append(f"  trace: {visible(error.trace_id)} (quote it to the service's support)")
        lines += [f"  next: {visible(self._again(each))}" for each in (error.hint or "").splitlines()]
        self._say("\n".join(lines))

    def _place(self, text: str, start: int, end: int) -> list[str]:
        """A place in a prompt and the carets below it."""
        from mjcli.render.excerpt import excerpt

        width = terminal_width(self.stderr, self._environ)
        return [f"    {line}" for line in excerpt(text, start, end, width - 5)]

    def interrupted(self, stop: Interrupted, *, earlier: bool) -> None:
        """The program was told to stop: what became of the job, and how to take it up.

        `earlier` says that the command takes up what was sent before.
        """
        if stop.finished:
            sentence = (
                "Interrupted after the job was done: it is billed, once, and only its files may be missing."
            )
            hint = stop.hint or (take_up(stop.task_id) if stop.task_id else None)
        elif stop.task_id:
            sentence = "Interrupted. The job goes on at the service and is billed if it succeeds."
            hint = stop.hint or take_up(stop.task_id)
        elif stop.sent:
            sentence = (
                "Interrupted after the request had left: it may have been accepted, and is then billed."
            )
            hint = stop.hint
        elif earlier:
            sentence = (
                "Interrupted; nothing more was sent. The jobs stay in the ledger, and those that were sent before"
                " go on and are billed if they succeed."
            )
            hint = stop.hint or "mj resume"
        elif stop.hint and not stop.by_choice:
            sentence = (
                "Interrupted; nothing was sent, so nothing is paid. The job waits in the ledger, and the next"
                " mj resume sends it."
            )
            hint = f"{stop.hint}\n{stop.hint} --give-up  # if you do not want it any more"
        else:
            sentence, hint = "Interrupted; nothing was sent, so nothing is paid.", stop.hint
        error = MjError(sentence, code="interrupted", hint=hint, task_id=stop.task_id)
        if stop.closed_pipe:
            if stop.sent:
                self._failure_for_people(error)
            return
        error.exit_code = ExitCode(128 + stop.signal_number)
        self.failure(error)

    def restore_terminal(self) -> None:
        """Give the cursor back at once, for an end that runs no clean-up."""
        if self.live is not None:
            os.write(self.stderr.fileno(), b"\x1b[?25h\n")

    def not_done(self, count: int, error: MjError, left: str) -> None:
        """Further things asked that the same failure keeps from being tried; each is an object under --json.

        `left` says what was not done to them.
        """
        if count and not self.json:
            self.notice(f"{count} more {'was' if count == 1 else 'were'} not {left}.")
        for _ in range(count if self.json else 0):
            self._document(failure_document(MjError(f"Not {left}, after: {error.message}", code=error.code)))

    def sayable_json(self, document: object) -> str:
        """JSON that standard output can carry as text in its own encoding, whatever that is."""
        line = json_line(document)
        try:
            line.encode(self.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            return json.dumps(document)
        return line

    def traceback(self, text: str) -> None:
        """A Python traceback, which only --verbose asks for."""
        self._say("\n".join(visible(line) for line in text.rstrip().split("\n")))

    def _paint(self, text: str, sgr: str) -> str:
        return f"\x1b[{sgr}m{text}\x1b[0m" if self.colours(self.stderr) else text

    def _say(self, text: str) -> None:
        text = self.secret.hide(text)
        if self.stderr.isatty():
            width = terminal_width(self.stderr, self._environ)
            text = "\n".join(
                # A command is for copying, so it stays in one piece.
                line
                if line.startswith("  next: ")
                else folded(line, width, len(line) - len(line.lstrip()) + 2)
                for line in text.split("\n")
            )
        if self.live is not None:
            self.live.above(text)
            return
        try:
            self.stderr.buffer.write(encode(text + "\n", self.stderr.encoding))
            self.stderr.buffer.flush()
        except OSError:
            discard(self.stderr)  # nobody reads it; the answer and the exit status still count


# Ends that leave a job behind which can be taken up again.
_UNFINISHED = (ExitCode.RUNNING, ExitCode.UNKNOWN, ExitCode.SIGINT, ExitCode.SIGTERM, ExitCode.SIGHUP)


def failure_document(error: MjError) -> dict[str, Any]:
    """The object that a failure is under --json."""
    document: dict[str, Any] = {"success": False, "error": {"code": error.code, "message": error.message}}
    if error.task_id:
        document["task_id"] = error.task_id
    if error.trace_id:
        document["trace_id"] = error.trace_id
    if isinstance(error, PromptRefused):
        document |= {"prompt": error.prompt, "findings": [dict(each._asdict()) for each in error.findings]}
    return document


def discard(stream: TextIO) -> None:
    """Let what is still written to a stream that failed go nowhere, also at the interpreter's end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def folded(text: str, width: int, indent: int) -> str:
    """`text` broken between words for a terminal, its further lines indented; a link is never broken."""
    body = text.lstrip(" ")
    lines, room = [text[: len(text) - len(body)]], width - indent
    for word in body.split(" "):
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1].strip() else word
    return f"\n{' ' * indent}".join(lines)


def terminal_width(stream: TextIO, environ: Mapping[str, str]) -> int:
    """Columns of the terminal behind `stream`: COLUMNS, else asked of it, else 80."""
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80

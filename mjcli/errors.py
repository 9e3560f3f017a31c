"""The errors of `mj` and its exit statuses: facts only. `cli/hints.py` words what to type next.

    MjError
    ├── UsageError        2   arguments, reference
    │   ├── PromptRefused 2   a prompt, with the position of each finding
    │   └── BatchRefused  2   the lines of a batch file, with the number of each
    ├── ConfigError       2   config file, ledger, output directory
    │   ├── StoreError    2   an object store that cannot be read or written
    │   ├── UnknownProfile 2  a profile that the config file does not have
    │   └── NameInUse     2   a file name that something else has
    ├── NoTokenError      3
    ├── TokenRefused      3   a token that was not saved
    ├── ApiError        3-6   the service's own error object
    │   └── PlatformRefused   that of the management API, which says nothing about jobs
    ├── UnknownTask       4   a task that the service does not know
    ├── NetworkError      6   the request was not accepted
    ├── StillRunning      7   the deadline passed before the job ended
    ├── DownloadError     8   the job is done, a file is missing
    │   └── OutputError   8   standard output cannot be written
    ├── LostResponse      9   the request was sent, no usable response came back
    └── LimitReached     11   a limit on jobs or their cost; nothing was sent

`Interrupted` is not an `MjError`: like `KeyboardInterrupt` it must pass every `except Exception`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple


class ExitCode(IntEnum):
    """The exit statuses of `mj`; scripts rely on these numbers."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    AUTH = 3
    REFUSED = 4
    BALANCE = 5
    UNAVAILABLE = 6
    RUNNING = 7
    FILE = 8
    UNKNOWN = 9
    SOME_FAILED = 10
    LIMIT = 11
    SIGHUP = 129
    SIGINT = 130
    SIGPIPE = 141
    SIGTERM = 143


class Remedy(StrEnum):
    """What would help, where the class and the code of an error do not say it."""

    NO_TOKEN = "log in, or try the sandbox"  # noqa: S105
    LOG_IN = "log in"
    LOG_IN_FILES = "log in to the file endpoint"
    LOG_OUT = "log out"
    LOG_OUT_FILES = "log out of the file endpoint"
    TOKEN_STATUS = "show where the token comes from"  # noqa: S105
    CHECK_BASE_URL = "check the address of the API"
    CHECK_CERTIFICATES = "trust the certificate authority of the network"
    CHECK_CONNECTION = "retry, or check the address of the API"
    FILES_ADDRESS = "check the address of the file endpoint"
    FILES_CONNECTION = "retry, or check the address of the file endpoint"
    HOST_IMAGE = "use another file, or pass the link of the image"
    FILES_TOKEN = "set a token for the file endpoint"  # noqa: S105
    LOG_IN_PLATFORM = "log in to the platform"
    LOG_OUT_PLATFORM = "log out of the platform"
    PLATFORM_ADDRESS = "check the address of the platform"
    DAY_LIMIT = "raise the limit of the day, or wait for the next one"
    LEDGER_REPLACED = "run the command again with the new ledger"


class MjError(Exception):
    """An expected failure: one sentence for people, a code for scripts, an exit status.

    `task_id` and `trace_id` are the service's; `job` names the job in the ledger (its task, or the prefix of
    its uuid); `profile` is the profile that it concerns. `hint` is plain text, a line each, and `remedy` a
    fact for the interface to word.
    """

    code = "internal"
    exit_code = ExitCode.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        remedy: Remedy | None = None,
        task_id: str | None = None,
        trace_id: str | None = None,
        job: str | None = None,
        profile: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.hint = hint
        self.remedy = remedy
        self.task_id = task_id
        self.trace_id = trace_id
        self.job = job
        self.profile = profile

    @property
    def sentence(self) -> str:
        """The message for people, which may say more than scripts need."""
        return self.message


class UsageError(MjError):
    """Arguments that cannot be used; nothing was sent."""

    code = "usage"
    exit_code = ExitCode.USAGE


class PromptRefused(UsageError):
    """A prompt that the checker refuses; nothing was sent.

    Each of `findings` has a `message` and a position in `prompt` (`start`, `end`), as `mjcli.prompt.check`
    returns them.
    """

    def __init__(self, prompt: str, findings: Sequence[Any], *, hint: str | None = None) -> None:
        super().__init__(" ".join(each.message for each in findings), hint=hint)
        self.prompt = prompt
        self.findings = findings

    @property
    def sentence(self) -> str:
        """The headline; each finding is shown at its position."""
        return "Prompt error; nothing was sent."


class LineProblem(NamedTuple):
    """What is wrong with a line of a file (from 1), as a sentence."""

    line: int
    message: str


class BatchRefused(UsageError):
    """Lines of a batch file that cannot be used; nothing was sent.

    `name` is the file as people name it, and `problems` are all of them, sorted by line.
    """

    SHOWN = 20  # problems in the message

    def __init__(self, name: str, problems: Sequence[LineProblem], *, hint: str | None = None) -> None:
        self.name = name
        self.problems = sorted(problems, key=lambda each: each.line)
        super().__init__("\n".join(self.excerpt), hint=hint)

    @property
    def excerpt(self) -> list[str]:
        """The first problems as `FILE:LINE: sentence`, one with several lines once, and how many are left out."""
        lines: dict[str, list[int]] = {}
        for number, message in self.problems:
            lines.setdefault(message, []).append(number)
        shown = [
            f"{self.name}:{first}: {message}"
            + (f" (and {len(more)} more line{'s' if len(more) > 1 else ''})" if more else "")
            for message, (first, *more) in lines.items()
        ]
        left = len(shown) - self.SHOWN
        return shown if left <= 0 else [*shown[: self.SHOWN], f"… and {left} more"]

    @property
    def sentence(self) -> str:
        """The headline; the problems are shown below it."""
        count = len(self.problems)
        return f"{count} problem{'s' if count > 1 else ''} in {self.name}; nothing was sent."


class ConfigError(MjError):
    """A config file, ledger or output directory that cannot be used; nothing was sent."""

    code = "config"
    exit_code = ExitCode.USAGE


class UnknownProfile(ConfigError):
    """A profile that the config file does not have; `profile` is None if no profile can have the name."""


class StoreError(ConfigError):
    """An object store that cannot be read or written."""


class LedgerError(ConfigError):
    """A ledger that cannot be used; `unwritable` says that it may still be readable."""

    unwritable = False


class NameInUse(ConfigError):
    """The name of a job's file belongs to something else; it concerns that job alone, which was not sent."""


class NoTokenError(MjError):
    """No token is known for the profile; nothing was sent."""

    code = "no_token"
    exit_code = ExitCode.AUTH


class TokenRefused(MjError):
    """The service refused a new token, which was not saved."""

    code = "invalid_token"
    exit_code = ExitCode.AUTH


_EXIT_BY_CODE = {
    "no_token": ExitCode.AUTH,
    "invalid_token": ExitCode.AUTH,
    "token_expired": ExitCode.AUTH,
    "token_mismatched": ExitCode.AUTH,
    "disabled": ExitCode.AUTH,
    "used_up": ExitCode.BALANCE,
    "too_many_requests": ExitCode.BALANCE,
    "no_api": ExitCode.UNAVAILABLE,
}

_CODE_BY_STATUS = {
    400: "bad_request",
    401: "invalid_token",
    402: "used_up",
    403: "forbidden",
    404: "no_api",
    429: "too_many_requests",
    504: "timeout",
}


def code_for_status(status: int) -> str:
    """The error code that the service uses for an HTTP status."""
    return _CODE_BY_STATUS.get(status, "api_error" if status >= 500 or status < 400 else "bad_request")


class ApiError(MjError):
    """The service's refusal of a request, or the failure of a job.

    `status` is the HTTP status; `accepted` says that a job existed, so that a 5xx code means "the job failed"
    and not "try again"; `about_tasks` marks the refusal of a query about tasks, which says nothing about any
    job; `document` is the object as received.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 200,
        accepted: bool = False,
        task_id: str | None = None,
        trace_id: str | None = None,
        document: dict[str, object] | None = None,
        remedy: Remedy | None = None,
    ) -> None:
        super().__init__(message, code=code, task_id=task_id, trace_id=trace_id, remedy=remedy)
        self.status = status
        self.accepted = accepted
        self.about_tasks = False
        self.document = document or {}
        if code in _EXIT_BY_CODE:
            self.exit_code = _EXIT_BY_CODE[code]
        elif status == 401:
            self.exit_code = ExitCode.AUTH
        elif status in (402, 429):
            self.exit_code = ExitCode.BALANCE
        elif status >= 500 and not accepted:
            self.exit_code = ExitCode.UNAVAILABLE
        else:
            self.exit_code = ExitCode.REFUSED

    @property
    def sentence(self) -> str:
        """The service's words, and what they mean for the bill: a job is billed when it succeeds."""
        if self.about_tasks:
            return (
                f"The service refused the query, which does not affect the job ({self.code}): {self.message}"
            )
        if self.accepted:
            return f"The job failed and is not billed ({self.code}): {self.message}"
        return f"The service refused the request; nothing is billed ({self.code}): {self.message}"


class PlatformRefused(ApiError):
    """The refusal of a query about prices, balance or usage; no job is concerned."""

    @property
    def sentence(self) -> str:
        """The platform's words."""
        return f"The platform refused the query ({self.code}): {self.message}"


class UnknownTask(MjError):
    """A task that the service does not know."""

    code = "bad_request"
    exit_code = ExitCode.REFUSED


class NetworkError(MjError):
    """No connection was made, or no API was reached, so nothing was accepted and a retry is safe.

    `permanent` says that another attempt would end the same way.
    """

    code = "network"
    exit_code = ExitCode.UNAVAILABLE
    permanent = False


class StillRunning(MjError):
    """The deadline passed before the job ended."""

    code = "timeout"
    exit_code = ExitCode.RUNNING


class DownloadError(MjError):
    """The job is done but a file could not be saved."""

    code = "download"
    exit_code = ExitCode.FILE


class OutputError(DownloadError):
    """Standard output cannot be written, so that no later result can be printed either."""


class LostResponse(MjError):
    """The request was sent and no usable response came back: the job may have been accepted.

    `candidates` are the tasks that may be the job's, where there is more than one.
    """

    code = "network"
    exit_code = ExitCode.UNKNOWN
    candidates: tuple[str, ...] = ()


class TakenElsewhere(MjError):
    """A job of a batch that another process has claimed, as `taken` says; it was not sent."""

    code = "not_sent"

    def __init__(self, message: str, *, taken: Any, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.taken, self.exit_code = taken, exit_code


class LimitReached(MjError):
    """A job that would exceed one of the user's limits, or whose price is not known; it was not sent."""

    code = "limit"
    exit_code = ExitCode.LIMIT


class Interrupted(BaseException):
    """A signal that ends the program, or a closed standard output (SIGPIPE).

    `sent` says that a paid request was sent, `finished` that its job is done; `task_id` and `job` are as in
    `MjError`. The code that runs the job fills them in as the exception passes. `sentence` replaces the usual
    message. `threads_run` says that other threads still use what would be closed: the process has to end at once.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
        self.sent = False
        self.finished = False
        self.task_id: str | None = None
        self.job: str | None = None
        self.hint: str | None = None
        self.sentence: str | None = None
        self.threads_run = False

    @property
    def by_choice(self) -> bool:
        """Whether only this program was meant (Ctrl-C, `| head`), and not the whole session."""
        return self.signal_number in (ExitCode.SIGINT - 128, ExitCode.SIGPIPE - 128)

    @property
    def closed_pipe(self) -> bool:
        """Whether the reader of standard output closed it."""
        return self.signal_number == ExitCode.SIGPIPE - 128


@contextmanager
def stops_shown() -> Iterator[None]:
    """Raise `Interrupted` where another exception hides it.

    A signal may keep a waiting thread from taking its lock again, and then the release of that lock fails.
    """
    try:
        yield
    except Exception as error:
        hidden = error.__context__
        while hidden is not None and not isinstance(hidden, Interrupted):
            hidden = hidden.__context__
        if hidden is None:
            raise
        raise hidden from None


def unexpected(error: Exception) -> MjError:
    """Return the failure that an exception without a meaning of its own is shown as."""
    hint = "report it with the output of --verbose; a job that was sent is in the ledger"
    return MjError(f"Internal error: {type(error).__name__}: {error}", hint=hint)


def full_stop(text: str) -> str:
    """`text` as a sentence that another one may follow."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def without_stop(text: str) -> str:
    """`text` for use inside a sentence: without its full stop."""
    return text.rstrip().rstrip(".")


def reason_of(error: BaseException) -> str:
    """Why a connection or a file operation failed: words for use inside a sentence, without a full stop.

    Exceptions of HTTP libraries are recognized by the names of their types, so that none is imported here.
    """
    name, text = type(error).__name__, str(error).strip()
    if name.endswith(("Timeout", "TimeoutError")):
        return "timed out"
    if name == "RemoteProtocolError":
        closed = text.startswith(("Server disconnected", "peer closed"))
        if closed:
            return "the connection was closed early"
        # h11 quotes the bytes after a colon.
        detail = "".join(each for each in text.partition(":")[0][:80] if each.isprintable())
        return f"the response is not valid HTTP ({without_stop(detail)})"
    text = getattr(error, "strerror", None) or text
    if text.startswith(
        ("[Errno ", "[WinError ", "[SSL")
    ):  # "[Errno 111] Refused", "[SSL: X] reason (_ssl.c:9)"
        text = text.partition("] ")[2].partition(" (_ssl.c:")[0]
    text = without_stop(text)
    return text[:1].lower() + text[1:] if text[1:2].islower() else text or name

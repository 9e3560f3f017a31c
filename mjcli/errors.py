"""Every way in which `mj` ends, and the exceptions that lead there.

    MjError
    ├── UsageError        2   arguments, reference
    │   └── PromptRefused 2   a prompt, with the places of what is wrong
    ├── ConfigError       2   config file, ledger, output directory
    ├── NoTokenError      3
    ├── ApiError        3-6   the service's own error object
    ├── UnknownTask       4   a task that the service does not know
    ├── NetworkError      6   the request was never accepted
    ├── StillRunning      7   the wait was over before the job
    ├── DownloadError     8   the job is done, a file is missing
    └── LostAnswer        9   the request left, its answer did not come

`Interrupted` is no `MjError`: like `KeyboardInterrupt` it must pass every `except Exception`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any


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
    SIGHUP = 129
    SIGINT = 130
    SIGPIPE = 141
    SIGTERM = 143


class MjError(Exception):
    """An end that `mj` foresees: one sentence for people, a code for scripts, an exit status.

    `hint` is what to type next; `task_id` and `trace_id` are the service's, where known.
    """

    code = "internal"
    exit_code = ExitCode.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        task_id: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.hint = hint
        self.task_id = task_id
        self.trace_id = trace_id

    @property
    def sentence(self) -> str:
        """The message as people read it, which may say more than scripts need."""
        return self.message


class UsageError(MjError):
    """What was typed cannot be meant; nothing was sent."""

    code = "usage"
    exit_code = ExitCode.USAGE


class PromptRefused(UsageError):
    """A prompt that the checker refuses; nothing was sent.

    `findings` has what is wrong with `prompt`, each with a `message` and its place (`start`, `end`), as
    `mjcli.prompt.check` gives them.
    """

    def __init__(self, prompt: str, findings: Sequence[Any], *, hint: str | None = None) -> None:
        super().__init__(" ".join(each.message for each in findings), hint=hint)
        self.prompt = prompt
        self.findings = findings

    @property
    def sentence(self) -> str:
        """What it means for the money; what is wrong is shown at its place."""
        return "The prompt was refused before anything was sent, so nothing is paid."


class ConfigError(MjError):
    """A config file, ledger or output directory that cannot be used; nothing was sent."""

    code = "config"
    exit_code = ExitCode.USAGE


class NoTokenError(MjError):
    """No token is known for the profile; nothing was sent."""

    code = "no_token"
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

_LOG_IN_ANEW = "mj auth status  # shows where the token comes from\nmj auth login  # saves another"

_HINT_BY_CODE = {
    "no_token": "mj auth login",
    "invalid_token": _LOG_IN_ANEW,
    "token_expired": "mj auth login  # with a new token",
    "token_mismatched": _LOG_IN_ANEW,
    "used_up": "top up the balance on the service's site, then ask again",
    "too_many_requests": "wait a minute, then ask again",
    "no_api": "mj config list  # shows the address (base_url) and where it comes from",
    "api_error": "try again later",
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
    """The code that the service's error table (api.md, "Errors") gives to an HTTP status."""
    return _CODE_BY_STATUS.get(status, "api_error" if status >= 500 or status < 400 else "bad_request")


class ApiError(MjError):
    """The service's own refusal, or its account of a failed job.

    `status` is the HTTP status it came with; `accepted` says that a job existed (so that a 5xx sort of
    code means "the job failed" rather than "try again"); `document` is the object as it came.
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
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, task_id=task_id, trace_id=trace_id, hint=hint)
        self.status = status
        self.accepted = accepted
        #: The refusal of a question about tasks, which says nothing about any job.
        self.asking = False
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
        self.hint = hint or _HINT_BY_CODE.get(code)

    @property
    def sentence(self) -> str:
        """The service's words, and what they mean for the money: a job is billed when it succeeds (api.md)."""
        if self.asking:
            return f"The service refused to be asked ({self.code}), which says nothing about the job: {self.message}"
        if self.accepted:
            return f"The job failed ({self.code}), and a failed job is not billed: {self.message}"
        return f"The service refused this ({self.code}), so nothing is paid: {self.message}"


class UnknownTask(MjError):
    """The service does not know a task that was asked about."""

    code = "bad_request"
    exit_code = ExitCode.REFUSED


class NetworkError(MjError):
    """No connection was made, so nothing was accepted and trying again is safe."""

    code = "network"
    exit_code = ExitCode.UNAVAILABLE


class StillRunning(MjError):
    """The wait ended before the job did."""

    code = "timeout"
    exit_code = ExitCode.RUNNING


def resume(reference: str) -> str:
    """The command that takes a job of the ledger up again and saves the files that were asked for."""
    return f"mj resume {reference}"


def take_up(task_id: str, output: str | None = None) -> str:
    """The command that does so for a task that no ledger knows, its pictures to go to `output`."""
    import shlex

    place = f" -o {shlex.quote(output)}" if output else ""
    return f"mj describe-task {task_id} --wait --download{place}"


def full_stop(text: str) -> str:
    """`text` as a sentence that another one may follow."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


class DownloadError(MjError):
    """The job is done but a file could not be saved."""

    code = "download"
    exit_code = ExitCode.FILE


class LostAnswer(MjError):
    """The request left and no answer of the API's came back: it may have been accepted."""

    code = "network"
    exit_code = ExitCode.UNKNOWN


class Interrupted(BaseException):
    """A signal that ends the program, or a reader of standard output that went away (SIGPIPE).

    `sent` says that a paid request had left, `finished` that its job is done; `task_id` is its task, where
    known, and `hint` how to take it up. Whoever holds the job fills them in as the exception passes.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
        self.sent = False
        self.finished = False
        self.task_id: str | None = None
        self.hint: str | None = None

    @property
    def by_choice(self) -> bool:
        """Whether somebody wanted just this program to end (Ctrl-C, `| head`), rather than all of a session."""
        return self.signal_number in (ExitCode.SIGINT - 128, ExitCode.SIGPIPE - 128)

    @property
    def closed_pipe(self) -> bool:
        """Whether standard output was closed by its reader."""
        return self.signal_number == ExitCode.SIGPIPE - 128

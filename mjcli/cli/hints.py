"""What to type next: commands built from words, for the facts that an error carries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mjcli.cli import shell
from mjcli.errors import (
    ApiError,
    ConfigError,
    ExitCode,
    Interrupted,
    LedgerError,
    LostResponse,
    MjError,
    Remedy,
    StillRunning,
    full_stop,
)

if TYPE_CHECKING:
    from mjcli.cli.options import SubmitOptions
    from mjcli.jobs.ledger import Ledger

_NOTHING_SENT = "Nothing was sent."


class Outside(str):
    """An id or name from the service; a command with one that is not plain is not suggested."""

    __slots__ = ()


def command(*words: str, note: str = "") -> str:
    """One line to type: `mj` and these words, quoted for the shell; `note` says what it does.

    Empty if a word cannot be typed as it is shown, or is `Outside` and not plain; an empty line is not shown.
    """
    if not all(map(_is_safe, words)):
        return ""
    line = " ".join(["mj", *map(shell.quoted, words)])
    return with_note(line, note) if note else line


def with_note(line: str, note: str) -> str:
    """A command with a note on what it does, which is shown below it: zsh takes a comment for more words."""
    return f"({note}) {line}"


def split_note(line: str) -> tuple[str, str]:
    """The note of a line, empty if it has none, and the line without it."""
    note, found, rest = line.partition(") mj ")
    return (note[1:], f"mj {rest}") if found and line.startswith("(") else ("", line)


def _is_safe(word: str) -> bool:
    if isinstance(word, Outside):
        from mjcli.jobs.names import is_plain

        return is_plain(word)
    return shell.can_be_typed(word)


def links_end() -> str:
    """The sentence for links that lead to the embedded sandbox of one command."""
    return f"The link stops working when this command ends, unless {command('sandbox')} runs in another terminal."


def imagine(text: str) -> str:
    """Start a job from a text of the service; empty unless it is words, with neither parameters nor links."""
    # No word begins with a dash: a parameter could make the job dearer.
    plain = all(word[:1].isalnum() and all(map(_is_prose, word)) for word in text.split(" "))
    return command("imagine", text) if plain else ""


def _is_prose(character: str) -> bool:
    return character.isalnum() or character in ",._-"


# The sandbox uses the real defaults and presets, and has no profiles.
_WITHOUT_SANDBOX = ("mj config set ", "mj config unset ", "mj auth login", "mj auth logout", "mj --profile ")


def without_sandbox(line: str) -> str:
    """A line for the real service and settings although MJ_SANDBOX is set."""
    return shell.with_variables(line, {"MJ_SANDBOX": "0"}) if line.startswith(_WITHOUT_SANDBOX) else line


def with_globals(line: str, options: Sequence[str]) -> str:
    """A line with global options (`--profile work`) after its `mj`; a line that is not a command is unchanged."""
    if not line.startswith("mj ") or not options or " --profile " in line:
        return line
    if "--sandbox" in options and line.startswith(_WITHOUT_SANDBOX):
        return line
    start = command(*options)
    return f"{start} {line[3:]}" if start else ""


def without_globals(words: Sequence[str]) -> list[str]:
    """The words of a command line without those that `with_globals` adds."""
    kept: list[str] = []
    values = iter(words)
    for word in values:
        if word == "--profile":
            next(values, None)
        elif word != "--sandbox" and not word.startswith("--profile="):
            kept.append(word)
    return kept


def resume(job: str) -> str:
    """Resume a job of the ledger, named by its task or its id prefix."""
    return command("resume", Outside(job))


def action_on(action: str, image_id: str) -> str:
    """Apply an action that the service offers to an image, in the shortest form."""
    from mjcli.api.actions import short

    verb, *words = short(action)
    return command(verb, *(map(Outside, words) if verb == "action" else words), Outside(image_id))


def follow(task_id: str, output: str | None = None) -> str:
    """Wait for a task that no ledger knows and save its images, in `output` if given."""
    return command(
        "describe-task", Outside(task_id), "--wait", "--download", *(["-o", output] if output else [])
    )


def for_error(error: MjError) -> list[str]:
    """The lines to show below an error: its own, then those that follow from its facts."""
    lines = (error.hint or "").splitlines()
    if isinstance(error, ConfigError) and error.job is not None:
        lines.append(command("resume", error.job, "--give-up", note="removes the queued job"))
    if isinstance(error.__cause__, ApiError) and error.__cause__.exit_code == ExitCode.AUTH:
        lines += for_error(error.__cause__)
    if error.hint:
        pass
    elif error.remedy is not None:
        lines += _for_remedy(error.remedy, error.profile)
    elif isinstance(error, LostResponse):
        lines += _for_lost(error)
    elif isinstance(error, StillRunning):
        lines += _for_job(error.job, error.task_id)
    elif isinstance(error, ApiError):
        lines += _BY_CODE.get(error.code, ())
    return list(dict.fromkeys(filter(None, lines)))


def for_interruption(stop: Interrupted) -> list[str]:
    """The lines to show when a signal ended the program."""
    lines = (stop.hint or "").splitlines() or _for_job(stop.job, stop.task_id)
    if stop.job and not (stop.sent or stop.task_id or stop.by_choice):
        lines.append(command("resume", stop.job, "--give-up", note="cancels it"))
    return lines


def _for_job(job: str | None, task_id: str | None) -> list[str]:
    if job is not None:
        return [resume(job)]
    return [follow(task_id)] if task_id is not None else []


def _for_lost(error: LostResponse) -> list[str]:
    if error.candidates:
        assign = (
            [command("resume", error.job, "--task", "TASK", note="selects the right one")]
            if error.job
            else []
        )
        return [command("describe-task", *map(Outside, error.candidates)), *assign]
    if error.job is None:
        return _for_job(None, error.task_id) or [
            "check your tasks on the service's website before you try again"
        ]
    return [
        command("resume", error.job, note="searches again"),
        command("resume", error.job, "--resubmit", note="sends it again; it may be billed twice"),
        command("resume", error.job, "--give-up", note="stops searching"),
    ]


def log_in(profile: str | None = None, *, files: bool = False, platform: bool = False, note: str = "") -> str:
    """Save a token in a profile (None: the active one)."""
    named = profile is not None and profile != "default"
    kind = ["--files"] if files else ["--platform"] if platform else []
    options = [*kind, *(["--profile", str(profile)] if named else [])]
    return command("auth", "login", *options, note=note)


_CHECK_TOKEN = [
    command("auth", "status", note="shows where the token comes from"),
    log_in(note="saves another token"),
]
_CONFIG = command("config", "list", note="shows the address (base_url) and where it comes from")
_FILES_CONFIG = command("config", "list", note="shows the address of the file endpoint (files_url)")
_HOST_IT = "or host the image yourself and pass its link"

_BY_CODE = {
    "no_token": [log_in()],
    "invalid_token": _CHECK_TOKEN,
    "token_expired": [log_in(note="saves a new token")],
    "token_mismatched": _CHECK_TOKEN,
    "used_up": ["top up the balance on the service's website, then try again"],
    "too_many_requests": ["wait a minute, then try again"],
    "no_api": [_CONFIG],
    "api_error": ["try again later"],
}


def _for_remedy(remedy: Remedy, profile: str | None) -> list[str]:
    return {
        Remedy.NO_TOKEN: [
            log_in(profile, note="saves a token; or set MJ_TOKEN"),
            command("--sandbox", "imagine", "a cat", note="needs no account"),
        ],
        Remedy.LOG_IN: [log_in(profile)],
        Remedy.LOG_IN_FILES: [log_in(profile, files=True)],
        Remedy.LOG_OUT: [command("auth", "logout")],
        Remedy.LOG_OUT_FILES: [command("auth", "logout", "--files")],
        Remedy.TOKEN_STATUS: [command("auth", "status")],
        Remedy.CHECK_BASE_URL: [
            command("config", "get", "base_url", note="shows the address, which is probably wrong"),
            command("config", "set", "base_url", "https://api.acedata.cloud", note="sets the service's own"),
        ],
        Remedy.CHECK_CERTIFICATES: [
            "if your network replaces certificates, set SSL_CERT_FILE to the file of its CA certificates",
            _CONFIG,
        ],
        Remedy.CHECK_CONNECTION: ["try again", _CONFIG],
        Remedy.FILES_ADDRESS: [_FILES_CONFIG, _HOST_IT],
        Remedy.FILES_CONNECTION: ["try again", _FILES_CONFIG, _HOST_IT],
        Remedy.HOST_IMAGE: ["host the image yourself and pass its link"],
        Remedy.FILES_TOKEN: [
            log_in(files=True, note="saves a token for the file endpoint; so does MJ_FILES_TOKEN"),
            _HOST_IT,
        ],
        Remedy.LOG_IN_PLATFORM: [
            log_in(profile, platform=True, note="saves a platform token; so does MJ_PLATFORM_TOKEN")
        ],
        Remedy.LOG_OUT_PLATFORM: [command("auth", "logout", "--platform")],
        Remedy.PLATFORM_ADDRESS: [
            command("config", "get", "platform_url", note="shows the address of the platform")
        ],
        Remedy.DAY_LIMIT: [
            command(
                "config", "get", "defaults.max_cost_per_day", note="shows the limit; config set changes it"
            ),
            command("spend", "--since", "1d", note="shows what was spent"),
        ],
        Remedy.LEDGER_REPLACED: [
            "run the command again",
            command("describe-task", "TASK", "--wait", "--download", note="saves a job from the old ledger"),
        ],
    }[remedy]


@contextlib.contextmanager
def before_sending(submit: SubmitOptions) -> Iterator[None]:
    """Say that nothing was sent where a job cannot be recorded or sent, and how to do without the ledger."""
    try:
        yield
    except ConfigError as error:
        if not error.message.endswith(_NOTHING_SENT):
            error.message = f"{full_stop(error.message)} {_NOTHING_SENT}"
        if isinstance(error, LedgerError) and submit.key is None:
            unrecorded = "--no-ledger sends the job without recording it"
            error.hint = "\n".join(each for each in (error.hint, unrecorded) if each)
        raise


def no_jobs_yet(profile: str, ledger: Ledger | None) -> str:
    """The sentence for a profile without jobs; those of the sandbox are easily taken for them."""
    from mjcli.settings.schema import SANDBOX

    sandbox = ledger.count(SANDBOX) if ledger is not None and profile != SANDBOX else 0
    more = f" (The sandbox has {sandbox}: add --sandbox.)" if sandbox else ""
    return f'No jobs yet in profile "{profile}".{more}'

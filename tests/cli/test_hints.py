"""The commands suggested below an error."""

from __future__ import annotations

import shlex

import pytest

from mjcli.cli import hints
from mjcli.errors import (
    ApiError,
    ConfigError,
    Interrupted,
    LostResponse,
    MjError,
    NetworkError,
    Remedy,
    StillRunning,
    UsageError,
)
from tests.support.terminal import EVIL

# Ids that a command must not contain, whatever the shell and the quoting.
UNPLAIN = {
    **EVIL,
    "option": "--give-up",
    "standard input": "-",
    "empty": "",
    "substitution": "$(touch x)",
    "backquotes": "`touch x`",
    "history": "a!b",
    "separator": "a;touch x",
    "quotes": "a'b\"c",
    "wide digits": "１２",
    "reference": "@2",
    "space": "a b",
}

SIGINT, SIGPIPE, SIGTERM = 2, 13, 15

# -- commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("cat", "cat"),
        ("a cat", '"a cat"'),
        ("it's", '"it\'s"'),
        ("", "''"),
        ('a "cat"', "'a \"cat\"'"),
        ("$HOME", "'$HOME'"),
        ("`id`", "'`id`'"),
        ("wow!", "'wow!'"),
        ("a\\b", "'a\\b'"),
        ("a;b", '"a;b"'),
        ("cats/{prompt}.png", '"cats/{prompt}.png"'),
        ("森", '"森"'),
    ],
)
def test_a_word_is_quoted_so_that_the_shell_reads_it_back(word: str, quoted: str) -> None:
    line = hints.command("imagine", word)
    assert line == f"mj imagine {quoted}"
    assert shlex.split(line) == ["mj", "imagine", word]


@pytest.mark.parametrize("name", EVIL)
def test_a_word_that_a_terminal_cannot_show_is_not_suggested(name: str) -> None:
    assert hints.command("resume", f"a{EVIL[name]}") == ""
    assert hints.with_globals("mj resume", ["--profile", f"a{EVIL[name]}"]) == ""


@pytest.mark.parametrize("name", UNPLAIN)
def test_an_id_of_the_service_that_is_not_plain_is_not_suggested(name: str) -> None:
    id_ = UNPLAIN[name]
    assert hints.resume(id_) == hints.follow(id_) == ""
    lost = LostResponse("lost")
    lost.candidates = ("t1", id_)
    errors: list[MjError] = [lost, StillRunning("x", task_id=id_), StillRunning("x", hint=hints.resume(id_))]
    for line in [line for error in errors for line in hints.for_error(error)]:
        assert id_ not in line


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("a cat, a well-known one.", True),
        ("it's a cat", False),
        ("une forêt 森", True),
        ("a cat --turbo", False),
        ("--no-check a cat", False),
        ("a cat ::2", False),
        ("https://evil/x.png a cat", False),
        ("@last", False),
        ("a cat\nb", False),
        ("wow!", False),
        ("$(id)", False),
        ("a  cat", False),
    ],
)
def test_a_text_of_the_service_is_suggested_only_if_it_is_words(text: str, suggested: bool) -> None:
    line = hints.imagine(text)
    assert shlex.split(line) == (["mj", "imagine", text] if suggested else [])


@pytest.mark.parametrize("note", ["", "lists your jobs", "shows the address (base_url)"])
def test_a_note_is_separate_from_its_command(note: str) -> None:
    words = ["imagine", "a cat (grey) mj x"]
    line = hints.command(*words, note=note)
    assert hints.split_note(line) == (note, hints.command(*words))


@pytest.mark.parametrize(
    ("line", "options", "expected"),
    [
        ("mj resume", [], "mj resume"),
        ("mj resume", ["--sandbox"], "mj --sandbox resume"),
        ("mj resume", ["--profile", "my work"], 'mj --profile "my work" resume'),
        ("mj auth login --profile work", ["--profile", "work"], "mj auth login --profile work"),
        ("try again", ["--sandbox"], "try again"),
        ("mjolnir", ["--sandbox"], "mjolnir"),
    ],
)
def test_global_options_follow_the_program_name_once(line: str, options: list[str], expected: str) -> None:
    assert hints.with_globals(line, options) == expected


def test_a_task_outside_the_ledger_is_followed_by_its_id() -> None:
    assert hints.follow("t1") == "mj describe-task t1 --wait --download"
    assert hints.follow("t1", "my cats/") == 'mj describe-task t1 --wait --download -o "my cats/"'


@pytest.mark.parametrize(
    ("profile", "files", "line"),
    [
        (None, False, "mj auth login"),
        ("default", False, "mj auth login"),
        ("work", False, "mj auth login --profile work"),
        ("work", True, "mj auth login --files --profile work"),
    ],
)
def test_the_default_profile_needs_no_option_to_log_in(profile: str | None, files: bool, line: str) -> None:
    assert hints.log_in(profile, files=files) == line


# -- remedies and codes --------------------------------------------------------------------------------

REMEDIES = {
    Remedy.NO_TOKEN: ["mj auth login --profile work", "mj --sandbox imagine"],
    Remedy.LOG_IN: ["mj auth login --profile work"],
    Remedy.LOG_IN_FILES: ["mj auth login --files --profile work"],
    Remedy.LOG_OUT: ["mj auth logout"],
    Remedy.LOG_OUT_FILES: ["mj auth logout --files"],
    Remedy.TOKEN_STATUS: ["mj auth status"],
    Remedy.CHECK_BASE_URL: ["mj config get base_url", "mj config set base_url https://"],
    Remedy.CHECK_CERTIFICATES: ["if your network replaces certificates, set SSL_CERT_FILE", "mj config list"],
    Remedy.CHECK_CONNECTION: ["try again", "mj config list"],
    Remedy.FILES_ADDRESS: ["mj config list", "or host the image"],
    Remedy.FILES_CONNECTION: ["try again", "mj config list", "or host the image"],
    Remedy.FILES_TOKEN: ["mj auth login --files", "or host the image"],
    Remedy.HOST_IMAGE: ["host the image yourself"],
    Remedy.LOG_IN_PLATFORM: ["mj auth login --platform --profile work"],
    Remedy.LOG_OUT_PLATFORM: ["mj auth logout --platform"],
    Remedy.PLATFORM_ADDRESS: ["mj config get platform_url"],
    Remedy.DAY_LIMIT: ["mj config get defaults.max_cost_per_day", "mj spend --since 1d"],
    Remedy.LEDGER_REPLACED: ["run the command again", "mj describe-task TASK --wait --download"],
}


@pytest.mark.parametrize("remedy", Remedy)
def test_each_remedy_has_its_lines(remedy: Remedy) -> None:
    lines = hints.for_error(MjError("x", remedy=remedy, profile="work"))
    assert len(lines) == len(REMEDIES[remedy])
    for line, start in zip(lines, REMEDIES[remedy], strict=True):
        assert hints.split_note(line)[1].startswith(start)


CODES = {
    "no_token": ["mj auth login"],
    "invalid_token": ["mj auth status", "mj auth login"],
    "token_expired": ["mj auth login"],
    "token_mismatched": ["mj auth status", "mj auth login"],
    "used_up": ["top up the balance"],
    "too_many_requests": ["wait a minute"],
    "no_api": ["mj config list"],
    "api_error": ["try again later"],
    "bad_request": [],
    "forbidden": [],
    "disabled": [],
    "a_new_code": [],
}


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_the_service_has_its_lines(code: str) -> None:
    lines = [hints.split_note(line)[1] for line in hints.for_error(ApiError("no", code=code, status=400))]
    assert [line[: len(start)] for line, start in zip(lines, CODES[code], strict=True)] == CODES[code]


def test_a_remedy_replaces_the_lines_of_the_code() -> None:
    error = ApiError("no", code="invalid_token", status=401, remedy=Remedy.FILES_TOKEN)
    assert hints.split_note(hints.for_error(error)[0])[1] == "mj auth login --files"


def test_an_error_s_own_hint_replaces_what_follows_from_its_facts() -> None:
    error = MjError("x", hint="one\ntwo\none", remedy=Remedy.LOG_IN)
    assert hints.for_error(error) == ["one", "two"]


@pytest.mark.parametrize("error", [MjError("x"), UsageError("x"), NetworkError("x"), ConfigError("x")])
def test_an_error_without_facts_has_no_lines(error: MjError) -> None:
    assert hints.for_error(error) == []


# -- jobs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "task_id", "lines"),
    [
        ("t1", "t1", ["mj resume t1"]),
        ("4f3a91c2", None, ["mj resume 4f3a91c2"]),
        (None, "t1", ["mj describe-task t1 --wait --download"]),
        (None, None, []),
    ],
)
def test_a_running_job_is_resumed_or_followed(job: str | None, task_id: str | None, lines: list[str]) -> None:
    assert hints.for_error(StillRunning("x", job=job, task_id=task_id)) == lines


def test_a_lost_job_in_the_ledger_can_be_searched_for_resubmitted_or_given_up() -> None:
    assert [hints.split_note(line)[1] for line in hints.for_error(LostResponse("x", job="4f3a91c2"))] == [
        "mj resume 4f3a91c2",
        "mj resume 4f3a91c2 --resubmit",
        "mj resume 4f3a91c2 --give-up",
    ]


def test_the_candidates_of_a_lost_job_are_shown_and_one_is_assigned() -> None:
    error = LostResponse("x", job="4f3a91c2")
    error.candidates = ("t1", "t2")
    first, second = hints.for_error(error)
    assert first == "mj describe-task t1 t2"
    assert hints.split_note(second)[1] == "mj resume 4f3a91c2 --task TASK"
    error.job = None
    assert hints.for_error(error) == ["mj describe-task t1 t2"]


def test_a_lost_job_outside_the_ledger_is_followed_or_looked_up_on_the_website() -> None:
    assert hints.for_error(LostResponse("x", task_id="t1")) == ["mj describe-task t1 --wait --download"]
    (line,) = hints.for_error(LostResponse("x"))
    assert line.startswith("check your tasks on the service's website")


def test_a_token_that_was_refused_while_searching_for_a_lost_job_adds_its_lines() -> None:
    error = LostResponse("x", job="4f3a91c2")
    error.__cause__ = ApiError("no", code="invalid_token", status=401)
    lines = hints.for_error(error)
    assert hints.split_note(lines[0])[1] == "mj auth status"
    assert hints.split_note(lines[-1])[1] == "mj resume 4f3a91c2 --give-up"


def test_a_ledger_error_during_a_job_suggests_giving_it_up_first() -> None:
    lines = hints.for_error(ConfigError("x", hint="free some space", job="4f3a91c2"))
    assert lines[0] == "free some space"
    assert hints.split_note(lines[1])[1] == "mj resume 4f3a91c2 --give-up"


# -- interruptions -------------------------------------------------------------------------------------


def stop(number: int, **facts: object) -> Interrupted:
    """An interruption with these attributes."""
    found = Interrupted(number)
    for name, value in facts.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize(
    ("interrupted", "commands"),
    [
        (stop(SIGINT), []),
        (stop(SIGINT, job="4f3a91c2"), ["mj resume 4f3a91c2"]),
        (stop(SIGPIPE, job="4f3a91c2"), ["mj resume 4f3a91c2"]),
        (stop(SIGTERM, job="4f3a91c2"), ["mj resume 4f3a91c2", "mj resume 4f3a91c2 --give-up"]),
        (stop(SIGTERM, job="4f3a91c2", sent=True), ["mj resume 4f3a91c2"]),
        (stop(SIGTERM, job="t1", task_id="t1", sent=True), ["mj resume t1"]),
        (stop(SIGINT, task_id="t1", sent=True), ["mj describe-task t1 --wait --download"]),
        (stop(SIGINT, job="t1", task_id="t1", hint="mj download t1"), ["mj download t1"]),
    ],
)
def test_an_interruption_suggests_how_to_continue_or_cancel(
    interrupted: Interrupted, commands: list[str]
) -> None:
    assert [hints.split_note(line)[1] for line in hints.for_interruption(interrupted)] == commands

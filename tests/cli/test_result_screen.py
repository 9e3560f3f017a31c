"""The result on a terminal: its order, links, progress outside the text, notifications, the viewer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.scripts import links
from tests.support.service import Received, Reply, Service
from tests.support.systems import posix
from tests.support.terminal import Screen

pytestmark = posix

MODERN = {"TERM": "xterm-256color", "WT_SESSION": "c0ffee", "NO_COLOR": "1"}
PLAIN = {"TERM": "xterm-256color", "NO_COLOR": "1"}
CLEARED = b"\x1b]9;4;0;0\x1b\\"
GRID = [f"{verb}{n}" for verb in ("upscale", "variation") for n in range(1, 5)]


@contextmanager
def at_terminal(
    mj: Mj, *arguments: str, env: dict[str, str] = MODERN, **popen: Any
) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """The program on a terminal of 80 columns."""
    screen = Screen(80)
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), screen.theirs)
    try:
        with mj.start(*arguments, env=dict(env), start_new_session=True, **{**streams, **popen}) as process:
            yield screen, process
    finally:
        screen.close()


def shown_by(mj: Mj, *arguments: str, status: int = 0, env: dict[str, str] = MODERN, **popen: Any) -> str:
    """What the program has displayed when it ends."""
    with at_terminal(mj, *arguments, env=env, **popen) as (screen, process):
        screen.read_until(process, None)
        assert process.returncode == status, screen.shown
        return screen.shown.decode().replace("\r\n", "\n")


def result_in(shown: str) -> dict[str, str]:
    """The lines of a result with a file by their names, in their order."""
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")
    return dict(re.findall(r"^([a-z]+)  +(.*)$", shown[shown.rindex("\nfile  ") :], re.MULTILINE))


@pytest.fixture
def grid(service: Service) -> dict[str, Any]:
    """The result of every job: a grid whose image can be downloaded."""
    service.files["/files/cat.png"] = png()
    result = service.result(raw_image_url=links(service, "cat.png")[0], actions=[*GRID, "reroll"])
    service.stream([{**result, "progress": 50, "actions": []}, result])
    return result


@pytest.mark.slow
def test_files_come_first_and_actions_are_grouped(online: Mj, grid: dict[str, Any]) -> None:
    result = result_in(shown_by(online, "imagine", "a cat", "-d", env=PLAIN))
    assert list(result) == ["file", "link", "size", "actions", "id", "task", "next"]
    assert result["link"] == grid["raw_image_url"]
    assert result["actions"] == "upscale 1-4 · vary 1-4 · reroll"


def test_piped_lines_stay_as_they_were(online: Mj, grid: dict[str, Any]) -> None:
    out = online("imagine", "a cat", "-d", env={**MODERN, "FORCE_HYPERLINK": "1", "FORCE_COLOR": "1"}).out
    names = [line.partition(": ")[0] for line in out.splitlines()]
    assert names == ["link", "id", "task", "size", "actions", "file", "next"]
    assert f"actions: {' '.join(grid['actions'])}\n" in out
    assert f"link: {grid['raw_image_url']}\n" in out
    assert "\x1b" not in out


@pytest.mark.slow
def test_a_link_is_a_hyperlink_where_the_terminal_supports_it(online: Mj, grid: dict[str, Any]) -> None:
    url = grid["raw_image_url"]
    shown = shown_by(online, "imagine", "a cat")
    assert f"\x1b]8;;{url}\x1b\\{url.partition('://')[2]}\x1b]8;;\x1b\\\n" in shown


@pytest.mark.slow
def test_a_link_from_the_service_cannot_end_the_hyperlink(online: Mj, service: Service) -> None:
    evil = "https://example.com/\x1b\\\x1b]0;owned\x07.png"
    service.stream([service.result(raw_image_url=evil)])
    shown = shown_by(online, "imagine", "a cat")
    assert "\x1b]8;" not in shown
    assert "\x1b]0;" not in shown
    assert r"https://example.com/\x1b\\x1b]0;owned\x07.png" in shown


@pytest.mark.slow
def test_each_of_several_jobs_has_a_heading_and_the_last_one_the_next_command(
    online: Mj, grid: dict[str, Any]
) -> None:
    shown = shown_by(online, "imagine", "a {red, green} cat", "--permute", "--yes", env=PLAIN)
    first, second = shown.index("1/2  a red cat\n"), shown.index("\n2/2  a green cat\n")
    assert first < shown.index("link  ") < second
    assert shown.count("next  ") == 1
    assert shown.index("next  ") > second
    piped = online("imagine", "a {red, green} cat", "--permute", "--yes")
    assert piped.out.count("next: ") == 2
    assert "1/2" not in piped.out + piped.err


# -- progress outside the text -----------------------------------------------------------------------------


def waiting(service: Service, *, fails: bool = False) -> Callable[[Received, Reply], None]:
    """A job that stays at 40 percent until the test is over, or fails then."""

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps({"task_id": "t1", "progress": 40, "success": True}).encode() + b"\r\n")
        if fails:
            error = {"success": False, "error": {"code": "bad_request", "message": "no"}}
            reply.send(json.dumps({"task_id": "t1", **error}).encode() + b"\r\n")
            reply.end()
        else:
            service.over.wait(60)

    return script


@pytest.mark.slow
def test_progress_is_shown_in_the_tab_and_removed_at_the_end(online: Mj, grid: dict[str, Any]) -> None:
    shown = shown_by(online, "imagine", "a cat", "-d").encode()
    marks = re.findall(rb"\x1b\]9;4;[^\x1b]*\x1b\\", shown)
    assert b"\x1b]9;4;3;0\x1b\\" in marks
    assert b"\x1b]9;4;1;50\x1b\\" in marks
    assert marks[-1] == CLEARED


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("-q",), ("--no-stream",)])
def test_progress_is_removed_or_never_shown(
    online: Mj, grid: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    marks = re.findall(r"\x1b\]9;4;[^\x1b]*\x1b\\", shown_by(online, "imagine", "a cat", *arguments))
    assert not marks or marks[-1].encode() == CLEARED


@pytest.mark.slow
def test_other_terminals_get_no_progress(online: Mj, grid: dict[str, Any]) -> None:
    assert "\x1b]" not in shown_by(online, "imagine", "a cat", env=PLAIN)


@pytest.mark.slow
def test_a_failure_removes_the_progress(online: Mj, service: Service) -> None:
    service.imagine(waiting(service, fails=True))
    shown = shown_by(online, "imagine", "a cat", status=4).encode()
    assert re.findall(rb"\x1b\]9;4;[^\x1b]*\x1b\\", shown)[-1] == CLEARED
    assert shown.count(CLEARED) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGTSTP])
def test_a_signal_removes_the_progress(online: Mj, service: Service, number: signal.Signals) -> None:
    service.imagine(waiting(service))
    with at_terminal(online, "imagine", "a cat") as (screen, process):
        screen.read_until(process, b"\x1b]9;4;1;40\x1b\\")
        os.kill(process.pid, number)
        screen.read_until(process, CLEARED)
        process.kill()


# -- --notify and --open -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "expected"), [(PLAIN, "\a"), ({**PLAIN, "KITTY_WINDOW_ID": "1"}, "\x1b]99;;mj: done\x1b\\")]
)
@pytest.mark.parametrize("options", [(), ("-q",), ("--json",)])
def test_notify_rings_once_at_the_end(
    online: Mj, grid: dict[str, Any], env: dict[str, str], expected: str, options: tuple[str, ...]
) -> None:
    shown = shown_by(online, "imagine", "a cat", "--notify", *options, env=env)
    assert shown.endswith(expected)
    assert shown.count(expected) == 1


@pytest.mark.slow
def test_notify_rings_after_a_failure_too(online: Mj, service: Service) -> None:
    service.imagine(waiting(service, fails=True))
    env = {**PLAIN, "KITTY_WINDOW_ID": "1"}
    shown = shown_by(online, "imagine", "a cat", "--notify", status=4, env=env)
    assert shown.endswith("\x1b]99;;mj: failed\x1b\\")


@pytest.mark.slow
def test_notify_is_silent_without_a_terminal_and_before_anything_is_sent(
    online: Mj, grid: dict[str, Any]
) -> None:
    result = online("imagine", "a cat", "--notify", env=MODERN)
    assert b"\a" not in result.stdout + result.stderr
    assert "\a" not in shown_by(online, "imagine", "a cat --stylise 9", "--notify", status=2)


@pytest.mark.parametrize("option", ["--notify", "--open"])
@pytest.mark.parametrize("other", [["--no-wait"], ["--callback-url", "https://example.com/"]])
def test_what_needs_the_end_is_refused_where_nothing_waits_for_it(
    online: Mj, service: Service, option: str, other: list[str]
) -> None:
    result = online("imagine", "a cat", option, *other, check=2)
    assert f"mj: {option} needs the end of the job, so it cannot be combined with {other[0]}." in result.err
    assert not service.received


@pytest.fixture
def opener(online: Mj, tmp_path: Path) -> Path:
    """The system's opener, which logs its argument and the tokens of its environment, then fails if told so."""
    log, directory = tmp_path / "opened", tmp_path / "bin"
    directory.mkdir()
    for name in ("xdg-open", "open"):
        (directory / name).write_text(
            f'#!/bin/sh\nenv | grep -c TOKEN >> "{log}"\necho "$1" >> "{log}"\nexit ${{OPENER_STATUS:-0}}\n'
        )
        (directory / name).chmod(0o755)
    online.env["PATH"] = f"{directory}:/usr/bin:/bin"
    return log


def test_open_shows_the_saved_file_without_tokens(online: Mj, grid: dict[str, Any], opener: Path) -> None:
    result = online("imagine", "a cat", "--open", "-d", "--json", env={"MJ_TOKEN": "secret-token"})
    assert opener.read_text().splitlines() == ["0", *result.answer["files"]]
    assert result.err.count("warning") == 0


def test_open_shows_the_link_when_no_file_was_saved(online: Mj, grid: dict[str, Any], opener: Path) -> None:
    online("imagine", "a cat", "--open")
    assert opener.read_text().splitlines()[1:] == [grid["raw_image_url"]]


def test_an_opener_that_fails_is_a_warning(online: Mj, grid: dict[str, Any], opener: Path) -> None:
    result = online("imagine", "a cat", "--open", "-d", env={"OPENER_STATUS": "3"})
    assert "warning: No program was found to open it.\n" in result.err
    assert "file: " in result.out


def test_open_shows_nothing_after_a_failure(online: Mj, service: Service, opener: Path) -> None:
    service.imagine(waiting(service, fails=True))
    online("imagine", "a cat", "--open", check=4)
    assert not opener.exists()

"""Ctrl-Z, `fg`, `bg` and `&` in real shells: the screen stays clean, and no job is disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.support.pane import Pane, missing
from tests.support.program import Mj
from tests.support.scripts import hold_the_image
from tests.support.service import Received, Reply, Service, fixture_lines

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason="needs tmux")]

LINES = fixture_lines("stream.ndjson")
LINK = json.loads(LINES[-1])["image_id"]
shells = pytest.mark.parametrize(
    "shell",
    [
        pytest.param(each, marks=pytest.mark.skipif(bool(missing(each)), reason=f"needs {each}"))
        for each in ("bash", "zsh", "fish")
    ],
)


@pytest.fixture
def go_on(service: Service) -> threading.Event:
    """The service sends the rest of the stream when this is set."""
    event = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        while not service.over.wait(0.02) and not event.is_set():
            pass
        for line in LINES[1:]:
            reply.send(line + b"\r\n")
        reply.end()

    service.imagine(script)
    return event


@shells
def test_ctrl_z_removes_the_bar_and_fg_brings_it_back(
    online: Mj, service: Service, go_on: threading.Event, shell: str
) -> None:
    with Pane(online, shell) as pane:
        pane.run("mj imagine a cat")
        pane.wait_for("35%")
        pane.press("C-z")
        pane.wait(lambda: any(each in pane.screen().lower() for each in ("stopped", "suspended")))
        assert "%" not in pane.screen()
        assert pane.cursor_is_shown
        pane.run("fg")
        pane.wait_for("35%")
        go_on.set()
        screen = pane.wait_for(LINK)
        assert "%" not in screen
        assert len(service.posts()) == 1


@shells
def test_in_the_background_nothing_is_drawn_until_fg(
    online: Mj, service: Service, go_on: threading.Event, shell: str
) -> None:
    with Pane(online, shell) as pane:
        pane.run("mj imagine a cat &")
        assert service.arrived.wait(30)
        pane.run("echo visible-$((1 + 1))" if shell != "fish" else "echo visible-(math 1 + 1)")
        screen = pane.wait_for("visible-2")
        assert "sent" not in screen
        assert "%" not in screen
        pane.run("fg")
        pane.wait_for("35%")
        pane.press("C-z")
        pane.wait(lambda: "35%" not in pane.screen())
        pane.run("bg")
        pane.run("echo again-$((1 + 1))" if shell != "fish" else "echo again-(math 1 + 1)")
        assert "%" not in pane.wait_for("again-2")
        go_on.set()
        assert "%" not in pane.wait_for(LINK)


@shells
def test_tostop_does_not_stop_a_job_in_the_background(
    online: Mj, service: Service, go_on: threading.Event, shell: str
) -> None:
    go_on.set()
    with Pane(online, shell) as pane:
        pane.run("stty tostop; mj imagine a cat &")
        assert "%" not in pane.wait_for(LINK)


def test_a_job_that_ends_while_stopped_is_shown_after_fg(
    online: Mj, service: Service, go_on: threading.Event
) -> None:
    with Pane(online) as pane:
        pane.run("mj imagine a cat")
        pane.wait_for("35%")
        pane.press("C-z")
        pane.wait_for("Stopped")
        go_on.set()
        pane.run("fg")
        assert "%" not in pane.wait_for(LINK)
        assert len(service.posts()) == 1


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN])
def test_a_stop_by_kill_leaves_the_cursor_shown(
    online: Mj, go_on: threading.Event, number: signal.Signals
) -> None:
    with Pane(online) as pane:
        pane.run("mj imagine a cat")
        pane.wait_for("35%")
        os.kill(pid_of(online), number)
        pane.wait_for("Stopped")
        assert pane.cursor_is_shown
        pane.run("clear; fg")
        pane.wait_for("35%")
        go_on.set()
        assert "%" not in pane.wait_for(LINK)


def test_sigkill_leaves_the_cursor_shown(online: Mj, go_on: threading.Event) -> None:
    with Pane(online) as pane:
        pane.run("mj imagine a cat")
        pane.wait_for("35%")
        os.kill(pid_of(online), signal.SIGKILL)
        pane.wait_for("Killed")
        assert pane.cursor_is_shown


def test_a_stopped_job_ends_by_kill_and_says_how_to_resume_it(online: Mj, go_on: threading.Event) -> None:
    with Pane(online) as pane:
        pane.run("mj imagine a cat")
        pane.wait_for("35%")
        pane.press("C-z")
        pane.wait_for("Stopped")
        pane.run("kill %1")
        pane.wait_for("mj resume")
        assert "%" not in pane.screen().replace("kill %1", "")


def pid_of(mj: Mj) -> int:
    """The process that runs a job for this home directory."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            environ = (entry / "environ").read_bytes().split(b"\0")
            if b"imagine" in words and f"HOME={mj.home}".encode() in environ:
                return int(entry.name)
    raise AssertionError("the program does not run")


# -- prompts -------------------------------------------------------------------------------------------


# dash leaves the terminal as the program left it; the others have line editors, which set it themselves.
@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(each, marks=pytest.mark.skipif(bool(missing(each)), reason=f"needs {each}"))
        for each in ("dash", "bash", "zsh", "fish")
    ],
)
def test_ctrl_z_at_the_prompt_for_the_token_turns_the_echo_on(mj: Mj, shell: str) -> None:
    with Pane(mj, shell) as pane:
        pane.run("sh -c 'mj auth login; echo $((40 + 2))-ended'")
        pane.wait_for("(not shown):")
        pane.wait(lambda: not pane.echoes)
        pane.type("sk-se")
        pane.press("C-z")
        pane.wait(lambda: any(each in pane.screen().lower() for each in ("stopped", "suspended")))
        assert shell != "dash" or pane.echoes
        pane.run("fg")
        pane.wait(lambda: pane.screen().count("(not shown)") == 2)
        pane.wait(lambda: not pane.echoes)
        pane.type("sk-whole")
        pane.press("Enter")
        assert "sk-" not in pane.wait_for("42-ended")
        assert shell != "dash" or pane.echoes
    assert "sk-whole" in Path(mj.env["MJ_CONFIG"]).read_text()


@pytest.mark.parametrize("end", ["kill %1; kill -CONT %1", "kill -HUP %1; kill -CONT %1", "kill -INT %1; fg"])
def test_a_stopped_prompt_that_is_killed_leaves_the_terminal_to_the_shell(mj: Mj, end: str) -> None:
    with Pane(mj, "dash") as pane:
        pane.run("mj auth login")
        pane.wait_for("(not shown):")
        pane.press("C-z")
        pane.wait_for("topped")
        pane.run(end)
        pane.wait_for("No token was saved")
        pane.run("echo typed-$((1 + 1))")
        pane.wait_for("typed-2")
        assert pane.echoes


def test_a_prompt_for_the_token_in_the_background_is_refused(mj: Mj) -> None:
    with Pane(mj) as pane:
        pane.run("mj auth login &")
        screen = pane.wait_for("pipe the token in")
        assert "Cannot prompt for the token in the background" in screen
        pane.run("echo typed-$((1 + 1))")
        pane.wait_for("typed-2")


def test_several_prompts_in_the_background_are_not_asked_about(
    online: Mj, service: Service, go_on: threading.Event
) -> None:
    go_on.set()
    with Pane(online) as pane:
        pane.run("mj imagine --permute 'a {cat,dog}' &")
        pane.wait(lambda: len(service.posts()) == 2)
        assert "[y/N]" not in pane.screen()


def test_a_question_is_asked_again_after_fg(online: Mj, service: Service, go_on: threading.Event) -> None:
    with Pane(online) as pane:
        pane.run("mj imagine --permute 'a {cat,dog}'")
        pane.wait_for("[y/N]")
        pane.press("C-z")
        pane.wait_for("Stopped")
        pane.run("fg")
        pane.wait(lambda: pane.screen().count("[y/N]") == 2)
        pane.run("n")
        pane.wait_for("Cancelled")
        assert service.received == []


# -- sizes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["", "200", "40"])
def test_a_resized_terminal_has_one_bar(online: Mj, go_on: threading.Event, columns: str) -> None:
    with Pane(online, columns=120) as pane:
        for _ in range(25):  # to the bottom of the screen
            pane.run("true")
        pane.run(f"{f'COLUMNS={columns} ' if columns else ''}mj imagine a cat")
        pane.wait_for("35%")
        for width, height in ((60, 24), (44, 24), (19, 10), (8, 2), (3, 1), (90, 24), (200, 30)):
            pane.resize(width, height)
            pane.wait(partial(one_row, pane, width))
        go_on.set()
        assert "%" not in pane.wait_for(LINK)


def one_row(pane: Pane, width: int) -> bool:
    """Whether the bar is drawn once, in the last row; the percentage is there if there is room for it."""
    screen = pane.screen()
    rows = [line for line in screen.split("\n") if any(each in line for each in ("%", "━", "─", "dr", "…"))]
    if width < 6:
        return len(rows) <= 1
    return len(rows) == 1 and screen.endswith(rows[0]) and "35%" in rows[0]


@pytest.mark.parametrize("text", ["猫が好きです" * 20, "e\u0301" * 90, "👩‍👩‍👧🏽🇩🇪" * 20])
def test_a_wide_notice_above_the_bar_is_followed_by_one_bar(online: Mj, service: Service, text: str) -> None:
    release = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps({"task_id": f"task {text}", "progress": 35}).encode() + b"\r\n")
        reply.send(b"what is this\r\n")
        release.wait(60)
        reply.send(LINES[-1] + b"\r\n")
        reply.end()

    service.imagine(script)
    with Pane(online, columns=50) as pane:
        pane.run("mj imagine a cat")
        pane.wait_for("35%")
        for width in (30, 18, 50):
            pane.resize(width, 24)
            pane.wait(lambda: pane.screen().count("%") == 1)
        release.set()
        assert "%" not in pane.wait_for(LINK)


# -- ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["--no-wait", "--callback-url http://127.0.0.1:9/"])
def test_a_job_that_is_not_waited_for_leaves_no_spinner(online: Mj, service: Service, options: str) -> None:
    def script(_request: Received, reply: Reply) -> None:
        service.over.wait(0.4)  # time for a frame or two of the spinner
        reply.json({"task_id": "task-1"})

    service.imagine(script)
    with Pane(online) as pane:
        pane.run(f"clear; mj imagine a cat {options}; echo ended")
        screen = pane.wait_for("\nended")
        assert "waiting" not in screen
        assert "task-1" in screen


@pytest.mark.parametrize("keys", [["C-c"], ["C-c", "C-c"], ["C-z"]])
@pytest.mark.parametrize("names", [("cat.png",), ("1.png", "2.png", "3.png", "4.png")])
def test_a_download_that_is_interrupted_leaves_no_bar(
    online: Mj, service: Service, names: tuple[str, ...], keys: list[str]
) -> None:
    hold_the_image(service, names)
    with Pane(online) as pane:
        pane.run("mj imagine a cat -d")
        pane.wait(lambda: "150.0/" in pane.screen())
        for key in keys:
            pane.press(key)
        pane.wait(lambda: pane.screen().endswith("$"))
        assert "kB" not in pane.screen()
        assert pane.cursor_is_shown


def test_a_failed_job_leaves_no_bar(online: Mj, service: Service, go_on: threading.Event) -> None:
    service.stream([LINES[0], {"success": False, "error": {"code": "api_error", "message": "broke"}}])
    with Pane(online) as pane:
        pane.run("mj imagine a cat")
        assert "━" not in pane.wait_for("broke")

"""What a terminal shows while a job runs, and the state in which it is left."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.images import png
from tests.support.program import Mj
from tests.support.service import Received, Reply, Service, fixture_lines
from tests.support.systems import posix
from tests.support.terminal import ASCII, EVIL, Screen, plain

pytestmark = pytest.mark.slow

LINES = fixture_lines("stream.ndjson")
TASK = json.loads(LINES[-1])["task_id"]


def on_screen(
    online: Mj,
    service: Service,
    *arguments: str,
    columns: int = 80,
    env: dict[str, str | None] | None = None,
    stdout: bool = True,
    lines: Sequence[bytes] = LINES,
) -> tuple[int, str, bytes]:
    """Run a job on a terminal; returns the status, the screen, and standard output if it is a pipe."""
    screen = Screen(columns)

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(lines[0] + b"\r\n")
        service.over.wait(0.4)  # time for a frame or two of the bar
        for line in lines[1:]:
            reply.send(line + b"\r\n")
        reply.end()

    service.imagine(script)
    try:
        process = online.start(
            *(arguments or ("imagine", "a cat")),
            env={"TERM": "xterm-256color", **(env or {})},
            stdin=screen.theirs,
            stdout=screen.theirs if stdout else subprocess.PIPE,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, None)
            out = process.stdout.read() if process.stdout is not None else b""
        shown = screen.shown.decode()
        assert "Traceback" not in shown
        assert "secret-token" not in shown
        return process.returncode, shown, out
    finally:
        screen.close()


@posix
@pytest.mark.parametrize("columns", [80, 20, 1, 300])
def test_a_live_bar_on_standard_error_is_followed_by_the_result(
    online: Mj, service: Service, columns: int
) -> None:
    status, shown, out = on_screen(online, service, columns=columns, stdout=False)
    assert status == 0
    assert "\x1b[?25l" in shown  # hidden while a frame is written
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # and shown again
    if columns >= 20:
        assert "35%" in plain(shown)
        assert "75%" in plain(shown)
    assert f"id: {json.loads(LINES[-1])['image_id']}\n".encode() in out
    assert b"\x1b" not in out


@posix
@pytest.mark.parametrize("columns", [80, 20])
def test_the_bar_never_goes_back_and_stays_within_0_and_100(
    online: Mj, service: Service, columns: int
) -> None:
    event = {"task_id": TASK, "success": True, "actions": []}
    values = [-5, 10, "50%", 30, None, 60, 20, 150, 70]
    lines = [json.dumps({**event, "progress": value}).encode() for value in values]
    lines = [*lines[:4], json.dumps(event).encode(), *lines[4:], LINES[-1]]
    status, shown, _ = on_screen(online, service, columns=columns, stdout=False, lines=lines)
    assert status == 0
    drawn = [int(each) for each in re.findall(r"(-?\d+)%", plain(shown))]
    assert drawn == sorted(drawn)
    assert set(drawn) == {0, 10, 50, 60, 100}


@posix
def test_the_bar_leaves_room_for_what_the_terminal_echoes_of_ctrl_c(online: Mj, service: Service) -> None:
    """On a full line, it would move to the next one and the bar would be drawn again below."""
    _, shown, _ = on_screen(online, service, columns=60, stdout=False)
    bars = [each for each in re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)) if "%" in each]
    assert bars
    assert max(map(len, bars)) <= 60 - len("^C")


@posix
def test_an_existing_file_has_no_bar(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    arguments = ("imagine", "a cat", "-o", "cat.png")
    lines = [LINES[0], json.dumps(service.result()).encode()]
    _, shown, _ = on_screen(online, service, *arguments, stdout=False, lines=lines)
    assert "bytes" in shown
    again = ("download", TASK, "-o", "cat.png")
    _, shown, _ = on_screen(online, service, *again, stdout=False, lines=lines)
    assert "which already exists" in shown
    assert "bytes" not in shown


@posix
def test_markup_and_emoji_codes_are_literal_above_the_bar_too(online: Mj, service: Service) -> None:
    odd = "[bold]x[/bold][/x][link=http://e]y[/link]:smile:[red]"
    lines = [LINES[0], json.dumps({"task_id": odd, "progress": 50}).encode(), LINES[-1]]
    status, shown, _ = on_screen(online, service, columns=300, lines=lines)
    assert status == 0
    assert "\x1b[?25l" in shown
    assert odd in plain(shown)


@posix
@pytest.mark.parametrize("columns", [80, 20])
def test_the_result_is_below_the_bar(online: Mj, service: Service, columns: int) -> None:
    status, shown, _ = on_screen(online, service, columns=columns)
    assert status == 0
    image = json.loads(LINES[-1])["image_id"]
    assert shown.rindex("\x1b[?25h") < shown.rindex(image)
    assert "\x1b[?25l" not in shown[shown.rindex(image) :]
    assert json.loads(LINES[-1])["raw_image_url"] in plain(shown).replace("\n", "")


@posix
@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ([], {"TERM": "dumb"}),
        ([], {"TERM": ""}),
        (["-q"], {}),
    ],
)
def test_a_dumb_terminal_and_quiet_have_no_animation(
    online: Mj, service: Service, arguments: list[str], env: dict[str, str]
) -> None:
    status, shown, _ = on_screen(online, service, "imagine", "a cat", *arguments, env=dict(env))
    assert status == 0
    assert "\x1b" not in shown
    assert json.loads(LINES[-1])["raw_image_url"] in shown


@posix
@pytest.mark.parametrize(("arguments", "env"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
def test_no_color_removes_the_colours_but_not_the_bar(
    online: Mj, service: Service, arguments: list[str], env: dict[str, str]
) -> None:
    status, shown, _ = on_screen(online, service, "imagine", "a cat", *arguments, env=dict(env))
    assert status == 0
    assert "35%" in plain(shown)
    colours = {code for each in re.findall(r"\x1b\[([0-9;]*)m", shown) for code in each.split(";")}
    assert not colours & {*(str(n) for n in range(30, 50)), *(str(n) for n in range(90, 108))}


@posix
def test_json_on_a_terminal_is_not_coloured_or_wrapped(online: Mj, service: Service) -> None:
    status, shown, _ = on_screen(online, service, "imagine", "a cat", "--json", columns=40)
    assert status == 0
    (result,) = [line for line in shown.replace("\r\n", "\n").split("\n") if "{" in line]
    assert json.loads(result[result.index("{") :])["task_id"] == TASK


@posix
def test_an_ascii_terminal_gets_a_bar_too(online: Mj, service: Service) -> None:
    status, shown, _ = on_screen(online, service, env=ASCII)
    assert status == 0
    assert shown.isascii()
    assert "35%" in plain(shown)


@posix
def test_the_bar_is_cleared_before_an_error(online: Mj, service: Service) -> None:
    screen = Screen(80)
    evil = EVIL["escape"] + EVIL["title"]
    service.stream([LINES[0], b"odd", {"error": {"code": "api_error", "message": f"broke{evil}[red]"}}])
    try:
        with online.start(
            "imagine",
            "a cat",
            env={"TERM": "xterm", "NO_COLOR": "1"},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        ) as process:
            screen.read_until(process, None)
        shown = screen.shown.decode()
    finally:
        screen.close()
    assert process.returncode == 4
    assert "[2J" not in shown.replace("\\x1b[2J", "")
    assert "\x1b]" not in shown
    assert "\\x1b]0;owned\\x07[red]" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert shown.rindex("broke") > shown.rindex("\x1b[?25h")
    assert "warning:" in shown


@posix
def test_the_cursor_comes_back_after_an_interrupt(online: Mj, service: Service) -> None:
    import signal

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        service.over.wait(60)

    service.imagine(script)
    screen = Screen(80)
    try:
        with online.start(
            "imagine",
            "a cat",
            env={"TERM": "xterm"},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        ) as process:
            screen.read_until(process, b"35%")
            process.send_signal(signal.SIGINT)
            screen.read_until(process, None)
        shown = screen.shown.decode()
    finally:
        screen.close()
    assert process.returncode == 130
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert TASK in shown
    assert len(service.posts()) == 1


@posix
def test_a_terminal_at_standard_input_is_not_read_as_a_prompt(online: Mj, service: Service) -> None:
    status, shown, _ = on_screen(online, service, "imagine")
    assert status == 2
    assert "prompt" in shown
    assert service.received == []


@posix
def test_resizing_the_terminal_is_harmless(online: Mj, service: Service) -> None:
    import fcntl
    import signal
    import struct
    import termios

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        while not service.over.wait(0.05) and not resized:
            pass
        reply.send(LINES[-1] + b"\r\n")
        reply.end()

    resized: list[Any] = []
    service.imagine(script)
    screen = Screen(80)
    try:
        with online.start(
            "imagine",
            "a cat",
            env={"TERM": "xterm"},
            stdin=screen.theirs,
            stdout=subprocess.DEVNULL,
            stderr=screen.theirs,
            start_new_session=True,
        ) as process:
            screen.read_until(process, b"35%")
            fcntl.ioctl(screen.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 15, 0, 0))
            process.send_signal(signal.SIGWINCH)
            resized.append(True)
            screen.read_until(process, None)
    finally:
        screen.close()
    assert process.returncode == 0
    assert screen.shown.rindex(b"\x1b[?25h") > screen.shown.rindex(b"\x1b[?25l")


@posix
def test_a_closed_terminal_does_not_lose_the_result(online: Mj, service: Service) -> None:
    """The window was closed while the bar moved, and hangups are ignored."""
    gone = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(LINES[0] + b"\r\n")
        gone.wait(60)
        for line in (LINES[1], b"a line to be warned of", LINES[-1]):
            reply.send(line + b"\r\n")
        reply.end()

    service.imagine(script)
    screen = Screen(80)
    try:
        process = online.start(
            "imagine",
            "a cat",
            "--json",
            env={"TERM": "xterm"},
            stdin=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        screen.read_until(process, b"35%")
    finally:
        screen.close()
    gone.set()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["task_id"] == TASK


@pytest.mark.slow
@posix
@pytest.mark.parametrize("columns", ["²", "9" * 5000, "99999", "-5", "wide", "٨٠"])
def test_an_odd_width_in_the_environment_does_not_disturb_the_bar(
    online: Mj, service: Service, columns: str
) -> None:
    status, shown, _ = on_screen(online, service, env={"COLUMNS": columns, "LINES": columns})
    assert status == 0
    assert "75%" in shown

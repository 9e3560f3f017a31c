"""Pictures above the bar of a running job, in real terminals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from functools import partial

import PIL.Image
import pytest

from tests.cli.test_job_control import pid_of
from tests.support.pane import Pane, missing
from tests.support.pictures import COLOURS, grid, plain, saved
from tests.support.program import Mj
from tests.support.service import Received, Reply, Service
from tests.support.terminal import Screen
from tests.support.terminal import plain as without_escapes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing("bash")), reason="needs tmux and bash"),
]

NEW = [(10, 20, 30), (30, 20, 10), (90, 10, 90), (10, 90, 90)]
BLOCKS = "COLORTERM=truecolor mj imagine a cat"


class Running:
    """A job that shows one image after the other as the test goes on."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._steps = [threading.Event() for _ in range(3)]
        service.files["/files/step0.png"] = grid(64)
        service.files["/files/step1.png"] = grid(64, NEW)
        service.files["/files/cat.png"] = grid(64, NEW[::-1])
        service.imagine(self._script)

    def go_on(self, step: int) -> None:
        """Let the stream continue after this many events."""
        self._steps[step].set()

    def _script(self, _request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for number in (0, 1):
            url = f"{self._service.base_url}/files/step{number}.png"
            event = {
                "image_url": url,
                "raw_image_url": url,
                "progress": 35 + 40 * number,
                "task_id": "task-1",
            }
            reply.send(json.dumps({**event, "actions": [], "success": True}).encode() + b"\r\n")
            self._wait(number)
        reply.send(json.dumps(self._service.result(task_id="task-1")).encode() + b"\r\n")
        reply.end()

    def _wait(self, step: int) -> None:
        while not self._steps[step].is_set() and not self._service.over.wait(0.02):
            pass


@pytest.fixture
def job(service: Service) -> Running:
    return Running(service)


def colours(pane: Pane) -> set[tuple[int, ...]]:
    """The colours of the pixels on the screen."""
    text = pane._tmux("capture-pane", "-p", "-e")
    return {tuple(map(int, found)) for found in re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", text)}


def shows(pane: Pane, wanted: list[tuple[int, int, int]]) -> bool:
    """Whether a grid of these colours is on the screen, and nothing of another one."""
    found = colours(pane)
    others = {*COLOURS, *NEW} - set(wanted)
    return set(wanted) <= found and not others & found


def rows_of_blocks(pane: Pane) -> list[str]:
    return [line for line in pane.screen().split("\n") if "▀" in line]


def test_each_image_replaces_the_last_one_and_the_final_one_stays(online: Mj, job: Running) -> None:
    with Pane(online) as pane:
        pane.run(BLOCKS)
        pane.wait(lambda: shows(pane, COLOURS) and "35%" in pane.screen())
        assert pane.screen().rstrip().split("\n")[-1].startswith("drawing")
        height = len(rows_of_blocks(pane))
        job.go_on(0)
        pane.wait(lambda: shows(pane, NEW) and "75%" in pane.screen())
        assert len(rows_of_blocks(pane)) == height
        job.go_on(1)
        pane.wait_for("next ")
        pane.wait(lambda: pane.screen().endswith("$"))
        assert shows(pane, NEW)
        assert "%" not in pane.screen()
        assert pane.cursor_is_shown
        above = pane.screen().index("▀")
        assert above < pane.screen().index("link")


def test_off_shows_nothing_and_fetches_nothing(online: Mj, job: Running, service: Service) -> None:
    with Pane(online) as pane:
        pane.run(f"{BLOCKS} --preview off")
        pane.wait_for("35%")
        job.go_on(0)
        job.go_on(1)
        pane.wait_for("next ")
        assert "▀" not in pane.screen()
        assert not service.gets()


def test_256_colours_are_used_where_there_are_no_more(online: Mj, job: Running) -> None:
    with Pane(online) as pane:
        pane.run("COLORTERM= mj imagine a cat")
        pane.wait(lambda: "▀" in pane.screen())
        assert not colours(pane)
        assert "8;5;" in pane._tmux("capture-pane", "-p", "-e")


@pytest.mark.parametrize("start", ["top", "bottom"])
def test_a_resized_terminal_has_one_picture_and_one_bar(online: Mj, job: Running, start: str) -> None:
    with Pane(online, columns=90) as pane:
        for _ in range(25 if start == "bottom" else 0):
            pane.run("true")
        pane.run(BLOCKS)
        pane.wait(lambda: shows(pane, COLOURS))
        for width, height in ((60, 24), (40, 24), (24, 12), (120, 40), (12, 5), (90, 24)):
            pane.resize(width, height)
            pane.wait(partial(one_of_each, pane, width, height))
        job.go_on(0)
        job.go_on(1)
        pane.wait(lambda: pane.screen().endswith("$"))
        assert "%" not in pane.screen()


def one_of_each(pane: Pane, width: int, height: int) -> bool:
    """Whether there is one bar, and above it one picture as high as there is room, or none without room."""
    rows = pane.screen().split("\n")
    blocks = [number for number, line in enumerate(rows) if "▀" in line]
    bars = [number for number, line in enumerate(rows) if "35%" in line]
    if len(bars) != 1 or (blocks and blocks != list(range(bars[0] - len(blocks), bars[0]))):
        return False
    side = min((width - 4) // 2, height - 2, max(20, height // 2))  # of a square, in rows
    return len(blocks) == (side if side >= 4 else 0)


@pytest.mark.parametrize("rows", [12, 24])
def test_a_window_keeps_no_frame_in_its_history(online: Mj, job: Running, rows: int) -> None:
    """tmux keeps what is erased from the first cell of the window on."""
    with Pane(online, columns=40, rows=rows) as pane:
        pane.run(f"clear; {BLOCKS}")
        pane.wait(lambda: shows(pane, COLOURS))
        job.go_on(0)
        pane.wait(lambda: shows(pane, NEW))
        job.go_on(1)
        pane.wait(lambda: pane.screen().endswith("$"))
        kept = pane._tmux("capture-pane", "-p", "-S", "-200")
        assert "drawing" not in kept
        assert kept.count("next ") == 1
        if rows == 12:
            assert "▀" not in kept  # too little room for the final picture beside the result


@pytest.mark.parametrize("keys", [["C-c"], ["C-c", "C-c"]])
def test_ctrl_c_leaves_no_picture(online: Mj, job: Running, keys: list[str]) -> None:
    with Pane(online) as pane:
        pane.run(BLOCKS)
        pane.wait(lambda: shows(pane, COLOURS))
        for key in keys:
            pane.press(key)
        pane.wait(lambda: pane.screen().endswith("$"))
        assert "▀" not in pane.screen()
        assert pane.cursor_is_shown


def test_ctrl_z_removes_the_picture_and_fg_brings_it_back(online: Mj, job: Running) -> None:
    with Pane(online) as pane:
        pane.run(BLOCKS)
        pane.wait(lambda: shows(pane, COLOURS))
        pane.press("C-z")
        pane.wait_for("Stopped")
        assert "▀" not in pane.screen()
        pane.run("fg")
        pane.wait(lambda: shows(pane, COLOURS))
        job.go_on(0)
        job.go_on(1)
        pane.wait_for("next ")


def test_sigkill_leaves_the_cursor_shown(online: Mj, job: Running) -> None:
    with Pane(online) as pane:
        pane.run(BLOCKS)
        pane.wait(lambda: shows(pane, COLOURS))
        os.kill(pid_of(online), signal.SIGKILL)
        pane.wait_for("Killed")
        assert pane.cursor_is_shown


def test_an_image_that_does_not_come_holds_up_nothing(online: Mj, job: Running, service: Service) -> None:
    def stalled(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "image/png"}, length=1000)
        service.over.wait(60)

    service.files["/files/step0.png"] = service.files["/files/step1.png"] = stalled
    with Pane(online) as pane:
        pane.run(BLOCKS)
        pane.wait_for("35%")
        job.go_on(0)
        pane.wait_for("75%")
        job.go_on(1)
        pane.wait_for("next ")
        pane.wait(lambda: pane.screen().endswith("$"))


def test_a_message_goes_above_the_picture(online: Mj, service: Service) -> None:
    go_on = threading.Event()
    url = f"{service.base_url}/files/step.png"
    service.files["/files/step.png"] = grid(64)
    service.files["/files/cat.png"] = plain((1, 1, 1))

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps({"image_url": url, "progress": 35, "task_id": "task-1"}).encode() + b"\r\n")
        go_on.wait(60)
        reply.send(b"what is this\r\n")
        service.over.wait(60)

    service.imagine(script)
    with Pane(online) as pane:
        pane.run(BLOCKS)
        pane.wait(lambda: shows(pane, COLOURS))
        before = len(rows_of_blocks(pane))
        go_on.set()
        pane.wait_for("warning")
        pane.wait(lambda: len(rows_of_blocks(pane)) == before and "35%" in pane.screen())
        assert pane.screen().index("warning") < pane.screen().index("▀")
        pane.press("C-c")
        pane.wait(lambda: pane.screen().endswith("$"))


# -- protocols, on a pseudo-terminal --------------------------------------------------------------------


def on_screen(online: Mj, job: Running, env: dict[str, str], seen: bytes, *options: str) -> bytes:
    """Run a job on a terminal, which goes on when its first picture was `seen`; everything that it displayed."""
    screen = Screen(80)
    try:
        process = online.start(
            *("imagine", "a cat", *options),
            env={"TERM": "xterm-256color", **env},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, seen)
            job.go_on(0)
            job.go_on(1)
            screen.read_until(process, None)
        assert process.returncode == 0
        return screen.shown
    finally:
        screen.close()


def test_kitty_forgets_each_picture_but_the_last(online: Mj, job: Running) -> None:
    shown = on_screen(online, job, {"KITTY_WINDOW_ID": "1", "TERM": "xterm-kitty"}, b"\x1b_Ga=T")
    placed = re.findall(rb"a=T,[^;]*,i=(\d+)", shown)
    erased = re.findall(rb"a=d,d=I,i=(\d+)", shown)
    assert set(placed) - set(erased) == {placed[-1]}
    assert b"\x1b[c" not in shown  # it was not asked


def test_sixel_is_drawn_for_a_terminal_that_answers_so(online: Mj, job: Running) -> None:
    screen = Screen(80)
    try:
        process = online.start(
            "imagine",
            "a cat",
            env={"TERM": "xterm-256color", "XTERM_VERSION": "XTerm(400)"},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, b"\x1b[c")
            os.write(screen.ours, b"\x1b[?1;0;16S\x1b[?63;1;4c")
            screen.read_until(process, b"\x1bP0;1;0q")
            job.go_on(0)
            job.go_on(1)
            screen.read_until(process, None)
        shown = screen.shown
    finally:
        screen.close()
    assert b"#16;2;" not in shown  # of 16 colours the last is number 15
    assert b"63;1;4c" not in shown  # neither echoed nor left to the shell
    assert "35%" in without_escapes(re.sub(rb"\x1bP.*?\x1b\\", b"", shown, flags=re.DOTALL).decode())


def test_a_pipe_gets_no_picture(online: Mj, job: Running, service: Service) -> None:
    job.go_on(0)
    job.go_on(1)
    done = subprocess.run(
        online.command("imagine", "a cat", "--preview", "blocks"),
        env=online.environment({"COLORTERM": "truecolor"}),
        capture_output=True,
        cwd=online.cwd,
        check=True,
    )
    assert b"\x1b" not in done.stdout + done.stderr
    assert not service.gets()


# -- mj show -------------------------------------------------------------------------------------------


def test_show_draws_a_quadrant_of_a_grid(mj: Mj) -> None:
    (mj.cwd / "grid.png").write_bytes(grid(64))
    with Pane(mj) as pane:
        pane.run("COLORTERM=truecolor mj show grid.png --quadrant 2")
        pane.wait_for("file ")
        assert colours(pane) == {COLOURS[1]}


@pytest.mark.parametrize("name", ["bomb.png", "text.png"])
def test_what_cannot_be_shown_ends_in_one_sentence(mj: Mj, name: str) -> None:
    big = PIL.Image.new("1", (30_000, 2_000))
    (mj.cwd / name).write_bytes(saved(big) if name == "bomb.png" else b"no picture at all")
    with Pane(mj) as pane:
        pane.run(f"clear; mj show {name}; echo status $?")
        screen = pane.wait_for("status 2")
        assert f'mj: "{name}" ' in screen
        assert "▀" not in screen


def test_history_show_draws_the_saved_image(online: Mj, job: Running) -> None:
    job.go_on(0)
    job.go_on(1)
    online("imagine", "a cat", "--download")
    with Pane(online, columns=80, rows=60) as pane:
        pane.run("COLORTERM=truecolor mj history show @last")
        pane.wait_for("next ")
        assert set(NEW) <= colours(pane)
        pane.run("clear; mj history show @last --preview off; echo ended-$((1 + 1))")
        pane.wait_for("ended-2")
        assert "▀" not in pane.screen()

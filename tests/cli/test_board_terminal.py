"""What the board looks like on a real terminal, and the state in which it leaves it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.board import BoardProgram, Orders
from tests.support.pane import Pane, missing
from tests.support.program import Mj
from tests.support.terminal import ASCII, EVIL, Screen, harmless, plain

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason="needs tmux")]

COUNTS = {"total": 100, "done": 12, "failed": 1, "running": 5, "left": 82, "spent": 0.35}
NUMBERS = "12 done · 5 running · 1 failed · 82 left · 0.35 USD"


@pytest.fixture
def program(mj: Mj) -> BoardProgram:
    return BoardProgram(mj)


@contextmanager
def board(program: BoardProgram, *, columns: int = 80, line: str = "mj") -> Iterator[tuple[Pane, Orders]]:
    """A shell in which the program shows a board."""
    with Pane(program, columns=columns) as pane:
        pane.run(line)
        with Orders(program) as orders:
            orders.counts(**COUNTS)
            yield pane, orders


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(80, NUMBERS), (50, "12 done · 5 running · 1 failed · 0.35 USD"), (30, "12 done · 0.35 USD")],
)
def test_lines_scroll_away_above_the_board(program: BoardProgram, columns: int, expected: str) -> None:
    with board(program, columns=columns) as (pane, orders):
        pane.wait_for(expected)
        for number in range(30):
            orders.do("add", f"line {number}.")
        screen = pane.wait_for("line 29.").split("\n")
        assert screen[:22] == [f"line {n}." for n in range(8, 30)]
        assert screen[22].startswith("━")
        assert screen[22].endswith(" 13/100")
        assert screen[23:] == [expected]
        assert pane.cursor_is_shown


def test_at_the_end_the_board_is_gone(program: BoardProgram) -> None:
    with Pane(program) as pane:
        pane.run("mj")
        with Orders(program) as orders:
            orders.counts(**COUNTS)
            pane.wait_for(NUMBERS)
            orders.do("add", "line 1")
        screen = pane.wait_for("the end")
        assert screen.split("\n")[1:3] == ["line 1", "the end"]
        assert "━" not in screen
        assert pane.cursor_is_shown


def test_messages_and_results_on_the_same_terminal_are_above_the_board(program: BoardProgram) -> None:
    with board(program) as (pane, orders):
        pane.wait_for(NUMBERS)
        for what in ("notice", "add", "warning", "text"):
            orders.do(what, f"{what} of the board")
        screen = pane.wait_for("text of the board").split("\n")
        assert screen[1:5] == [
            "notice of the board",
            "add of the board",
            "warning: warning of the board",
            "text of the board",
        ]
        pane.wait(lambda: pane.screen().split("\n")[6:] == [NUMBERS])


def test_a_resize_leaves_one_board(program: BoardProgram) -> None:
    with board(program) as (pane, orders):
        pane.wait_for(NUMBERS)
        for number in range(9):  # a terminal that wraps rows may move the first ones out of sight
            orders.do("add", f"line {number}")
        pane.wait_for("line 8")
        for columns, expected in ((50, "12 done · 5 running · 1 failed · 0.35 USD"), (120, NUMBERS)):
            pane.resize(columns, 24)
            pane.wait(lambda expected=expected: pane.screen().split("\n")[-1] == expected)  # type: ignore[misc]
            screen = pane.screen()
            assert screen.count("done") == 1
            assert screen.count("/100") == 1
            assert [each for each in screen.split("\n") if each.startswith("line")][-3:] == [
                "line 6",
                "line 7",
                "line 8",
            ]


def test_a_low_terminal_shows_the_numbers(program: BoardProgram) -> None:
    with board(program) as (pane, _):
        pane.wait_for(NUMBERS)
        pane.resize(80, 1)
        pane.wait(lambda: pane.screen() == NUMBERS)


def test_ctrl_z_removes_the_board_and_fg_brings_it_back(program: BoardProgram) -> None:
    with board(program) as (pane, orders):
        pane.wait_for(NUMBERS)
        pane.press("C-z")
        pane.wait_for("Stopped")
        assert "done" not in pane.screen()
        assert pane.cursor_is_shown
        orders.do("add", "line 1")
        pane.run("fg")
        screen = pane.wait_for("line 1")
        assert screen.count("done") == screen.count("/100") == 1


def test_in_the_background_lines_wait_until_fg(program: BoardProgram) -> None:
    with board(program, line="mj &") as (pane, orders):
        orders.do("add", "line 1")
        orders.do("notice", "A notice.")
        screen = pane.wait_for("A notice.")
        assert "line 1" not in screen
        assert "done" not in screen
        pane.run("fg")
        pane.wait_for(NUMBERS)
        assert "line 1" in pane.screen()


# -- bytes -------------------------------------------------------------------------------------------


def on_screen(
    program: BoardProgram, *options: str, env: dict[str, str | None], wait: bytes | None, stdout: bool = True
) -> tuple[str, bytes]:
    """All that a terminal gets, and standard output if it is a pipe; `wait` is shown before the program ends."""
    screen = Screen(80)
    try:
        process = program.start(
            *options,
            env=env,
            stdin=screen.theirs,
            stdout=screen.theirs if stdout else subprocess.PIPE,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            with Orders(program) as orders:
                orders.counts(**COUNTS)
                for text in EVIL.values():
                    orders.do("add", f"line {text} [red]:smile:")
                if wait is not None:
                    screen.read_until(process, wait)
            screen.read_until(process, None)
            out = process.stdout.read() if process.stdout is not None else b""
        assert process.returncode == 0
        return screen.shown.decode(), out
    finally:
        screen.close()


TERMINAL: dict[str, str | None] = {"TERM": "xterm-256color"}


def test_text_from_outside_is_harmless_above_the_board(program: BoardProgram) -> None:
    shown, _ = on_screen(program, env=TERMINAL, wait=b"feff")
    assert "[red]:smile:" in shown
    for line in plain(shown).split("\n"):
        harmless(line)
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.parametrize(("options", "env"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})])
def test_no_color_removes_the_colours_but_not_the_board(
    program: BoardProgram, options: list[str], env: dict[str, str | None]
) -> None:
    shown, _ = on_screen(program, *options, env=TERMINAL | env, wait=b"12 done")
    assert not re.findall(r"\x1b\[[0-9;]+m", shown)


def test_an_ascii_terminal_gets_a_board_too(program: BoardProgram) -> None:
    shown, _ = on_screen(program, env=TERMINAL | ASCII, wait=b"12 done")
    assert shown.isascii()
    assert "12 done | 5 running" in plain(shown)


@pytest.mark.parametrize(("options", "env"), [([], {"TERM": "dumb"}), ([], {"TERM": ""}), (["-q"], TERMINAL)])
def test_a_dumb_terminal_and_quiet_have_no_board(
    program: BoardProgram, options: list[str], env: dict[str, str | None]
) -> None:
    assert on_screen(program, *options, env=env, wait=None)[0] == "the end\r\n"


def test_a_board_does_not_touch_standard_output(program: BoardProgram) -> None:
    shown, out = on_screen(program, env=TERMINAL, wait=b"12 done", stdout=False)
    assert out == b"the end\n"
    assert "the end" not in shown

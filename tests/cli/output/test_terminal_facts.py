"""Which streams have colours and live displays, and how wide text on them is."""

from __future__ import annotations

import io
import sys

import pytest
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from mjcli.cli.output import terminal
from mjcli.cli.output.bars import Rows
from mjcli.cli.output.live import Screen
from mjcli.cli.output.sink import Mode, Output, Streams
from mjcli.cli.output.table import display_width
from mjcli.cli.output.terminal import folded, obeys_escapes, terminal_size


class Tty(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def output(environ: dict[str, str], stream: io.StringIO, *, no_color: bool = False) -> Output:
    return Output(Streams(stream, stream, stream), environ, Mode(no_color=no_color))


@pytest.mark.parametrize(
    ("environ", "on_terminal", "in_file"),
    [
        ({}, True, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "0"}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "CLICOLOR": "0"}, True, True),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"CLICOLOR_FORCE": ""}, True, False),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True, True),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True, True),
        ({"CLICOLOR_FORCE": "0", "CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": ""}, True, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"CLICOLOR": "1", "TERM": "dumb"}, False, False),
        ({"TERM": ""}, False, False),
    ],
)
def test_the_variables_decide_about_colours(
    environ: dict[str, str], on_terminal: bool, in_file: bool
) -> None:
    environ = {"TERM": "xterm", **environ}
    for stream, expected in ((Tty(), on_terminal), (io.StringIO(), in_file)):
        assert output(environ, stream).colours(stream) == expected
        assert not output(environ, stream, no_color=True).colours(stream)


def test_a_console_of_windows_needs_no_term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(terminal, "_console_obeys", lambda _stream: True)
    assert obeys_escapes(Tty(), {})
    assert obeys_escapes(Tty(), {"TERM": "xterm"})
    assert not obeys_escapes(Tty(), {"TERM": "dumb"})
    assert not obeys_escapes(io.StringIO(), {})


def test_elsewhere_a_terminal_without_term_is_a_simple_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert not obeys_escapes(Tty(), {})


@pytest.mark.parametrize(
    "text", ["猫が 好き です とても", "a b c d e f g h i j k l m n", "👩‍👩‍👧 🇩🇪 e\u0301 e\u0301"]
)
@pytest.mark.parametrize("width", [8, 12, 20])
def test_text_is_folded_by_the_columns_it_takes(text: str, width: int) -> None:
    for line in folded(text, width, 2).split("\n"):
        assert display_width(line) <= width


def test_colours_take_no_room_when_text_is_folded() -> None:
    assert "\n" not in folded("\x1b[1;31mmj:\x1b[0m twelve more", 18, 2)


@pytest.mark.parametrize(("columns", "expected"), [("", 80), ("40", 40), ("200", 200), ("x", 80)])
def test_without_a_terminal_columns_is_believed(columns: str, expected: int) -> None:
    assert terminal_size(io.StringIO(), {"COLUMNS": columns}) == (expected, 24)


@pytest.mark.parametrize("columns", [*range(1, 60), 200])
@pytest.mark.parametrize("label", ["file 1/4", "猫 1/4", "", "e\u0301\u0301 1/4"])
def test_a_row_is_never_wider_than_its_room(columns: int, label: str) -> None:
    for encoding in ("utf-8", "ascii"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        name, elapsed = TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        for value in ("waiting", " 50%", "123.4/567.8 MB"):
            parts = [name, BarColumn(bar_width=None), TextColumn(value, markup=False), elapsed]
            rows = Rows(Screen(stream, colour=False, size=lambda: (columns, 1)), parts, [name, elapsed])
            rows.progress.add_task(label, total=None)
            (text,) = rows.texts(columns)
            assert display_width(text) <= columns
            assert text.isascii() or encoding == "utf-8" or not label.isascii()


def test_the_progress_stays_when_there_is_no_room_for_the_rest() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    name, elapsed = TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    parts = [name, BarColumn(bar_width=None), TextColumn(" 50%", markup=False), elapsed]
    rows = Rows(Screen(stream, colour=False, size=lambda: (1, 1)), parts, [name, elapsed])
    rows.progress.add_task("drawing", total=100)
    shown = {columns: rows.texts(columns)[0].split() for columns in (40, 14, 6)}
    assert shown == {40: ["drawing", "50%", "0:00:00"], 14: ["50%", "0:00:00"], 6: ["50%"]}

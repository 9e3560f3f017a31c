"""The table: each row is one line, whatever the cells contain and however narrow the terminal is."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from mjcli.cli.output.table import Column, Paper, clipped, display_width, table

COLUMNS = (
    Column("@", 4),
    Column("STATE", 10, needs=12, colours={"done": "32"}),
    Column("PROMPT"),
    Column("ID", 8, needs=30),
)
ROWS = (
    ("@1", "done", "a cat on a table", "12345678"),
    ("@2", "submitting", "森の中の猫、雨の日に傘をさして歩く" * 3, "abcdefghijkl"),
    ("@1000000", "odd\tstate", "e\u0301te\u0301 🐈🐈🐈" * 9, ""),
)


def drawn(width: int, *, encoding: str = "utf-8", colour: bool = False) -> list[str]:
    text = table(COLUMNS, ROWS, Paper(width, encoding, colour))
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")


def test_a_table_reads_as_expected() -> None:
    assert drawn(44) == [
        "@     STATE       PROMPT            ID",
        "@1    done        a cat on a table  12345678",
        "@2    submitting  森の中の猫、雨…   abcdefg…",
        "@10…  odd\\tstate  e\u0301te\u0301 🐈🐈🐈e\u0301te\u0301 …",
    ]


@pytest.mark.parametrize("width", [*range(1, 50), 80, 300])
def test_every_row_is_one_line_that_fits(width: int) -> None:
    lines = drawn(width)
    assert len(lines) == 1 + len(ROWS)
    assert all(cell_len(line) <= width for line in lines)
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("width", [7, 20, 80])
def test_escapes_count_towards_the_width(width: int) -> None:
    lines = drawn(width, encoding="ascii")
    assert all(line.isascii() and len(line) <= width for line in lines)
    assert len(lines) == 1 + len(ROWS)


def test_the_header_is_dim_and_known_cells_are_coloured() -> None:
    lines = drawn(44, colour=True)
    assert lines[0].startswith("\x1b[2m@  ")
    assert lines[0].endswith("ID\x1b[0m")
    assert lines[1] == "@1    \x1b[32mdone\x1b[0m        a cat on a table  12345678"
    assert "\x1b" not in lines[2]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(COLUMNS, [], Paper(80, "utf-8", False)) == "@  STATE  PROMPT  ID\n"


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("cat", 3),
        ("猫", 2),
        ("e\u0301", 1),
        ("🐈", 2),
        ("❤\ufe0f", 2),
        ("a\u200bb", 2),
        ("\u0378", 2),
        ("…", 1),
    ],
)
def test_the_width_of_text_is_the_width_on_a_terminal(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("cat", 3, "cat"),
        ("cats", 3, "ca…"),
        ("cats", 1, "…"),
        ("cats", 0, ""),
        ("猫猫猫", 5, "猫猫…"),
        ("猫猫猫", 4, "猫…"),
        ("猫猫", 4, "猫猫"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_text_is_clipped_between_characters(text: str, width: int, short: str) -> None:
    assert clipped(text, width) == short

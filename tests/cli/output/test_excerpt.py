"""The excerpt of a prompt, with a caret below the position."""

from __future__ import annotations

import pytest

from mjcli.cli.output.excerpt import excerpt
from mjcli.cli.output.table import display_width


@pytest.mark.parametrize(
    ("text", "start", "end", "width", "line", "marks"),
    [
        ("a cat --foo x", 6, 11, 80, "a cat --foo x", "      ^~~~~"),
        ("a cat --foo x", 6, 11, 9, "… --foo …", "  ^~~~~"),
        ("猫 --foo", 2, 7, 80, "猫 --foo", "   ^~~~~"),
        ("a\x1b[2Jb --x", 7, 10, 80, "a\\x1b[2Jb --x", " " * 10 + "^~~"),
        ("abc", 3, 3, 80, "abc", "   ^"),
        ("", 0, 0, 80, "", "^"),
        ("a cat that goes on", 2, 18, 8, "…cat th…", " ^~~~~~"),
    ],
)
def test_the_position_is_marked(text: str, start: int, end: int, width: int, line: str, marks: str) -> None:
    assert excerpt(text, start, end, width) == (line, marks)


@pytest.mark.parametrize("width", [3, 5, 20, 40])
@pytest.mark.parametrize("text", ["word " * 30, "森の猫" * 20, "\x1b" * 30])
def test_it_never_takes_more_than_the_width(text: str, width: int) -> None:
    for start in range(0, len(text), 7):
        line, marks = excerpt(text, start, min(start + 5, len(text)), width)
        assert display_width(line) <= width
        assert len(marks) <= max(width, 1)

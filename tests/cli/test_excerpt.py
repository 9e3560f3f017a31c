"""The line that shows a mistake in a prompt, and the caret below it, at a real terminal."""

from __future__ import annotations

import pytest

from mjcli.cli.output.table import display_width
from tests.support.program import Mj
from tests.support.systems import posix
from tests.support.terminal import ASCII, Screen

pytestmark = [pytest.mark.slow, posix]

PROMPTS = [
    ("a long prompt about a fox that sleeps in the snow and dreams of summer --ar 16x9", "16x9"),
    ("a cat --ar 16x9", "16x9"),
    ("一只坐在桌子上的猫，水墨画，宁静，留白，清晨的光 --ar 16x9 --tile", "16x9"),
    (
        "cafe\u0301 cre\u0300me bru\u0302le\u0301e on a table in the morning light --stylise 3 --tile",
        "--stylise",
    ),
    ("🦊🦊🦊 a fox 🦊 in the snow 🦊🦊🦊 --chaos 101 --tile", "101"),
    ("a\tcat\ton\ta\ttable\tin\tthe\tmorning\tlight\t--chaos 101", "101"),
    ("--foo " + "a " * 60, "--foo"),
    ("a cat --stylize " + "9" * 120, "9"),
]


def shown(mj: Mj, columns: int, *arguments: str, **env: str | None) -> list[str]:
    """The lines that a terminal of this width receives; colours are left out."""
    screen = Screen(columns)
    try:
        process = mj.start(
            *arguments,
            env={"TERM": "xterm-256color", "COLUMNS": None, **env},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, None)
    finally:
        screen.close()
    import re

    text = screen.shown.decode().replace("\r\n", "\n")
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def below(line: str, carets: str) -> str:
    """The characters of a line above the carets."""
    marked, column = "", 0
    first, last = carets.index("^"), len(carets)
    for character in line:
        if first <= column < last:
            marked += character
        column += display_width(character)
    return marked


@pytest.mark.parametrize("columns", [80, 50, 40, 20, 10])
@pytest.mark.parametrize(("prompt", "mistake"), PROMPTS)
def test_the_caret_is_below_the_mistake_and_the_line_never_wraps(
    mj: Mj, columns: int, prompt: str, mistake: str
) -> None:
    lines = shown(mj, columns, "check", "--", prompt)
    place = next(n for n, line in enumerate(lines) if line.strip().startswith("^"))
    assert display_width(lines[place - 1]) < columns
    assert display_width(lines[place]) < columns
    assert lines[place - 1].startswith("    ")
    marked = below(lines[place - 1], lines[place])
    assert marked
    assert mistake.startswith(marked.rstrip("…")) or marked.strip("9") == ""


def test_the_caret_is_below_the_mistake_where_characters_become_escapes(mj: Mj) -> None:
    lines = shown(mj, 40, "check", "--", "一只猫，水墨画 --ar 16x9", **ASCII)
    place = next(n for n, line in enumerate(lines) if line.strip().startswith("^"))
    assert below(lines[place - 1], lines[place]) == "16x9"
    assert len(lines[place - 1]) < 40


def test_an_empty_prompt_has_no_caret(mj: Mj) -> None:
    for prompt in ("", "   "):
        lines = shown(mj, 80, "check", "--", prompt)
        assert any("empty" in line for line in lines)
        assert not any("^" in line for line in lines)

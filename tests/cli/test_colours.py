"""Colours of help and errors are decided in the same way, however the program gets to them."""

from __future__ import annotations

import pytest

from tests.support.program import Mj

HELP = [
    ["--help"],
    ["imagine", "--help"],
    ["--sandbox", "--help"],
    ["--sandbox", "imagine", "-h"],
    ["history", "-h"],
]


@pytest.mark.parametrize("arguments", HELP)
@pytest.mark.parametrize("name", ["FORCE_COLOR", "CLICOLOR_FORCE"])
def test_forced_colours_are_in_every_help_page(mj: Mj, arguments: list[str], name: str) -> None:
    assert "\x1b[" in mj(*arguments, env={name: "1"}).out
    assert "\x1b[" not in mj(*arguments, env={name: "1", "NO_COLOR": "1"}).out
    assert "\x1b[" not in mj(*arguments).out


@pytest.mark.parametrize("arguments", HELP)
def test_no_color_counts_before_and_after_help(mj: Mj, arguments: list[str]) -> None:
    forced: dict[str, str | None] = {"FORCE_COLOR": "1"}
    for words in (["--no-color", *arguments], [*arguments, "--no-color"]):
        assert "\x1b" not in mj(*words, env=forced).out


@pytest.mark.parametrize(
    "arguments", [["frob"], ["imagine", "--frob"], ["history", "show"], ["imagine", "a", "--ar", "x"]]
)
def test_forced_colours_are_in_every_error_unless_no_color_follows(mj: Mj, arguments: list[str]) -> None:
    forced: dict[str, str | None] = {"CLICOLOR_FORCE": "1"}
    assert "\x1b[1;31mmj:" in mj(*arguments, env=forced, check=None).err
    assert "\x1b" not in mj(*arguments, "--no-color", env=forced, check=None).err

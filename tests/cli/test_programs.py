"""The command line of --exec, on each system."""

from __future__ import annotations

import pytest

from mjcli.cli.programs import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"C:\tools\on-event.exe a", ["C:\\tools\\on-event.exe", "a"]),
        (r'"C:\Program Files\x.exe" "a b"', ["C:\\Program Files\\x.exe", "a b"]),
        ("echo it's", ["echo", "it's"]),
        ("echo #1", ["echo", "#1"]),
    ],
)
def test_on_windows_a_backslash_and_an_apostrophe_are_plain(text: str, words: list[str]) -> None:
    assert split_words(text, windows=True) == words


def test_elsewhere_a_backslash_and_an_apostrophe_quote() -> None:
    assert split_words(r"a\ b 'c d' #1", windows=False) == ["a b", "c d", "#1"]


@pytest.mark.parametrize(("text", "windows"), [('"a', True), ("'a", False), ("a\\", False)])
def test_a_quotation_mark_without_its_pair_is_an_error(text: str, windows: bool) -> None:
    with pytest.raises(ValueError, match="No "):
        split_words(text, windows=windows)

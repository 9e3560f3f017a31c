"""Splitting a prompt into images, words and parameters."""

from __future__ import annotations

import pytest

from mjcli.prompt.parse import parse

LINK = "https://e/a.png"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("a cat", [("words", "a cat")]),
        (f"{LINK} {LINK} a cat", [("image", LINK), ("image", LINK), ("words", "a cat")]),
        ("a  cat --ar  16:9", [("words", "a  cat"), ("parameter", "--ar  16:9")]),
        ("a --tile b", [("words", "a"), ("parameter", "--tile"), ("stray", "b")]),
        (
            "a --no text,  logo --s 5",
            [("words", "a"), ("parameter", "--no text,  logo"), ("parameter", "--s 5")],
        ),
        ("a --sref 1 random::2 red", [("words", "a"), ("parameter", "--sref 1 random::2"), ("stray", "red")]),
        ("a --sref red", [("words", "a"), ("parameter", "--sref red")]),
        (
            "a --p --niji --tile",
            [("words", "a"), ("parameter", "--p"), ("parameter", "--niji"), ("parameter", "--tile")],
        ),
        ("a --niji 6", [("words", "a"), ("parameter", "--niji 6")]),
        ("a --foo 1 -ar 2", [("words", "a"), ("parameter", "--foo 1"), ("stray", "-ar 2")]),
        ("a --- b", [("words", "a --- b")]),
        (f"a {LINK}", [("words", f"a {LINK}")]),
    ],
)
def test_a_prompt_is_split_into_images_words_and_parameters(text: str, parts: list[tuple[str, str]]) -> None:
    assert [(part.kind, part.text) for part in parse(text).parts] == parts


@pytest.mark.parametrize(
    "text", ["", "  ", " a\t--ar\u00a016:9 \n", "--", "-- x", "https:// x", "\x00 --\x1f"]
)
def test_the_parts_joined_are_the_original_text(text: str) -> None:
    assert str(parse(text)) == text


def test_each_part_has_its_position() -> None:
    text = "a cat  --ar 16:9 "
    assert [text[part.start : part.end] for part in parse(text).parts] == ["a cat", "--ar 16:9"]

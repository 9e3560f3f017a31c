"""A prompt put together: images, words, parameters."""

from __future__ import annotations

import pytest

from mjcli.errors import UsageError
from mjcli.prompt.compose import body_fields, compose, is_link

A, B = "https://e/a.png", "https://e/b.png"


@pytest.mark.parametrize(
    ("images", "words", "given", "prompt"),
    [
        ([], "a cat", {}, "a cat"),
        ([], "  a  cat \n", {}, "a  cat"),
        ([A, B], "a cat", {}, f"{A} {B} a cat"),
        ([A], "", {}, A),
        ([], "a cat", {"aspect": ["16:9"]}, "a cat --aspect 16:9"),
        ([A], "a cat", {"iw": ["2"], "tile": [""]}, f"{A} a cat --iw 2 --tile"),
        ([], "a cat", {"sref": ["1", "2"]}, "a cat --sref 1 2"),
        ([], "a cat --ar 1:1", {"tile": [""]}, "a cat --ar 1:1 --tile"),
    ],
)
def test_images_words_and_parameters_in_this_order(
    images: list[str], words: str, given: dict[str, list[str]], prompt: str
) -> None:
    assert compose(images, words, given) == prompt


@pytest.mark.parametrize(
    ("images", "words", "given"),
    [
        ([], "", {}),
        ([], " \n", {"tile": [""]}),
        ([A] * 6, "x", {}),
        ([A] * 3, f"{A} {B} {A} x", {}),
        ([], "x --ar 1:1", {"aspect": ["16:9"]}),
        ([], "x --aspect 1:1", {"aspect": ["16:9"]}),
        ([], "x --AR 1:1", {"aspect": ["16:9"]}),
        ([], "x --tile", {"tile": [""]}),
        ([], "x", {"aspect": ["wide"]}),
        ([], "x", {"sref": ["1", ""]}),
    ],
)
def test_what_cannot_be_meant_is_refused(images: list[str], words: str, given: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError):
        compose(images, words, given)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, {}),
        ({"version": ["7"]}, {"version": "7"}),
        ({"quality": ["0.5"]}, {"quality": ".5"}),
        ({"hd": [""]}, {"hd": True}),
        ({"aspect": ["1:1"], "tile": [""]}, {}),
        ({"version": ["6", "7"]}, {"version": "7"}),
    ],
)
def test_version_quality_and_hd_stand_beside_the_prompt(
    given: dict[str, list[str]], fields: dict[str, object]
) -> None:
    assert body_fields(given) == fields


@pytest.mark.parametrize("text", [A, "http://e/a.png", "HTTPS://E/A.PNG"])
def test_a_link_is_one(text: str) -> None:
    assert is_link(text)


@pytest.mark.parametrize("text", ["", "https://", "ftp://e/a", "file:///a", "e/a.png", "httpsx://e", "https"])
def test_anything_else_is_no_link(text: str) -> None:
    assert not is_link(text)

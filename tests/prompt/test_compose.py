"""Joining images, words and parameters into a prompt."""

from __future__ import annotations

import pytest

from mjcli.prompt.compose import Piece, Suffix, body_fields, compose
from mjcli.prompt.parse import is_link

A, B = "https://e/a.png", "https://e/b.png"


@pytest.mark.parametrize(
    ("images", "words", "prompt"),
    [
        ([], "a cat", "a cat"),
        ([], "  a  cat \n", "a  cat"),
        ([A, B], "a cat", f"{A} {B} a cat"),
        ([A], "", A),
        ([A], f"{B}   a cat --iw 2", f"{A} {B} a cat --iw 2"),
        ([], "a  cat\n--ar   1:1   --no a,  b", "a  cat --ar 1:1 --no a,  b"),
    ],
)
def test_a_prompt_has_images_then_words_then_parameters(images: list[str], words: str, prompt: str) -> None:
    assert compose(images, words).text == prompt


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [
        ("x --ar 1:1 --aspect 16:9", "x --aspect 16:9"),
        ("x --AR 1:1 --tile --ar 16:9", "x --tile --ar 16:9"),
        ("x --tile --tile", "x --tile"),
        ("x --s 1 --stylize 2 --s 3", "x --s 3"),
        ("x --sref 1 --ar 1:1 --sref 2", "x --ar 1:1 --sref 1 2"),
        ("x --no a, b --no c", "x --no a, b, c"),
        ("x --no a, --no b", "x --no a, b"),
        ("x --p abc --p def", "x --p abc def"),
    ],
)
def test_of_a_repeated_parameter_the_last_one_counts_and_many_values_are_joined(
    typed: str, prompt: str
) -> None:
    composed = compose([], typed)
    assert composed.text == prompt
    assert "is repeated; using" in composed.notices[0]
    assert compose([], typed, checked=False).text == typed


@pytest.mark.parametrize(
    ("suffixes", "prompt"),
    [
        (["--ar 2:3 --style raw"], "x --s 5 --ar 2:3 --style raw"),
        (["in oil --ar 2:3"], "x in oil --s 5 --ar 2:3"),
        (["--s 900 --ar 2:3"], "x --s 5 --ar 2:3"),
        (["--ar 2:3", "--ar 1:1 --chaos 3"], "x --s 5 --ar 1:1 --chaos 3"),
        (["in oil", "on wood"], "x in oil on wood --s 5"),
    ],
)
def test_the_text_overrides_presets_and_a_later_preset_an_earlier_one(
    suffixes: list[str], prompt: str
) -> None:
    presets = [Suffix(f"preset {n}", text) for n, text in enumerate(suffixes)]
    composed = compose([], "x --s 5", presets)
    assert composed.text == prompt
    assert not composed.notices


def test_each_piece_has_its_origin() -> None:
    composed = compose([A], "a cat --s 5", [Suffix("preset p", "in oil --tile")])
    assert composed.pieces == (
        Piece(A, "option --image"),
        Piece("a cat", "prompt"),
        Piece("in oil", "preset p"),
        Piece("--s 5", "prompt"),
        Piece("--tile", "preset p"),
    )
    origins = [composed.origin(composed.text.index(each)) for each in ("cat", "oil", "--s", "tile")]
    assert origins == ["prompt", "preset p", "prompt", "preset p"]


def test_the_text_is_unchanged_when_it_is_not_checked() -> None:
    text = "a  cat   --ar   wide  b"
    assert compose([], text, checked=False).text == text


@pytest.mark.parametrize(
    ("prompt", "fields"),
    [
        ("x", {}),
        ("x --v 7", {"version": "7"}),
        ("x --V 7", {"version": "7"}),
        ("x --quality 0.5", {"quality": ".5"}),
        ("x --hd --tile --ar 1:1", {"hd": True}),
        ("x --v", {}),
        ("x --niji 6", {}),
    ],
)
def test_version_quality_and_hd_are_body_fields_too(prompt: str, fields: dict[str, object]) -> None:
    assert body_fields(prompt) == fields


@pytest.mark.parametrize("text", [A, "http://e/a.png", "HTTPS://E/A.PNG"])
def test_http_and_https_addresses_are_links(text: str) -> None:
    assert is_link(text)


@pytest.mark.parametrize("text", ["", "https://", "ftp://e/a", "file:///a", "e/a.png", "httpsx://e", "https"])
def test_other_text_is_not_a_link(text: str) -> None:
    assert not is_link(text)

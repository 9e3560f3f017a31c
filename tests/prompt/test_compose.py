"""Joining images, words and parameters into a prompt."""

from __future__ import annotations

import pytest

from mjcli.errors import UsageError
from mjcli.prompt.compose import Piece, Suffix, body_fields, compose
from mjcli.prompt.parse import is_link

A, B = "https://e/a.png", "https://e/b.png"


@pytest.mark.parametrize(
    ("images", "words", "given", "prompt"),
    [
        ([], "a cat", {}, "a cat"),
        ([], "  a  cat \n", {}, "a  cat"),
        ([A, B], "a cat", {}, f"{A} {B} a cat"),
        ([A], "", {}, A),
        ([A], f"{B}   a cat", {}, f"{A} {B} a cat"),
        ([], "a cat", {"aspect": ["16:9"]}, "a cat --aspect 16:9"),
        ([], "a cat", {"ar": ["16:9"], "s": ["50"]}, "a cat --ar 16:9 --s 50"),
        ([A], "a cat", {"iw": ["2"], "tile": [""]}, f"{A} a cat --iw 2 --tile"),
        ([], "a cat", {"sref": ["1", "2"]}, "a cat --sref 1 2"),
        ([], "a cat", {"no": ["text", "logo"]}, "a cat --no text, logo"),
        ([], "a cat --ar 1:1", {"tile": [""]}, "a cat --ar 1:1 --tile"),
        ([], "a  cat\n--ar   1:1   --no a,  b", {}, "a  cat --ar 1:1 --no a,  b"),
    ],
)
def test_a_prompt_has_images_then_words_then_parameters(
    images: list[str], words: str, given: dict[str, list[str]], prompt: str
) -> None:
    assert compose(images, words, given).text == prompt


@pytest.mark.parametrize(
    ("words", "given", "prompt"),
    [
        ("x --ar 1:1", {"aspect": ["16:9"]}, "x --aspect 16:9"),
        ("x --AR 1:1 --tile", {"ar": ["16:9"]}, "x --tile --ar 16:9"),
        ("x --v 7", {"niji": ["6"]}, "x --niji 6"),
        ("x --tile", {"tile": [""]}, "x --tile"),
    ],
)
def test_an_option_overrides_the_text_with_a_notice(
    words: str, given: dict[str, list[str]], prompt: str
) -> None:
    composed = compose([], words, given)
    assert composed.text == prompt
    assert "overrides" in composed.notices[0]


@pytest.mark.parametrize(
    ("suffixes", "prompt"),
    [
        (["--ar 2:3 --style raw"], "x --s 5 --ar 2:3 --style raw --tile"),
        (["in oil --ar 2:3"], "x in oil --s 5 --ar 2:3 --tile"),
        (["--s 900 --ar 2:3"], "x --s 5 --ar 2:3 --tile"),
        (["--tile --ar 2:3"], "x --s 5 --ar 2:3 --tile"),
        (["--ar 2:3", "--ar 1:1 --chaos 3"], "x --s 5 --ar 1:1 --chaos 3 --tile"),
        (["in oil", "on wood"], "x in oil on wood --s 5 --tile"),
    ],
)
def test_the_text_overrides_presets_and_a_later_preset_an_earlier_one(
    suffixes: list[str], prompt: str
) -> None:
    presets = [Suffix(f"preset {n}", text) for n, text in enumerate(suffixes)]
    composed = compose([], "x --s 5", {"tile": [""]}, presets)
    assert composed.text == prompt
    assert not composed.notices


def test_each_piece_has_its_origin() -> None:
    composed = compose([A], "a cat --s 5", {"ar": ["1:1"]}, [Suffix("preset p", "in oil --tile")])
    assert composed.pieces == (
        Piece(A, "option --image"),
        Piece("a cat", "prompt"),
        Piece("in oil", "preset p"),
        Piece("--s 5", "prompt"),
        Piece("--tile", "preset p"),
        Piece("--ar 1:1", "option --ar"),
    )
    assert [composed.origin(composed.text.index(each)) for each in ("cat", "oil", "tile", "1:1")] == [
        "prompt",
        "preset p",
        "preset p",
        "option --ar",
    ]


def test_the_text_is_unchanged_when_it_is_not_checked() -> None:
    text = "a  cat   --ar   wide  b"
    assert compose([], text, {"s": ["x"]}, checked=False).text == f"{text} --s x"


@pytest.mark.parametrize("given", [{"aspect": ["wide"]}, {"sref": ["1", ""]}, {"s": ["1 --tile"]}])
def test_a_wrong_value_of_an_option_is_refused(given: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(given))} "):
        compose([], "x", given)


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
def test_version_quality_and_hd_are_body_fields_too(
    given: dict[str, list[str]], fields: dict[str, object]
) -> None:
    assert body_fields(given) == fields


@pytest.mark.parametrize("text", [A, "http://e/a.png", "HTTPS://E/A.PNG"])
def test_http_and_https_addresses_are_links(text: str) -> None:
    assert is_link(text)


@pytest.mark.parametrize("text", ["", "https://", "ftp://e/a", "file:///a", "e/a.png", "httpsx://e", "https"])
def test_other_text_is_not_a_link(text: str) -> None:
    assert not is_link(text)

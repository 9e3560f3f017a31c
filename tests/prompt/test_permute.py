"""Braces in a prompt, and the prompts that they stand for."""

from __future__ import annotations

import pytest

from mjcli.prompt.permute import BracesError, count, has_braces, permutations


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a cat", ["a cat"]),
        ("a {red, green} bird", ["a red bird", "a green bird"]),
        ("{a,b}{1,2}", ["a1", "a2", "b1", "b2"]),
        ("a {red, {dark, light} blue} cat", ["a red cat", "a dark blue cat", "a light blue cat"]),
        ("a {cat}", ["a cat"]),
        ("a {red,} cat", ["a red cat", "a  cat"]),
        (r"a \{cat\} {b\,c, d}", ["a {cat} b,c", "a {cat} d"]),
        (r"back\slash \\", ["back\\slash \\"]),
        ("x --ar {1:1, 16:9}", ["x --ar 1:1", "x --ar 16:9"]),
    ],
)
def test_each_choice_is_a_prompt_the_last_changing_fastest(text: str, prompts: list[str]) -> None:
    assert permutations(text) == prompts
    assert count(text) == len(prompts)


@pytest.mark.parametrize(("text", "place"), [("a {b", 2), ("a b}", 3), ("{a {b}", 0), ("{a}}", 3)])
def test_braces_that_do_not_match_are_told_with_their_place(text: str, place: int) -> None:
    with pytest.raises(BracesError) as caught:
        permutations(text)
    assert caught.value.place == place


def test_how_many_there_are_is_known_without_making_them() -> None:
    assert count("{a,b}" * 100) == 2**100


def test_an_escaped_brace_is_none() -> None:
    assert has_braces("a {b}")
    assert not has_braces(r"a \{b\}")

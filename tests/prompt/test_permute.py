"""Expanding braces in a prompt."""

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
def test_each_combination_is_a_prompt_and_the_last_group_changes_fastest(
    text: str, prompts: list[str]
) -> None:
    assert permutations(text) == prompts
    assert count(text) == len(prompts)


@pytest.mark.parametrize(("text", "place"), [("a {b", 2), ("a b}", 3), ("{a {b}", 0), ("{a}}", 3)])
def test_unbalanced_braces_are_refused_with_their_position(text: str, place: int) -> None:
    with pytest.raises(BracesError) as caught:
        permutations(text)
    assert caught.value.place == place


def test_prompts_are_counted_without_expanding_them() -> None:
    assert count("{a,b}" * 100) == 2**100


def test_an_escaped_brace_is_literal() -> None:
    assert has_braces("a {b}")
    assert not has_braces(r"a \{b\}")

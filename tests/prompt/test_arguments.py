"""A prompt typed without quotes is the same prompt as in quotes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjcli.errors import UsageError
from mjcli.prompt.arguments import Typed, split_typed
from mjcli.prompt.parameters import BY_SPELLING
from mjcli.prompt.parse import parse

#: Some of mj's own options, and whether they take a value.
OWN = {
    **dict.fromkeys(("--download", "-d", "--quiet", "-q", "--no-check", "--help", "-h"), False),
    **dict.fromkeys(("--output", "-o", "--profile", "--image"), True),
}
LINES = (Path(__file__).with_name("corpus.jsonl")).read_text(encoding="utf-8").split("\n")
CORPUS = [json.loads(line)["prompt"] for line in LINES if line]


def prompt(typed: Typed) -> str:
    return " ".join([*typed.words, *typed.parameters])


@pytest.mark.parametrize(
    ("line", "expected", "options"),
    [
        ("a cat --no text, logo", "a cat --no text, logo", ""),
        ("a cat --no text, logo --ar 3:2 -d", "a cat --no text, logo --ar 3:2", "-d"),
        ("a cat -o x/ on a table --tile", "a cat on a table --tile", "-o x/"),
        ("a cat --sref 123 456", "a cat --sref 123 456", ""),
        ("a cat --ar -d 16:9", "a cat --ar 16:9", "-d"),
        ("--ar 3:2 a cat", "a cat --ar 3:2", ""),
        ("-d --ar 3:2 --tile a cat --s 5", "a cat --ar 3:2 --tile --s 5", "-d"),
        ("--no text -d a cat", "a cat --no text", "-d"),
        ("--niji a cat", "a cat --niji", ""),
        ("--niji 6 a cat", "a cat --niji 6", ""),
        ("--p abc123 a cat", "a cat --p abc123", ""),
        ("--p --ar 16:9 a cat", "a cat --p --ar 16:9", ""),
        ("a cat --AR=3:2 --Tile", "a cat --AR 3:2 --Tile", ""),
        ("a cat --output=x --ar 1:1", "a cat --ar 1:1", "--output=x"),
        ("a cat -ox -dq", "a cat", "-ox -dq"),
        ("a cat -qo x", "a cat", "-qo x"),
        ("'a cat -d --output x' y", "a cat -d --output x y", ""),
        ("a cat --profile work --p abc", "a cat --p abc", "--profile work"),
        ("-5 degrees, a -dark night", "-5 degrees, a -dark night", ""),
        ("-- -d cat", "-d cat", ""),
        ("a -- cat", "a -- cat", ""),
        ("a cat --no -d --ar 1:1", "a cat --no --ar 1:1", "-d"),
        ("a cat --no a b -d --ar 1:1", "a cat --no a b --ar 1:1", "-d"),
        ("a cat --ar16:9", "a cat --ar16:9", ""),
    ],
)
def test_arguments_are_words_parameters_or_options(line: str, expected: str, options: str) -> None:
    typed = split_typed(shlex.split(line), OWN)
    assert prompt(typed) == expected
    assert " ".join(typed.options) == options


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a cat --no text -d logo", '"logo" comes after an option that ends --no'),
        ("a cat --stylise 5", 'Unknown option "--stylise".'),
        ("a cat --dowload", 'Unknown option "--dowload".'),
        ("a cat --qqq=5", 'Unknown option "--qqq".'),
    ],
)
def test_what_cannot_be_meant_is_refused(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        split_typed(shlex.split(line), OWN)
    assert caught.value.message.startswith(message)


def _is_shell_safe(text: str) -> bool:
    """Whether a prompt of words first can be typed without quotes: the shell leaves it as it is."""
    plain = re.fullmatch(r"[\w ,.:/%+=@^-]+", text) is not None
    single_spaced = text == " ".join(text.split())
    # These are arguments of mj itself, or end them.
    taken = {"--profile", "-d", "-o", "-q", "-h"} & set(text.split())
    names = re.findall(r"(?<!\S)--([A-Za-z][\w-]*)", text)
    # `--ar=16:9` is an argument that mj understands, but not a prompt.
    known = "=" not in text and {each.lower() for each in names} <= {*BY_SPELLING}
    return plain and known and single_spaced and not taken and not text.startswith("-")


SAFE = [each for each in CORPUS if _is_shell_safe(each)]


@pytest.mark.parametrize("text", SAFE)
def test_quotes_make_no_difference_to_a_prompt_of_the_corpus(text: str) -> None:
    unquoted, quoted = split_typed(shlex.split(text), OWN), split_typed([text], OWN)
    assert prompt(unquoted) == prompt(quoted) == text
    assert not unquoted.options


def test_the_corpus_has_many_prompts_that_need_no_quotes() -> None:
    assert len(SAFE) > 100


WORDS = st.lists(
    st.sampled_from(["a", "cat,", "text", "in", "oil", "16:9", "5", "https://e/a.png"]), min_size=1
)
TAILS = st.lists(
    st.tuples(
        st.sampled_from(sorted(f"--{name}" for name in BY_SPELLING if name != "profile")),
        st.lists(st.sampled_from(["1:1", "5", "text,", "abc", "random", "7"]), max_size=3),
    )
)


@pytest.mark.slow
@given(WORDS, TAILS, st.integers(0, 20))
def test_quotes_and_the_place_of_an_option_make_no_difference(
    words: list[str], tail: list[tuple[str, list[str]]], place: int
) -> None:
    arguments = [*words, *(each for name, values in tail for each in (name, *values))]
    quoted = split_typed([" ".join(arguments)], OWN)
    assert prompt(split_typed(arguments, OWN)) == prompt(quoted)
    place = min(place, len(arguments))
    # Within the words of --no an option would end them.
    if not any(part.parameter and part.parameter.name == "no" for part in parse(prompt(quoted)).parts):
        moved = split_typed([*arguments[:place], "-d", *arguments[place:]], OWN)
        assert prompt(moved) == prompt(quoted)
        assert moved.options == ["-d"]

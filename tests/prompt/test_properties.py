"""Properties that hold for any text: it parses without loss, and checking it never fails."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mjcli.prompt.check import ERROR, check
from mjcli.prompt.compose import Suffix, compose
from mjcli.prompt.parameters import PARAMETERS, Parameter
from mjcli.prompt.parse import parse
from mjcli.prompt.paste import without_invisible
from mjcli.prompt.permute import BracesError, count, permutations
from mjcli.prompt.typography import repair

settings.register_profile("same", derandomize=True, deadline=None, max_examples=300)
settings.load_profile("same")

NAMED = {parameter.name: parameter for parameter in PARAMETERS}
SPELLINGS = [spelling for parameter in PARAMETERS for spelling in parameter.spellings]
PIECES = st.sampled_from(
    [
        *(f"{dash}{name}" for name in SPELLINGS for dash in ("--", "—", "-", "－－")),
        *(
            "--",
            "-",
            "---",
            "--foo",
            "-x",
            "16:9",
            "１６：９",
            "0",
            "-5",
            "7",
            "8.1",
            ".5",
            "raw",
            "random",
            "::2",
        ),
        *(
            "https://e/a.png",
            "http://",
            "HTTPS://E",
            "“",
            "”",
            "'",
            '"',
            ",",
            "，",
            "{",
            "}",
            "\\",
            "\\{",
            "猫",
            "🐈",
        ),
        *(" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\u2028", "\x85", "\x1b", "\x00", "a cat"),
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(PIECES).map("".join),
    st.lists(PIECES).map(" ".join),
)


@pytest.mark.slow
@given(TEXTS)
def test_any_text_parses_without_loss(text: str) -> None:
    prompt = parse(text)
    assert str(prompt) == text
    assert [text[part.start : part.end] for part in prompt.parts] == [part.text for part in prompt.parts]


@pytest.mark.slow
@given(TEXTS)
def test_checking_never_fails_and_positions_lie_in_the_text(text: str) -> None:
    findings = check(text)
    assert all(0 <= each.start <= each.end <= len(text) and each.message for each in findings)
    assert [each.start for each in findings] == sorted(each.start for each in findings)


@pytest.mark.slow
@given(TEXTS)
def test_repaired_text_needs_no_repair(text: str) -> None:
    repaired, _ = repair(text)
    assert repair(repaired) == (repaired, [])


@given(st.text(st.characters(exclude_characters="-‐‑‒–—―−﹣－/&：", exclude_categories=["Cs"])))
def test_words_without_dashes_lose_only_invisible_characters(text: str) -> None:
    if not re.search(r"\*\*|```|__", text):  # bold text was pasted
        seen = "".join(map(without_invisible, re.split(r"(\s+)", text)))
        assert repair(text)[0] == seen
        assert bool(repair(text)[1]) == (seen != text)
    assert compose([], text).text == text.strip()


@pytest.mark.slow
@given(text=TEXTS, checked=st.booleans())
def test_composing_twice_changes_nothing(text: str, *, checked: bool) -> None:
    once = compose([], text, checked=checked).text
    assert compose([], once, checked=checked).text == once


@pytest.mark.slow
@given(TEXTS, TEXTS)
def test_a_preset_may_be_any_text(text: str, suffix: str) -> None:
    composed = compose([], text, [Suffix("preset", suffix)])
    assert " ".join(piece.text for piece in composed.pieces) == composed.text


@given(TEXTS)
def test_braces_expand_or_are_refused_with_a_position(text: str) -> None:
    try:
        number = count(text)
    except BracesError as error:
        assert text[error.place] in "{}"
        return
    if number <= 200:
        assert len(permutations(text)) == number


@pytest.mark.slow
@given(st.lists(st.lists(st.text("abc ", min_size=1), min_size=1, max_size=4), min_size=1, max_size=4))
def test_the_number_of_prompts_is_the_product_of_the_group_sizes(groups: list[list[str]]) -> None:
    text = "x".join("{" + ",".join(group) + "}" for group in groups)
    assert len(permutations(text)) == math.prod(map(len, groups))


def values(parameter: Parameter) -> st.SearchStrategy[str]:
    """Good values of the parameter."""
    if parameter.flag:
        return st.just("")
    if parameter.words:
        return st.sampled_from(parameter.words if parameter.name != "style" else ("raw",))
    if parameter.range is not None:
        return st.integers(*map(int, parameter.range)).map(str)
    form = {"W:H": "3:2", "URL": "https://e/a.png", "REF": "12", "CODE": "abc"}
    return st.just(form.get(parameter.form, "text, logo"))


@pytest.mark.slow
@given(
    st.data(), st.text("abcdefgh ,.", min_size=1).filter(str.strip), st.sets(st.sampled_from(sorted(NAMED)))
)
def test_good_parameters_make_a_good_prompt(data: st.DataObject, words: str, chosen: set[str]) -> None:
    slots = {NAMED[name].slot: NAMED[name] for name in sorted(chosen)}
    # Without a version, every parameter is known.
    slots.pop("version", None)
    needed = {each.needs for each in slots.values() if each.needs}
    slots |= {each.slot: each for each in PARAMETERS if each.name in needed}
    parts = [f"--{each.name} {data.draw(values(each))}".strip() for each in slots.values()]
    findings = check(" ".join([words.strip(), *parts]))
    assert [each for each in findings if each.severity == ERROR] == []

"""What parameters need of one another."""

from __future__ import annotations

import pytest

from mjcli.errors import UsageError
from mjcli.prompt.compose import compose
from mjcli.prompt.rules import typographic_slips


@pytest.mark.parametrize(("weight", "needed"), [("sw", "sref"), ("cw", "cref"), ("ow", "oref")])
def test_a_weight_alone_is_refused_and_what_it_weighs_is_named(weight: str, needed: str) -> None:
    with pytest.raises(UsageError, match=f"--{needed}"):
        compose([], "a cat", {weight: ["10"]})


def test_what_a_weight_needs_may_stand_in_the_words() -> None:
    assert compose([], "a cat --sref 123", {"sw": ["10"]}) == "a cat --sref 123 --sw 10"


@pytest.mark.parametrize(
    "pair", [("hd", "sd"), ("fast", "turbo"), ("relax", "turbo"), ("stealth", "public"), ("version", "niji")]
)
def test_what_excludes_one_another_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="exclude"):
        compose([], "a cat", {name: ["7"] if name in ("version", "niji") else [""] for name in pair})


def test_a_long_dash_before_a_parameters_name_is_noticed_and_before_other_words_is_not() -> None:
    assert typographic_slips("a cat —ar 16:9 –v 7 — and —dash–") == ["—ar", "–v"]

"""The table of prompt parameters and the checks of their values."""

from __future__ import annotations

import pytest

from mjcli.prompt.parameters import PARAMETERS, Parameter, check_value

BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}

GOOD = {
    "aspect": ["1:1", "16:9", "9:16", "75:44"],
    "chaos": ["0", "100", "7"],
    "stylize": ["0", "1000"],
    "weird": ["0", "3000"],
    "seed": ["0", "4294967295"],
    "stop": ["10", "100"],
    "repeat": ["1", "40"],
    "quality": [".25", ".5", "1", "2", "4"],
    "iw": ["0", "3", "0.5", "2", ".5"],
    "sref": ["https://e/1.png", "random", "1234567"],
    "sw": ["0", "1000"],
    "sv": ["1", "8"],
    "cref": ["https://e/1.png"],
    "cw": ["0", "100"],
    "oref": ["https://e/1.png"],
    "ow": ["1", "1000"],
    "exp": ["0", "100"],
    "version": ["5.2", "6", "6.1", "7", "8", "8.1", "8.2"],
    "niji": ["4", "5", "6", "7"],
    "profile": ["abc123"],
    "no": ["text", "text, frames"],
    "style": ["raw", "cute", "scenic", "expressive", "original"],
}
BAD = {
    "aspect": ["", "16", "16:", ":9", "16:9:1", "1.5:1", "0:1", "1:0", "-1:1", "16/9", "wide", "１６:９"],
    "chaos": ["-1", "101", "1.5", "x", "", "1e1", "٣"],
    "stylize": ["-1", "1001", "high"],
    "weird": ["-1", "3001"],
    "seed": ["-1", "4294967296", "random", "1.0"],
    "stop": ["9", "101"],
    "repeat": ["0", "41"],
    "quality": ["0", "3", "high", "5", "-1"],
    "iw": ["-0.1", "3.1", "x", "nan", "inf", ".", "1e0"],
    "sw": ["-1", "1001"],
    "sv": ["0", "9"],
    "cref": ["code", "", "ftp://e/1.png"],
    "cw": ["-1", "101"],
    "oref": ["code"],
    "ow": ["0", "1001"],
    "exp": ["-1", "101"],
    "version": ["1", "9", "7.5", "v7", "niji"],
    "niji": ["3", "8", "x"],
    "style": ["photo", ""],
    "sref": ["", "--v", "a\nb"],
    "no": ["", "\n", "--hd"],
    "profile": [""],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in GOOD for value in GOOD[name]])
def test_a_good_value_is_returned_unchanged(name: str, value: str) -> None:
    assert check_value(BY_NAME[name], value) == value


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD for value in BAD[name]])
def test_a_wrong_value_is_refused_with_the_name_of_the_option(name: str, value: str) -> None:
    parameter = BY_NAME[name]
    with pytest.raises(ValueError, match=f"--({parameter.option}|{parameter.name})"):
        check_value(parameter, value)


@pytest.mark.parametrize("value", ["0.5", "0.25"])
def test_a_leading_zero_of_quality_is_removed(value: str) -> None:
    assert check_value(BY_NAME["quality"], value) == value.lstrip("0")


def test_the_table_has_every_documented_parameter() -> None:
    flags = ["raw", "tile", "draft", "hd", "sd", "video", "fast", "relax", "turbo", "stealth", "public"]
    assert {*GOOD, *flags} == set(BY_NAME)
    assert {parameter.name for parameter in PARAMETERS if parameter.flag} == set(flags)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("aspect", "ar"),
        ("chaos", "c"),
        ("stylize", "s"),
        ("weird", "w"),
        ("repeat", "r"),
        ("quality", "q"),
        ("version", "v"),
        ("profile", "p"),
    ],
)
def test_a_short_spelling_is_accepted(name: str, short: str) -> None:
    assert short in BY_NAME[name].spellings


def test_each_spelling_belongs_to_one_parameter() -> None:
    spellings = [each for parameter in PARAMETERS for each in parameter.spellings]
    assert len(spellings) == len(set(spellings))


def test_only_version_quality_and_hd_are_body_fields() -> None:
    bodies = {parameter.body for parameter in PARAMETERS if parameter.body}
    assert bodies == {"version", "quality", "hd"}


def test_a_new_parameter_needs_only_a_row() -> None:
    assert check_value(Parameter("new", "help", range=(0, 5)), "5") == "5"

"""The conversion of the command tree into data."""

from __future__ import annotations

import json

import pytest

from mjcli.cli.from_typer import paragraphs
from mjcli.cli.help.data import explained, find, spelled, usage, walk


def option(command, flag):
    return next(option for option in command["options"] if flag in option["flags"])


def test_an_option_is_described_in_full(toy_tree):
    draw = find(["draw"], toy_tree)
    assert option(draw, "--mode") == {
        "flags": ["--mode"],
        "off": [],
        "metavar": "fast|turbo|relax",
        "help": "How `soon` [it] is done: now.",
        "required": False,
        "repeatable": False,
        "panel": "",
        "choices": ["fast", "turbo", "relax"],
        "words": [],
        "value": "text",
        "default": "fast",
    }
    assert option(draw, "--image")["repeatable"]
    assert option(draw, "--stream")["off"] == ["--no-stream"]
    assert option(draw, "--output")["flags"] == ["-o", "--output"]
    assert option(draw, "--ar")["panel"] == "Words"


def test_values_have_a_kind(toy_tree):
    draw = find(["draw"], toy_tree)
    kinds = {flag: option(draw, flag)["value"] for flag in ("--download", "--ar", "--output", "--into")}
    assert kinds == {"--download": "", "--ar": "text", "--output": "path", "--into": "dir"}


def test_arguments_have_the_completion_words_of_their_command(toy_tree):
    act = find(["act"], toy_tree)
    assert [argument["words"][-1] for argument in act["arguments"]] == ["zoom:out", "@2"]
    assert usage(act) == "mj act [OPTIONS] ACTION TARGET"


def test_an_optional_argument_of_many_words_has_brackets_and_dots(toy_tree):
    (prompt,) = find(["draw"], toy_tree)["arguments"]
    assert spelled(prompt) == "[PROMPT...]"
    assert explained(prompt) == "What it's to show."


def test_hidden_commands_and_options_are_left_out(toy_tree):
    assert find(["door", "break"], toy_tree) is None
    assert "--secret" not in json.dumps(toy_tree)


def test_a_docstring_becomes_paragraphs():
    text = """Summary
    goes on.

    - one
      and more
    - two

      as it
        is

    \b
    End.\fnot this
    """
    assert paragraphs(text) == ["Summary goes on.", "- one and more\n- two", "  as it\n    is", "End."]


def test_every_command_has_a_summary_and_every_parameter_a_help(live_tree):
    for command in walk(live_tree):
        assert command["summary"], command["path"]
        for parameter in [*command["arguments"], *command["options"]]:
            assert parameter["help"], (command["path"], parameter)


def test_every_command_takes_the_global_options_and_help(live_tree):
    for command in walk(live_tree):
        assert option(command, "--json")
        assert option(command, "--help")["flags"] == ["-h", "--help"]


def test_no_two_options_of_a_command_share_a_spelling(live_tree):
    for command in walk(live_tree):
        flags = [flag for option in command["options"] for flag in option["flags"] + option["off"]]
        assert sorted(set(flags)) == sorted(flags), command["path"]


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("imagine", "--image", "image"), ("imagine", "--sref", "image"), ("imagine", "--oref", "image"),
        ("imagine", "--output", "path"), ("imagine", "--profile", "profile"), ("imagine", "--preset", "preset"),
        ("imagine", "--field", "text"), ("imagine", "--key", "text"), ("imagine", "--seed", "text"),
        ("edit", "--mask", "path"), ("edit", "IMAGE", "image"), ("blend", "IMAGE IMAGE PROMPT", "image"),
        ("video", "--end-image", "image"), ("extend-video", "VIDEO", "video"), ("describe-task", "TASK", "task"),
        ("resume", "JOB", "job"), ("history show", "JOB", "job"), ("config set", "KEY", "key"),
        ("config set", "VALUE", "setting"), ("listen", "--exec", "path"), ("imagine", "PROMPT", "text"),
    ],
)  # fmt: skip
def test_the_kind_of_a_value_follows_from_its_metavar(live_tree, path, name, value):
    command = find(path.split(), live_tree)
    (kind,) = [
        parameter["value"]
        for parameter in [*command["arguments"], *command["options"]]
        if name == parameter["metavar"] or name in parameter.get("flags", [])
    ]
    assert kind == value

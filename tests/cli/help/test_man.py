"""The manual pages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mjcli.cli.help.completion.words import all_flags
from mjcli.cli.help.data import walk
from mjcli.cli.help.facts import ENVIRONMENT, EXIT_STATUSES, FILES, PLACEHOLDERS, SETTINGS
from mjcli.cli.help.man import code, marked, page_name, prose, render_man
from mjcli.cli.help.manual import COMMAND_SECTIONS, SECTIONS, parameter_rows
from mjcli.media import names
from mjcli.settings import schema


@pytest.fixture(params=["live_tree", "toy_tree"])
def pages(request, tmp_path):
    """The pages of a tree, by name."""
    tree = request.getfixturevalue(request.param)
    paths = [(), *(tuple(command["path"]) for command in tree["commands"])]
    for path in paths:
        (tmp_path / f"{page_name(path)}.1").write_text(render_man(path, tree, "1.2.3"), encoding="utf-8")
    return sorted(tmp_path.glob("*.1"))


def shown(tool, page: Path) -> str:
    """The page as a reader sees it, without line breaks in paragraphs."""
    done = subprocess.run(
        [tool("mandoc"), "-T", "utf8", "-O", "width=999", page], capture_output=True, check=True
    )
    return re.sub(".\x08", "", done.stdout.decode())


def test_mandoc_finds_no_fault_in_any_page(tool, pages):
    for page in pages:
        done = subprocess.run(
            [tool("mandoc"), "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
        )
        assert done.stdout + done.stderr == ""


@pytest.mark.slow
def test_man_shows_every_page_without_a_warning(tool, pages):
    for page in pages:
        done = subprocess.run(
            [tool("man"), "--warnings", "-E", "UTF-8", "-l", page],
            env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout


def test_every_command_and_option_is_on_its_page(tool, live_tree, tmp_path):
    for top in live_tree["commands"]:
        page = tmp_path / "page.1"
        page.write_text(render_man(tuple(top["path"]), live_tree, "1.2.3"), encoding="utf-8")
        text = shown(tool, page)
        for command in walk(top):
            assert "mj " + " ".join(command["path"]) in text
            for option in command["options"]:
                assert ", ".join(all_flags(option)) in text
        for line in [line for command in walk(top) for line in command["examples"]]:
            assert line in text


def test_the_page_of_mj_has_all_sections_and_tables(tool, live_tree, tmp_path):
    page = tmp_path / "mj.1"
    page.write_text(render_man((), live_tree, "1.2.3"), encoding="utf-8")
    text = shown(tool, page)
    heads = [line for line in text.splitlines()[1:-1] if line and not line.startswith(" ")]
    assert heads == [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "COMMANDS",
        "GLOBAL OPTIONS",
        "OUTPUT",
        "EXIT STATUS",
        "ENVIRONMENT",
        "CONFIGURATION",
        "FILES",
        "PROMPT PARAMETERS",
        "REFERENCES",
        "JOBS AND BILLING",
        "EXAMPLES",
        "SEE ALSO",
    ]
    words = " ".join(text.split())
    for name, meaning in [
        *EXIT_STATUSES,
        *ENVIRONMENT,
        *SETTINGS,
        *FILES,
        *PLACEHOLDERS,
        *parameter_rows(),
    ]:
        assert name in text
        assert " ".join(meaning.replace("`", "").split()) in words
    for command in live_tree["commands"]:
        assert f"mj-{command['path'][0]}(1)" in text


def test_every_section_of_a_command_is_on_its_page(tool, live_tree, tmp_path):
    names_of_commands = {command["path"][0] for command in live_tree["commands"]}
    assert set(COMMAND_SECTIONS) <= names_of_commands
    for name, sections in COMMAND_SECTIONS.items():
        page = tmp_path / "page.1"
        page.write_text(render_man((name,), live_tree, "1.2.3"), encoding="utf-8")
        assert {section.title for section in sections} <= set(shown(tool, page).splitlines())


def test_the_manual_names_only_commands_and_options_that_exist(live_tree):
    options = {
        flag for command in walk(live_tree) for each in command["options"] for flag in all_flags(each)
    } | {f"--{spelling}" for label, _ in parameter_rows() for spelling in re.findall(r"--(\S+?)\b", label)}
    commands = {" ".join(["mj", *command["path"]]) for command in walk(live_tree)}
    texts = [
        repr(section) for section in SECTIONS + tuple(s for each in COMMAND_SECTIONS.values() for s in each)
    ]
    for text in texts:
        for exact in re.findall(r"`([^`]+)`", text):
            assert {word for word in exact.split() if re.match("--[a-z]", word)} <= options, exact
            if exact.startswith("mj "):
                words = [word for word in exact.split() if not word.startswith("--")]
                assert " ".join(words[:2]) in commands, exact


def test_the_settings_of_the_manual_are_those_of_the_config_file():
    keys = {key for key, _ in SETTINGS}
    profile_keys = {key for key in schema.SETTABLE_KEYS if key.startswith("profiles.")}
    assert keys - {*schema.SECRETS, "profiles.NAME.KEY"} == set(schema.SETTABLE_KEYS) - profile_keys
    assert {
        f"profiles.NAME.{key}" for key in schema.PROFILE_KEYS if key not in schema.SECRETS
    } == profile_keys


def test_the_placeholders_of_the_manual_are_those_of_output():
    assert [name.strip("{}") for name, _ in PLACEHOLDERS] == list(names.PLACEHOLDERS)


def test_text_from_help_is_shown_as_it_is(tool, toy_tree, tmp_path):
    page = tmp_path / "mj-draw.1"
    page.write_text(render_man(("draw",), toy_tree, "1.2.3"), encoding="utf-8")
    text = " ".join(shown(tool, page).split())
    for wanted in (
        "Costs $5 \\ is 100% wide.",
        "How `soon` [it] is done: now.",
        ".indented",
        "'Quoted' at the start.",
        "see -o.",
        "mj draw 'a picture that needs a great many words to be told' --image https://example.org/a.png",
    ):
        assert wanted in text


def test_special_characters_of_roff_are_escaped():
    assert code("-a\\b'\"`~^é") == "\\-a\\(rsb\\(aq\\(dq\\(ga\\(ti\\(ha\\[u00E9]"
    assert marked("see `mj a-b`.") == "see \\fB\\%mj \\%a\\-b\\fR."
    assert prose("well-known (--flag-name) a\\b …") == "well-known (\\-\\-flag\\-name) a\\(rsb \\[u2026]"


def test_an_unknown_command_has_no_page(toy_tree):
    with pytest.raises(LookupError):
        render_man(("nothing",), toy_tree, "1.2.3")

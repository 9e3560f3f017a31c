"""The manual pages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mjcli.reference import walk
from mjcli.reference.completion import all_flags
from mjcli.reference.facts import ENVIRONMENT, EXIT_STATUSES
from mjcli.reference.man import code, page_name, prose, render_man


@pytest.fixture(params=["live_tree", "toy_tree"])
def pages(request, tmp_path):
    """The pages of a tree, by name."""
    tree = request.getfixturevalue(request.param)
    paths = [(), *(tuple(command["path"]) for command in tree["commands"])]
    for path in paths:
        (tmp_path / f"{page_name(path)}.1").write_text(render_man(path, tree, "1.2.3"), encoding="utf-8")
    return sorted(tmp_path.glob("*.1"))


def shown(tool, page: Path) -> str:
    """The page as a reader sees it, in lines too long to be broken."""
    done = subprocess.run(
        [tool("mandoc"), "-T", "utf8", "-O", "width=999", page], capture_output=True, check=True
    )
    return re.sub(".\x08", "", done.stdout.decode())


def test_mandoc_has_nothing_to_say_about_any_page(tool, pages):
    for page in pages:
        done = subprocess.run(
            [tool("mandoc"), "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
        )
        assert done.stdout + done.stderr == ""


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


def test_every_command_and_option_stands_in_its_page(tool, live_tree, tmp_path):
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


def test_the_page_of_mj_has_the_customary_sections_and_tables(tool, live_tree, tmp_path):
    page = tmp_path / "mj.1"
    page.write_text(render_man((), live_tree, "1.2.3"), encoding="utf-8")
    text = shown(tool, page)
    wanted = (
        "NAME SYNOPSIS DESCRIPTION COMMANDS OPTIONS",
        "EXIT STATUS",
        "ENVIRONMENT FILES EXAMPLES",
        "SEE ALSO",
    )
    heads = [line for line in text.splitlines()[1:-1] if line and not line.startswith(" ")]
    assert [head for head in heads if not head.startswith("OPTIONS FOR")] == [
        head
        for group in wanted
        for head in ([group] if group in ("EXIT STATUS", "SEE ALSO") else group.split())
    ]
    for name, meaning in [*EXIT_STATUSES, *ENVIRONMENT]:
        assert name in text
        assert " ".join(meaning.split()) in " ".join(text.split())
    for command in live_tree["commands"]:
        assert f"mj-{command['path'][0]}(1)" in text


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


def test_signs_that_roff_reads_are_escaped():
    assert code("-a\\b'\"`~^é") == "\\-a\\(rsb\\(aq\\(dq\\(ga\\(ti\\(ha\\[u00E9]"
    assert prose("well-known (--flag-name) a\\b …") == "well-known (\\-\\-flag\\-name) a\\(rsb \\[u2026]"


def test_there_is_no_page_about_an_unknown_command(toy_tree):
    with pytest.raises(LookupError):
        render_man(("nothing",), toy_tree, "1.2.3")

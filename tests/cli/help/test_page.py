"""The output of `--help`."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from mjcli.cli.help import PARAMETERS_PANEL
from mjcli.cli.help import data as reference
from mjcli.cli.help.completion.words import all_flags
from mjcli.cli.help.data import find, walk
from mjcli.cli.help.facts import PARAMETER_WORDS
from mjcli.cli.help.page import HelpLayout, render_help, render_start, wrap, wrap_command
from mjcli.prompt.parameters import PARAMETERS

PLAIN = HelpLayout(width=80, colour=False)
DRAW = """\
Draw something.

Usage: mj draw [OPTIONS] [PROMPT...]

Examples:
  # Draw a cat
  mj draw "a cat" --download
  # Nothing but words, and very many of them
  mj draw 'a picture that needs a great many words to be told' \\
    --image https://example.org/a.png --mode fast

The first paragraph goes on here. Use --mode for more.

- an item that is long enough to be wrapped when the terminal is a narrow one
- another

  mj draw  "as it is"
  .indented

'Quoted' at the start.

Arguments:
  [PROMPT...]  What it's to show.

Options:
      --mode fast|turbo|relax  How `soon` [it] is done: now. (default: fast)
      --image URL              A picture; see -o.
      --stream/--no-stream     Follow it. (default: --stream)
  -d, --download               Save it.
  -o, --output PATH            Where "it" goes.
      --into DIR               The directory.

Words:
  --ar W:H  Costs $5 \\ is 100% wide.
  --iw N    Weight. (0 to 3) (default: 1)

Global options:
"""


def test_the_help_of_a_command_reads_as_expected(toy_tree):
    shown = render_help(("draw",), PLAIN, toy_tree)
    assert shown.startswith(DRAW)


def test_the_help_of_a_group_lists_its_visible_commands(toy_tree):
    shown = render_help(("door",), PLAIN, toy_tree)
    assert "Usage: mj door [OPTIONS] COMMAND\n" in shown
    assert "\nCommands:\n  open   Open it.\n  close  Close it.\n" in shown
    assert "break" not in shown
    assert shown.endswith("Read more: mj door COMMAND --help, man mj-door\n")


def test_the_help_of_mj_refers_to_the_man_page(live_tree):
    shown = render_help((), PLAIN, live_tree)
    assert "Usage: mj [OPTIONS] COMMAND\n" in shown
    assert "\nExamples:\n" in shown
    assert shown.endswith("Read more: mj COMMAND --help, man mj\n")
    for command in live_tree["commands"]:
        assert f"\n  {command['path'][0]}  " in shown


@pytest.mark.parametrize("width", [1, 40, 59, 60, 80, 100, 120, 1000])
@pytest.mark.parametrize("tree_name", ["live_tree", "toy_tree"])
def test_no_line_is_longer_than_the_terminal_or_100_columns(request, tree_name, width):
    tree = request.getfixturevalue(tree_name)
    for command in walk(tree):
        shown = render_help(tuple(command["path"]), HelpLayout(width, False), tree)
        longest = max(shown.splitlines(), key=len)
        assert len(longest) <= max(40, min(width, 100)), longest
        assert all(line == line.rstrip() for line in shown.splitlines())


@pytest.mark.parametrize("width", [40, 80])
def test_every_option_is_in_the_help_of_its_command(live_tree, width):
    for command in walk(live_tree):
        words = re.split(r"[\s,/]+", render_help(tuple(command["path"]), HelpLayout(width, False), live_tree))
        for option in command["options"]:
            assert set(all_flags(option)) <= set(words)


def test_colour_does_not_change_the_text(live_tree):
    for width in (40, 80):
        for command in walk(live_tree):
            path = tuple(command["path"])
            coloured = render_help(path, HelpLayout(width, True), live_tree)
            assert "\x1b[1mUsage:\x1b[0m" in coloured
            assert "\x1b[36m--json\x1b[0m" in coloured
            plain = re.sub(r"\x1b\[\d*m", "", coloured)
            assert plain == render_help(path, HelpLayout(width, False), live_tree)


def test_the_global_options_come_last(live_tree):
    for command in walk(live_tree):
        panels = [name for name, _ in reference.panels(command)]
        assert panels[-1] == reference.GLOBAL_PANEL


def test_a_path_is_known_if_it_is_a_command():
    assert reference.known_path(())
    assert reference.known_path(("imagine",))
    assert reference.known_path(("auth", "login"))
    assert not reference.known_path(("auth", "nothing"))
    assert not reference.known_path(("imagine", "auth"))
    assert not reference.known_path(("--json",))
    assert find(("door", "open"), reference.load()) is None


def test_help_for_an_unknown_path_is_refused(toy_tree):
    with pytest.raises(LookupError, match="Unknown command: mj nothing"):
        render_help(("nothing",), PLAIN, toy_tree)


def test_words_longer_than_the_line_are_split():
    assert wrap("a " + "x" * 12 + " b", 5) == ["a", "xxxxx", "xxxxx", "xx b"]
    assert wrap("", 5) == []


def test_a_long_command_is_wrapped_outside_its_quotes_and_stays_one_command():
    command = """mj imagine "a 'cat' on a table" --mode fast --json 'x y'"""
    lines = wrap_command(command, 30)
    assert lines == ["mj imagine \\", "  \"a 'cat' on a table\" \\", "  --mode fast --json 'x y'"]
    assert " ".join(line.removesuffix("\\").strip() for line in lines) == command
    assert wrap_command("mj x", 30) == ["mj x"]


def test_help_is_shown_without_loading_typer_or_the_commands():
    program = (
        "import sys; from mjcli.cli.help import data as reference; from mjcli.cli.help.page import *\n"
        "assert reference.known_path(('imagine',)); render_help(('imagine',), HelpLayout(80, True))\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in "
        "('typer', 'click', 'inspect', 'dataclasses', 'pathlib', 'textwrap', 'importlib_resources')"
        " or m.startswith('mjcli.cli.commands') or m == 'importlib.resources'))"
    )
    # -S: without site, which may load modules for the installation.
    root = str(__import__("pathlib").Path(reference.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("width", [1, 40, 50, 80, 200])
def test_the_start_page_has_at_most_20_lines_and_only_commands_that_exist(live_tree, width):
    shown = render_start(HelpLayout(width, False))
    lines = shown.splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= max(40, min(width, 100))
    typed = [line.split() for line in lines if line.startswith("  mj ")]
    names = {next(word for word in words[1:] if not word.startswith("-")) for words in typed}
    assert names <= {command["path"][0] for command in live_tree["commands"]}
    assert {"imagine", "auth"} <= names
    assert "platform.acedata.cloud" in shown
    assert "mj --help" in " ".join(shown.split())


def test_mj_alone_prints_the_start_page_and_help_prints_every_command():
    alone = subprocess.run([sys.executable, "-m", "mjcli"], capture_output=True, text=True, check=True)
    assert alone.stdout == render_start(PLAIN)
    whole = subprocess.run(
        [sys.executable, "-m", "mjcli", "--help"], capture_output=True, text=True, check=True
    )
    assert whole.stdout == render_help((), PLAIN)


@pytest.mark.parametrize("width", [40, 50, 80])
def test_examples_and_common_options_come_before_the_rest(live_tree, width):
    shown = render_help(("imagine",), HelpLayout(width, False), live_tree)
    headings = [line for line in shown.splitlines() if re.fullmatch(r"[A-Z][a-z ]+:", line)]
    assert headings[:4] == ["Examples:", "Arguments:", "Common options:", "Midjourney parameters:"]
    assert shown.count("--dry-run") == shown.count("--no-ledger") == 1


def test_the_prompt_parameters_are_a_table_of_two_columns_at_80_and_of_one_line_each_at_50(live_tree):
    names = [parameter.spellings[0] for parameter in PARAMETERS]
    for width, lines in ((80, (len(names) + 1) // 2), (50, len(names))):
        shown = render_help(("imagine",), HelpLayout(width, False), live_tree)
        table = shown.partition("Midjourney parameters:\n")[2].partition("\n\n")[0]
        assert len(table.splitlines()) == lines


def test_every_prompt_parameter_has_its_words_in_the_table(live_tree):
    imagine = find(("imagine",), live_tree)
    flags = [option["flags"][0] for option in imagine["options"] if option["panel"] == PARAMETERS_PANEL]
    assert flags == list(PARAMETER_WORDS)

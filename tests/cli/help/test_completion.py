"""The completion scripts in real shells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mjcli.cli.help.completion.scripts import FILE_NAMES, SHELLS, render_completion
from mjcli.cli.help.completion.words import all_flags, candidates
from mjcli.cli.help.data import walk
from tests.support.shells import Terminal, ask_bash, ask_fish

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def bash(tool, tmp_path, trap_directory):
    """A function that completes a line in bash, with only a trap on PATH."""

    def ask(script: Path, line: str) -> list[str]:
        offered = ask_bash(tool("bash"), script / "mj.bash", line, path=trap_directory)
        assert not (tmp_path / "mark").exists(), "mj was run"
        return offered

    return ask


@pytest.fixture
def fish(tool, tmp_path, trap_directory):
    """A function that completes a line in fish, with only a trap on PATH."""

    def ask(script: Path, line: str) -> list[str]:
        offered = ask_fish(tool("fish"), script / "mj.fish", line, path=trap_directory, cwd=tmp_path)
        assert not (tmp_path / "mark").exists(), "mj was run"
        return offered

    return ask


@pytest.fixture(params=["bash", "fish"])
def ask(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def zsh_terminal(tool, tmp_path, trap_directory):
    """A function that starts an interactive zsh with the completion sourced or autoloaded."""

    def start(scripts: Path, *, sourced: bool) -> Terminal:
        load = f"source {scripts}/_mj" if sourced else ""
        place = "" if sourced else f"fpath=({scripts} $fpath)"
        (tmp_path / ".zshrc").write_text(
            f"{place}\nautoload -U compinit && compinit -u -D\n{load}\nPS1='$ '\nLISTMAX=10000\n"
            f"setopt no_list_ambiguous no_auto_menu\nunset zle_bracketed_paste\nPATH={trap_directory}\n"
        )
        return Terminal(
            [tool("zsh"), "-i", "-d"], {"ZDOTDIR": str(tmp_path), "HOME": str(tmp_path)}, tmp_path
        )

    return start


@pytest.fixture
def bash_terminal(tool, tmp_path, trap_directory):
    def start(scripts: Path, settings: str = "") -> Terminal:
        (tmp_path / "rc").write_text(
            f"{settings}\nsource {scripts}/mj.bash\nPS1='$ '\nPATH={trap_directory}\n"
            "bind 'set show-all-if-ambiguous on'\nbind 'set completion-query-items 0'\n"
            "bind 'set page-completions off'\nbind 'set enable-bracketed-paste off'\n"
        )
        command = [tool("bash"), "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"]
        return Terminal(command, {"HOME": str(tmp_path)}, tmp_path)

    return start


@pytest.mark.parametrize("tree_name", ["live", "toy"])
@pytest.mark.parametrize(("shell", "file"), [("bash", "mj.bash"), ("zsh", "_mj"), ("fish", "mj.fish")])
def test_each_script_parses(request, tool, shell, file, tree_name):
    directory = request.getfixturevalue("scripts" if tree_name == "live" else "toy_scripts")
    done = subprocess.run([tool(shell), "-n", directory / file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_has_every_command_option_and_value(live_tree, shell):
    script = render_completion(shell, live_tree)
    for command in walk(live_tree):
        assert all(word in script for word in command["path"])
        for option in command["options"]:
            for flag in all_flags(option):
                spelled = f"-l {flag[2:]} " if shell == "fish" and flag.startswith("--") else flag
                spelled = f"-s {flag[1:]} " if shell == "fish" and not flag.startswith("--") else spelled
                assert spelled in script, (command["path"], flag)
        for parameter in [*command["arguments"], *command["options"]]:
            for value in candidates(parameter):
                assert value.replace(":", "\\:") in script or value in script


@pytest.mark.parametrize("shell", SHELLS)
def test_mj_completion_prints_the_exact_bytes_of_the_file(shell):
    done = subprocess.run(
        [sys.executable, "-m", "mjcli", "completion", shell], capture_output=True, cwd=REPOSITORY, check=False
    )
    assert done.stderr == b""
    assert done.stdout == (REPOSITORY / "completions" / FILE_NAMES[shell]).read_bytes()


def test_the_script_for_bash_has_no_command_substitution(live_tree):
    script = render_completion("bash", live_tree)
    assert "$(" not in script.replace("$((", "")
    assert "`" not in script
    assert "<(" not in script


def test_commands_are_completed(ask, scripts, live_tree):
    names = [command["path"][0] for command in live_tree["commands"]]
    assert sorted(ask(scripts, "mj ")) == sorted(names)
    assert ask(scripts, "mj im") == ["imagine"]
    assert ask(scripts, "mj --sandbox --profile work im") == ["imagine"]


def test_subcommands_are_completed(ask, scripts):
    assert sorted(ask(scripts, "mj auth ")) == ["login", "logout", "status"]
    assert sorted(ask(scripts, "mj config ")) == ["get", "list", "path", "set", "unset"]
    assert ask(scripts, "mj auth --json log") == ask(scripts, "mj auth log")


def test_options_are_completed_before_and_after_the_command(ask, scripts):
    assert "--sandbox" in ask(scripts, "mj --")
    assert "--version" in ask(scripts, "mj --")
    assert "--version" not in ask(scripts, "mj auth --")
    assert {"--sandbox", "--download", "--dry-run"} <= set(ask(scripts, "mj imagine --"))
    assert "--sandbox" in ask(scripts, "mj auth --")
    assert "--sandbox" in ask(scripts, "mj auth login --")


def test_action_names_are_completed(ask, scripts):
    assert "upscale4" in ask(scripts, "mj action ")
    assert "upscale4" in ask(scripts, "mj action --mode fast up")
    assert "upscale4" not in ask(scripts, "mj action upscale1 ")


def test_choices_are_completed_in_both_spellings_of_a_value(ask, scripts, live_tree):
    imagine = next(command for command in live_tree["commands"] if command["path"] == ["imagine"])
    mode = next(option for option in imagine["options"] if "--mode" in option["flags"])
    assert sorted(ask(scripts, "mj imagine --mode ")) == sorted(mode["choices"])
    assert [word.removeprefix("--mode=") for word in ask(scripts, "mj imagine --mode=fa")] == ["fast"]


def test_shells_are_completed(ask, scripts):
    assert sorted(ask(scripts, "mj completion ")) == sorted(SHELLS)


def test_words_are_offered_only_for_their_argument(ask, toy_scripts):
    assert ask(toy_scripts, "mj act upscale4 @l") == ["@last"]
    assert ask(toy_scripts, "mj act --profile http://a.b:80 upscale4 @l") == ["@last"]
    assert ask(toy_scripts, "mj act upscale4 @last ") == []
    assert ask(toy_scripts, "mj act zo") == ["zoom:out"]


def test_an_option_is_offered_again_only_if_it_is_repeatable(ask, toy_scripts):
    assert "--quiet" not in ask(toy_scripts, "mj draw -dq --")
    assert "--no-stream" not in ask(toy_scripts, "mj draw --stream --")
    assert "--mode" not in ask(toy_scripts, "mj draw --mode=fast --")
    assert "--image" in ask(toy_scripts, "mj draw --image x --")
    assert "--download" in ask(toy_scripts, "mj draw -o --download --d")


def test_nothing_is_offered_for_free_text(ask, toy_scripts):
    assert ask(toy_scripts, "mj draw ") == []
    assert ask(toy_scripts, "mj draw --ar ") == []
    assert ask(toy_scripts, "mj draw -- --") == []
    assert ask(toy_scripts, "mj nothing ") == []


def test_hidden_commands_and_options_are_not_offered(ask, toy_scripts):
    assert sorted(ask(toy_scripts, "mj door ")) == ["close", "open"]
    assert ask(toy_scripts, "mj draw --sec") == []


def test_fish_offers_files_and_directories_as_values_of_paths(fish, toy_scripts, tmp_path):
    (tmp_path / "picture.png").touch()
    (tmp_path / "pictures").mkdir()
    assert fish(toy_scripts, "mj draw -o pict") == ["picture.png", "pictures/"]
    assert fish(toy_scripts, "mj draw --into pict") == ["pictures/"]
    assert fish(toy_scripts, "mj door close pict") == ["picture.png", "pictures/"]
    assert fish(toy_scripts, "mj draw pict") == []


def test_bash_completes_on_tab(bash_terminal, scripts, tmp_path):
    with bash_terminal(scripts) as terminal:
        assert "mj imagine " in terminal.tab("mj im")
        assert "mj imagine --mode=fast " in terminal.tab("mj imagine --mode=fa")
        assert "mj imagine --mode fast " in terminal.tab("mj imagine --mode fa")
        assert "--split-images" in terminal.tab("mj imagine --")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("breaks", ["", "COMP_WORDBREAKS=$' \\t\\n\"\\'><;|&('", "set -u"])
def test_bash_completes_on_tab_with_any_word_breaks(bash_terminal, toy_scripts, tmp_path, breaks):
    (tmp_path / "picture.png").touch()
    (tmp_path / "directory").mkdir()
    with bash_terminal(toy_scripts, breaks) as terminal:
        assert "mj act zoom:out " in terminal.tab("mj act zo")
        assert "mj act zoom:out " in terminal.tab("mj act zoom:")
        assert "mj act x @last " in terminal.tab("mj act x @l")
        assert "mj draw 'a = b: c' --mode=turbo " in terminal.tab("mj draw 'a = b: c' --mode=t")
        assert "mj draw --output=picture.png " in terminal.tab("mj draw --output=pict")
        assert "mj draw -o picture.png " in terminal.tab("mj draw -o pict")
        assert "mj draw --into=directory/" in terminal.tab("mj draw --into=d")
        assert "picture" not in terminal.tab("mj draw --into pict").partition("pict")[2]
        assert "picture" not in terminal.tab("mj draw pict").partition("pict")[2]
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("sourced", [True, False], ids=["sourced", "in fpath"])
def test_zsh_completes_on_tab(zsh_terminal, scripts, tmp_path, sourced):
    with zsh_terminal(scripts, sourced=sourced) as terminal:
        assert "mj imagine " in terminal.tab("mj im")
        assert "mj --sandbox imagine " in terminal.tab("mj --sandbox im")
        assert "mj imagine --mode=fast " in terminal.tab("mj imagine --mode=fa")
        assert "mj imagine --mode fast " in terminal.tab("mj imagine --mode fa")
        shown = terminal.tab("mj auth ")
        assert all(name in shown for name in ("login", "logout", "status"))
        shown = terminal.tab("mj config ")
        assert all(name in shown for name in ("get", "list", "path", "set", "unset"))
        assert "upscale4" in terminal.tab("mj action upsc")
        shown = terminal.tab("mj imagine --download --")
        assert "--split-images" in shown
        assert "--sandbox" in shown
    assert not (tmp_path / "mark").exists()


def test_zsh_completes_files_and_words_and_omits_used_options(zsh_terminal, toy_scripts, tmp_path):
    (tmp_path / "picture.png").touch()
    (tmp_path / "directory").mkdir()
    with zsh_terminal(toy_scripts, sourced=True) as terminal:
        assert "mj act zoom:out " in terminal.tab("mj act zo")
        assert "mj act x @last " in terminal.tab("mj act x @l")
        assert "mj draw -o picture.png " in terminal.tab("mj draw -o pict")
        assert "mj draw --into directory/" in terminal.tab("mj draw --into d")
        assert "picture" not in terminal.tab("mj draw pict").partition("pict")[2]
        shown = terminal.tab("mj draw --stream -q --")
        assert "--image" in shown
        assert "--no-stream" not in shown
        assert "--quiet" not in shown
        assert "--image  -- " in terminal.tab("mj draw --image x --ima")
        assert "How `soon` [it] is done: now" in terminal.tab("mj draw --")
        assert 'Where "it" goes' in terminal.tab("mj draw --")
    assert not (tmp_path / "mark").exists()

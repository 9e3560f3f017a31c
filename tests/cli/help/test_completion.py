"""The completion scripts in real shells."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mjcli.cli.help.completion.scripts import FILE_NAMES, SHELLS, render_completion
from mjcli.cli.help.completion.words import QUERIES, all_flags, candidates
from mjcli.cli.help.data import walk
from tests.support.shells import Terminal, ask_bash, ask_fish

pytestmark = pytest.mark.slow

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
def zsh_terminal(request, tool, tmp_path):
    """A function that starts an interactive zsh with the completion sourced or autoloaded."""

    def start(scripts: Path, *, sourced: bool, path: Path | None = None) -> Terminal:
        path = path or request.getfixturevalue("trap_directory")
        load = f"source {scripts}/_mj" if sourced else ""
        place = "" if sourced else f"fpath=({scripts} $fpath)"
        (tmp_path / ".zshrc").write_text(
            f"{place}\nautoload -U compinit && compinit -u -D\n{load}\nPS1='$ '\nLISTMAX=10000\n"
            f"setopt no_list_ambiguous no_auto_menu\nunset zle_bracketed_paste\nPATH={path}\n"
        )
        return Terminal(
            [tool("zsh"), "-i", "-d"], {"ZDOTDIR": str(tmp_path), "HOME": str(tmp_path)}, tmp_path
        )

    return start


@pytest.fixture
def bash_terminal(request, tool, tmp_path):
    def start(scripts: Path, settings: str = "", path: Path | None = None) -> Terminal:
        path = path or request.getfixturevalue("trap_directory")
        (tmp_path / "rc").write_text(
            f"{settings}\nsource {scripts}/mj.bash\nPS1='$ '\nPATH={path}\n"
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
            if parameter["value"] in QUERIES:
                assert parameter["value"] in script


@pytest.mark.parametrize("shell", SHELLS)
def test_mj_completion_prints_the_exact_bytes_of_the_file(shell):
    done = subprocess.run(
        [sys.executable, "-m", "mjcli", "completion", shell], capture_output=True, cwd=REPOSITORY, check=False
    )
    assert done.stderr == b""
    assert done.stdout == (REPOSITORY / "completions" / FILE_NAMES[shell]).read_bytes()


def test_the_script_for_bash_has_one_command_substitution(live_tree):
    script = render_completion("bash", live_tree)
    # But for the one that runs mj.
    assert script.replace("$((", "").count("$(") == 1
    assert "`" not in script.replace(r"\`", "")
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


def test_the_words_of_an_action_are_completed(ask, scripts):
    assert set(ask(scripts, "mj vary s")) == {"subtle", "strong"}
    assert set(ask(scripts, "mj pan ")) == {"left", "right", "up", "down"}


def test_fish_says_which_image_of_the_grid_a_number_means(tool, scripts, tmp_path):
    source = "source $argv[1]; complete -C 'mj vary '"
    command = [tool("fish"), "--no-config", "-c", source, str(scripts / "mj.fish")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert "3\tbottom left\n" in shown


def test_zsh_says_which_image_of_the_grid_a_number_means(zsh_terminal, scripts):
    with zsh_terminal(scripts, sourced=True) as terminal:
        assert "bottom left" in terminal.tab("mj upscale ")


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


@pytest.mark.parametrize(
    "line",
    ["mj ", "mj imagine --", "mj imagine --mode ", "mj action up", "mj imagine --ar ", "mj imagine --v ",
     "mj history --field ", "mj imagine --output ", "mj action upscale1 @last --mask ", "mj imagine a ca"],
)  # fmt: skip
def test_no_process_is_started_but_for_words_of_the_ledger_and_the_config_file(ask, scripts, tmp_path, line):
    ask(scripts, line)
    assert not (tmp_path / "asked").exists()
    ask(scripts, "mj action upscale1 ")
    assert (tmp_path / "asked").exists()


def test_suggested_values_are_completed(ask, scripts):
    assert {"1:1", "3:2", "16:9"} <= set(ask(scripts, "mj imagine --ar "))
    assert "raw" in ask(scripts, "mj imagine --style ")
    assert "7" in ask(scripts, "mj imagine --v ")
    assert ask(scripts, "mj imagine --sref ran") == ["random"]
    assert ask(scripts, "mj imagine --field raw_image_u") == ["raw_image_url"]
    assert ask(scripts, "mj history --field re") == ["ref", "request", "result"]
    assert "defaults.mode" in ask(scripts, "mj config set ")


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


@pytest.mark.parametrize(
    "line",
    ["mj imagine a --image pict", "mj imagine a --image=pict", "mj imagine a --sref pict", "mj edit pict",
     "mj imagine a --cref pict", "mj imagine a --oref pict", "mj imagine a -o pict", "mj blend pict",
     "mj blend a.png pict", "mj describe pict", "mj video --image x --end-image pict", "mj edit x --mask pict",
     "mj action variation_region x --mask pict", "mj action upscale1 pict", "mj listen --exec pict"],
)  # fmt: skip
def test_files_are_offered_wherever_one_is_accepted(
    fish, bash_terminal, zsh_terminal, scripts, tmp_path, line
):
    (tmp_path / "picture $(x).png").touch()
    assert [each.removeprefix("--image=") for each in fish(scripts, line)] == ["picture $(x).png"]
    for shell in (bash_terminal(scripts), zsh_terminal(scripts, sourced=True)):
        with shell as terminal:
            assert r"ture\ \$\(x\).png " in terminal.tab(line)


def test_no_files_are_offered_where_none_is_accepted(fish, scripts, tmp_path):
    (tmp_path / "picture.png").touch()
    for line in ("mj imagine pict", "mj open pict", "mj download pict", "mj imagine --key pict"):
        assert fish(scripts, line) == []


@pytest.fixture(params=["bash", "fish"])
def answered(request, tool, filled, scripts, tmp_path):
    """A function that completes a line with the real program."""

    def ask(line: str) -> list[str]:
        if request.param == "bash":
            return ask_bash(tool("bash"), scripts / "mj.bash", line, path=filled, cwd=tmp_path)
        return ask_fish(tool("fish"), scripts / "mj.fish", line, path=filled, cwd=tmp_path)

    yield ask
    assert not (tmp_path / "pwned").exists(), "a prompt was executed"


def test_references_and_ids_are_completed_from_the_ledger(answered):
    assert answered("mj action upscale1 @") == ["@last", "@2"]
    assert answered("mj action upscale1 111") == ["111222"]
    assert answered("mj seed @l") == ["@last"]
    assert answered("mjcli seed @l") == ["@last"]
    assert answered("mj describe-task @") == []  # no job has a task
    for command in ("resume", "download", "open", "history show"):
        assert answered(f"mj {command} @") == ["@last", "@2"]
    assert "@2" in answered("mj imagine a --image ")
    assert "333444" in answered("mj blend @2 33")


def test_references_are_those_of_the_profile_on_the_line(answered):
    assert answered("mj --profile work action upscale1 555") == ["555666"]
    assert answered("mj --profile=work seed @") == ["@last"]
    assert answered("mj action --profile 'work' upscale1 5") == ["555666"]
    assert answered("mj action upscale1 555") == []
    assert answered("mj --sandbox seed @") == []


def test_profiles_presets_and_settings_are_completed_from_the_config_file(answered):
    assert [word.removeprefix("--profile=") for word in answered("mj --profile=wo")] == ["work"]
    assert answered("mj auth login --profile wo") == ["work"]
    assert answered("mj imagine a --preset ") == ["poster"]
    assert answered("mj config get presets.p") == ["presets.poster.suffix"]
    assert answered("mj config unset defaults.mo") == ["defaults.mode"]
    assert answered("mj config set defaults.mode ") == ["fast", "relax", "turbo"]
    assert answered("mj config set defaults.download t") == ["true"]
    assert answered("mj config set token_in ") == ["header", "query"]


def test_each_value_has_its_own_description_in_fish(tool, filled, scripts):
    def described(line):
        return ask_fish(tool("fish"), scripts / "mj.fish", line, path=filled, descriptions=True)

    last, second = described("mj seed @")
    assert last.startswith("@last\ta:b\\n %F{red} 'q' \"r\"; $(touch ")
    assert second == "@2\ta cat (imagine)"
    assert "upscale4\tbottom right" in described("mj action ")
    assert "fast\tNormal speed and price" in described("mj imagine --mode ")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_words_are_quoted_and_nothing_in_them_is_executed(request, filled, scripts, tmp_path, shell):
    if shell == "bash":
        started = request.getfixturevalue("bash_terminal")(scripts, path=filled)
    else:
        started = request.getfixturevalue("zsh_terminal")(scripts, sourced=True, path=filled)
    with started as terminal:
        shown = terminal.tab("mj seed ")
        assert "@last" in shown
        assert "111222" in shown
        if shell == "zsh":
            assert "111222  -- a cat (imagine)" in shown
            assert "333444  -- a:b\\n %F{red} 'q' \"r\"; $(touch " in shown
        assert "mj --profile it\\'s\\ \\$\\(touch\\ " in terminal.tab("mj --profile it")
        assert "mj --profile=work " in terminal.tab("mj --profile=w")
        assert "mj --profile 'work' " in terminal.tab("mj --profile 'w")
        assert "mj --profile work seed 555666 " in terminal.tab("mj --profile work seed 5")
        assert "mjcli seed @last " in terminal.tab("mjcli seed @l")
    assert not (tmp_path / "pwned").exists()


def test_the_script_for_powershell_is_ascii_and_its_brackets_are_balanced(live_tree):
    script = render_completion("powershell", live_tree)
    assert script.isascii()
    outside = re.sub(
        r"'(?:[^']|'')*'|\"(?:[^\"`]|`.)*\"", "", re.sub(r"^\s*#.*$", "", script, flags=re.MULTILINE)
    )
    for opening, closing in ("()", "[]", "{}"):
        assert outside.count(opening) == outside.count(closing)
    assert "'--profile' = @{ Words = [ordered]@{  }; Files = ''; Query = 'profile' }" in script


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

"""The generator."""

from __future__ import annotations

import json

import pytest

from mjcli import gen
from mjcli.cli.help.compact import compact
from mjcli.cli.help.data import restore

README = """\
# Title

<!-- generated: exit-status -->
old
<!-- end generated -->

<!-- generated: commands -->
<!-- end generated -->

<!-- generated: something-else -->
stays
<!-- end generated -->
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def test_the_generated_files_of_the_repository_are_current(capsys):
    assert gen.main(["--check"]) == 0, capsys.readouterr().err


def test_written_files_are_current(checkout, toy_tree, capsys):
    assert gen.main([], root=checkout, tree=toy_tree) == 0
    assert "written: man/mj-draw.1\n" in capsys.readouterr().err
    assert gen.main(["--check"], root=checkout, tree=toy_tree) == 0
    assert capsys.readouterr() == ("", "")
    files = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}
    assert files == {
        "pyproject.toml",
        "mjcli/cli/help/commands.json",
        *(f"completions/{name}" for name in ("mj.bash", "_mj", "mj.fish", "mj.ps1")),
        *(f"man/{name}.1" for name in ("mj", "mj-draw", "mj-act", "mj-door")),
    }
    stored = json.loads((checkout / "mjcli/cli/help/commands.json").read_text(encoding="utf-8"))
    assert restore(stored) == toy_tree


def test_the_compact_form_holds_every_option_once_on_a_line_of_its_own(live_tree):
    text = compact(live_tree)
    assert restore(json.loads(text)) == live_tree
    assert len(text.splitlines()) < 800
    assert text.count('"flags": ["--no-ledger"]') == 1


def test_options_of_the_same_name_that_differ_are_stored_separately(toy_tree):
    stored = json.loads(compact(toy_tree))
    modes = {key: option["choices"] for key, option in stored["options"].items() if key.startswith("--mode")}
    assert modes == {"--mode": ["fast", "turbo", "relax"], "--mode (act)": ["fast", "relax"]}


def test_the_check_reports_a_stale_file_and_writes_nothing(checkout, toy_tree, capsys):
    gen.main([], root=checkout, tree=toy_tree)
    capsys.readouterr()
    (checkout / "completions/_mj").write_text("old")
    (checkout / "man/mj.1").unlink()
    (checkout / "man/mj-gone.1").touch()
    assert gen.main(["--check"], root=checkout, tree=toy_tree) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:-1] == ["stale: completions/_mj", "stale: man/mj.1", "stale: man/mj-gone.1"]
    assert (checkout / "completions/_mj").read_text() == "old"
    assert not (checkout / "man/mj.1").exists()


def test_pages_of_removed_commands_are_deleted(checkout, toy_tree, capsys):
    (checkout / "man").mkdir()
    (checkout / "man/mj-gone.1").touch()
    gen.main([], root=checkout, tree=toy_tree)
    assert "removed: man/mj-gone.1" in capsys.readouterr().err
    assert not (checkout / "man/mj-gone.1").exists()


def test_the_tables_of_the_readme_are_updated_and_the_rest_is_unchanged(checkout, toy_tree):
    readme = checkout / "README.md"
    readme.write_text(README, encoding="utf-8")
    gen.main([], root=checkout, tree=toy_tree)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(
        "# Title\n\n<!-- generated: exit-status -->\n| status | meaning |\n|---|---|\n| 0 | Success. |\n"
    )
    assert "old" not in text
    assert "| `mj draw [PROMPT...]` | Draw something. |\n| `mj act ACTION TARGET` |" in text
    assert "| `mj door close FILE` | Close it. |\n<!-- end generated -->\n" in text
    assert "<!-- generated: something-else -->\nstays\n<!-- end generated -->\n" in text
    readme.write_text(text.replace("Close it", "Slam it"), encoding="utf-8")
    assert gen.main(["--check"], root=checkout, tree=toy_tree) == 1


def test_outside_a_checkout_nothing_is_written(tmp_path, toy_tree, capsys):
    assert gen.main([], root=tmp_path, tree=toy_tree) == 2
    assert "is not a checkout of the repository" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_arguments_are_refused(capsys):
    assert gen.main(["--chek"]) == 2
    assert capsys.readouterr().err == "Usage: python -m mjcli.gen [--check]\n"

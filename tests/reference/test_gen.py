"""The generator."""

from __future__ import annotations

import json

import pytest

from mjcli import gen

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


def test_what_was_written_is_current(checkout, toy_tree, capsys):
    assert gen.main([], root=checkout, tree=toy_tree) == 0
    assert "written: man/mj-draw.1\n" in capsys.readouterr().err
    assert gen.main(["--check"], root=checkout, tree=toy_tree) == 0
    assert capsys.readouterr() == ("", "")
    files = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}
    assert files == {
        "pyproject.toml",
        "mjcli/reference/commands.json",
        *(f"completions/{name}" for name in ("mj.bash", "_mj", "mj.fish", "mj.ps1")),
        *(f"man/{name}.1" for name in ("mj", "mj-draw", "mj-act", "mj-door")),
    }
    assert json.loads((checkout / "mjcli/reference/commands.json").read_text(encoding="utf-8")) == toy_tree


def test_the_check_reports_a_stale_file_and_writes_nothing(checkout, toy_tree, capsys):
    gen.main([], root=checkout, tree=toy_tree)
    capsys.readouterr()
    (checkout / "completions/_mj").write_text("old")
    (checkout / "man/mj.1").unlink()
    (checkout / "man/mj-gone.1").touch()
    assert gen.main(["--check"], root=checkout, tree=toy_tree) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[:-1] == ["stale: completions/_mj", "stale: man/mj.1", "stale: man/mj-gone.1"]
    assert (checkout / "completions/_mj").read_text() == "old"
    assert not (checkout / "man/mj.1").exists()


def test_pages_of_commands_that_are_gone_are_removed(checkout, toy_tree, capsys):
    (checkout / "man").mkdir()
    (checkout / "man/mj-gone.1").touch()
    gen.main([], root=checkout, tree=toy_tree)
    assert "removed: man/mj-gone.1" in capsys.readouterr().err
    assert not (checkout / "man/mj-gone.1").exists()


def test_the_tables_of_the_readme_are_made_anew_and_the_rest_stays(checkout, toy_tree):
    readme = checkout / "README.md"
    readme.write_text(README, encoding="utf-8")
    gen.main([], root=checkout, tree=toy_tree)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(
        "# Title\n\n<!-- generated: exit-status -->\n| status | meaning |\n|---|---|\n| 0 | Done. |\n"
    )
    assert "old" not in text
    assert "| `mj draw [PROMPT...]` | Draw something. |\n| `mj act ACTION IMAGE` |" in text
    assert "| `mj door close FILE` | Close it. |\n<!-- end generated -->\n" in text
    assert "<!-- generated: something-else -->\nstays\n<!-- end generated -->\n" in text
    readme.write_text(text.replace("Close it", "Slam it"), encoding="utf-8")
    assert gen.main(["--check"], root=checkout, tree=toy_tree) == 1


def test_outside_a_checkout_it_says_so(tmp_path, toy_tree, capsys):
    assert gen.main([], root=tmp_path, tree=toy_tree) == 2
    assert "is no checkout of the repository" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_arguments_are_refused(capsys):
    assert gen.main(["--chek"]) == 2
    assert capsys.readouterr().err == "Usage: python -m mjcli.gen [--check]\n"

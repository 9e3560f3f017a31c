"""What a user installs: the built wheel is opened and looked into."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mjcli.app import COMMANDS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the wheel, by its name without the version's directory."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name.split(".data/", 1)[-1]: archive.read(name) for name in archive.namelist()}


def test_it_holds_a_man_page_for_the_program_and_for_each_command(names: dict[str, bytes]) -> None:
    pages = {"mj.1", *(f"mj-{command}.1" for command in COMMANDS)}
    assert {f"data/share/man/man1/{page}" for page in pages} <= names.keys()


@pytest.mark.parametrize(
    "place",
    [
        "share/bash-completion/completions/mj",
        "share/zsh/site-functions/_mj",
        "share/fish/vendor_completions.d/mj.fish",
        "share/mj/mj.ps1",
    ],
)
def test_it_puts_the_completion_where_the_shell_looks(names: dict[str, bytes], place: str) -> None:
    assert b"mj" in names[f"data/{place}"]


def test_its_program_gets_the_environments_own_python(names: dict[str, bytes]) -> None:
    assert names["scripts/mj"].startswith(b"#!python\n")


def test_it_is_typed_and_holds_the_reference_that_help_is_printed_from(names: dict[str, bytes]) -> None:
    assert {"mjcli/py.typed", "mjcli/reference/commands.json"} <= names.keys()


def test_it_holds_no_tests(names: dict[str, bytes]) -> None:
    assert not [name for name in names if name.startswith("tests/")]

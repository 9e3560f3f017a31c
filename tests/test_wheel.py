"""The contents of the built wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mjcli.cli.app import COMMANDS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the wheel by name, without the versioned directory."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
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


def test_it_contains_a_man_page_for_the_program_and_each_command(names: dict[str, bytes]) -> None:
    pages = {"mj.1", *(f"mj-{command}.1" for command in COMMANDS)}
    assert {f"data/share/man/man1/{page}" for page in pages} <= names.keys()


@pytest.mark.parametrize(
    "place",
    [
        "share/bash-completion/completions/mj",
        "share/zsh/site-functions/_mj",
        "share/fish/vendor_completions.d/mj.fish",
        "share/bash-completion/completions/mjcli",
        "share/fish/vendor_completions.d/mjcli.fish",
        "share/mj/mj.ps1",
    ],
)
def test_completion_scripts_are_where_the_shells_search(names: dict[str, bytes], place: str) -> None:
    assert b"mj" in names[f"data/{place}"]


def test_mj_and_mjcli_are_entry_points_so_that_both_exist_on_windows(names: dict[str, bytes]) -> None:
    (entry_points,) = [data for name, data in names.items() if name.endswith("/entry_points.txt")]
    assert b"mj = mjcli.__main__:main" in entry_points
    assert b"mjcli = mjcli.__main__:main" in entry_points


def test_it_contains_the_type_marker_and_the_help_data(names: dict[str, bytes]) -> None:
    assert {"mjcli/py.typed", "mjcli/cli/help/commands.json"} <= names.keys()


def test_it_contains_no_tests(names: dict[str, bytes]) -> None:
    assert not [name for name in names if name.startswith("tests/")]

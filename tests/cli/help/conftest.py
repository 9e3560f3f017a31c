"""The command trees of the tests, and the completion scripts rendered from them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from mjcli.cli.app import root
from mjcli.cli.from_typer import describe
from mjcli.cli.help.completion.scripts import FILE_NAMES, SHELLS, render_completion
from mjcli.cli.help.data import Tree
from mjcli.jobs.ledger import Ledger
from tests.support import toy

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def live_tree() -> Tree:
    """The commands of the code, not those of `commands.json`."""
    return describe(root())


@pytest.fixture(scope="session")
def toy_tree() -> Tree:
    return toy.tree()


@pytest.fixture(scope="session")
def scripts(live_tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the completion scripts of the live tree."""
    return _written(live_tree, tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="session")
def toy_scripts(toy_tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(toy_tree, tmp_path_factory.mktemp("toy"))


def _written(tree: Tree, directory: Path) -> Path:
    for shell in SHELLS:
        (directory / FILE_NAMES[shell]).write_text(render_completion(shell, tree), encoding="utf-8")
    return directory


@pytest.fixture
def tool():
    """A function that returns the path of a program, and skips the test if it is not installed."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def trap_directory(tmp_path: Path) -> Path:
    """A directory for PATH with only an `mj` that creates a file when it runs.

    The file is `mark`, or `asked` if it is run to print words of the ledger or the config file.
    """
    return _with_program(
        tmp_path, f"case $1 in --complete) : > {tmp_path}/asked ;; *) : > {tmp_path}/mark ;; esac"
    )


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A directory for PATH with only `mj` and `mjcli`, which have a few jobs and profiles."""
    ledger = Ledger.open(tmp_path / "data" / "ledger.db", notice=pytest.fail)
    for image, profile, subject in (
        ("111222", "default", "a cat"),
        (
            "333444",
            "default",
            f"a:b\\n %F{{red}} 'q' \"r\"; $(touch {tmp_path}/pwned) `touch {tmp_path}/pwned`",
        ),
        ("555666", "work", "a dog"),
    ):
        uuid = ledger.record(
            profile=profile,
            host="https://api.example",
            kind="imagine",
            path="/midjourney/imagine",
            request={"prompt": subject},
            files_asked=None,
            parent_image=None,
            subject=subject,
        )
        ledger.mark_done(uuid, {"image_id": image}, image_id=image)
    ledger.close()
    (tmp_path / "config.toml").write_text(
        f"""[profiles.work]\nbase_url = "https://api.example"\n[profiles."it's $(touch {tmp_path}/pwned)"]\n"""
        '[presets.poster]\nsuffix = "--ar 2:3"\n'
    )
    directory = _with_program(
        tmp_path,
        f"export PYTHONPATH={REPOSITORY} MJ_DATA_DIR={tmp_path}/data MJ_CONFIG={tmp_path}/config.toml\n"
        f'exec {sys.executable} -m mjcli "$@"',
    )
    (directory / "mjcli").symlink_to("mj")
    return directory


def _with_program(tmp_path: Path, script: str) -> Path:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "mj").write_text(f"#!/bin/sh\n{script}\n")
    (directory / "mj").chmod(0o755)
    return directory

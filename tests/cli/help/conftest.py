"""The command trees of the tests, and the completion scripts rendered from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mjcli.cli.app import root
from mjcli.cli.from_typer import describe
from mjcli.cli.help.completion.scripts import FILE_NAMES, SHELLS, render_completion
from mjcli.cli.help.data import Tree
from tests.support import toy


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
    """A directory for PATH with only an `mj` that creates a file when it runs."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "mj").write_text(f"#!/bin/sh\n: > {tmp_path}/mark\n")
    (directory / "mj").chmod(0o755)
    return directory

"""The Python examples of the README run as printed and cover every request of the client."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mjcli.api.client import Client
from mjcli.sandbox import Sandbox, SandboxOptions

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
#: Methods that are not requests themselves.
NOT_REQUESTS = {"close", "prepare", "wait", "stream"}


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("block", BLOCKS)
def test_each_example_is_valid_python(block: str) -> None:
    ast.parse(block)


def test_each_request_of_the_client_has_an_example() -> None:
    methods = {
        name
        for name, _ in inspect.getmembers(Client, inspect.isfunction)
        if not name.startswith("_") and name not in NOT_REQUESTS
    }
    shown = {node.attr for node in ast.walk(ast.parse("\n".join(BLOCKS))) if isinstance(node, ast.Attribute)}
    assert not methods - shown


@pytest.mark.slow
def test_the_examples_run_in_order(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "sandbox.db", SandboxOptions(seconds=0.1, seed=1)) as sandbox:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", "\n".join(BLOCKS)],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(README.parent),
                "MJ_TOKEN": "sandbox",
                "MJ_BASE_URL": sandbox.base_url,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout


def test_no_command_has_a_comment_behind_it() -> None:
    # An interactive zsh would take it for more words, of a paid prompt for example.
    blocks = re.findall(r"^```sh\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    assert lines
    assert not [line for line in lines if re.search(r"\S\s+# ", line)]

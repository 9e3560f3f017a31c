"""Windows on a machine that is not: the program in Windows' own Python, under Wine.

MJ_WINDOWS_PYTHON is the path of a python.exe whose directory has the program's dependencies; `.ci/run` makes
one. Windows sees the whole file system as the drive Z.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from tests.support.program import Result

ROOT = Path(__file__).parents[2]
VARIABLE = "MJ_WINDOWS_PYTHON"
PASSED_ON = ("PATH", "USER", "LOGNAME", "XDG_RUNTIME_DIR")


def seen_by_windows(path: Path) -> PureWindowsPath:
    """The same path for a program of Windows."""
    return PureWindowsPath("Z:\\", *path.parts[1:])


def windows_python() -> Path:
    """The python.exe to use; without one the test is skipped, but on a CI machine it fails."""
    chosen = os.environ.get(VARIABLE, "")
    if not chosen:
        problem = f"{VARIABLE} is not set"
    elif not Path(chosen).is_file():
        problem = f"{chosen} does not exist"
    elif shutil.which("wine") is None:
        problem = "Wine is not installed"
    else:
        return Path(chosen).resolve()
    if chosen or os.environ.get("CI"):
        pytest.fail(f"Windows cannot be tested: {problem}")
    pytest.skip(f"Windows cannot be tested: {problem}")


def wine_environment(python: Path) -> dict[str, str]:
    """The environment of Wine itself."""
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "WINEPREFIX": str(python.parent / "prefix"),
        "WINEDEBUG": "-all",
        "LC_ALL": "C.UTF-8",  # the encoding in which Wine receives arguments
    }


@contextmanager
def started_wine(python: Path) -> Iterator[None]:
    """Keep Wine's own services running.

    Otherwise the first program would start them with its own pipes, whose ends would then stay open.
    """
    environment, nowhere = wine_environment(python), subprocess.DEVNULL
    subprocess.run(["wineboot"], env=environment, stdin=nowhere, stdout=nowhere, stderr=nowhere, timeout=300)
    streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = ["wine", str(python), "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, env=environment, **streams) as keeper:
        yield
        keeper.communicate(timeout=60)


class Windows:
    """Runs Windows programs, `mj` first of all, in a directory of the test."""

    def __init__(self, python: Path, home: Path) -> None:
        self.python, self.home = python, home
        self.cwd = home / "work"
        self.cwd.mkdir(parents=True)
        self.data = home / "data"
        self.env = {
            **wine_environment(python),
            "HOME": str(home),
            "PYTHONPATH": str(seen_by_windows(ROOT)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "error",
            "MJ_CONFIG": str(seen_by_windows(home / "config" / "config.toml")),
            "MJ_DATA_DIR": str(seen_by_windows(self.data)),
        }

    def start(self, *arguments: object, **popen: Any) -> subprocess.Popen[bytes]:
        """Start Python with these arguments. Wine needs pipes: it cannot use files as standard streams."""
        streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            ["wine", str(self.python), *map(str, arguments)],
            **{**streams, "env": self.env, "cwd": self.cwd, **popen},
        )

    def run(
        self,
        *arguments: object,
        stdin: bytes = b"",
        check: int | None = 0,
        timeout: float = 120,
        **popen: Any,
    ) -> Result:
        """Run Python to completion; `check` is the expected exit status (None: any)."""
        with self.start(*arguments, **popen) as process:
            try:
                out, err = process.communicate(stdin, timeout)
            finally:
                process.kill()
        result = Result(process.returncode, out, err)
        if check is not None:
            assert result.status == check, f"status {result.status}\nout: {out!r}\nerr: {err!r}"
        return result

    def __call__(self, *arguments: object, **options: Any) -> Result:
        """Run `mj` to completion, as `run` does."""
        result = self.run("-m", "mjcli", *arguments, **options)
        assert b"Traceback" not in result.stderr, result.err
        return result

    @contextmanager
    def running(self, *arguments: object, **popen: Any) -> Iterator[subprocess.Popen[bytes]]:
        """A running `mj`, killed on exit from the block."""
        process = self.start("-m", "mjcli", *arguments, **popen)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

"""Run the real program: in a fork of a warm interpreter, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import pauses
from tests.support.forkserver import ForkServer


@dataclass
class Result:
    """The exit status, standard output and standard error of one run."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    @property
    def json(self) -> list[Any]:
        """Each line of standard output, parsed as JSON."""
        return [json.loads(line) for line in self.stdout.split(b"\n") if line]

    @property
    def answer(self) -> Any:
        """The only JSON line of standard output."""
        (document,) = self.json
        return document


class Mj:
    """Runs `mj` with an empty home directory and none of the settings of the person who runs the tests."""

    def __init__(self, home: Path, forks: ForkServer) -> None:
        self.home = home
        #: See `tests.support.pauses`. `running` and `run_after` always have the real pauses.
        self.pauses = pauses.SHORT
        self._forks = forks
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "MJ_CONFIG": str(home / "config" / "config.toml"),
            "MJ_DATA_DIR": str(home / "data"),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONWARNINGS": "error",
        }
        # Read when an interpreter starts; a run with other values needs a new interpreter.
        self._starting = {
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": self.env["PYTHONPATH"],
            "PYTHONWARNINGS": "error",
        }
        self.cwd = home / "work"
        self.cwd.mkdir()

    def command(self, *arguments: object) -> list[str]:
        paced = ["tests.support.paced", json.dumps(dict(self.pauses))]
        return [sys.executable, "-m", *(paced if self.pauses else ["mjcli"]), *map(str, arguments)]

    def environment(self, env: dict[str, str | None] | None = None) -> dict[str, str]:
        """The environment of the program; None removes a variable."""
        merged = {**self.env, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def start(
        self, *arguments: object, env: dict[str, str | None] | None = None, **popen: Any
    ) -> subprocess.Popen[bytes]:
        """Start the program as a separate process with its streams piped."""
        pipes: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return subprocess.Popen(
            self.command(*arguments), env=self.environment(env), cwd=self.cwd, **{**pipes, **popen}
        )

    def _run(
        self, words: list[str | bytes], world: dict[str, str], data: bytes | None, timeout: float
    ) -> Result:
        starting = {
            name: value for name, value in world.items() if name.startswith(("PYTHON", "LC_", "LANG"))
        }
        texts = [each for each in words if isinstance(each, str)]
        if starting == self._starting and len(texts) == len(words):
            return Result(*self._forks.run(texts, world, self.cwd, data, timeout, self.pauses))
        done = subprocess.run(
            [sys.executable, "-m", "mjcli", *words],
            env=world,
            cwd=self.cwd,
            capture_output=True,
            timeout=timeout,
            **({"input": data} if data is not None else {"stdin": subprocess.DEVNULL}),  # type: ignore[call-overload]
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def __call__(
        self,
        *arguments: object,
        stdin: str | bytes | None = None,
        env: dict[str, str | None] | None = None,
        check: int | None = 0,
        timeout: float = 60,
    ) -> Result:
        """Run to completion; `check` is the expected exit status (None: any)."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        world = self.environment(env)
        words = [each if isinstance(each, bytes) else str(each) for each in arguments]
        result = self._run(words, world, data, timeout)
        if check is not None:
            assert result.status == check, f"status {result.status}\nout: {result.out}\nerr: {result.err}"
        assert b"Traceback" not in result.stderr
        assert b"secret-token" not in result.stdout + result.stderr
        return result


# Drops the capabilities by which root ignores file modes.
UNPRIVILEGED = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):
        sys.exit("prctl")
os.execv(sys.executable, [sys.executable, "-m", "mjcli", *sys.argv[1:]])
"""

# Limits the size of files, as a full disk would.
SMALL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
os.execv(sys.executable, [sys.executable, "-m", "mjcli", *sys.argv[1:]])
"""


# Runs on a small file system of its own that holds a copy of the data directory and is then filled.
FULL_FILE_SYSTEM = """
import ctypes, os, pathlib, sys
data, libc = pathlib.Path(os.environ["MJ_DATA_DIR"]), ctypes.CDLL(None)
kept = {path.name: path.read_bytes() for path in data.iterdir() if not path.name.endswith("-shm")}
if libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None):  # private mounts
    sys.exit(77)
if libc.mount(b"none", os.fsencode(data), b"tmpfs", 0, b"size=1m"):
    sys.exit(77)
for name, content in kept.items():
    (data / name).write_bytes(content)
with open(data / "fill", "ab", buffering=0) as file:
    size = 65536
    while size:
        try:
            file.write(b"x" * size)
        except OSError:
            size //= 2
os.execv(sys.executable, [sys.executable, "-m", "mjcli", *sys.argv[1:]])
"""


def run_after(mj: Mj, before: str, *arguments: object) -> Result:
    """Run the program to completion from a Python script that first changes its limits or its modules."""
    done = subprocess.run(
        [sys.executable, "-c", before, *map(str, arguments)],
        env=mj.environment(),
        cwd=mj.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert b"Traceback" not in done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def files(mj: Mj) -> list[str]:
    """Every file below the working directory, including hidden ones."""
    return sorted(str(path.relative_to(mj.cwd)) for path in mj.cwd.rglob("*") if not path.is_dir())


# Shifts the wall clock that the program reads by CLOCK_CHANGE seconds once the file CLOCK_MARK exists.
SET_CLOCK = """
import os, sys, time
real, change, mark = time.time, float(os.environ["CLOCK_CHANGE"]), os.environ["CLOCK_MARK"]
time.time = lambda: real() + (change if os.path.exists(mark) else 0)
from mjcli.__main__ import main
sys.exit(main())
"""

SOON = 15.0  # seconds in which a stopped program must exit, even on a busy machine

# Resets signals: a background job starts with some of them ignored, and the program keeps those ignored.
BEGIN = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
for number in map(int, filter(None, sys.argv[1].split(","))):
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "mjcli", *sys.argv[2:]])
"""


@contextmanager
def running(mj: Mj, *arguments: object, ignored: str = "", **popen: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A running program with default signal handling; killed on exit from the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, ignored, *map(str, arguments)],
        env=mj.environment(),
        cwd=mj.cwd,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_exit(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Wait for a program that must exit soon; its exit status, standard output and standard error."""
    out, err = process.communicate(timeout=SOON)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def next_command(text: str) -> str:
    """The command that a message suggests to type next."""
    (line,) = [line for line in text.splitlines() if line.startswith("  next: ")]
    return line.partition(": ")[2]

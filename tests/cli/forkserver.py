"""Runs the program's real `main` in forks of an interpreter that has imported it already.

A fresh interpreter takes ten times as long to start as most tests take to run. What depends on the
interpreter's own start (locale, warnings, signals, a terminal) is tested with processes of its own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]


class ForkServer:
    """The parent's end. One request at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.forkserver", str(theirs.fileno())],
            env=env,
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours
        self._answers = ours.makefile("rb")

    def close(self) -> None:
        """End the server."""
        self._answers.close()
        self._socket.close()
        self._process.wait(10)

    def run(
        self, arguments: list[str], env: dict[str, str], cwd: Path, stdin: bytes | None, timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Exit status, standard output and standard error of `main(arguments)` in that world."""
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin or b"")
            given.seek(0)
            data = json.dumps({"arguments": arguments, "env": env, "cwd": str(cwd)}).encode()
            socket.send_fds(
                self._socket, [b"%12d" % len(data)], [each.fileno() for each in (given, out, err)]
            )
            self._socket.sendall(data)
            pid = int(self._answers.readline())
            self._socket.settimeout(timeout)
            try:
                status = int(self._answers.readline())
            except TimeoutError:
                os.kill(pid, 9)
                self._socket.settimeout(None)
                # A file that has timed out once reads no more; the next test needs one that does.
                self._answers = self._socket.makefile("rb")
                self._answers.readline()
                raise AssertionError(f"mj {arguments} did not end in {timeout} s") from None
            finally:
                self._socket.settimeout(None)
            return status, _whole(out), _whole(err)


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _serve(connection: socket.socket) -> None:
    while True:
        header, fds, _flags, _address = socket.recv_fds(connection, 12, 3)
        if not header:
            return
        data = b""
        while len(data) < int(header):
            data += connection.recv(int(header) - len(data))
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(json.loads(data), fds)
        for fd in fds:
            os.close(fd)
        connection.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(request: dict[str, Any], fds: list[int]) -> None:
    from mjcli.__main__ import main

    status = 70
    try:
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
            os.close(fd)
        os.environ.clear()
        os.environ.update(request["env"])
        time.tzset()
        os.chdir(request["cwd"])
        sys.argv = ["mj", *request["arguments"]]
        status = main(request["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _preload() -> None:
    import importlib

    from mjcli.app import COMMANDS

    for module in (*(f"mjcli.commands.{name}" for name in COMMANDS.values()), *_LATER):
        importlib.import_module(module)


_LATER = (
    "mjcli.api.client",
    "mjcli.delivery",
    "mjcli.downloads",
    "mjcli.jobs",
    "mjcli.references",
    "mjcli.config",
)

if __name__ == "__main__":
    _preload()
    _serve(socket.socket(fileno=int(sys.argv[1])))

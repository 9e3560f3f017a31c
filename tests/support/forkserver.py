"""Runs the program's real `main` in forks of an interpreter that has already imported it.

A fresh interpreter takes ten times as long to start as most tests take to run. What depends on the
interpreter's own start (locale, warnings, signals, a terminal) is tested with separate processes.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from tests.support import pauses

ROOT = Path(__file__).parents[2]


class ForkServer:
    """The client end. Handles one run at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forkserver", str(theirs.fileno())],
            env=env,
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours
        self._replies = ours.makefile("rb")

    def close(self) -> None:
        """Stop the server."""
        self._replies.close()
        self._socket.close()
        self._process.wait(10)

    def run(
        self,
        arguments: list[str],
        env: dict[str, str],
        cwd: Path,
        stdin: bytes | None,
        timeout: float,
        short: Mapping[str, pauses.Value],
    ) -> tuple[int, bytes, bytes]:
        """Run `main(arguments)` and return its exit status, standard output and standard error."""
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin or b"")
            given.seek(0)
            request = {"arguments": arguments, "env": env, "cwd": str(cwd), "pauses": dict(short)}
            data = json.dumps(request).encode()
            socket.send_fds(
                self._socket, [b"%12d" % len(data)], [each.fileno() for each in (given, out, err)]
            )
            self._socket.sendall(data)
            pid = int(self._replies.readline())
            self._socket.settimeout(timeout)
            try:
                status = int(self._replies.readline())
            except TimeoutError:
                os.kill(pid, 9)
                self._socket.settimeout(None)
                # A file object that has timed out cannot be read again; the next test needs a new one.
                self._replies = self._socket.makefile("rb")
                self._replies.readline()
                raise AssertionError(f"mj {arguments} did not end in {timeout} s") from None
            finally:
                self._socket.settimeout(None)
            return status, _read(out), _read(err)


def _read(file: IO[bytes]) -> bytes:
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
            _run(json.loads(data), fds)
        for fd in fds:
            os.close(fd)
        connection.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _run(request: dict[str, Any], fds: list[int]) -> None:
    """Turn this fork into a run of the program; does not return."""
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
        pauses.apply(request["pauses"])
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
    """Import the whole program and what it imports late."""
    import mjcli

    for module in pkgutil.walk_packages(mjcli.__path__, "mjcli."):
        importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    gc.freeze()  # collections in the forks leave the shared memory alone


#: What the program and its libraries import inside functions; a module that is missing here only costs time.
_LATE = (
    "certifi",
    "encodings.idna",
    "h11",
    "httpcore._backends.auto",
    "httpx",
    "importlib.resources",
    "platformdirs",
    "sqlite3",
    "stringprep",
    "tomlkit",
    "tomllib",
)

if __name__ == "__main__":
    pauses.install()
    _preload()
    _serve(socket.socket(fileno=int(sys.argv[1])))

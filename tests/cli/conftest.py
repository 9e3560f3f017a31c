"""The real program as a subprocess, in a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.forkserver import ForkServer
from tests.service import Service


@dataclass
class Result:
    """What a run of `mj` left: exit status, standard output and standard error as bytes and text."""

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
        """Each line of standard output, read as JSON."""
        return [json.loads(line) for line in self.stdout.split(b"\n") if line]

    @property
    def answer(self) -> Any:
        """The one JSON object that was answered."""
        (document,) = self.json
        return document


class Mj:
    """Runs `mj` with an empty home and none of the tester's settings."""

    def __init__(self, home: Path, forks: ForkServer) -> None:
        self.home = home
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
        # What an interpreter reads when it starts: a run that wants it otherwise gets one of its own.
        self._starting = {
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": self.env["PYTHONPATH"],
            "PYTHONWARNINGS": "error",
        }
        self.cwd = home / "work"
        self.cwd.mkdir()

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "mjcli", *map(str, arguments)]

    def environment(self, env: dict[str, str | None] | None = None) -> dict[str, str]:
        """The program's environment; None takes a variable away."""
        merged = {**self.env, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def start(
        self, *arguments: object, env: dict[str, str | None] | None = None, **popen: Any
    ) -> subprocess.Popen[bytes]:
        """The program running, its streams piped."""
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
            return Result(*self._forks.run(texts, world, self.cwd, data, timeout))
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
        """Run to the end; `check` is the exit status that must come out (None: any)."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        world = self.environment(env)
        words = [each if isinstance(each, bytes) else str(each) for each in arguments]
        result = self._run(words, world, data, timeout)
        if check is not None:
            assert result.status == check, f"status {result.status}\nout: {result.out}\nerr: {result.err}"
        assert b"Traceback" not in result.stderr
        assert b"secret-token" not in result.stdout + result.stderr
        return result


@pytest.fixture
def online(mj: Mj, service: Service) -> Iterator[Mj]:
    """The program with a token and the scripted service as its API; no file but the config may hold the token."""
    mj.env |= {"MJ_TOKEN": "secret-token", "MJ_BASE_URL": service.base_url}
    yield mj
    leaked = [
        path
        for path in mj.home.rglob("*")
        if path != Path(mj.env["MJ_CONFIG"]) and path.is_file() and b"secret-token" in path.read_bytes()
    ]
    assert not leaked, f"the token stands in {leaked}"


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    """An interpreter that has the program imported and forks for each run."""
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def mj(tmp_path: Path, forks: ForkServer) -> Mj:
    """The program, isolated in this test's own directory."""
    home = tmp_path / "home"
    home.mkdir()
    return Mj(home, forks)


def certificate_for(directory: Path, name: str) -> tuple[Path, Path]:
    """The files of a key and of a certificate for `name` (`IP:127.0.0.1`, `DNS:host`) that nobody has signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    request = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    request += ["-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(request, check=True, capture_output=True)
    return key, certificate


class FarAway:
    """An API that is not on this machine, to all appearances: a proxy stands for its host and answers for it.

    `env` is the environment that leads there; `received` the requests that came through the tunnel.
    """

    HOST = "api.example.invalid"

    def __init__(self, listener: socket.socket, context: ssl.SSLContext, certificate: Path) -> None:
        self._listener, self._context = listener, context
        self._body = b""
        self.received: list[bytes] = []
        self.env: dict[str, str | None] = {
            "MJ_BASE_URL": f"https://{self.HOST}",
            "HTTPS_PROXY": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "SSL_CERT_FILE": str(certificate),
        }
        threading.Thread(target=self._accept, daemon=True).start()

    def answer(self, document: Any) -> None:
        """Answer every request with this JSON value."""
        self._body = json.dumps(document).encode()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536)
        assert asked.startswith(f"CONNECT {self.HOST}:443 ".encode())
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with self._context.wrap_socket(connection, server_side=True) as secure:
            request = secure.recv(65536)
            while not request.endswith(b"}"):
                request += secure.recv(65536)
            self.received.append(request)
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
            secure.sendall(head % len(self._body) + self._body)


@pytest.fixture
def far_away(tmp_path: Path) -> Iterator[FarAway]:
    """An API elsewhere, behind a proxy."""
    key, certificate = certificate_for(tmp_path, f"DNS:{FarAway.HOST}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield FarAway(listener, context, certificate)
        with contextlib.suppress(OSError):  # ends the wait for a connection, where the system allows it
            listener.shutdown(socket.SHUT_RDWR)

"""Fixtures of the sandbox tests."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mjcli.sandbox import Sandbox, SandboxOptions
from tests.support.sandbox import Client, Receiver


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """A function that starts a sandbox with the given options; all share a database."""
    started: list[Sandbox] = []

    def start(**options: Any) -> Client:
        settings = SandboxOptions(**{"seconds": 0.05, "seed": 1, **options})
        sandbox = Sandbox(tmp_path / "state" / "sandbox.db", settings)
        started.append(sandbox)
        sandbox.start()
        return Client(sandbox)

    yield start
    for sandbox in started:
        sandbox.close()


@pytest.fixture
def let_pass(tmp_path: Path) -> Callable[[float], None]:
    """A function that makes every job so many seconds older, instead of waiting for it."""

    def make_older(seconds: float) -> None:
        with (
            closing(sqlite3.connect(tmp_path / "state" / "sandbox.db", timeout=10)) as connection,
            connection,
        ):
            connection.execute(
                "UPDATE jobs SET created_at = created_at - ?, callback_due = callback_due - ?",
                (seconds, seconds),
            )

    return make_older


@pytest.fixture
def client(run: Callable[..., Client]) -> Client:
    return run()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    received: list[Any] = []
    changed = threading.Condition()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with changed:  # before the response: after it, the next callback may arrive in another thread
                received.append(json.loads(body))
                changed.notify_all()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # all callbacks at the same time; a full queue would delay or refuse some

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook?x=1", received, changed)
    server.shutdown()
    server.server_close()
    thread.join()

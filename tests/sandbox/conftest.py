from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mjcli.sandbox import Sandbox, SandboxOptions

NDJSON = {"accept": "application/x-ndjson"}


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        *lines, rest = self.body.split(b"\r\n")
        assert rest == b""
        return [json.loads(line) for line in lines]


@dataclass
class Client:
    """Speaks to one sandbox over real sockets."""

    sandbox: Sandbox

    def send(self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        parts = urlsplit(self.sandbox.base_url)
        path = url.removeprefix(self.sandbox.base_url)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, name: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
        return self.send("POST", f"/midjourney/{name}", body, headers)

    def get(self, url: str, headers: dict[str, str] | None = None) -> Answer:
        return self.send("GET", url, None, headers)

    def imagine(self, prompt: str = "a cat", **fields: Any) -> Any:
        answer = self.post("imagine", {"prompt": prompt, **fields})
        assert answer.status == 200, answer.body
        return answer.json

    def action(self, action: str, image_id: str, **fields: Any) -> Any:
        answer = self.post("imagine", {"action": action, "image_id": image_id, **fields})
        assert answer.status == 200, answer.body
        return answer.json

    def task(self, task_id: str) -> Any:
        return self.post("tasks", {"action": "retrieve", "id": task_id}).json

    def ended_task(self, task_id: str) -> Any:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            record = self.task(task_id)
            if "finished_at" in record:
                return record
            threading.Event().wait(0.01)
        raise AssertionError(f"task {task_id} did not end")

    def send_raw(self, data: bytes) -> bytes:
        """Everything the server says to these bytes until it closes the connection."""
        parts = urlsplit(self.sandbox.base_url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
            connection.sendall(data)
            pieces = []
            while piece := connection.recv(65536):
                pieces.append(piece)
            return b"".join(pieces)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts sandboxes, all on the same database, with options given by name."""
    started: list[Sandbox] = []

    def start(**options: Any) -> Client:
        chosen = SandboxOptions(**{"seconds": 0.05, "seed": 1, **options})
        sandbox = Sandbox(tmp_path / "state" / "sandbox.db", chosen)
        started.append(sandbox)
        sandbox.start()
        return Client(sandbox)

    yield start
    for sandbox in started:
        sandbox.close()


@pytest.fixture
def client(run: Callable[..., Client]) -> Client:
    return run()


@dataclass
class Receiver:
    """Takes callbacks in."""

    url: str
    received: list[Any]
    changed: threading.Condition

    def wait_for(self, count: int) -> list[Any]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, 10), self.received
            return list(self.received)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    received: list[Any] = []
    changed = threading.Condition()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with changed:  # before the answer, after which the next one may come in another thread
                received.append(json.loads(body))
                changed.notify_all()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook?x=1", received, changed)
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Decoded:
    """A PNG file of 8-bit red, green, blue, taken apart."""

    width: int
    height: int
    rows: list[bytes]

    def pixel(self, x: int, y: int) -> bytes:
        return self.rows[y][3 * x : 3 * x + 3]

    def part(self, left: int, top: int, width: int, height: int) -> list[bytes]:
        return [row[3 * left : 3 * (left + width)] for row in self.rows[top : top + height]]

    def every_second(self) -> list[bytes]:
        return [b"".join(row[i : i + 3] for i in range(0, len(row), 6)) for row in self.rows[::2]]


def decode_png(data: bytes) -> Decoded:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: list[tuple[bytes, bytes]] = []
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + content)
        chunks.append((kind, content))
        at += 12 + length
    assert chunks[0][0] == b"IHDR"
    assert chunks[-1] == (b"IEND", b"")
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    assert rest == [8, 2, 0, 0, 0]
    raw = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    stride = 3 * width + 1
    assert len(raw) == stride * height
    assert {raw[i] for i in range(0, len(raw), stride)} == {0}
    return Decoded(width, height, [raw[i + 1 : i + stride] for i in range(0, len(raw), stride)])

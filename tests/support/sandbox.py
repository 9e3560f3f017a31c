"""A client of the sandbox, a receiver for its callbacks, and a reader for its images."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mjcli.sandbox import Sandbox

NDJSON = {"accept": "application/x-ndjson"}


@dataclass
class Response:
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
    """A client of one sandbox, over real sockets."""

    sandbox: Sandbox

    def send(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        parts = urlsplit(self.sandbox.base_url)
        path = url.removeprefix(self.sandbox.base_url)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, name: str, body: Any, headers: dict[str, str] | None = None) -> Response:
        return self.send("POST", f"/midjourney/{name}", body, headers)

    def get(self, url: str, headers: dict[str, str] | None = None) -> Response:
        return self.send("GET", url, None, headers)

    def imagine(self, prompt: str = "a cat", **fields: Any) -> Any:
        response = self.post("imagine", {"prompt": prompt, **fields})
        assert response.status == 200, response.body
        return response.json

    def action(self, action: str, image_id: str, **fields: Any) -> Any:
        response = self.post("imagine", {"action": action, "image_id": image_id, **fields})
        assert response.status == 200, response.body
        return response.json

    def task(self, task_id: str) -> Any:
        return self.post("tasks", {"action": "retrieve", "id": task_id}).json

    def ended_task(self, task_id: str) -> Any:
        """The record of a task once it has ended."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            record = self.task(task_id)
            if "finished_at" in record:
                return record
            threading.Event().wait(0.01)
        raise AssertionError(f"task {task_id} did not end")

    def send_raw(self, data: bytes) -> bytes:
        """Send bytes; returns everything received until the server closes the connection."""
        parts = urlsplit(self.sandbox.base_url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
            connection.sendall(data)
            pieces = []
            while piece := connection.recv(65536):
                pieces.append(piece)
            return b"".join(pieces)


@dataclass
class Receiver:
    """A receiver of callbacks."""

    url: str
    received: list[Any]
    changed: threading.Condition

    def wait_for(self, count: int) -> list[Any]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, 10), self.received
            return list(self.received)


@dataclass
class Decoded:
    """The pixels of a PNG file with 8-bit red, green and blue."""

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

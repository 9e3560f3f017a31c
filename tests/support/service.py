"""A scripted stand-in for the service on a real loopback socket.

It does not know the API (the sandbox does): each test scripts every response byte by byte, faults included.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

FIXTURES = Path(__file__).parents[1] / "fixtures"


def fixture(name: str) -> Any:
    """A recorded payload of the service, parsed."""
    return json.loads((FIXTURES / name).read_bytes())


def fixture_lines(name: str) -> list[bytes]:
    """The lines of a recorded stream of the service, without line endings."""
    return [line for line in (FIXTURES / name).read_bytes().split(b"\r\n") if line.strip()]


@dataclass
class Received:
    """A received request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    data: bytes
    port: int = 0  # of the client; a new port means a new connection

    @property
    def body(self) -> Any:
        return json.loads(self.data)


class Reply:
    """The response of a script: complete, in pieces, or none."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self._chunked = False

    def head(
        self, status: int = 200, headers: dict[str, str] | None = None, *, length: int | None = None
    ) -> None:
        """Send the status and headers; without a length the body is chunked."""
        self._handler.send_response(status)
        for name, value in (headers or {}).items():
            self._handler.send_header(name, value)
        self._chunked = length is None
        if length is None:
            self._handler.send_header("transfer-encoding", "chunked")
        else:
            self._handler.send_header("content-length", str(length))
        self._handler.end_headers()

    def send(self, data: bytes) -> None:
        """Send a piece of the body and flush it."""
        if self._chunked:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def end(self) -> None:
        """Terminate a chunked body."""
        if self._chunked:
            self._handler.wfile.write(b"0\r\n\r\n")
            self._handler.wfile.flush()

    def whole(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a complete response."""
        self.head(status, headers, length=len(data))
        self._handler.wfile.write(data)

    def json(self, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a complete JSON response."""
        self.whole(
            json.dumps(document).encode(), status, {"content-type": "application/json", **(headers or {})}
        )

    def stream(
        self, lines: Iterable[bytes | dict[str, Any]], *, ending: bytes = b"\r\n", end: bool = True
    ) -> None:
        """Send NDJSON, one chunk per line; `end=False` omits the terminating chunk and closes the connection."""
        self.head(200, {"content-type": "application/x-ndjson"})
        for line in lines:
            self.send((line if isinstance(line, bytes) else json.dumps(line).encode()) + ending)
        if end:
            self.end()
        else:
            self.close()

    def raw(self, data: bytes) -> None:
        """Write bytes directly to the socket."""
        self._handler.connection.sendall(data)

    def close(self) -> None:
        """Close the connection in an orderly way (FIN)."""
        self._handler.close_connection = True
        try:
            self._handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def reset(self) -> None:
        """Reset the connection (RST)."""
        self._handler.close_connection = True
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.connection.close()


Script = Callable[[Received, Reply], None]


def task_record(
    task_id: str, request: dict[str, Any], response: dict[str, Any] | None, **more: Any
) -> dict[str, Any]:
    """A task record as the tasks endpoint returns it; without a response the task is still running."""
    record: dict[str, Any] = {
        "id": task_id,
        "type": "imagine",
        "request": request,
        "created_at": time.time(),
        "trace_id": f"trace-{task_id}",
    }
    if response is not None:
        record |= {"response": response, "finished_at": time.time(), "duration": 1.0}
    return {**record, **more}


@dataclass
class Service:
    """The server. `scripts[path]` handles POSTs to a path; of a list, the last script is used repeatedly."""

    base_url: str
    scripts: dict[str, Script | list[Script]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, Script | bytes] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    #: Set at the end of the test; scripts wait on it instead of sleeping.
    over: threading.Event = field(default_factory=threading.Event)
    #: Set when a paid request arrives.
    arrived: threading.Event = field(default_factory=threading.Event)

    IMAGINE = "/midjourney/imagine"
    TASKS = "/midjourney/tasks"

    def imagine(self, *scripts: Script) -> None:
        """Handle POSTs to imagine with these scripts in turn; the last one is used repeatedly."""
        self.scripts[self.IMAGINE] = list(scripts)

    def answer(self, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Respond to every POST to imagine with this JSON value."""
        self.imagine(lambda _request, reply: reply.json(document, status, headers))

    def stream(self, lines: Iterable[bytes | dict[str, Any]], *, end: bool = True) -> None:
        """Respond to every POST to imagine with these NDJSON lines."""
        repeated = list(lines)
        self.imagine(lambda _request, reply: reply.stream(repeated, end=end))

    def posts(self, path: str = IMAGINE) -> list[Received]:
        """The POSTs to a path."""
        return [each for each in self.received if each.method == "POST" and each.path == path]

    def gets(self, path: str | None = None) -> list[Received]:
        """The GETs, optionally of one path."""
        return [each for each in self.received if each.method == "GET" and path in (None, each.path)]

    def result(self, **fields: Any) -> dict[str, Any]:
        """A final result whose image is at /files/cat.png on this server; add the bytes to `files`."""
        url = f"{self.base_url}/files/cat.png"
        return {**fixture("imagine.json"), "image_url": f"{url}?thumb", "raw_image_url": url, **fields}

    # -- serving -----------------------------------------------------------------------------------

    def handle(self, request: Received, reply: Reply) -> None:
        self.received.append(request)
        if request.method == "GET":
            found = self.files.get(request.path)
            if isinstance(found, bytes):
                reply.whole(found, headers={"content-type": "image/png"})
            elif found is not None:
                found(request, reply)
            else:
                reply.json({"error": "no such file"}, 404)
            return
        if request.path != self.TASKS:
            self.arrived.set()
        script = self.scripts.get(request.path)
        if isinstance(script, list):
            script = script.pop(0) if len(script) > 1 else script[0]
        if script is not None:
            script(request, reply)
        elif request.path == self.TASKS:
            reply.json(self._tasks(request.body))
        else:
            reply.json({"error": {"code": "no_api", "message": "no such API"}}, 404)

    def _tasks(self, body: dict[str, Any]) -> Any:
        if body.get("action") == "retrieve":
            return self.tasks.get(body["id"], {})
        ids = body.get("ids") or list(reversed(self.tasks))
        items = [self.tasks[each] for each in ids if each in self.tasks]
        if "trace_ids" in body:
            items = [each for each in items if each.get("trace_id") in body["trace_ids"]]
        start = body.get("offset", 0)
        return {"items": items[start : start + body.get("limit", 12)], "count": len(items)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect; many tests do."""


def serve() -> Iterator[Service]:
    """Run a service until the generator is closed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            split = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            received = Received(
                self.command,
                split.path,
                dict(parse_qsl(split.query)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
                self.client_address[1],
            )
            service.handle(received, Reply(self))

        do_GET = do_POST = do_HEAD = do_PUT = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    service = Service(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        server.shutdown()
        server.server_close()
        thread.join()

"""A bad network between `mj` and a sandbox: lost responses, streams and files that are cut, rate limits.

It reports each moment of each request, so that a test can kill the program just then. It knows nothing of the
ledger: the sandbox's database shows what was really accepted.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple


def _whole(status: bytes, kind: bytes, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n"
    return head % (status, kind, len(body), more) + body


GATEWAY = _whole(b"502 Bad Gateway", b"text/html", b"<html><body>502 Bad Gateway</body></html>")
LIMITED = _whole(
    b"429 Too Many Requests",
    b"application/json",
    b'{"error": {"code": "too_many_requests", "message": "slower"}}',
    b"retry-after: 0\r\n",
)

#: Faults of a request that starts a job, with their probabilities.
JOB_FAULTS = {"limited": 0.1, "gateway": 0.1, "lost": 0.1, "cut": 0.2}
#: The same with streams that go silent while their connection stays open.
SILENT_FAULTS = {"limited": 0.1, "gateway": 0.1, "lost": 0.1, "silent": 0.3}
#: The same for requests that can be repeated freely.
FREE_FAULTS = {"gateway": 0.1, "lost": 0.1, "cut": 0.1}


class Moment(NamedTuple):
    """A stage of a request: `requested` (read, not passed on yet), `answered` (the response has begun), `half` (a
    part of the response has passed), `silent` (a part has passed, and nothing follows)."""

    what: str
    path: str
    body: dict[str, Any]


class BadNetwork:
    """Passes requests on to `upstream` (host, port), with faults drawn from `random`.

    `watch` is called for each moment, in the thread of the connection, before the request continues.
    """

    def __init__(
        self,
        upstream: tuple[str, int],
        random: Random,
        watch: Callable[[Moment], None],
        job_faults: Mapping[str, float] = JOB_FAULTS,
    ) -> None:
        self._upstream = upstream
        self.job_faults = job_faults  # may be changed meanwhile
        self._random = random
        self._watch = watch
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (request := _request(connection)) is not None:
                if not self._pass_on(connection, *request):
                    return

    def _pass_on(self, connection: socket.socket, path: str, data: bytes) -> bool:
        """Pass on one request and its response; returns whether the connection can be reused."""
        body = data.partition(b"\r\n\r\n")[2]
        moment = Moment("requested", path, json.loads(body) if body else {})
        self._watch(moment)
        fault = self._fault(self.job_faults if path == "/midjourney/imagine" else FREE_FAULTS)
        if fault == "limited":
            connection.sendall(LIMITED)
            return True
        with socket.create_connection(self._upstream, timeout=30) as upstream:
            upstream.sendall(data.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
            pieces = iter(lambda: upstream.recv(16384), b"")
            first = next(pieces, b"")
            self._watch(moment._replace(what="answered"))
            if fault == "gateway":
                connection.sendall(GATEWAY)
                return True
            if fault == "lost":
                _reset(connection)
                return False
            connection.sendall(first)
            if fault == "silent":
                self._watch(moment._replace(what="silent"))
                connection.recv(1)  # until the client goes away
                return False
            for number, piece in enumerate(pieces):
                if number == 1:
                    self._watch(moment._replace(what="half"))
                if number == 2 and fault == "cut":
                    _reset(connection)
                    return False
                connection.sendall(piece)
        return False

    def _fault(self, faults: Mapping[str, float]) -> str | None:
        with self._lock:
            drawn = self._random.random()
        for name, share in faults.items():
            drawn -= share
            if drawn < 0:
                return name
        return None


def _request(connection: socket.socket) -> tuple[str, bytes] | None:
    """The path and all bytes of the next request; None when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = (int(lengths[0].partition(b":")[2]) if lengths else 0) - len(body)
    while missing > 0:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
        missing -= len(piece)
    return head.split(b" ")[1].decode().partition("?")[0], data


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def bad_network(
    upstream: tuple[str, int],
    random: Random,
    watch: Callable[[Moment], None],
    job_faults: Mapping[str, float] = JOB_FAULTS,
) -> Iterator[BadNetwork]:
    """A bad network that is closed afterwards."""
    network = BadNetwork(upstream, random, watch, job_faults)
    try:
        yield network
    finally:
        network.close()

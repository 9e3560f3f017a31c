"""A bad network between `mj` and a sandbox: lost requests and responses, streams and files that are cut, storms of
rate limits, a service that ignores `async` and lists its tasks late.

It reports each moment of each request, so that a test can kill the program just then. It knows nothing of the
ledger: the sandbox's database shows what was really accepted.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple


def _whole(status: bytes, kind: bytes, body: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n"
    return head % (status, kind, len(body), more) + body


def _error(status: bytes, code: str, more: bytes = b"") -> bytes:
    document = {"error": {"code": code, "message": "not now"}}
    return _whole(status, b"application/json", json.dumps(document).encode(), more)


GATEWAY = _whole(b"502 Bad Gateway", b"text/html", b"<html><body>502 Bad Gateway</body></html>")
LIMITED = _error(b"429 Too Many Requests", "too_many_requests", b"retry-after: 0\r\n")
LIMITED_BARE = _error(b"429 Too Many Requests", "rate_limited")
LIMITED_LONGER = _error(b"429 Too Many Requests", "too_many_requests", b"retry-after: 1\r\n")
REFUSED = _error(b"500 Internal Server Error", "api_error")

#: What is answered without passing the request on. After "lost request", nothing is.
NOT_PASSED_ON = {
    "limited": LIMITED,
    "limited, bare": LIMITED_BARE,
    "limited, longer": LIMITED_LONGER,
    "refused": REFUSED,
    "gateway alone": GATEWAY,
    "lost request": b"",
}
STORM = 6  # requests that are limited in a row
SLOW_SECONDS = 0.4  # by which a response comes late

#: Faults of a request that starts a job, with their probabilities.
JOB_FAULTS = {"limited": 0.1, "gateway": 0.1, "lost": 0.1, "cut": 0.2}
#: The same with streams that go silent while their connection stays open.
SILENT_FAULTS = {"limited": 0.1, "gateway": 0.1, "lost": 0.1, "silent": 0.3}
#: The same for requests that can be repeated freely.
FREE_FAULTS = {"gateway": 0.1, "lost": 0.1, "cut": 0.1}
#: Of jobs in a batch; the answer to a detached job is in one piece, so it is lost whole.
BATCH_FAULTS = {
    "limited": 0.03,
    "limited, bare": 0.03,
    "limited, longer": 0.02,
    "storm": 0.03,
    "gateway": 0.05,
    "lost": 0.1,
    "lost request": 0.04,
    "gateway alone": 0.02,
    "slow": 0.1,
    "cut": 0.05,
}


class Moment(NamedTuple):
    """A stage of a request: `requested` (read, not passed on yet), `answered` (the response has begun), `half` (a
    part of the response has passed), `silent` (a part has passed, and nothing follows). `fault` is what goes wrong
    with the request."""

    what: str
    path: str
    body: dict[str, Any]
    fault: str = ""


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
        self.job_faults, self.free_faults = job_faults, FREE_FAULTS  # may be changed meanwhile
        self.ignores_async = False  # as the older hosts do
        self.late_seconds = 0.0  # after which a task appears in lists
        self._storm = 0  # requests that are still limited
        self._connections: set[socket.socket] = set()
        self._busy = 0  # requests in progress
        self._idle = threading.Condition()
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

    def calm(self) -> None:
        """Pass everything on from now on."""
        self.job_faults = self.free_faults = {}
        self.late_seconds, self._storm = 0.0, 0

    def drop_connections(self) -> None:
        """Close all connections, as a server does whose client is silent.

        A new one stays open, since a request that is on its way would be lost before it was read.
        """
        with self._idle:
            connections = list(self._connections)
        for each in connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def settle(self, seconds: float) -> None:
        """Wait for the end of the requests in progress. Raises `AssertionError` if they take too long."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._busy, seconds), "requests do not end"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                while (request := _request(connection)) is not None:
                    if not self._counted(connection, *request):
                        return
        finally:
            with self._idle:
                self._connections.discard(connection)

    def _counted(self, connection: socket.socket, path: str, data: bytes) -> bool:
        with self._idle:
            self._connections.add(connection)
            self._busy += 1
        try:
            return self._pass_on(connection, path, data)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _pass_on(self, connection: socket.socket, path: str, data: bytes) -> bool:
        """Pass on one request and its response; returns whether the connection can be reused."""
        head, _, raw = data.partition(b"\r\n\r\n")
        body = json.loads(raw) if raw else {}
        is_job = path == "/midjourney/imagine"
        fault = self._fault(self.job_faults if is_job else self.free_faults, is_job=is_job)
        moment = Moment("requested", path, body, fault or "")
        self._watch(moment)
        if fault in NOT_PASSED_ON:
            connection.sendall(NOT_PASSED_ON[fault])
            if fault == "lost request":
                _reset(connection)
            return fault != "lost request"
        if is_job and self.ignores_async:
            body.pop("async", None)
            data = _with_length(head, json.dumps(body).encode())
        with socket.create_connection(self._upstream, timeout=30) as upstream:
            upstream.sendall(data.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
            pieces = iter(lambda: upstream.recv(16384), b"")
            if self.late_seconds and body.get("action") == "retrieve_batch":
                pieces = iter([_without_new_tasks(b"".join(pieces), self.late_seconds)])
            first = next(pieces, b"")
            self._watch(moment._replace(what="answered"))
            if fault == "gateway":
                connection.sendall(GATEWAY)
                return True
            if fault == "lost":
                _reset(connection)
                return False
            if fault == "slow":
                time.sleep(SLOW_SECONDS)
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

    def _fault(self, faults: Mapping[str, float], *, is_job: bool) -> str | None:
        with self._lock:
            drawn = self._random.random()
            if is_job and self._storm:
                self._storm -= 1
                return "limited, bare" if drawn < 0.5 else "limited"
            fault = next((name for name, limit in _limits(faults) if drawn < limit), None)
            if fault == "storm":
                self._storm, fault = STORM, "limited"
        return fault


def _limits(faults: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """The numbers below which a drawn one means a fault."""
    limit = 0.0
    for name, share in faults.items():
        limit += share
        yield name, limit


def _with_length(head: bytes, body: bytes) -> bytes:
    """A message with another body."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


def _without_new_tasks(response: bytes, seconds: float) -> bytes:
    """The response with a list of tasks, without those that are younger than so many seconds."""
    head, _, raw = response.partition(b"\r\n\r\n")
    try:
        document = json.loads(raw)
    except ValueError:
        return response
    known = [each for each in document.get("items", []) if each["created_at"] <= time.time() - seconds]
    return _with_length(head, json.dumps({**document, "items": known, "count": len(known)}).encode())


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

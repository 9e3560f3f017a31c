"""The sandbox as a server on the loopback interface."""

from __future__ import annotations

import os
import socket
import socketserver
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .callbacks import Callbacks
from .endpoints import Endpoints, SandboxOptions
from .files import Files
from .handler import Handler
from .state import Store

_DEFAULTS = SandboxOptions()
_GRACE = 5.0  # seconds for what is under way when the server closes


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread for each connection, and what these threads share."""

    daemon_threads = True
    # Elsewhere this option would let two servers share a port.
    allow_reuse_address = os.name == "posix"
    request_queue_size = 128

    endpoints: Endpoints
    files: Files
    callbacks: Callbacks

    def __init__(self, host: str, port: int, options: SandboxOptions) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.options = options
        self.stopping = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_lock = threading.Lock()
        super().__init__((host, port), Handler)
        shown = f"[{host}]" if ":" in host else host
        self.base_url = f"http://{shown}:{self.server_address[1]}"

    def opened(self, connection: socket.socket) -> None:
        """Take notice of a connection, to be ended with the server."""
        with self._open_lock:
            self._open[connection] = threading.current_thread()

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.pop(connection, None)

    def end_connections(self) -> None:
        """Break off what is still open and wait for its threads."""
        with self._open_lock:
            still_open = dict(self._open)
        for connection in still_open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the client was faster
        for thread in still_open.values():
            thread.join(_GRACE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves is no event, and standard error is not ours."""


class Sandbox:
    """A stand-in of the API over real HTTP, with its memory in a SQLite file.

    `base_url` is where it answers. The port is bound at once (`port` 0 takes a free one); raises `OSError`
    when the port is taken or the database cannot be used.
    """

    def __init__(
        self, database: Path, options: SandboxOptions = _DEFAULTS, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._server = Server(host, port, options)
        self.base_url: str = self._server.base_url
        self._options = options
        try:
            self._store = Store(database)
        except BaseException:
            self._server.server_close()
            raise
        self._server.endpoints = Endpoints(self._store, options)
        self._server.files = Files(self._store)
        self._server.callbacks = Callbacks(self._store, self.base_url)
        self._callbacks = self._server.callbacks
        self._thread: threading.Thread | None = None
        self._state = threading.Lock()
        self._begun = self._closed = self._interrupted = False

    def start(self) -> None:
        """Serve in a daemon thread and return."""
        if self._begin():
            self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)
            self._thread.start()

    def serve_forever(self) -> None:
        """Serve in this thread until `close` is called; `KeyboardInterrupt` passes through to the caller."""
        try:
            if self._begin():
                self._serve()
            elif self._thread is not None:
                self._thread.join()
        except BaseException:
            self._interrupted = self._thread is None
            raise

    def _begin(self) -> bool:
        with self._state:
            if self._begun or self._closed:
                return False
            self._begun = True
        self._callbacks.start()
        return True

    def _serve(self) -> None:
        # Stopping takes up to one poll, and commands wait for it.
        self._server.serve_forever(poll_interval=0.02)

    def close(self, *, finish_callbacks: bool = False) -> None:
        """Stop serving; what is still streaming is broken off, jobs go on.

        With `finish_callbacks`, first waits until the callbacks of jobs accepted here are delivered, at most
        for the length of a job and a few seconds. Closing twice is fine.
        """
        with self._state:
            if self._closed:
                return
            self._closed = True
        try:
            if finish_callbacks and self._begun:
                self._callbacks.finish(self._options.seconds + _GRACE)
        finally:
            self._server.stopping.set()
            # It waits for the loop to end, which one that was interrupted before its first turn never does.
            if self._begun and not self._interrupted:
                self._server.shutdown()
            self._server.server_close()
            self._server.end_connections()
            self._callbacks.stop()
            self._store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

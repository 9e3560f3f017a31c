"""Start and stop a sandbox."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from .callbacks import Callbacks
from .endpoints import Endpoints
from .faults import Faults
from .files import Files
from .handler import Handler
from .options import SandboxOptions
from .platform import Platform
from .server import GRACE, Server
from .serving import announce, withdraw
from .store import Store

_DEFAULTS = SandboxOptions()


class Sandbox:
    """A stand-in for the API over real HTTP, with its state in a SQLite file.

    `base_url` is its address. The port is bound immediately (`port` 0 picks a free one); raises `OSError`
    if the port is in use or the database cannot be used. `links_url` is the address of another sandbox with
    the same database, to which links lead that have to outlive this one.
    """

    def __init__(
        self,
        database: Path,
        options: SandboxOptions = _DEFAULTS,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        links_url: str | None = None,
    ) -> None:
        self._database = database
        self._server = Server(host, port, Handler, options)
        self.base_url: str = self._server.base_url
        self._server.links_url = links_url or self.base_url
        self._options = options
        try:
            self._store = Store(database)
        except BaseException:
            self._server.server_close()
            raise
        self._server.faults = Faults(options)
        self._server.endpoints = Endpoints(self._store, options, self._server.faults)
        self._server.files = Files(self._store)
        self._server.platform = Platform(self._store)
        self._server.callbacks = Callbacks(self._store, self._server.links_url)
        self._callbacks = self._server.callbacks
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._started = self._closed = self._interrupted = False

    def start(self) -> None:
        """Serve in a daemon thread and return."""
        if self._begin():
            self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)
            self._thread.start()

    def announce(self) -> None:
        """Let the links of other sandboxes with this database lead here until this one is closed.

        Raises `OSError` if that cannot be recorded.
        """
        announce(self._database, self.base_url, self._server.server_id)

    def serve_forever(self) -> None:
        """Serve in this thread until `close` is called; passes `KeyboardInterrupt` on to the caller."""
        try:
            if self._begin():
                self._serve()
            elif self._thread is not None:
                self._thread.join()
        except BaseException:
            self._interrupted = self._thread is None
            raise

    def _begin(self) -> bool:
        with self._lock:
            if self._started or self._closed:
                return False
            self._started = True
        self._callbacks.start()
        return True

    def _serve(self) -> None:
        # Commands wait for the last poll to end, so polls are short.
        self._server.serve_forever(poll_interval=0.02)

    def close(self, *, finish_callbacks: bool = False) -> None:
        """Stop serving; open streams are cut off, jobs continue. Closing twice has no effect.

        With `finish_callbacks`, first waits until the callbacks of jobs accepted here are delivered, at most
        for the duration of a job and a few seconds.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        withdraw(self._database, self._server.server_id)
        try:
            if finish_callbacks and self._started:
                self._callbacks.finish(self._options.seconds + GRACE)
        finally:
            self._server.stopping.set()
            # `shutdown` waits for the loop, which never ends if it was interrupted before its first turn.
            if self._started and not self._interrupted:
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

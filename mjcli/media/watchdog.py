"""End what takes too long, with one thread for everything that is watched."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator


class Watchdog:
    """Calls back when moments have passed. Methods may be called in any thread.

    A thread of its own for each of many short downloads would take longer than the downloads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[object, tuple[Callable[[], float], Callable[[], None]]] = {}
        self._wakes = 0.0  # when the thread looks again
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watching(self, due: Callable[[], float], end: Callable[[], None]) -> Iterator[None]:
        """Call `end()` once if `due()`, a reading of `time.monotonic()`, passes within the block.

        `due` may return later moments from call to call, but not earlier ones. Both are called in another thread,
        and neither may block.
        """
        entry = object()
        with self._changed:
            self._watched[entry] = (due, end)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            elif due() < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(entry, None)

    def close(self) -> None:
        """End the thread, unless something is watched."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while self._watched:
                now, soonest = time.monotonic(), float("inf")
                for entry, (due, end) in list(self._watched.items()):
                    moment = due()
                    if moment <= now:
                        del self._watched[entry]
                        end()
                    else:
                        soonest = min(soonest, moment)
                self._wakes = soonest
                self._changed.wait(min(soonest - now, threading.TIMEOUT_MAX))
            self._thread = None

"""Which jobs a living process has in hand: it holds a lock on one byte of a file for each.

The system lets go of the locks of a process that ends, however it ends, so a job without one has nobody left
who follows it. Nothing is ever written to the file.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

if sys.platform != "win32":  # there nobody is ever seen to hold a job, and the ledger's own guards must do
    import fcntl


class Claims:
    """The jobs, by their numbers, that this process and others have in hand."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Kept open: closing any descriptor of the file would let go of all that this process holds.
        self._descriptor: int | None = None
        self._mine: set[int] = set()

    def take(self, number: int) -> bool:
        """Have this job in hand; False when another process has it."""
        if number not in self._mine:
            if not self._lock(number):
                return False
            self._mine.add(number)
        return True

    def release(self, number: int) -> None:
        """Let go of it."""
        if number in self._mine:
            self._mine.discard(number)
            self._unlock(number)

    def taken(self, number: int) -> bool:
        """Whether somebody has it in hand, this process included."""
        if number in self._mine:
            return True
        if not self._lock(number):
            return True
        self._unlock(number)
        return False

    def close(self) -> None:
        """Let go of all."""
        self._mine.clear()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, number: int) -> bool:
        if sys.platform == "win32":
            return True
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: as on Windows
        return True

    def _unlock(self, number: int) -> None:
        if sys.platform != "win32" and self._descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, number)

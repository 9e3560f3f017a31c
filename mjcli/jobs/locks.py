"""Locks on jobs: a process holds a lock on one byte of a file for each job that it runs.

The system releases a process's locks when it ends, even if it is killed, so an unlocked job is not being
followed by any process. The file stays empty.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from mjcli.files import lock_byte, open_to_lock, unlock_byte


class JobLocks:
    """The locks of this process, by job number, and a view of those of other processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Stays open: closing any descriptor of the file would release every lock of this process.
        self._descriptor: int | None = None
        self._held: set[int] = set()
        self._mutex = threading.RLock()  # threads of one process share its locks

    def acquire(self, number: int) -> bool:
        """Lock a job; return False if another process holds its lock. Locking it again is fine."""
        with self._mutex:
            if number not in self._held:
                if not self._lock(number):
                    return False
                self._held.add(number)
            return True

    def release(self, number: int) -> None:
        """Release a job's lock, if this process holds it."""
        with self._mutex:
            if number in self._held:
                self._held.discard(number)
                self._unlock(number)

    def is_locked(self, number: int) -> bool:
        """Return whether any process, this one included, holds a job's lock."""
        with self._mutex:
            if number in self._held:
                return True
            if not self._lock(number):
                return True
            self._unlock(number)
            return False

    def close(self) -> None:
        """Release all locks."""
        self._held.clear()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, number: int) -> bool:
        if self._descriptor is None:
            try:
                self._descriptor = open_to_lock(self._path)
            except OSError:
                return True  # treated like a file system without locks
        return lock_byte(self._descriptor, number)

    def _unlock(self, number: int) -> None:
        if self._descriptor is not None:
            unlock_byte(self._descriptor, number)

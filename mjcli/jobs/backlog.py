"""What is held in memory between the arrival of a callback and the end of its handling, and its limit."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

HELD_BYTES = 16 * 1024 * 1024  # in all events that are not handled yet
EVENT_BYTES = 4096  # that an event takes besides its document


class Entry(NamedTuple):
    """An event that waits for its turn.

    `document` is the service's object as JSON, which takes much less memory than parsed; None if it is read
    from the ledger. `size` is what the entry counts for in the backlog.
    """

    kind: str
    task_id: str
    confirmed: bool
    document: bytes | None
    size: int


class Backlog:
    """A queue of entries whose documents are limited; an entry without one always fits.

    An entry counts until `release`, not only until it is taken. Safe to use from any thread.
    """

    def __init__(self, limit: int = HELD_BYTES) -> None:
        self._limit, self._held = limit, 0
        self._entries: deque[Entry] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._entries)

    def has_room(self, size: int) -> bool:
        """Whether a document of `size` bytes fits now."""
        with self._changed:
            return self._held + size + EVENT_BYTES <= self._limit

    def put(self, kind: str, task_id: str, document: bytes | None, *, confirmed: bool) -> bool:
        """Add an entry; return False, without adding it, if its document does not fit."""
        size = len(document) + EVENT_BYTES if document is not None else 0
        with self._changed:
            if size and self._held + size > self._limit:
                return False
            self._held += size
            self._entries.append(Entry(kind, task_id, confirmed, document, size))
            self._changed.notify()
        return True

    def take(self, seconds: float) -> Entry | None:
        """Return the oldest entry, or None if there is none within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries, seconds)
            return self._entries.popleft() if self._entries else None

    def release(self, size: int) -> None:
        """Free what an entry counted for, once it has been handled."""
        with self._changed:
            self._held -= size

"""Random numbers and the faults that depend on them."""

from __future__ import annotations

import random
import threading

from .fields import RefusalError
from .options import SandboxOptions


class Faults:
    """Decides by chance what goes wrong; safe for several threads, repeatable with a seed."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._random, self._lock = random.Random(options.seed), threading.Lock()

    def number(self, below: int) -> int:
        """A number from 0 up to but not including `below`."""
        with self._lock:
            return self._random.randrange(below)

    def refuse_request(self) -> None:
        """Raise `RefusalError` for a share of the requests."""
        if self._happens(self._options.error_rate):
            raise RefusalError(500, "api_error", "sandbox: simulated error (error rate)")

    def fail_job(self) -> bool:
        """Whether a job fails."""
        return self._happens(self._options.failure_rate)

    def cut_after(self, events: int) -> int:
        """After how many of its events a stream is cut off; 0 if it is not."""
        return self.number(max(events - 1, 1)) + 1 if self._happens(self._options.cut_rate) else 0

    def _happens(self, rate: float) -> bool:
        if rate <= 0:
            return False
        with self._lock:
            return self._random.random() < rate

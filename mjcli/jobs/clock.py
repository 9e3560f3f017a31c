"""The time, as a parameter: tests pass a clock whose pauses take no time."""

from __future__ import annotations

import threading
import time


class Clock:
    """The system's time and pauses, in seconds."""

    def time(self) -> float:
        """Return the Unix time, which may be set while a job runs."""
        return time.time()

    def monotonic(self) -> float:
        """Return a reading of the clock for deadlines, which is never set."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Pause."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Pause until `event` is set, at most `seconds`; return whether it is set."""
        return event.wait(seconds)


SYSTEM_CLOCK = Clock()

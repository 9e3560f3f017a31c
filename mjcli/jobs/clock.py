"""The time, as a parameter: tests pass a clock whose pauses take no time."""

from __future__ import annotations

import functools
import threading
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """The system's time and pauses, in seconds."""

    def time(self) -> float:
        """Return the Unix time, which may be set while a job runs."""
        return time.time()

    def monotonic(self) -> float:
        """Return a reading of the clock for deadlines, which is never set."""
        return time.monotonic()

    def uptime(self) -> float | None:
        """Return the seconds since the system started, suspensions included; None where that is unknown.

        Processes of the same boot (see `boot_id`) share this clock, and setting the time does not change it.
        """
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return None
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str | None:
        """Return what identifies the running boot of the system, None where that is unknown."""
        return _boot_id()

    def sleep(self, seconds: float) -> None:
        """Pause."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Pause until `event` is set, at most `seconds`; return whether it is set."""
        return event.wait(seconds)


@functools.cache
def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text().strip() or None
    except OSError:
        return None


SYSTEM_CLOCK = Clock()

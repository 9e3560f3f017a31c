"""When requests may be sent: so many a second, fewer after the service has refused one."""

from __future__ import annotations

import math
import threading

from mjcli.errors import MjError
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock

SLOWEST = 1 / 60  # requests a second, however often the service refuses
RECOVERY = 1.5  # factor of the rate for each request that is accepted
LOOK_SECONDS = 0.25  # between two looks at whether to stop, while a job waits for its turn
BACKOFF = 0.5  # factor of the rate for a refusal


class Stopped(MjError):
    """Nothing more is sent, so this job was not."""

    code = "not_sent"


class Pace:
    """The turns of all jobs of one account, `rate` a second.

    A 429 slows all of them together: the rate is halved, and it recovers as requests are accepted.
    """

    def __init__(self, rate: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._full, self._rate, self._clock = rate, rate, clock
        self._mutex = threading.Lock()
        self._next = 0.0  # reading of the monotonic clock at which the next turn is
        self._refused_at = -math.inf
        self._stopped = False

    def stop(self) -> None:
        """Let nothing more be sent. May be called by a signal handler."""
        self._stopped = True

    def check(self) -> None:
        """Raise `Stopped` after `stop`."""
        if self._stopped:
            raise Stopped("Stopped before the job was sent.")

    def wait(self, seconds: float) -> None:
        """Pause; raises `Stopped` soon after `stop`."""
        while seconds > 0:
            self.check()
            self._clock.sleep(min(seconds, LOOK_SECONDS))
            seconds -= LOOK_SECONDS
        self.check()

    @property
    def seconds_left(self) -> float:
        """Seconds until the next turn."""
        with self._mutex:
            return max(0.0, self._next - self._clock.monotonic())

    def take(self) -> float:
        """Reserve the next turn; return the seconds until it comes."""
        with self._mutex:
            now = self._clock.monotonic()
            turn = max(now, self._next)
            self._next = turn + 1 / self._rate
            return turn - now

    def refused(self, seconds: float) -> None:
        """Note a refusal: nothing more is sent for `seconds`, and then more slowly."""
        with self._mutex:
            now = self._clock.monotonic()
            if now - self._refused_at > 1 / self._rate:  # else it is the same storm
                self._rate = max(self._rate * BACKOFF, SLOWEST)
                self._refused_at = now
            self._next = max(self._next, now + seconds)

    def accepted(self) -> None:
        """Note that a request was accepted."""
        with self._mutex:
            self._rate = min(self._rate * RECOVERY, self._full)

"""A clock that runs like the real one but never sleeps."""

from __future__ import annotations

import time


class FakeClock:
    """Records each sleep in `slept` (seconds) and moves on by it at once; `ahead` shifts its time (seconds)."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.slept)

    def time(self) -> float:
        return time.time() + sum(self.slept) + self.ahead

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)

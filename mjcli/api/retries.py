"""When a request is sent again: backoff, `Retry-After`, and the dates of HTTP."""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime

import httpx

from mjcli.api.hooks import Clock, Hooks
from mjcli.errors import MjError

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds between attempts, each twice as long as the one before
RETRY_AFTER_CAP = 60.0  # the longest `Retry-After` that is honoured
ENDLESS = 1000  # attempts that only the deadline ends
RATE_LIMITED = "rate limited"


class Retries:
    """The pauses between the attempts of one request: at most `limit`, none beyond the deadline.

    Without a `Retry-After` they are 0.5, 1, 2, … up to 8 seconds, times `factor`, with jitter so that many
    clients spread out.
    """

    def __init__(
        self,
        limit: int,
        clock: Clock,
        deadline: float | None = None,
        hooks: Hooks | None = None,
        *,
        factor: float = 1.0,
    ) -> None:
        self._limit, self._clock, self._deadline, self._factor = limit, clock, deadline, factor
        self._hooks = hooks or Hooks()
        self._count = 0

    def pause(self, failure: MjError, seconds: float | None = None, *, reason: str = "") -> None:
        """Wait before the next attempt. Raises `failure` when there is none."""
        if seconds is None:
            pause = min(FIRST_PAUSE * 2 ** min(self._count, 8), LONGEST_PAUSE)
            seconds = pause * random.uniform(0.75, 1.25) * self._factor
        if self._count >= self._limit:
            raise failure
        if self._deadline is not None and self._clock.monotonic() + seconds >= self._deadline:
            raise failure
        self._count += 1
        if reason == RATE_LIMITED and (other := self._hooks.limited(seconds)) is not None:
            seconds = other
        of = f" of {self._limit}" if self._limit < ENDLESS else ""
        self._hooks.retrying(seconds, f"{reason} (retry {self._count}{of})")
        if not self._hooks.pausing(seconds):
            self._clock.sleep(seconds)


def retry_after(response: httpx.Response, now: float) -> float | None:
    """Seconds of `Retry-After` (a number or an HTTP date), at most the cap; None without a usable one."""
    value = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        date = http_date(value)
        if date is None:
            return None
        seconds = date - now
    if not seconds > 0:  # past, negative, or NaN
        return None
    return min(seconds, RETRY_AFTER_CAP)


def http_date(text: str) -> float | None:
    """The Unix time of an HTTP date; None for anything else."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except Exception:  # the parser raises many types, for such as the year 10000
        return None

"""Moments (Unix seconds) and spans, as people read them and as scripts do."""

from __future__ import annotations

import time
from collections.abc import Callable

UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}  # in seconds

_OLD = 10 * UNITS["w"]  # of what is older, a date says more


def local_time(seconds: float | None) -> str | None:
    """A moment in local time, `2026-11-23 02:02:03 +0100`; None where no calendar has it."""
    return _said("%Y-%m-%d %H:%M:%S %z", time.localtime, seconds)


def utc_time(seconds: float | None) -> str | None:
    """A moment in UTC as ISO 8601 has it, `2026-11-23T01:02:03Z`; None where no calendar has it."""
    return _said("%Y-%m-%dT%H:%M:%SZ", time.gmtime, seconds)


def age(seconds: float, now: float) -> str:
    """How long ago a moment was: `12s`, `5m`, `3h`, `2d`, `6w`, and the local date of what is older."""
    past = max(now - seconds, 0)
    if past >= _OLD:
        return _said("%Y-%m-%d", time.localtime, seconds) or "long ago"
    letter, unit = next((each for each in UNITS.items() if past >= each[1]), ("s", 1))
    return f"{int(past // unit)}{letter}"


def _said(form: str, calendar: Callable[[float], time.struct_time], seconds: float | None) -> str | None:
    if seconds is None:
        return None
    try:
        return time.strftime(form, calendar(seconds))
    except (OverflowError, ValueError, OSError):
        return None

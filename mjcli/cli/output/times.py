"""Times (Unix seconds) and ages, as text for people and for scripts."""

from __future__ import annotations

import time
from collections.abc import Callable

UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}  # in seconds

_OLD = 10 * UNITS["w"]  # older than this, the date is shown


def local_time(seconds: float | None) -> str | None:
    """A time in the local zone, `2026-11-23 02:02:03 +0100`; None if it is out of range."""
    return _said("%Y-%m-%d %H:%M:%S %z", time.localtime, seconds)


def utc_time(seconds: float | None) -> str | None:
    """A time in UTC in ISO 8601, `2026-11-23T01:02:03Z`; None if it is out of range."""
    return _said("%Y-%m-%dT%H:%M:%SZ", time.gmtime, seconds)


def age(seconds: float, now: float) -> str:
    """The age of a time: `12s`, `5m`, `3h`, `2d`, `6w`; the local date if it is older."""
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

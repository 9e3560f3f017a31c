"""Times and durations."""

from __future__ import annotations

import time

import pytest

from mjcli.cli.output.times import age, local_time, utc_time

NOW = 1_800_000_000.0
DAY = 86400


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (DAY - 1, "23h"),
        (DAY, "1d"),
        (7 * DAY - 1, "6d"),
        (7 * DAY, "1w"),
        (70 * DAY - 1, "9w"),
        (-5, "0s"),  # the clock was set back
    ],
)
def test_the_age_is_one_number_and_its_unit(past: float, text: str) -> None:
    assert age(NOW - past, NOW) == text


def test_an_old_moment_has_its_date() -> None:
    assert age(NOW - 70 * DAY, NOW) == time.strftime("%Y-%m-%d", time.localtime(NOW - 70 * DAY))


def test_moments_are_written_for_scripts_and_for_people() -> None:
    assert utc_time(NOW) == "2027-01-15T08:00:00Z"
    text = local_time(NOW)
    assert text is not None
    assert time.mktime(time.strptime(text[:19], "%Y-%m-%d %H:%M:%S")) == NOW


@pytest.mark.parametrize("moment", [None, 1e30, -1e30, float("inf")])
def test_a_moment_outside_the_calendar_is_none(moment: float | None) -> None:
    assert utc_time(moment) is None
    assert local_time(moment) is None
    if moment is not None and moment < 0:
        assert age(moment, NOW) == "long ago"

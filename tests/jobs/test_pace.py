"""The turns of the requests of one account."""

from __future__ import annotations

import pytest

from mjcli.jobs.pace import SLOWEST, Pace, Stopped
from tests.jobs.fakes import FakeClock


@pytest.fixture
def pace(clock: FakeClock) -> Pace:
    return Pace(1.0, clock=clock)


def turn(pace: Pace, clock: FakeClock) -> float:
    """Wait for the next turn, and return how long that took."""
    seconds = pace.take()
    clock.sleep(seconds)
    return seconds


def test_turns_come_at_the_rate(pace: Pace, clock: FakeClock) -> None:
    assert [turn(pace, clock) for _ in range(4)] == pytest.approx([0, 1, 1, 1])


def test_time_without_requests_is_not_saved_up(pace: Pace, clock: FakeClock) -> None:
    pace.take()
    clock.sleep(100)
    assert [turn(pace, clock) for _ in range(3)] == pytest.approx([0, 1, 1])


def test_the_seconds_that_are_left_shrink_with_time(pace: Pace, clock: FakeClock) -> None:
    assert pace.seconds_left == 0
    pace.take()
    assert pace.seconds_left == pytest.approx(1)
    clock.sleep(0.25)
    assert pace.seconds_left == pytest.approx(0.75)
    clock.sleep(5)
    assert pace.seconds_left == 0


def test_a_refusal_stops_all_requests_for_as_long_as_it_says_and_halves_the_rate(
    pace: Pace, clock: FakeClock
) -> None:
    turn(pace, clock)
    pace.refused(30)
    assert [turn(pace, clock) for _ in range(3)] == pytest.approx([30, 2, 2])


def test_the_refusals_of_one_storm_count_once(pace: Pace, clock: FakeClock) -> None:
    for _ in range(5):
        pace.refused(0)
    turn(pace, clock)
    assert turn(pace, clock) == pytest.approx(2)


def test_a_refusal_at_the_slower_rate_slows_down_further(pace: Pace, clock: FakeClock) -> None:
    for _ in range(3):
        clock.sleep(pace.take() + 10)
        pace.refused(0)
    turn(pace, clock)
    assert turn(pace, clock) == pytest.approx(8)


def test_it_never_gets_slower_than_one_a_minute(pace: Pace, clock: FakeClock) -> None:
    for _ in range(50):
        clock.sleep(100)
        pace.refused(0)
    turn(pace, clock)
    assert turn(pace, clock) == pytest.approx(1 / SLOWEST)


def test_the_rate_recovers_as_requests_are_accepted_but_not_beyond_what_was_chosen(
    pace: Pace, clock: FakeClock
) -> None:
    pace.refused(0)
    turn(pace, clock)
    pauses = []
    for _ in range(4):
        pauses.append(turn(pace, clock))
        pace.accepted()
    assert pauses[0] == pytest.approx(2)
    assert pauses == sorted(pauses, reverse=True)
    assert pauses[-1] == pytest.approx(1)


def test_a_shorter_pause_of_one_job_does_not_shorten_that_of_another(pace: Pace, clock: FakeClock) -> None:
    pace.refused(60)
    pace.refused(1)
    assert pace.seconds_left == pytest.approx(60)


def test_a_pause_lasts_as_long_as_it_is_to(pace: Pace, clock: FakeClock) -> None:
    pace.wait(10.1)
    assert clock.elapsed == pytest.approx(10.1)


def test_a_pause_ends_soon_after_stop(pace: Pace, clock: FakeClock) -> None:
    clock.events.append((5.0, pace.stop))
    with pytest.raises(Stopped):
        pace.wait(60)
    assert clock.elapsed < 6


def test_a_pause_that_is_over_when_it_is_stopped_sends_nothing(pace: Pace, clock: FakeClock) -> None:
    clock.events.append((1.0, pace.stop))
    with pytest.raises(Stopped):
        pace.wait(1.0)

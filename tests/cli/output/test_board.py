"""The numbers of the board, how they fit, and what is written where there is no terminal."""

from __future__ import annotations

import re
import threading

import pytest

from mjcli.cli.output.board import Board, BoardRows, Counts, Pace, duration, usd
from mjcli.cli.output.live import NEWS, Live, Screen
from mjcli.cli.output.sink import Mode
from mjcli.cli.output.table import display_width
from mjcli.jobs.clock import Clock
from tests.support.sinks import Memory, MemoryOutput

COUNTS = Counts(100, done=12, failed=1, running=5, left=82, spent=0.35)


class SetClock(Clock):
    """A clock that stands still until it is set; its waits end with the event."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, event: threading.Event, _seconds: float) -> bool:
        return event.wait()


def screen(*, columns: int = 80, encoding: str = "utf-8", colour: bool = False) -> Screen:
    return Screen(Memory(encoding=encoding), colour, lambda: (columns, 24))


def rows(
    counts: Counts, columns: int, *, encoding: str = "utf-8", colour: bool = False, clock: Clock | None = None
) -> tuple[str, str]:
    board = Board(MemoryOutput(), counts, clock=clock or SetClock())
    first, second = BoardRows(board, screen(encoding=encoding, colour=colour)).texts(columns)
    return first, second


def finish(board: Board, clock: SetClock, times: list[float], counts: Counts) -> Counts:
    """Let a job end at each of these times."""
    for time in times:
        clock.now = 1000 + time
        counts = counts._replace(done=counts.done + 1, left=counts.left - 1)
        board.update(counts)
    return counts


def with_time_left() -> tuple[str, ...]:
    """The numbers with everything, at several widths."""
    clock = SetClock()
    board = Board(MemoryOutput(), COUNTS._replace(done=0, left=94), clock=clock)
    finish(board, clock, [20 + 8 * n for n in range(12)], COUNTS._replace(done=0, left=94))
    return tuple(BoardRows(board, screen()).texts(columns)[1] for columns in (78, 48, 28, 12))


def test_the_numbers_fit_any_width_and_the_least_important_are_left_out() -> None:
    assert with_time_left() == (
        "12 done · 5 running · 1 failed · 82 left · 0.35 USD · 11 min left",
        "12 done · 1 failed · 0.35 USD · 11 min left",
        "12 done · 0.35 USD",
        "0.35 USD",
    )


@pytest.mark.parametrize("columns", [*range(1, 90), 300])
def test_no_row_is_wider_than_its_room(columns: int) -> None:
    counts = Counts(12345, 1000, 2345, 17, 3, 64, 8916, 1234.5, estimated=True)
    for encoding in ("utf-8", "ascii"):
        for row in rows(counts, columns, encoding=encoding):
            assert display_width(row) <= columns
            assert row.isascii() or encoding == "utf-8"


def test_the_bar_covers_all_jobs_and_those_of_earlier_runs() -> None:
    bar, _ = rows(Counts(40, before=10, done=9, failed=1, left=20), 26)
    assert bar == "━" * 10 + " " * 10 + " 20/40"
    full, numbers = rows(Counts(40, before=39, done=1), 26)
    assert full == "━" * 20 + " 40/40"
    assert numbers == "1 done · 39 done before"


def test_a_narrow_terminal_has_no_bar() -> None:
    assert rows(COUNTS, 16)[0] == "13/100"


def test_a_batch_of_nothing_has_a_board_too() -> None:
    assert rows(Counts(0), 30)[1] == "0 done"


def test_ascii_has_its_own_signs() -> None:
    bar, numbers = rows(COUNTS, 60, encoding="ascii")
    assert bar.startswith("---")
    assert numbers == "12 done | 5 running | 1 failed | 82 left | 0.35 USD"


def test_colours_only_where_they_are_wanted() -> None:
    assert "\x1b" not in "".join(rows(COUNTS, 80))
    bar, numbers = rows(COUNTS, 80, colour=True)
    assert "\x1b[31m1 failed\x1b[0m" in numbers
    assert re.sub(r"\x1b\[[0-9;]*m", "", numbers) == rows(COUNTS, 80)[1]
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", bar)) == 80


def test_an_estimate_is_marked() -> None:
    assert rows(COUNTS._replace(estimated=True), 80)[1].endswith("~0.35 USD")
    assert [usd(each) for each in (0, 0.0042, 0.1, 12.345)] == [
        "0.00 USD",
        "0.0042 USD",
        "0.10 USD",
        "12.345 USD",
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "10 s"),
        (41, "50 s"),
        (90, "90 s"),
        (91, "2 min"),
        (7000, "117 min"),
        (7300, "2 h 2 min"),
        (7200, "2 h"),
        (80000, "22 h"),
    ],
)
def test_a_span_is_said_in_the_unit_that_suits_it(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


# -- time left ---------------------------------------------------------------------------------------


def ends(pace: Pace, times: list[float]) -> None:
    for number, time in enumerate(times, start=1):
        pace.record(number, time)


def test_jobs_sent_together_end_in_groups_which_are_no_trend() -> None:
    """Five jobs of 40 s at a time are one every 8 s, although five end within four seconds."""
    pace = Pace(0)
    ends(pace, [40 * turn + n for turn in (1, 2, 3) for n in range(5)])
    left = pace.seconds_left(100, 125)
    assert left is not None
    assert 500 < left < 1100


def test_jobs_sent_one_by_one_end_one_by_one_after_the_first() -> None:
    """64 jobs of 60 s, one sent each second."""
    pace = Pace(0)
    ends(pace, [60.0 + n for n in range(61)])
    left = pace.seconds_left(100, 121)
    assert left is not None
    assert 90 < left < 160


def test_the_rate_is_that_of_the_recent_jobs() -> None:
    pace = Pace(0)
    ends(pace, [10.0 * n for n in range(1, 300)])
    assert pace.seconds_left(6, 2991) == pytest.approx(60, rel=0.1)
    for number in range(300):
        pace.record(300 + number, 3000.0 + number)
    assert pace.seconds_left(60, 3300) == pytest.approx(60, rel=0.1)


def test_many_jobs_a_second_are_counted_without_a_list_that_grows() -> None:
    pace = Pace(0)
    for number in range(1, 100_000):
        pace.record(number, number / 100)
    assert pace.seconds_left(6000, 1000) == pytest.approx(60, rel=0.1)
    assert len(pace._samples) <= 120


@pytest.mark.parametrize(
    ("times", "rest", "now"),
    [
        ([], 10, 100.0),
        ([40.0, 41.0, 42.0, 43.0], 10, 44.0),  # the first group
        ([40.0, 80.0], 10, 81.0),  # too few
        ([10.0, 20.0, 30.0, 40.0], 0, 41.0),  # nothing is left
        ([10.0, 20.0, 30.0, 40.0], 10, 400_000.0),  # nothing happens any more
    ],
)
def test_no_time_is_said_when_it_means_nothing(times: list[float], rest: int, now: float) -> None:
    pace = Pace(0)
    ends(pace, times)
    assert pace.seconds_left(rest, now) is None


# -- without a terminal ------------------------------------------------------------------------------


def test_without_a_terminal_a_line_comes_every_ten_seconds_if_something_changed() -> None:
    clock, sink = SetClock(), MemoryOutput()
    with Board(sink, Counts(100, left=100), clock=clock) as board:
        board.update(COUNTS)
        for clock.now in (1000, 1009.9, 1010, 1015, 1020, 1069, 1070, 1079):
            board.talk()
            if clock.now == 1015:
                assert sink.err.text.count("\n") == 1
        assert sink.err.text == 2 * "13/100, 12 done, 5 running, 1 failed, 82 left, 0.35 USD\n"
        board.update(COUNTS._replace(done=13, running=4))
        clock.now = 1080
        board.talk()
    assert sink.err.text.splitlines()[2:] == [
        "14/100, 13 done, 4 running, 1 failed, 82 left, 0.35 USD, 9 min left"
    ]
    assert sink.out.text == ""


def test_the_lines_come_by_themselves() -> None:
    due = threading.Event()

    class Ticking(SetClock):
        def wait(self, event: threading.Event, _seconds: float) -> bool:
            self.now += 10
            if self.now > 1015:
                due.set()
                return event.wait()
            return False

    sink = MemoryOutput()
    with Board(sink, COUNTS, clock=Ticking()) as board:
        board.update(COUNTS._replace(left=81))
        assert due.wait(60)
    assert len(sink.err.text.splitlines()) <= 1


def test_finished_lines_are_not_repeated_where_there_is_no_board() -> None:
    sink = MemoryOutput()
    with Board(sink, COUNTS, clock=SetClock()) as board:
        assert not board.shows_lines
        board.add("line 1  a cat")
        board.warning("A warning.")
    assert sink.err.text == "warning: A warning.\n"


def test_quiet_is_silent() -> None:
    clock, sink = SetClock(), MemoryOutput(Mode(quiet=True))
    with Board(sink, Counts(100), clock=clock) as board:
        board.update(COUNTS)
        board.notice("A notice.")
        clock.now += 1000
    assert sink.err.text == sink.out.text == ""


# -- the surface -------------------------------------------------------------------------------------


def test_of_very_many_lines_between_two_frames_the_newest_are_shown() -> None:
    stream = Memory()
    terminal = screen()._replace(stream=stream)
    live = Live(terminal, BoardRows(Board(MemoryOutput(), COUNTS), terminal))
    with live.aside():  # no frame is drawn meanwhile
        for number in range(NEWS + 50):
            live.add(f"job {number}.")
    live.stop()
    shown = stream.text
    assert "(50 more)\njob 50.\njob 51.\n" in shown
    assert f"job {NEWS + 49}.\n" in shown
    assert "job 49." not in shown

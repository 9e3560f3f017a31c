"""The status of many jobs: a board on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import NamedTuple

from mjcli.cli.output.live import Live, Screen
from mjcli.cli.output.sink import Output
from mjcli.cli.output.text import visible
from mjcli.cli.output.watch import end_live, screen_of
from mjcli.cli.signals import undisturbed
from mjcli.jobs.budget import digits
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock

EVERY = 10.0  # seconds between two lines
ALIVE = 60.0  # seconds after which a line is repeated although nothing changed
TICK = 1.0  # seconds between two looks at the clock
SAMPLES = 120  # completions, at most one a second, from which the rate is taken
ENOUGH, TREND = 3, 3  # completions, and points in time, before a rate means something
LONGEST = 99 * 3600.0  # seconds; a longer estimate means that hardly anything happens
NARROWEST_BAR = 10  # columns

_GREEN, _RED, _YELLOW, _BAR, _REST, _DIM = "32", "31", "33", "91", "90", "2"


class Counts(NamedTuple):
    """How many of the jobs are in each state. `before` were done in earlier runs, `left` are not sent yet.

    `spent` is in USD, None if unknown; `estimated` says that it is not what was charged.
    """

    total: int
    before: int = 0
    done: int = 0
    failed: int = 0
    unknown: int = 0
    running: int = 0
    left: int = 0
    spent: float | None = None
    estimated: bool = False

    @property
    def ended(self) -> int:
        """The jobs that ended in this run."""
        return self.done + self.failed + self.unknown

    @property
    def fraction(self) -> float:
        """How much of all jobs is over, from 0 to 1."""
        return min((self.before + self.ended) / self.total, 1.0) if self.total else 1.0


class Pace:
    """How fast jobs end, and so how long the rest will take."""

    def __init__(self, now: float) -> None:
        self._start = now
        self._first: float | None = None
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES)

    def record(self, ended: int, now: float) -> None:
        """Record how many jobs have ended by now."""
        if ended == (self._samples[-1][1] if self._samples else 0):
            return
        if self._first is None:
            self._first = now
            # Jobs that were sent one by one end one by one, from now on; those sent together end in groups. In
            # the first case the rate counts from now, in the second from the start. The middle suits both.
            self._samples.append(((self._start + now) / 2, 0))
        if len(self._samples) > 1 and now - self._samples[-2][0] < 1:
            self._samples[-1] = (now, ended)
        else:
            self._samples.append((now, ended))

    def seconds_left(self, rest: int, now: float) -> float | None:
        """How long `rest` more jobs will take; None as long as nothing can be said."""
        if self._first is None or not rest or len(self._samples) < TREND:
            return None
        # Before the time of two jobs has passed, the first ones look like a trend.
        if now - self._start < 2 * (self._first - self._start):
            return None
        since, before = self._samples[0]
        ended = self._samples[-1][1] - before
        if ended < ENOUGH or now <= since:
            return None
        seconds = rest * (now - since) / ended
        return seconds if seconds <= LONGEST else None


class Board:
    """Shows how far many jobs are; use it as a context manager. Its methods may be called from any thread."""

    def __init__(self, output: Output, counts: Counts, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._output, self._clock = output, clock
        self._lock = threading.Lock()
        self._counts = counts
        now = clock.monotonic()
        self._pace = Pace(now)
        self._said: tuple[float, Counts] = (now, counts)
        self._over = threading.Event()
        self._live: Live | None = None

    def __enter__(self) -> Board:
        output = self._output
        # A signal between drawing and storing the display would leave it on the screen.
        with undisturbed():
            if output.animates and output.live is None:
                screen = screen_of(output)
                output.live = self._live = Live(screen, BoardRows(self, screen))
            elif not output.mode.quiet and output.live is None:
                threading.Thread(target=self._keep_talking, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with undisturbed():
            self._over.set()
            if self._live is not None:
                self._live = None
                end_live(self._output)

    @property
    def counts(self) -> Counts:
        """What was last reported."""
        return self._counts

    @property
    def shows_lines(self) -> bool:
        """Whether `add` shows anything."""
        return self._live is not None

    def update(self, counts: Counts) -> None:
        """Show these numbers from the next frame on."""
        with self._lock:
            self._counts = counts
            self._pace.record(counts.ended, self._clock.monotonic())

    def add(self, line: str) -> None:
        """Show a line about a job that ended above the board; nothing without a board."""
        if (live := self._live) is not None:
            live.add(self._output.secret.hide(visible(line)))

    def notice(self, sentence: str) -> None:
        """Show something worth knowing."""
        self._output.notice(sentence)

    def warning(self, sentence: str) -> None:
        """Show a warning."""
        self._output.warning(sentence)

    def seconds_left(self) -> float | None:
        """How long the rest will take; None if that cannot be said."""
        with self._lock:
            rest = self._counts.running + self._counts.left
            return self._pace.seconds_left(rest, self._clock.monotonic())

    def _keep_talking(self) -> None:
        while not self._clock.wait(self._over, TICK):
            self.talk()

    def talk(self) -> None:
        """Write the line that is due, if one is."""
        with self._lock:
            now, counts = self._clock.monotonic(), self._counts
            (before, said) = self._said
            if now - before < (EVERY if counts != said else ALIVE):
                return
            self._said = (now, counts)
            left = self._pace.seconds_left(counts.running + counts.left, now)
        place = f"{counts.before + counts.ended}/{counts.total}"
        self._output.notice(", ".join([place, *(each.text for each in _parts(counts, left))]))


class _Part(NamedTuple):
    """A part of the status; the one with the lowest `weight` is the first to be left out without room."""

    weight: int
    text: str
    colour: str = ""


def _parts(counts: Counts, seconds_left: float | None) -> list[_Part]:
    """The facts, in the order shown."""
    known = [
        (True, _Part(7, f"{counts.done} done", _GREEN)),
        (counts.before, _Part(1, f"{counts.before} done before")),
        (counts.running, _Part(3, f"{counts.running} running")),
        (counts.failed, _Part(6, f"{counts.failed} failed", _RED)),
        (counts.unknown, _Part(5, f"{counts.unknown} unknown", _YELLOW)),
        (counts.left, _Part(2, f"{counts.left} left")),
    ]
    parts = [part for shown, part in known if shown]
    if counts.spent is not None:
        parts.append(_Part(8, usd(counts.spent, estimated=counts.estimated)))
    if seconds_left is not None:
        parts.append(_Part(4, f"{duration(seconds_left)} left"))
    return parts


def usd(amount: float, *, estimated: bool = False) -> str:
    """An amount as people read it: `0.35 USD`; `~` marks an estimate."""
    return f"{'~' if estimated else ''}{digits(amount)} USD"


def duration(seconds: float) -> str:
    """A time span in the unit that suits it: `40 s`, `12 min`, `3 h 20 min`; rounded up, never to 0."""
    if seconds <= 90:
        return f"{max(math.ceil(seconds / 10), 1) * 10} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"


class BoardRows:
    """The rows of the board: a bar over all jobs, and the numbers below it."""

    def __init__(self, board: Board, screen: Screen) -> None:
        self._board, self._screen = board, screen

    @property
    def fraction(self) -> float | None:
        return self._board.counts.fraction

    def texts(self, columns: int) -> list[str]:
        """A bar and the numbers, each in at most `columns` columns."""
        counts = self._board.counts
        return [self._bar(counts, columns), self._numbers(counts, self._board.seconds_left(), columns)]

    def _bar(self, counts: Counts, columns: int) -> str:
        place = f"{counts.before + counts.ended}/{counts.total}"
        room = columns - len(place) - 1
        if room < NARROWEST_BAR:
            return place[:columns]
        full, half, half_rest = ("━", "╸", "╺") if self._screen.has_unicode else ("-", " ", " ")
        halves = int(2 * room * counts.fraction)
        done = full * (halves // 2) + half * (halves % 2)
        rest = room - len(done)
        if not self._screen.colour:
            return f"{done}{' ' * rest} {place}"
        begins = half_rest if done and rest and halves % 2 == 0 else ""
        colour = _GREEN if halves == 2 * room else _BAR
        return (
            f"{self._paint(done, colour)}{self._paint(begins + full * (rest - len(begins)), _REST)} {place}"
        )

    def _numbers(self, counts: Counts, seconds_left: float | None, columns: int) -> str:
        dot = " · " if self._screen.has_unicode else " | "
        parts = _parts(counts, seconds_left)
        while len(parts) > 1 and len(dot.join(part.text for part in parts)) > columns:
            parts.remove(min(parts))
        if len(parts) == 1:
            return parts[0].text[:columns]
        return self._paint(dot, _DIM).join(self._paint(part.text, part.colour) for part in parts)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._screen.colour and colour and text else text

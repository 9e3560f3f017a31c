"""The surface of live displays on a terminal: rows that are drawn again and again below all other output.

They are drawn here, since the display of rich is left on the screen by a stop or a resize.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol, TextIO

from mjcli.cli.output.features import NO_PROGRESS, progress_mark
from mjcli.cli.output.terminal import discard, in_foreground, write_all
from mjcli.cli.output.text import encode
from mjcli.cli.signals import hold, let_go, undisturbed

INDENT = 2  # columns before a picture, since the cursor is at the beginning of its first line
MARGIN = 2  # columns left free at the end of a row, where terminals differ in how they wrap
PERIOD = 0.125  # seconds between two frames
PATIENCE = 1.0  # seconds that a signal waits for a frame to be written
NEWS = 100  # lines that wait for the next frame; faster ones cannot be read

# A frame ends with the cursor shown and at its first character. So the cursor is never left hidden, even by
# SIGKILL, and wherever the terminal moves the text when it is resized, the display begins at the cursor.
_OPEN = (
    "\x1b[?25l\x1b[?7l\r"  # without wrapping, a row stays one row whatever the terminal thinks of its width
)
_CLOSE = "\r\x1b[?7h\x1b[?25h"
# Not from the first column: tmux moves a screen that is erased from its first cell into its history.
_ERASE = "\r\x1b[K\x1b[C\x1b[J\r"
# That is right after a resize, since tmux would bring back rows that had no room when the window grows again.
_ERASE_RESIZED = "\r\x1b[J"
_SAVE, _RESTORE = "\x1b7", "\x1b8"  # the place of the cursor
# The terminal shows what is between them at once; one that does not know them ignores them.
_TOGETHER, _SHOWN = "\x1b[?2026h", "\x1b[?2026l"
_END_STRING = "\x1b\\"  # of a picture that was written only in part


class Screen(NamedTuple):
    """A terminal for a live display; `size` returns its present columns and rows.

    `marks` says that it shows progress outside its text, in its tab or in the taskbar.
    """

    stream: TextIO
    colour: bool
    size: Callable[[], tuple[int, int]]
    marks: bool = False

    @property
    def has_unicode(self) -> bool:
        """Whether the terminal shows more than ASCII."""
        return (self.stream.encoding or "").lower().startswith("utf")


class Display(Protocol):
    """What a live display shows."""

    def texts(self, columns: int) -> list[str]:
        """The rows, each in at most `columns` columns, with colours."""

    @property
    def fraction(self) -> float | None:
        """How much is done, from 0 to 1; None if that is not known yet."""


class Picture(Protocol):
    """A picture in cells of the terminal. `text` draws it in free cells from the cursor on.

    `erase` removes it where erasing its cells is not enough.
    """

    @property
    def columns(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def erase(self) -> str: ...


class Pictures(Protocol):
    """What is shown above the rows of a live display."""

    def picture(self, columns: int, lines: int) -> Picture | None:
        """The present picture for a terminal of this size, None if there is none. Called for each frame."""


class Live:
    """A live display on standard error; all other messages go above it, and nothing of it is left at the end.

    It is drawn only while the program is in the foreground of its terminal.
    """

    def __init__(self, screen: Screen, display: Display) -> None:
        self._screen = screen
        self._display = display
        #: The source of pictures above the rows.
        self.pictures: Pictures | None = None
        self._picture: Picture | None = None  # on the screen, with its first cell at the cursor
        self._size = 0, 0  # of the terminal, when it was drawn
        self._news: deque[str] = deque(maxlen=NEWS)
        self._missed = 0  # lines that found no place in `_news`
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._paused = False
        self._drawn = False
        self._mark = ""
        with undisturbed():
            threading.Thread(target=self._keep_drawing, daemon=True).start()
        hold(self)
        self.draw()

    def above(self, text: str) -> None:
        """Write lines above the display."""
        with self._lock:
            self._write(f"{self._top()}{text}\n{self._frame()}")

    def add(self, line: str) -> None:
        """Write a line above the display with its next frame; of very many only the newest are shown."""
        with self._lock:
            self._missed += len(self._news) == NEWS
            self._news.append(line)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Remove the display while something else writes whole lines to the same terminal."""
        with self._lock:
            if top := self._top():
                self._write(top)
            self._drawn, self._picture = False, None
            try:
                yield
            finally:
                self.draw()

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Draw nothing within the block."""
        with self._lock:
            yield

    def stop(self) -> None:
        """End the display and remove it from the screen."""
        self._over.set()
        with undisturbed(), self._lock:
            let_go(self)
            if top := self._top():
                self._write(top)
            if (
                self._mark
            ):  # the mark is not part of the text, so it may be removed from the background as well
                self._write(NO_PROGRESS)
            self._drawn, self._picture, self._mark = False, None, ""

    def release(self) -> None:
        """Remove the display until `retake`; for the handler of a signal that stops or ends the program."""
        # The lock may belong to a thread that waits for the terminal.
        locked = self._lock.acquire(timeout=PATIENCE)
        try:
            self._paused = True
            rest = "" if locked or self.pictures is None else _END_STRING
            rest += NO_PROGRESS if self._mark else ""
            if self._drawn and in_foreground(self._screen.stream):
                rest += _SHOWN if self._picture is not None else ""
                rest += _CLOSE + self._erased()
            if rest:
                with suppress(OSError):
                    os.write(self._screen.stream.fileno(), rest.encode())
            self._drawn, self._picture, self._mark = False, None, ""
        finally:
            if locked:
                self._lock.release()

    def retake(self) -> None:
        """Draw again after a stop, from the next frame on."""
        # After SIGSTOP, which ran no `release`, the cursor is no longer where the display began.
        self._paused = self._drawn = False

    def _keep_drawing(self) -> None:
        while not self._over.wait(PERIOD):
            self.draw()

    def draw(self, *, patience: float = -1) -> None:
        """Show the present state now; after `patience` seconds in which a picture is written, with the next frame."""
        if not self._lock.acquire(timeout=patience):
            return
        try:
            top = self._top() if self._news else ""
            if text := top + self._frame():
                self._write(text)
        finally:
            self._lock.release()

    def _top(self) -> str:
        """What removes the display and writes the lines that wait; empty in the background, where they wait on."""
        if self._paused or not in_foreground(self._screen.stream):
            return ""
        more = [f"({self._missed} more)"] if self._missed else []
        lines = [*more, *self._news]
        self._news.clear()
        self._missed = 0
        erased = self._erased() if self._drawn else ""
        self._picture = None
        return erased + "".join(f"{line}\n" for line in lines)

    def _erased(self) -> str:
        """What removes the display, at whose beginning the cursor is."""
        return (self._picture.erase if self._picture is not None else "") + _ERASE

    def _frame(self) -> str:
        """What draws the display over its last state; empty if nothing is to be drawn now."""
        if self._paused or self._over.is_set() or not in_foreground(self._screen.stream):
            self._drawn, self._picture = False, None
            return ""
        size = columns, lines = self._screen.size()
        texts = self._display.texts(max(columns - MARGIN, 1))[-lines:]
        before, self._size = self._size, size
        erase = _ERASE if before == size else _ERASE_RESIZED
        picture = self._fitting(columns, lines, len(texts)) if texts else None
        old, self._picture = self._picture, picture
        if not texts:
            self._drawn = False
            return ""
        body = "\x1b[K\r\n".join(texts) + "\x1b[J"
        same = picture is old and (picture is None or (self._drawn and before == size))
        self._drawn = True
        if picture is None:
            cleared = "" if same or old is None else old.erase + erase
            return self._changed_mark() + _OPEN + cleared + body + _up(len(texts) - 1) + _CLOSE
        above = picture.rows
        if not same:
            # New lines first: what a terminal does when a picture does not fit differs.
            room = "\n" * (above + len(texts) - 1) + _up(above + len(texts) - 1)
            cleared = (old.erase if old is not None else "") + erase
            body = f"{cleared}{room}{_SAVE}\x1b[{INDENT}C{picture.text}{_RESTORE}\r\x1b[{above}B{body}"
        else:
            body = f"\x1b[{above}B{body}"
        frame = self._changed_mark() + _OPEN + body + _up(above + len(texts) - 1) + _CLOSE
        return frame if same else _TOGETHER + frame + _SHOWN

    def _fitting(self, columns: int, lines: int, rows: int) -> Picture | None:
        """The present picture, if there is room for it above so many rows."""
        picture = self.pictures.picture(columns, lines) if self.pictures is not None else None
        if picture is None or INDENT + picture.columns > columns - MARGIN or picture.rows + rows > lines:
            return None
        return picture

    def _changed_mark(self) -> str:
        """What shows the progress of all tasks outside the text; empty if it is shown already, or cannot be."""
        if not self._screen.marks:
            return ""
        fraction = self._display.fraction
        mark = progress_mark(None if fraction is None else min(int(100 * fraction), 100))
        if mark == self._mark:
            return ""
        self._mark = mark
        return mark

    def _write(self, text: str) -> None:
        """Write to the terminal; it may go away during a live display, and the job continues."""
        stream = self._screen.stream
        try:
            write_all(stream, encode(text, stream.encoding))
        except OSError:
            discard(stream)


def _up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows > 0 else ""

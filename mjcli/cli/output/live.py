"""Live displays on a terminal: the bar of a job, the bars of downloads. The only module that loads rich.

Rich lays out the rows. They are drawn here, since its own display is left on the screen by a stop or a resize.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, TextIO

from rich.console import Console, ConsoleDimensions
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from mjcli.cli.output.features import NO_PROGRESS, progress_mark
from mjcli.cli.output.terminal import discard, in_foreground, write_all
from mjcli.cli.output.text import encode
from mjcli.cli.signals import hold, let_go, undisturbed

NARROW = 44  # columns below which there is no room for a bar
MARGIN = 2  # columns left free at the end of a row, where terminals differ in how they wrap
PERIOD = 0.125  # seconds between two frames
PATIENCE = 1.0  # seconds that a signal waits for a frame to be written

# A frame ends with the cursor shown and at its first character. So the cursor is never left hidden, even by
# SIGKILL, and wherever the terminal moves the text when it is resized, the display begins at the cursor.
_OPEN = (
    "\x1b[?25l\x1b[?7l\r"  # without wrapping, a row stays one row whatever the terminal thinks of its width
)
_CLOSE = "\r\x1b[?7h\x1b[?25h"
_ERASE = "\r\x1b[J"


class Screen(NamedTuple):
    """A terminal for a live display; `size` returns its present columns and rows.

    `marks` says that it shows progress outside its text, in its tab or in the taskbar.
    """

    stream: TextIO
    colour: bool
    size: Callable[[], tuple[int, int]]
    marks: bool = False


class Rows:
    """The rows of a display: the tasks of a `Progress` of rich, which are drawn here instead of by rich.

    `parts` are the columns of each row; those that are `expendable` are omitted, in that order, without room.
    """

    def __init__(
        self, screen: Screen, parts: Sequence[ProgressColumn], expendable: Sequence[ProgressColumn]
    ) -> None:
        self._parts, self._expendable = parts, expendable
        # Rich fails at a COLUMNS such as "²", so it does not get the environment.
        self._console = Console(
            file=screen.stream,
            highlight=False,
            force_terminal=True,
            color_system="standard" if screen.colour else None,
            _environ={},
        )
        self.progress = Progress(console=self._console, auto_refresh=False, disable=True)

    def texts(self, columns: int) -> list[str]:
        """The visible rows, each in at most `columns` columns, with colours."""
        console = self._console
        console.size = ConsoleDimensions(columns, 1)
        table = self._table(columns)
        if not table.row_count:
            return []
        with console.capture() as captured:
            console.print(table, end="", no_wrap=True, overflow="ellipsis", crop=True)
        return captured.get().rstrip("\n").split("\n")

    def _table(self, columns: int) -> Table:
        """All rows, with a bar where there is room for one."""
        has_bars = columns >= NARROW
        parts = [each for each in self._parts if has_bars or not isinstance(each, BarColumn)]
        anywhere = self._console.options.update(max_width=NARROW * 2)
        omitted = iter(self._expendable)
        while True:
            self.progress.columns = tuple(parts)
            table = self.progress.make_tasks_table(self.progress.tasks)
            table.expand = has_bars
            for column in table.columns:
                column.overflow = "crop"  # an ellipsis would not be ASCII
            fits = has_bars or Measurement.get(self._console, anywhere, table).maximum <= columns
            next_omitted = None if fits else next(omitted, None)
            if next_omitted is None:
                return table
            parts.remove(next_omitted)


class Live:
    """A live display on standard error; all other messages go above it, and nothing of it is left at the end.

    It is drawn only while the program is in the foreground of its terminal.
    """

    def __init__(self, screen: Screen, rows: Rows, tasks: Sequence[TaskID]) -> None:
        self._screen = screen
        self._rows, self._tasks = rows, tasks
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._paused = False
        self._drawn = False
        self._mark = ""
        with undisturbed():
            threading.Thread(target=self._keep_drawing, daemon=True).start()
        hold(self)
        self._draw()

    @classmethod
    def for_job(cls, screen: Screen, *, bar: bool) -> Live:
        """Stage, percentage and elapsed time of a job; a spinner when no percentage will come."""
        label = TextColumn("{task.description}", markup=False)
        percentage = TextColumn("{task.percentage:>3.0f}%", markup=False)
        encoding = (screen.stream.encoding or "").lower()
        spinner = SpinnerColumn("dots" if encoding.startswith("utf") else "line")
        elapsed = TimeElapsedColumn()
        if bar:
            rows = Rows(screen, [label, BarColumn(bar_width=None), percentage, elapsed], [label, elapsed])
        else:
            rows = Rows(screen, [spinner, label, elapsed], [elapsed, label])
        return cls(screen, rows, [rows.progress.add_task("sent   " if bar else "waiting", total=100)])

    @classmethod
    def for_files(cls, screen: Screen, labels: Sequence[str]) -> Live:
        """One bar for each file."""
        label = TextColumn("{task.description}", markup=False)
        rows = Rows(screen, [label, BarColumn(bar_width=None), DownloadColumn()], [label])
        # Shown once bytes arrive: the file may already exist.
        return cls(screen, rows, [rows.progress.add_task(each, total=None, visible=False) for each in labels])

    def update(self, percent: int) -> None:
        """Show the progress of the job at once, so that no step is skipped."""
        self._rows.progress.update(self._tasks[0], completed=percent, description="drawing")
        self._draw()

    def file_progress(self, index: int, received: int, total: int | None) -> None:
        """Show the bytes received of file `index`."""
        progress, task = self._rows.progress, self._tasks[index]
        appears = not progress.tasks[index].visible
        progress.update(task, completed=received, total=total, visible=True)
        if appears:
            self._draw()

    def above(self, text: str) -> None:
        """Write a line above the display."""
        with self._lock:
            erase = _ERASE if self._drawn and in_foreground(self._screen.stream) else ""
            self._write(f"{erase}{text}\n{self._frame()}")

    def stop(self) -> None:
        """End the display and remove it from the screen."""
        self._over.set()
        with undisturbed(), self._lock:
            let_go(self)
            if self._drawn and in_foreground(self._screen.stream):
                self._write(_ERASE)
            if (
                self._mark
            ):  # the mark is not part of the text, so it may be removed from the background as well
                self._write(NO_PROGRESS)
            self._drawn, self._mark = False, ""

    def release(self) -> None:
        """Remove the display until `retake`; for the handler of a signal that stops or ends the program."""
        # The lock may belong to a thread that waits for the terminal.
        locked = self._lock.acquire(timeout=PATIENCE)
        try:
            self._paused = True
            rest = NO_PROGRESS if self._mark else ""
            if self._drawn and in_foreground(self._screen.stream):
                rest += _CLOSE + _ERASE
            if rest:
                with suppress(OSError):
                    os.write(self._screen.stream.fileno(), rest.encode())
            self._drawn, self._mark = False, ""
        finally:
            if locked:
                self._lock.release()

    def retake(self) -> None:
        """Draw again after a stop, from the next frame on."""
        # After SIGSTOP, which ran no `release`, the cursor is no longer where the display began.
        self._paused = self._drawn = False

    def _keep_drawing(self) -> None:
        while not self._over.wait(PERIOD):
            self._draw()

    def _draw(self) -> None:
        with self._lock:
            if frame := self._frame():
                self._write(frame)

    def _frame(self) -> str:
        """What draws the display over its last state; empty if nothing is to be drawn now."""
        if self._paused or self._over.is_set() or not in_foreground(self._screen.stream):
            self._drawn = False
            return ""
        columns, lines = self._screen.size()
        texts = self._rows.texts(max(columns - MARGIN, 1))[-lines:]
        self._drawn = bool(texts)
        up = f"\x1b[{len(texts) - 1}A" if len(texts) > 1 else ""
        if not texts:
            return ""
        return self._changed_mark() + _OPEN + "\x1b[K\r\n".join(texts) + "\x1b[J" + up + _CLOSE

    def _changed_mark(self) -> str:
        """What shows the progress of all tasks outside the text; empty if it is shown already, or cannot be."""
        if not self._screen.marks:
            return ""
        tasks = [task for task in self._rows.progress.tasks if task.visible]
        done, total = sum(task.completed for task in tasks), sum(task.total or 0 for task in tasks)
        known = done > 0 and all(task.total for task in tasks)
        mark = progress_mark(min(int(100 * done / total), 100) if known else None)
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

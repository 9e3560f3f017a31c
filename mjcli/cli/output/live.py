"""Live displays on a terminal: the bar of a job, the bars of downloads. The only module that loads rich."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TextIO, cast

from rich.console import Console, ConsoleDimensions, ConsoleOptions
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
from rich.text import Text

from mjcli.cli.output.terminal import discard

NARROW = 44  # columns below which there is no room for a bar


class Screen(NamedTuple):
    """A terminal for a live display; `columns` returns its present width."""

    stream: TextIO
    environ: Mapping[str, str]
    colour: bool
    columns: Callable[[], int]


class Live:
    """A live display on standard error; all other messages go above it."""

    def __init__(self, progress: Progress, tasks: Sequence[TaskID], *, job: bool) -> None:
        self._progress = progress
        self._tasks = tasks
        self._job = job
        progress.start()

    @classmethod
    def for_job(cls, screen: Screen, *, bar: bool) -> Live:
        """Stage, percentage and elapsed time of a job; a spinner when no percentage will come."""
        console = _Console(screen)
        wide = console.width >= NARROW
        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
        if bar:
            columns += [BarColumn(bar_width=None)] if wide else []
            columns += [TextColumn("{task.percentage:>3.0f}%", markup=False)]
        else:
            columns.insert(0, SpinnerColumn("dots" if (console.encoding or "").startswith("utf") else "line"))
        columns.append(TimeElapsedColumn())
        progress = _progress(console, columns)
        return cls(progress, [progress.add_task("sent   " if bar else "waiting", total=100)], job=True)

    @classmethod
    def for_files(cls, screen: Screen, labels: Sequence[str]) -> Live:
        """One bar for each file."""
        console = _Console(screen)
        wide = console.width >= NARROW
        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
        columns += [BarColumn(bar_width=None)] if wide else []
        columns += [DownloadColumn()]
        progress = _progress(console, columns)
        # Shown once bytes arrive: the file may already exist.
        tasks = [progress.add_task(label, total=None, visible=False) for label in labels]
        return cls(progress, tasks, job=False)

    def update(self, percent: int) -> None:
        """Show the progress of the job at once, so that no step is skipped."""
        self._progress.update(self._tasks[0], completed=percent, description="drawing", refresh=True)

    def file_progress(self, index: int, received: int, total: int | None) -> None:
        """Show the bytes received of file `index`."""
        self._progress.update(self._tasks[index], completed=received, total=total, visible=True)

    def above(self, text: str) -> None:
        """Write a line above the display."""
        self._progress.console.print(Text.from_ansi(text), soft_wrap=True)

    def stop(self, *, done: bool) -> None:
        """End the display and leave its last state on the screen."""
        try:
            if done and self._job:
                self._progress.update(self._tasks[0], completed=100, description="done   ")
            self._progress.stop()
        finally:
            self._progress.console.show_cursor()  # also when a signal cut this short


class _Terminal:
    """A terminal that may go away during a live display; the job continues."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Console(Console):
    """A console with room at the end of each line for the `^C` that the terminal echoes there.

    On a full line it would wrap, and the display would be drawn a second time. The width is ours: rich fails
    at a COLUMNS such as "²".
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        super().__init__(
            file=cast("TextIO", _Terminal(screen.stream)),
            markup=False,
            emoji=False,
            highlight=False,
            no_color=not screen.colour,
            force_terminal=True,
            _environ={key: value for key, value in screen.environ.items() if key not in ("COLUMNS", "LINES")},
        )

    @property
    def size(self) -> ConsoleDimensions:
        return ConsoleDimensions(self._screen.columns(), super().size.height)

    @size.setter
    def size(self, _size: tuple[int, int]) -> None:
        raise AttributeError("the size is the terminal's")

    @property
    def options(self) -> ConsoleOptions:
        options = super().options
        return options.update(max_width=max(options.max_width - len("^C"), 1))


def _progress(console: Console, columns: Sequence[ProgressColumn]) -> Progress:
    return Progress(
        *columns, console=console, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False
    )

"""What moves on a terminal: the live bar of a job, the bars of downloads. The only module that loads rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.console import Console, ConsoleOptions
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

from mjcli.render.output import discard

if TYPE_CHECKING:
    from mjcli.render.output import Output

NARROW = 44  # columns below which there is no room for a bar


class Live:
    """A live display on standard error; everything else said meanwhile goes above it."""

    def __init__(self, progress: Progress, tasks: Sequence[TaskID], *, job: bool) -> None:
        self._progress = progress
        self._tasks = tasks
        self._job = job
        progress.start()

    @classmethod
    def for_job(cls, output: Output, *, bar: bool) -> Live:
        """Stage, percentage and elapsed time of a job; a spinner when no percentage will come."""
        console = _console(output)
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
    def for_files(cls, output: Output, labels: Sequence[str]) -> Live:
        """A bar for each file that is fetched."""
        console = _console(output)
        wide = console.width >= NARROW
        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
        columns += [BarColumn(bar_width=None)] if wide else []
        columns += [DownloadColumn()]
        progress = _progress(console, columns)
        # Shown as soon as something of it arrives: a file may be there already.
        tasks = [progress.add_task(label, total=None, visible=False) for label in labels]
        return cls(progress, tasks, job=False)

    def update(self, percent: int) -> None:
        """The job has come this far; drawn at once, so that no step is skipped however fast they come."""
        self._progress.update(self._tasks[0], completed=percent, description="drawing", refresh=True)

    def file_progress(self, index: int, received: int, total: int | None) -> None:
        """So many bytes of file `index` are here."""
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
    """A terminal that may go away while something moves on it; the job goes on, and its answer counts."""

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
    """A console with room at the end of each line for the `^C` that the terminal itself echoes there.

    On a line that is full it would fall onto the next one, and the display be drawn a second time.
    """

    @property
    def options(self) -> ConsoleOptions:
        options = super().options
        return options.update(max_width=max(options.max_width - len("^C"), 1))


def _console(output: Output) -> Console:
    stream = output.stderr
    return _Console(
        file=cast("TextIO", _Terminal(stream)),
        markup=False,
        emoji=False,
        highlight=False,
        no_color=not output.colours(stream),
        force_terminal=True,
    )


def _progress(console: Console, columns: Sequence[ProgressColumn]) -> Progress:
    return Progress(
        *columns, console=console, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False
    )

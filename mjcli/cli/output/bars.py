"""The bars of one command's job and downloads. The only module that loads rich, which lays them out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleDimensions
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from mjcli.cli.output.live import PERIOD, Live, Screen

NARROW = 44  # columns below which there is no room for a bar


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

    @property
    def fraction(self) -> float | None:
        """How much of all tasks is done, from 0 to 1; None if that is not known yet."""
        tasks = [task for task in self.progress.tasks if task.visible]
        done, total = sum(task.completed for task in tasks), sum(task.total or 0 for task in tasks)
        return done / total if done > 0 and all(task.total for task in tasks) else None


class JobBar(Live):
    """Stage, percentage and elapsed time of a job; a spinner when no percentage will come (`bar`)."""

    def __init__(self, screen: Screen, *, bar: bool) -> None:
        label = TextColumn("{task.description}", markup=False)
        percentage = TextColumn("{task.percentage:>3.0f}%", markup=False)
        elapsed = TimeElapsedColumn()
        if bar:
            rows = Rows(screen, [label, BarColumn(bar_width=None), percentage, elapsed], [label, elapsed])
        else:
            spinner = SpinnerColumn("dots" if screen.has_unicode else "line")
            rows = Rows(screen, [spinner, label, elapsed], [elapsed, label])
        self._progress = rows.progress
        self._task = rows.progress.add_task("sent   " if bar else "waiting", total=100)
        super().__init__(screen, rows)

    def update(self, percent: int) -> None:
        """Show the progress of the job at once, so that no step is skipped."""
        self._progress.update(self._task, completed=percent, description="drawing")
        self.draw(patience=PERIOD if self.pictures is not None else -1)


class FileBars(Live):
    """One bar for each file."""

    def __init__(self, screen: Screen, labels: Sequence[str]) -> None:
        label = TextColumn("{task.description}", markup=False)
        rows = Rows(screen, [label, BarColumn(bar_width=None), DownloadColumn()], [label])
        self._progress = rows.progress
        # Shown once bytes arrive: the file may already exist.
        self._tasks = [rows.progress.add_task(each, total=None, visible=False) for each in labels]
        super().__init__(screen, rows)

    def update(self, index: int, received: int, total: int | None) -> None:
        """Show the bytes received of file `index`."""
        progress = self._progress
        appears = not progress.tasks[index].visible
        progress.update(self._tasks[index], completed=received, total=total, visible=True)
        if appears:
            self.draw()

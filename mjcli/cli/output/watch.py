"""Progress of jobs and downloads: a live bar on a terminal, plain lines elsewhere, events for scripts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mjcli.cli.output.sink import Output
from mjcli.cli.output.terminal import terminal_size
from mjcli.cli.signals import undisturbed
from mjcli.errors import DownloadError

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.output.bars import FileBars, JobBar
    from mjcli.cli.output.live import Live, Screen
    from mjcli.cli.output.pictures.preview import Preview


class JobWatch:
    """Shows the progress of one job (an `Observer` of `mjcli.jobs`); use it as a context manager.

    `bar` says that progress will come (else a spinner turns); `print_events` prints every event, as
    `--json --stream` asks. `preview` makes what takes the pictures of the events, once the request was sent.
    """

    def __init__(
        self,
        output: Output,
        *,
        bar: bool = True,
        print_events: bool = False,
        preview: Callable[[Live | None], Preview | None] = lambda _: None,
    ) -> None:
        self._output = output
        self._bar = bar
        self._print_events = print_events
        self._percent = -1
        self._shown: JobBar | None = None
        self._new_preview = preview
        self._preview: Preview | None = None

    def __enter__(self) -> JobWatch:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _place: object) -> None:
        if self._preview is not None:
            self._preview.end(hurry=error is not None)
        if self._shown is not None:
            end_live(self._output)

    def sent(self) -> None:
        self._output.detail("The request was sent; waiting for the response.")
        self._show_bar()
        if self._preview is None:
            self._preview = self._new_preview(self._shown)

    def _show_bar(self) -> None:
        output = self._output
        # Events on the same terminal would run into a bar.
        crowded = self._print_events and output.stdout_is_terminal
        if output.animates and not crowded and output.live is None:
            try:
                from mjcli.cli.output.bars import JobBar
            except ImportError:  # the program was replaced since; the job matters, not its bar
                return
            # A signal between drawing and storing the display would leave it on the screen.
            with undisturbed():
                output.live = self._shown = JobBar(screen_of(output), bar=self._bar)

    def accepted(self, task_id: str) -> None:
        if self._output.live is None:
            self._output.notice(f"task: {task_id}")

    def event(self, event: Result) -> None:
        if self._print_events:
            # Standard output that fails must not end a paid job; printing its result reports it.
            with contextlib.suppress(DownloadError):
                self._output.event(event.raw, event.document)
        self.progress(event.progress)
        if self._preview is not None:
            self._preview.event(event)

    def drained(self) -> None:
        if self._print_events:
            with contextlib.suppress(DownloadError):
                self._output.flush()

    def progress(self, percent: int | None) -> None:
        # Never backwards: a lower number is the service counting another stage.
        if percent is None or percent <= self._percent:
            return
        self._percent = percent
        if self._shown is not None:
            self._shown.update(percent)
        elif self._output.live is None and not self._print_events:
            self._output.notice(f"progress: {percent}%")

    def notice(self, sentence: str) -> None:
        self._output.notice(sentence)

    def warning(self, sentence: str) -> None:
        self._output.warning(sentence)


class FilesWatch:
    """Shows the progress of downloads: a bar for each file on a terminal, nothing elsewhere."""

    def __init__(self, output: Output, count: int) -> None:
        self._output = output
        numbers = range(1, count + 1)
        self._labels: Sequence[str] = [f"file {n}/{count}" for n in numbers] if count > 1 else ["file"]
        self._shown: FileBars | None = None

    def __enter__(self) -> Callable[[int, int, int | None], None]:
        output = self._output
        if not output.animates or output.live is not None:
            return lambda *_: None
        try:
            from mjcli.cli.output.bars import FileBars
        except ImportError:  # as above
            return lambda *_: None
        with undisturbed():
            output.live = self._shown = FileBars(screen_of(output), self._labels)
        return self._shown.update

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            end_live(self._output)


def screen_of(output: Output) -> Screen:
    """Standard error for a live display."""
    from mjcli.cli.output.features import shows_progress
    from mjcli.cli.output.live import Screen

    stderr, environ = output.stderr, output.environ
    return Screen(
        stderr, output.colours(stderr), lambda: terminal_size(stderr, environ), marks=shows_progress(environ)
    )


def end_live(output: Output) -> None:
    """Remove the live display."""
    if output.live is not None:
        try:
            output.live.stop()
        finally:
            output.live = None

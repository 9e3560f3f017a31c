"""A job as it is being made: a live bar on a terminal, plain lines elsewhere, events for scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mjcli.render.output import Output
from mjcli.signals import undisturbed

if TYPE_CHECKING:
    from mjcli.api.models import Result


class JobWatch:
    """Watches one job (the `Observer` of `mjcli.jobs`); use it as a context manager.

    `bar` says that progress will come (else a spinner turns); `print_events` writes every event to
    standard output, as `--json --stream` asks; `at_once` that only the task is waited for.
    """

    def __init__(
        self, output: Output, *, bar: bool = True, print_events: bool = False, at_once: bool = False
    ) -> None:
        self._output = output
        self._bar = bar
        self._print_events = print_events
        self._at_once = at_once
        self._percent = -1

    def __enter__(self) -> JobWatch:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        _end(self._output, done=kind is None and not self._at_once)

    def sent(self) -> None:
        self._output.detail("The request has left; waiting for the answer.")
        # Events on the same terminal would run into a bar.
        crowded = self._print_events and self._output.stdout_is_terminal
        if self._output.animates and not crowded and self._output.live is None:
            from mjcli.render.human import Live

            # Once the cursor is hidden, somebody must know that it is to be given back.
            with undisturbed():
                self._output.live = Live.for_job(self._output, bar=self._bar)

    def accepted(self, task_id: str) -> None:
        if self._output.live is None:
            self._output.notice(f"task: {task_id}")

    def event(self, event: Result) -> None:
        if self._print_events:
            self._output.event(event.raw, event.document)
        self.progress(event.progress)

    def drained(self) -> None:
        if self._print_events:
            self._output.flush()

    def progress(self, percent: int | None) -> None:
        # Never back: a number that falls is the service counting another stage.
        if percent is None or percent <= self._percent:
            return
        self._percent = percent
        if self._output.live is not None:
            self._output.live.update(percent)
        elif not self._print_events:
            self._output.notice(f"progress: {percent}%")

    def notice(self, sentence: str) -> None:
        self._output.notice(sentence)

    def doubt(self, sentence: str) -> None:
        self._output.warning(sentence)


class FilesWatch:
    """Watches downloads: a bar a file on a terminal, nothing elsewhere."""

    def __init__(self, output: Output, labels: Sequence[str]) -> None:
        self._output = output
        self._labels = labels

    def __enter__(self) -> Callable[[int, int, int | None], None]:
        if not self._output.animates or self._output.live is not None:
            return lambda *_: None
        from mjcli.render.human import Live

        with undisturbed():
            self._output.live = live = Live.for_files(self._output, self._labels)
        return live.file_progress

    def __exit__(self, kind: object, *_: object) -> None:
        _end(self._output, done=kind is None)


def _end(output: Output, *, done: bool) -> None:
    """Take the live display away, if there is one; until it is gone, an end in haste gives the cursor back."""
    if output.live is not None:
        try:
            output.live.stop(done=done)
        finally:
            output.live = None

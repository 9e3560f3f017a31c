"""What the jobs of a batch report while they run."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from mjcli.cli.batch.work import Piece
from mjcli.cli.output.batch import Place

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.output.sink import Output


def place_of(piece: Piece) -> Place:
    """Where the job of a piece comes from, for people."""
    return Place(piece.line.number, piece.line.key, piece.step, piece.line.words)


class Notices:
    """The notices of many jobs: one of each kind, since what happens to one happens to all."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._ended = False
        #: Whether the request of any job was sent.
        self.sent = False

    def end(self) -> None:
        """Show nothing more: the jobs are abandoned, and what happens to them now is no news."""
        self._ended = True

    def say(self, show: Callable[[str], None], piece: Piece, sentence: str) -> None:
        """Show a sentence about a job, unless one that differs in numbers alone was shown."""
        if self._ended:
            return
        kind = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]+", "0", sentence)
        with self._lock:
            known = kind in self._known
            self._known.add(kind)
        text = f"{place_of(piece)}: {sentence}"
        (self._output.detail if known else show)(text)

    def notice(self, piece: Piece, sentence: str) -> None:
        """Something worth knowing."""
        self.say(self._output.notice, piece, sentence)

    def warning(self, piece: Piece, sentence: str) -> None:
        """Something unexpected."""
        self.say(self._output.warning, piece, sentence)

    def detail(self, piece: Piece, sentence: str) -> None:
        """Something for debugging."""
        if not self._ended:
            self._output.detail(f"{place_of(piece)}: {sentence}")


class LineWatch:
    """What one job of a batch reports to."""

    def __init__(self, notices: Notices, piece: Piece) -> None:
        self._notices, self._piece = notices, piece

    def sent(self) -> None:
        """The request was sent."""
        self._notices.sent = True

    def accepted(self, task_id: str) -> None:
        """The task id is known."""
        self._notices.detail(self._piece, f"task {task_id}")

    def event(self, event: Result) -> None:
        """An intermediate event."""

    def drained(self) -> None:
        """All events were reported."""

    def progress(self, percent: int | None) -> None:
        """The task's progress."""

    def notice(self, sentence: str) -> None:
        """Something worth knowing happened."""
        self._notices.notice(self._piece, sentence)

    def warning(self, sentence: str) -> None:
        """Something unexpected was ignored."""
        self._notices.warning(self._piece, sentence)

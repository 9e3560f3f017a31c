"""Several jobs at a time whose output appears in the order requested, as if they ran one after the other."""

from __future__ import annotations

import threading
from _thread import RLock
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mjcli.cli.output.sink import Output
from mjcli.errors import ExitCode, Interrupted, OutputError

if TYPE_CHECKING:
    from mjcli.cli.output.live import Live

Step = Callable[[], object]  # prints something, or records a failure


class Turns:
    """Gives each job an output of its own, which waits until the jobs before it have ended.

    Use it as a context manager; its methods and the outputs may be used from any thread. At the end, also of an
    interrupted run, the jobs that ended are printed even if one before them did not.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._turns: dict[int, Turn] = {}
        self._now = 1  # the job whose turn it is
        self._printing = False  # whether a thread prints what is due
        self._broken = False  # whether standard output has failed
        self._stop: Interrupted | None = None  # standard output was closed

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _place: object) -> None:
        try:
            self.close()
        except Interrupted:
            if error is None:
                raise

    def turn(self, number: int) -> Turn:
        """The output of the job `number`, counted from 1. Use it as a context manager, which ends with the job."""
        with self._lock:
            return self._turns.setdefault(number, Turn(self._output, self))

    def close(self) -> None:
        """Print what the jobs that ended have left. Raises `Interrupted` if standard output was closed."""
        with self._lock:
            turns, self._turns = sorted(self._turns.items()), {}
        for step in [step for _, turn in turns if turn.ended for step in turn.waiting]:
            self._do(step)
        if self._stop is not None:
            raise self._stop

    def add(self, turn: Turn, step: Step | None) -> None:
        """Let `turn` wait for a step, or end it (None), and do all that is due.

        One thread at a time prints, without the lock: a slow reader of the output must not hold up the other
        jobs. Raises `Interrupted` if standard output was closed.
        """
        with self._lock:
            if step is None:
                turn.ended = True
            else:
                turn.waiting.append(step)
            if self._printing:
                return
            self._printing = True
        while (due := self._next()) is not None:
            try:
                self._do(due)
            except BaseException:
                self._printing = False
                raise

    def _next(self) -> Step | None:
        """The step that is due; None if there is none, so that another thread may print."""
        with self._lock:
            while (turn := self._turns.get(self._now)) is not None:
                if turn.waiting:
                    return turn.waiting.popleft()
                if not turn.ended:
                    break
                del self._turns[self._now]
                self._now += 1
            self._printing = False
            return None

    def _do(self, step: Step) -> None:
        """Do a step. Standard output that fails is reported once: it is not the fault of the job that prints."""
        if self._stop is not None:
            raise self._stop
        try:
            step()
        except OutputError as error:
            if not self._broken:
                self._broken = True
                self._output.alarm(error)
                self._output.fail(ExitCode.FILE)
        except Interrupted as stop:
            if stop.closed_pipe:
                self._stop = stop
            raise


class Turn(Output):
    """The output of one of several jobs: that of the command, once the jobs before this one have ended.

    It draws nothing itself, and messages go above what the command draws.
    """

    def __init__(self, output: Output, turns: Turns) -> None:
        vars(self).update(vars(output))  # the same streams, options and tokens
        self._output, self._turns = output, turns
        self._printing = (
            RLock()
        )  # its own, so that a slow reader of the command's output does not hold up this job
        self.waiting: deque[Step] = deque()
        self.ended = False

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _place: object) -> None:
        # A job that a signal interrupts has not ended.
        if error is None or isinstance(error, Exception):
            self._turns.add(self, None)

    @property
    def animates(self) -> bool:
        """Not by itself."""
        return False

    @property
    def live(self) -> Live | None:
        """What the command draws."""
        return self._output.live

    @live.setter
    def live(self, live: Live | None) -> None:
        self._output.live = live

    @property
    def notifies(self) -> bool:
        """Whether `ring` of the command notifies a person."""
        return self._output.notifies

    @notifies.setter
    def notifies(self, notifies: bool) -> None:
        self._output.notifies = notifies

    def fail(self, status: int) -> None:
        """Record a failure; the first one, in the order of the jobs, decides the exit status."""
        super().fail(status)
        self._turns.add(self, partial(self._output.fail, status))

    def _put(self, data: bytes, *, flush: bool = True) -> None:
        self._turns.add(self, partial(self._output._put, data, flush=flush))

    def _message(self, text: str) -> None:
        self._turns.add(self, partial(self._output._message, text))

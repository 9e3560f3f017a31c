"""The program of --exec: its words, and its runs, one for each event, in order, beside the main loop."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mjcli.errors import UsageError, without_stop

RUN_SECONDS = 900.0  # limit of one run
TERM_SECONDS = 2.0  # between SIGTERM and SIGKILL
_CHECK_SECONDS = 0.1  # between checks whether a run is to be terminated


def program(text: str) -> list[str]:
    """The program and its arguments in the text of --exec, split as the system's shell does.

    Raises `UsageError` for text that cannot be split and for a program that is not found.
    """
    try:
        words = split_words(text)
    except ValueError as error:
        raise UsageError(f'--exec "{text}" cannot be parsed: {error}.') from None
    found = shutil.which(words[0]) if words else None
    if found is None:
        raise UsageError(
            f'--exec: program "{words[0] if words else text}" not found.',
            hint="--exec takes one program and its arguments and does not use a shell",
        )
    # Windows itself adds no extension but .exe, so a script is run by its full name.
    return [found, *words[1:]] if os.name == "nt" else words


def split_words(text: str, *, windows: bool = os.name == "nt") -> list[str]:
    """Split a command line. On Windows, a backslash separates directories and only `"` quotes.

    Raises `ValueError` for a quotation mark without its pair.
    """
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if windows:
        lexer.escape, lexer.quotes = "", '"'
    return list(lexer)


class Run(NamedTuple):
    """One run: the words for messages, the program's variables and input, and what is called at its end.

    `stdin` returns the input when the run begins, so that it need not be held until then.
    """

    what: str
    variables: Mapping[str, str]
    stdin: Callable[[], bytes]
    over: Callable[[], None]


class Programs:
    """Runs a program for one event after another in a thread of its own.

    The output of the program goes to the file descriptor `stdout`. `warn` is called from that thread with what
    goes wrong. A run that exceeds its limit, or is in progress when `close` is called, is terminated with all
    processes of its group.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdout: int,
        warn: Callable[[str], None],
    ) -> None:
        self._words, self._environment, self._stdout = list(words), environment, stdout
        self._warn = warn
        self._runs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="exec", daemon=True)
        self._thread.start()

    def add(self, run: Run) -> None:
        """Run the program after the runs that were added before."""
        self._runs.put(run)

    def finish(self, seconds: float | None) -> None:
        """Wait until all runs are over, at most `seconds`, then close."""
        self._runs.put(None)
        self._thread.join(seconds)
        self.close()

    def close(self) -> None:
        """Terminate the run in progress and drop the later ones, with one warning."""
        self._closing.set()
        self._runs.put(None)
        self._thread.join()

    def _work(self) -> None:
        """Run the program for each event (in the thread)."""
        while (run := self._runs.get()) is not None and not self._closing.is_set():
            try:
                self._run(run)
            except Exception as error:  # it concerns this event alone
                self._warn(f"--exec could not be run for {run.what}: {without_stop(str(error))}.")
            finally:
                run.over()
        if run is not None:
            self._warn(f"--exec was not run for {_counted(1 + self._left())}.")

    def _run(self, run: Run) -> None:
        data: bytes | None = run.stdin()  # first: if it cannot be read, no program is left waiting for it
        process = subprocess.Popen(
            self._words,
            stdin=subprocess.PIPE,
            stdout=self._stdout,
            env={**self._environment, **run.variables},
            start_new_session=True,  # so that all its processes can be terminated; Windows ignores it
        )
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            try:
                process.communicate(data, timeout=_CHECK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                data = None  # the rest follows
            if self._closing.is_set() or time.monotonic() >= deadline:
                _terminate(process)
                self._warn(self._termination(run))
                return
        if process.returncode != 0:
            self._warn(f"--exec exited with status {process.returncode} for {run.what}.")

    def _termination(self, run: Run) -> str:
        """Why a run was terminated, and which later ones are dropped for the same reason."""
        if not self._closing.is_set():
            return f"--exec was terminated for {run.what}, because it ran for {RUN_SECONDS:g} seconds."
        left = self._left()
        more = f", and not run for {_counted(left)} after it" if left else ""
        return f"--exec was still running for {run.what} and was terminated{more}."

    def _left(self) -> int:
        """Drop the runs that have not begun; return their number."""
        count = 0
        with contextlib.suppress(queue.Empty):
            while True:
                run = self._runs.get_nowait()
                if run is not None:
                    count += 1
                    run.over()
        self._runs.put(None)
        return count


def _counted(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group: first politely, then in any case."""
    _signal(process, "SIGTERM")
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(TERM_SECONDS)
    _signal(process, "SIGKILL")
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _signal(process: subprocess.Popen[bytes], name: str) -> None:
    """Send a signal to a process and its group, if there are any left."""
    if os.name != "posix":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, getattr(signal, name))

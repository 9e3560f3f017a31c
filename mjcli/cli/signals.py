"""Signals: handled at once, held back where they must not interrupt, and the terminal left clean by each stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PAUSE = 0.05  # seconds in which the interpreter normally handles a signal


class Waker:
    """Interrupts the main thread after a signal, again and again until its handler has run."""

    def __init__(self) -> None:
        self._main = threading.get_ident()
        self._handled = False

    def handled(self, *_: object) -> None:
        """The handler of SIGURG. Python runs handlers in the order of their numbers, so this one is the last."""
        self._handled = True

    def run(self, signals: int) -> None:
        """Wake the main thread for each signal whose number arrives at the file descriptor `signals`."""
        while number := os.read(signals, 1):
            if number[0] == signal.SIGURG:
                continue
            self._handled = False
            # A fixed number of wakes is not enough: on a busy machine, all may come before the call blocks.
            while not self._handled:
                time.sleep(PAUSE)
                signal.pthread_kill(self._main, signal.SIGURG)


def stay_wakeable() -> None:
    """Make every signal wake the main thread. Call it there, once.

    Python runs handlers between bytecodes. A signal that arrives just before a blocking call (a sleep, a read
    from a socket) does not interrupt that call, and is only handled when the call ends, perhaps a minute
    later. So a second thread, which learns of each signal at once, interrupts the main thread again.
    """
    if sys.platform == "win32":
        return  # there, the main thread never waits for long
    signals, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    waker = Waker()
    # A signal that only interrupts; the system sends it for urgent data alone, which we never receive.
    signal.signal(signal.SIGURG, waker.handled)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    with undisturbed():  # inherited by the new thread: signals are for the main thread
        threading.Thread(target=waker.run, args=(signals,), daemon=True).start()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back the signals that end or stop the program until the block is done."""
    if sys.platform == "win32":
        yield
        return
    held_back = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held_back)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[Callable[[], int]]:
    """Let the first Ctrl-C within the block call `stop` instead of ending the program.

    Yields a function that returns the number of the signal, 0 before one came.
    """
    before = signal.getsignal(signal.SIGINT)
    came = 0

    def first(number: int, _frame: object) -> None:
        nonlocal came
        came = number
        signal.signal(number, before)
        stop()

    if before is signal.SIG_IGN:
        yield lambda: 0
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield lambda: came
    finally:
        if signal.getsignal(signal.SIGINT) is first:
            signal.signal(signal.SIGINT, before)


class User(Protocol):
    """What has changed the terminal for a time: a live display, a prompt."""

    def release(self) -> None:
        """Leave the terminal as a shell expects it. Called by signal handlers."""

    def retake(self) -> None:
        """Use the terminal again, after the program was stopped and continued."""


_users: list[User] = []


def hold(user: User) -> None:
    """Have the terminal restored by `user` when the program is stopped or killed, until `let_go`."""
    _users.append(user)


def let_go(user: User) -> None:
    """End `hold`; harmless if it has ended."""
    if user in _users:
        _users.remove(user)


def release_terminal() -> None:
    """Leave the terminal as a shell expects it, for a stop or an end that runs no clean-up."""
    for user in reversed(_users):
        user.release()


def leave_terminal_when_stopped() -> None:
    """Stop for Ctrl-Z with a clean terminal, and let a background job write without being stopped."""
    if sys.platform == "win32":
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # sent by `stty tostop`; a paid job must not wait for `fg`
    for number in (signal.SIGTSTP, signal.SIGTTIN):
        # Ignored where no shell could continue the program.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    signal.signal(signal.SIGCONT, _continued)  # after SIGSTOP


def _stop(number: int, _frame: object) -> None:
    """Stop as this signal does by default, so that the shell sees why."""
    release_terminal()
    before = signal.signal(number, signal.SIG_DFL), signal.signal(signal.SIGCONT, signal.SIG_DFL)
    signal.raise_signal(number)  # returns when the program is continued
    signal.signal(number, before[0])
    signal.signal(signal.SIGCONT, before[1])
    _continued()


def _continued(*_: object) -> None:
    for user in _users:
        user.retake()

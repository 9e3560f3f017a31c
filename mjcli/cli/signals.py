"""Signals: handled at once where the main thread waits, and held back where it must not be interrupted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
    if not hasattr(signal, "pthread_kill"):
        return  # on Windows, sleeps and reads are interrupted in another way
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
    """Hold back the signals that end the program until the block is done."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""Signals: noticed at once where the main thread waits, and held back where it must not be disturbed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE = 0.05  # seconds in which the interpreter normally has noticed a signal
WAKES = 3


def stay_wakeable() -> None:
    """Have every signal wake the main thread. Call it there, once.

    Python runs a handler between two of its own steps. A signal that comes just before a call that blocks (a
    sleep, a read from a socket) does not interrupt that call any more, and would be noticed when it ends,
    perhaps a minute later. So a thread that is told of each signal at once interrupts the main one again.
    """
    if not hasattr(signal, "pthread_kill"):
        return  # on Windows sleeps and reads are ended otherwise
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    # A signal that does nothing but interrupt; nobody sends it to a program without urgent data.
    signal.signal(signal.SIGURG, lambda *_: None)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    with undisturbed():  # the new thread inherits this: signals are for the main one
        threading.Thread(target=_wake, args=(told, threading.get_ident()), daemon=True).start()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals that would end the program wait until this is over."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wake(told: int, main: int) -> None:
    while number := os.read(told, 1):
        for _ in range(WAKES if number[0] != signal.SIGURG else 0):
            time.sleep(PAUSE)
            signal.pthread_kill(main, signal.SIGURG)

"""A signal at the worst moment for a lock."""

from __future__ import annotations

import signal
import threading

from mjcli.errors import Interrupted


def wait_and_be_stopped() -> None:
    """Wait for a condition; Ctrl-C comes after the wait, before the lock is taken again."""

    class Stopped(threading.Condition):
        def _acquire_restore(self, _state: object) -> None:
            raise Interrupted(signal.SIGINT)

    condition = Stopped(threading.Lock())
    with condition:
        condition.wait(0)

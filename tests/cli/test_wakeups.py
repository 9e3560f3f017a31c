"""A signal is handled even when it arrives too late to interrupt what the main thread waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix signals")

# The signal is delivered to another thread, so the sleep of the main one is not interrupted. The same happens
# when it arrives just before the sleep.
NOT_INTERRUPTED = """
import signal, sys, threading, time
from mjcli.cli.signals import stay_wakeable

def stop(number, frame):
    print("handled", flush=True)
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
stay_wakeable()
threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("asleep", flush=True)
time.sleep(300)
"""


def test_a_signal_that_does_not_interrupt_a_sleep_is_still_handled() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", NOT_INTERRUPTED], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asleep\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert out == "handled\n"
    assert process.returncode == 3


def test_the_main_thread_is_woken_until_the_handler_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it may not get to the blocking call for a long time."""
    from mjcli.cli import signals

    waker, wakes = signals.Waker(), []

    def kill(_thread: int, number: int) -> None:
        wakes.append(number)
        if len(wakes) == 10:
            waker.handled()

    monkeypatch.setattr(signal, "pthread_kill", kill)
    monkeypatch.setattr(signals, "PAUSE", 0)
    received, sender = os.pipe()
    with os.fdopen(received, "rb"):
        os.write(sender, bytes([signal.SIGTERM, signal.SIGURG]))
        os.close(sender)
        waker.run(received)
    assert wakes == [signal.SIGURG] * 10

"""A signal is noticed also where it comes too late to interrupt what the main thread waits for."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# The signal reaches another thread, so that the sleep of the main one is not interrupted: what also happens
# when it comes just before the sleep.
DEAF = """
import signal, sys, threading, time
from mjcli.signals import stay_wakeable

def stop(number, frame):
    print("noticed", flush=True)
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
stay_wakeable()
threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("asleep", flush=True)
time.sleep(300)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the signals of Unix")
def test_a_signal_that_does_not_interrupt_a_sleep_is_noticed_in_it() -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asleep\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert out == "noticed\n"
    assert process.returncode == 3

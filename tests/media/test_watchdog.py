"""One thread that ends whatever takes too long."""

from __future__ import annotations

import threading
import time

from mjcli.media.watchdog import Watchdog

FAR = 3600.0
SOON = 10.0  # seconds, the most that anything here takes


def test_what_takes_too_long_is_ended_once() -> None:
    ends: list[float] = []
    ended = threading.Event()

    def end() -> None:
        ends.append(time.monotonic())
        ended.set()

    due = time.monotonic() + 0.05
    watchdog = Watchdog()
    with watchdog.watching(lambda: due, end), watchdog.watching(lambda: due + FAR, lambda: None):
        assert ended.wait(SOON)
        with watchdog.watching(lambda: 0.0, end):  # ended too, so the thread has looked at both again
            while len(ends) < 2:
                assert ended.wait(SOON)
    assert len(ends) == 2
    assert ends[0] >= due


def test_what_comes_later_may_be_due_sooner() -> None:
    ended = threading.Event()
    watchdog = Watchdog()
    with watchdog.watching(lambda: time.monotonic() + FAR, lambda: None):
        due = time.monotonic() + 0.05
        with watchdog.watching(lambda: due, ended.set):
            assert ended.wait(SOON)


def test_progress_postpones_the_end() -> None:
    asked, ended = threading.Event(), threading.Event()
    pauses = iter([0.05, 0.05])

    def due() -> float:
        pause = next(pauses, None)
        if pause is None:
            asked.set()
        return time.monotonic() + (pause or FAR)

    with Watchdog().watching(due, ended.set):
        assert asked.wait(SOON)
        assert not ended.is_set()


def test_what_is_over_is_not_ended() -> None:
    too_late, other = threading.Event(), threading.Event()
    watchdog = Watchdog()
    due = time.monotonic() + 0.5
    with watchdog.watching(lambda: due + 0.05, other.set):
        with watchdog.watching(lambda: due, too_late.set):
            pass
        assert other.wait(SOON)
    assert not too_late.is_set()


def test_many_are_watched_by_one_thread_that_ends_with_them() -> None:
    before = threading.enumerate()
    watchdog = Watchdog()
    far = time.monotonic() + FAR
    for _ in range(50):
        with watchdog.watching(lambda: far, lambda: None), watchdog.watching(lambda: far, lambda: None):
            threads = [each for each in threading.enumerate() if each not in before]
            assert len(threads) == 1
    watchdog.close()
    for each in threads:
        each.join(SOON)
    assert not any(each.is_alive() for each in threads)


def test_it_watches_again_after_its_thread_has_ended() -> None:
    watchdog = Watchdog()
    for _ in range(3):
        ended = threading.Event()
        with watchdog.watching(lambda: 0.0, ended.set):
            assert ended.wait(SOON)
        watchdog.close()

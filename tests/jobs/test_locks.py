"""Locks on jobs, across processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mjcli.jobs.locks import JobLocks

OTHER = """
import sys
from pathlib import Path
from mjcli.jobs.locks import JobLocks
locks = JobLocks(Path(sys.argv[1]))
print([locks.acquire(number) for number in map(int, sys.argv[2:])], flush=True)
sys.stdin.read()
"""


@contextmanager
def another(path: Path, *numbers: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start another process that locks these jobs; yield it and what it printed."""
    command = [sys.executable, "-c", OTHER, str(path), *map(str, numbers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def test_only_one_process_can_lock_a_job(tmp_path: Path) -> None:
    locks = JobLocks(tmp_path / "lock")
    assert locks.acquire(1)
    assert locks.acquire(1)
    with another(tmp_path / "lock", 1, 2) as (_process, got):
        assert got == "[False, True]"
        assert not locks.acquire(2)
        assert locks.is_locked(2)
        assert not locks.is_locked(3)
    locks.close()


def test_the_locks_of_a_killed_process_are_released(tmp_path: Path) -> None:
    locks = JobLocks(tmp_path / "lock")
    with another(tmp_path / "lock", 1) as (process, _got):
        assert locks.is_locked(1)
        process.kill()
        process.wait()
        assert not locks.is_locked(1)
        assert locks.acquire(1)
    locks.close()


def test_a_released_job_can_be_locked_by_another_process(tmp_path: Path) -> None:
    locks = JobLocks(tmp_path / "lock")
    for number in (1, 2):
        locks.acquire(number)
    locks.release(1)
    locks.release(5)  # never locked
    assert locks.is_locked(2)
    assert not locks.is_locked(1)
    with another(tmp_path / "lock", 1, 2) as (_process, got):
        assert got == "[True, False]"
    locks.close()
    with another(tmp_path / "lock", 1, 2) as (_process, got):
        assert got == "[True, True]"


def test_every_job_can_be_locked_if_the_file_cannot_be_created(tmp_path: Path) -> None:
    locks = JobLocks(tmp_path / "no directory" / "lock")
    assert locks.acquire(1)
    assert not locks.is_locked(2)
    locks.close()

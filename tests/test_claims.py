"""Who has which job in hand, told from process to process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mjcli.claims import Claims

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")

OTHER = """
import sys
from pathlib import Path
from mjcli.claims import Claims
claims = Claims(Path(sys.argv[1]))
print([claims.take(number) for number in map(int, sys.argv[2:])], flush=True)
sys.stdin.read()
"""


@contextmanager
def another(path: Path, *numbers: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that takes these jobs, and what it got; it keeps them until it ends."""
    command = [sys.executable, "-c", OTHER, str(path), *map(str, numbers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def test_one_process_has_a_job_in_hand_and_another_does_not_get_it(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "lock")
    assert claims.take(1)
    assert claims.take(1)
    with another(tmp_path / "lock", 1, 2) as (_process, got):
        assert got == "[False, True]"
        assert not claims.take(2)
        assert claims.taken(2)
        assert not claims.taken(3)
    claims.close()


def test_what_a_killed_process_had_is_free(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "lock")
    with another(tmp_path / "lock", 1) as (process, _got):
        assert claims.taken(1)
        process.kill()
        process.wait()
        assert not claims.taken(1)
        assert claims.take(1)
    claims.close()


def test_what_is_let_go_of_can_be_had_by_others_and_the_rest_cannot(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "lock")
    for number in (1, 2):
        claims.take(number)
    claims.release(1)
    claims.release(5)  # never had
    assert claims.taken(2)
    assert not claims.taken(1)
    with another(tmp_path / "lock", 1, 2) as (_process, got):
        assert got == "[True, False]"
    claims.close()
    with another(tmp_path / "lock", 1, 2) as (_process, got):
        assert got == "[True, True]"


def test_where_the_file_cannot_be_made_every_job_can_be_had(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "no directory" / "lock")
    assert claims.take(1)
    assert not claims.taken(2)
    claims.close()

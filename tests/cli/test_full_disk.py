"""A ledger on a full disk: reading works, and a job that cannot be recorded is not sent."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from mjcli.jobs.database import MIGRATIONS
from tests.support.images import png
from tests.support.program import FULL_FILE_SYSTEM, UNPRIVILEGED, Mj, Result, run_after
from tests.support.service import Service, task_record

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")]

READING = [
    ("history",),
    ("history", "--json"),
    ("history", "show", "@1"),
    ("describe-task", "@1"),
    ("download", "@1"),
    ("action", "upscale1", "@1", "--dry-run"),
    ("resume",),
]


@pytest.fixture
def done(online: Mj, service: Service) -> Path:
    """The ledger after one job."""
    service.files["/files/cat.png"] = png(5000)
    result = service.result(task_id="task-1")
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, result)
    service.stream([result])
    online("imagine", "a cat", "--download")
    service.received.clear()
    return Path(online.env["MJ_DATA_DIR"]) / "ledger.db"


def on_full_disk(mj: Mj, *arguments: str) -> Result:
    """Run to completion where nothing can be written in the data directory."""
    result = run_after(mj, FULL_FILE_SYSTEM, *arguments)
    if result.status == 77:
        pytest.skip("mounting is not permitted")
    return result


def leave_a_log(ledger: Path) -> None:
    """Change the subject of the job in the write-ahead log alone, as a program that was killed leaves it."""
    copies = ledger.with_name("copies")
    copies.mkdir()
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("UPDATE jobs SET subject = 'in the log'")
        connection.commit()
        for suffix in ("", "-wal"):
            shutil.copy(f"{ledger}{suffix}", copies / f"ledger.db{suffix}")
    for path in copies.iterdir():
        path.replace(ledger.with_name(path.name))
    copies.rmdir()


def downgrade(ledger: Path) -> None:
    """Replace the ledger by one of the second version, with one job."""
    for path in ledger.parent.iterdir():
        path.unlink()
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        for _name, script in MIGRATIONS[:2]:
            connection.executescript(script)
        connection.execute("PRAGMA user_version = 2")
        connection.execute(
            "INSERT INTO jobs (uuid, profile, host, kind, path, request, state, created_at, changed_at)"
            " VALUES ('u-1', 'default', 'h', 'imagine', '/midjourney/imagine', '{}', 'done', 1, 1)"
        )
        connection.execute("UPDATE jobs SET subject = 'an old cat'")
        connection.commit()


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_commands_that_only_read_work(online: Mj, done: Path, arguments: tuple[str, ...]) -> None:
    result = on_full_disk(online, *arguments)
    assert result.status == 0, result.err
    assert "ledger" not in result.err


def test_changes_in_the_log_are_read(online: Mj, done: Path) -> None:
    leave_a_log(done)
    result = on_full_disk(online, "history")
    assert result.status == 0, result.err
    assert "in the log" in result.out


def test_changes_in_the_log_are_read_in_a_read_only_directory(online: Mj, done: Path) -> None:
    leave_a_log(done)
    done.with_name("ledger.db-shm").unlink(missing_ok=True)
    done.parent.chmod(0o500)
    for path in done.parent.iterdir():
        path.chmod(0o400)
    try:
        result = run_after(online, UNPRIVILEGED, "history")
    finally:
        done.parent.chmod(0o700)
    if result.err == "prctl\n":
        pytest.skip("the superuser's privileges cannot be dropped here")
    assert (result.status, result.err) == (0, "")
    assert "in the log" in result.out


def test_a_ledger_of_an_older_version_is_read(online: Mj, done: Path) -> None:
    downgrade(done)
    result = on_full_disk(online, "history")
    assert result.status == 0, result.err
    assert "an old cat" in result.out


@pytest.mark.parametrize(
    ("arguments", "can_skip_the_ledger"),
    [
        (("imagine", "a dog"), True),
        (("imagine", "a dog", "--image", "cat.png"), True),
        (("action", "upscale1", "@1"), True),
        (("imagine", "a dog", "--key", "k"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_job_that_cannot_be_recorded_is_not_sent(
    online: Mj, service: Service, done: Path, arguments: tuple[str, ...], can_skip_the_ledger: bool
) -> None:
    (online.cwd / "cat.png").write_bytes(png(300))
    result = on_full_disk(online, *arguments)
    assert result.status == 2
    assert f'No space left on the device with the ledger at "{done}". Nothing was sent.' in result.err
    assert "hint: free some space there" in result.err
    assert ("--no-ledger" in result.err) == can_skip_the_ledger
    assert service.posts() == service.posts("/files/upload") == []


def test_a_batch_whose_jobs_cannot_be_recorded_sends_nothing(
    online: Mj, service: Service, done: Path
) -> None:
    (online.cwd / "prompts.txt").write_text("a dog\na bird\n")
    result = on_full_disk(online, "batch", "prompts.txt", "--json")
    assert result.status == 2
    assert f'No space left on the device with the ledger at "{done}".' in result.err
    assert "hint: free some space there" in result.err
    assert service.posts() == []


def test_a_command_without_the_option_does_not_suggest_it(online: Mj, done: Path) -> None:
    result = on_full_disk(online, "listen", "--port", "0")
    assert result.status == 2
    assert "No space left on the device" in result.err
    assert "--no-ledger" not in result.err

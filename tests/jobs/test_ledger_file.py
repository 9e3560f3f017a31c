"""The ledger's file: copies before migrations, the journal, damage, and what other processes do to it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mjcli.errors import ConfigError
from mjcli.jobs import damage, database
from mjcli.jobs.database import MIGRATIONS
from mjcli.jobs.ledger import KeyTaken, Ledger
from tests.jobs.test_ledger import HOST, record, rows, unexpected
from tests.support.forks import run_forks
from tests.support.systems import posix


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(path, notice=unexpected)
    yield opened
    opened.close()


def older(path: Path, version: int, jobs: int) -> None:
    """Create a ledger of an earlier version with some jobs."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for _name, script in MIGRATIONS[:version]:
        connection.executescript(script)
    for number in range(jobs):
        connection.execute(
            "INSERT INTO jobs (uuid, profile, host, kind, path, request, state, created_at, changed_at)"
            " VALUES (?, 'default', ?, 'imagine', '/midjourney/imagine', '{\"prompt\": \"a cat\"}', 'done', 1, 1)",
            (f"uuid-{number}", HOST),
        )
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()


def jobs_in(path: Path) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT uuid FROM jobs ORDER BY number").fetchall()


# -- copies before migrations --------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_the_ledger_is_copied_before_a_migration(path: Path, version: int) -> None:
    older(path, version, jobs=3)
    before = os.umask(0)
    try:
        with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
            assert [job.uuid for job in ledger.newest_first("default")] == ["uuid-2", "uuid-1", "uuid-0"]
    finally:
        os.umask(before)
    (copy,) = [each for each in path.parent.iterdir() if "before" in each.name]
    assert copy.name == f"ledger.db.before-{len(MIGRATIONS)}"
    assert os.name == "nt" or stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert jobs_in(copy) == [("uuid-0",), ("uuid-1",), ("uuid-2",)]
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_an_empty_or_current_ledger_is_not_copied(path: Path) -> None:
    older(path, 2, jobs=0)
    for _ in range(2):
        Ledger.open(path, notice=unexpected).close()
    assert not [each for each in path.parent.iterdir() if "before" in each.name]


def test_without_room_for_the_copy_the_ledger_is_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older(path, 2, jobs=1)
    full = OSError(28, "No space left on device")

    def fail(*_: object) -> None:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(database.os, "open", fail)
        with pytest.raises(ConfigError, match="No space left"):
            Ledger.open(path, notice=unexpected)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert not [each for each in path.parent.iterdir() if "before" in each.name]
    Ledger.open(path, notice=unexpected).close()
    assert len(jobs_in(path.with_name(f"ledger.db.before-{len(MIGRATIONS)}"))) == 1


def test_threads_that_migrate_at_once_leave_one_whole_copy(path: Path) -> None:
    older(path, 1, jobs=500)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            Ledger.open(path, notice=unexpected).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(jobs_in(path.with_name(f"ledger.db.before-{len(MIGRATIONS)}"))) == 500


# -- the journal ---------------------------------------------------------------------------------------


def journal(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_a_network_file_system_gets_a_rollback_journal_and_one_notice(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.jobs.database.network_file_system", lambda _path: "nfs4")
    monkeypatch.setattr("mjcli.jobs.ledger.network_file_system", lambda _path: "nfs4")
    notices: list[str] = []
    for _ in range(3):
        with contextlib.closing(Ledger.open(path, notice=notices.append)) as ledger:
            record(ledger)
    (notice,) = notices
    assert "nfs4" in notice
    assert "one host at a time" in notice
    assert journal(path) == "delete"
    assert len(rows(path)) == 3


def test_a_ledger_that_was_moved_to_a_network_file_system_loses_its_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
        record(ledger)
    assert journal(path) == "wal"
    monkeypatch.setattr("mjcli.jobs.database.network_file_system", lambda _path: "cifs")
    monkeypatch.setattr("mjcli.jobs.ledger.network_file_system", lambda _path: "cifs")
    notices: list[str] = []
    Ledger.open(path, notice=notices.append).close()
    assert (journal(path), len(notices), len(rows(path))) == ("delete", 1, 1)


@pytest.mark.slow
def test_processes_share_a_ledger_with_a_rollback_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.jobs.database.network_file_system", lambda _path: "nfs")
    monkeypatch.setattr("mjcli.jobs.ledger.network_file_system", lambda _path: "nfs")
    ledgers = [Ledger.open(path, notice=lambda _: None) for _ in range(4)]

    def work(ledger: Ledger) -> None:
        for _ in range(10):
            ledger.mark_sent(record(ledger))
            list(ledger.newest_first("default"))

    threads = [threading.Thread(target=work, args=[each]) for each in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in ledgers:
        each.close()
    assert len(rows(path)) == 40


# -- damaged rows --------------------------------------------------------------------------------------

DAMAGES = [
    "request = '{\"prompt\": '",
    "request = '[1]'",
    "request = 'null'",
    "request = x'ff00'",
    "request = CAST(x'7bff7d' AS TEXT)",
    f"request = '{'[' * 100_000}'",
    "result = '{broken'",
    "result = '\"text\"'",
    "error = '[]'",
    "error = '{\"code\": 5}'",
    "files = '{}'",
    "files = '[null]'",
    "files = ''",
    "files_asked = '7'",
    "files_sha256 = '{}'",
    "files_due = 'many'",
    "files_due = -1",
    "created_at = 'yesterday'",
    "created_at = 1e400",
    "created_at = -1e300",
    "sent_at = 1e300",
    "sent_at = x'00'",
    "task_id = x'ff'",
    "task_id = ''",
    "image_id = CAST(x'ff' AS TEXT)",
    "subject = CAST(x'c328' AS TEXT)",
    "kind = ''",
    "path = x'00'",
    "clock_offset = 1e300",
    "clock_offset = 'fast'",
    "uuid = x'ff'",
    "state = 'lost'",
]


@pytest.mark.parametrize("damage_of", DAMAGES, ids=[each[:40] for each in DAMAGES])
def test_a_damaged_row_costs_only_itself(path: Path, damage_of: str) -> None:
    with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
        uuids = [record(ledger, f"prompt {number}") for number in range(3)]
        for uuid in uuids:
            ledger.mark_sent(uuid)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE jobs SET {damage_of} WHERE number = 2")
    warnings: list[str] = []
    with contextlib.closing(Ledger.open(path, notice=warnings.append)) as ledger:
        others = [uuids[0], uuids[2]]
        assert [job.uuid for job in ledger.newest_first("default")] == others[::-1]
        assert [job.uuid for job in ledger.unfinished("default")] == others
        assert [(job and job.uuid) for job in (ledger.nth_newest("default", n) for n in (1, 2, 3))] == [
            uuids[2],
            uuids[0],
            None,
        ]
        assert ledger.get(uuids[1]) is None
        assert ledger.with_id_prefix("default", uuids[1], limit=5) == []
        ledger.in_flight(HOST)
        ledger.newest_with_image("default")
        record(ledger)
    (warning,) = warnings
    assert warning.startswith(("Job number 2 is damaged", f"Job {uuids[1][:8]} is damaged"))


def test_a_row_on_a_damaged_page_costs_only_itself(path: Path) -> None:
    with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
        long = "x" * 60_000
        uuids = [record(ledger, "short"), record(ledger, long), record(ledger, "short")]
        ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    data = bytearray(path.read_bytes())
    # Cut the chain of overflow pages that hold the long prompt: each begins with the number of the next.
    page = next(n for n in range(1, len(data) // 4096) if data[n * 4096 + 4 : n * 4096 + 4096] == b"x" * 4092)
    data[page * 4096 : page * 4096 + 4] = b"\xff\xff\xff\x00"
    path.write_bytes(data)
    warnings: list[str] = []
    with contextlib.closing(Ledger.open(path, notice=warnings.append)) as ledger:
        assert [job.uuid for job in ledger.newest_first("default")] == [uuids[2], uuids[0]]
        assert [job.uuid for job in ledger.unfinished("default")] == [uuids[0], uuids[2]]
    assert len(warnings) == 1
    assert "number 2" in warnings[0]
    assert path.exists()


# -- a damaged file and several processes --------------------------------------------------------------


def test_a_new_ledger_of_another_process_is_not_set_aside(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower of two processes finds the damaged file replaced when it gets the lock."""
    path.parent.mkdir()
    path.write_bytes(b"this is not a database, " * 500)
    real = damage.set_aside
    other: list[Ledger] = []

    def slower(*arguments: Any, **options: Any) -> Path | None:
        if not other:
            monkeypatch.setattr("mjcli.jobs.ledger.set_aside", real)
            other.append(Ledger.open(path, notice=lambda _: None))
            record(other[0], "of the faster process")
        return real(*arguments, **options)

    monkeypatch.setattr("mjcli.jobs.ledger.set_aside", slower)
    notices: list[str] = []
    with contextlib.closing(Ledger.open(path, notice=notices.append)) as ledger:
        record(ledger, "of the slower process")
    other[0].close()
    assert notices == []
    assert len(rows(path)) == 2
    assert len([each for each in path.parent.iterdir() if ".damaged-" in each.name]) == 1


def test_a_ledger_that_another_process_sets_aside_while_it_is_opened_is_created_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database, " * 500)
    real = database.check_is_file

    def faster_process(opened: Path) -> None:
        monkeypatch.setattr("mjcli.jobs.ledger.check_is_file", real)
        damage.set_aside(path, damage.identity_of(path))
        real(opened)

    monkeypatch.setattr("mjcli.jobs.ledger.check_is_file", faster_process)
    with contextlib.closing(Ledger.open(path, notice=lambda _: None)) as ledger:
        record(ledger, "of the slower process")
    assert len(rows(path)) == 1


TOGETHER = """
import os, sys
from pathlib import Path
from mjcli.jobs.ledger import Ledger

def work(number):
    os.read(start, 1)
    ledger = Ledger.open(Path(sys.argv[1]), notice=lambda sentence: None)
    ledger.record(
        profile="default", host="h", kind="imagine", path="/p", request={"prompt": str(number)},
        files_asked=None, parent_image=None, subject=str(number),
    )
    ledger.close()
"""


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    "content", [b"this is not a database, " * 500, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_processes_that_find_a_damaged_ledger_at_once_lose_no_job(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert run_forks(TOGETHER, path, 20, seconds=60) == (0, "")
    assert len(rows(path)) == 20
    assert len([each for each in path.parent.iterdir() if ".damaged-" in each.name]) == 1


def test_the_log_of_a_damaged_ledger_moves_with_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).write_text(suffix)
    monkeypatch.setattr(damage, "_is_damaged", lambda _path: True)
    aside = damage.set_aside(path, damage.identity_of(path))
    assert aside is not None
    for suffix in ("", "-wal", "-shm", "-journal"):
        assert aside.with_name(aside.name + suffix).read_text() == suffix
        assert not path.with_name(path.name + suffix).exists()


def test_a_damaged_schema_is_a_damaged_ledger(path: Path) -> None:
    """SQLite quotes it in its error, which is then not UTF-8."""
    with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
        record(ledger)
    data = path.read_bytes()
    # Earlier texts of the schema may remain in unused parts of the page.
    path.write_bytes(data.replace(b"CREATE TABLE jobs", b"CREATE TABL\xb8 jobs"))
    notices: list[str] = []
    Ledger.open(path, notice=notices.append).close()
    assert len(notices) == 1
    assert jobs_in(path) == []


@posix
@pytest.mark.parametrize("what", ["delete", "move", "replace", "delete the directory"])
def test_a_ledger_that_disappears_during_a_job_is_noticed(path: Path, what: str) -> None:
    ledger = Ledger.open(path, notice=unexpected)
    uuid = record(ledger)
    ledger.mark_sent(uuid)
    ledger.mark_running(uuid, "task-1")
    aside = path.with_name("aside")
    if what == "delete":
        path.unlink()
    elif what == "delete the directory":
        path.parent.rename(path.parent.with_name("elsewhere"))
    else:
        path.rename(aside)
    if what == "replace":
        Ledger.open(path, notice=unexpected).close()
    with pytest.raises(ConfigError, match="was deleted or replaced") as caught:
        ledger.mark_done(uuid, {}, image_id=None)
        ledger.set_files(uuid, [])
    assert "task-1" in caught.value.message
    ledger.close()


@posix
def test_nothing_is_sent_once_the_ledger_has_disappeared(path: Path) -> None:
    ledger = Ledger.open(path, notice=unexpected)
    uuid = record(ledger)
    path.unlink()
    with pytest.raises(ConfigError):
        ledger.mark_sent(uuid)
    ledger.close()


# -- keys and hashes -----------------------------------------------------------------------------------


def test_a_key_belongs_to_one_job_of_a_profile(ledger: Ledger) -> None:
    uuid = record(ledger, key="k", key_fingerprint="f")
    with pytest.raises(KeyTaken):
        record(ledger, key="k")
    record(ledger, profile="work", key="k")
    job = ledger.by_key("default", "k")
    assert job is not None
    assert (job.uuid, job.key, job.key_fingerprint) == (uuid, "k", "f")
    assert ledger.by_key("default", "other") is None


def test_of_many_that_want_a_key_one_gets_it(path: Path) -> None:
    ledgers = [Ledger.open(path, notice=unexpected) for _ in range(8)]
    start, got = threading.Barrier(len(ledgers)), []

    def claim(ledger: Ledger) -> None:
        start.wait()
        with contextlib.suppress(KeyTaken):
            got.append(record(ledger, key="k"))

    threads = [threading.Thread(target=claim, args=[each]) for each in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in ledgers:
        each.close()
    assert len(got) == len(rows(path)) == 1


def test_a_resubmitted_job_takes_the_key_with_it(ledger: Ledger) -> None:
    uuid = record(ledger, key="k", key_fingerprint="f")
    ledger.mark_sent(uuid)
    ledger.mark_unknown(uuid, None, code="network", message="lost")
    fresh = ledger.resubmit(uuid)
    job = ledger.by_key("default", "k")
    assert job is not None
    assert fresh is not None
    assert (job.uuid, job.key_fingerprint) == (fresh.uuid, "f")


def test_hashes_stay_with_their_files(ledger: Ledger) -> None:
    uuid = record(ledger)
    ledger.set_files(uuid, ["/a", "/b"], sha256=["1", None])
    ledger.set_files(uuid, ["/b", "/a", "/c"])
    job = ledger.get(uuid)
    assert job is not None
    assert (job.files, job.files_sha256) == (["/b", "/a", "/c"], [None, "1", None])
    ledger.set_files(uuid, ["/c"])
    job = ledger.get(uuid)
    assert job is not None
    assert job.files_sha256 is None


def test_closing_it_waits_for_the_statement_of_another_thread(path: Path) -> None:
    """SQLite crashes if a connection is closed while a statement of another thread runs."""
    ledger = Ledger.open(path, notice=unexpected)
    errors: list[BaseException] = []
    counted = threading.Event()

    def count() -> None:
        try:
            while True:
                ledger.count("default")
                counted.set()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    assert counted.wait(10)
    ledger.close()
    thread.join(10)
    (error,) = errors
    assert isinstance(error, ConfigError)


def test_a_ledger_that_another_thread_uses_is_not_closed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.jobs.ledger.CLOSE_SECONDS", 0.01)
    begun, closed, found = threading.Event(), threading.Event(), list[str]()

    def use() -> None:
        with ledger._transaction():
            begun.set()
            closed.wait()
            found.append(record(ledger))

    thread = threading.Thread(target=use)
    thread.start()
    begun.wait()
    ledger.close()
    closed.set()
    thread.join()
    assert rows(ledger.path, "uuid") == [(uuid,) for uuid in found]
    assert found

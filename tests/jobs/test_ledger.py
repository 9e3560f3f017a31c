"""The ledger alone: durability, sharing between processes, and files that it refuses to open."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mjcli.errors import ConfigError, Interrupted
from mjcli.jobs import database
from mjcli.jobs.database import MIGRATIONS
from mjcli.jobs.ledger import Ledger
from tests.jobs.fakes import FakeClock
from tests.support.forks import run_forks
from tests.support.systems import posix

HOST = "https://api.example"


def unexpected(sentence: str) -> None:
    raise AssertionError(sentence)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(path, notice=unexpected)
    yield opened
    opened.close()


def record(ledger: Ledger, prompt: str = "a cat", *, profile: str = "default", **fields: Any) -> str:
    given: dict[str, Any] = {
        "host": HOST,
        "kind": "imagine",
        "path": "/midjourney/imagine",
        "request": {"action": "generate", "prompt": prompt},
        "files_asked": None,
        "parent_image": None,
        "subject": prompt,
        **fields,
    }
    return ledger.record(profile=profile, **given)


def rows(path: Path, columns: str = "state, task_id") -> list[tuple[Any, ...]]:
    """Return the rows as another process sees them."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT {columns} FROM jobs ORDER BY number").fetchall()
    finally:
        connection.close()


def test_other_processes_see_a_row_as_soon_as_record_returns(ledger: Ledger, path: Path) -> None:
    uuid = record(ledger, files_asked={"directory": "/x", "template": "y"}, parent_image="p")
    ((found, state, request, files, parent),) = rows(path, "uuid, state, request, files_asked, parent_image")
    assert (found, state, parent) == (uuid, "submitting", "p")
    assert json.loads(request) == {"action": "generate", "prompt": "a cat"}
    assert json.loads(files) == {"directory": "/x", "template": "y"}


def test_every_commit_except_the_first_is_flushed_before_the_call_returns(ledger: Ledger) -> None:
    """The next commit flushes the first one, before anything is sent."""
    statements: list[str] = []
    ledger._connection.set_trace_callback(statements.append)
    uuid = record(ledger)
    flushed = (
        statements.index("COMMIT") > statements.index("PRAGMA synchronous = FULL")
        if "COMMIT" in statements
        else None
    )
    assert flushed is False
    statements.clear()
    assert ledger.mark_sent(uuid)
    assert [each.split()[0] for each in statements] == ["BEGIN", "UPDATE", "COMMIT"]
    ((synchronous,),) = ledger._connection.execute("PRAGMA synchronous").fetchall()
    ((journal,),) = ledger._connection.execute("PRAGMA journal_mode").fetchall()
    assert synchronous == 2  # FULL
    assert journal == "wal"


def test_every_change_is_committed_when_the_call_returns(ledger: Ledger, path: Path) -> None:
    uuid = record(ledger)
    ledger.mark_running(uuid, "t1")
    assert rows(path) == [("running", "t1")]
    ledger.mark_done(uuid, {"task_id": "t1", "x": None, "é": "猫"}, image_id="i1")
    assert rows(path, "state, task_id, image_id") == [("done", "t1", "i1")]
    ledger.set_files(uuid, ["/a/é.png"])
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.files == ["/a/é.png"]
    assert job.result == {"task_id": "t1", "x": None, "é": "猫"}


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_a_failed_or_unknown_job_has_a_code_and_a_message(ledger: Ledger, path: Path, state: str) -> None:
    uuid = record(ledger)
    ledger.mark_running(uuid, "t1")
    if state == "failed":
        ledger.mark_failed(uuid, code="network", message="gone")
    else:
        ledger.mark_unknown(uuid, "t1", code="network", message="gone")
    assert rows(path) == [(state, "t1")]
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.error == {"code": "network", "message": "gone"}


def test_a_later_success_clears_the_error(ledger: Ledger) -> None:
    uuid = record(ledger)
    ledger.mark_running(uuid, "t1")
    ledger.mark_unknown(uuid, "t1", code="network", message="gone")
    ledger.mark_done(uuid, {}, image_id=None)
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.error is None


def test_a_job_whose_task_was_found_meanwhile_is_not_marked_unknown(ledger: Ledger, path: Path) -> None:
    uuid = record(ledger)
    assert ledger.adopt(uuid, HOST, "t1")
    ledger.mark_unknown(uuid, None, code="network", message="not found by me")
    assert rows(path) == [("running", "t1")]


def test_a_prompt_with_any_characters_is_stored_exactly(ledger: Ledger) -> None:
    prompt = "é猫😀\u2028\x00'\"; DROP TABLE jobs; --"
    ledger.mark_running(record(ledger, prompt), "t1")
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.prompt == prompt


def test_a_task_is_adopted_by_only_one_job(ledger: Ledger, path: Path) -> None:
    first, second = record(ledger), record(ledger)
    assert ledger.adopt(first, HOST, "t1")
    assert not ledger.adopt(second, HOST, "t1")
    assert rows(path) == [("running", "t1"), ("submitting", None)]


def test_only_one_of_many_concurrent_adoptions_succeeds(path: Path) -> None:
    ledgers = [Ledger.open(path, notice=unexpected) for _ in range(8)]
    uuids = [record(each) for each in ledgers]
    start = threading.Barrier(len(ledgers))
    got: list[bool] = []

    def adopt(ledger: Ledger, uuid: str) -> None:
        start.wait()
        got.append(ledger.adopt(uuid, HOST, "t1"))

    threads = [threading.Thread(target=adopt, args=each) for each in zip(ledgers, uuids, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in ledgers:
        each.close()
    assert sorted(got) == [False] * 7 + [True]
    assert rows(path).count(("running", "t1")) == 1


def test_tasks_of_another_host_are_unknown(ledger: Ledger) -> None:
    ledger.mark_running(record(ledger), "t1")
    assert ledger.known_tasks(HOST, ["t1", "t2"]) == {"t1"}
    assert ledger.known_tasks("https://other.example", ["t1"]) == set()
    assert ledger.known_tasks(HOST, []) == set()


def test_more_tasks_than_the_variable_limit_of_sqlite_are_looked_up(ledger: Ledger) -> None:
    ledger.mark_running(record(ledger), "t39999")
    ledger.mark_running(record(ledger), "t0")
    wanted = {"t0", "t39999"}
    assert ledger.known_tasks(HOST, (f"t{n}" for n in range(40_000))) == wanted
    for limit in (999, 32_766):  # of other builds of SQLite
        ledger._connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, limit)
        assert ledger.known_tasks(HOST, [f"t{n}" for n in range(40_000)]) == wanted


def test_the_newest_job_is_the_last_one_recorded_even_if_the_clock_was_set_back(path: Path) -> None:
    clock = FakeClock()
    with contextlib.closing(Ledger.open(path, notice=unexpected, clock=clock)) as ledger:
        for n in range(3):
            clock.offset = -86_400 * n
            ledger.mark_running(record(ledger), f"t{n}")
        newest = [ledger.nth_newest("default", n) for n in (1, 2, 3, 4)]
    assert [job and job.task_id for job in newest] == ["t2", "t1", "t0", None]


def test_the_newest_job_is_that_of_its_profile(ledger: Ledger) -> None:
    ledger.mark_running(record(ledger, profile="work"), "t1")
    ledger.mark_running(record(ledger, profile="home"), "t2")
    job = ledger.nth_newest("work", 1)
    assert job is not None
    assert job.task_id == "t1"
    assert ledger.nth_newest("work", 2) is None


def test_the_newest_job_with_an_image_is_found(ledger: Ledger) -> None:
    for task_id in ("t1", "t2"):
        uuid = record(ledger)
        ledger.mark_running(uuid, task_id)
        ledger.mark_done(uuid, {}, image_id="i")
    job = ledger.by_image("default", "i")
    assert job is not None
    assert job.task_id == "t2"
    assert ledger.by_image("other", "i") is None


# -- the file ------------------------------------------------------------------------------------------


@posix
def test_the_file_is_private_whatever_the_umask(path: Path) -> None:
    import os

    before = os.umask(0)
    try:
        ledger = Ledger.open(path, notice=unexpected)
        record(ledger)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        directory = stat.S_IMODE(path.parent.stat().st_mode)
        ledger.close()
    finally:
        os.umask(before)
    assert "ledger.db" in modes
    assert set(modes.values()) == {0o600}
    assert directory == 0o700


def test_a_ledger_with_a_newer_schema_is_refused_and_unchanged(path: Path) -> None:
    Ledger.open(path, notice=unexpected).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        Ledger.open(path, notice=unexpected)
    assert "newer" in caught.value.message
    assert caught.value.hint is not None
    assert "MJ_DATA_DIR" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is not a database, " * 500, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_damaged_ledger_is_renamed_with_a_notice_and_never_deleted(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    notices: list[str] = []
    ledger = Ledger.open(path, notice=notices.append)
    record(ledger)
    ledger.close()
    aside = [each for each in path.parent.iterdir() if each.read_bytes() == content]
    assert len(aside) == 1
    assert str(aside[0]) in " ".join(notices)
    assert rows(path) == [("submitting", None)]


def test_a_ledger_with_damaged_pages_raises_no_unexpected_error(path: Path) -> None:
    ledger = Ledger.open(path, notice=unexpected)
    for n in range(200):
        record(ledger, f"prompt {n} " * 20)
    ledger.close()
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 512] = b"\xaa" * 512
    path.write_bytes(data)
    notices: list[str] = []
    ledger = Ledger.open(path, notice=notices.append)
    try:
        record(ledger)
    except ConfigError as error:
        assert error.hint or error.remedy
    else:
        assert notices
    finally:
        ledger.close()


def test_a_directory_in_place_of_the_ledger_is_a_config_error(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        Ledger.open(path, notice=unexpected)
    assert str(path) in caught.value.message
    assert "MJ_DATA_DIR" in (caught.value.hint or "")


def test_a_file_in_place_of_the_data_directory_is_a_config_error(path: Path) -> None:
    path.parent.write_text("mine")
    with pytest.raises(ConfigError):
        Ledger.open(path, notice=unexpected)
    assert path.parent.read_text() == "mine"


@pytest.mark.slow
def test_a_briefly_locked_ledger_is_waited_for(ledger: Ledger, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    release.start()
    began = time.monotonic()
    record(ledger)
    assert time.monotonic() - began > 0.2
    release.join()
    other.close()
    assert rows(path) == [("submitting", None)]


def test_a_ledger_that_stays_locked_is_a_config_error(path: Path) -> None:
    clock = FakeClock()
    ledger = Ledger.open(path, notice=unexpected, clock=clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ledger._connection.execute("PRAGMA busy_timeout = 0")
    clock.pauses.clear()
    with pytest.raises(ConfigError) as caught:
        record(ledger)
    other.execute("ROLLBACK")
    other.close()
    assert "locked" in caught.value.message
    assert sum(clock.pauses) == pytest.approx(database.BUSY_SECONDS, abs=1)
    assert rows(path) == []
    ledger.close()


def test_many_threads_open_a_new_ledger_at_once(path: Path) -> None:
    start = threading.Barrier(12)
    failures: list[BaseException] = []

    def run() -> None:
        start.wait()
        try:
            ledger = Ledger.open(path, notice=unexpected)
            record(ledger)
            ledger.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(rows(path)) == 12


# Two hundred processes, each with its own job, open a ledger that does not exist yet.
CROWD = """
import os, sys
from pathlib import Path
from mjcli.jobs.ledger import Ledger

def work(number):
    def unexpected(sentence):
        raise AssertionError(sentence)
    os.read(start, 1)  # until the other end is closed, so that all start at once
    ledger = Ledger.open(Path(sys.argv[1]), notice=unexpected)
    uuid = ledger.record(
        profile="default", host="h", kind="imagine", path="/p", request={"prompt": str(number)},
        files_asked=None, parent_image=None, subject=str(number),
    )
    assert ledger.mark_sent(uuid)
    ledger.mark_running(uuid, f"task-{number}")
    ledger.mark_done(uuid, {}, image_id=None)
    ledger.close()
"""


@posix
@pytest.mark.slow
def test_two_hundred_processes_share_a_new_ledger_without_an_error(path: Path) -> None:
    assert run_forks(CROWD, path, 200, seconds=120) == (0, "")
    found = rows(path)
    assert len(found) == 200
    assert set(found) == {("done", f"task-{number}") for number in range(200)}


# -- sending and finishing -----------------------------------------------------------------------------


def test_a_request_is_sent_once_however_many_processes_try(ledger: Ledger) -> None:
    uuid = record(ledger)
    job = ledger.get(uuid)
    assert job is not None
    assert job.unsent
    assert [ledger.mark_sent(uuid) for _ in range(3)] == [True, False, False]
    ledger.mark_unsent(uuid)
    assert [ledger.mark_sent(uuid) for _ in range(2)] == [True, False]
    ledger.mark_running(uuid, "t1")
    ledger.mark_unsent(uuid)  # ignored, because it was accepted
    assert not ledger.mark_sent(uuid)


def test_a_finished_job_does_not_change(ledger: Ledger, path: Path) -> None:
    uuid = record(ledger)
    ledger.mark_running(uuid, "t1")
    ledger.mark_done(uuid, {}, image_id=None)
    ledger.mark_unknown(uuid, None, code="network", message="too late")
    ledger.mark_failed(uuid, code="network", message="too late")
    assert rows(path, "state, error") == [("done", None)]
    assert not ledger.give_up(uuid)
    assert not ledger.requeue(uuid)
    assert ledger.resubmit(uuid) is None


def test_requested_files_are_due_until_they_are_saved(ledger: Ledger) -> None:
    requested = record(ledger, files_asked={"directory": "/x", "template": "y"})
    other = record(ledger)
    for uuid in (requested, other):
        ledger.mark_done(uuid, {}, image_id=None, files_due=4)
    assert [job.uuid for job in ledger.unfinished("default")] == [requested]
    ledger.set_files(requested, ["/x/1", "/x/2"], files_due=2)
    ledger.mark_done(requested, {"fresh": "links"}, image_id=None, files_due=4)
    (job,) = ledger.unfinished("default")
    assert (job.files_due, job.result) == (2, {"fresh": "links"})
    ledger.set_files(requested, ["/x/1", "/x/2", "/x/3", "/x/4"])
    assert ledger.unfinished("default") == []


def test_a_resubmitted_job_is_a_new_job_and_the_old_one_has_failed(ledger: Ledger) -> None:
    files = {"directory": "/x", "template": "y"}
    uuid = record(ledger, files_asked=files, parent_image="p", kind="action", subject="a red bird")
    ledger.mark_sent(uuid)
    ledger.mark_unknown(uuid, None, code="network", message="gone")
    fresh = ledger.resubmit(uuid)
    assert fresh is not None
    assert fresh.uuid != uuid
    assert fresh.unsent
    assert (fresh.files_asked, fresh.parent_image, fresh.kind, fresh.subject) == (
        files,
        "p",
        "action",
        "a red bird",
    )
    old = ledger.get(uuid)
    assert old is not None
    assert old.state == "failed"
    assert old.given_up
    assert ledger.resubmit(uuid) is None
    assert [job.uuid for job in ledger.unfinished("default")] == [fresh.uuid]


def test_a_full_id_matches_one_job_and_a_prefix_all_jobs_that_start_with_it(ledger: Ledger) -> None:
    first, second = record(ledger), record(ledger)
    ledger.mark_running(first, "abcd")
    ledger.mark_running(second, "abcde%_")
    ledger.mark_done(second, {}, image_id="1234")

    def with_prefix(prefix: str) -> list[str]:
        return [job.uuid for job in ledger.with_id_prefix("default", prefix, limit=5)]

    assert with_prefix("abcd") == [first]
    assert with_prefix("abc") == [second, first]
    assert with_prefix("abcde") == with_prefix("1234") == with_prefix(second[:9]) == [second]
    assert with_prefix("%") == with_prefix("abc_") == with_prefix("ABCD") == []
    assert ledger.with_id_prefix("default", "abc", limit=0) == []
    assert ledger.with_id_prefix("other", "abcd", limit=5) == []


def test_an_older_ledger_is_migrated_and_none_of_its_jobs_count_as_unsent(path: Path) -> None:
    path.parent.mkdir()
    old = sqlite3.connect(path)
    old.executescript(MIGRATIONS[0][1])
    old.execute("PRAGMA user_version = 1")
    for state in ("submitting", "running", "done"):
        old.execute(
            "INSERT INTO jobs (uuid, profile, host, kind, path, request, state, created_at, changed_at, task_id,"
            " files_asked) VALUES (?, 'default', 'h', 'imagine', '/p', '{\"prompt\": \"a cat\"}', ?, 5, 5, ?, '{}')",
            (state, state, None if state == "submitting" else f"task of {state}"),
        )
    old.commit()
    old.close()
    ledger = Ledger.open(path, notice=unexpected)
    jobs = {job.state: job for job in ledger.unfinished("default")}
    assert jobs.keys() == {"submitting", "running", "done"}
    assert not any(job.unsent for job in jobs.values())
    assert jobs["done"].files_due == 1
    assert ledger.uploads.find("a" * 64, HOST) is None
    ledger.uploads.remember("a" * 64, HOST, "https://h/1.png", lifetime=86_400)
    ledger.close()


def test_tokens_are_masked_in_everything_that_is_written(path: Path) -> None:
    hide = lambda text: text.replace("secret-token", "****")  # noqa: E731
    with contextlib.closing(Ledger.open(path, notice=unexpected, hide=hide)) as ledger:
        uuid = record(ledger, "a secret-token")
        ledger.mark_done(uuid, {"image_url": "https://h/?token=secret-token"}, image_id="secret-token")
        ledger.uploads.remember("a" * 64, HOST, "https://h/secret-token", lifetime=86_400)
    for file in path.parent.iterdir():
        assert b"secret-token" not in file.read_bytes()
    with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
        job = ledger.get(uuid)
        assert job is not None
        assert (job.words, job.image_id) == ("a ****", "****")


def test_unfinished_jobs_are_counted_by_profile(ledger: Ledger) -> None:
    for profile in ("work", "work", "home", "default"):
        record(ledger, profile=profile)
    assert ledger.unfinished_by_profile(exclude="default") == {"work": 2, "home": 1}
    assert ledger.unfinished_by_profile(exclude="work") == {"default": 1, "home": 1}


def test_the_newest_image_is_not_a_video(ledger: Ledger) -> None:
    assert ledger.newest_with_image("default") is None
    for kind, image in (("imagine", "i"), ("video", "v"), ("imagine", None)):
        ledger.mark_done(record(ledger, kind=kind), {}, image_id=image)
    assert ledger.newest_with_image("default") == 3


def test_only_jobs_that_a_process_holds_are_in_flight(ledger: Ledger, path: Path) -> None:
    held, sent, free = record(ledger, "held"), record(ledger, "sent"), record(ledger, "free")
    record(ledger, "unsent")
    for each in (held, sent, free):
        ledger.mark_sent(each)
    ledger.mark_running(sent, "t1")
    job = ledger.get(free)
    assert job is not None
    ledger.locks.release(job.number)
    assert [body["prompt"] for _path, body in ledger.in_flight(HOST)] == ["held"]
    assert ledger.in_flight(HOST, exclude=held) == ledger.in_flight("https://other.example") == []


class InterruptedAfter:
    """A connection in which a signal arrives as soon as a statement has been executed."""

    def __init__(self, connection: sqlite3.Connection, statement: str) -> None:
        self._connection, self._statement = connection, statement

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        cursor = self._connection.execute(statement, *values)
        if statement == self._statement:
            raise Interrupted(signal.SIGINT)
        return cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "COMMIT"])
def test_a_signal_at_the_edge_of_a_transaction_is_not_lost(
    path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    uuid = record(ledger)
    with monkeypatch.context() as patch:
        patch.setattr(ledger._transactions, "_connection", InterruptedAfter(ledger._connection, statement))
        with pytest.raises(Interrupted):
            ledger.note_intermediates(uuid, ["i-1"])
    ledger.mark_running(uuid, "t-1")  # no transaction was left open
    assert rows(path) == [("running", "t-1")]


def test_a_path_that_is_not_text_is_taken_from_the_job_that_had_it(ledger: Ledger) -> None:
    first, second = record(ledger), record(ledger)
    path = "/x/caf\udce9.png"  # a name in Latin-1, as Python reads it
    ledger.set_files(first, [path, "/x/other.png"], sha256=["ab", "ef"])
    ledger.set_files(second, [path], sha256=["cd"])
    jobs = [ledger.get(each) for each in (first, second)]
    assert [each.files for each in jobs if each is not None] == [["/x/other.png"], [path]]

"""The ledger by itself: what is on the disk when, by whom it is shared, and what it does not open."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mjcli import ledger as ledger_module
from mjcli.errors import ConfigError
from mjcli.ledger import MIGRATIONS, Ledger

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
    """What another process sees."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT {columns} FROM jobs ORDER BY number").fetchall()
    finally:
        connection.close()


def test_a_row_is_seen_by_others_as_soon_as_record_returns(ledger: Ledger, path: Path) -> None:
    identity = record(ledger, files_asked={"directory": "/x", "template": "y"}, parent_image="p")
    ((uuid, state, request, asked, parent),) = rows(path, "uuid, state, request, files_asked, parent_image")
    assert (uuid, state, parent) == (identity, "submitting", "p")
    assert json.loads(request) == {"action": "generate", "prompt": "a cat"}
    assert json.loads(asked) == {"directory": "/x", "template": "y"}


def test_every_commit_but_the_first_is_on_the_disk_before_the_call_returns(ledger: Ledger) -> None:
    """The first one is flushed by the next, before anything leaves."""
    told: list[str] = []
    ledger._connection.set_trace_callback(told.append)
    identity = record(ledger)
    flushed = told.index("COMMIT") > told.index("PRAGMA synchronous = FULL") if "COMMIT" in told else None
    assert flushed is False
    told.clear()
    assert ledger.leaving(identity)
    assert [each.split()[0] for each in told] == ["UPDATE"]
    ((synchronous,),) = ledger._connection.execute("PRAGMA synchronous").fetchall()
    ((journal,),) = ledger._connection.execute("PRAGMA journal_mode").fetchall()
    assert synchronous == 2  # FULL
    assert journal == "wal"


def test_every_change_is_committed_when_the_call_returns(ledger: Ledger, path: Path) -> None:
    identity = record(ledger)
    ledger.running(identity, "t1")
    assert rows(path) == [("running", "t1")]
    ledger.done(identity, {"task_id": "t1", "x": None, "é": "猫"}, image_id="i1")
    assert rows(path, "state, task_id, image_id") == [("done", "t1", "i1")]
    ledger.saved(identity, ["/a/é.png"])
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.files == ["/a/é.png"]
    assert job.result == {"task_id": "t1", "x": None, "é": "猫"}


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_an_end_without_a_result_keeps_code_and_message(ledger: Ledger, path: Path, state: str) -> None:
    identity = record(ledger)
    ledger.running(identity, "t1")
    if state == "failed":
        ledger.failed(identity, code="network", message="gone")
    else:
        ledger.unknown(identity, "t1", code="network", message="gone")
    assert rows(path) == [(state, "t1")]
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.error == {"code": "network", "message": "gone"}


def test_a_later_success_takes_the_error_away(ledger: Ledger) -> None:
    identity = record(ledger)
    ledger.running(identity, "t1")
    ledger.unknown(identity, "t1", code="network", message="gone")
    ledger.done(identity, {}, image_id=None)
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.error is None


def test_a_job_whose_task_was_found_meanwhile_is_not_unknown(ledger: Ledger, path: Path) -> None:
    identity = record(ledger)
    assert ledger.adopt(identity, HOST, "t1")
    ledger.unknown(identity, None, code="network", message="not found by me")
    assert rows(path) == [("running", "t1")]


def test_a_prompt_with_any_character_comes_back_as_it_was(ledger: Ledger) -> None:
    prompt = "é猫😀\u2028\x00'\"; DROP TABLE jobs; --"
    ledger.running(record(ledger, prompt), "t1")
    job = ledger.by_task(HOST, "t1")
    assert job is not None
    assert job.prompt == prompt


def test_a_task_is_adopted_by_one_job_only(ledger: Ledger, path: Path) -> None:
    first, second = record(ledger), record(ledger)
    assert ledger.adopt(first, HOST, "t1")
    assert not ledger.adopt(second, HOST, "t1")
    assert rows(path) == [("running", "t1"), ("submitting", None)]


def test_of_many_that_adopt_at_once_one_gets_the_task(path: Path) -> None:
    ledgers = [Ledger.open(path, notice=unexpected) for _ in range(8)]
    identities = [record(each) for each in ledgers]
    start = threading.Barrier(len(ledgers))
    got: list[bool] = []

    def adopt(ledger: Ledger, identity: str) -> None:
        start.wait()
        got.append(ledger.adopt(identity, HOST, "t1"))

    threads = [threading.Thread(target=adopt, args=each) for each in zip(ledgers, identities, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in ledgers:
        each.close()
    assert sorted(got) == [False] * 7 + [True]
    assert rows(path).count(("running", "t1")) == 1


def test_tasks_of_another_host_are_not_known(ledger: Ledger) -> None:
    ledger.running(record(ledger), "t1")
    assert ledger.known_tasks(HOST, ["t1", "t2"]) == {"t1"}
    assert ledger.known_tasks("https://other.example", ["t1"]) == set()
    assert ledger.known_tasks(HOST, []) == set()


def test_more_tasks_than_sqlite_takes_variables_are_looked_up(ledger: Ledger) -> None:
    ledger.running(record(ledger), "t39999")
    assert ledger.known_tasks(HOST, [f"t{n}" for n in range(40_000)]) == {"t39999"}


def test_the_newest_job_is_the_one_asked_last_though_the_clock_was_set_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, offset in enumerate((0, -86_400, -2 * 86_400)):
        monkeypatch.setattr(ledger_module.time, "time", lambda offset=offset: 1_800_000_000.0 + offset)
        ledger.running(record(ledger), f"t{n}")
    newest = [ledger.nth_newest("default", n) for n in (1, 2, 3, 4)]
    assert [job and job.task_id for job in newest] == ["t2", "t1", "t0", None]


def test_the_newest_job_is_that_of_the_profile(ledger: Ledger) -> None:
    ledger.running(record(ledger, profile="work"), "t1")
    ledger.running(record(ledger, profile="home"), "t2")
    job = ledger.nth_newest("work", 1)
    assert job is not None
    assert job.task_id == "t1"
    assert ledger.nth_newest("work", 2) is None


def test_a_later_job_with_the_same_image_is_the_one_that_is_found(ledger: Ledger) -> None:
    for task_id in ("t1", "t2"):
        identity = record(ledger)
        ledger.running(identity, task_id)
        ledger.done(identity, {}, image_id="i")
    job = ledger.by_image("default", "i")
    assert job is not None
    assert job.task_id == "t2"
    assert ledger.by_image("other", "i") is None


# -- the file ------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="the modes of Unix")
def test_the_file_is_its_owners_alone_whatever_the_umask(path: Path) -> None:
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


def test_a_ledger_of_a_newer_schema_is_left_alone(path: Path) -> None:
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
    "content", [b"this is no database, " * 500, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_damaged_ledger_is_set_aside_with_a_sentence_and_never_deleted(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    said: list[str] = []
    ledger = Ledger.open(path, notice=said.append)
    record(ledger)
    ledger.close()
    aside = [each for each in path.parent.iterdir() if each.read_bytes() == content]
    assert len(aside) == 1
    assert str(aside[0]) in " ".join(said)
    assert rows(path) == [("submitting", None)]


def test_a_ledger_whose_pages_are_damaged_does_not_stop_a_job_with_a_fault(path: Path) -> None:
    ledger = Ledger.open(path, notice=unexpected)
    for n in range(200):
        record(ledger, f"prompt {n} " * 20)
    ledger.close()
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 512] = b"\xaa" * 512
    path.write_bytes(data)
    said: list[str] = []
    ledger = Ledger.open(path, notice=said.append)
    try:
        record(ledger)
    except ConfigError as error:
        assert error.hint
    else:
        assert said
    finally:
        ledger.close()


def test_a_directory_in_place_of_the_ledger_is_a_sentence(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        Ledger.open(path, notice=unexpected)
    assert str(path) in caught.value.message
    assert "MJ_DATA_DIR" in (caught.value.hint or "")


def test_a_file_in_place_of_the_data_directory_is_a_sentence(path: Path) -> None:
    path.parent.write_text("mine")
    with pytest.raises(ConfigError):
        Ledger.open(path, notice=unexpected)
    assert path.parent.read_text() == "mine"


def test_a_ledger_locked_for_a_moment_is_waited_for(ledger: Ledger, path: Path) -> None:
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


def test_a_ledger_that_stays_locked_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "BUSY_SECONDS", 0.1)
    ledger = Ledger.open(path, notice=unexpected)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConfigError) as caught:
        record(ledger)
    other.execute("ROLLBACK")
    other.close()
    assert "locked" in caught.value.message
    assert rows(path) == []
    ledger.close()


def test_many_that_open_a_new_ledger_at_once_all_get_it(path: Path) -> None:
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


# Two hundred processes, each with a job of its own, that all open a ledger which is not there yet.
CROWD = """
import os, sys
from pathlib import Path
from mjcli.ledger import Ledger

def work(number):
    def unexpected(sentence):
        raise AssertionError(sentence)
    os.read(start, 1)  # until the other end is closed: all at once
    ledger = Ledger.open(Path(sys.argv[1]), notice=unexpected)
    identity = ledger.record(
        profile="default", host="h", kind="imagine", path="/p", request={"prompt": str(number)},
        files_asked=None, parent_image=None, subject=str(number),
    )
    assert ledger.leaving(identity)
    ledger.running(identity, f"task-{number}")
    ledger.done(identity, {}, image_id=None)
    ledger.close()

start, begin = os.pipe()
children = []
for number in range(200):
    child = os.fork()
    if child == 0:
        os.close(begin)
        try:
            work(number)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
os.close(begin)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_two_hundred_processes_share_a_new_ledger_without_an_error(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CROWD, path], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    found = rows(path)
    assert len(found) == 200
    assert set(found) == {("done", f"task-{number}") for number in range(200)}


# -- what has left, and who sends it -------------------------------------------------------------------


def test_a_request_leaves_once_however_many_ask(ledger: Ledger) -> None:
    identity = record(ledger)
    job = ledger.get(identity)
    assert job is not None
    assert job.unsent
    assert [ledger.leaving(identity) for _ in range(3)] == [True, False, False]
    ledger.came_back(identity)
    assert [ledger.leaving(identity) for _ in range(2)] == [True, False]
    ledger.running(identity, "t1")
    ledger.came_back(identity)  # too late: it was accepted
    assert not ledger.leaving(identity)


def test_a_job_that_has_ended_stays_as_it_ended(ledger: Ledger, path: Path) -> None:
    identity = record(ledger)
    ledger.running(identity, "t1")
    ledger.done(identity, {}, image_id=None)
    ledger.unknown(identity, None, code="network", message="too late")
    ledger.failed(identity, code="network", message="too late")
    assert rows(path, "state, error") == [("done", None)]
    assert not ledger.given_up(identity)
    assert not ledger.asked_again(identity)
    assert ledger.resubmitted(identity) is None


def test_files_that_were_asked_for_are_due_until_they_are_saved(ledger: Ledger) -> None:
    asked = record(ledger, files_asked={"directory": "/x", "template": "y"})
    other = record(ledger)
    for identity in (asked, other):
        ledger.done(identity, {}, image_id=None, files_due=4)
    assert [job.uuid for job in ledger.unfinished("default")] == [asked]
    ledger.saved(asked, ["/x/1", "/x/2"], files_due=2)
    ledger.done(asked, {"fresh": "links"}, image_id=None, files_due=4)
    (job,) = ledger.unfinished("default")
    assert (job.files_due, job.result) == (2, {"fresh": "links"})
    ledger.saved(asked, ["/x/1", "/x/2", "/x/3", "/x/4"])
    assert ledger.unfinished("default") == []


def test_what_is_sent_once_more_is_a_new_job_and_the_old_one_has_ended(ledger: Ledger) -> None:
    asked = {"directory": "/x", "template": "y"}
    identity = record(ledger, files_asked=asked, parent_image="p", kind="action", subject="a red bird")
    ledger.leaving(identity)
    ledger.unknown(identity, None, code="network", message="gone")
    fresh = ledger.resubmitted(identity)
    assert fresh is not None
    assert fresh.uuid != identity
    assert fresh.unsent
    assert (fresh.files_asked, fresh.parent_image, fresh.kind, fresh.subject) == (
        asked,
        "p",
        "action",
        "a red bird",
    )
    old = ledger.get(identity)
    assert old is not None
    assert old.state == "failed"
    assert not old.wanted
    assert ledger.resubmitted(identity) is None
    assert [job.uuid for job in ledger.unfinished("default")] == [fresh.uuid]


def test_a_whole_id_means_its_job_and_a_beginning_all_that_begin_so(ledger: Ledger) -> None:
    first, second = record(ledger), record(ledger)
    ledger.running(first, "abcd")
    ledger.running(second, "abcde%_")
    ledger.done(second, {}, image_id="1234")

    def named(name: str) -> list[str]:
        return [job.uuid for job in ledger.named("default", name, at_most=5)]

    assert named("abcd") == [first]
    assert named("abc") == [second, first]
    assert named("abcde") == named("1234") == named(second[:9]) == [second]
    assert named("%") == named("abc_") == named("ABCD") == []
    assert ledger.named("default", "abc", at_most=0) == []
    assert ledger.named("other", "abcd", at_most=5) == []


def test_a_ledger_of_the_version_before_is_brought_up_and_nothing_in_it_counts_as_unsent(path: Path) -> None:
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
    assert ledger.uploaded("a" * 64, HOST) is None
    ledger.remember_upload("a" * 64, HOST, "https://h/1.png")
    ledger.close()


def test_an_upload_is_remembered_by_content_and_endpoint_until_it_is_forgotten(path: Path) -> None:
    with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
        ledger.remember_upload("a" * 64, HOST, "https://h/1.png")
    with contextlib.closing(Ledger.open(path, notice=unexpected)) as ledger:
        assert ledger.uploaded("a" * 64, HOST) == "https://h/1.png"
        assert ledger.uploaded("a" * 64, "https://other/") is None
        assert ledger.uploaded("b" * 64, HOST) is None
        ledger.remember_upload("a" * 64, HOST, "https://h/2.png")
        assert ledger.uploaded("a" * 64, HOST) == "https://h/2.png"
        ledger.forget_upload("a" * 64, HOST)
        ledger.forget_upload("a" * 64, HOST)
        assert ledger.uploaded("a" * 64, HOST) is None

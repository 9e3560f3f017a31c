"""How SQLite finds rows: nothing that a job or a reference needs reads every job of a ledger or of a profile."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from mjcli.jobs.budget import Limits
from mjcli.jobs.ledger import Ledger

HOST = "https://api.test"
LIMITS = Limits(per_day=1e6, batch_cost=1e6, batch_jobs=10**6)

# "(profile=?)" alone means that all jobs of the profile are read.
_READS_ALL = re.compile(r"^SCAN (jobs|other|saved_files|intermediates)\b|\(profile=\?\)$")


class Statements:
    """What a ledger asks SQLite."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def unindexed(self, path: Path) -> dict[str, list[str]]:
        """The plans of those statements that read all rows of a table, or all jobs of a profile."""
        found = {}
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for each in dict.fromkeys(self.seen):
                if each.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")]
                    if any(_READS_ALL.search(step) for step in plan):
                        found[each] = plan
        return found


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    statements, connect = Statements(), sqlite3.connect

    def traced(*arguments: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(statements.seen.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return statements


@pytest.fixture
def ledger(tmp_path: Path, statements: Statements) -> Iterator[Ledger]:
    ledger = Ledger.open(tmp_path / "ledger.db", notice=lambda _: None)
    statements.seen.clear()
    yield ledger
    ledger.close()


def record(ledger: Ledger, number: int = 1) -> str:
    return ledger.record(
        profile="default",
        host=HOST,
        kind="imagine",
        path="/midjourney/imagine",
        request={"prompt": f"cat {number}"},
        files_asked={"directory": "/x", "template": "y"},
        parent_image=None,
        subject="cat",
        key=f"key {number}",
        key_fingerprint="f",
        batch="cats",
        item=f"{number}/1",
        estimate=0.025,
        limits=LIMITS,
    )


def test_a_job_never_reads_every_row(ledger: Ledger, statements: Statements) -> None:
    uuid, other = record(ledger), record(ledger, 2)
    assert ledger.mark_sent(uuid, alone=True)
    ledger.set_clock_offset(uuid, 0.5)
    ledger.note_intermediates(uuid, ["i1", "i2"])
    ledger.mark_running(uuid, "t1")
    assert ledger.adopt(other, HOST, "t2")
    ledger.known_tasks(HOST, ["t1", "t2"])
    ledger.in_flight(HOST, exclude=uuid)
    for each in (uuid, other):
        ledger.mark_done(each, {"trace_id": each}, image_id=each, files_due=1)
        ledger.set_files(each, ["/x/cat.png"], sha256=["ab" if each == uuid else "cd"])
    ledger.request_files(uuid, {})
    ledger.costs.history("default", HOST)
    ledger.costs.store_charges(HOST, {uuid: 0.02})
    ledger.costs.reserve(uuid, LIMITS)
    ledger.mark_failed(record(ledger, 3), code="x", message="y")
    ledger.mark_unknown(lost := record(ledger, 4), None, code="x", message="y")
    assert ledger.resubmit(lost, limits=LIMITS) is not None
    ledger.release_items([uuid])
    assert len(statements.seen) > 50
    assert statements.unindexed(ledger.path) == {}


LOOKUPS: dict[str, Callable[[Ledger], object]] = {
    "the newest": lambda ledger: ledger.nth_newest("default", 1),
    "the newest image": lambda ledger: ledger.newest_fitting("default", "image"),
    "a page": lambda ledger: list(islice(ledger.newest_first("default"), 20)),
    "an id": lambda ledger: ledger.with_id_prefix("default", "t1", limit=5),
    "the start of an id": lambda ledger: ledger.with_id_prefix("default", "t", limit=5),
    "a task": lambda ledger: ledger.by_task(HOST, "t1"),
    "an image": lambda ledger: ledger.by_image("default", "i1"),
    "an intermediate image": lambda ledger: ledger.by_intermediate("default", "i"),
    "a file": lambda ledger: ledger.by_file("default", "/x/cat.png", "ab"),
    "a path": lambda ledger: ledger.has_saved("default", "/x/cat.png"),
    "a key": lambda ledger: ledger.by_key("default", "key 1"),
    "an item": lambda ledger: ledger.by_item("cats", "1/1", sandbox=False),
    "the jobs of a process": lambda ledger: list(ledger.costs.sent_by(1, 0.0, sandbox=False)),
    "a batch": lambda ledger: ledger.items_of("cats", sandbox=False),
}


@pytest.mark.parametrize("look_up", LOOKUPS.values(), ids=LOOKUPS)
def test_a_lookup_does_not_read_every_row(
    ledger: Ledger, statements: Statements, look_up: Callable[[Ledger], object]
) -> None:
    look_up(ledger)
    assert statements.seen
    assert statements.unindexed(ledger.path) == {}


@pytest.mark.parametrize(
    ("look_up", "index"),
    [
        (lambda ledger: ledger.newest_fitting("default", "video"), "jobs_videos"),
        (lambda ledger: list(ledger.descriptions("default", HOST)), "jobs_described"),
        (lambda ledger: ledger.unfinished("default"), "jobs_unfinished"),
        (lambda ledger: ledger.unfinished_by_profile(exclude="other"), "jobs_unfinished"),
        (lambda ledger: ledger.has_saved("default", "/x"), "saved_files_path"),
    ],
)
def test_rare_jobs_have_an_index_of_their_own(
    ledger: Ledger, statements: Statements, look_up: Callable[[Ledger], object], index: str
) -> None:
    look_up(ledger)
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statements.seen[0]}")]
    assert any(f"INDEX {index}" in step for step in plan), plan

"""Files whose bytes were changed before they were saved: both digests name the job. Also the parents of images."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mjcli.jobs.job import digests_of, received_digests_of
from mjcli.jobs.ledger import Ledger

HOST = "https://api.example"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger.db", notice=pytest.fail)
    yield opened
    opened.close()


def record(ledger: Ledger, kind: str = "imagine", parent: str | None = None, profile: str = "default") -> str:
    return ledger.record(
        profile=profile, host=HOST, kind=kind, path="/midjourney/imagine", request={}, files_asked=None,
        parent_image=parent, subject="",
    )  # fmt: skip


def found(ledger: Ledger, sha256: str) -> str | None:
    job = ledger.by_file("default", "/elsewhere", sha256)
    return job.uuid if job is not None else None


def test_a_file_is_known_by_both_digests(ledger: Ledger) -> None:
    job = record(ledger)
    ledger.set_files(job, ["/a.png", "/b.png"], sha256=["a", "b"], received={"/b.png": "b0"})
    assert [found(ledger, each) for each in ("a", "b", "b0", "a0")] == [job, job, job, None]
    stored = ledger.get(job)
    assert stored is not None
    assert digests_of(stored) == {"/a.png": "a", "/b.png": "b"}
    assert received_digests_of(stored) == {"/a.png": None, "/b.png": "b0"}


def test_the_digest_as_received_stays_as_long_as_the_file_is_the_same(ledger: Ledger) -> None:
    job = record(ledger)
    ledger.set_files(job, ["/a.png"], sha256=["a"], received={"/a.png": "a0"})
    ledger.set_files(job, ["/a.png"])
    ledger.set_files(job, ["/a.png", "/b.png"], sha256=["a", "b"])
    assert found(ledger, "a0") == job
    ledger.set_files(job, ["/a.png", "/b.png"], sha256=["other", "b"])
    assert found(ledger, "a0") is None


def test_a_file_that_another_job_has_replaced_is_not_known_any_more(ledger: Ledger) -> None:
    first, second = record(ledger), record(ledger)
    ledger.set_files(
        first, ["/a.png", "/b.png"], sha256=["a", "b"], received={"/a.png": "a0", "/b.png": "b0"}
    )
    ledger.set_files(second, ["/a.png"], sha256=["c"], received={"/a.png": "c0"})
    assert [found(ledger, each) for each in ("a", "a0", "b0", "c0")] == [None, None, first, second]


def test_it_is_forgotten_with_the_job(ledger: Ledger, tmp_path: Path) -> None:
    job = record(ledger)
    ledger.set_files(job, ["/a.png"], sha256=["a"], received={"/a.png": "a0"})
    stored = ledger.get(job)
    assert stored is not None
    assert ledger.delete(stored)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        assert connection.execute("SELECT count(*) FROM saved_files").fetchone() == (0,)


def test_the_parents_of_an_image_end_at_one_that_is_unknown_or_came_before(ledger: Ledger) -> None:
    first, second, third = record(ledger), record(ledger, parent="1"), record(ledger, parent="2")
    for job, image in ((first, "1"), (second, "2"), (third, "3")):
        ledger.mark_done(job, {}, image_id=image)
    chain = [(image, job.uuid if job else None) for image, job in ledger.parents("default", "3")]
    assert chain == [("3", third), ("2", second), ("1", first)]
    assert [image for image, _ in ledger.parents("default", "unknown")] == ["unknown"]
    assert list(ledger.parents("default", None)) == []
    ledger.mark_done(record(ledger, parent="3"), {}, image_id="1")  # a circle
    assert [image for image, _ in ledger.parents("default", "3")] == ["3", "2", "1"]


def test_the_newest_seed_of_an_image_counts(ledger: Ledger) -> None:
    for seed in ("5", "6"):
        ledger.mark_done(record(ledger, "seed", "image"), {"seed": seed}, image_id=None)
    ledger.mark_done(record(ledger, "seed", "image", "work"), {"seed": "7"}, image_id=None)
    record(ledger, "seed", "image")
    assert ledger.seed_of("default", "image") == "6"
    assert ledger.seed_of("default", "other") is None

"""Tags and stars in the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mjcli.errors import ConfigError
from mjcli.jobs.imported import ImportedTask
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.tags import NO_MARKS, STAR, Marks, tag_of
from tests.jobs.test_ledger import record

HOST = "https://api.example"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(path, notice=pytest.fail)
    yield opened
    opened.close()


def recorded(ledger: Ledger, prompt: str = "a cat", profile: str = "default") -> Job:
    uuid = record(ledger, prompt, profile=profile, host=HOST, request={"prompt": prompt})
    job = ledger.get(uuid)
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("client", "client"),
        ("Client-A", "client-a"),
        ("ÉTÉ", "été"),
        ("e\u0301te\u0301", "été"),
        ("猫", "猫"),
        ("a" * 50, "a" * 50),
        ("star", "star"),
        ("2026/spring", "2026/spring"),
    ],
)
def test_a_tag_is_one_word_in_any_letter_case(typed: str, stored: str) -> None:
    assert tag_of(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "a b", "a\tb", "a\u00a0b", "a" * 51, "*", "a*", "a,b", "-a", "@last", "#a", "<b>", 'a"', "a'", "a\\b",
        "\x1b[2J", "a\u202eb", "\x7f", "\ud800",
    ],
)  # fmt: skip
def test_what_cannot_be_a_tag_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        tag_of(typed)


def test_marks_are_added_once_and_removed(ledger: Ledger) -> None:
    cat, dog = recorded(ledger), recorded(ledger, "a dog")
    ledger.tags.add("client", [cat, dog])
    ledger.tags.add("client", [cat])
    ledger.tags.add("art", [cat])
    ledger.tags.add(STAR, [dog])
    assert ledger.tags.of(cat) == Marks(("art", "client"))
    assert ledger.tags.by_job() == {
        cat.number: Marks(("art", "client")),
        dog.number: Marks(("client",), starred=True),
    }
    assert ledger.tags.jobs("client") == {cat.number, dog.number}
    assert ledger.tags.remove("art", [cat, dog]) == {cat.uuid}
    assert ledger.tags.of(cat) == Marks(("client",))
    assert ledger.tags.jobs("art") == set()


def test_a_tag_called_star_is_not_the_star(ledger: Ledger) -> None:
    job = recorded(ledger)
    ledger.tags.add(tag_of("star"), [job])
    assert ledger.tags.of(job) == Marks(("star",), starred=False)


def test_tags_are_counted_by_profile(ledger: Ledger) -> None:
    mine, other = recorded(ledger), recorded(ledger, profile="work")
    ledger.tags.add("client", [mine, other])
    ledger.tags.add(STAR, [mine])
    assert ledger.tags.counts("default") == {STAR: 1, "client": 1}
    assert ledger.tags.counts("empty") == {}


def test_marks_are_deleted_with_their_job_and_do_not_pass_to_the_next(ledger: Ledger) -> None:
    job = recorded(ledger)
    ledger.tags.add("client", [job])
    assert ledger.delete(job)
    assert ledger.tags.by_job() == {}
    following = recorded(ledger)
    assert following.number == job.number
    assert ledger.tags.of(following) == NO_MARKS


def test_a_deleted_job_gets_no_marks(ledger: Ledger) -> None:
    job = recorded(ledger)
    ledger.delete(job)
    ledger.tags.add("client", [job])
    assert ledger.tags.by_job() == {}


def test_all_jobs_are_marked_or_none(ledger: Ledger, path: Path) -> None:
    jobs = [recorded(ledger, f"cat {n}") for n in range(3)]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(
            f"CREATE TRIGGER broken BEFORE INSERT ON tags WHEN new.job = {jobs[2].number}"
            " BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )
    with pytest.raises(ConfigError):
        ledger.tags.add("client", jobs)
    assert ledger.tags.by_job() == {}


def test_a_job_that_replaces_another_has_its_marks(ledger: Ledger) -> None:
    job = recorded(ledger)
    ledger.tags.add("client", [job])
    ledger.mark_sent(job.uuid)
    ledger.mark_unknown(job.uuid, None, code="lost", message="Lost.")
    fresh = ledger.resubmit(job.uuid)
    assert fresh is not None
    assert ledger.tags.of(fresh) == Marks(("client",))


def test_a_job_that_is_found_among_the_imported_tasks_gets_their_marks(ledger: Ledger) -> None:
    job = recorded(ledger)
    ledger.mark_sent(job.uuid)
    task = ImportedTask(
        "task-1", "imagine", "/midjourney/imagine", {"prompt": "a cat"}, "done", 1.0, 2.0, "image-1", {}, None,
        None, "a cat", None,
    )  # fmt: skip
    ledger.imported.add("default", HOST, [task])
    imported = ledger.by_task(HOST, "task-1")
    assert imported is not None
    ledger.tags.add(STAR, [imported])
    assert ledger.adopt(job.uuid, HOST, "task-1")
    assert ledger.tags.by_job() == {job.number: Marks((), starred=True)}

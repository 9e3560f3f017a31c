"""What the page shows follows the ledger: new jobs, changes, marks, deleted jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from mjcli.gallery.collection import Shown, Which
from mjcli.gallery.entries import Extras, Lineage
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.tags import STAR
from tests.jobs.test_ledger import record as ledger_record


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger.db", notice=lambda _: None)
    yield opened
    opened.close()


@pytest.fixture
def writer(tmp_path: Path, ledger: Ledger) -> Iterator[Ledger]:
    """The ledger as another process has it."""
    opened = Ledger.open(tmp_path / "ledger.db", notice=lambda _: None)
    yield opened
    opened.close()


def record(ledger: Ledger, words: str, *, profile: str = "default", parent: str | None = None) -> str:
    request = {"prompt": words}
    return ledger_record(ledger, words, profile=profile, parent_image=parent, request=request)


def shown(ledger: Ledger, *profiles: str, limit: int = 100, numbers: list[int] | None = None) -> Shown:
    found = Shown(ledger, Which(profiles or ("default",), limit, numbers), lambda _: Extras())
    found.refresh()
    return found


def words(found: Shown) -> list[str]:
    return [entry["words"] for entry in found.all().entries]


def test_the_newest_jobs_of_the_profiles_are_shown(ledger: Ledger) -> None:
    for name in ("first", "second", "third"):
        record(ledger, name)
    record(ledger, "other", profile="work")
    assert words(shown(ledger)) == ["third", "second", "first"]
    assert words(shown(ledger, limit=2)) == ["third", "second"]
    assert words(shown(ledger, "default", "work", limit=2)) == ["other", "third"]


def test_changes_of_other_processes_arrive_and_nothing_else(ledger: Ledger, writer: Ledger) -> None:
    uuid = record(ledger, "a cat")
    found = shown(ledger)
    version = found.all().version
    assert not found.refresh()
    writer.mark_sent(uuid)
    writer.mark_running(uuid, "task-1")
    record(writer, "a dog")
    record(writer, "not shown", profile="work")
    assert found.refresh()
    changes = found.wait(version, 0)
    assert {entry["words"]: entry["state"] for entry in changes.entries} == {
        "a cat": "running",
        "a dog": "submitting",
    }
    assert found.wait(changes.version, 0).entries == []


def test_tags_and_deleted_jobs_are_changes_too(ledger: Ledger, writer: Ledger) -> None:
    uuids = [record(ledger, "a cat"), record(ledger, "a dog")]
    found = shown(ledger)
    version = found.all().version
    cat, dog = (writer.get(each) for each in uuids)
    assert cat is not None
    assert dog is not None
    writer.tags.add("client", [cat])
    writer.tags.add(STAR, [cat])
    writer.withdraw(dog.uuid)
    found.refresh()
    changed = {entry["n"]: entry for entry in found.wait(version, 0).entries}
    assert changed[cat.number]["tags"] == ["client"]
    assert changed[cat.number]["star"]
    assert changed[dog.number] == {"n": dog.number, "gone": True}
    assert words(found) == ["a cat"]


def test_a_change_of_this_process_is_read_when_it_says_so(ledger: Ledger) -> None:
    uuid = record(ledger, "a cat")
    found = shown(ledger)
    job = ledger.get(uuid)
    assert job is not None
    ledger.tags.add(STAR, [job])
    found.forget()
    assert found.refresh()
    assert found.all().entries[0]["star"]


def test_a_selection_also_shows_what_is_made_from_it(ledger: Ledger, writer: Ledger) -> None:
    uuid = record(ledger, "a grid")
    record(ledger, "something else")
    ledger.mark_sent(uuid)
    ledger.mark_running(uuid, "task-1")
    ledger.mark_done(uuid, {"image_id": "image-1"}, image_id="image-1")
    job = ledger.get(uuid)
    assert job is not None
    found = shown(ledger, numbers=[job.number])
    assert words(found) == ["a grid"]
    record(writer, "its upscale", parent="image-1")
    record(writer, "unrelated", parent="image-2")
    found.refresh()
    assert sorted(words(found)) == ["a grid", "its upscale"]


def test_parents_are_found_by_image_file_and_link(ledger: Ledger, tmp_path: Path) -> None:
    uuid = record(ledger, "a cat")
    ledger.mark_sent(uuid)
    ledger.mark_running(uuid, "task-1")
    link = "https://cdn.example/attachments/1/cat.png"
    ledger.mark_done(uuid, {"image_id": "image-1", "raw_image_url": f"{link}?ex=1&hm=2"}, image_id="image-1")
    ledger.set_files(uuid, [str(tmp_path / "cat.png")], sha256=["ab" * 32])
    cat = ledger.get(uuid)
    assert cat is not None
    lineage = Lineage([cat])
    job = ledger.get(record(ledger, "x"))
    assert job is not None
    assert lineage.parents(job._replace(parent_image="image-1")) == [cat.number]
    assert lineage.parents(job._replace(source_sha256="ab" * 32)) == [cat.number]
    blend = job._replace(request={"prompt": f"{link}?ex=9 https://elsewhere.example/x.png two cats"})
    assert lineage.parents(blend) == [cat.number]
    assert lineage.parents(job) == []
    assert lineage.parents(cat._replace(parent_image="image-1")) == []


def test_a_waiting_page_is_woken_by_what_is_noted(ledger: Ledger) -> None:
    record(ledger, "a cat")
    found = shown(ledger)
    (entry,) = found.all().entries
    version = found.all().version
    found.note(entry["n"], {"progress": 40})
    found.note(999, {"progress": 40})
    found.publish("key", {"run": "key"})
    entries = found.wait(version, 0).entries
    assert [each.get("progress") or each["run"] for each in entries] == [40, "key"]
    assert words(found) == ["a cat"]


def test_a_damaged_row_is_skipped(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, "a cat")
    record(ledger, "a dog")
    connection = sqlite3.connect(tmp_path / "ledger.db")
    with connection:
        connection.execute("UPDATE jobs SET request = 'not JSON' WHERE subject = 'a dog'")
    connection.close()
    assert words(shown(ledger)) == ["a cat"]

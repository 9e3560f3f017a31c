"""`mj history delete`: what it deletes, what it asks, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.history import add_jobs, refs
from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import SOON, Mj, running
from tests.support.service import Service
from tests.support.systems import posix
from tests.support.terminal import at_a_terminal
from tests.support.unfinished import finish_task


def test_named_jobs_are_deleted_and_references_are_read_before(mj: Mj) -> None:
    add_jobs(mj, *({"task_id": f"task-{number}"} for number in range(5)))
    result = mj("history", "delete", "@1", "@2", "task-0", "@5", "--yes")
    assert result.out == "deleted: task-4\ndeleted: task-3\ndeleted: task-0\n"
    assert rows(mj) == [("done", "task-1"), ("done", "task-2")]
    assert refs(mj) == ["@1", "@2"]


def test_references_are_read_from_standard_input(mj: Mj) -> None:
    add_jobs(mj, {"state": "failed", "task_id": "task-1"}, {"task_id": "task-2"})
    listed = mj("history", "--state", "failed", "-q")
    assert mj("history", "delete", "-", "--yes", "-q", stdin=listed.stdout).out == "task-1\n"
    assert rows(mj) == [("done", "task-2")]


def test_json_has_an_object_for_each_deleted_job(mj: Mj) -> None:
    add_jobs(mj, {"uuid": "the-uuid", "task_id": "task-1", "key": "cover", "files": ["/tmp/cat.png"]})
    assert mj("history", "delete", "@1", "--yes", "--json").answer == {
        "success": True,
        "deleted": "the-uuid",
        "task_id": "task-1",
        "key": "cover",
        "files": ["/tmp/cat.png"],
    }


def test_files_stay(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result(task_id="task-1"))
    (saved,) = online("imagine", "a cat", "--download", "--json").answer["files"]
    online("history", "delete", "@last", "--yes")
    assert [str(each) for each in online.cwd.iterdir()] == [saved]


def test_a_key_is_free_afterwards_and_that_is_said(online: Mj, service: Service) -> None:
    service.answer(service.result(task_id="task-1"))
    online("imagine", "a cat", "--key", "cover")
    result = online("history", "delete", "@last", "--yes")
    assert 'The key "cover" is free: the next command with it starts a new, billed job.' in result.err
    online("imagine", "a cat", "--key", "cover")
    assert len(service.posts()) == 2


@posix
@pytest.mark.parametrize(("reply", "left"), [(b"y\r", 0), (b"n\r", 1), (b"\r", 1)])
def test_a_terminal_asks_first(mj: Mj, reply: bytes, left: int) -> None:
    add_jobs(mj, {"task_id": "task-1", "subject": "a cat", "key": "cover"})
    code, shown = at_a_terminal(mj, reply, "history", "delete", "@1")
    assert code == 0
    assert "Delete 1 job from the history (a cat)?" in shown
    assert "Commands with the same key will start" in shown
    assert ("Nothing was deleted." in shown) == bool(left)
    assert len(rows(mj)) == left


def test_without_a_terminal_yes_is_needed(mj: Mj) -> None:
    add_jobs(mj, {"task_id": "task-1"})
    result = mj("history", "delete", "@1", check=2)
    assert "hint: --yes skips the question" in result.err
    assert len(rows(mj)) == 1


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"state": "running", "task_id": "task-1"}, "is running and may be billed"),
        ({"state": "unknown"}, "is unknown and may be billed"),
        ({"state": "submitting"}, "is submitting and may be billed"),
        ({"state": "submitting", "sent_at": None}, "was not sent yet"),
        ({"files_due": 1, "files_asked": {}}, "has files that are not saved yet"),
    ],
)
def test_a_job_that_could_be_lost_is_deleted_only_by_force(mj: Mj, columns: dict[str, Any], why: str) -> None:
    add_jobs(mj, {"task_id": "task-0"}, {"uuid": "1a2b3c4d-5e6f", **columns})
    name = columns.get("task_id", "1a2b3c4d")
    result = mj("history", "delete", "@2", "@1", "--yes", check=2)
    assert f'Job "{name}" {why}. Nothing was deleted.' in result.err
    assert f"next: mj resume {name}\n" in result.err
    assert f"next: mj history delete {name} --force\n" in result.err
    assert len(rows(mj)) == 2
    mj("history", "delete", "@1", "--yes", "--force")
    assert len(rows(mj)) == 1


@pytest.mark.slow
@posix
def test_a_job_that_another_process_sends_is_never_deleted(online: Mj, service: Service) -> None:
    service.imagine(lambda _request, _reply: service.over.wait(60) and None)
    with running(online, "imagine", "a cat"):
        assert service.arrived.wait(SOON)
        result = online("history", "delete", "@last", "--yes", "--force", check=2)
        assert "Another mj process is sending job" in result.err
        assert len(rows(online)) == 1


@pytest.mark.parametrize("reference", ["@9", "nothing", "@0"])
def test_an_unknown_reference_deletes_nothing(mj: Mj, reference: str) -> None:
    add_jobs(mj, {"task_id": "task-1"})
    mj("history", "delete", "@1", reference, "--yes", check=2)
    assert len(rows(mj)) == 1


def test_a_deleted_job_can_be_imported_again(online: Mj, service: Service) -> None:
    finish_task(service)
    online("tasks", "--import")
    online("history", "delete", "@1", "--yes")
    online("tasks", "--import")
    assert rows(online) == [("done", "task-1")]

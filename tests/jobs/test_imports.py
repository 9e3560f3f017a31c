"""Importing tasks into the ledger: lost jobs first, then rows of their own, each once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mjcli.api import TaskRecord
from mjcli.jobs.imports import Imported, import_tasks
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.recover import find_lost_task
from tests.jobs.fakes import FakeClient, FakeClock
from tests.jobs.scene import BODY, FAILED, FINAL, HOST
from tests.support.service import task_record


class World:
    """A ledger, and the tasks of the service, which are imported from it."""

    def __init__(self, client: FakeClient, jobs: Ledger, clock: FakeClock) -> None:
        self.client, self.ledger, self.clock = client, jobs, clock

    def task(self, task_id: str, *, age: float = 0.0, **more: Any) -> None:
        """Put a finished task at the service, created `age` seconds ago."""
        fields = {"type": "imagine", "request": BODY, "response": {**FINAL, "task_id": task_id}, **more}
        created = self.clock.time() - age
        record = task_record(task_id, fields.pop("request"), fields.pop("response"))
        self.client.tasks_now[task_id] = {**record, "created_at": created, **fields}

    def job(self, *, task_id: str | None = None, age: float = 0.0, body: dict[str, Any] = BODY) -> str:
        """Record a job of this ledger, sent `age` seconds ago: running, or without a task lost."""
        self.clock.sleep(-age)
        uuid = self.ledger.record(
            profile="default",
            host=HOST,
            kind="imagine",
            path="/midjourney/imagine",
            request=body,
            files_asked=None,
            parent_image=None,
            subject="a cat",
        )
        self.ledger.mark_sent(uuid)
        self.clock.sleep(age)
        if task_id is not None:
            self.ledger.mark_running(uuid, task_id)
        else:
            self.ledger.mark_unknown(uuid, None, code="network", message="lost")
        return uuid

    def load(self, *, complete: bool = True) -> Imported:
        """Import all tasks of the service."""
        tasks = [TaskRecord(each) for each in reversed(self.client.tasks_now.values())]
        return import_tasks(
            self.client, self.ledger, profile="default", host=HOST, tasks=tasks, complete=complete, clock=self.clock
        )  # fmt: skip

    @property
    def listed(self) -> list[Job]:
        return list(self.ledger.newest_first("default"))


@pytest.fixture
def world(client: FakeClient, jobs: Ledger, clock: FakeClock) -> World:
    return World(client, jobs, clock)


def test_a_task_becomes_a_row_with_everything_that_the_service_says(world: World) -> None:
    world.task("t1", age=60)
    assert world.load() == Imported(0, 1, 0, 0)
    (job,) = world.listed
    assert (job.state, job.kind, job.path, job.task_id) == ("done", "imagine", "/midjourney/imagine", "t1")
    assert (job.image_id, job.prompt, job.words, job.request) == ("i1", "a cat", "a cat", BODY)
    assert job.created_at == pytest.approx(world.clock.time() - 60, abs=3)
    assert job.listed_after is not None
    assert not job.unfinished


@pytest.mark.parametrize("complete", [True, False])
def test_importing_twice_adds_nothing(world: World, complete: bool) -> None:
    for name in ("t1", "t2", "t3"):
        world.task(name)
    assert world.load(complete=complete).added == 3
    before = world.listed
    assert world.load(complete=complete) == Imported(0, 0, 3, 0)
    assert world.listed == before


def test_two_processes_at_once_add_nothing_twice(world: World, tmp_path: Path) -> None:
    for number in range(200):
        world.task(f"t{number}", age=number)
    start, added = threading.Barrier(2), []

    def load() -> None:
        ledger = Ledger.open(tmp_path / "ledger.db", notice=pytest.fail, clock=world.clock)
        start.wait()
        added.append(World(world.client, ledger, world.clock).load().added)
        ledger.close()

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 200
    assert len({job.task_id for job in world.listed}) == len(world.listed) == 200


def test_references_count_imported_tasks_and_own_jobs_by_time(world: World) -> None:
    world.job(task_id="own-300", age=300)
    world.job(task_id="own-100", age=100)
    for age in (400, 200, 150, 50, 10):
        world.task(f"t-{age}", age=age)
    world.load()
    newest = world.job(task_id="own-0")
    names = ["own-0", "t-10", "t-50", "own-100", "t-150", "t-200", "own-300", "t-400"]
    assert [job.task_id for job in world.listed] == names
    assert world.listed[0].uuid == newest
    world.task("t-120", age=120)
    world.load()
    names.insert(4, "t-120")
    assert [job.task_id for job in world.listed] == names
    for number, name in enumerate(names, 1):
        job = world.ledger.nth_newest("default", number)
        assert job is not None
        assert job.task_id == name


def test_many_imported_tasks_are_paged_in_order(world: World) -> None:
    world.job(task_id="own", age=500)
    for number in range(700):
        world.task(f"t{number}", age=1000 - number)
    world.load()
    times = [job.created_at for job in world.listed]
    assert len(times) == 701
    assert times == sorted(times, reverse=True)


def test_the_newest_own_job_is_first_after_the_clock_was_set_back(world: World) -> None:
    world.job(task_id="own-future", age=-3600)
    world.task("t1", age=10)
    world.load()
    world.job(task_id="own-now")
    assert [job.task_id for job in world.listed] == ["own-now", "own-future", "t1"]


def test_a_lost_job_gets_its_task_and_no_row_is_added_for_it(world: World) -> None:
    uuid = world.job(age=60)
    world.task("t1", age=59)
    assert world.load() == Imported(1, 0, 0, 0)
    (job,) = world.listed
    assert (job.uuid, job.state, job.task_id, job.image_id) == (uuid, "done", "t1", "i1")


@pytest.mark.parametrize("complete", [True, False])
def test_of_two_candidates_none_is_adopted_and_both_are_imported(world: World, complete: bool) -> None:
    uuid = world.job(age=60)
    world.task("t1", age=59)
    world.task("t2", age=50)
    assert world.load(complete=complete) == Imported(0, 2, 0, 0)
    job = world.ledger.get(uuid)
    assert job is not None
    assert (job.state, job.task_id) == ("unknown", None)


def test_one_task_of_two_candidates_alone_is_not_adopted(world: World) -> None:
    uuid = world.job(age=60)
    world.task("t1", age=59)
    world.task("t2", age=50)
    task = TaskRecord(world.client.tasks_now["t2"])
    import_tasks(
        world.client, world.ledger, profile="default", host=HOST, tasks=[task], complete=False, clock=world.clock
    )  # fmt: skip
    job = world.ledger.get(uuid)
    assert job is not None
    assert job.task_id is None
    assert {each.task_id for each in world.listed} == {None, "t2"}


@pytest.mark.parametrize(
    ("age", "request_body"), [(70, BODY), (50, {**BODY, "prompt": "a dog"})], ids=["older", "different"]
)
def test_a_task_that_is_not_the_lost_jobs_is_imported(
    world: World, age: float, request_body: dict[str, Any]
) -> None:
    world.job(age=60)
    world.task("t1", age=age, request=request_body)
    assert world.load() == Imported(0, 1, 0, 0)
    assert {job.task_id for job in world.listed} == {None, "t1"}


def test_a_lost_job_that_can_be_told_apart_only_after_another_is_adopted(world: World) -> None:
    first = world.job(age=60)
    second = world.job(age=30)
    world.task("t1", age=59)
    world.task("t2", age=29)
    assert world.load().adopted == 2
    assert [(job.uuid, job.task_id) for job in world.listed] == [(second, "t2"), (first, "t1")]


def test_a_lost_job_adopts_an_imported_task_and_its_files(world: World) -> None:
    world.task("t1", age=10)
    world.load()
    (imported,) = world.listed
    world.ledger.set_files(imported.uuid, ["/tmp/cat.png"], sha256=["abc"])
    uuid = world.job(age=11)
    job = world.ledger.get(uuid)
    assert job is not None
    assert find_lost_task(world.client, world.ledger, HOST, job, clock=world.clock) == "t1"
    (row,) = world.listed
    assert (row.uuid, row.task_id, row.files, row.files_sha256) == (uuid, "t1", ["/tmp/cat.png"], ["abc"])


def test_a_task_that_was_imported_while_its_job_was_sent_is_merged(world: World) -> None:
    world.task("t1")
    world.load()
    uuid = world.job(task_id="t1")
    assert [(job.uuid, job.task_id) for job in world.listed] == [(uuid, "t1")]


def test_a_job_that_fails_with_its_task_id_takes_the_imported_row(world: World) -> None:
    world.task("t1", response=FAILED)
    world.load()
    uuid = world.job()
    world.ledger.mark_failed(uuid, code="x", message="y", task_id="t1")
    assert [(job.uuid, job.state) for job in world.listed] == [(uuid, "failed")]


@pytest.mark.parametrize(
    ("kind", "request_body", "response", "expected"),
    [
        ("imagine", {"action": "upscale1", "image_id": "i0"}, FINAL, ("action", "upscale1", "done", "i1")),
        ("edits", {"prompt": "a hat", "image_url": "https://h/1.png"}, FINAL, ("edit", "edit", "done", "i1")),
        ("videos", {"action": "extend"}, {"video_id": "v", "video_urls": ["https://h/1.mp4"], "success": True},
         ("extend-video", "extend-video", "done", "v")),
        ("describe", {"image_url": "https://h/1.png"}, {"descriptions": ["x"]}, ("describe", "describe", "done", None)),
        ("seed", {"image_id": "i0"}, {"seed": "12"}, ("seed", "seed", "done", None)),
        ("imagine", BODY, FAILED, ("imagine", "generate", "failed", None)),
        ("imagine", BODY, {}, ("imagine", "generate", "failed", None)),
        ("imagine", BODY, None, ("imagine", "generate", "running", None)),
    ],
)  # fmt: skip
def test_each_type_and_state_of_a_task_is_imported(
    world: World, kind: str, request_body: dict[str, Any], response: Any, expected: tuple[Any, ...]
) -> None:
    world.task("t1", type=kind, request=request_body, response=response)
    world.load()
    (job,) = world.listed
    assert (job.kind, job.action, job.state, job.image_id) == expected
    assert job.unfinished == (response is None)


def test_an_action_is_about_what_its_parent_is_about(world: World) -> None:
    world.task("t1", age=60)
    world.task("t2", age=30, request={"action": "upscale1", "image_id": "i1"})
    world.load()
    assert [(job.words, job.parent_image) for job in world.listed] == [("a cat", "i1"), ("a cat", None)]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"id": None, "type": "imagine", "request": BODY},
        {"type": "imagine", "request": "x"},
        {"type": "imagine", "request": {}},
        {"type": "music"},
        {"type": None},
        {"type": ["imagine"]},
        {"created_at": None, "finished_at": None},
        {"created_at": "yesterday", "finished_at": "x"},
        {"created_at": -1e12},
        {"created_at": float("nan"), "finished_at": None},
    ],
)
def test_malformed_and_unknown_records_are_skipped(world: World, record: dict[str, Any]) -> None:
    world.task("good", age=5)
    good = world.client.tasks_now["good"]
    world.client.tasks_now["bad"] = {**good, "id": "bad", **record} if record else {}
    assert world.load() == Imported(0, 1, 0, 1)
    assert [job.task_id for job in world.listed] == ["good"]


@pytest.mark.parametrize("moment", [1e18, "9999999999999", 10**30])
def test_a_time_in_the_future_is_now(world: World, moment: Any) -> None:
    world.task("t1", created_at=moment, finished_at=moment)
    world.load()
    (job,) = world.listed
    assert job.created_at == pytest.approx(world.clock.time(), abs=3)


def test_a_running_job_of_the_ledger_gets_its_result(world: World) -> None:
    world.job(task_id="t1", age=60)
    world.task("t1", age=60)
    assert world.load() == Imported(0, 0, 1, 0)
    (job,) = world.listed
    assert (job.state, job.image_id) == ("done", "i1")


def test_tokens_are_masked_in_imported_rows(tmp_path: Path, client: FakeClient, clock: FakeClock) -> None:
    ledger = Ledger.open(
        tmp_path / "ledger.db", notice=pytest.fail, hide=lambda text: text.replace("SECRET", "***"), clock=clock
    )  # fmt: skip
    world = World(client, ledger, clock)
    world.task("t1", request={**BODY, "prompt": "a cat SECRET"}, response={**FINAL, "note": "SECRET"})
    world.load()
    (job,) = world.listed
    assert "SECRET" not in repr(job)
    assert job.prompt == "a cat ***"
    ledger.close()


def test_the_service_is_searched_politely_for_several_lost_jobs(world: World) -> None:
    for number in range(3):
        world.job(age=60, body={**BODY, "prompt": f"cat {number}"})
        world.task(f"t{number}", age=50, request={**BODY, "prompt": f"cat {number}"})
    assert world.load(complete=False).adopted == 3
    assert world.client.searches == 3

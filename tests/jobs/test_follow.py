"""Polling a task, with a scripted client and a clock that only pauses move."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.api import TaskRecord
from mjcli.errors import ApiError, LostResponse, NetworkError, StillRunning
from mjcli.jobs.follow import (
    CALLBACK_SECONDS,
    POLL_FIRST,
    POLL_LAST,
    UNREACHABLE_SECONDS,
    UNSEEN_POLLS,
    follow,
    record_task_result,
    result_of,
)
from mjcli.jobs.ledger import Ledger
from tests.jobs.fakes import FakeCallbacks, FakeClient, FakeClock, Recorder
from tests.support.service import task_record

HOST = "https://api.example"
IMAGE = {"image_id": "i1", "raw_image_url": "https://h/cat.png", "progress": 100}
FAILED = {"success": False, "error": {"code": "bad_request", "message": "no"}}
RUNNING = task_record("t1", {}, None)
DONE = task_record("t1", {}, IMAGE)


def running(percent: int) -> dict[str, Any]:
    return task_record("t1", {}, None, progress=percent)


def wait_for(
    client: FakeClient, clock: FakeClock, observer: Recorder, seconds: float | None = 900.0, **options: Any
) -> TaskRecord:
    """Follow task t1 for at most so many seconds."""
    deadline = None if seconds is None else clock.monotonic() + seconds
    return follow(client, "t1", observer, deadline=deadline, clock=clock, **options)


@pytest.mark.parametrize("response", [IMAGE, FAILED, {}])
def test_a_finished_task_is_returned_at_once(
    client: FakeClient, clock: FakeClock, observer: Recorder, response: dict[str, Any]
) -> None:
    client.tasks_now["t1"] = task_record("t1", {}, response)
    assert wait_for(client, clock, observer).document == client.tasks_now["t1"]
    assert clock.pauses == []


def test_an_empty_response_does_not_finish_a_task(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.task_script = [{**RUNNING, "response": {"success": True}}, DONE]
    assert wait_for(client, clock, observer).state == "done"
    assert len(client.queries) == 2


def test_progress_is_reported_and_the_pauses_grow_to_a_limit(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.task_script = [*(running(percent) for percent in range(0, 100, 10)), DONE]
    wait_for(client, clock, observer)
    assert observer.named("progress") == list(range(0, 100, 10))
    assert (clock.pauses[0], clock.pauses[-1]) == (POLL_FIRST, POLL_LAST)
    assert clock.pauses == sorted(clock.pauses)


def test_a_task_may_appear_late(client: FakeClient, clock: FakeClock, observer: Recorder) -> None:
    client.task_script = [*[None] * (UNSEEN_POLLS - 1), RUNNING, *[None] * (UNSEEN_POLLS - 1), DONE]
    assert wait_for(client, clock, observer).state == "done"


def test_a_task_that_stays_unknown_is_lost(client: FakeClient, clock: FakeClock, observer: Recorder) -> None:
    with pytest.raises(LostResponse) as caught:
        wait_for(client, clock, observer)
    assert caught.value.task_id == "t1"
    assert len(client.queries) == UNSEEN_POLLS


@pytest.mark.parametrize(
    "error",
    [
        NetworkError("No connection."),
        LostResponse("Not an object."),
        ApiError("Too many.", code="too_many_requests", status=429),
        ApiError("Down.", code="api_error", status=500),
    ],
)
def test_a_short_outage_is_tolerated(
    client: FakeClient, clock: FakeClock, observer: Recorder, error: Exception
) -> None:
    client.task_script = [error, error, RUNNING, error, DONE]
    assert wait_for(client, clock, observer).state == "done"
    assert len(observer.named("notice")) == 3


def test_a_long_outage_ends_the_wait_but_not_the_job(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.task_script = [NetworkError("No connection.") for _ in range(100)]
    with pytest.raises(StillRunning, match="could not be queried: No connection") as caught:
        wait_for(client, clock, observer)
    assert caught.value.task_id == "t1"
    assert UNREACHABLE_SECONDS < clock.elapsed < UNREACHABLE_SECONDS + 2 * POLL_LAST


def test_a_refused_query_ends_the_wait_at_once(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.task_script = [ApiError("Too old.", code="token_expired", status=401)]
    with pytest.raises(StillRunning, match=r"refused to return the task \(token_expired: Too old\)"):
        wait_for(client, clock, observer)
    assert len(client.queries) == 1


def test_the_wait_lasts_until_the_deadline(client: FakeClient, clock: FakeClock, observer: Recorder) -> None:
    client.tasks_now["t1"] = RUNNING
    with pytest.raises(StillRunning, match="The deadline passed") as caught:
        wait_for(client, clock, observer, 10)
    assert caught.value.task_id == "t1"
    assert clock.elapsed == pytest.approx(10)


def test_a_deadline_in_the_past_allows_one_query(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.tasks_now["t1"] = DONE
    assert wait_for(client, clock, observer, 0).state == "done"
    client.tasks_now["t1"] = RUNNING
    with pytest.raises(StillRunning):
        wait_for(client, clock, observer, 0)
    assert len(client.queries) == 2


def test_without_a_deadline_a_task_is_followed_for_days(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.task_script = [*[RUNNING] * 1000, DONE]
    assert wait_for(client, clock, observer, None).state == "done"


# -- callbacks -----------------------------------------------------------------------------------------


def test_a_callback_that_reports_the_end_is_confirmed_by_a_query(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.tasks_now["t1"] = DONE
    callbacks = FakeCallbacks(clock, (2, {"progress": 30, "actions": []}), (3, IMAGE))
    assert wait_for(client, clock, observer, callbacks=callbacks).state == "done"
    assert (clock.elapsed, len(client.queries)) == (5, 1)
    assert observer.named("progress") == [30]


def test_a_forged_end_leads_to_normal_polling(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.task_script = [RUNNING, RUNNING, DONE]
    callbacks = FakeCallbacks(clock, (1, IMAGE))
    assert wait_for(client, clock, observer, callbacks=callbacks).state == "done"
    assert clock.pauses[1] == POLL_FIRST


def test_without_callbacks_polls_are_rare(client: FakeClient, clock: FakeClock, observer: Recorder) -> None:
    client.task_script = [RUNNING, RUNNING, DONE]
    wait_for(client, clock, observer, callbacks=FakeCallbacks(clock))
    assert clock.pauses == pytest.approx([CALLBACK_SECONDS] * 3)


def test_waiting_for_callbacks_ends_at_the_deadline(
    client: FakeClient, clock: FakeClock, observer: Recorder
) -> None:
    client.tasks_now["t1"] = RUNNING
    with pytest.raises(StillRunning):
        wait_for(client, clock, observer, 25, callbacks=FakeCallbacks(clock))
    assert clock.elapsed == pytest.approx(25)
    assert len(client.queries) == 3  # the last one at the deadline


# -- results -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "wanted", "found"),
    [
        (DONE, "image", True),
        (DONE, "anything", True),
        (DONE, "video", False),
        (task_record("t1", {}, {"descriptions": ["a cat"]}), "text", True),
        (task_record("t1", {}, {}), "anything", False),
        (task_record("t1", {}, {"success": True}), "anything", False),
        (task_record("t1", {}, FAILED), "anything", False),
        ({**RUNNING, "response": {**IMAGE, "progress": 50}}, "image", False),
        ({**RUNNING, "response": IMAGE}, "image", True),
        (RUNNING, "anything", False),
    ],
)
def test_a_result_is_what_a_done_task_returned(record: dict[str, Any], wanted: Any, found: bool) -> None:
    assert (result_of(TaskRecord(record), wanted) is not None) == found


@pytest.fixture
def running_job(jobs: Ledger) -> str:
    uuid = jobs.record(
        profile="default",
        host=HOST,
        kind="imagine",
        path="/midjourney/imagine",
        request={},
        files_asked={},
        parent_image=None,
        subject="",
    )
    jobs.mark_running(uuid, "t1")
    return uuid


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (DONE, "done"),
        (task_record("t1", {}, FAILED), "failed"),
        (RUNNING, "running"),
        (task_record("t1", {}, {"success": True}), "running"),
        (task_record("other", {}, IMAGE), "running"),
    ],
)
def test_a_record_changes_the_job_of_its_task(
    jobs: Ledger, running_job: str, record: dict[str, Any], state: str
) -> None:
    record_task_result(jobs, HOST, TaskRecord(record))
    job = jobs.get(running_job)
    assert job is not None
    assert job.state == state


def test_the_files_of_a_result_are_due(jobs: Ledger, running_job: str) -> None:
    four = {**IMAGE, "sub_image_urls": [f"https://h/{n}.png" for n in range(4)]}
    before = record_task_result(jobs, HOST, TaskRecord(task_record("t1", {}, four)))
    job = jobs.get(running_job)
    assert before is not None
    assert job is not None
    assert (before.uuid, job.files, job.files_due) == (running_job, [], 4)

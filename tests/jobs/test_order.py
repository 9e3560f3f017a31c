"""Orders, outcomes and the properties of a job's row."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.api import Result
from mjcli.errors import ApiError, ExitCode
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.order import Order, Outcome


def record(ledger: Ledger, **fields: Any) -> Job:
    given: dict[str, Any] = {
        "profile": "default",
        "host": "https://api.example",
        "kind": "imagine",
        "path": "/midjourney/imagine",
        "request": {"action": "generate", "prompt": "a cat"},
        "files_asked": None,
        "parent_image": None,
        "subject": "",
        **fields,
    }
    job = ledger.get(ledger.record(**given))
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("endpoint", "wanted"),
    [
        ("imagine", "image"),
        ("edits", "image"),
        ("videos", "video"),
        ("describe", "text"),
        ("shorten", "text"),
        ("translate", "text"),
        ("seed", "text"),
    ],
)
def test_the_endpoint_decides_the_path_and_the_type_of_the_result(endpoint: str, wanted: str) -> None:
    order = Order("imagine", endpoint, {})
    assert (order.path, order.wanted) == (f"/midjourney/{endpoint}", wanted)


@pytest.mark.parametrize(
    ("kind", "body", "action"),
    [
        ("imagine", {"action": "generate"}, "generate"),
        ("action", {"action": "upscale1"}, "upscale1"),
        ("blend", {"prompt": "x"}, "blend"),
        ("video", {"action": "generate"}, "video"),
        ("describe", {}, "describe"),
    ],
)
def test_the_action_of_an_order_is_that_of_its_job(
    jobs: Ledger, kind: str, body: dict[str, Any], action: str
) -> None:
    assert Order(kind, "imagine", body).action == action
    assert record(jobs, kind=kind, request=body).action == action


def test_the_order_of_a_job_has_all_that_it_was_recorded_with(jobs: Ledger) -> None:
    body = {"action": "generate", "prompt": "a cat", "image_url": "https://h/1.png"}
    files = {"directory": "/x", "template": "y"}
    job = record(
        jobs,
        kind="video",
        path="/midjourney/videos",
        request=body,
        files_asked=files,
        parent_image="p",
        subject="a red cat",
    )
    assert Order.of(job, 5.0) == Order("video", "videos", body, "a red cat", "p", files, timeout=5.0)
    assert Order.of(job).path == job.path


def test_the_subject_of_an_old_job_is_its_prompt(jobs: Ledger) -> None:
    assert Order.of(record(jobs)).subject == "a cat"


@pytest.mark.parametrize(
    ("uuid", "task_id", "name"),
    [
        ("12345678-aaaa", "t1", "t1"),
        ("12345678-aaaa", None, "12345678"),
        (None, "t1", None),
        (None, None, None),
    ],
)
def test_an_outcome_names_its_job_by_task_or_id_prefix(
    uuid: str | None, task_id: str | None, name: str | None
) -> None:
    assert Outcome(uuid, task_id, Result({})).job == name


def test_a_failure_says_whether_the_job_was_sent_accepted_or_given_up(jobs: Ledger) -> None:
    unsent, refused, failed, dropped = (record(jobs).uuid for _ in range(4))
    for uuid in (refused, failed):
        jobs.mark_sent(uuid)
    jobs.mark_running(failed, "t1")
    for uuid in (unsent, refused, failed):
        jobs.mark_failed(uuid, code="bad_request", message="no")
    jobs.give_up(dropped)

    def failure(uuid: str) -> Any:
        job = jobs.get(uuid)
        assert job is not None
        error = job.failure()
        assert error.exit_code == ExitCode.REFUSED
        return error

    assert failure(unsent).message == "The job was never sent: no"
    assert isinstance(failure(refused), ApiError)
    assert not failure(refused).accepted
    assert failure(failed).accepted
    assert failure(failed).task_id == "t1"
    assert failure(dropped).code == "given_up"
    assert failure(dropped).message.endswith("Given up by the user.")

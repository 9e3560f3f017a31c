"""The service's objects: fields of any type, failures in every form, and when a job is finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mjcli.api.models import Result, ResultKind, State, TaskRecord, error_of, is_error
from mjcli.errors import ExitCode
from tests.support.service import fixture

ODD: list[Any] = [None, True, False, "", "x", [], {}, [[]], [None, 1], {"a": 1}, -1, 0, 1e400, 10**400]
FIELDS = [
    "task_id",
    "image_id",
    "image_url",
    "raw_image_url",
    "image_width",
    "image_height",
    "raw_image_width",
    "raw_image_height",
    "progress",
    "actions",
    "success",
    "error",
    "sub_image_urls",
    "video_urls",
    "trace_id",
    "message",
    "detail",
]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("field", FIELDS)
def test_any_field_may_have_any_type(field: str, value: Any) -> None:
    result = Result({**fixture("imagine.json"), field: value})
    for name in ("task_id", "image_id", "progress", "actions", "image_link", "file_urls", "size"):
        getattr(result, name)
    assert isinstance(result.failed, bool)
    assert result.state() in ("running", "failed", "done")
    assert isinstance(result.error().message, str)
    assert all(isinstance(each, str) for each in [*result.actions, *result.file_urls])


@pytest.mark.parametrize(
    ("value", "percent"),
    [
        (35, 35),
        (35.9, 35),
        ("50%", 50),
        ("50", 50),
        (" 7 % ", 7),
        (150, 100),
        (-3, 0),
        (None, None),
        ("soon", None),
        (True, None),
        ([], None),
        (float("nan"), None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_progress_is_a_percentage_or_nothing(value: Any, percent: int | None) -> None:
    assert Result({"progress": value}).progress == percent


@pytest.mark.parametrize(
    ("name", "size", "urls"),
    [
        ("imagine.json", "2048x2048", 1),
        ("upscale4.json", "1024x1024", 1),
        ("variation2.json", "2048x2048", 1),
        ("edits.json", "960x1200", 4),
        ("videos.json", "560x688", 4),
        ("blend.json", None, 1),
    ],
)
def test_every_final_object_of_the_service_is_read_in_full(name: str, size: str | None, urls: int) -> None:
    result = Result(fixture(name))
    assert result.state() == "done"
    assert not result.failed
    assert len(result.file_urls) == urls
    assert size is None or result.size == size
    assert result.task_id == fixture(name)["task_id"]


def test_links_are_returned_unchanged() -> None:
    assert Result(fixture("videos.json")).file_urls == fixture("videos.json")["video_urls"]
    assert Result(fixture("imagine.json")).file_urls == [fixture("imagine.json")["raw_image_url"]]


def test_a_width_may_be_a_string_and_the_thumbnail_is_the_fallback() -> None:
    assert Result({"raw_image_width": "10", "raw_image_height": "20"}).size == "10x20"
    assert Result({"image_width": 1, "image_height": 2, "raw_image_width": None}).size == "1x2"
    assert Result({"image_width": 1}).size is None
    assert Result({"image_url": "https://t"}).image_link == "https://t"


@pytest.mark.parametrize(
    "document",
    [
        fixture("error.json"),
        {"error": "a bare string"},
        {"success": False},
        {"error": {"code": "x"}},
    ],
)
def test_every_form_of_a_failure_is_recognized(document: dict[str, Any]) -> None:
    assert is_error(document)
    assert Result(document).failed
    assert Result(document).state() == "failed"


@pytest.mark.parametrize(
    "document", [{}, {"success": True}, {"success": None}, {"error": None}, {"error": {}}]
)
def test_an_object_without_a_failure_is_not_an_error(document: dict[str, Any]) -> None:
    assert not is_error(document)


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "bad_request", ExitCode.REFUSED),
        (400, "no_token", ExitCode.AUTH),
        (401, "token_expired", ExitCode.AUTH),
        (402, "anything", ExitCode.BALANCE),
        (403, "used_up", ExitCode.BALANCE),
        (403, "disabled", ExitCode.AUTH),
        (403, "forbidden", ExitCode.REFUSED),
        (404, "no_api", ExitCode.UNAVAILABLE),
        (429, "too_many_requests", ExitCode.BALANCE),
        (500, "api_error", ExitCode.UNAVAILABLE),
    ],
)
def test_the_exit_status_follows_from_status_and_code(status: int, code: str, exit_code: ExitCode) -> None:
    error = error_of({"error": {"code": code, "message": "m"}}, status=status, accepted=False)
    assert (error.code, error.exit_code, error.message) == (code, exit_code, "m")


def test_the_failure_of_an_accepted_job_is_not_reported_as_unavailable() -> None:
    assert error_of(fixture("error.json"), status=200, accepted=True).exit_code == ExitCode.REFUSED


def test_an_error_has_its_trace_id() -> None:
    error = error_of(fixture("error.json"), status=500, accepted=False)
    assert error.trace_id == fixture("error.json")["trace_id"]


# -- when a job is finished ----------------------------------------------------------------------------

IMAGE = {"image_url": "https://e/1.png"}
VIDEOS = {"video_urls": ["https://e/1.mp4"]}
DESCRIPTIONS = {"descriptions": ["a cat"]}
IDS = {"task_id": "t", "image_id": "5", "image_url": None, "actions": [], "success": True}


def event(
    document: dict[str, Any], *, kind: ResultKind = "anything", ended: bool | None = None
) -> Callable[[], State]:
    """The state of the job that an object is about; `ended` None derives its end from the object itself."""
    return lambda: Result(document).state(kind, ended=ended)


def record(**fields: Any) -> Callable[[], State]:
    """The state of a task."""
    return lambda: TaskRecord({"id": "t", **fields}).state


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        # An event of a stream.
        (event({}), "running"),
        (event({"progress": 0}), "running"),
        (event({"progress": 99, **IMAGE}), "running"),
        (event({"progress": 100}), "running"),
        (event({"progress": 100, **IDS}), "running"),
        (event({"progress": 100, **IMAGE}), "done"),
        (event({"progress": "100%", **IMAGE}), "done"),
        (event({"progress": 35, **IMAGE, "actions": ["upscale1"]}), "running"),
        (event(IMAGE), "running"),
        (event({**IMAGE, "actions": ["upscale1"]}), "done"),
        (event({"actions": ["upscale1"]}), "running"),
        (event(IDS), "running"),
        (event(fixture("imagine.json")), "done"),
        # Text results.
        (event(DESCRIPTIONS), "done"),
        (event({**DESCRIPTIONS, **IMAGE}), "done"),
        (event({"prompts": ["a cat"]}), "done"),
        (event({"content": "a cat"}), "done"),
        (event({"seed": 7, "image_id": "5"}), "done"),
        (event({"seed": 7, "progress": 0}), "running"),
        (event({"content": ""}), "running"),
        # Failures.
        (event({"success": False}), "failed"),
        (event({"error": "no"}), "failed"),
        (event({"error": {"code": "x"}}), "failed"),
        (event({"error": {"code": "x"}, "progress": 100, **IMAGE}), "failed"),
        (event(fixture("error.json")), "failed"),
        (event({"success": False}, ended=True), "failed"),
        # A result of the requested kind.
        (event({"progress": 100, **IMAGE}, kind="image"), "done"),
        (event({"progress": 100, **IMAGE}, kind="video"), "running"),
        (event({"progress": 100, **VIDEOS}, kind="video"), "done"),
        (event({"progress": 100, **VIDEOS}, kind="text"), "running"),
        (event({"progress": 100, **IMAGE}, kind="text"), "running"),
        (event(DESCRIPTIONS, kind="text"), "done"),
        (event(DESCRIPTIONS, kind="image"), "running"),
        (event({**DESCRIPTIONS, **IMAGE}, kind="image"), "running"),
        (event(fixture("edits.json"), kind="image"), "done"),
        (event(fixture("videos.json"), kind="video"), "done"),
        # An object of which it is known whether the job has ended.
        (event(IMAGE, ended=True), "done"),
        (event(IDS, ended=True), "running"),
        (event({}, ended=True), "running"),
        (event({"progress": 100, **IMAGE}, ended=False), "running"),
        # A task.
        (record(), "running"),
        (record(response=None, finished_at=None), "running"),
        (record(response={}), "running"),
        (record(response={}, progress=40), "running"),
        (record(response=IDS), "running"),
        (record(response={"progress": 100}), "running"),
        (record(response={"progress": 40, **IMAGE}), "running"),
        (record(response={"success": True, **IMAGE}), "done"),
        (record(response=DESCRIPTIONS), "done"),
        (record(response={}, finished_at=1), "done"),
        (record(finished_at=1), "done"),
        (record(response=IDS, finished_at=1), "done"),
        (record(response={"progress": 100}, finished_at=1), "done"),
        (record(response={"progress": 40, **IMAGE}, finished_at=1), "done"),
        (record(response={"success": False}), "failed"),
        (record(response={"error": {"code": "x"}}, finished_at=1), "failed"),
        (record(error="no"), "failed"),
        (record(error="no", finished_at=1), "failed"),
        (record(**fixture("task.json")), "done"),
    ],
)
def test_a_job_is_running_failed_or_done(state: Callable[[], State], expected: State) -> None:
    assert state() == expected


# -- tasks and text results ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    "field", ["id", "type", "request", "response", "created_at", "finished_at", "progress"]
)
def test_any_field_of_a_task_may_have_any_type(field: str, value: Any) -> None:
    record = TaskRecord({**fixture("task.json"), field: value})
    assert record.state in ("running", "done", "failed")
    assert record.created_at is None or isinstance(record.created_at, float)
    assert isinstance(dict(record.request), dict)
    assert isinstance(record.error().message, str)
    assert record.progress is None or 0 <= record.progress <= 100


def test_the_error_of_a_failed_task_has_its_ids() -> None:
    error = TaskRecord({"id": "t", "trace_id": "x", "response": {"success": False}}).error()
    assert (error.task_id, error.trace_id, error.exit_code) == ("t", "x", ExitCode.REFUSED)


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        (fixture("describe.json"), fixture("describe.json")["descriptions"]),
        ({"prompts": ["a", "", None, "b"]}, ["a", "b"]),
        ({"content": "a cat", "task_id": "1"}, ["a cat"]),
        ({"seed": 7, "image_id": "5"}, ["7"]),
        ({"content": "a cat", "progress": 100}, ["a cat"]),
        ({"descriptions": ["a cat"], "image_url": "http://127.0.0.1:9/source.png"}, ["a cat"]),
        ({"content": "", "seed": None, "descriptions": []}, []),
        # Such fields in the result of an image, or in a progress event, are not a text result.
        ({**fixture("imagine.json"), "seed": "7"}, []),
        ({"progress": 0, "seed": "7"}, []),
        ({"image_url": "http://127.0.0.1:9/made.png", "seed": "7"}, []),
        ({**fixture("videos.json"), "content": "x"}, []),
    ],
)
def test_a_text_result_makes_no_image(document: dict[str, Any], texts: list[str]) -> None:
    result = Result(document)
    assert result.texts == texts
    if texts:
        assert result.state() == "done"
        assert result.id is None
        assert result.file_urls == []


def test_a_video_has_an_id_links_and_a_cover() -> None:
    result = Result(fixture("videos.json"))
    assert result.id == result.video_id == "1751816807896311"
    assert result.video_urls == result.file_urls == fixture("videos.json")["video_urls"]
    assert result.image_link == fixture("videos.json")["image_url"]


def test_dimensions_are_positive_or_none() -> None:
    assert Result({"raw_image_width": "10", "raw_image_height": 20.0}).dimensions == (10, 20)
    assert (
        Result({"raw_image_width": 0, "raw_image_height": 5, "image_width": -1, "image_height": 2}).dimensions
        is None
    )


@pytest.mark.parametrize(
    ("kind", "response", "state"),
    [
        ("imagine", {"seed": "1", "task_id": "t"}, "running"),
        ("imagine", {"prompts": ["a"], "success": True}, "running"),
        ("imagine", {"image_url": "https://h/a.png"}, "done"),
        ("edits", {"content": "x", "image_id": "i"}, "running"),
        ("videos", {"image_url": "https://h/cover.png", "video_id": "v"}, "running"),
        ("videos", {"video_urls": [None, ""]}, "running"),
        ("videos", {"video_urls": ["https://h/a.mp4"]}, "done"),
        ("describe", {"image_url": "https://h/a.png"}, "running"),
        ("describe", {"descriptions": ["a cat"]}, "done"),
        ("seed", {"seed": 7}, "done"),
        ("unheard-of", {"content": "x"}, "done"),
        (None, {"seed": "1"}, "done"),
        ("imagine", {"task_id": "t", "image_id": None, "actions": [], "success": True}, "running"),
    ],
)
def test_an_unfinished_task_is_done_only_with_a_result_of_its_type(
    kind: str | None, response: dict[str, Any], state: str
) -> None:
    assert TaskRecord({"id": "t", "type": kind, "response": response}).state == state


@pytest.mark.parametrize(
    ("document", "last"),
    [
        ({"progress": 40, "actions": ["reroll"], "image_url": "x"}, False),
        ({"progress": 100}, True),
        ({"progress": "100%", "image_url": "x"}, True),
        ({"image_url": "x"}, True),
        ({"video_urls": ["x"]}, True),
        ({"seed": 1}, True),
        ({"success": False}, True),
        ({"progress": 40, "error": "x"}, True),
        ({"task_id": "t"}, False),
        ({}, False),
    ],
)
def test_an_object_that_may_be_the_last_of_a_stream(document: dict[str, Any], last: bool) -> None:
    assert Result(document).may_be_last is last


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"error": {"code": "bad_request", "message": "no"}, "finished_at": 5}, "failed"),
        ({"error": "boom", "finished_at": 5}, "failed"),
        ({"success": False, "finished_at": 5}, "failed"),
        ({"success": False, "finished_at": 5, "response": {"task_id": "t"}}, "failed"),
        ({"error": "boom", "finished_at": 5, "response": {"raw_image_url": "https://h/a.png"}}, "done"),
        ({"success": False}, "running"),
        ({"success": True, "finished_at": 5}, "done"),
    ],
)
def test_a_record_may_report_the_failure_of_its_task_itself(more: dict[str, Any], state: str) -> None:
    record = TaskRecord({"id": "t", "request": {}, **more})
    assert record.state == state
    if state == "failed":
        error = record.error()
        assert (error.task_id, error.accepted) == ("t", True)

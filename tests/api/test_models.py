"""The service's objects, read without trust."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.api.models import Result, TaskRecord, error_of, is_error
from mjcli.errors import ExitCode
from tests.service import fixture

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
def test_any_field_may_be_of_any_type(field: str, value: Any) -> None:
    result = Result({**fixture("imagine.json"), field: value})
    for name in ("task_id", "image_id", "progress", "actions", "picture_url", "file_urls", "size"):
        getattr(result, name)
    assert isinstance(result.failed, bool)
    assert isinstance(result.final, bool)
    assert isinstance(result.complete, bool)
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
def test_every_final_object_of_the_service_is_complete(name: str, size: str | None, urls: int) -> None:
    result = Result(fixture(name))
    assert result.final
    assert result.complete
    assert not result.failed
    assert len(result.file_urls) == urls
    assert size is None or result.size == size
    assert result.task_id == fixture(name)["task_id"]


def test_the_links_are_left_as_they_came() -> None:
    assert Result(fixture("videos.json")).file_urls == fixture("videos.json")["video_urls"]
    assert Result(fixture("imagine.json")).file_urls == [fixture("imagine.json")["raw_image_url"]]


def test_a_width_may_be_a_string_and_the_thumbnail_is_the_last_resort() -> None:
    assert Result({"raw_image_width": "10", "raw_image_height": "20"}).size == "10x20"
    assert Result({"image_width": 1, "image_height": 2, "raw_image_width": None}).size == "1x2"
    assert Result({"image_width": 1}).size is None
    assert Result({"image_url": "https://t"}).picture_url == "https://t"


@pytest.mark.parametrize(
    "document",
    [
        fixture("error.json"),
        {"error": "a bare string"},
        {"success": False},
        {"error": {"code": "x"}},
    ],
)
def test_every_form_of_a_failure_is_one(document: dict[str, Any]) -> None:
    assert is_error(document)
    assert Result(document).failed
    assert Result(document).final
    assert not Result(document).complete


@pytest.mark.parametrize(
    "document", [{}, {"success": True}, {"success": None}, {"error": None}, {"error": {}}]
)
def test_what_says_nothing_of_a_failure_is_none(document: dict[str, Any]) -> None:
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
def test_status_and_code_lead_to_the_exit_status(status: int, code: str, exit_code: ExitCode) -> None:
    error = error_of({"error": {"code": code, "message": "m"}}, status=status, accepted=False)
    assert (error.code, error.exit_code, error.message) == (code, exit_code, "m")


def test_a_job_that_was_accepted_and_failed_is_not_safe_to_try_again() -> None:
    assert error_of(fixture("error.json"), status=200, accepted=True).exit_code == ExitCode.REFUSED


def test_a_trace_is_kept() -> None:
    error = error_of(fixture("error.json"), status=500, accepted=False)
    assert error.trace_id == fixture("error.json")["trace_id"]


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (fixture("task.json"), "done"),
        ({"id": "t"}, "running"),
        ({"id": "t", "response": None, "finished_at": None}, "running"),
        ({"id": "t", "response": {}}, "running"),
        ({"id": "t", "response": {}, "progress": 40}, "running"),
        ({"id": "t", "response": {"success": False}}, "failed"),
        ({"id": "t", "response": {"error": {"code": "x"}}, "finished_at": 1}, "failed"),
        ({"id": "t", "response": {"success": True, "image_url": "https://e"}}, "done"),
        ({"id": "t", "response": {"progress": 100}, "finished_at": 1}, "done"),
    ],
)
def test_a_record_has_no_status_but_a_state(record: dict[str, Any], state: str) -> None:
    assert TaskRecord(record).state == state


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    "field", ["id", "type", "request", "response", "created_at", "finished_at", "progress"]
)
def test_any_field_of_a_record_may_be_of_any_type(field: str, value: Any) -> None:
    record = TaskRecord({**fixture("task.json"), field: value})
    assert record.state in ("running", "done", "failed")
    assert record.created_at is None or isinstance(record.created_at, float)
    assert isinstance(dict(record.request), dict)
    assert isinstance(record.error().message, str)
    assert record.progress is None or 0 <= record.progress <= 100


def test_a_record_that_failed_says_which_task_and_trace() -> None:
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
        ({"descriptions": ["a cat"], "image_url": "http://127.0.0.1:9/asked.png"}, ["a cat"]),
        ({"content": "", "seed": None, "descriptions": []}, []),
        # Fields of such a name in what is a picture's result, or one that is being made, are not the answer.
        ({**fixture("imagine.json"), "seed": "7"}, []),
        ({"progress": 0, "seed": "7"}, []),
        ({"image_url": "http://127.0.0.1:9/made.png", "seed": "7"}, []),
        ({**fixture("videos.json"), "content": "x"}, []),
    ],
)
def test_an_answer_in_words_is_one_without_a_picture(document: dict[str, Any], texts: list[str]) -> None:
    result = Result(document)
    assert result.texts == texts
    if texts:
        assert result.complete
        assert result.id is None
        assert result.file_urls == []


def test_a_video_has_an_id_links_and_a_cover() -> None:
    result = Result(fixture("videos.json"))
    assert result.id == result.video_id == "1751816807896311"
    assert result.video_urls == result.file_urls == fixture("videos.json")["video_urls"]
    assert result.picture_url == fixture("videos.json")["image_url"]


def test_the_size_in_numbers_is_positive_or_none() -> None:
    assert Result({"raw_image_width": "10", "raw_image_height": 20.0}).dimensions == (10, 20)
    assert (
        Result({"raw_image_width": 0, "raw_image_height": 5, "image_width": -1, "image_height": 2}).dimensions
        is None
    )

"""Waits of the program: silent streams, last queries, and deadlines that nothing outlives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import pauses
from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import Mj, files
from tests.support.service import Received, Reply, Script, Service, fixture, task_record

REQUEST = {"action": "generate", "prompt": "a cat"}
STEP = {"task_id": "t", "progress": 40}
LAST = {
    **pauses.SHORT,
    "mjcli.jobs.follow:LAST_QUERY_SECONDS": 0.5,
    "mjcli.jobs.recover:LAST_SEARCH_SECONDS": 0.5,
}
QUIET = {**pauses.SHORT, "mjcli.api.client:SILENCE_SECONDS": 0.3}


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\r\n"


def stays_open(service: Service, *documents: Any) -> Script:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for each in documents:
            reply.send(line(each))
        service.over.wait(60)
        reply.close()

    return script


def within(seconds: float, work: Callable[[], Any]) -> Any:
    began = time.monotonic()
    result = work()
    assert time.monotonic() - began < seconds
    return result


def finished(service: Service) -> dict[str, Any]:
    service.files["/files/cat.png"] = png()
    return task_record("t", REQUEST, service.result(task_id="t"))


# -- streams --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_silent_stream_whose_task_has_ended_is_not_waited_for(online: Mj, service: Service) -> None:
    online.pauses = QUIET
    service.imagine(stays_open(service, STEP))
    service.tasks["t"] = finished(service)
    result = within(20, lambda: online("imagine", "a cat", "-o", "cat.png", "--json"))
    assert result.answer["task_id"] == "t"
    assert files(online) == ["cat.png"]
    assert len(service.posts()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("headers", [True, False])
def test_the_task_of_a_stream_that_is_silent_from_the_start_is_found(
    online: Mj, service: Service, headers: bool
) -> None:
    online.pauses = QUIET

    def script(_: Received, reply: Reply) -> None:
        service.tasks["t"] = finished(service)
        if headers:
            reply.head(200, {"content-type": "application/x-ndjson"})
        service.over.wait(60)
        reply.close()

    service.imagine(script)
    result = within(20, lambda: online("imagine", "a cat", "-o", "cat.png", "--json"))
    assert result.answer["task_id"] == "t"
    assert files(online) == ["cat.png"]
    assert len(service.posts()) == 1


@pytest.mark.slow
def test_a_silent_stream_whose_task_has_failed_is_4(online: Mj, service: Service) -> None:
    online.pauses = QUIET
    service.imagine(stays_open(service, STEP))
    service.tasks["t"] = task_record("t", REQUEST, fixture("error.json"))
    within(20, lambda: online("imagine", "a cat", check=4))
    assert rows(online) == [("failed", "t")]


@pytest.mark.slow
def test_a_silent_stream_whose_task_runs_goes_on(online: Mj, service: Service) -> None:
    online.pauses = QUIET
    service.tasks["t"] = task_record("t", REQUEST, None)

    def script(_: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(line(STEP))
        while len(service.posts(Service.TASKS)) < 2:
            service.over.wait(0.05)
        reply.send(line(service.result(task_id="t")))
        reply.end()

    service.imagine(script)
    assert online("imagine", "a cat", "--json").answer["success"] is True


@pytest.mark.slow
@pytest.mark.parametrize("known", [None, {}, "running", "done"])
@pytest.mark.parametrize("command", ["edit", "video"])
def test_a_final_object_without_actions_ends_a_stream_that_stays_open(
    online: Mj, service: Service, command: str, known: Any
) -> None:
    final = fixture("edits.json" if command == "edit" else "videos.json")
    task = final["task_id"]
    service.scripts[f"/midjourney/{command}s"] = stays_open(service, {**STEP, "task_id": task}, final)
    if known == "running":
        service.tasks[task] = task_record(task, REQUEST, None)
    elif known == "done":
        service.tasks[task] = task_record(task, REQUEST, final)
    elif known is None:
        service.scripts[Service.TASKS] = lambda _, reply: reply.reset()
    words = (
        ("edit", f"{service.base_url}/a.png", "a hat")
        if command == "edit"
        else ("video", "x", "--image", f"{service.base_url}/a.png")
    )
    result = within(20, lambda: online(*words, "--no-check", "--json"))
    assert result.answer == {**final, "files": []}


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--no-stream",)])
def test_a_whole_answer_whose_end_is_missing_is_the_result(
    online: Mj, service: Service, options: tuple[str, ...]
) -> None:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/json"})
        reply.send(json.dumps(service.result(task_id="t"), indent=1).encode())
        service.over.wait(60)
        reply.close()

    service.imagine(script)
    result = within(20, lambda: online("imagine", "a cat", "--json", *options))
    assert result.answer["task_id"] == "t"
    assert len(service.received) == 1


def test_a_rate_limit_on_the_first_line_is_retried_and_the_job_is_sent_once_more(
    online: Mj, service: Service
) -> None:
    limited = {"error": {"code": "rate_limited", "message": "slow"}, "success": False}
    service.imagine(
        lambda _, reply: reply.stream([limited]),
        lambda _, reply: reply.json(limited),
        lambda _, reply: reply.json(service.result(task_id="t")),
    )
    online("imagine", "a cat")
    assert len(service.posts()) == 3
    assert rows(online) == [("done", "t")]


def test_a_rate_limit_that_stays_is_5_and_the_job_counts_as_not_accepted(
    online: Mj, service: Service
) -> None:
    service.stream([{"error": {"code": "too_many_requests", "message": "slow"}}])
    online("imagine", "a cat", "--retries", "1", check=5)
    assert len(service.posts()) == 2
    assert rows(online) == [("failed", None)]
    assert service.posts(Service.TASKS) == []


# -- the last query -------------------------------------------------------------------------------------


def ends_at_query(service: Service, number: int) -> None:
    """Let the task have ended at this query and from then on."""
    record = finished(service)

    def tasks(_: Received, reply: Reply) -> None:
        done = len(service.posts(Service.TASKS)) >= number
        reply.json(record if done else task_record("t", REQUEST, None))

    service.scripts[Service.TASKS] = tasks


@pytest.mark.slow
@pytest.mark.parametrize("timeout", ["1", "1.3"])
def test_following_a_task_ends_with_a_query_at_the_deadline(
    online: Mj, service: Service, timeout: str
) -> None:
    online.pauses = pauses.REAL
    ends_at_query(service, 3)  # one at the start, one to follow it, one at the deadline
    result = within(20, lambda: online("describe-task", "t", "--wait", "--timeout", timeout, "--json"))
    assert result.answer["response"]["success"] is True


@pytest.mark.slow
def test_a_stream_that_reaches_its_deadline_ends_with_a_query(online: Mj, service: Service) -> None:
    service.imagine(stays_open(service, STEP))
    ends_at_query(service, 1)
    result = within(20, lambda: online("imagine", "a cat", "--timeout", "1", "-o", "cat.png", "--json"))
    assert result.answer["task_id"] == "t"
    assert files(online) == ["cat.png"]


@pytest.mark.slow
def test_a_slow_last_query_counts(online: Mj, service: Service) -> None:
    record = finished(service)

    def tasks(_: Received, reply: Reply) -> None:
        service.over.wait(1.5)
        reply.json(record)

    service.imagine(stays_open(service, STEP))
    service.scripts[Service.TASKS] = tasks
    assert online("imagine", "a cat", "--timeout", "1", "--json").answer["task_id"] == "t"
    online("describe-task", "t", "--wait", "--timeout", "1")


@pytest.mark.slow
def test_a_lost_response_at_the_deadline_is_searched_for_and_queried(online: Mj, service: Service) -> None:
    service.imagine(stays_open(service))
    service.tasks["t"] = finished(service)
    result = within(20, lambda: online("imagine", "a cat", "--timeout", "1", "--json"))
    assert result.answer["task_id"] == "t"


@pytest.mark.slow
def test_resuming_without_waiting_takes_a_slow_answer(online: Mj, service: Service) -> None:
    service.answer({"task_id": "t"})
    online("imagine", "a cat", "--no-wait")
    record = finished(service)

    def tasks(request: Received, reply: Reply) -> None:
        if request.body["action"] == "retrieve_batch":
            return reply.json({"items": []})
        service.over.wait(1.5)
        return reply.json(record)

    service.scripts[Service.TASKS] = tasks
    assert online("resume", "t", "--no-wait", "--json").answer["task_id"] == "t"


# -- deadlines ------------------------------------------------------------------------------------------


def dripping(service: Service, first: bytes, again: bytes) -> Script:
    def script(_: Received, reply: Reply) -> None:
        try:
            reply.raw(first)
            while not service.over.wait(0.05):
                reply.raw(again)
        except OSError:
            reply.close()

    return script


DRIPS = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "103s": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a body": (b'HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n{"a":', b" "),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRIPS)
@pytest.mark.parametrize("tasks", [True, False], ids=["tasks as well", "tasks are known"])
def test_nothing_outlives_the_deadline_of_a_job(online: Mj, service: Service, name: str, tasks: bool) -> None:
    online.pauses = LAST
    service.imagine(dripping(service, *DRIPS[name]))
    if tasks:
        service.scripts[Service.TASKS] = dripping(service, *DRIPS[name])
    else:
        service.tasks["t"] = task_record("t", REQUEST, None)
    within(20, lambda: online("imagine", "a cat", "--timeout", "1", check=9 if tasks else 7))
    assert len(service.posts()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", DRIPS)
def test_following_a_task_that_drips_ends(online: Mj, service: Service, name: str) -> None:
    online.pauses = LAST
    service.answer({"task_id": "t"})
    online("imagine", "a cat", "--no-wait")
    service.scripts[Service.TASKS] = dripping(service, *DRIPS[name])
    for words in (("resume", "t", "--timeout", "1"), ("resume", "t", "--no-wait")):
        within(40, lambda words=words: online(*words, check=None))
    assert rows(online) == [("running", "t")]


@pytest.mark.parametrize("name", ["two codings", "a space in a name"])
def test_what_http_forbids_is_named_and_costs_little_time(online: Mj, service: Service, name: str) -> None:
    online.pauses = pauses.REAL
    data = {
        "two codings": b"HTTP/1.1 200 OK\r\n" + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
        "a space in a name": b"HTTP/1.1 200 OK\r\ncontent length: 2\r\n\r\n{}",
    }[name]

    def script(_: Received, reply: Reply) -> None:
        reply.raw(data)
        reply.close()

    service.imagine(script)
    service.scripts[Service.TASKS] = script
    result = within(6, lambda: online("imagine", "a cat", check=9))
    assert "not valid HTTP (" in result.err
    assert len(service.posts()) == 1


@pytest.mark.parametrize("seconds", ["0", "0.9", "-1", "604801", "1e300", "inf", "nan"])
@pytest.mark.parametrize("words", [("imagine", "a cat"), ("resume",), ("describe-task", "t", "--wait")])
def test_a_deadline_is_one_second_to_seven_days(
    online: Mj, service: Service, words: tuple[str, ...], seconds: str
) -> None:
    assert "--timeout" in online(*words, "--timeout", seconds, check=2).err
    assert service.received == []

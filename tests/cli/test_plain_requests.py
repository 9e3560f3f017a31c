"""Plain requests of the program: `--no-stream`, `--no-wait` and text, answered by streams or by silence."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import pauses
from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import Mj, files, running
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Script, Service, task_record

REQUEST = {"action": "generate", "prompt": "a cat"}
QUIET = {**pauses.SHORT, "mjcli.api.client:SILENCE_SECONDS": 0.3}
MODERATED = {"code": "bad_request", "message": "moderated"}


def stays_open(service: Service, *pieces: bytes) -> Script:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for each in pieces:
            reply.send(each)
        service.over.wait(60)
        reply.close()

    return script


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\r\n"


def within(seconds: float, work: Callable[[], Any]) -> Any:
    began = time.monotonic()
    result = work()
    assert time.monotonic() - began < seconds
    return result


def test_the_result_at_the_end_of_a_stream_is_saved(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.stream([FIRST, service.result(task_id="task-1")])
    result = online("imagine", "a cat", "--no-stream", "-o", "cat.png", "--json")
    assert result.answer["task_id"] == "task-1"
    assert files(online) == ["cat.png"]
    assert rows(online, "state, task_id") == [("done", "task-1")]
    assert service.posts(Service.TASKS) == []


@pytest.mark.slow
@pytest.mark.parametrize("option", [("--no-wait",), ("--callback-url", "https://example.com/hook")])
@pytest.mark.parametrize(
    "body", [line(FIRST), b'{"task_id": "task-1", "progress": 0}'], ids=["a line", "no line end"]
)
def test_a_task_id_is_printed_although_the_connection_stays_open(
    online: Mj, service: Service, option: tuple[str, ...], body: bytes
) -> None:
    service.imagine(stays_open(service, body))
    result = within(20, lambda: online("imagine", "a cat", *option, "--quiet", "--timeout", "60"))
    assert result.out == "task-1\n"
    assert rows(online, "state, task_id") == [("running", "task-1")]


@pytest.mark.slow
def test_ctrl_c_after_the_first_line_of_a_plain_response_leaves_a_job_with_its_task(
    online: Mj, service: Service
) -> None:
    service.imagine(stays_open(service, line(FIRST)))
    with running(online, "imagine", "a cat", "--no-stream") as process:
        assert service.arrived.wait(10)
        until = time.monotonic() + 10
        while rows(online, "task_id") != [("task-1",)] and time.monotonic() < until:
            service.over.wait(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=15)
    assert rows(online, "state, task_id") == [("running", "task-1")]


@pytest.mark.slow
@pytest.mark.parametrize("headers", [True, False])
def test_the_task_of_a_plain_request_that_is_silent_is_found(
    online: Mj, service: Service, headers: bool
) -> None:
    online.pauses = QUIET
    service.files["/files/cat.png"] = png()

    def script(request: Received, reply: Reply) -> None:
        service.tasks["t"] = task_record("t", REQUEST, service.result(task_id="t"))
        if headers:
            reply.head(200)
        service.over.wait(60)
        reply.close()

    service.imagine(script)
    result = within(20, lambda: online("imagine", "a cat", "--no-stream", "-o", "cat.png"))
    assert files(online) == ["cat.png"]
    assert "deadline" not in result.err
    assert "The response has stopped." in result.err
    assert len(service.posts()) == 1


@pytest.mark.slow
def test_the_task_of_a_text_request_that_is_silent_is_found(online: Mj, service: Service) -> None:
    online.pauses = QUIET

    def script(request: Received, reply: Reply) -> None:
        texts = {"prompts": ["cat"], "task_id": "t", "success": True}
        service.tasks["t"] = task_record("t", request.body, texts, type="shorten")
        service.over.wait(60)
        reply.close()

    service.scripts["/midjourney/shorten"] = script
    assert within(20, lambda: online("shorten", "a cat", "--quiet")).out == "cat\n"
    assert len(service.posts("/midjourney/shorten")) == 1


@pytest.mark.parametrize("status", [400, 403, 407, 410, 418, 422, 429])
@pytest.mark.parametrize(
    "more", [{"task_id": "task-1"}, {"task_id": "task-1", "image_url": "https://h/a.png"}]
)
def test_the_task_in_a_refusal_that_is_not_the_services_is_followed(
    online: Mj, service: Service, status: int, more: dict[str, Any]
) -> None:
    service.tasks["task-1"] = task_record("task-1", REQUEST, service.result(task_id="task-1"))
    service.answer(more, status)
    assert online("imagine", "a cat", "--json").answer["task_id"] == "task-1"
    assert len(service.posts()) == 1


@pytest.mark.parametrize(
    "more", [{"error": MODERATED}, {"success": False, "message": "moderated"}, {"error": "moderated"}]
)
def test_a_task_whose_record_reports_a_failure_has_failed(
    online: Mj, service: Service, more: dict[str, Any]
) -> None:
    service.tasks["task-1"] = {**task_record("task-1", REQUEST, None), "finished_at": 5, **more}
    service.stream([FIRST], end=False)
    assert "moderated" in online("imagine", "a cat", "--timeout", "60", check=4).err
    assert rows(online, "state, task_id") == [("failed", "task-1")]
    assert "moderated" in online("describe-task", "task-1", check=None).out


@pytest.mark.slow
def test_a_resumed_job_whose_record_reports_a_failure_has_failed(online: Mj, service: Service) -> None:
    service.stream([FIRST])
    service.tasks["task-1"] = task_record("task-1", REQUEST, None)
    online("imagine", "a cat", "--timeout", "1", check=7)
    service.tasks["task-1"] |= {"finished_at": 5, "error": MODERATED}
    assert "moderated" in online("resume", check=4).err
    assert rows(online, "state") == [("failed",)]

"""A plain request that is answered by a stream, by silence, or by a refusal that describes its job."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mjcli.api import Client, Hooks, Result
from mjcli.errors import ApiError, LostResponse, StillRunning
from tests.support.fake_clock import FakeClock
from tests.support.service import Received, Reply, Script, Service, fixture

IMAGINE = Service.IMAGINE
STEP = {"task_id": "t", "progress": 40}
IMAGE = fixture("imagine.json")
FAILURE = {"success": False, "error": {"code": "forbidden", "message": "no"}}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(service: Service, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr("mjcli.api.responses.FINAL_GRACE", 0.1)
    monkeypatch.setattr("mjcli.api.client.SILENCE_SECONDS", 0.2)
    with Client("token", base_url=service.base_url, use_environment=False, clock=clock) as client:
        yield client


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\r\n"


def sends(service: Service, *pieces: bytes, then: str = "open") -> Script:
    """Send pieces of a body, and then leave the connection open, reset it, or end the body."""

    def script(_: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for piece in pieces:
            reply.send(piece)
        if then == "open":
            service.over.wait(20)
            reply.close()
        elif then == "reset":
            service.over.wait(0.1)
            reply.reset()
        else:
            reply.end()

    return script


# -- streams --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["end", "open", "reset"])
@pytest.mark.parametrize("final", [line(IMAGE), line(IMAGE) * 2, json.dumps(IMAGE).encode()])
def test_the_last_object_of_a_stream_is_the_result_of_a_plain_request(
    client: Client, service: Service, final: bytes, then: str
) -> None:
    service.imagine(sends(service, line(STEP), final, then=then))
    assert client.wait(IMAGINE, {}, deadline=time.monotonic() + 30).document == IMAGE
    assert len(service.posts()) == 1


def test_a_failure_at_the_end_of_a_stream_has_the_task_id_of_the_stream(
    client: Client, service: Service
) -> None:
    service.imagine(sends(service, line(STEP), line(FAILURE)))
    with pytest.raises(ApiError) as caught:
        client.wait(IMAGINE, {})
    assert (caught.value.code, caught.value.task_id, caught.value.accepted) == ("forbidden", "t", True)


def test_a_stream_that_breaks_before_its_last_object_is_lost_with_its_task_id(
    client: Client, service: Service
) -> None:
    service.imagine(sends(service, line(STEP), then="reset"))
    with pytest.raises(LostResponse) as caught:
        client.wait(IMAGINE, {})
    assert caught.value.task_id == "t"


@pytest.mark.slow
def test_the_deadline_of_a_plain_request_that_is_streamed_names_its_task(
    client: Client, service: Service
) -> None:
    service.imagine(sends(service, line(STEP)))
    with pytest.raises(StillRunning) as caught:
        client.wait(IMAGINE, {}, deadline=time.monotonic() + 0.5)
    assert caught.value.task_id == "t"


@pytest.mark.parametrize("body", [line(STEP), json.dumps(STEP).encode()], ids=["line", "no line end"])
def test_a_hook_may_be_content_with_the_first_object(client: Client, service: Service, body: bytes) -> None:
    service.imagine(sends(service, body))
    hooks = Hooks(enough=lambda result: result.task_id == "t")
    assert client.wait(IMAGINE, {}, hooks=hooks).document == STEP


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_an_id_alone_is_a_whole_response_even_if_the_connection_stays_open(
    client: Client, service: Service, ending: bytes
) -> None:
    service.imagine(sends(service, b'{"task_id": "t"}' + ending))
    assert client.wait(IMAGINE, {}, deadline=time.monotonic() + 30).document == {"task_id": "t"}


@pytest.mark.slow
@pytest.mark.parametrize("streamed", [False, True])
def test_progress_without_a_task_id_or_a_line_end_is_not_the_end(
    client: Client, service: Service, streamed: bool
) -> None:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(b'{"progress": 10}')
        service.over.wait(0.4)
        reply.send(b"\r\n" + line(IMAGE))
        reply.end()

    service.imagine(script)
    result = list(client.stream(IMAGINE, {}))[-1] if streamed else client.wait(IMAGINE, {})
    assert result.document == IMAGE


def test_a_large_object_over_many_lines_is_one_response(client: Client, service: Service) -> None:
    document = {**IMAGE, "notes": ["x" * 1000] * 3000}
    data = json.dumps(document, indent=1).encode()
    service.imagine(lambda _, reply: reply.whole(data))
    assert client.wait(IMAGINE, {}).document == document


# -- silence --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("headers", [True, False])
def test_a_silent_plain_request_is_ended_by_its_hook(client: Client, service: Service, headers: bool) -> None:
    service.imagine(sends(service) if headers else lambda _, __: service.over.wait(20) and None)
    answers = [False, True]
    with pytest.raises(LostResponse, match=r"^The response has stopped\.$"):
        client.wait(IMAGINE, {}, deadline=time.monotonic() + 30, hooks=Hooks(silent=lambda: answers.pop(0)))
    assert answers == []


@pytest.mark.slow
def test_without_a_hook_silence_is_waited_for(client: Client, service: Service) -> None:
    def script(_: Received, reply: Reply) -> None:
        service.over.wait(0.7)
        reply.json(IMAGE)

    service.imagine(script)
    assert client.wait(IMAGINE, {}).document == IMAGE


# -- rate limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "document", [{"error": "too_many_requests"}, {"error": "rate_limited", "success": False}]
)
def test_a_rate_limit_in_a_bare_string_is_retried(
    client: Client, service: Service, document: dict[str, Any], streamed: bool
) -> None:
    service.imagine(lambda _, reply: reply.json(document), lambda _, reply: reply.json(IMAGE))
    result = list(client.stream(IMAGINE, {}))[-1] if streamed else client.wait(IMAGINE, {})
    assert result.document == IMAGE
    assert len(service.posts()) == 2


LIMIT = {"error": {"code": "rate_limited", "message": "slow"}}


@pytest.mark.parametrize("status", [400, 403, 429])
@pytest.mark.parametrize("document", [{**LIMIT, "task_id": "t"}, {**LIMIT, **IMAGE, "task_id": "t"}])
def test_a_rate_limit_that_describes_a_job_is_not_retried(
    client: Client, service: Service, status: int, document: dict[str, Any]
) -> None:
    service.answer(document, status)
    with pytest.raises(LostResponse) as caught:
        client.wait(IMAGINE, {})
    assert caught.value.task_id == "t"
    assert len(service.posts()) == 1


def test_a_whole_result_with_the_status_of_a_rate_limit_is_not_retried(
    client: Client, service: Service
) -> None:
    service.answer(IMAGE, 429)
    with pytest.raises(LostResponse) as caught:
        client.wait(IMAGINE, {})
    assert caught.value.task_id == Result(IMAGE).task_id
    assert len(service.posts()) == 1


# -- queries --------------------------------------------------------------------------------------------

FAILED_TASK = {"id": "t", "request": {}, "finished_at": 5, "error": {"code": "bad_request", "message": "no"}}


def test_the_failure_of_a_task_is_not_a_refused_query(client: Client, service: Service) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.json(FAILED_TASK)
    found = client.task("t")
    assert found is not None
    assert (found.state, found.error().code) == ("failed", "bad_request")
    service.scripts[Service.TASKS] = lambda _, reply: reply.json({"items": [FAILED_TASK], "count": 1})
    assert [each.state for each in client.tasks(["t"])] == ["failed"]


def test_an_error_object_with_an_id_of_its_own_is_a_refused_query(client: Client, service: Service) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.json({**FAILURE, "id": "request-1"})
    with pytest.raises(ApiError) as caught:
        client.task("t")
    assert caught.value.about_tasks


def test_numbers_that_are_not_json_are_ignored_in_a_task(client: Client, service: Service) -> None:
    data = b'{"id": "t", "elapsed": NaN, "created_at": -Infinity, "response": {"seed": "1", "x": Infinity}}'
    service.scripts[Service.TASKS] = lambda _, reply: reply.whole(data)
    found = client.task("t")
    assert found is not None
    assert (found.state, found.created_at) == ("done", None)

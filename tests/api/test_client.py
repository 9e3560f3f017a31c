"""The client on a real socket: what is sent, what is retried, what is translated into which exception."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from mjcli.api import Client, Hooks
from mjcli.api import client as client_module
from mjcli.errors import ApiError, LostAnswer, NetworkError, StillRunning
from tests.service import Reply, Service, fixture, fixture_lines, task_record


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client("secret-token", base_url=service.base_url, use_environment=False) as client:
        yield client


def test_imagine_sends_prompt_and_fields_and_gives_the_result(client: Client, service: Service) -> None:
    service.answer(fixture("imagine.json"))
    result = client.imagine("a cat", mode="fast", split_images=True)
    assert result.document == fixture("imagine.json")
    (post,) = service.posts()
    assert post.body == {"action": "generate", "prompt": "a cat", "mode": "fast", "split_images": True}
    assert post.headers["accept"] == "application/json"


def test_events_come_one_by_one_as_they_arrive(client: Client, service: Service) -> None:
    import threading

    seen = threading.Event()

    def script(_: Any, reply: Reply) -> None:
        first, *rest = fixture_lines("stream.ndjson")
        reply.head(200)
        reply.send(first + b"\r\n")
        assert seen.wait(30)
        for line in rest:
            reply.send(line + b"\r\n")
        reply.end()

    service.imagine(script)
    events = client.imagine_events("a cat")
    assert next(events).progress == 35
    seen.set()
    assert [each.progress for each in events] == [75, 100]
    assert service.posts()[0].headers["accept"] == "application/x-ndjson"


def test_an_action_sends_its_image(client: Client, service: Service) -> None:
    service.answer(fixture("upscale4.json"))
    assert client.action("upscale4", "123").image_id == fixture("upscale4.json")["image_id"]
    assert service.posts()[0].body == {"action": "upscale4", "image_id": "123"}


GENERATE = {"action": "generate", "prompt": "a cat"}
EXTEND = {"action": "extend", "video_id": "7", "video_index": 2, "prompt": "a cat"}
MAKING: list[tuple[str, tuple[str, ...], dict[str, Any], str, dict[str, Any]]] = [
    ("imagine", ("a cat",), {"hd": True}, "imagine", {**GENERATE, "hd": True}),
    ("action", ("upscale1", "5"), {}, "imagine", {"action": "upscale1", "image_id": "5"}),
    ("edit", ("http://a", "a cat"), {"mask": "AAAA"}, "edits", {**GENERATE, "image_url": "http://a", "mask": "AAAA"}),
    ("video", ("a cat", "http://a"), {"loop": True}, "videos", {**GENERATE, "image_url": "http://a", "loop": True}),
    ("extend_video", ("7", "a cat"), {"index": 2}, "videos", EXTEND),
]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments", "fields", "endpoint", "body"), MAKING)
def test_what_makes_something_sends_its_body_and_waits_or_streams(
    client: Client, service: Service, method: str, arguments: Any, fields: Any, endpoint: str, body: Any
) -> None:
    path = f"/midjourney/{endpoint}"
    final = fixture("imagine.json")
    service.scripts[path] = lambda request, reply: (
        reply.stream([{"progress": 10}, final])
        if request.headers["accept"] == "application/x-ndjson"
        else reply.json(final)
    )
    assert getattr(client, method)(*arguments, **fields).document == final
    events = list(getattr(client, f"{method}_events")(*arguments, **fields))
    assert [event.progress for event in events] == [10, 100]
    assert [post.body for post in service.posts(path)] == [body, body]


ANSWERS: list[tuple[str, dict[str, str], dict[str, Any], Any]] = [
    ("describe", {"image_url": "x"}, fixture("describe.json"), fixture("describe.json")["descriptions"]),
    ("shorten", {"prompt": "x"}, {"prompts": ["a", "b"]}, ["a", "b"]),
    ("translate", {"content": "x"}, {"content": "a"}, "a"),
    ("seed", {"image_id": "x"}, {"seed": 12, "image_id": "x"}, "12"),
]


@pytest.mark.parametrize(("method", "body", "document", "answer"), ANSWERS)
def test_an_answer_in_words_is_given_as_words(
    client: Client, service: Service, method: str, body: Any, document: Any, answer: Any
) -> None:
    path = f"/midjourney/{method}"
    service.scripts[path] = lambda _request, reply: reply.json(document)
    assert getattr(client, method)("x") == answer
    (post,) = service.posts(path)
    assert post.body == body
    assert post.headers["accept"] == "application/json"


@pytest.mark.parametrize("method", [each[0] for each in ANSWERS])
@pytest.mark.parametrize("document", [{}, {"descriptions": [], "prompts": None, "content": "", "seed": {}}])
def test_an_answer_without_them_is_lost_and_not_asked_for_again(
    client: Client, service: Service, method: str, document: Any
) -> None:
    path = f"/midjourney/{method}"
    service.scripts[path] = lambda _request, reply: reply.json(document)
    with pytest.raises(LostAnswer):
        getattr(client, method)("x")
    assert len(service.posts(path)) == 1


@pytest.mark.parametrize("method", [each[0] for each in ANSWERS])
def test_a_refusal_of_words_is_an_api_error(client: Client, service: Service, method: str) -> None:
    service.scripts[f"/midjourney/{method}"] = lambda _request, reply: reply.json(fixture("error.json"), 400)
    with pytest.raises(ApiError):
        getattr(client, method)("x")


def test_several_threads_may_ask_for_tasks_at_once(client: Client, service: Service) -> None:
    from concurrent.futures import ThreadPoolExecutor

    service.tasks["1"] = task_record("1", {}, None)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: client.task("1"), range(40)))


def test_the_token_stands_in_header_or_query_never_in_both(service: Service) -> None:
    service.answer(fixture("imagine.json"))
    for place in ("header", "query"):
        with Client("a b&c", base_url=service.base_url, token_in=place, use_environment=False) as client:
            client.imagine("x")
            client.tasks(["t"])
    in_header, tasks_header, in_query, tasks_query = service.received
    for each in (in_header, tasks_header):
        assert (each.headers["authorization"], each.query) == ("Bearer a b&c", {})
    for each in (in_query, tasks_query):
        assert ("authorization" in each.headers, each.query) == (False, {"token": "a b&c"})


def test_the_token_is_in_no_exception(service: Service) -> None:
    for place in ("header", "query"):
        service.imagine(lambda _, reply: reply.reset())
        with (
            Client(
                "secret-token", base_url=service.base_url, token_in=place, use_environment=False
            ) as client,
            pytest.raises(LostAnswer) as caught,
        ):
            client.imagine("x")
        assert "secret-token" not in f"{caught.value} {caught.value.__dict__}"


@pytest.mark.parametrize(
    "script",
    [
        lambda _, reply: reply.reset(),
        lambda _, reply: reply.close(),
        lambda _, reply: reply.whole(b"<html>", 502),
        lambda _, reply: reply.whole(b"<html>", 503),
        lambda _, reply: reply.whole(b"<html>", 200),
        lambda _, reply: reply.json([]),
        lambda _, reply: reply.json({"error": {"code": "timeout", "message": "x"}}, 504),
        lambda _, reply: reply.whole(b"", 307, {"location": "/midjourney/imagine"}),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_lost_answer_is_one_and_is_not_sent_again(
    client: Client, service: Service, script: Any, streamed: bool
) -> None:
    service.imagine(script)
    with pytest.raises(LostAnswer):
        list(client.imagine_events("x")) if streamed else client.imagine("x")
    assert len(service.received) == 1


def test_a_refusal_is_an_api_error_with_what_the_service_said(client: Client, service: Service) -> None:
    service.answer(fixture("error.json"), 500)
    with pytest.raises(ApiError) as caught:
        client.imagine("x")
    assert (caught.value.code, caught.value.message) == ("api_error", "fetch failed")
    assert caught.value.trace_id == fixture("error.json")["trace_id"]
    assert caught.value.document == fixture("error.json")


def test_a_rate_limit_is_tried_again_and_said(client: Client, service: Service) -> None:
    limited = {"error": {"code": "too_many_requests", "message": "slow"}}
    service.imagine(
        lambda _, reply: reply.json(limited, 429, {"retry-after": "0.01"}),
        lambda _, reply: reply.json(fixture("imagine.json")),
    )
    said: list[tuple[float, str]] = []
    hooks = Hooks(retrying=lambda seconds, reason: said.append((seconds, reason)))
    client.wait("/midjourney/imagine", {"prompt": "x"}, hooks=hooks)
    assert len(service.posts()) == 2
    assert [seconds for seconds, _ in said] == [0.01]


OVER = "Wed, 21 Oct 2015 07:28:00 GMT"
FAR = "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        pytest.param(None, 0.3, 0.7, id="absent"),
        pytest.param("-5", 0.3, 0.7, id="negative"),
        pytest.param(OVER, 0.3, 0.7, id="past"),
        pytest.param("soon", 0.3, 0.7, id="neither number nor date"),
        pytest.param("7", 7, 7, id="seconds"),
        pytest.param("20 s from now", 18, 20, id="date"),
        pytest.param("99999999999", 60, 60, id="huge number"),
        pytest.param("1e999", 60, 60, id="infinite"),
        pytest.param(FAR, 60, 60, id="date far ahead"),
    ],
)
def test_retry_after_is_honoured_within_its_cap_and_the_backoff_is_used_without_one(
    client: Client,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    low: float,
    high: float,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(client_module, "time", SimpleNamespace(**{**vars(time), "sleep": waited.append}))
    if value == "20 s from now":
        value = formatdate(time.time() + 20, usegmt=True)
    headers = {} if value is None else {"retry-after": value}
    limited = {"error": {"code": "too_many_requests", "message": "slow"}}
    service.imagine(
        lambda _, reply: reply.json(limited, 429, headers),
        lambda _, reply: reply.json(fixture("imagine.json")),
    )
    client.imagine("x")
    assert len(waited) == 1
    assert low <= waited[0] <= high
    assert len(service.posts()) == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_nothing_but_the_deadline_bounds_the_silence_of_a_paid_request(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    """Ninety silent seconds pass in no test: what is looked at is how long the socket may be silent."""
    allowed: list[float | None] = []
    real = httpx.HTTPTransport.handle_request

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        allowed.append(request.extensions["timeout"]["read"])
        return real(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle_request)
    service.answer(fixture("imagine.json"))
    for deadline in (None, time.monotonic() + 900):
        if streamed:
            list(client.stream("/midjourney/imagine", {}, deadline=deadline))
        else:
            client.wait("/midjourney/imagine", {}, deadline=deadline)
    without, within = allowed
    assert without is None
    assert within is not None
    assert 890 < within <= 900


def test_the_hooks_say_when_the_request_leaves_and_has_left(client: Client, service: Service) -> None:
    order: list[str] = []
    service.imagine(lambda _, reply: (order.append("arrived"), reply.json(fixture("imagine.json")))[1])
    hooks = Hooks(leaving=lambda: order.append("leaving"), sent=lambda: order.append("sent"))
    client.wait("/midjourney/imagine", {"prompt": "x"}, hooks=hooks)
    assert order[0] == "leaving"
    assert set(order) == {"leaving", "sent", "arrived"}


def test_paid_requests_never_share_a_connection(client: Client, service: Service) -> None:
    service.answer(fixture("imagine.json"))
    for _ in range(3):
        client.imagine("x")
    assert len({each.port for each in service.posts()}) == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_a_silent_service_is_left_at_the_deadline(client: Client, service: Service, streamed: bool) -> None:
    service.imagine(lambda _, reply: (service.over.wait(60) and None) or reply.close())
    deadline = time.monotonic() + 0.3
    with pytest.raises((StillRunning, LostAnswer)):
        if streamed:
            list(client.stream("/midjourney/imagine", {}, deadline=deadline))
        else:
            client.wait("/midjourney/imagine", {}, deadline=deadline)
    assert time.monotonic() >= deadline - 0.05
    assert len(service.posts()) == 1


def test_one_task_many_tasks_and_the_recent_ones(client: Client, service: Service) -> None:
    for name in ("a", "b", "c"):
        service.tasks[name] = task_record(name, {}, None)
    found = client.task("b")
    assert found is not None
    assert found.id == "b"
    assert client.task("z") is None
    assert {each.id for each in client.tasks(["c", "a", "z"])} == {"a", "c"}
    assert [each.id for each in client.recent_tasks(limit=2)] == ["c", "b"]
    assert [each.body for each in service.posts(Service.TASKS)] == [
        {"action": "retrieve", "id": "b"},
        {"action": "retrieve", "id": "z"},
        {"action": "retrieve_batch", "ids": ["c", "a", "z"], "limit": 3},
        {"action": "retrieve_batch", "offset": 0, "limit": 2},
    ]


@pytest.mark.parametrize(
    "items", [None, {}, "x", [None, 1, {}, {"id": "a"}], [[], {"id": "a"}, {"id": None, "request": 3}]]
)
def test_odd_lists_of_tasks_are_read_without_trust(client: Client, service: Service, items: Any) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.json({"items": items, "count": "many"})
    assert all(each.id in ("a", None) for each in client.recent_tasks())


def test_reads_are_tried_again_after_faults(client: Client, service: Service) -> None:
    service.scripts[Service.TASKS] = [
        lambda _, reply: reply.reset(),
        lambda _, reply: reply.json({"error": {"code": "api_error", "message": "x"}}, 500),
        lambda _, reply: reply.json({"error": {"code": "too_many_requests", "message": "x"}}, 429),
        lambda _, reply: reply.json(fixture("task.json")),
    ]
    found = client.task("t")
    assert found is not None
    assert found.state == "done"


def test_a_read_that_is_refused_is_not_tried_again(client: Client, service: Service) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.json(
        {"error": {"code": "invalid_token", "message": "x"}}, 401
    )
    with pytest.raises(ApiError):
        client.task("t")
    assert len(service.received) == 1


def test_no_connection_is_a_network_error() -> None:
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with (
            Client("t", base_url=url, retries=0, use_environment=False) as client,
            pytest.raises(NetworkError) as caught,
        ):
            client.imagine("x")
    assert "nothing is paid" in caught.value.message.lower()

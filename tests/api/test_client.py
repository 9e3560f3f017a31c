"""The client on a real socket: what it sends, what it retries, and which exceptions it raises."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from mjcli.api import Client, Hooks
from mjcli.errors import ApiError, LostResponse, NetworkError, StillRunning
from tests.support.fake_clock import FakeClock
from tests.support.service import Reply, Service, fixture, fixture_lines, task_record


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(service: Service, clock: FakeClock) -> Iterator[Client]:
    with Client("secret-token", base_url=service.base_url, use_environment=False, clock=clock) as client:
        yield client


def test_imagine_sends_the_prompt_and_fields_and_returns_the_result(client: Client, service: Service) -> None:
    service.answer(fixture("imagine.json"))
    result = client.imagine("a cat", mode="fast", split_images=True)
    assert result.document == fixture("imagine.json")
    (post,) = service.posts()
    assert post.body == {"action": "generate", "prompt": "a cat", "mode": "fast", "split_images": True}
    assert post.headers["accept"] == "application/json"


def test_each_event_is_yielded_as_soon_as_it_arrives(client: Client, service: Service) -> None:
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


def test_an_action_sends_the_image_id(client: Client, service: Service) -> None:
    service.answer(fixture("upscale4.json"))
    assert client.action("upscale4", "123").image_id == fixture("upscale4.json")["image_id"]
    assert service.posts()[0].body == {"action": "upscale4", "image_id": "123"}


GENERATE = {"action": "generate", "prompt": "a cat"}
EXTEND = {"action": "extend", "video_id": "7", "video_index": 2, "prompt": "a cat"}
JOBS: list[tuple[str, tuple[str, ...], dict[str, Any], str, dict[str, Any]]] = [
    ("imagine", ("a cat",), {"hd": True}, "imagine", {**GENERATE, "hd": True}),
    ("action", ("upscale1", "5"), {}, "imagine", {"action": "upscale1", "image_id": "5"}),
    ("edit", ("http://a", "a cat"), {"mask": "AAAA"}, "edits", {**GENERATE, "image_url": "http://a", "mask": "AAAA"}),
    ("video", ("a cat", "http://a"), {"loop": True}, "videos", {**GENERATE, "image_url": "http://a", "loop": True}),
    ("extend_video", ("7", "a cat"), {"index": 2}, "videos", EXTEND),
]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments", "fields", "endpoint", "body"), JOBS)
def test_each_job_method_sends_its_body_and_waits_or_streams(
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


TEXT_METHODS: list[tuple[str, dict[str, str], dict[str, Any], Any]] = [
    ("describe", {"image_url": "x"}, fixture("describe.json"), fixture("describe.json")["descriptions"]),
    ("shorten", {"prompt": "x"}, {"prompts": ["a", "b"]}, ["a", "b"]),
    ("translate", {"content": "x"}, {"content": "a"}, "a"),
    ("seed", {"image_id": "x"}, {"seed": 12, "image_id": "x"}, "12"),
]


@pytest.mark.parametrize(("method", "body", "document", "text"), TEXT_METHODS)
def test_a_text_method_returns_the_text(
    client: Client, service: Service, method: str, body: Any, document: Any, text: Any
) -> None:
    path = f"/midjourney/{method}"
    service.scripts[path] = lambda _request, reply: reply.json(document)
    assert getattr(client, method)("x") == text
    (post,) = service.posts(path)
    assert post.body == body
    assert post.headers["accept"] == "application/json"


@pytest.mark.parametrize("method", [each[0] for each in TEXT_METHODS])
@pytest.mark.parametrize("document", [{}, {"descriptions": [], "prompts": None, "content": "", "seed": {}}])
def test_a_response_without_the_text_is_lost_and_not_requested_again(
    client: Client, service: Service, method: str, document: Any
) -> None:
    path = f"/midjourney/{method}"
    service.scripts[path] = lambda _request, reply: reply.json(document)
    with pytest.raises(LostResponse):
        getattr(client, method)("x")
    assert len(service.posts(path)) == 1


@pytest.mark.parametrize("method", [each[0] for each in TEXT_METHODS])
def test_a_refused_text_request_is_an_api_error(client: Client, service: Service, method: str) -> None:
    service.scripts[f"/midjourney/{method}"] = lambda _request, reply: reply.json(fixture("error.json"), 400)
    with pytest.raises(ApiError):
        getattr(client, method)("x")


@pytest.mark.slow
def test_several_threads_may_query_tasks_at_once(client: Client, service: Service) -> None:
    from concurrent.futures import ThreadPoolExecutor

    service.tasks["1"] = task_record("1", {}, None)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: client.task("1"), range(40)))


def test_the_token_is_sent_in_the_header_or_the_query_never_in_both(service: Service) -> None:
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


def test_no_exception_contains_the_token(service: Service) -> None:
    for place in ("header", "query"):
        service.imagine(lambda _, reply: reply.reset())
        with (
            Client(
                "secret-token", base_url=service.base_url, token_in=place, use_environment=False
            ) as client,
            pytest.raises(LostResponse) as caught,
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
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_that_is_lost_or_not_the_apis_is_not_retried(
    client: Client, service: Service, script: Any, streamed: bool
) -> None:
    service.imagine(script)
    with pytest.raises(LostResponse):
        list(client.imagine_events("x")) if streamed else client.imagine("x")
    assert len(service.received) == 1


def test_a_refusal_is_an_api_error_with_the_services_message(client: Client, service: Service) -> None:
    service.answer(fixture("error.json"), 500)
    with pytest.raises(ApiError) as caught:
        client.imagine("x")
    assert (caught.value.code, caught.value.message) == ("api_error", "fetch failed")
    assert caught.value.trace_id == fixture("error.json")["trace_id"]
    assert caught.value.document == fixture("error.json")


def test_a_rate_limit_is_retried_and_reported(client: Client, service: Service, clock: FakeClock) -> None:
    limited = {"error": {"code": "too_many_requests", "message": "slow"}}
    service.imagine(
        lambda _, reply: reply.json(limited, 429, {"retry-after": "0.01"}),
        lambda _, reply: reply.json(fixture("imagine.json")),
    )
    reported: list[tuple[float, str]] = []
    hooks = Hooks(retrying=lambda seconds, reason: reported.append((seconds, reason)))
    client.wait("/midjourney/imagine", {"prompt": "x"}, hooks=hooks)
    assert len(service.posts()) == 2
    assert reported == [(0.01, "rate limited (retry 1 of 3)")]
    assert clock.slept == [0.01]


PAST = "Wed, 21 Oct 2015 07:28:00 GMT"
FAR_FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        pytest.param(None, 0.3, 0.7, id="absent"),
        pytest.param("-5", 0.3, 0.7, id="negative"),
        pytest.param(PAST, 0.3, 0.7, id="past"),
        pytest.param("soon", 0.3, 0.7, id="neither number nor date"),
        pytest.param("7", 7, 7, id="seconds"),
        pytest.param("20 s from now", 18, 20, id="date"),
        pytest.param("99999999999", 60, 60, id="huge number"),
        pytest.param("1e999", 60, 60, id="infinite"),
        pytest.param(FAR_FUTURE, 60, 60, id="date in the far future"),
    ],
)
def test_retry_after_is_honoured_up_to_its_cap_and_backoff_applies_without_it(
    client: Client,
    service: Service,
    clock: FakeClock,
    value: str | None,
    low: float,
    high: float,
) -> None:
    if value == "20 s from now":
        value = formatdate(time.time() + 20, usegmt=True)
    headers = {} if value is None else {"retry-after": value}
    limited = {"error": {"code": "too_many_requests", "message": "slow"}}
    service.imagine(
        lambda _, reply: reply.json(limited, 429, headers),
        lambda _, reply: reply.json(fixture("imagine.json")),
    )
    client.imagine("x")
    (pause,) = clock.slept
    assert low <= pause <= high
    assert len(service.posts()) == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_only_the_deadline_limits_the_silence_of_a_paid_request(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    """No test waits ninety seconds: the deadline of the exchange is checked instead."""
    allowed: list[float | None] = []
    real = httpx.HTTPTransport.handle_request

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        allowed.append(request.extensions["timeout"]["read"].exchange.deadline)
        return real(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle_request)
    service.answer(fixture("imagine.json"))
    deadlines = [None, time.monotonic() + 900]
    for deadline in deadlines:
        if streamed:
            list(client.stream("/midjourney/imagine", {}, deadline=deadline))
        else:
            client.wait("/midjourney/imagine", {}, deadline=deadline)
    assert allowed == deadlines


def test_the_hooks_are_called_before_and_after_the_request_is_sent(client: Client, service: Service) -> None:
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


@pytest.mark.slow
@pytest.mark.parametrize("streamed", [False, True])
def test_waiting_for_a_silent_service_ends_at_the_deadline(
    client: Client, service: Service, streamed: bool
) -> None:
    service.imagine(lambda _, reply: (service.over.wait(60) and None) or reply.close())
    deadline = time.monotonic() + 0.3
    with pytest.raises((StillRunning, LostResponse)):
        if streamed:
            list(client.stream("/midjourney/imagine", {}, deadline=deadline))
        else:
            client.wait("/midjourney/imagine", {}, deadline=deadline)
    assert time.monotonic() >= deadline - 0.05
    assert len(service.posts()) == 1


def test_one_task_many_tasks_and_recent_tasks_are_queried(client: Client, service: Service) -> None:
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


def test_thousands_of_tasks_are_queried_in_batches(client: Client, service: Service) -> None:
    names = [f"task-{number}" for number in range(1201)]
    service.tasks |= {name: task_record(name, {}, None) for name in names}
    assert [each.id for each in client.tasks(names)] == names
    assert [len(each.body["ids"]) for each in service.posts(Service.TASKS)] == [500, 500, 201]


@pytest.mark.parametrize(
    "items", [None, {}, "x", [None, 1, {}, {"id": "a"}], [[], {"id": "a"}, {"id": None, "request": 3}]]
)
def test_malformed_lists_of_tasks_are_tolerated(client: Client, service: Service, items: Any) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.json({"items": items, "count": "many"})
    assert all(each.id in ("a", None) for each in client.recent_tasks())


def test_queries_are_retried_after_faults(client: Client, service: Service, clock: FakeClock) -> None:
    service.scripts[Service.TASKS] = [
        lambda _, reply: reply.reset(),
        lambda _, reply: reply.json({"error": {"code": "api_error", "message": "x"}}, 500),
        lambda _, reply: reply.json({"error": {"code": "too_many_requests", "message": "x"}}, 429),
        lambda _, reply: reply.json(fixture("task.json")),
    ]
    found = client.task("t")
    assert found is not None
    assert found.state == "done"
    assert len(clock.slept) == 3


def test_a_refused_query_is_not_retried(client: Client, service: Service) -> None:
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
    assert caught.value.message == "Could not connect to the service: connection refused. Nothing was sent."


def test_a_failed_connection_is_retried_with_backoff(clock: FakeClock) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with (
        Client("t", base_url=url, retries=3, use_environment=False, clock=clock) as client,
        pytest.raises(NetworkError),
    ):
        client.imagine("x")
    first, second, third = clock.slept
    assert 0.3 < first < 0.7 < second < 1.3 < third < 2.6


def test_no_retry_is_planned_beyond_the_deadline(clock: FakeClock, service: Service) -> None:
    service.answer({"error": {"code": "too_many_requests", "message": "slow"}}, 429, {"retry-after": "50"})
    with (
        Client("t", base_url=service.base_url, use_environment=False, clock=clock) as client,
        pytest.raises(ApiError),
    ):
        client.wait("/midjourney/imagine", {}, deadline=clock.monotonic() + 20)
    assert clock.slept == []
    assert len(service.posts()) == 1


def test_recent_tasks_are_filtered_by_the_service(client: Client, service: Service) -> None:
    service.tasks["a"] = task_record("a", {}, None)
    client.recent_tasks(offset=3, type="videos", created_at_min=1, created_at_max=2.5, trace_ids=["t"])
    assert service.posts(Service.TASKS)[0].body == {
        "action": "retrieve_batch",
        "offset": 3,
        "limit": 50,
        "type": "videos",
        "created_at_min": 1,
        "created_at_max": 2.5,
        "trace_ids": ["t"],
    }

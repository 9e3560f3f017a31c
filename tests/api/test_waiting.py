"""Responses that are complete, silent, or never end: the client on a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mjcli.api import Client, FileStore, Hooks, Result
from mjcli.errors import ApiError, LostResponse, MjError, NetworkError
from tests.support.fake_clock import FakeClock
from tests.support.service import Received, Reply, Script, Service, fixture

IMAGINE = Service.IMAGINE
STEP = {"task_id": "t", "progress": 40}
IMAGE = fixture("imagine.json")
EDIT = fixture("edits.json")
VIDEO = fixture("videos.json")
LIMITED = {"error": {"code": "too_many_requests", "message": "slow"}, "success": False}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(service: Service, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr("mjcli.api.responses.FINAL_GRACE", 0.1)
    monkeypatch.setattr("mjcli.api.client.SILENCE_SECONDS", 0.2)
    with Client("token", base_url=service.base_url, use_environment=False, clock=clock) as client:
        yield client


def open_after(*pieces: bytes, length: int | None = None) -> Script:
    """Send pieces of a body, and leave the connection open."""

    def script(_: Received, reply: Reply) -> None:
        reply.head(200, length=length)
        for piece in pieces:
            reply.send(piece)
        reply_over(reply)

    return script


def reply_over(reply: Reply) -> None:
    _over.wait(20)
    reply.close()


class _Over:
    """The event of the running service, for scripts that do not see it."""

    event: Any = None

    def wait(self, seconds: float) -> None:
        self.event.wait(seconds)


_over = _Over()


@pytest.fixture(autouse=True)
def over(service: Service) -> None:
    _over.event = service.over


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\r\n"


def in_time(work: Callable[[], Any], seconds: float = 10) -> Any:
    """The result of something that must end soon."""
    began = time.monotonic()
    try:
        return work()
    finally:
        assert time.monotonic() - began < seconds


# -- final objects --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "final",
    [
        IMAGE,
        EDIT,
        VIDEO,
        {key: value for key, value in EDIT.items() if key != "progress"},
        {key: value for key, value in VIDEO.items() if key != "progress"},
        {"task_id": "t", "progress": 100, "success": True},
        {"task_id": "t", "success": False, "error": {"code": "forbidden", "message": "no"}},
        {"task_id": "t", "descriptions": ["a cat"]},
        {"task_id": "t", "seed": "12"},
        {"error": "a bare string"},
    ],
)
@pytest.mark.parametrize("ending", [b"\r\n", b""], ids=["a line end", "no line end"])
def test_a_stream_ends_soon_after_any_final_object(
    client: Client, service: Service, final: dict[str, Any], ending: bytes
) -> None:
    service.imagine(open_after(line(STEP), json.dumps(final).encode() + ending))
    events = in_time(lambda: list(client.stream(IMAGINE, {}, deadline=time.monotonic() + 30)))
    assert [each.document for each in events] == [STEP, final]


def test_the_task_is_queried_when_a_final_object_without_actions_is_the_last(
    client: Client, service: Service
) -> None:
    calls: list[str] = []
    hooks = Hooks(silent=lambda: bool(calls.append("silent")))
    service.imagine(open_after(line(EDIT)), open_after(line(IMAGE)))
    for expected in (["silent"], []):
        calls.clear()
        in_time(lambda: list(client.stream(IMAGINE, {}, hooks=hooks)))
        assert calls == expected


def test_an_object_after_a_final_one_is_waited_for_within_the_grace_period(
    client: Client, service: Service
) -> None:
    service.imagine(open_after(line(EDIT), line(IMAGE)))
    events = in_time(lambda: list(client.stream(IMAGINE, {})))
    assert events[-1].document == IMAGE


@pytest.mark.slow
def test_progress_after_a_final_object_continues_the_wait(client: Client, service: Service) -> None:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(line({**EDIT, "progress": 100}) + line({**STEP, "progress": 60}))
        service.over.wait(0.4)
        reply.send(line(IMAGE))
        reply.end()

    service.imagine(script)
    assert [each.progress for each in client.stream(IMAGINE, {})] == [100, 60, 100]


# -- silence --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "noise", [b"", b"\r\n", b" ", line(STEP)], ids=["none", "blank lines", "spaces", "the same event"]
)
def test_a_stream_without_news_calls_the_hook_until_it_ends_the_stream(
    client: Client, service: Service, noise: bytes
) -> None:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(line(STEP))
        try:
            while not service.over.wait(0.05):
                if noise:
                    reply.send(noise)
        except OSError:
            pass

    service.imagine(script)
    answers = [False, False, True]
    hooks = Hooks(silent=lambda: answers.pop(0))
    events = in_time(lambda: list(client.stream(IMAGINE, {}, hooks=hooks)))
    assert {each.progress for each in events} == {40}
    assert answers == []


@pytest.mark.slow
def test_news_postpones_the_hook(client: Client, service: Service) -> None:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200)
        for percent in range(10):
            reply.send(line({**STEP, "progress": percent}))
            service.over.wait(0.06)
        reply.send(line(IMAGE))
        reply.end()

    service.imagine(script)
    calls: list[int] = []
    hooks = Hooks(silent=lambda: bool(calls.append(1)))
    assert len(list(client.stream(IMAGINE, {}, hooks=hooks))) == 11
    assert calls == []


def test_an_object_whose_line_has_not_ended_is_reported_when_nothing_follows(
    client: Client, service: Service
) -> None:
    service.imagine(open_after(json.dumps(STEP).encode()))
    seen: list[Result] = []
    hooks = Hooks(unterminated=seen.append, silent=lambda: bool(seen))
    events = in_time(lambda: list(client.stream(IMAGINE, {}, hooks=hooks)))
    assert [each.task_id for each in (*seen, *events)] == ["t", "t"]


def test_an_exception_of_the_hook_ends_the_stream(client: Client, service: Service) -> None:
    class Stop(Exception):
        pass

    def silent() -> bool:
        raise Stop

    service.imagine(open_after(line(STEP)))
    with pytest.raises(Stop):
        list(client.stream(IMAGINE, {}, hooks=Hooks(silent=silent)))


# -- whole objects --------------------------------------------------------------------------------------

BODY = json.dumps(IMAGE).encode()
PRETTY = json.dumps(IMAGE, indent=2).encode()


def cut(body: bytes, how: str) -> Script:
    """A body whose end is missing, in one of several ways."""

    def script(_: Received, reply: Reply) -> None:
        reply.head(200, length=len(body) + 10 if "length" in how else None)
        reply.send(body)
        if "reset" in how:
            service_over_briefly()
            reply.reset()
        elif "open" in how:
            reply_over(reply)
        else:
            reply.close()

    return script


def service_over_briefly() -> None:
    _over.wait(0.1)


HOW = ["close", "reset", "open", "length, close", "length, open"]


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "body", [BODY, PRETTY, b"\xef\xbb\xbf" + BODY + b"\n \n"], ids=["one line", "lines", "mark"]
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_whole_object_counts_although_the_end_of_the_body_is_missing(
    client: Client, service: Service, how: str, body: bytes, streamed: bool
) -> None:
    service.imagine(cut(body, how))
    if streamed:
        (result,) = _complete(client)
    else:
        result = in_time(lambda: client.wait(IMAGINE, {}))
    assert result.document == IMAGE


def _complete(client: Client) -> list[Result]:
    """The events of a stream that may break after its last one."""
    events = []
    try:
        for event in client.stream(IMAGINE, {}):
            events.append(event)
    except LostResponse:
        assert events
    return events


@pytest.mark.parametrize("how", ["close", "reset", "length, close"])
def test_half_an_object_is_a_lost_response(client: Client, service: Service, how: str) -> None:
    service.imagine(cut(BODY[:-1], how))
    with pytest.raises(LostResponse):
        client.wait(IMAGINE, {})


@pytest.mark.parametrize("how", HOW)
def test_a_task_counts_although_the_end_of_the_body_is_missing(
    client: Client, service: Service, how: str
) -> None:
    service.scripts[Service.TASKS] = cut(json.dumps(fixture("task.json")).encode(), how)
    record = in_time(lambda: client.task("t"))
    assert record.state == "done"
    assert len(service.received) == 1


# -- rate limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("code", ["too_many_requests", "rate_limited"])
@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
def test_a_rate_limit_at_any_status_is_retried(
    client: Client, service: Service, clock: FakeClock, streamed: bool, code: str, status: int
) -> None:
    limited = {"error": {"code": code, "message": "slow"}, "success": False}
    service.imagine(
        lambda _, reply: reply.json(limited, status, {"retry-after": "7"}),
        lambda _, reply: reply.json(IMAGE),
    )
    reported: list[str] = []
    hooks = Hooks(retrying=lambda _, reason: reported.append(reason))
    result = (
        list(client.stream(IMAGINE, {}, hooks=hooks))[-1]
        if streamed
        else client.wait(IMAGINE, {}, hooks=hooks)
    )
    assert result.document == IMAGE
    assert reported == ["rate limited (retry 1 of 3)"]
    assert clock.slept == [7]


def test_a_rate_limit_on_the_first_line_of_a_stream_is_retried(
    client: Client, service: Service, clock: FakeClock
) -> None:
    service.imagine(lambda _, reply: reply.stream([LIMITED]), lambda _, reply: reply.stream([STEP, IMAGE]))
    assert [each.document for each in client.stream(IMAGINE, {})] == [STEP, IMAGE]
    assert len(clock.slept) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_rate_limit_that_stays_is_a_refusal_of_nothing_accepted(
    client: Client, service: Service, streamed: bool
) -> None:
    service.answer(LIMITED)
    with pytest.raises(ApiError) as caught:
        list(client.stream(IMAGINE, {})) if streamed else client.wait(IMAGINE, {})
    assert (caught.value.code, caught.value.accepted) == ("too_many_requests", False)
    assert len(service.posts()) == 4


@pytest.mark.parametrize(
    "events", [[{**LIMITED, "task_id": "t"}], [STEP, LIMITED]], ids=["with a task id", "after a task id"]
)
def test_a_rate_limit_of_an_accepted_job_is_not_retried(
    client: Client, service: Service, events: list[Any]
) -> None:
    service.stream(events)
    assert [each.document for each in client.stream(IMAGINE, {})] == events
    assert len(service.posts()) == 1


@pytest.mark.parametrize("status", [200, 429, 503])
def test_retry_after_is_honoured_for_queries(
    client: Client, service: Service, clock: FakeClock, status: int
) -> None:
    service.scripts[Service.TASKS] = [
        lambda _, reply: reply.json(LIMITED, status, {"retry-after": "9"}),
        lambda _, reply: reply.json(fixture("task.json")),
    ]
    assert client.task("t") is not None
    assert clock.slept == [9]


# -- what HTTP forbids ----------------------------------------------------------------------------------

FORBIDDEN = {
    "two codings": (b"HTTP/1.1 200 OK\r\n" + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", "coding"),
    "a space in a name": (b"HTTP/1.1 200 OK\r\ncontent length: 2\r\n\r\n{}", "header"),
    "two lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", "Content-Length"),
    "a negative length": (b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}", "Content-Length"),
    "a bad chunk size": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n", "chunk"),
    "a bad status line": (b"HTTP/1.1 OK 200\r\n\r\n{}", "status line"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "status line"),
    "a control character": (b"HTTP/1.1 200 OK\r\na: \x00b\r\n\r\n{}", "header"),
    "headers without end": (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 40_000, "too long"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_that_http_forbids_is_lost_and_its_cause_is_named(
    client: Client, service: Service, clock: FakeClock, name: str, streamed: bool
) -> None:
    data, cause = FORBIDDEN[name]

    def script(_: Received, reply: Reply) -> None:
        reply.raw(data)
        reply.close()

    service.imagine(script)
    with pytest.raises(LostResponse) as caught:
        list(client.stream(IMAGINE, {})) if streamed else client.wait(IMAGINE, {})
    assert "not valid HTTP" in caught.value.message
    assert cause.lower() in caught.value.message.lower()
    assert len(service.posts()) == 1
    service.scripts[Service.TASKS] = script
    with pytest.raises(NetworkError) as refused:
        client.task("t")
    assert cause.lower() in refused.value.message.lower()
    assert refused.value.permanent
    assert clock.slept == []


# -- accidents ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [
        {"date": "Wed, 01 Jan 10000 00:00:00 GMT"},
        {"date": "Mon, 32 Foo 20 99:99:99 GMT"},
        {"date": "\u00e9"},
        {"date": ""},
        {"retry-after": "9" * 5000},
        {"retry-after": "Wed, 01 Jan 10000 00:00:00 GMT"},
        {"retry-after": "nan"},
        {"location": "http://a..b/"},
        {"location": f"http://{'a' * 64}.example/"},
        {"set-cookie": "a=b; expires=Wed, 01 Jan 10000 00:00:00 GMT; domain=\u00e9; path=;;;="},
        {"content-type": "text/html; charset=\u00e9"},
    ],
)
@pytest.mark.parametrize("status", [200, 302, 429, 503])
def test_odd_headers_are_no_accident(
    client: Client, service: Service, headers: dict[str, str], status: int
) -> None:
    document = IMAGE if status == 200 else LIMITED
    service.answer(document, status, headers)
    service.scripts[Service.TASKS] = lambda _, reply: reply.json(document, status, headers)
    for work in (lambda: client.wait(IMAGINE, {}), lambda: client.task("t")):
        try:
            work()
            assert status == 200
        except MjError:
            assert status != 200


def test_the_clock_offset_is_unknown_until_a_response_has_a_date(client: Client, service: Service) -> None:
    assert client.clock_offset is None
    seen: list[float | None] = []
    date = "Fri, 01 Jan 2100 00:00:00 GMT"

    def script(_: Received, reply: Reply) -> None:
        data = line(STEP) + line(IMAGE)
        reply.raw(f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)

    service.imagine(script)
    list(client.stream(IMAGINE, {}, hooks=Hooks(answered=lambda: seen.append(client.clock_offset))))
    (offset,) = seen
    assert offset is not None
    assert offset > 365 * 86400


def test_half_a_surrogate_pair_in_an_id_or_a_message_is_replaced(client: Client, service: Service) -> None:
    body = b'{"task_id": "a\\ud800", "success": false, "error": {"code": "x\\udfff", "message": "\\ud800"}}'
    service.imagine(lambda _, reply: reply.whole(body))
    with pytest.raises(ApiError) as caught:
        client.wait(IMAGINE, {})
    f"{caught.value.message}{caught.value.code}{caught.value.task_id}".encode()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_counts_although_the_end_of_its_body_is_missing(
    client: Client, service: Service, how: str, streamed: bool
) -> None:
    body = json.dumps({"error": {"code": "forbidden", "message": "no"}}).encode()

    def script(_: Received, reply: Reply) -> None:
        reply.head(403, length=len(body) + 10 if "length" in how else None)
        reply.send(body)
        if "open" in how:
            service.over.wait(20)
        elif "reset" in how:
            service.over.wait(0.1)
            return reply.reset()
        return reply.close()

    service.imagine(script)
    with pytest.raises(ApiError) as caught:
        in_time(lambda: list(client.stream(IMAGINE, {})) if streamed else client.wait(IMAGINE, {}))
    assert caught.value.code == "forbidden"


def test_the_page_of_a_gateway_that_never_ends_is_not_read_for_long(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.api.responses.REFUSAL_SECONDS", 0.2)

    def script(_: Received, reply: Reply) -> None:
        reply.head(502)
        try:
            while not service.over.wait(0.02):
                reply.send(b"<p>")
        except OSError:
            reply.close()

    service.imagine(script)
    with pytest.raises(LostResponse, match="HTTP 502"):
        in_time(lambda: client.wait(IMAGINE, {}))


@pytest.mark.slow
def test_progress_in_a_plain_response_is_not_its_end(client: Client, service: Service) -> None:
    def script(_: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(b'{"progress": 10, "task_id": "t"')
        reply.send(b"}")
        service.over.wait(0.4)
        reply.end()

    service.imagine(script)
    began = time.monotonic()
    assert client.wait(IMAGINE, {}).progress == 10
    assert time.monotonic() - began > 0.3


def test_an_upload_counts_although_the_end_of_the_response_is_missing(
    service: Service, client: Client
) -> None:
    service.scripts["/upload"] = open_after(b'{"file_url": "https://h/a.png"}')
    with FileStore(f"{service.base_url}/upload", retries=0, use_environment=False) as store:
        assert in_time(lambda: store.upload("a.png", b"x").link) == "https://h/a.png"


@pytest.mark.parametrize("seconds", [604_800, 1e12, 1e300, float("inf")])
def test_a_deadline_in_the_far_future_is_no_accident(
    client: Client, service: Service, seconds: float
) -> None:
    service.stream([STEP, IMAGE])
    assert len(list(client.stream(IMAGINE, {}, deadline=time.monotonic() + seconds))) == 2
    service.answer(IMAGE)
    assert client.wait(IMAGINE, {}, deadline=time.monotonic() + seconds).progress == 100
    service.scripts[Service.TASKS] = lambda _, reply: reply.json(fixture("task.json"))
    assert client.task("t", deadline=time.monotonic() + seconds) is not None


@pytest.mark.slow
def test_a_long_silence_is_several_reads(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.api.connection.LONGEST_READ", 0.05)

    def script(_: Received, reply: Reply) -> None:
        service.over.wait(0.4)
        reply.json(IMAGE)

    service.imagine(script)
    assert client.wait(IMAGINE, {}).progress == 100
    assert len(service.posts()) == 1

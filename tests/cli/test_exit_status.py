"""Exit statuses, and how many paid requests were sent for each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.program import Mj, Result
from tests.support.service import Reply, Script, Service, fixture, serve, task_record


def failure(code: str, message: str = "no reason") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}, "trace_id": "trace-1"}


# -- final refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("http", "code", "status"),
    [
        (400, "bad_request", 4),
        (400, "no_token", 3),
        (400, "api_not_implemented", 4),
        (401, "invalid_token", 3),
        (401, "token_expired", 3),
        (401, "token_mismatched", 3),
        (400, "invalid_token", 3),
        (400, "token_expired", 3),
        (400, "token_mismatched", 3),
        (403, "used_up", 5),
        (403, "disabled", 3),
        (403, "forbidden", 4),
        (404, "no_api", 6),
        (500, "api_error", 6),
        (402, "payment_required", 5),
        (402, "used_up", 5),
        (413, "too_large", 4),
        (422, "unprocessable", 4),
        (400, "a_code_of_tomorrow", 4),
        (500, "a_code_of_tomorrow", 6),
    ],
)
@pytest.mark.parametrize("options", [[], ["--no-stream"]])
def test_a_refusal_is_final_and_keeps_its_code(
    online: Mj, service: Service, http: int, code: str, status: int, options: list[str]
) -> None:
    service.answer(failure(code), http)
    result = online("imagine", "a cat", "--json", *options, check=status)
    assert result.answer == {
        "success": False,
        "error": {"code": code, "message": "no reason"},
        "trace_id": "trace-1",
    }
    assert "no reason" in result.err
    assert len(service.posts()) == 1


@pytest.mark.parametrize(
    ("document", "http", "code"),
    [
        ({"success": False, **failure("api_error")}, 200, "api_error"),
        ({"error": "a bare string"}, 200, None),
        ({"error": "a bare string"}, 400, "bad_request"),
        ({"success": False}, 200, None),
        ({"success": False, "error": None}, 200, None),
        ({"error": {"message": "no code"}}, 403, "forbidden"),
        ({"error": {"code": "forbidden"}}, 403, "forbidden"),
        ({"error": {"code": 7, "message": ["x"]}}, 400, None),
        ({"detail": "no such field"}, 422, None),
        ({}, 400, "bad_request"),
    ],
)
def test_every_form_of_the_error_object_is_a_refusal(
    online: Mj, service: Service, document: dict[str, Any], http: int, code: str | None
) -> None:
    service.answer(document, http)
    error = online("imagine", "a cat", "--json", check=4).answer["error"]
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["code"], str)
    assert error["code"] == (code or error["code"])
    assert len(service.posts()) == 1


def test_the_message_of_midjourney_is_shown(online: Mj, service: Service) -> None:
    service.answer(failure("bad_request", "Unrecognized argument(s): `-c`, `x`"), 400)
    assert "Unrecognized argument(s): `-c`, `x`" in online("imagine", "a cat -c x", "--no-check", check=4).err


def test_an_error_that_contains_the_token_does_not_reveal_it(online: Mj, service: Service) -> None:
    service.answer(failure("invalid_token", "the token secret-token is wrong"), 401)
    online("imagine", "a cat", "--json", check=3)
    online("imagine", "a cat", "-v", check=3)


@pytest.mark.parametrize("http", [401, 402])
def test_a_gateway_page_about_token_or_balance_is_final_too(online: Mj, service: Service, http: int) -> None:
    service.imagine(lambda _, reply: reply.whole(b"<html>no</html>", http))
    online("imagine", "a cat", check=3 if http == 401 else 5)
    assert len(service.posts()) == 1


# -- 429 and no connection: retried --------------------------------------------------------------------


def limited(headers: dict[str, str] | None = None) -> Script:
    return lambda _, reply: reply.json(failure("too_many_requests"), 429, headers)


def done(service: Service) -> Script:
    return lambda _, reply: reply.json(service.result())


def test_a_rate_limit_is_waited_out_over_fresh_connections(online: Mj, service: Service) -> None:
    service.imagine(limited({"retry-after": "0"}), limited({"retry-after": "0.1"}), done(service))
    result = online("imagine", "a cat", "--json")
    assert result.answer["success"] is True
    posts = service.posts()
    assert len(posts) == 3
    assert len({each.port for each in posts}) == 3
    assert len({each.data for each in posts}) == 1


@pytest.mark.parametrize(("options", "posts"), [(["--retries", "0"], 1), (["--retries", "2"], 3)])
def test_a_rate_limit_that_persists_exits_with_5_after_the_retries(
    online: Mj, service: Service, options: list[str], posts: int
) -> None:
    service.imagine(limited({"retry-after": "0.05"}))
    result = online("imagine", "a cat", "--json", *options, check=5)
    assert result.answer["error"]["code"] == "too_many_requests"
    assert len(service.posts()) == posts


def test_the_default_is_three_retries(online: Mj, service: Service) -> None:
    service.imagine(limited({"retry-after": "0.05"}))
    online("imagine", "a cat", check=5)
    assert len(service.posts()) == 4


@pytest.mark.parametrize(
    "value",
    ["", "-5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "nan", "0x10", "Wed, 99 Foo 99999 99:99:99 GMT"],
)
def test_an_unusable_retry_after_falls_back_to_the_backoff(online: Mj, service: Service, value: str) -> None:
    service.imagine(limited({"retry-after": value} if value else None), done(service))
    online("imagine", "a cat")
    assert len(service.posts()) == 2


@pytest.mark.parametrize("value", ["1e9", "inf", "99999999999", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_huge_retry_after_does_not_exceed_the_deadline(online: Mj, service: Service, value: str) -> None:
    service.imagine(limited({"retry-after": value}), done(service))
    online("imagine", "a cat", "--timeout", "5", check=5)
    assert len(service.posts()) == 1


def test_a_429_without_an_error_object_is_a_rate_limit_too(online: Mj, service: Service) -> None:
    service.imagine(
        lambda _, reply: reply.whole(b"<html>slow down</html>", 429, {"retry-after": "0"}), done(service)
    )
    online("imagine", "a cat")
    assert len(service.posts()) == 2


def test_a_refusal_after_a_rate_limit_is_final(online: Mj, service: Service) -> None:
    service.imagine(
        limited({"retry-after": "0"}), lambda _, reply: reply.json(failure("forbidden"), 403), done(service)
    )
    online("imagine", "a cat", check=4)
    assert len(service.posts()) == 2


def test_a_lost_response_after_a_rate_limit_is_not_retried(online: Mj, service: Service) -> None:
    service.imagine(limited({"retry-after": "0"}), lambda _, reply: reply.reset())
    request = {"action": "generate", "prompt": "a cat"}
    service.tasks["t"] = task_record("t", request, service.result(task_id="t"))
    assert online("imagine", "a cat", "--json").answer["task_id"] == "t"
    assert len(service.posts()) == 2


def test_a_refused_connection_exits_with_6_and_is_safe_to_retry(online: Mj) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        env: dict[str, str | None] = {"MJ_BASE_URL": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        result = online("imagine", "a cat", "--retries", "1", "--json", env=env, check=6)
    assert result.answer["error"]["code"] == "network"
    assert "task_id" not in result.answer


@pytest.mark.slow
def test_a_connection_that_succeeds_late_carries_the_only_request(online: Mj, service: Service) -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        env: dict[str, str | None] = {"MJ_BASE_URL": f"http://127.0.0.1:{late.getsockname()[1]}"}
        received: list[bytes] = []

        def answer() -> None:
            late.settimeout(30)
            connection, _ = late.accept()
            with connection, connection.makefile("rwb") as file:
                length = 0
                while (line := file.readline()).strip():
                    received.append(line)
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                received.append(file.read(length))
                file.write(b'HTTP/1.1 403 No\r\ncontent-length: 30\r\n\r\n{"error":{"code":"forbidden"}}')

        with online.start("imagine", "a cat", "--json", env=env) as process:
            assert process.stderr is not None
            assert b"Retrying in" in process.stderr.readline()  # the first attempt was refused
            late.listen()
            thread = threading.Thread(target=answer)
            thread.start()
            process.communicate(timeout=30)
            thread.join()
        assert process.returncode == 4
        assert sum(line.startswith(b"POST ") for line in received) == 1


def test_a_name_that_does_not_resolve_exits_with_6(online: Mj) -> None:
    env: dict[str, str | None] = {"MJ_BASE_URL": "https://no-such-host.invalid"}
    online("imagine", "a cat", "--retries", "0", env=env, check=6)


def test_a_server_without_tls_exits_with_6(online: Mj, service: Service) -> None:
    env: dict[str, str | None] = {"MJ_BASE_URL": service.base_url.replace("http:", "https:")}
    result = online("imagine", "a cat", "--retries", "0", "--json", env=env, check=6)
    assert result.answer["error"]["code"] == "network"


# -- lost responses: never retried ---------------------------------------------------------------------


def close_after(data: bytes) -> Script:
    def script(_: Any, reply: Reply) -> None:
        reply.raw(data)
        reply.close()

    return script


def elsewhere(status: int, where: str) -> Script:
    return lambda _, reply: reply.whole(b"", status, {"location": where})


LOST: dict[str, Script] = {
    "reset before the answer": lambda _, reply: reply.reset(),
    "close before the answer": lambda _, reply: reply.close(),
    "close inside the head": close_after(b"HTTP/1.1 200 OK\r\ncontent-"),
    "no HTTP": close_after(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a body cut short": close_after(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"task'),
    "200 with HTML": lambda _, reply: reply.whole(b"<html>log in</html>", 200, {"content-type": "text/html"}),
    "200 with nothing": lambda _, reply: reply.whole(b""),
    "200 with a list": lambda _, reply: reply.json([1, 2]),
    "200 with a string": lambda _, reply: reply.json("done"),
    "200 with null": lambda _, reply: reply.json(None),
    "204": lambda _, reply: reply.whole(b"", 204),
    "500 with HTML": lambda _, reply: reply.whole(b"<html>oops</html>", 500),
    "502 with HTML": lambda _, reply: reply.whole(b"<html>bad gateway</html>", 502),
    "503 with HTML": lambda _, reply: reply.whole(b"<html>busy</html>", 503, {"retry-after": "0"}),
    "504 with HTML": lambda _, reply: reply.whole(b"<html>time-out</html>", 504),
    "504 timeout": lambda _, reply: reply.json(failure("timeout"), 504),
    "200 timeout": lambda _, reply: reply.json(failure("timeout")),
    "403 with HTML": lambda _, reply: reply.whole(b"<html>WAF</html>", 403),
    "422 with nothing": lambda _, reply: reply.whole(b"", 422),
    "502 with JSON": lambda _, reply: reply.json({"status": 502, "error": "Bad Gateway"}, 502),
    "503 with an error object": lambda _, reply: reply.json(failure("unavailable"), 503),
    "520 with JSON": lambda _, reply: reply.json({"success": False}, 520),
    "500 without a code": lambda _, reply: reply.json({"error": {"message": "x"}}, 500),
    "408 with JSON": lambda _, reply: reply.json({"message": "Request Timeout"}, 408),
    "409 with an error object": lambda _, reply: reply.json(failure("conflict"), 409),
    "425 with nothing": lambda _, reply: reply.whole(b"", 425),
}
REQUEST = {"action": "generate", "prompt": "a cat"}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOST)
def test_a_lost_response_is_searched_for_and_never_retried(online: Mj, service: Service, name: str) -> None:
    service.imagine(LOST[name])
    service.tasks["ours"] = task_record("ours", REQUEST, service.result(task_id="ours"))
    result = online("imagine", "a cat", "--json")
    assert result.answer["task_id"] == "ours"
    assert len(service.posts()) == 1
    assert service.gets() == []
    assert {each.path for each in service.received} == {Service.IMAGINE, Service.TASKS}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_response_with_two_matching_tasks_exits_with_9(
    online: Mj, service: Service, name: str
) -> None:
    service.imagine(LOST[name])
    for task in ("one", "two"):
        service.tasks[task] = task_record(task, REQUEST, service.result(task_id=task))
    result = online("imagine", "a cat", "--json", "--no-stream", check=9)
    assert "one" in result.err
    assert "two" in result.err
    assert result.answer["success"] is False
    assert len(service.posts()) == 1


@pytest.fixture
def other() -> Iterator[Service]:
    """Another host."""
    yield from serve()


@pytest.mark.parametrize("where", ["the same host", "another host"])
@pytest.mark.parametrize("status", range(301, 309))
def test_a_redirect_is_not_followed(
    online: Mj, service: Service, other: Service, status: int, where: str
) -> None:
    there = service if where == "the same host" else other
    service.imagine(elsewhere(status, f"{there.base_url}/elsewhere"))
    result = online("imagine", "a cat", "--json", check=6)
    assert result.answer["error"]["code"] == "network"
    assert f"{there.base_url}/elsewhere" in result.err
    assert "Nothing was accepted." in result.err
    assert len(service.received) == 1
    assert not [each for each in (*service.received, *other.received) if each.path == "/elsewhere"]
    assert not other.received


@pytest.mark.parametrize("status", [301, 308])
def test_a_redirect_that_contains_the_token_does_not_reveal_it(
    online: Mj, service: Service, status: int
) -> None:
    online("config", "set", "token_in", "query")
    service.imagine(
        lambda _, reply: reply.whole(
            b"", status, {"location": f"{service.base_url}/elsewhere?token=secret-token&x=1"}
        )
    )
    online("imagine", "a cat", "-v", check=6)
    assert len(service.received) == 1


@pytest.mark.parametrize("status", [404, 405, 413])
@pytest.mark.parametrize("document", [None, {"detail": "Not Found"}, {"error": "no such page"}])
def test_where_no_api_was_reached_nothing_was_accepted_and_no_task_is_searched(
    online: Mj, service: Service, status: int, document: dict[str, Any] | None
) -> None:
    service.imagine(
        lambda _, reply: (
            reply.whole(b"<html>no</html>", status) if document is None else reply.json(document, status)
        )
    )
    result = online("imagine", "a cat", "--json", check=6)
    assert "Nothing was accepted." in result.err
    assert len(service.received) == 1


@pytest.mark.parametrize(
    "begin", [b"", b'{"error": {"code": "bad_request", "message": "'], ids=["no JSON", "JSON"]
)
def test_an_error_body_of_50_megabytes_is_not_read_completely(
    online: Mj, service: Service, begin: bytes
) -> None:
    sent: list[int] = []

    def flood(_: Any, reply: Reply) -> None:
        reply.head(400, {"content-type": "application/json"}, length=50 << 20)
        reply.send(begin)
        for _ in range(50):
            reply.send(b"x" * (1 << 20))  # fails when mj stops reading
            sent.append(1)

    service.imagine(flood)
    service.tasks["t"] = task_record("t", REQUEST, service.result(task_id="t"))
    result = online("imagine", "a cat", "--json", check=None)
    assert result.status in (0, 4)
    assert len(sent) < 50
    assert len(result.stdout) + len(result.stderr) < 10_000
    assert len(service.posts()) == 1


@pytest.mark.parametrize("code", [b"100 Continue", b"103 Early Hints"])
def test_an_interim_response_is_ignored(online: Mj, service: Service, code: bytes) -> None:
    def script(_: Any, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 " + code + b"\r\nlink: </x>; rel=preload\r\n\r\n")
        reply.json(service.result())

    service.imagine(script)
    online("imagine", "a cat")
    assert len(service.posts()) == 1


# -- other statuses ------------------------------------------------------------------------------------


def test_a_job_that_fails_while_running_exits_with_4(online: Mj, service: Service) -> None:
    service.stream([{"task_id": "t", "progress": 10, "success": True}, {**fixture("error.json")}])
    result = online("imagine", "a cat", "--json", check=4)
    assert result.answer["task_id"] == "t"
    assert result.answer["trace_id"] == fixture("error.json")["trace_id"]


def still_running(online: Mj, service: Service, *options: str) -> Result:
    def script(_: Any, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(b'{"task_id": "t-7", "progress": 10}\n')
        service.over.wait(60)

    service.imagine(script)
    service.tasks["t-7"] = task_record("t-7", REQUEST, None)
    return online("imagine", "a cat", "--timeout", "1", *options, check=7)


@pytest.mark.slow
def test_a_deadline_before_the_job_ends_exits_with_7_and_suggests_how_to_continue(
    online: Mj, service: Service
) -> None:
    result = still_running(online, service)
    assert "t-7" in result.out
    assert "mj resume t-7" in result.err
    assert len(service.posts()) == 1
    assert service.posts()[0].body["timeout"] == 1


@pytest.mark.slow
def test_a_deadline_with_json_and_quiet(online: Mj, service: Service) -> None:
    answer = still_running(online, service, "--json").answer
    assert (answer["error"]["code"], answer["task_id"]) == ("timeout", "t-7")
    assert still_running(online, service, "-q").out == "t-7\n"


@pytest.mark.slow
def test_a_deadline_without_a_stream_finds_the_task(online: Mj, service: Service) -> None:
    service.imagine(lambda _, reply: (service.over.wait(60) and None) or reply.close())
    service.tasks["t-7"] = task_record("t-7", REQUEST, None)
    result = online("imagine", "a cat", "--no-stream", "--timeout", "1", "--json", check=7)
    assert result.answer["task_id"] == "t-7"


@pytest.mark.slow
def test_a_trickle_of_bytes_does_not_exceed_the_deadline(online: Mj, service: Service) -> None:
    def script(_: Any, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(b'{"task_id": "t-7", "progress": 10}\n')
        while not service.over.wait(0.05):
            reply.send(b" ")

    service.imagine(script)
    service.tasks["t-7"] = task_record("t-7", REQUEST, None)
    online("imagine", "a cat", "--timeout", "1", check=7, timeout=20)


@pytest.mark.slow
def test_a_deadline_without_a_matching_task_exits_with_9(online: Mj, service: Service) -> None:
    service.imagine(lambda _, reply: (service.over.wait(60) and None) or reply.close())
    result = online("imagine", "a cat", "--timeout", "1", "--json", check=9)
    assert "task_id" not in result.answer
    assert len(service.posts()) == 1


def test_a_missing_file_exits_with_8_and_the_result_is_still_printed(online: Mj, service: Service) -> None:
    service.answer(service.result())
    result = online("imagine", "a cat", "-d", "--json", check=8)
    assert result.answer["error"]["code"] == "download"
    assert result.answer["task_id"] == service.result()["task_id"]
    assert len(service.posts()) == 1


def test_an_unusable_output_directory_exits_with_2_before_anything_is_sent(
    online: Mj, service: Service
) -> None:
    (online.cwd / "file").write_text("x")
    online("imagine", "a cat", "-o", "file/x/", check=2)
    assert service.received == []

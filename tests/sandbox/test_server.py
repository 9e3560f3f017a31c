"""HTTP, files, faults, and what outlives the process."""

from __future__ import annotations

import http.client
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mjcli.sandbox import Sandbox, SandboxOptions, results
from mjcli.sandbox.bodies import parse
from mjcli.sandbox.files import UPLOAD_LIMIT, byte_range
from mjcli.sandbox.handler import BODY_LIMIT
from mjcli.sandbox.server import Server
from mjcli.sandbox.state import Store

from .conftest import NDJSON, Client, Receiver

Run = Callable[..., Client]


def _code(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json["error"]["code"]


def test_unknown_paths_and_methods_are_refused_in_json(client: Client) -> None:
    assert _code(client.send("POST", "/midjourney/nothing", {})) == (404, "no_api")
    assert _code(client.get("/")) == (404, "no_api")
    assert _code(client.get("/midjourney/imagine"))[0] == 405
    assert _code(client.send("PUT", "/midjourney/imagine", {}))[0] == 405
    assert _code(client.send("BREW", "/midjourney/imagine"))[0] == 501
    assert client.send("HEAD", "/midjourney/imagine").body == b""


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'"x"', b'{"a": NaN}', b'{"a": 1e999}', b"\xff{}", b"[" * 99999]
)
def test_a_body_must_be_a_json_object(client: Client, body: bytes) -> None:
    answer = client.send("POST", "/midjourney/imagine", body)
    assert _code(answer) == (400, "bad_request")


def test_a_good_body_is_read_as_it_is() -> None:
    assert parse(b'{"a": [1, 1.5, null, "\xc3\xa9"]}') == {"a": [1, 1.5, None, "é"]}


def test_a_chunked_body_is_read(client: Client) -> None:
    head = b"POST /midjourney/translate HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    data = head + b'transfer-encoding: chunked\r\n\r\n8\r\n{"conten\r\na\r\nt": "meow"\r\n1\r\n}\r\n0\r\n\r\n'
    answer = client.send_raw(data)
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["content"] == "meow"
    broken = client.send_raw(head + b"transfer-encoding: chunked\r\n\r\nzz\r\n")
    assert broken.startswith(b"HTTP/1.1 400")


def test_a_body_that_is_too_large_gets_an_answer(client: Client) -> None:
    body = b'{"prompt": "' + b"x" * BODY_LIMIT + b'"}'
    assert _code(client.send("POST", "/midjourney/imagine", body)) == (413, "bad_request")


def test_a_connection_serves_several_requests_even_after_a_refusal(client: Client) -> None:
    connection = http.client.HTTPConnection(urlsplit(client.sandbox.base_url).netloc, timeout=20)
    for path, status in (("/nothing", 404), ("/midjourney/imagine", 400), ("/midjourney/translate", 200)):
        connection.request("POST", path, b'{"content": "x"}')
        response = connection.getresponse()
        assert response.status == status
        assert json.loads(response.read())
    connection.close()


def test_an_old_client_gets_a_stream_without_chunks(client: Client) -> None:
    body = b'{"prompt": "a cat"}'
    head = b"POST /midjourney/imagine HTTP/1.0\r\naccept: application/x-ndjson\r\ncontent-length: %d\r\n\r\n"
    answer = client.send_raw(head % len(body) + body)
    headers, _, content = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in headers.lower()
    assert json.loads(content.rstrip().split(b"\r\n")[-1])["progress"] == 100


def test_a_client_that_leaves_is_no_event(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    client = run(seconds=0.2)
    for _ in range(3):
        connection = http.client.HTTPConnection(urlsplit(client.sandbox.base_url).netloc, timeout=20)
        connection.request("POST", "/midjourney/imagine", json.dumps({"prompt": "a cat"}), NDJSON)
        task = json.loads(connection.getresponse().readline())["task_id"]
        connection.close()
    assert client.ended_task(task)["response"]["success"] is True
    client.sandbox.close()
    assert capfd.readouterr() == ("", "")


def test_the_token_is_checked_when_there_is_one(run: Run) -> None:
    client = run(token="secret")
    good = {"authorization": "Bearer secret"}
    assert _code(client.post("translate", {"content": "x"})) == (400, "no_token")
    assert _code(client.post("translate", {"content": "x"}, {"authorization": "Bearer no"})) == (
        401,
        "invalid_token",
    )
    assert _code(client.send("POST", "/midjourney/translate?token=no", {})) == (401, "invalid_token")
    assert client.post("translate", {"content": "x"}, good).status == 200
    assert client.send("POST", "/midjourney/translate?token=secret", {"content": "x"}).status == 200


def test_errors_come_at_the_rate_asked_for_and_accept_nothing(run: Run) -> None:
    client = run(error_rate=0.5, seed=3)
    statuses = [client.post("imagine", {"prompt": "a", "async": True}).status for _ in range(40)]
    assert set(statuses) == {200, 500}
    assert 8 < statuses.count(500) < 32
    calm = run()
    assert calm.post("tasks", {"action": "retrieve_batch"}).json["count"] == statuses.count(200)
    again = run(error_rate=0.5, seed=3)
    assert [again.post("imagine", {"prompt": "a", "async": True}).status for _ in range(40)] == statuses


def test_jobs_fail_at_the_rate_asked_for(run: Run) -> None:
    client = run(failure_rate=1.0)
    answer = client.post("imagine", {"prompt": "a cat"})
    assert answer.json["success"] is False
    assert answer.json["error"]["code"] == "api_error"


def test_more_jobs_than_the_limit_are_told_when_to_come_again(run: Run) -> None:
    client = run(rate_limit=2)
    assert [client.post("imagine", {"prompt": "a", "async": True}).status for _ in range(3)] == [
        200,
        200,
        429,
    ]
    answer = client.post("imagine", {"prompt": "a"})
    assert _code(answer) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert client.post("tasks", {"action": "retrieve_batch"}).json["count"] == 2
    assert run(rate_limit=0).post("imagine", {"prompt": "a"}).status == 429


def test_a_cut_stream_has_no_end_but_its_job_has(run: Run) -> None:
    client = run(cut_rate=1.0)
    lengths = set()
    for _ in range(6):
        with pytest.raises(http.client.IncompleteRead) as cut:
            client.post("imagine", {"prompt": "a cat"}, NDJSON)
        lines = cut.value.partial.split(b"\r\n")[:-1]
        lengths.add(len(lines))
        assert 1 <= len(lines) <= 7
        assert client.ended_task(json.loads(lines[0])["task_id"])["response"]["progress"] == 100
    assert len(lengths) > 1


def test_jobs_and_images_outlive_the_process(run: Run) -> None:
    first = run(seconds=0.4)
    grid = first.imagine()
    task_id = first.post("imagine", {"prompt": "slow", "async": True}).json["task_id"]
    first.sandbox.close()
    second = run()
    assert "response" not in second.task(task_id)
    assert second.ended_task(task_id)["response"]["success"] is True
    response = second.task(grid["task_id"])["response"]
    assert response["raw_image_url"].startswith(second.sandbox.base_url)
    assert second.get(response["raw_image_url"]).status == 200
    assert "upscale_2x" in second.action("upscale4", grid["image_id"])["actions"]


def test_a_callback_is_delivered_by_the_process_that_is_there(run: Run, receiver: Receiver) -> None:
    first = run(seconds=0.5)
    task_id = first.post("imagine", {"prompt": "a cat", "callback_url": receiver.url}).json["task_id"]
    first.sandbox.close()
    assert receiver.received == []
    run()
    assert receiver.wait_for(1)[0]["task_id"] == task_id


def test_several_sandboxes_deliver_each_callback_once(run: Run, receiver: Receiver) -> None:
    clients = [run(seconds=0.3) for _ in range(4)]
    for n in range(6):
        clients[n % 4].post("imagine", {"prompt": f"cat {n}", "callback_url": receiver.url}, NDJSON)
    receiver.wait_for(6 * 8)
    for client in clients:
        client.sandbox.close(finish_callbacks=True)
    assert len({(event["task_id"], event["progress"]) for event in receiver.received}) == 6 * 8
    assert len(receiver.received) == 6 * 8


def test_many_requests_at_once_are_all_kept(run: Run) -> None:
    clients = [run(), run()]
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda c=clients[n % 2]: statuses.append(c.post("imagine", {"prompt": "a"}).status)
        )
        for n in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 24
    assert clients[0].post("tasks", {"action": "retrieve_batch"}).json["count"] == 24


def test_a_link_is_good_for_a_day_and_only_as_it_was_given(client: Client) -> None:
    url = client.imagine()["image_url"]
    path, _, query = url.removeprefix(client.sandbox.base_url).partition("?")
    assert client.get(f"{path}?{query}").status == 200
    assert client.get(path).status == 403
    assert client.get(f"{path}?{query.replace('ex=', 'ex=f')}").status == 403
    old = results.signed(path, time.time() - results.LIFETIME - 10)
    answer = client.get(old)
    assert answer.status == 403
    assert "expired" in answer.json["error"]["message"]


def test_parts_of_a_file_can_be_had(client: Client) -> None:
    url = client.imagine()["image_url"]
    whole = client.get(url)
    length, etag = len(whole.body), whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-length"] == str(length)
    rest = client.get(url, {"range": "bytes=100-", "if-range": etag})
    assert (rest.status, rest.body) == (206, whole.body[100:])
    assert rest.headers["content-range"] == f"bytes 100-{length - 1}/{length}"
    assert client.get(url, {"range": "bytes=-8"}).body == whole.body[-8:]
    assert client.get(url, {"range": "bytes=2-5"}).body == whole.body[2:6]
    changed = client.get(url, {"range": "bytes=100-", "if-range": '"other"'})
    assert (changed.status, changed.body) == (200, whole.body)
    beyond = client.get(url, {"range": f"bytes={length}-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{length}")
    head = client.send("HEAD", url)
    assert (head.body, head.headers["content-length"], head.headers["etag"]) == (b"", str(length), etag)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=5-99", (5, 9)),
        ("bytes=-99", (0, 9)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
    ],
)
def test_a_range_header_is_read_or_ignored(header: str, expected: Any) -> None:
    assert byte_range(header, 10) == expected


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10
MULTIPART = {"content-type": "multipart/form-data; boundary=edge"}


def _form(content: bytes, name: str = "../my cat.png") -> bytes:
    body = b'--edge\r\ncontent-disposition: form-data; name="note"\r\n\r\nhello\r\n'
    body += f'--edge\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n'.encode()
    return body + b"content-type: text/html\r\n\r\n" + content + b"\r\n--edge--\r\n"


def test_an_uploaded_picture_can_be_fetched_again(client: Client) -> None:
    content, headers = PICTURE, MULTIPART
    answer = client.send("POST", "/api/v1/files/", _form(content), headers)
    url = answer.json["file_url"]
    assert url.endswith("/my_cat.png")
    served = client.get(url)
    assert (served.body, served.headers["content-type"]) == (content, "image/png")
    assert client.send("POST", "/api/v1/files/", b"{}", {"content-type": "application/json"}).status == 400
    assert client.send("POST", "/api/v1/files/", b"--edge--", headers).status == 400


def test_an_uploaded_picture_outlives_the_process(run: Run) -> None:
    first = run()
    url = first.send("POST", "/api/v1/files/", _form(PICTURE), MULTIPART).json["file_url"]
    path = url.removeprefix(first.sandbox.base_url)
    first.sandbox.close()
    second = run()
    served = second.get(second.sandbox.base_url + path)
    assert served.body == PICTURE
    assert second.send("HEAD", path).headers["content-type"] == "image/png"


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"<html>", b"\0\0\0\x18ftypmp42", b"hello" * 100])
def test_only_pictures_are_taken_in(client: Client, content: bytes) -> None:
    answer = client.send("POST", "/api/v1/files/", _form(content), MULTIPART)
    assert _code(answer) == (400, "bad_request")
    assert "picture" in answer.json["error"]["message"]


def test_a_picture_is_served_as_what_it_is_whatever_its_name(client: Client) -> None:
    answer = client.send("POST", "/api/v1/files/", _form(b"\xff\xd8\xff\xe0" + b"x" * 40, "cat"), MULTIPART)
    assert answer.json["file_url"].endswith("/file.jpg")
    assert client.get(answer.json["file_url"]).headers["content-type"] == "image/jpeg"


def test_a_picture_of_20_mb_is_taken_in_and_a_larger_one_is_not(client: Client) -> None:
    largest = PICTURE.ljust(UPLOAD_LIMIT, b"x")
    assert client.send("POST", "/api/v1/files/", _form(largest), MULTIPART).status == 200
    assert _code(client.send("POST", "/api/v1/files/", _form(largest + b"x"), MULTIPART)) == (
        413,
        "bad_request",
    )
    assert client.send("POST", "/api/v1/files/", _form(largest * 2), MULTIPART).status == 413


def test_an_upload_needs_the_token_when_there_is_one(run: Run) -> None:
    client = run(token="secret")
    assert _code(client.send("POST", "/api/v1/files/", _form(PICTURE), MULTIPART)) == (400, "no_token")
    for given, status in (("Bearer no", 401), ("Bearer secret", 200)):
        headers = {**MULTIPART, "authorization": given}
        assert client.send("POST", "/api/v1/files/", _form(PICTURE), headers).status == status


def test_a_port_that_is_taken_is_an_os_error(client: Client, tmp_path: Path) -> None:
    port = urlsplit(client.sandbox.base_url).port or 0
    with pytest.raises(OSError):
        Sandbox(tmp_path / "other.db", port=port)


def test_a_database_that_is_none_is_an_os_error(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(OSError, match="database"):
        Sandbox(path)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sandbox.db"
    with Sandbox(path) as sandbox:
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_serving_in_this_thread_ends_when_closed(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox.db", SandboxOptions(seconds=0.05))
    thread = threading.Thread(target=sandbox.serve_forever)
    thread.start()
    assert Client(sandbox).imagine()["success"] is True
    sandbox.close()
    thread.join(5)
    assert not thread.is_alive()
    sandbox.close()


def test_a_fault_of_the_sandbox_is_an_error_object(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Store, "add", full)
    answer = client.post("imagine", {"prompt": "a cat"})
    assert _code(answer) == (500, "api_error")
    assert "disk full" in answer.json["error"]["message"]


def test_an_interrupted_sandbox_can_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupted)
    sandbox = Sandbox(tmp_path / "sandbox.db")
    with pytest.raises(KeyboardInterrupt):
        sandbox.serve_forever()
    sandbox.close()


def test_closing_what_never_served_returns(tmp_path: Path) -> None:
    Sandbox(tmp_path / "sandbox.db").close()


def test_the_sandbox_imports_nothing_of_the_program_around_it() -> None:
    code = "import sys, mjcli.sandbox; print([m for m in sys.modules if m.startswith('mjcli')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.replace("'", '"')))
    assert {name for name in loaded if not name.startswith("mjcli.sandbox")} == {"mjcli"}

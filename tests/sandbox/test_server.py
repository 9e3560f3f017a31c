"""HTTP, files, faults, and state that outlives the process."""

from __future__ import annotations

import http.client
import json
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mjcli.sandbox import Sandbox, SandboxOptions, links
from mjcli.sandbox.fields import parse
from mjcli.sandbox.files import UPLOAD_LIMIT, byte_range
from mjcli.sandbox.handler import BODY_LIMIT
from mjcli.sandbox.server import Server
from mjcli.sandbox.store import Store
from tests.support.sandbox import NDJSON, Client, Receiver
from tests.support.systems import posix

Run = Callable[..., Client]

UPLOAD = "/files/upload"


def _code(response: Any) -> tuple[int, str]:
    return response.status, response.json["error"]["code"]


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
    response = client.send("POST", "/midjourney/imagine", body)
    assert _code(response) == (400, "bad_request")


def test_a_valid_body_is_parsed_unchanged() -> None:
    assert parse(b'{"a": [1, 1.5, null, "\xc3\xa9"]}') == {"a": [1, 1.5, None, "é"]}


def test_a_chunked_body_is_read(client: Client) -> None:
    head = b"POST /midjourney/translate HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    data = head + b'transfer-encoding: chunked\r\n\r\n8\r\n{"conten\r\na\r\nt": "meow"\r\n1\r\n}\r\n0\r\n\r\n'
    response = client.send_raw(data)
    assert response.startswith(b"HTTP/1.1 200")
    assert json.loads(response.partition(b"\r\n\r\n")[2])["content"] == "meow"
    broken = client.send_raw(head + b"transfer-encoding: chunked\r\n\r\nzz\r\n")
    assert broken.startswith(b"HTTP/1.1 400")


def test_a_body_that_is_too_large_gets_a_response(client: Client) -> None:
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
    response = client.send_raw(head % len(body) + body)
    headers, _, content = response.partition(b"\r\n\r\n")
    assert b"chunked" not in headers.lower()
    assert json.loads(content.rstrip().split(b"\r\n")[-1])["progress"] == 100


@pytest.mark.slow
def test_a_client_that_disconnects_causes_no_output(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    client = run(seconds=0.2)
    for _ in range(3):
        connection = http.client.HTTPConnection(urlsplit(client.sandbox.base_url).netloc, timeout=20)
        connection.request("POST", "/midjourney/imagine", json.dumps({"prompt": "a cat"}), NDJSON)
        task = json.loads(connection.getresponse().readline())["task_id"]
        connection.close()
    assert client.ended_task(task)["response"]["success"] is True
    client.sandbox.close()
    assert capfd.readouterr() == ("", "")


def test_the_token_is_checked_if_one_is_set(run: Run) -> None:
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


def test_errors_occur_at_the_given_rate_and_accept_nothing(run: Run) -> None:
    client = run(error_rate=0.5, seed=3)
    statuses = [client.post("imagine", {"prompt": "a", "async": True}).status for _ in range(40)]
    assert set(statuses) == {200, 500}
    assert 8 < statuses.count(500) < 32
    calm = run()
    assert calm.post("tasks", {"action": "retrieve_batch"}).json["count"] == statuses.count(200)
    again = run(error_rate=0.5, seed=3)
    assert [again.post("imagine", {"prompt": "a", "async": True}).status for _ in range(40)] == statuses


def test_jobs_fail_at_the_given_rate(run: Run) -> None:
    client = run(failure_rate=1.0)
    response = client.post("imagine", {"prompt": "a cat"})
    assert response.json["success"] is False
    assert response.json["error"]["code"] == "api_error"


def test_jobs_beyond_the_rate_limit_get_a_retry_after_header(run: Run) -> None:
    client = run(rate_limit=2)
    assert [client.post("imagine", {"prompt": "a", "async": True}).status for _ in range(3)] == [
        200,
        200,
        429,
    ]
    response = client.post("imagine", {"prompt": "a"})
    assert _code(response) == (429, "too_many_requests")
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert client.post("tasks", {"action": "retrieve_batch"}).json["count"] == 2
    assert run(rate_limit=0).post("imagine", {"prompt": "a"}).status == 429


@pytest.mark.slow
def test_a_stream_is_cut_off_but_its_job_finishes(run: Run) -> None:
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


@pytest.mark.slow
def test_jobs_and_images_outlive_the_process(run: Run, let_pass: Callable[[float], None]) -> None:
    first, slow = run(), run(seconds=60)
    grid = first.imagine()
    task_id = slow.post("imagine", {"prompt": "slow", "async": True}).json["task_id"]
    first.sandbox.close()
    slow.sandbox.close()
    second = run()
    assert "response" not in second.task(task_id)
    let_pass(60)
    assert second.task(task_id)["response"]["success"] is True
    response = second.task(grid["task_id"])["response"]
    assert response["raw_image_url"].startswith(second.sandbox.base_url)
    assert second.get(response["raw_image_url"]).status == 200
    assert "upscale_2x" in second.action("upscale4", grid["image_id"])["actions"]


def test_a_callback_is_delivered_by_a_later_process(
    run: Run, receiver: Receiver, let_pass: Callable[[float], None]
) -> None:
    first = run(seconds=60)
    task_id = first.post("imagine", {"prompt": "a cat", "callback_url": receiver.url}).json["task_id"]
    first.sandbox.close()
    assert receiver.received == []
    let_pass(60)
    run()
    assert receiver.wait_for(1)[0]["task_id"] == task_id


def test_several_sandboxes_deliver_each_callback_once(run: Run, receiver: Receiver) -> None:
    clients = [run(seconds=0.1) for _ in range(4)]
    for n in range(6):
        clients[n % 4].post("imagine", {"prompt": f"cat {n}", "callback_url": receiver.url}, NDJSON)
    receiver.wait_for(6 * 8)
    for client in clients:
        client.sandbox.close(finish_callbacks=True)
    assert len({(event["task_id"], event["progress"]) for event in receiver.received}) == 6 * 8
    assert len(receiver.received) == 6 * 8


def test_concurrent_requests_are_all_recorded(run: Run) -> None:
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


def test_a_link_works_for_a_day_and_only_unchanged(client: Client) -> None:
    url = client.imagine()["image_url"]
    path, _, query = url.removeprefix(client.sandbox.base_url).partition("?")
    assert client.get(f"{path}?{query}").status == 200
    assert client.get(path).status == 403
    assert client.get(f"{path}?{query.replace('ex=', 'ex=f')}").status == 403
    old = links.signed(path, time.time() - links.LIFETIME - 10)
    response = client.get(old)
    assert response.status == 403
    assert "expired" in response.json["error"]["message"]


def test_a_range_of_a_file_can_be_requested(client: Client) -> None:
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
def test_a_range_header_is_parsed_or_ignored(header: str, expected: Any) -> None:
    assert byte_range(header, 10) == expected


IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10
MULTIPART = {"content-type": "multipart/form-data; boundary=edge"}


def _form(content: bytes, name: str = "../my cat.png") -> bytes:
    body = b'--edge\r\ncontent-disposition: form-data; name="note"\r\n\r\nhello\r\n'
    body += f'--edge\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n'.encode()
    return body + b"content-type: text/html\r\n\r\n" + content + b"\r\n--edge--\r\n"


def test_an_uploaded_image_can_be_downloaded(client: Client) -> None:
    content, headers = IMAGE, MULTIPART
    response = client.send("POST", UPLOAD, _form(content), headers)
    url = response.json["url"]
    assert url.endswith("/my_cat.png")
    served = client.get(url)
    assert (served.body, served.headers["content-type"]) == (content, "image/png")
    assert client.send("POST", UPLOAD, b"{}", {"content-type": "application/json"}).status == 400
    assert client.send("POST", UPLOAD, b"--edge--", headers).status == 400


def test_a_link_of_an_upload_says_that_it_lives_for_seven_days(client: Client) -> None:
    document = client.send("POST", UPLOAD, _form(IMAGE), MULTIPART).json
    assert document["success"] is True
    left = datetime.fromisoformat(document["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < left <= timedelta(days=7)


def test_the_file_endpoint_of_the_platform_has_its_own_form_of_response(client: Client) -> None:
    document = client.send("POST", "/api/v1/files/", _form(IMAGE), MULTIPART).json
    assert client.get(document["file_url"]).body == IMAGE
    assert "url" not in document


def test_an_uploaded_image_outlives_the_process(run: Run) -> None:
    first = run()
    url = first.send("POST", UPLOAD, _form(IMAGE), MULTIPART).json["url"]
    path = url.removeprefix(first.sandbox.base_url)
    first.sandbox.close()
    second = run()
    served = second.get(second.sandbox.base_url + path)
    assert served.body == IMAGE
    assert second.send("HEAD", path).headers["content-type"] == "image/png"


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"<html>", b"\0\0\0\x18ftypmp42", b"hello" * 100])
def test_only_images_can_be_uploaded(client: Client, content: bytes) -> None:
    response = client.send("POST", UPLOAD, _form(content), MULTIPART)
    assert _code(response) == (400, "bad_request")
    assert "image" in response.json["error"]["message"]


def test_the_content_type_of_an_upload_depends_on_its_content_alone(client: Client) -> None:
    response = client.send("POST", UPLOAD, _form(b"\xff\xd8\xff\xe0" + b"x" * 40, "cat"), MULTIPART)
    assert response.json["url"].endswith("/file.jpg")
    assert client.get(response.json["url"]).headers["content-type"] == "image/jpeg"


@pytest.mark.slow
def test_an_upload_may_have_25_mb_at_most(client: Client) -> None:
    largest = IMAGE.ljust(UPLOAD_LIMIT, b"x")
    assert client.send("POST", UPLOAD, _form(largest), MULTIPART).status == 200
    assert _code(client.send("POST", UPLOAD, _form(largest + b"x"), MULTIPART)) == (
        413,
        "bad_request",
    )
    assert client.send("POST", UPLOAD, _form(largest * 2), MULTIPART).status == 413


def test_an_upload_needs_the_token_if_one_is_set(run: Run) -> None:
    client = run(token="secret")
    assert _code(client.send("POST", UPLOAD, _form(IMAGE), MULTIPART)) == (400, "no_token")
    for given, status in (("Bearer no", 401), ("Bearer secret", 200)):
        headers = {**MULTIPART, "authorization": given}
        assert client.send("POST", UPLOAD, _form(IMAGE), headers).status == status


def test_a_port_in_use_is_an_os_error(client: Client, tmp_path: Path) -> None:
    port = urlsplit(client.sandbox.base_url).port or 0
    with pytest.raises(OSError):
        Sandbox(tmp_path / "other.db", port=port)


def test_a_file_that_is_not_a_database_is_an_os_error(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OSError, match="database"):
        Sandbox(path)


@posix
def test_only_the_owner_can_read_the_database(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sandbox.db"
    with Sandbox(path) as sandbox:
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_serve_forever_returns_when_the_sandbox_is_closed(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox.db", SandboxOptions(seconds=0.05))
    thread = threading.Thread(target=sandbox.serve_forever)
    thread.start()
    assert Client(sandbox).imagine()["success"] is True
    sandbox.close()
    thread.join(5)
    assert not thread.is_alive()
    sandbox.close()


def test_an_internal_error_is_an_error_object(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Store, "add", fail)
    response = client.post("imagine", {"prompt": "a cat"})
    assert _code(response) == (500, "api_error")
    assert "disk full" in response.json["error"]["message"]


def test_an_interrupted_sandbox_can_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupt)
    sandbox = Sandbox(tmp_path / "sandbox.db")
    with pytest.raises(KeyboardInterrupt):
        sandbox.serve_forever()
    sandbox.close()


def test_a_sandbox_that_never_served_can_be_closed(tmp_path: Path) -> None:
    Sandbox(tmp_path / "sandbox.db").close()


def test_the_sandbox_imports_no_other_package_of_ours() -> None:
    code = "import sys, mjcli.sandbox; print([m for m in sys.modules if m.startswith('mjcli')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.replace("'", '"')))
    assert {name for name in loaded if not name.startswith("mjcli.sandbox")} == {"mjcli"}

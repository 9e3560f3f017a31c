"""Uploads on a real socket: what is sent, what is retried, and what each response means."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mjcli.api import FileStore
from mjcli.api import uploads as uploads_module
from mjcli.errors import ApiError, ExitCode, MjError, NetworkError, Remedy
from tests.support.fake_clock import FakeClock
from tests.support.images import png
from tests.support.service import Received, Reply, Script, Service, serve

PATH = "/files/upload"
EPOCH = 1_700_000_000  # 2023-11-14T22:13:20Z
DAY = 86_400
LINK = "https://cdn.example/1.png"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(service: Service, clock: FakeClock) -> Iterator[FileStore]:
    service.scripts[PATH] = lambda _request, reply: reply.json({"success": True, "url": LINK})
    url = service.base_url + PATH
    with FileStore(url, "secret-token", use_environment=False, clock=clock) as store:
        yield store


def fails(store: FileStore) -> MjError:
    """The error of an upload that fails: it never contains the token, and says that no job was sent."""
    with pytest.raises(MjError) as caught:
        store.upload("cat.png", png())
    error = caught.value
    assert "No job was sent." in error.message
    assert "No job was sent." in error.sentence
    assert "secret-token" not in f"{error.message}{error.hint}"
    return error


def in_form(request: Received) -> tuple[dict[str, str], bytes]:
    """The headers and the content of the only part of a multipart body."""
    boundary = request.headers["content-type"].partition("boundary=")[2]
    before, part, after = request.data.split(f"--{boundary}".encode())
    assert (before, after.strip()) == (b"", b"--")
    head, _, content = part.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().strip().split("\r\n")]
    return {name.lower(): value for name, _, value in lines}, content.removesuffix(b"\r\n")


def test_a_file_is_sent_as_the_part_named_file_and_its_link_is_returned(
    store: FileStore, service: Service
) -> None:
    assert store.upload("my cat.png", png(5000)).link == LINK
    (post,) = service.posts(PATH)
    headers, content = in_form(post)
    assert headers == {
        "content-disposition": 'form-data; name="file"; filename="my cat.png"',
        "content-type": "image/png",
    }
    assert content == png(5000)
    assert post.headers["authorization"] == "Bearer secret-token"
    assert post.query == {}


def test_without_a_token_no_authorization_is_sent(service: Service) -> None:
    service.scripts[PATH] = lambda _request, reply: reply.json({"success": True, "url": LINK})
    with FileStore(service.base_url + PATH, use_environment=False) as store:
        store.upload("cat.png", png())
    assert "authorization" not in service.posts(PATH)[0].headers


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.JPG", "image/jpeg"),
        ("a.jpeg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("a.gif", "image/gif"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_from_the_name(
    store: FileStore, service: Service, name: str, content_type: str
) -> None:
    store.upload(name, b"x")
    assert in_form(service.posts(PATH)[0])[0]["content-type"] == content_type


@pytest.mark.parametrize("name", ['a".png', "a\r\nx: y.png", "猫.png", "\udcff.png", "a\x00b.png", "a\\.png"])
def test_no_name_breaks_out_of_the_header(store: FileStore, service: Service, name: str) -> None:
    store.upload(name, png())
    headers, content = in_form(service.posts(PATH)[0])
    assert set(headers) == {"content-disposition", "content-type"}
    assert re.fullmatch(r'form-data; name="file"; filename="[^"]+"', headers["content-disposition"])
    assert content == png()


@pytest.mark.parametrize(
    "document",
    [
        {"file_url": LINK},
        {"url": LINK},
        {"data": {"file_url": LINK}},
        {"data": {"url": LINK}},
        {"success": True, "file_url": LINK, "url": None, "more": [1]},
        {"file_url": None, "data": {"file_url": LINK}},
        {"file_url": "/media/1.png", "url": LINK},
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_the_link_is_found_in_each_form_of_the_response(
    store: FileStore, service: Service, document: Any, status: int
) -> None:
    service.scripts[PATH] = lambda _request, reply: reply.json(document, status)
    assert store.upload("cat.png", png()).link == LINK


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "text",
        {"file_url": ""},
        {"file_url": 7},
        {"file_url": "ftp://h/x"},
        {"file_url": "file:///etc/passwd"},
        {"file_url": "javascript:alert(1)"},
        {"file_url": "https://"},
        {"file_url": "https://h/a b --ar 1:1"},
        {"file_url": "https://h/\x1b[31m"},
        {"file_url": "https://h/\u00a0x"},
        {"url": "https://name:password@h/x"},
        {"data": [LINK]},
        {"data": {"data": {"file_url": LINK}}},
    ],
)
def test_a_response_without_a_link_is_not_the_apis(store: FileStore, service: Service, document: Any) -> None:
    service.scripts[PATH] = lambda _request, reply: reply.json(document)
    error = fails(store)
    assert isinstance(error, NetworkError)
    assert error.exit_code == ExitCode.UNAVAILABLE
    assert len(service.posts(PATH)) == 1


@pytest.mark.parametrize(
    "script",
    [
        lambda _r, reply: reply.whole(b"<html>log in</html>"),
        lambda _r, reply: reply.whole(b""),
        lambda _r, reply: reply.whole(b"\xff\xfe{}"),
        lambda _r, reply: reply.whole(b"<html>", 404),
        lambda _r, reply: reply.whole(b"", 405),
        lambda _r, reply: reply.whole(b"<html>", 413),
        lambda _r, reply: reply.whole(b"", 204),
    ],
)
def test_a_response_that_is_not_an_object_is_not_the_apis(
    store: FileStore, service: Service, script: Script
) -> None:
    service.scripts[PATH] = script
    error = fails(store)
    assert error.exit_code == ExitCode.UNAVAILABLE
    assert error.remedy == Remedy.FILES_ADDRESS


@pytest.mark.parametrize(
    ("status", "document", "code", "exit_code"),
    [
        (401, {"error": {"code": "invalid_token", "message": "no"}}, "invalid_token", ExitCode.AUTH),
        (401, {"detail": "Invalid token."}, "invalid_token", ExitCode.AUTH),
        (401, None, "invalid_token", ExitCode.AUTH),
        (400, {"error": {"code": "no_token", "message": "no"}}, "no_token", ExitCode.AUTH),
        (403, {"error": {"code": "token_mismatched", "message": "no"}}, "token_mismatched", ExitCode.AUTH),
        (403, {"error": {"code": "disabled", "message": "no"}}, "disabled", ExitCode.AUTH),
        (403, {"error": {"code": "forbidden", "message": "no"}}, "forbidden", ExitCode.REFUSED),
        (403, {"detail": "You do not have permission."}, "forbidden", ExitCode.REFUSED),
        (403, None, "forbidden", ExitCode.REFUSED),
        (400, {"error": {"code": "bad_request", "message": "no"}}, "bad_request", ExitCode.REFUSED),
        (400, {"error": "no"}, "bad_request", ExitCode.REFUSED),
        (413, {"error": {"message": "too large"}}, "bad_request", ExitCode.REFUSED),
        (415, None, "bad_request", ExitCode.REFUSED),
        (422, {"detail": [{"loc": ["file"]}]}, "bad_request", ExitCode.REFUSED),
        (200, {"success": False, "error": {"code": "bad_request", "message": "no"}}, "bad_request", 4),
        (402, None, "used_up", ExitCode.BALANCE),
        (403, {"error": {"code": "used_up", "message": "no"}}, "used_up", ExitCode.BALANCE),
        (404, {"error": {"code": "no_api", "message": "no"}}, "no_api", ExitCode.UNAVAILABLE),
    ],
)
def test_a_refusal_is_final_and_carries_its_remedy(
    store: FileStore, service: Service, status: int, document: Any, code: str, exit_code: int
) -> None:
    def refuse(_request: Received, reply: Reply) -> None:
        reply.whole(b"<html>" if document is None else json.dumps(document).encode(), status)

    service.scripts[PATH] = refuse
    error = fails(store)
    assert isinstance(error, ApiError)
    assert (error.code, error.exit_code) == (code, exit_code)
    assert "cat.png" in error.message
    if exit_code == ExitCode.AUTH or (status == 403 and exit_code == ExitCode.REFUSED):
        assert error.remedy == Remedy.FILES_TOKEN
    elif exit_code == ExitCode.REFUSED:
        assert error.remedy == Remedy.HOST_IMAGE
    else:
        assert error.remedy == (Remedy.FILES_CONNECTION if exit_code == ExitCode.UNAVAILABLE else None)
    assert len(service.posts(PATH)) == 1


def test_the_message_and_the_trace_id_of_a_refusal_are_reported(store: FileStore, service: Service) -> None:
    document = {"error": {"code": "bad_request", "message": "only cats"}, "trace_id": "trace-1"}
    service.scripts[PATH] = lambda _request, reply: reply.json(document, 400)
    error = fails(store)
    assert "only cats." in error.message
    assert error.trace_id == "trace-1"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (429, b'{"error": {"code": "too_many_requests", "message": "slowly"}}', 5),
        (429, b"<html>", 5),
        (500, b'{"error": {"code": "api_error", "message": "broken"}}', 6),
        (502, b"<html>", 6),
        (503, b"", 6),
        (504, b'{"error": {"code": "timeout", "message": "late"}}', 6),
    ],
)
def test_temporary_failures_are_retried_three_times(
    store: FileStore, service: Service, clock: FakeClock, status: int, body: bytes, code: int
) -> None:
    service.scripts[PATH] = lambda _request, reply: reply.whole(body, status)
    assert fails(store).exit_code == code
    assert len(service.posts(PATH)) == 4
    assert len(clock.slept) == 3
    assert clock.slept == sorted(clock.slept)


@pytest.mark.parametrize(
    "first",
    [
        lambda _r, reply: reply.reset(),
        lambda _r, reply: reply.close(),
        lambda _r, reply: reply.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{") or reply.close(),
        lambda _r, reply: reply.whole(b"", 502),
        lambda _r, reply: reply.json({"error": {"code": "too_many_requests"}}, 429),
    ],
    ids=["reset", "closed", "cut", "502", "429"],
)
def test_an_upload_is_retried_until_it_succeeds(store: FileStore, service: Service, first: Script) -> None:
    service.scripts[PATH] = [first, lambda _request, reply: reply.json({"success": True, "url": LINK})]
    assert store.upload("cat.png", png(5000)).link == LINK
    posts = service.posts(PATH)
    assert [in_form(each)[1] for each in posts] == [png(5000)] * 2


def test_retry_after_is_honoured_up_to_its_cap(store: FileStore, service: Service, clock: FakeClock) -> None:
    def later(seconds: str) -> Script:
        return lambda _r, reply: reply.json({"error": "x"}, 429, {"retry-after": seconds})

    service.scripts[PATH] = [later("7"), later("100000"), later("-1"), later("0")]
    assert fails(store).exit_code == ExitCode.BALANCE
    assert clock.slept[:2] == [7, 60]
    assert clock.slept[2] < 5


def test_a_refused_connection_is_reported_after_the_retries(clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}{PATH}"
    with FileStore(url, "secret-token", use_environment=False, clock=clock) as store:
        error = fails(store)
    assert isinstance(error, NetworkError)
    assert error.exit_code == ExitCode.UNAVAILABLE
    assert f'"{url}": connection refused.' in error.message
    assert error.remedy == Remedy.FILES_CONNECTION
    assert len(clock.slept) == 3


@pytest.mark.slow
def test_an_endpoint_that_never_responds_is_abandoned(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads_module, "READ_SECONDS", 0.3)
    service.scripts[PATH] = lambda _request, _reply: service.over.wait(20)
    with FileStore(service.base_url + PATH, use_environment=False) as store:
        assert fails(store).exit_code == ExitCode.UNAVAILABLE
    assert len(service.posts(PATH)) == 1


@pytest.mark.slow
def test_a_response_that_never_ends_is_abandoned(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads_module, "READ_SECONDS", 0.5)

    def dribble(_request: Received, reply: Reply) -> None:
        reply.head(200)
        while not service.over.wait(0.05):
            reply.send(b" ")

    service.scripts[PATH] = dribble
    with FileStore(service.base_url + PATH, use_environment=False) as store:
        assert fails(store).exit_code == ExitCode.UNAVAILABLE


def test_an_endless_response_is_read_up_to_a_limit(store: FileStore, service: Service) -> None:
    def flood(_request: Received, reply: Reply) -> None:
        reply.head(200)
        while not service.over.is_set():
            reply.send(b"x" * 65536)

    service.scripts[PATH] = flood
    assert fails(store).exit_code == ExitCode.UNAVAILABLE
    assert len(service.posts(PATH)) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_gets_no_token(
    store: FileStore, service: Service, status: int
) -> None:
    others = serve()
    other = next(others)
    try:
        service.scripts[PATH] = lambda _request, reply: reply.whole(
            b"", status, {"location": f"{other.base_url}{PATH}?token=x"}
        )
        error = fails(store)
        assert error.exit_code == ExitCode.UNAVAILABLE
        assert "redirect" in error.message
        assert not other.received
    finally:
        others.close()


def test_several_files_are_uploaded_in_turn(store: FileStore, service: Service) -> None:
    assert [store.upload(f"{n}.png", png(n)).link for n in range(3)] == [LINK] * 3
    assert [in_form(each)[1] for each in service.posts(PATH)] == [png(n) for n in range(3)]


def test_a_token_in_the_query_is_sent_there_only(service: Service) -> None:
    service.scripts[PATH] = lambda _request, reply: reply.json({"url": LINK})
    url = service.base_url + PATH
    with FileStore(url, "secret-token", token_in="query", use_environment=False) as store:
        store.upload("cat.png", png())
        (post,) = service.posts(PATH)
        assert post.query == {"token": "secret-token"}
        assert "authorization" not in post.headers
        service.scripts[PATH] = lambda _request, reply: reply.json({"error": "no"}, 400)
        fails(store)


def test_a_secure_endpoint_must_return_a_secure_link() -> None:
    """The service fetches images over HTTPS only; on this machine there is no certificate."""
    for schemes, found in ((("https",), None), (("https", "http"), "http://h/1.png")):
        assert uploads_module._link_in({"url": "http://h/1.png"}, schemes)[0] == found
    assert uploads_module._link_in({"url": "https://other.example/1.png"}, ("https",))[0] is not None


@pytest.mark.parametrize(
    ("expires_at", "lifetime"),
    [
        ("2023-11-15T22:13:20Z", DAY),
        ("2023-11-15T22:13:20.000000+00:00", DAY),
        ("2023-11-16T06:13:20+08:00", DAY),
        ("2023-11-15T22:13:20", DAY),  # without an offset it is UTC
        (EPOCH + DAY, DAY),
        ("2023-11-21T22:13:20Z", 7 * DAY),
        ("2033-11-15T22:13:20Z", 7 * DAY),  # longer than links live
        ("2003-11-15T22:13:20Z", 7 * DAY),  # in the past
        ("2023-11-15", DAY - 80_000),
        *((each, 7 * DAY) for each in (None, "", "soon", "9999-99-99", True, [], {}, -1, 1e300, 10**400)),
        *((each, 7 * DAY) for each in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")),
    ],
    ids=repr,
)
@pytest.mark.parametrize("ahead", [0, -400 * DAY])
def test_the_lifetime_of_a_link_is_measured_on_the_clock_of_the_service(
    service: Service, clock: FakeClock, expires_at: Any, lifetime: float, ahead: int
) -> None:
    def respond(_request: Received, reply: Reply) -> None:
        body = json.dumps({"success": True, "url": LINK, "expires_at": expires_at}).encode()
        head = "HTTP/1.1 200 OK\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\nconnection: close\r\n"
        reply.raw(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        reply.close()

    service.scripts[PATH] = respond
    clock.ahead = EPOCH + ahead - time.time()
    with FileStore(service.base_url + PATH, use_environment=False, clock=clock) as store:
        assert store.upload("cat.png", png()) == (LINK, lifetime)

"""Every wait and every body has an end, whatever the other side does; and nothing it sends is an accident."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mjcli.api import Client, FileStore, Hooks
from mjcli.errors import LostResponse, MjError, NetworkError, StillRunning
from tests.support.fake_clock import FakeClock
from tests.support.service import Received, Reply, Script, Service, fixture

IMAGINE = Service.IMAGINE
IMAGE = fixture("imagine.json")
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
SOON = 5.0


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client("token", base_url=service.base_url, use_environment=False, retries=0) as client:
        yield client


def repeat(service: Service, first: bytes, again: bytes, pause: float = 0.02) -> Script:
    """Send something over and over until the other side closes the connection."""

    def script(_: Received, reply: Reply) -> None:
        try:
            reply.raw(first)
            while not (pause and service.over.wait(pause)):
                reply.raw(again)
        except OSError:
            reply.close()

    return script


DRIPS = {
    "the status line": (b"HTTP/1.1 200 ", b"O"),
    "a header": (HEAD + b"x-a: ", b"a"),
    "headers": (HEAD, b"x-a: a\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103 Early Hints": (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
    "a body": (CHUNKED + b'5\r\n{"a":\r\n', b"1\r\n1\r\n"),
    "blank lines": (CHUNKED, b"2\r\n\r\n\r\n"),
    "a chunk's extension": (CHUNKED + b"5;", b"a"),
    "a body with a length": (HEAD + b'content-length: 9999999\r\n\r\n{"a":', b"1"),
    "trailers": (CHUNKED + b'5\r\n{"a":\r\n0\r\n', b"x-a: b\r\n"),
    "a refusal's body": (b"HTTP/1.1 502 Bad\r\ncontent-length: 9999999\r\n\r\n<", b"h"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRIPS)
@pytest.mark.parametrize("kind", ["wait", "stream", "task"])
def test_what_arrives_bit_by_bit_ends_at_the_deadline(
    client: Client, service: Service, name: str, kind: str
) -> None:
    service.imagine(repeat(service, *DRIPS[name]))
    service.scripts[Service.TASKS] = repeat(service, *DRIPS[name])
    began = time.monotonic()
    deadline = began + 0.4
    with pytest.raises((StillRunning, LostResponse, NetworkError)) as caught:
        if kind == "task":
            client.task("t", deadline=deadline)
        elif kind == "wait":
            client.wait(IMAGINE, {}, deadline=deadline)
        else:
            list(client.stream(IMAGINE, {}, deadline=deadline))
    assert time.monotonic() - began < SOON
    if kind != "task" and name != "a refusal's body":
        assert isinstance(caught.value, StillRunning)


@pytest.mark.slow
def test_a_query_without_a_deadline_ends_as_well(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.api.http.READ_SECONDS", 0.3)
    for name in DRIPS:
        service.scripts[Service.TASKS] = repeat(service, *DRIPS[name])
        began = time.monotonic()
        with pytest.raises((NetworkError, LostResponse)):
            client.task("t")
        assert time.monotonic() - began < SOON, name


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A port whose connections are handled by `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        serve(connection)
            except OSError:
                pass

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def drip(data: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.settimeout(0.02)
        try:
            while True:
                connection.sendall(data)
                try:
                    if connection.recv(65536) == b"":
                        return
                except TimeoutError:
                    pass
        except OSError:
            pass

    return serve


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"", b"\x16"], ids=["silence", "drops"])
def test_a_tls_handshake_ends_at_the_deadline(data: bytes) -> None:
    with (
        listening(drip(data)) as address,
        Client("t", base_url=f"https://{address}", use_environment=False) as client,
    ):
        began = time.monotonic()
        with pytest.raises(NetworkError):
            client.wait(IMAGINE, {}, deadline=began + 0.5)
        assert time.monotonic() - began < SOON


@pytest.mark.slow
@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"H"], ids=["silence", "100s", "drops"]
)
def test_a_proxy_that_does_not_answer_ends_at_the_deadline(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(drip(data)) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        with Client("t", base_url="https://api.example.invalid") as client:
            began = time.monotonic()
            with pytest.raises(NetworkError, match=r"Nothing was sent\."):
                client.wait(IMAGINE, {}, deadline=began + 0.5)
            assert time.monotonic() - began < SOON


@pytest.mark.slow
def test_a_request_that_is_not_read_ends_at_the_deadline() -> None:
    def serve(connection: socket.socket) -> None:
        threading.Event().wait(2)

    with (
        listening(serve) as address,
        Client("t", base_url=f"http://{address}", use_environment=False) as client,
    ):
        began = time.monotonic()
        with pytest.raises((StillRunning, LostResponse)):
            client.wait(IMAGINE, {"mask": "A" * 30_000_000}, deadline=began + 0.5)
        assert time.monotonic() - began < SOON


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a header", "103 Early Hints", "a body"])
def test_a_file_endpoint_that_answers_bit_by_bit_is_given_up(
    service: Service, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("mjcli.api.uploads.READ_SECONDS", 0.3)
    service.scripts["/upload"] = repeat(service, *DRIPS[name])
    with FileStore(f"{service.base_url}/upload", retries=0, use_environment=False) as store:
        began = time.monotonic()
        with pytest.raises(NetworkError):
            store.upload("a.png", b"x")
        assert time.monotonic() - began < SOON


# -- sizes ----------------------------------------------------------------------------------------------

MB = 1024 * 1024
ZEROS = gzip.compress(bytes(200 * MB), 9)


def packed(body: bytes, coding: str) -> Script:
    return lambda _, reply: reply.whole(body, headers={"content-encoding": coding})


def endless(piece: bytes) -> Callable[[Service], Script]:
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
    return lambda service: repeat(service, CHUNKED, chunk, pause=0)


TOO_LARGE: dict[str, Callable[[Service], Script]] = {
    "an endless line": endless(b"a" * 65536),
    "endless blank lines": endless(b"\r\n" * 32768),
    "an endless object": endless(b'{"a": "' + b"b" * 65536),
    "a declared terabyte": lambda service: repeat(
        service, HEAD + b"content-length: 1099511627776\r\n\r\n", b"a" * 65536, pause=0
    ),
    "a gzip bomb": lambda _: packed(ZEROS, "gzip"),
    "a deflate bomb": lambda _: packed(zlib.compress(bytes(200 * MB), 9), "deflate"),
    "a nested gzip bomb": lambda _: packed(gzip.compress(ZEROS), "gzip, gzip"),
    "a gzip bomb in two headers": lambda _: packed(gzip.compress(ZEROS), "gzip\r\ncontent-encoding: gzip"),
    "a coding that was not offered": lambda _: packed(b"abc", "br"),
    "an unknown coding": lambda _: packed(b"abc", "\u00e9"),
    "damaged gzip": lambda _: packed(b"\x1f\x8b\x08abcdefgh", "gzip"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("kind", ["wait", "stream", "task"])
def test_a_body_that_is_too_large_or_packed_too_often_is_lost(
    client: Client, service: Service, name: str, kind: str
) -> None:
    script = TOO_LARGE[name](service)
    service.imagine(script)
    service.scripts[Service.TASKS] = script
    began = time.monotonic()
    with pytest.raises((LostResponse, NetworkError)):
        if kind == "task":
            client.task("t")
        elif kind == "wait":
            client.wait(IMAGINE, {})
        else:
            list(client.stream(IMAGINE, {}))
    assert time.monotonic() - began < 20
    assert len(service.received) == 1


def test_a_bomb_does_not_fill_the_memory(client: Client, service: Service) -> None:
    service.imagine(packed(ZEROS, "gzip"))
    tracemalloc.start()
    try:
        with pytest.raises(LostResponse):
            list(client.stream(IMAGINE, {}))
        assert tracemalloc.get_traced_memory()[1] < 40 * MB
    finally:
        tracemalloc.stop()


def test_a_line_of_ten_megabytes_is_read(client: Client, service: Service) -> None:
    large = {"task_id": "t", "x": "a" * 10 * MB}
    service.stream([large, IMAGE])
    assert [each.document for each in client.stream(IMAGINE, {})] == [large, IMAGE]


@pytest.mark.parametrize(
    "coding", ["gzip", "x-gzip", "GZIP", "deflate", "bare deflate", "identity", "identity, gzip", ""]
)
@pytest.mark.parametrize("size", [0, 65536, 300_000])
def test_one_content_coding_is_unpacked(client: Client, service: Service, coding: str, size: int) -> None:
    document = {**IMAGE, "x": "ab" * size}
    data = json.dumps(document).encode()
    if "gzip" in coding.lower():
        data = gzip.compress(data)
    elif coding == "bare deflate":
        compress = zlib.compressobj(wbits=-15)
        data, coding = compress.compress(data) + compress.flush(), "deflate"
    elif coding == "deflate":
        data = zlib.compress(data)
    service.imagine(packed(data, coding))
    assert client.wait(IMAGINE, {}).document == document
    assert [each.document for each in client.stream(IMAGINE, {})] == [document]


def test_a_packed_stream_is_unpacked_event_by_event(client: Client, service: Service) -> None:
    seen = threading.Event()

    def script(_: Received, reply: Reply) -> None:
        compress = zlib.compressobj(wbits=31)
        reply.head(200, {"content-encoding": "gzip"})
        reply.send(compress.compress(b'{"progress": 1}\r\n') + compress.flush(zlib.Z_SYNC_FLUSH))
        assert seen.wait(20)
        reply.send(compress.compress(json.dumps(IMAGE).encode()) + compress.flush())
        reply.end()

    service.imagine(script)
    events = client.stream(IMAGINE, {})
    assert next(events).progress == 1
    seen.set()
    assert next(events).document == IMAGE


# -- noise ----------------------------------------------------------------------------------------------

BRICKS: list[bytes] = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early\r\n\r\n", b"HTTP/1.1 302 Found\r\n", b"HTTP/1.0 500 No\r\n",
    b"HTTP/1.1 429 Slow\r\n", b"location: http://a..b/\r\n", b"location: \xff\r\n", b"date: \xff\r\n",
    b"date: Wed, 01 Jan 10000 00:00:00 GMT\r\n", b"retry-after: 0\r\n", b"content-length: 10\r\n",
    b"content-encoding: gzip\r\n", b"content-encoding: gzip, gzip\r\n", b"transfer-encoding: chunked\r\n",
    b"content-type: text/html; charset=\xff\r\n", b"set-cookie: \xff=\x01;expires=x\r\n", b"\r\n", b"\n", b"0\r\n\r\n",
    b'{"task_id": "a\\ud800"}\r\n', b'{"error": {"code": "\\udfff", "message": 1e999}}', b'{"progress": NaN}\n',
    b"\x1f\x8b\x08\x00", b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"\xff\xfe", b"5\r\n{\"a\":\r\n",
    b"connection: close\r\n",
]  # fmt: skip


def noise(generator: random.Random) -> bytes:
    """Bytes that look like a response to some degree."""
    pieces = [
        generator.randbytes(generator.randrange(40)) if generator.random() < 0.2 else generator.choice(BRICKS)
        for _ in range(generator.randrange(1, 14))
    ]
    start = generator.choice([b"", b"", BRICKS[0], BRICKS[2], CHUNKED, HEAD + b"\r\n"])
    return start + b"".join(pieces)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_responses_are_only_ever_expected_errors(service: Service, seed: int) -> None:
    generator = random.Random(seed)
    data = b""

    def script(_: Received, reply: Reply) -> None:
        reply.raw(data)
        reply.close()

    service.imagine(script)
    service.scripts[Service.TASKS] = script
    clock = FakeClock()
    hooks = Hooks()
    with Client("t", base_url=service.base_url, use_environment=False, clock=clock, retries=1) as client:
        works: list[Callable[[], Any]] = [
            lambda: client.wait(IMAGINE, {}, hooks=hooks),
            lambda: list(client.stream(IMAGINE, {}, hooks=hooks)),
            lambda: client.task("t"),
            lambda: client.recent_tasks(),
        ]
        for _ in range(60):
            data = noise(generator)
            for work in works:
                try:
                    work()
                except MjError as error:
                    str(error.sentence).encode()


def test_a_malformed_cookie_does_not_spoil_later_requests(client: Client, service: Service) -> None:
    cookie = {"set-cookie": "\u00ff=\u00ff"}
    service.answer(IMAGE, 200, cookie)
    service.scripts[Service.TASKS] = lambda _, reply: reply.json(fixture("task.json"), 200, cookie)
    service.scripts["/upload"] = lambda _, reply: reply.json({"url": "https://h/a"}, 200, cookie)
    with FileStore(f"{service.base_url}/upload", use_environment=False) as store:
        for _ in range(2):
            client.wait(IMAGINE, {})
            client.task("t")
            store.upload("a.png", b"x")
    assert not [each for each in service.received if "cookie" in each.headers]

"""The HTTP receiver: accepted and refused requests, limits, and closing. Uses real sockets."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from mjcli.jobs.receiver import LARGEST, REQUEST_SECONDS, RETRY_SECONDS, Receiver
from tests.support.systems import posix

MB = 1024 * 1024


class Handler:
    """Records the bodies that it handles, and returns `status`."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200
        self.lock = threading.Lock()
        self.arrived: Callable[[], None] = lambda: None

    def __call__(self, body: bytes) -> int:
        with self.lock:
            self.bodies.append(body)
        self.arrived()
        return self.status


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def receiver(handler: Handler) -> Iterator[Receiver]:
    with Receiver(handler) as running:
        yield running


@pytest.fixture
def impatient(handler: Handler) -> Iterator[Receiver]:
    """A receiver that expects each request to arrive within a tenth of a second."""
    with Receiver(handler, request_seconds=0.1) as running:
        yield running


def send(
    receiver: Receiver, path: str | None = None, body: object = b"{}", method: str = "POST", **more: object
) -> http.client.HTTPResponse:
    """Send one request over a new connection; return the response, already read."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=20)) as connection:
        connection.request(method, receiver.path if path is None else path, body, **more)  # type: ignore[arg-type]
        response = connection.getresponse()
        response.read()
        return response


@contextlib.contextmanager
def connected(receiver: Receiver) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """Receive until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            data += piece
    return data


def head(receiver: Receiver, *lines: str) -> bytes:
    return "\r\n".join([f"POST {receiver.path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def test_a_post_is_handled_and_answered_with_the_status_of_the_handler(
    receiver: Receiver, handler: Handler
) -> None:
    response = send(receiver, body=b'{"task_id": "1"}')
    assert (response.status, response.headers["server"]) == (200, "mj")
    handler.status = 503
    response = send(receiver, body=b"again")
    assert (response.status, response.headers["retry-after"]) == (503, str(RETRY_SECONDS))
    assert handler.bodies == [b'{"task_id": "1"}', b"again"]


def test_the_path_is_unguessable_and_different_each_time(receiver: Receiver, handler: Handler) -> None:
    with Receiver(handler) as other:
        assert other.path != receiver.path
        assert send(other, receiver.path).status == send(receiver, other.path).status == 404
    assert len(receiver.path) >= 32
    assert receiver.url == f"http://127.0.0.1:{receiver.port}{receiver.path}"


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_any_other_path_is_not_found_with_any_method(
    receiver: Receiver, handler: Handler, method: str
) -> None:
    similar = (receiver.path[:-1], receiver.path + "x", receiver.path + "/", receiver.path + "%00")
    for path in ("/", *similar, "/" + receiver.path, "/%00", "/%C3%A9", "//"):
        with connected(receiver) as connection:
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode(
                    "latin-1"
                )
            )
            assert b" 404 " in everything(connection).split(b"\r\n")[0]
    assert not handler.bodies


def test_the_response_to_a_wrong_path_reveals_nothing(receiver: Receiver) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", receiver.port)) as connection:
        connection.request("POST", "/wrong", b"{}")
        assert json.loads(connection.getresponse().read()) == {"success": False}


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE", "OPTIONS"])
def test_only_post_is_allowed(receiver: Receiver, handler: Handler, method: str) -> None:
    response = send(receiver, method=method)
    assert (response.status, response.headers["allow"]) == (405, "POST")
    assert not handler.bodies


def test_a_response_to_head_has_no_body(receiver: Receiver) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Connection: close").replace(b"POST", b"HEAD"))
        assert everything(connection).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [200, 400, 410, 500, 503])
def test_the_response_contains_whether_it_was_a_success(
    receiver: Receiver, handler: Handler, status: int
) -> None:
    handler.status = status
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", receiver.port)) as connection:
        connection.request("POST", receiver.path, b"{}")
        response = connection.getresponse()
        assert response.status == status
        assert json.loads(response.read()) == {"success": status == 200}


def test_a_query_string_is_ignored(receiver: Receiver, handler: Handler) -> None:
    assert send(receiver, f"{receiver.path}?a=1").status == 200
    assert len(handler.bodies) == 1


def test_a_proxy_may_prefix_the_path(handler: Handler) -> None:
    with Receiver(handler, prefix="/hook") as receiver:
        assert send(receiver, f"/hook{receiver.path}").status == 200
        assert send(receiver).status == 200
        assert send(receiver, f"/other{receiver.path}").status == 404


def test_a_prefix_may_be_percent_encoded(handler: Handler) -> None:
    with Receiver(handler, prefix="/my%20hook") as receiver:
        assert send(receiver, f"/my%20hook{receiver.path}").status == 200
        assert send(receiver, f"/my%2520hook{receiver.path}").status == 404


def test_a_body_of_the_maximum_size_is_accepted(receiver: Receiver, handler: Handler) -> None:
    assert send(receiver, body=b"x" * LARGEST).status == 200
    assert [len(body) for body in handler.bodies] == [LARGEST]


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_chunk_sizes_do_not_count_towards_the_size_of_a_body(
    receiver: Receiver, handler: Handler, more: int, status: int
) -> None:
    chunks = b"20\r\n" + b"x" * 32 + b"\r\n"
    data = chunks * (LARGEST // 32) + b"1\r\nx\r\n" * more + b"0\r\n\r\n"
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Transfer-Encoding: chunked", "Connection: close") + data)
        assert f" {status} ".encode() in everything(connection).split(b"\r\n")[0]
    assert [len(body) for body in handler.bodies] == [LARGEST] * (1 - more)


def test_bodies_are_not_written_to_files(
    receiver: Receiver, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_: pytest.fail("a file was opened"))
    assert send(receiver, body=b"x" * LARGEST).status == 200


@pytest.mark.parametrize("length", [LARGEST + 1, 2 * MB, 12 * MB])
def test_an_oversized_body_is_refused_with_a_response_that_its_sender_can_read(
    receiver: Receiver, handler: Handler, length: int
) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, f"Content-Length: {length}", "Connection: close") + b"x" * length)
        assert b" 413 " in everything(connection).split(b"\r\n")[0]
    assert not handler.bodies


def test_an_oversized_body_in_chunks_is_refused(receiver: Receiver, handler: Handler) -> None:
    response = send(
        receiver,
        body=(b"x" * 65536 for _ in range(64)),
        headers={"transfer-encoding": "chunked"},
        encode_chunked=True,
    )
    assert response.status == 413
    assert not handler.bodies


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n", b"00;last\r\n\r\n", b"no size\r\n"])
def test_an_oversized_body_in_chunks_may_end_in_any_way(receiver: Receiver, end: bytes) -> None:
    """The response comes before the time limit of the request."""
    chunk = b"10000\r\n" + b"0\r\n\r\n".ljust(65536, b"x") + b"\r\n"
    began = time.monotonic()
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Transfer-Encoding: chunked") + chunk * 32 + end)
        assert b" 413 " in everything(connection).split(b"\r\n")[0]
    assert time.monotonic() - began < REQUEST_SECONDS / 2


@pytest.mark.parametrize("data", [b"x" * 4 * MB, b"0\r\n" + b"x" * 4 * MB], ids=["size", "trailer"])
def test_a_chunk_size_or_trailer_without_an_end_is_not_waited_for(
    receiver: Receiver, handler: Handler, data: bytes
) -> None:
    with connected(receiver) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head(receiver, "Transfer-Encoding: chunked") + data)
        assert everything(connection).split(b"\r\n")[0][9:12] in (b"413", b"")
    assert send(receiver).status == 200
    assert len(handler.bodies) == 1


def test_a_huge_content_length_is_refused_before_the_body_arrives(receiver: Receiver) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Content-Length: 9999999999"))
        assert b" 413 " in everything(connection).split(b"\r\n")[0]


def test_expect_continue_with_an_oversized_body_is_refused(receiver: Receiver) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Expect: 100-continue", f"Content-Length: {2 * MB}"))
        assert everything(connection).startswith(b"HTTP/1.1 413 ")


def test_expect_continue_is_answered_with_100(receiver: Receiver, handler: Handler) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Expect: 100-continue", "Content-Length: 2", "Connection: close"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert b" 200 " in everything(connection)
    assert handler.bodies == [b"{}"]


@pytest.mark.parametrize("header", ["", "Content-Length: x"], ids=["no body", "invalid length"])
def test_expect_continue_without_a_body_gets_a_final_response(receiver: Receiver, header: str) -> None:
    with connected(receiver) as connection:
        lines = filter(None, ["Expect: 100-continue", "Connection: close", header])
        connection.sendall(head(receiver, *lines))
        assert everything(connection).startswith(b"HTTP/1.1 400 " if header else b"HTTP/1.1 411 ")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_dropped_body_uses_no_memory(receiver: Receiver, chunked: bool) -> None:
    piece = b"100000\r\n" + b"x" * MB + b"\r\n" if chunked else b"x" * MB
    end = b"0\r\n\r\n" if chunked else b""
    announced = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {31 * MB}"
    tracemalloc.start()
    try:
        with connected(receiver) as connection:
            connection.sendall(head(receiver, announced))
            for _ in range(31):
                connection.sendall(piece)
            connection.sendall(end)
            assert b" 413 " in everything(connection)
        assert tracemalloc.get_traced_memory()[1] < 6 * MB
    finally:
        tracemalloc.stop()


def test_chunks_are_joined_to_one_body(receiver: Receiver, handler: Handler) -> None:
    response = send(
        receiver, body=iter([b'{"a"', b": 1}"]), headers={"transfer-encoding": "chunked"}, encode_chunked=True
    )
    assert response.status == 200
    assert handler.bodies == [b'{"a": 1}']


@pytest.mark.parametrize(
    "partial",
    [
        lambda receiver: f"POST {receiver.path} HTT".encode(),
        lambda receiver: head(receiver, "Content-Length: 10")[:-2],
        lambda receiver: head(receiver, "Content-Length: 10") + b"{",
        lambda receiver: head(receiver, "Transfer-Encoding: chunked") + b"5\r\nab",
    ],
    ids=["request line", "headers", "body", "chunk"],
)
def test_a_request_that_does_not_arrive_in_time_is_aborted(
    impatient: Receiver, handler: Handler, partial: Callable[[Receiver], bytes]
) -> None:
    with connected(impatient) as connection:
        connection.sendall(partial(impatient))
        response = everything(connection)
    assert b" 408 " in response.split(b"\r\n")[0]
    assert b"Connection: close" in response
    assert not handler.bodies


def test_slowly_arriving_bytes_do_not_extend_the_time_limit(impatient: Receiver, handler: Handler) -> None:
    done = threading.Event()
    with connected(impatient) as connection:

        def trickle() -> None:
            with contextlib.suppress(OSError):
                for byte in head(impatient, "Content-Length: 100000") + b"x" * 100000:
                    connection.sendall(bytes([byte]))
                    if done.wait(0.02):
                        return

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            assert b" 408 " in everything(connection).split(b"\r\n")[0]
        finally:
            done.set()
            sender.join()
    assert not handler.bodies


def test_a_request_that_is_too_large_and_too_slow_gets_413(impatient: Receiver) -> None:
    with connected(impatient) as connection:
        connection.sendall(head(impatient, f"Content-Length: {2 * MB}") + b"x")
        assert b" 413 " in everything(connection).split(b"\r\n")[0]


def test_a_connection_without_a_request_is_closed_silently(
    impatient: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.jobs.receiver.IDLE_SECONDS", 0.2)
    with connected(impatient) as connection:
        assert everything(connection) == b""


@pytest.mark.slow
def test_the_time_limit_of_a_request_starts_after_the_previous_one_was_handled(handler: Handler) -> None:
    def handle(body: bytes) -> int:
        if body == b"slow":
            time.sleep(1.2)  # longer than the time limit
        return handler(body)

    with Receiver(handle, request_seconds=0.8) as receiver, connected(receiver) as connection:
        first = head(receiver, "Content-Length: 4") + b"slow"
        second = head(receiver, "Content-Length: 6", "Connection: close") + b"second"
        connection.sendall(first + second[:-1])
        response = connection.recv(65536)
        connection.sendall(second[-1:])
        assert (response + everything(connection)).count(b" 200 OK") == 2
    assert handler.bodies == [b"slow", b"second"]


@pytest.mark.slow
def test_each_request_of_a_connection_has_its_own_time_limit(impatient: Receiver, handler: Handler) -> None:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", impatient.port, timeout=20)
    ) as connection:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            connection.request("POST", impatient.path, b"{}")
            response = connection.getresponse()
            response.read()
            assert response.status == 200


def test_an_incomplete_post_is_not_handled(receiver: Receiver, handler: Handler) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Content-Length: 10") + b"{}")
    assert send(receiver, body=b"whole").status == 200
    assert handler.bodies == [b"whole"]


def test_a_post_is_handled_even_if_its_sender_disconnects(receiver: Receiver, handler: Handler) -> None:
    arrived = threading.Event()
    handler.arrived = arrived.set
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Content-Length: 2") + b"{}")
    assert arrived.wait(20)


def test_several_posts_may_arrive_over_one_connection(receiver: Receiver, handler: Handler) -> None:
    post = head(receiver, "Content-Length: 2")
    with connected(receiver) as connection:
        connection.sendall(
            (post + b"{}") * 2 + head(receiver, "Content-Length: 2", "Connection: close") + b"[]"
        )
        assert everything(connection).count(b" 200 OK") == 3
    assert handler.bodies == [b"{}", b"{}", b"[]"]


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 100 + b"\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: " + b"1" * 5000 + b"\r\n\r\n",
        b"POST http://[ HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ],
    ids=["zeros", "words", "length", "long length", "address", "chunk"],
)
def test_malformed_http_is_refused_and_the_next_request_served(
    receiver: Receiver, handler: Handler, data: bytes
) -> None:
    with connected(receiver) as connection:
        connection.sendall(data)
        assert b" 400 " in everything(connection).split(b"\r\n")[0]
    assert send(receiver).status == 200


def test_an_exception_in_the_handler_is_a_500_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def handle(body: bytes) -> int:
        if body == b"bad":
            raise RuntimeError("a secret")
        return 200

    with Receiver(handle) as receiver:
        assert send(receiver, body=b"bad").status == 500
        assert send(receiver, body=b"good").status == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_thousand_idle_connections_do_not_block_requests(receiver: Receiver, handler: Handler) -> None:
    resource = pytest.importorskip("resource")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2200:  # both ends are in this process
        pytest.skip("this process may not open so many files")
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connected(receiver))
        assert [send(receiver).status for _ in range(5)] == [200] * 5
    assert send(receiver).status == 200


def test_idle_connections_are_closed_to_make_room(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mjcli.jobs.receiver.CONNECTIONS", 10)
    with Receiver(handler) as receiver, contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connected(receiver))
        assert [send(receiver).status for _ in range(20)] == [200] * 20


@pytest.mark.slow
def test_two_thousand_posts_from_fifty_senders_are_handled_once_each(
    receiver: Receiver, handler: Handler
) -> None:
    def sender(which: int) -> None:
        with connected(receiver) as connection:
            for number in range(40):
                body = f"{which} {number}".encode()
                connection.sendall(head(receiver, f"Content-Length: {len(body)}") + body)
                response = b""
                while not response.endswith(b"}"):
                    response += connection.recv(65536)
                assert response.startswith(b"HTTP/1.1 200 ")

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(sender, range(50)))
    assert sorted(handler.bodies) == sorted(f"{a} {b}".encode() for a in range(50) for b in range(40))


@pytest.mark.parametrize("coding", ["gzip", " GZip", "br", "x-unknown", "identity, gzip"])
def test_a_body_with_a_content_coding_is_unsupported(
    receiver: Receiver, handler: Handler, coding: str
) -> None:
    response = send(receiver, body=gzip.compress(b"{}"), headers={"Content-Encoding": coding})
    assert (response.status, response.headers["accept-encoding"]) == (415, "identity")
    assert send(receiver, headers={"Content-Encoding": "Identity"}).status == 200
    assert handler.bodies == [b"{}"]


def test_a_post_without_a_length_is_refused(receiver: Receiver, handler: Handler) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Connection: close"))
        assert b" 411 " in everything(connection).split(b"\r\n")[0]
    assert not handler.bodies


def test_a_sender_cannot_choose_the_status(receiver: Receiver, handler: Handler) -> None:
    assert send(receiver, "/", headers={"Mj-Refusal": "200"}).status == 404
    assert send(receiver, headers={"Mj-Refusal": "204"}).status == 200


def test_bodies_that_arrive_at_the_same_time_have_a_common_limit(
    receiver: Receiver, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.jobs.receiver.BODIES", 3 * MB)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(receiver)) for _ in range(2)]
        for connection in slow:
            connection.sendall(head(receiver, f"Content-Length: {MB}") + b"x" * 1000)
            # Only a request whose headers were read counts.
            assert send(receiver, body=b"small").status == 200
        connection = stack.enter_context(connected(receiver))
        connection.sendall(head(receiver, "Expect: 100-continue", f"Content-Length: {MB}"))
        assert b" 100 " in connection.recv(100)
        refused = send(receiver, body=b"x" * MB)
        assert (refused.status, refused.headers["retry-after"]) == (503, str(RETRY_SECONDS))
        assert send(receiver, "/elsewhere", body=b"x" * MB).status == 404
        assert send(receiver, body=b"small").status == 200
    assert set(handler.bodies) == {b"small"}


def test_a_port_that_is_in_use_is_an_error(receiver: Receiver, handler: Handler) -> None:
    with pytest.raises(OSError):
        Receiver(handler, port=receiver.port)


def test_a_host_without_an_address_is_an_error(handler: Handler) -> None:
    with pytest.raises(OSError):
        Receiver(handler, host="nowhere.invalid")


def test_the_ipv6_loopback_interface_works(handler: Handler) -> None:
    try:
        receiver = Receiver(handler, host="::1")
    except OSError:
        pytest.skip("no IPv6")
    with receiver:
        assert receiver.url.startswith(f"http://[::1]:{receiver.port}/")
        with contextlib.closing(http.client.HTTPConnection("::1", receiver.port)) as connection:
            connection.request("POST", receiver.path, b"{}")
            assert connection.getresponse().status == 200


def test_the_url_of_a_wildcard_address_is_a_loopback_url(handler: Handler) -> None:
    with Receiver(handler, host="0.0.0.0") as receiver:
        assert receiver.address == f"http://127.0.0.1:{receiver.port}"


def test_a_response_that_is_under_way_still_arrives_when_the_receiver_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrived, closing, sleep = threading.Event(), threading.Event(), time.sleep

    def handle(_body: bytes) -> int:
        arrived.set()
        closing.wait(30)
        return 200

    def pause(seconds: float) -> None:
        closing.set()  # the receiver waits now
        sleep(seconds)

    monkeypatch.setattr("mjcli.jobs.receiver.time", SimpleNamespace(monotonic=time.monotonic, sleep=pause))
    receiver = Receiver(handle)
    receiver.start()
    with ThreadPoolExecutor(1) as pool:
        response = pool.submit(send, receiver)
        assert arrived.wait(30)
        receiver.close()
        assert response.result(30).status == 200


def test_closing_closes_connections_and_frees_the_port(handler: Handler) -> None:
    receiver = Receiver(handler)
    receiver.start()
    with connected(receiver) as connection:
        connection.sendall(b"POST ")
        receiver.close()
        assert everything(connection) == b""
    receiver.close()
    with Receiver(handler, port=receiver.port):
        pass


@pytest.mark.slow
def test_closing_does_not_wait_for_a_handler_that_hangs() -> None:
    started, over = threading.Event(), threading.Event()

    def handle(_body: bytes) -> int:
        started.set()
        over.wait()
        return 200

    receiver = Receiver(handle)
    receiver.start()
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Content-Length: 2") + b"{}")
        assert started.wait(20)
        closing = threading.Thread(target=receiver.close)
        closing.start()
        closing.join(5)
        over.set()
        assert not closing.is_alive()


def test_closing_while_a_worker_wakes_the_loop_raises_nothing(handler: Handler) -> None:
    receiver = Receiver(handler)
    receiver.start()
    trigger = receiver._server.trigger
    pull = trigger._physical_pull

    def late() -> None:
        pull()  # the worker's, after which the loop may close everything
        receiver._thread.join(0.2)
        pull()

    trigger._physical_pull = late
    receiver.close()


@posix
def test_a_receiver_that_never_served_can_be_closed(handler: Handler) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    Receiver(handler).close()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

"""The HTTP receiver: what it takes, what it refuses, and what it survives. Real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mjcli.receiver import LARGEST, RETRY_SECONDS, Receiver

MB = 1024 * 1024


class Taken:
    """What was handled, and how it is answered."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200
        self.lock = threading.Lock()

    def __call__(self, body: bytes) -> int:
        with self.lock:
            self.bodies.append(body)
        return self.status


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def receiver(taken: Taken) -> Iterator[Receiver]:
    with Receiver(taken) as running:
        yield running


@pytest.fixture
def impatient(taken: Taken) -> Iterator[Receiver]:
    """One that wants each request whole in a tenth of a second."""
    with Receiver(taken, request_seconds=0.1) as running:
        yield running


def send(
    receiver: Receiver, path: str | None = None, body: object = b"{}", method: str = "POST", **more: object
) -> http.client.HTTPResponse:
    """One request over a connection of its own; the answer is read."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=20)) as connection:
        connection.request(method, receiver.path if path is None else path, body, **more)  # type: ignore[arg-type]
        answer = connection.getresponse()
        answer.read()
        return answer


@contextlib.contextmanager
def connected(receiver: Receiver) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            data += piece
    return data


def head(receiver: Receiver, *lines: str) -> bytes:
    return "\r\n".join([f"POST {receiver.path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def test_a_post_is_handled_and_its_status_is_the_answer(receiver: Receiver, taken: Taken) -> None:
    answer = send(receiver, body=b'{"task_id": "1"}')
    assert (answer.status, answer.headers["server"]) == (200, "mj")
    taken.status = 503
    answer = send(receiver, body=b"again")
    assert (answer.status, answer.headers["retry-after"]) == (503, str(RETRY_SECONDS))
    assert taken.bodies == [b'{"task_id": "1"}', b"again"]


def test_the_address_cannot_be_guessed_and_is_another_each_time(receiver: Receiver, taken: Taken) -> None:
    with Receiver(taken) as other:
        assert other.path != receiver.path
    assert len(receiver.path) >= 32
    assert receiver.url == f"http://127.0.0.1:{receiver.port}{receiver.path}"


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_any_other_path_is_not_found_whatever_the_method(
    receiver: Receiver, taken: Taken, method: str
) -> None:
    for path in ("/", receiver.path[:-1], receiver.path + "x", receiver.path + "/", "/%00", "/%C3%A9", "//"):
        with connected(receiver) as connection:
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode(
                    "latin-1"
                )
            )
            assert b" 404 " in everything(connection).split(b"\r\n")[0]
    assert not taken.bodies


def test_an_answer_to_a_wrong_path_tells_nothing(receiver: Receiver) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", receiver.port)) as connection:
        connection.request("POST", "/wrong", b"{}")
        assert json.loads(connection.getresponse().read()) == {"success": False}


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE", "OPTIONS"])
def test_only_post_is_allowed(receiver: Receiver, taken: Taken, method: str) -> None:
    answer = send(receiver, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert not taken.bodies


def test_a_query_makes_no_difference(receiver: Receiver, taken: Taken) -> None:
    assert send(receiver, f"{receiver.path}?a=1").status == 200
    assert len(taken.bodies) == 1


def test_a_proxy_may_put_its_prefix_before_the_path(taken: Taken) -> None:
    with Receiver(taken, prefix="/hook") as receiver:
        assert send(receiver, f"/hook{receiver.path}").status == 200
        assert send(receiver).status == 200
        assert send(receiver, f"/other{receiver.path}").status == 404


def test_a_body_of_the_greatest_length_is_taken(receiver: Receiver, taken: Taken) -> None:
    assert send(receiver, body=b"x" * LARGEST).status == 200
    assert [len(body) for body in taken.bodies] == [LARGEST]


@pytest.mark.parametrize("length", [LARGEST + 1, 2 * MB, 12 * MB])
def test_a_larger_one_is_refused_and_its_sender_can_read_that(
    receiver: Receiver, taken: Taken, length: int
) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, f"Content-Length: {length}", "Connection: close") + b"x" * length)
        assert b" 413 " in everything(connection).split(b"\r\n")[0]
    assert not taken.bodies


def test_a_larger_one_in_chunks_is_refused_as_well(receiver: Receiver, taken: Taken) -> None:
    answer = send(
        receiver,
        body=(b"x" * 65536 for _ in range(64)),
        headers={"transfer-encoding": "chunked"},
        encode_chunked=True,
    )
    assert answer.status == 413
    assert not taken.bodies


def test_one_that_is_announced_as_huge_is_refused_before_it_comes(receiver: Receiver) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Content-Length: 9999999999"))
        assert b" 413 " in everything(connection).split(b"\r\n")[0]


def test_a_sender_who_asks_first_is_told_to_keep_what_is_too_large(receiver: Receiver) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Expect: 100-continue", f"Content-Length: {2 * MB}"))
        assert everything(connection).startswith(b"HTTP/1.1 413 ")


def test_a_sender_who_asks_first_is_told_to_go_on(receiver: Receiver, taken: Taken) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Expect: 100-continue", "Content-Length: 2", "Connection: close"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert b" 200 " in everything(connection)
    assert taken.bodies == [b"{}"]


def test_what_is_swallowed_is_not_kept(taken: Taken) -> None:
    resource = pytest.importorskip("resource")
    with Receiver(taken) as receiver:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        piece = b"x" * MB
        with connected(receiver) as connection:
            connection.sendall(head(receiver, f"Content-Length: {31 * MB}"))
            for _ in range(31):
                connection.sendall(piece)
            assert b" 413 " in everything(connection)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def test_chunks_make_one_body(receiver: Receiver, taken: Taken) -> None:
    answer = send(
        receiver, body=iter([b'{"a"', b": 1}"]), headers={"transfer-encoding": "chunked"}, encode_chunked=True
    )
    assert answer.status == 200
    assert taken.bodies == [b'{"a": 1}']


@pytest.mark.parametrize(
    "begun",
    [
        lambda receiver: f"POST {receiver.path} HTT".encode(),
        lambda receiver: head(receiver, "Content-Length: 10")[:-2],
        lambda receiver: head(receiver, "Content-Length: 10") + b"{",
        lambda receiver: head(receiver, "Transfer-Encoding: chunked") + b"5\r\nab",
    ],
    ids=["request line", "headers", "body", "chunk"],
)
def test_a_request_that_does_not_arrive_in_time_is_cut(
    impatient: Receiver, taken: Taken, begun: Callable[[Receiver], bytes]
) -> None:
    with connected(impatient) as connection:
        connection.sendall(begun(impatient))
        answer = everything(connection)
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"Connection: close" in answer
    assert not taken.bodies


def test_bytes_that_trickle_in_buy_no_time(impatient: Receiver, taken: Taken) -> None:
    cut = threading.Event()
    with connected(impatient) as connection:

        def trickle() -> None:
            with contextlib.suppress(OSError):
                for byte in head(impatient, "Content-Length: 100000") + b"x" * 100000:
                    connection.sendall(bytes([byte]))
                    if cut.wait(0.02):
                        return

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            assert b" 408 " in everything(connection).split(b"\r\n")[0]
        finally:
            cut.set()
            sender.join()
    assert not taken.bodies


def test_each_request_of_a_connection_has_its_own_time(impatient: Receiver, taken: Taken) -> None:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", impatient.port, timeout=20)
    ) as connection:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            connection.request("POST", impatient.path, b"{}")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200


def test_a_post_that_is_cut_is_none(receiver: Receiver, taken: Taken) -> None:
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Content-Length: 10") + b"{}")
    assert send(receiver, body=b"whole").status == 200
    assert taken.bodies == [b"whole"]


def test_several_posts_may_come_over_one_connection(receiver: Receiver, taken: Taken) -> None:
    post = head(receiver, "Content-Length: 2")
    with connected(receiver) as connection:
        connection.sendall(
            (post + b"{}") * 2 + head(receiver, "Content-Length: 2", "Connection: close") + b"[]"
        )
        assert everything(connection).count(b" 200 OK") == 3
    assert taken.bodies == [b"{}", b"{}", b"[]"]


@pytest.mark.parametrize(
    "data", [b"\0" * 100 + b"\r\n\r\n", b"HELLO\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
def test_what_is_no_http_is_refused_and_the_next_one_served(
    receiver: Receiver, taken: Taken, data: bytes
) -> None:
    with connected(receiver) as connection:
        connection.sendall(data)
        assert b" 400 " in everything(connection).split(b"\r\n")[0]
    assert send(receiver).status == 200


def test_a_fault_in_handling_one_is_an_error_and_nothing_is_printed(
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


def test_a_thousand_idle_connections_are_survived(receiver: Receiver, taken: Taken) -> None:
    resource = pytest.importorskip("resource")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2200:  # both ends are in this process
        pytest.skip("this process may not have so many files open")
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connected(receiver))
        assert [send(receiver).status for _ in range(5)] == [200] * 5
    assert send(receiver).status == 200


def test_idle_connections_make_room_for_posts(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mjcli.receiver.CONNECTIONS", 10)
    with Receiver(taken) as receiver, contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connected(receiver))
        assert [send(receiver).status for _ in range(20)] == [200] * 20


def test_two_thousand_posts_from_fifty_senders_are_each_handled_once(
    receiver: Receiver, taken: Taken
) -> None:
    def sender(which: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        with contextlib.closing(connection):
            for number in range(40):
                connection.request("POST", receiver.path, f"{which} {number}".encode())
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(sender, range(50)))
    assert sorted(taken.bodies) == sorted(f"{a} {b}".encode() for a in range(50) for b in range(40))


def test_a_port_that_is_taken_is_an_error(receiver: Receiver, taken: Taken) -> None:
    with pytest.raises(OSError):
        Receiver(taken, port=receiver.port)


def test_a_host_without_an_address_is_an_error(taken: Taken) -> None:
    with pytest.raises(OSError):
        Receiver(taken, host="nowhere.invalid")


def test_the_loopback_interface_of_ipv6_will_do(taken: Taken) -> None:
    try:
        receiver = Receiver(taken, host="::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    with receiver:
        assert receiver.url.startswith(f"http://[::1]:{receiver.port}/")
        with contextlib.closing(http.client.HTTPConnection("::1", receiver.port)) as connection:
            connection.request("POST", receiver.path, b"{}")
            assert connection.getresponse().status == 200


def test_every_address_of_the_machine_is_shown_as_the_nearest(taken: Taken) -> None:
    with Receiver(taken, host="0.0.0.0") as receiver:
        assert receiver.address == f"http://127.0.0.1:{receiver.port}"


def test_closing_ends_open_connections_and_frees_the_port(taken: Taken) -> None:
    receiver = Receiver(taken)
    receiver.start()
    with connected(receiver) as connection:
        connection.sendall(b"POST ")
        receiver.close()
        assert everything(connection) == b""
    receiver.close()
    with Receiver(taken, port=receiver.port):
        pass


def test_closing_does_not_wait_for_a_handler_that_hangs() -> None:
    begun, over = threading.Event(), threading.Event()

    def handle(_body: bytes) -> int:
        begun.set()
        over.wait()
        return 200

    receiver = Receiver(handle)
    receiver.start()
    with connected(receiver) as connection:
        connection.sendall(head(receiver, "Content-Length: 2") + b"{}")
        assert begun.wait(20)
        closing = threading.Thread(target=receiver.close)
        closing.start()
        closing.join(20)
        over.set()
        assert not closing.is_alive()


def test_closing_is_no_fault_where_a_worker_wakes_the_loop_at_the_same_time(taken: Taken) -> None:
    receiver = Receiver(taken)
    receiver.start()
    trigger = receiver._server.trigger
    pull = trigger._physical_pull

    def late() -> None:
        pull()  # the worker's, upon which the loop may close everything
        receiver._thread.join(0.2)
        pull()

    trigger._physical_pull = late
    receiver.close()


def test_one_that_never_served_is_closed_as_well(taken: Taken) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    Receiver(taken).close()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

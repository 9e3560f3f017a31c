"""The guarded GET: deadlines, stopping, and how much of a body is read."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mjcli.media.web import GuardedGet, SetupError, TransportError, read_head
from tests.support.service import Received, Reply, Service


@pytest.fixture
def web() -> Iterator[GuardedGet]:
    web = GuardedGet(allow_private=True, use_environment=False)
    yield web
    web.close()


def trickle(service: Service) -> str:
    """A link whose body never ends, a byte now and then."""

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200)
        try:
            while not service.over.wait(0.02):
                reply.send(b"x")
        except OSError:
            pass

    service.files["/files/x"] = script
    return f"{service.base_url}/files/x"


@pytest.mark.slow
def test_the_deadline_ends_a_body_that_trickles(service: Service, web: GuardedGet) -> None:
    url, deadline = trickle(service), time.monotonic() + 0.3
    with pytest.raises(TransportError) as caught, web.open(url, deadline=deadline) as response:
        for _ in response.iter_bytes():
            pass
    assert caught.value.reason == "timed out"
    assert deadline <= time.monotonic() < deadline + 5


def test_a_deadline_in_the_past_sends_nothing(service: Service, web: GuardedGet) -> None:
    with pytest.raises(TransportError), web.open(trickle(service), deadline=time.monotonic() - 1):
        pass
    assert not service.received


def test_a_deadline_that_is_not_reached_changes_nothing(service: Service, web: GuardedGet) -> None:
    service.files["/files/x"] = b"data"
    with web.open(f"{service.base_url}/files/x", deadline=time.monotonic() + 30) as response:
        assert response.read() == b"data"


def test_stop_ends_the_requests_in_progress_and_refuses_others(service: Service, web: GuardedGet) -> None:
    url = trickle(service)
    with pytest.raises(TransportError), web.open(url) as response:
        for _ in response.iter_bytes():
            web.stop()
    with pytest.raises(TransportError), web.open(url):
        pass
    assert len(service.received) == 1


@pytest.mark.parametrize(
    "start", [b"5;x=", b"4\r\ndata\r\n0\r\n", b"0"], ids=["extension", "trailer", "length"]
)
def test_chunked_framing_that_trickles_for_ever_is_silence(
    service: Service, web: GuardedGet, start: bytes
) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + start)
        try:
            while not service.over.wait(0.02):
                reply.raw(b"0")
        except OSError:
            pass

    service.files["/files/x"] = script
    started = time.monotonic()
    with (
        pytest.raises(TransportError) as caught,
        web.open(f"{service.base_url}/files/x", stall=0.15) as response,
    ):
        response.read()
    assert caught.value.reason == "timed out"
    assert 0.15 <= time.monotonic() - started < 5


def test_a_reader_that_takes_its_time_is_not_silence(service: Service, web: GuardedGet) -> None:
    service.files["/files/x"] = data = bytes(2_000_000)
    size = 0
    with web.open(f"{service.base_url}/files/x", stall=0.3) as response:
        for piece in response.iter_raw():
            if not size:
                threading.Event().wait(0.5)
            size += len(piece)
    assert size == len(data)


def test_no_more_than_the_head_of_a_body_is_read(service: Service, web: GuardedGet) -> None:
    with web.open(trickle(service)) as response:
        assert read_head(response, 3) == b"xxx"


def test_an_unusable_proxy_is_a_setup_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://x")
    web = GuardedGet(allow_private=False, use_environment=True)
    with pytest.raises(SetupError, match="ALL_PROXY"), web.open("http://93.184.216.34/x"):
        pass


@pytest.mark.parametrize("exceptions", ["fd07::/64", "bücher.example", "http://[", "10.0.0.0/8"])
def test_downloads_use_the_proxy_whatever_else_no_proxy_lists(
    monkeypatch: pytest.MonkeyPatch, exceptions: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", exceptions)
    web = GuardedGet(allow_private=False, use_environment=True)
    with pytest.raises(TransportError, match="refused"), web.open("http://93.184.216.34/x"):
        pass
    web.close()

"""The transport for direct connections: bodies in large pieces, and when a connection is used again."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from mjcli.media.direct import PIECE, DirectTransport
from tests.support.service import Received, Reply, Script, Service, serve

LARGE = bytes(range(256)) * (3 * PIECE // 256) + b"the end"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(transport=DirectTransport(None, idle=2, seconds=60), timeout=10) as client:
        yield client


@pytest.fixture
def other() -> Iterator[Service]:
    yield from serve()


def link(service: Service, answer: bytes | Script, name: str = "x") -> str:
    service.files[f"/files/{name}"] = answer
    return f"{service.base_url}/files/{name}"


def connections(service: Service) -> int:
    return len({each.port for each in service.received})


def raw(data: bytes, *, close: bool = False) -> Script:
    def script(_request: Received, reply: Reply) -> None:
        reply.raw(data)
        if close:
            reply.close()

    return script


def test_a_body_of_known_length_comes_in_large_pieces(service: Service, client: httpx.Client) -> None:
    with client.stream("GET", link(service, LARGE)) as response:
        pieces = list(response.iter_raw())
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) <= PIECE


@pytest.mark.parametrize("close", [False, True])
def test_a_body_without_a_length_is_read_to_its_end(
    service: Service, client: httpx.Client, close: bool
) -> None:
    def chunked(_request: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(LARGE)
        reply.end()

    ending = raw(b"HTTP/1.1 200 OK\r\n\r\n" + LARGE, close=True)
    url = link(service, ending if close else chunked)
    assert [client.get(url).content for _ in range(2)] == [LARGE, LARGE]
    assert connections(service) == (2 if close else 1)


def test_the_same_connection_serves_many_requests(service: Service, client: httpx.Client) -> None:
    assert [client.get(link(service, LARGE)).content for _ in range(5)] == [LARGE] * 5
    assert connections(service) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",  # with more bytes than that
    ],
)
def test_a_connection_that_cannot_go_on_is_not_reused(
    service: Service, client: httpx.Client, head: bytes
) -> None:
    url = link(service, raw(head + b"data"))
    for _ in range(2):
        assert client.get(url).content in (b"data", b"dat")
    assert connections(service) == 2


def test_a_response_that_was_not_read_closes_its_connection(service: Service, client: httpx.Client) -> None:
    url = link(service, LARGE)
    with client.stream("GET", url):
        pass
    assert client.get(url).content == LARGE
    assert connections(service) == 2


def test_an_old_connection_is_not_reused(service: Service) -> None:
    with httpx.Client(transport=DirectTransport(None, idle=2, seconds=-1)) as client:
        for _ in range(2):
            client.get(link(service, b"data"))
    assert connections(service) == 2


def test_few_idle_connections_are_kept(service: Service, other: Service) -> None:
    here, there = link(service, b"here"), link(other, b"there")
    with httpx.Client(transport=DirectTransport(None, idle=1, seconds=60)) as client:
        for url in (here, there, there, here):
            client.get(url)
    assert (connections(service), connections(other)) == (2, 1)


@pytest.mark.parametrize("first", [b"", b"da"])
def test_a_body_that_is_cut_is_an_error(service: Service, client: httpx.Client, first: bytes) -> None:
    url = link(service, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n" + first, close=True))
    with pytest.raises(httpx.RemoteProtocolError, match=f"received {len(first)} bytes, expected 4"):
        client.get(url)


def test_informational_responses_are_skipped(service: Service, client: httpx.Client) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    url = link(service, raw(early + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndata"))
    assert client.get(url).content == b"data"


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_that_has_no_body_is_complete(service: Service, client: httpx.Client, status: int) -> None:
    url = link(service, raw(b"HTTP/1.1 %d X\r\ncontent-length: 4\r\n\r\n" % status))
    assert [client.get(url).content for _ in range(2)] == [b"", b""]
    assert connections(service) == 1


@pytest.mark.parametrize(
    "data", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, b"HTTP/1.1 200 OK\r\n"]
)
def test_what_is_not_http_is_an_error(service: Service, client: httpx.Client, data: bytes) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.get(link(service, raw(data, close=True)))


def test_a_refused_connection_is_an_error(client: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(httpx.ConnectError, match="refused"):
        client.get(f"http://127.0.0.1:{port}/")


def test_silence_ends_with_the_timeout(service: Service, client: httpx.Client) -> None:
    url = link(service, lambda _request, _reply: service.over.wait())
    with pytest.raises(httpx.ReadTimeout):
        client.get(url, timeout=0.1)


def test_the_trace_is_told_of_the_socket_before_anything_is_sent(
    service: Service, client: httpx.Client
) -> None:
    seen: list[tuple[str, int]] = []

    def trace(event: str, info: dict[str, object]) -> None:
        seen.append((event, len(service.received)))
        if event.endswith("connect_tcp.complete"):
            stream = info["return_value"]
            assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"  # type: ignore[attr-defined]
            raise PermissionError

    with pytest.raises(PermissionError):
        client.get(link(service, b"data"), extensions={"trace": trace})
    assert seen == [("connection.connect_tcp.started", 0), ("connection.connect_tcp.complete", 0)]
    assert not service.received

"""Connections: reused for the files of one host, and never at the cost of a deadline or a lost file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mjcli.media.download import PARALLEL, Downloader
from mjcli.media.names import Target, fields_of
from mjcli.media.web import GuardedGet, TransportError
from tests.support.images import png
from tests.support.service import Received, Reply, Service

FIELDS = fields_of(prompt="a cat", image_id="1", task_id="t", action="generate")


@pytest.fixture
def web() -> Iterator[GuardedGet]:
    web = GuardedGet(allow_private=True, use_environment=False)
    yield web
    web.close()


def read(web: GuardedGet, url: str, **options: float) -> bytes:
    with web.open(url, **options) as response:
        return response.read()


def connections(service: Service) -> int:
    return len({each.port for each in service.gets()})


def test_files_of_one_host_share_a_connection(service: Service, web: GuardedGet) -> None:
    service.files["/files/x"] = b"data"
    for _ in range(20):
        assert read(web, f"{service.base_url}/files/x") == b"data"
    assert connections(service) == 1


def test_many_files_of_one_job_use_few_connections(service: Service, tmp_path: Path) -> None:
    for n in range(40):
        service.files[f"/files/{n}.png"] = png(n)
    urls = [f"{service.base_url}/files/{n}.png" for n in range(40)]
    with Downloader(allow_private=True, use_environment=False) as fetch:
        saved, failures = fetch.save_all(urls, Target(tmp_path), FIELDS)
    assert not failures
    assert [each.path.read_bytes() for each in saved] == [png(n) for n in range(40)]
    assert connections(service) <= PARALLEL


def test_a_connection_that_the_host_closed_is_replaced_at_once(service: Service, web: GuardedGet) -> None:
    def once(_request: Received, reply: Reply) -> None:
        reply.whole(b"data")
        reply.close()  # without having announced it

    service.files["/files/x"] = once
    for _ in range(5):
        assert read(web, f"{service.base_url}/files/x") == b"data"
    assert connections(service) == 5


def test_bytes_after_a_response_are_not_taken_for_the_next_one(service: Service, web: GuardedGet) -> None:
    service.files["/files/long"] = lambda _r, reply: reply.raw(
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndata and more"
    )
    service.files["/files/x"] = b"next"
    assert read(web, f"{service.base_url}/files/long") == b"data"
    assert read(web, f"{service.base_url}/files/x") == b"next"


@pytest.mark.slow
def test_the_deadline_ends_a_request_on_a_reused_connection(service: Service, web: GuardedGet) -> None:
    def dripping_head(_request: Received, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 200 OK\r\n")
        try:
            while not service.over.wait(0.02):
                reply.raw(b"x-more: y\r\n")
        except OSError:
            pass

    service.files["/files/x"], service.files["/files/slow"] = b"data", dripping_head
    read(web, f"{service.base_url}/files/x")
    deadline = time.monotonic() + 0.3
    with pytest.raises(TransportError, match="timed out"):
        read(web, f"{service.base_url}/files/slow", deadline=deadline)
    assert time.monotonic() < deadline + 5
    assert connections(service) == 1


@pytest.mark.slow
def test_headers_that_drip_end_without_a_deadline(
    service: Service, web: GuardedGet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mjcli.media.web.CONNECT_SECONDS", 0.2)

    def script(_request: Received, reply: Reply) -> None:
        try:
            while not service.over.wait(0.02):
                reply.raw(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        except OSError:
            pass

    service.files["/files/x"] = script
    with pytest.raises(TransportError, match="timed out"):
        read(web, f"{service.base_url}/files/x", stall=0.2)


@pytest.mark.slow
def test_the_deadline_is_not_taken_for_the_end_of_a_body_without_a_length(
    service: Service, web: GuardedGet
) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        try:
            while not service.over.wait(0.02):
                reply.raw(b"x")
        except OSError:
            pass

    service.files["/files/x"] = script
    with pytest.raises(TransportError, match="timed out"):
        read(web, f"{service.base_url}/files/x", deadline=time.monotonic() + 0.3)


def test_the_request_after_a_broken_one_works(service: Service, web: GuardedGet) -> None:
    service.files["/files/x"] = b"data"
    service.files["/files/never"] = lambda _r, _reply: service.over.wait(30)
    read(web, f"{service.base_url}/files/x")
    with pytest.raises(TransportError):
        read(web, f"{service.base_url}/files/never", deadline=time.monotonic() + 0.2)
    assert read(web, f"{service.base_url}/files/x") == b"data"

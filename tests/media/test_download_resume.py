"""Transfers that are cut, stall or fail, and are resumed or restarted."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mjcli.errors import DownloadError
from mjcli.media.download import Downloader
from tests.support.downloads import IMAGE, NAME, cut_off, get, link, no_pause, nothing_left, ranged, scripted
from tests.support.images import png
from tests.support.service import Received, Reply, Script, Service


def test_a_transfer_that_is_shorter_than_its_length_is_resumed(
    service: Service, fetch: Downloader, place: Path
) -> None:
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), ranged), place)
    assert (place / NAME).read_bytes() == IMAGE
    second = service.gets()[1]
    begin = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < begin <= 100_000
    assert second.headers["if-range"] == '"one"'


def test_a_date_is_the_validator_when_there_is_no_etag(
    service: Service, fetch: Downloader, place: Path
) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    get(
        fetch,
        scripted(service, cut_off(100_000, {"last-modified": date}), lambda q, r: ranged(q, r, etag=date)),
        place,
    )
    assert service.gets()[1].headers["if-range"] == date
    assert (place / NAME).read_bytes() == IMAGE


@pytest.mark.parametrize("headers", [{}, {"etag": 'W/"weak"'}])
def test_without_a_strong_validator_the_transfer_restarts(
    service: Service, fetch: Downloader, place: Path, headers: dict[str, str]
) -> None:
    get(fetch, scripted(service, cut_off(100_000, headers), ranged), place)
    assert "range" not in service.gets()[1].headers
    assert (place / NAME).read_bytes() == IMAGE


def test_a_chunked_transfer_that_is_cut_is_retried(service: Service, fetch: Downloader, place: Path) -> None:
    def chunked(_request: Received, reply: Reply) -> None:
        reply.head(200, {"etag": '"one"'})
        reply.send(IMAGE[:50_000])
        reply.close()

    get(fetch, scripted(service, chunked, ranged), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_an_image_cut_by_an_orderly_close_is_retried(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def close(_request: Received, reply: Reply) -> None:
        reply.raw(b'HTTP/1.1 200 OK\r\netag: "one"\r\nconnection: close\r\n\r\n' + IMAGE[:-12])
        reply.close()

    get(fetch, scripted(service, close, ranged), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_transfer_that_is_reset_is_resumed(service: Service, fetch: Downloader, place: Path) -> None:
    def reset(_request: Received, reply: Reply) -> None:
        reply.head(200, {"etag": '"one"'}, length=len(IMAGE))
        reply.send(IMAGE[:50_000])
        reply.reset()

    get(fetch, scripted(service, reset, ranged), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_server_that_ignores_range_sends_everything_again(
    service: Service, fetch: Downloader, place: Path
) -> None:
    whole: Script = lambda _r, reply: reply.whole(IMAGE, headers={"etag": '"one"'})  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), whole), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_file_that_changed_meanwhile_is_downloaded_again(
    service: Service, fetch: Downloader, place: Path
) -> None:
    changed = png(150_000)
    second: Script = lambda q, r: ranged(q, r, etag='"two"', data=changed)  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), second), place)
    assert (place / NAME).read_bytes() == changed


def test_a_range_of_another_version_is_not_appended(service: Service, fetch: Downloader, place: Path) -> None:
    changed = png(200_001)

    def careless(request: Received, reply: Reply) -> None:
        """Ignore If-Range: send a range of the new version, with its ETag."""
        del request.headers["if-range"]
        ranged(request, reply, etag='"two"', data=changed)

    restarted: Script = lambda q, r: ranged(q, r, etag='"two"', data=changed)  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), careless, restarted), place)
    assert (place / NAME).read_bytes() == changed


def test_a_different_range_than_requested_is_not_appended(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def other_part(_request: Received, reply: Reply) -> None:
        headers = {"etag": '"one"', "content-range": f"bytes 1000-{len(IMAGE) - 1}/{len(IMAGE)}"}
        reply.whole(IMAGE[1000:], 206, headers)

    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), other_part, ranged), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_range_that_is_too_short_is_followed_by_the_rest(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def short_part(request: Received, reply: Reply) -> None:
        begin = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        end = begin + 50_000
        headers = {"etag": '"one"', "content-range": f"bytes {begin}-{end - 1}/{len(IMAGE)}"}
        reply.whole(IMAGE[begin:end], 206, headers)

    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), short_part, ranged), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_refused_range_restarts_the_transfer(service: Service, fetch: Downloader, place: Path) -> None:
    refused: Script = lambda _r, reply: reply.whole(b"", 416, {"content-range": "bytes */10"})  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), refused, ranged), place)
    assert "range" not in service.gets()[2].headers
    assert (place / NAME).read_bytes() == IMAGE


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_temporary_server_error_is_retried(
    service: Service, fetch: Downloader, place: Path, status: int
) -> None:
    get(fetch, scripted(service, lambda _r, reply: reply.whole(b"later", status), ranged), place)
    assert (place / NAME).read_bytes() == IMAGE


@pytest.mark.slow
def test_a_body_that_stalls_is_resumed(service: Service, place: Path) -> None:
    def stall(_request: Received, reply: Reply) -> None:
        reply.head(200, {"etag": '"one"'}, length=len(IMAGE))
        reply.send(IMAGE[:100_000])
        service.over.wait(30)

    with Downloader(allow_private=True, use_environment=False, stall_seconds=0.3, sleep=no_pause) as fetch:
        get(fetch, scripted(service, stall, ranged), place)
    begin = int(service.gets()[1].headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < begin <= 100_000
    assert (place / NAME).read_bytes() == IMAGE


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(cut_off(100_000, {"etag": '"one"'}), id="by length"),
        pytest.param(cut_off(0), id="at once"),
        pytest.param(
            lambda _r, reply: (
                reply.raw(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + IMAGE[:-1]) or reply.close()
            ),
            id="orderly close",
        ),
        pytest.param(lambda _r, reply: reply.reset(), id="reset"),
        pytest.param(lambda _r, reply: reply.whole(b"", 503), id="503"),
        pytest.param(lambda _r, reply: reply.raw(b"nonsense\r\n\r\n"), id="not HTTP"),
    ],
)
def test_a_transfer_that_is_never_complete_leaves_nothing_behind(
    service: Service, fetch: Downloader, place: Path, cut: Script
) -> None:
    service.files["/files/cat.png"] = cut
    with pytest.raises(DownloadError):
        get(fetch, link(service), place)
    assert 1 < len(service.gets()) <= 20
    assert nothing_left(place)


def test_a_refused_connection_is_an_error(fetch: Downloader, place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DownloadError):
        get(fetch, f"http://127.0.0.1:{port}/cat.png", place)
    assert nothing_left(place)

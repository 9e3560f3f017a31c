"""Waits and sizes without an end: slow links, endless bodies, and compressed data."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mjcli.errors import DownloadError
from mjcli.media import transfer
from mjcli.media.download import Downloader
from mjcli.media.names import Target
from mjcli.media.place import Saved
from tests.media.test_transfer import ETAG, begin_of, packed, whole
from tests.support.downloads import FIELDS, IMAGE, get, no_pause, nothing_left, ranged, scripted
from tests.support.service import Received, Reply, Script, Service


@pytest.fixture
def fetch() -> Iterator[Downloader]:
    with Downloader(
        allow_private=True, use_environment=False, stall_seconds=0.4, sleep=no_pause
    ) as downloader:
        yield downloader


@pytest.mark.slow
def test_a_dripping_transfer_is_broken_off_and_resumed(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def drip(_request: Received, reply: Reply) -> None:
        reply.head(200, ETAG, length=len(IMAGE))
        try:
            for at in range(len(IMAGE)):
                reply.send(IMAGE[at : at + 1])
                if service.over.wait(0.02):
                    return
        except OSError:
            pass

    get(fetch, scripted(service, drip, ranged), place)
    assert 0 < begin_of(service.gets()[1]) < 1000
    assert (place / "a-cat_1.png").read_bytes() == IMAGE


@pytest.mark.slow
def test_a_link_that_is_always_slow_is_followed_to_the_end_of_the_file(
    service: Service, fetch: Downloader, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: Received, reply: Reply) -> None:
        begin = begin_of(request) if "range" in request.headers else 0
        headers = {**ETAG, "content-range": f"bytes {begin}-{len(IMAGE) - 1}/{len(IMAGE)}"}
        reply.head(206 if begin else 200, headers if begin else ETAG, length=len(IMAGE) - begin)
        try:
            for at in range(begin, len(IMAGE), 2_500):
                reply.send(IMAGE[at : at + 2_500])
                if service.over.wait(0.01):
                    return
        except OSError:
            pass

    monkeypatch.setattr(transfer, "SLOWEST", 10**9)
    fetch._stall_seconds = 0.08
    assert get(fetch, scripted(service, script), place).path.read_bytes() == IMAGE
    assert len(service.gets()) > 5


@pytest.mark.slow
def test_a_link_that_drips_for_ever_is_given_up_soon(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def script(request: Received, reply: Reply) -> None:
        begin = begin_of(request) if "range" in request.headers else 0
        headers = {**ETAG, "content-range": f"bytes {begin}-{len(IMAGE) - 1}/{len(IMAGE)}"}
        reply.head(206 if begin else 200, headers if begin else ETAG, length=len(IMAGE) - begin)
        try:
            for at in range(begin, len(IMAGE)):
                reply.send(IMAGE[at : at + 1])
                if service.over.wait(0.01):
                    return
        except OSError:
            pass

    fetch._stall_seconds = 0.3
    with pytest.raises(DownloadError):
        get(fetch, scripted(service, script), place)
    assert len(service.gets()) == 5


def limited(place: Path, size: int) -> Target:
    return Target(place, max_size=size)


def save(fetch: Downloader, url: str, target: Target) -> Saved:
    saved, failures = fetch.save_all([url], target, FIELDS)
    if failures:
        raise failures[0]
    return saved[0]


def test_a_declared_terabyte_is_refused_before_anything_is_written(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, length=10**12)
        reply.send(IMAGE)
        service.over.wait(30)

    with pytest.raises(DownloadError, match="larger than 2 GB"):
        get(fetch, scripted(service, script), place)
    assert len(service.gets()) == 1
    assert nothing_left(place)


@pytest.mark.parametrize("compressed", [False, True])
def test_an_endless_body_ends_at_the_limit(
    service: Service, fetch: Downloader, place: Path, compressed: bool
) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-encoding": "gzip"} if compressed else {})
        packer = zlib.compressobj(wbits=31)
        try:
            while not service.over.is_set():
                data = bytes(1024 * 1024)
                reply.send((packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)) if compressed else data)
        except OSError:
            pass

    with pytest.raises(DownloadError, match="larger than 3 MB"):
        save(fetch, scripted(service, script), limited(place, 3 * 1024**2))
    assert nothing_left(place)


EMPTY_GZIP = packed(b"") * 5000
EMPTY_BLOCKS = b"\0\0\0\xff\xff" * 20_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("coding", "start", "endless"),
    [("deflate", b"\x78\x9c", EMPTY_BLOCKS), ("gzip", b"", EMPTY_GZIP)],
    ids=["deflate", "gzip"],
)
def test_endless_compressed_data_without_content_is_given_up(
    service: Service, fetch: Downloader, place: Path, coding: str, start: bytes, endless: bytes
) -> None:
    with pytest.raises(DownloadError, match="mostly empty"):
        get(fetch, scripted(service, never_ending(service, start, endless, coding)), place)
    assert nothing_left(place)


@pytest.mark.parametrize(
    ("coding", "data"), [("gzip", packed(IMAGE)), ("deflate", zlib.compress(IMAGE))], ids=["gzip", "deflate"]
)
def test_bytes_after_compressed_data_are_not_read_for_ever(
    service: Service, fetch: Downloader, place: Path, coding: str, data: bytes
) -> None:
    url = scripted(service, never_ending(service, data, b"junk" * 10_000, coding))
    assert get(fetch, url, place).path.read_bytes() == IMAGE
    assert len(service.gets()) == 1


def never_ending(service: Service, start: bytes, endless: bytes, coding: str) -> Script:
    def script(_request: Received, reply: Reply) -> None:
        reply.raw(f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: {coding}\r\n\r\n".encode())
        try:
            reply.raw(start)
            while not service.over.is_set():
                reply.raw(endless)
        except OSError:
            pass

    return script


def test_a_whole_image_whose_trailer_never_ends_is_saved(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, ETAG)
        reply.send(IMAGE)
        try:
            reply.raw(b"0\r\n")
            while not service.over.wait(0.02):
                reply.raw(b"x")
        except OSError:
            pass

    fetch._stall_seconds = 0.1
    assert get(fetch, scripted(service, script), place).path.read_bytes() == IMAGE
    assert len(service.gets()) == 3  # the second one asks for the rest


def test_a_file_as_large_as_the_limit_is_saved(service: Service, fetch: Downloader, place: Path) -> None:
    url = scripted(service, whole(IMAGE))
    assert save(fetch, url, limited(place, len(IMAGE))).path.read_bytes() == IMAGE
    with pytest.raises(DownloadError, match="larger"):
        save(fetch, url, limited(place, len(IMAGE) - 1))


def test_more_than_one_content_coding_is_refused(service: Service, fetch: Downloader, place: Path) -> None:
    bomb = packed(packed(bytes(10_000_000)))
    with pytest.raises(DownloadError, match="more than one content coding"):
        get(fetch, scripted(service, whole(bomb, content_encoding="gzip, gzip")), place)
    assert len(service.gets()) == 1


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", packed(IMAGE, mtime=0)),
        ("x-gzip", packed(IMAGE[:1000]) + packed(IMAGE[1000:])),
        ("GZIP", packed(IMAGE) + b"\0\0"),
        ("deflate", zlib.compress(IMAGE)),
        ("deflate", zlib.compress(IMAGE)[2:-4]),
        ("gzip", IMAGE),
        ("deflate", IMAGE),
        ("identity, gzip", packed(IMAGE)),
        ("utf-8", IMAGE),
    ],
)
def test_one_content_coding_is_undone_if_it_was_really_applied(
    service: Service, fetch: Downloader, place: Path, coding: str, data: bytes
) -> None:
    saved = get(fetch, scripted(service, whole(data, content_encoding=coding)), place)
    assert saved.path.read_bytes() == IMAGE


@pytest.mark.parametrize("data", [packed(IMAGE)[:-30], packed(IMAGE)[:5000] + b"x" * 9000])
def test_damaged_compressed_data_is_fetched_again(
    service: Service, fetch: Downloader, place: Path, data: bytes
) -> None:
    saved = get(fetch, scripted(service, whole(data, content_encoding="gzip"), ranged), place)
    assert saved.path.read_bytes() == IMAGE


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "é" * 64 + ".example", "\ud800", ".", "-"])
def test_a_host_name_that_cannot_exist_is_a_failed_download(
    service: Service, fetch: Downloader, place: Path, host: str
) -> None:
    with pytest.raises(DownloadError):
        get(fetch, f"http://{host}/cat.png", place)
    location = host.encode("latin-1", "replace").decode("latin-1")
    with pytest.raises(DownloadError):
        get(fetch, scripted(service, whole(b"", 302, location=f"http://{location}/")), place)
    assert nothing_left(place)

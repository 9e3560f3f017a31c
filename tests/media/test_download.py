"""Downloads: whole transfers, files that are not images, expired links, several files."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mjcli.errors import DownloadError
from mjcli.media.download import Downloader, OwnFiles
from mjcli.media.names import Target
from mjcli.media.place import Saved
from tests.support.downloads import FIELDS, IMAGE, NAME, digest, get, link, nothing_left, scripted
from tests.support.images import WHOLE, png
from tests.support.service import Received, Reply, Service, serve

# -- whole transfers -----------------------------------------------------------------------------------


def test_an_image_is_saved_byte_for_byte(service: Service, fetch: Downloader, place: Path) -> None:
    service.files["/files/cat.png"] = IMAGE
    assert get(fetch, link(service), place) == Saved(place / NAME, kept=False, sha256=digest(IMAGE))
    assert (place / NAME).read_bytes() == IMAGE
    assert [path.name for path in place.iterdir()] == [NAME]


@pytest.mark.parametrize("kind", WHOLE)
def test_the_extension_follows_from_the_bytes(
    service: Service, fetch: Downloader, place: Path, kind: str
) -> None:
    service.files["/files/cat.png"] = WHOLE[kind]
    assert get(fetch, link(service), place).path == place / f"a-cat_1.{kind}"


def test_a_chunked_response_is_saved(service: Service, fetch: Downloader, place: Path) -> None:
    def chunks(_request: Received, reply: Reply) -> None:
        reply.head()
        reply.send(IMAGE[:7])
        reply.send(IMAGE[7:])
        reply.end()

    get(fetch, scripted(service, chunks), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_response_that_ends_with_the_connection_is_saved(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def close(_request: Received, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + IMAGE)
        reply.close()

    get(fetch, scripted(service, close), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_compressed_response_is_decompressed(service: Service, fetch: Downloader, place: Path) -> None:
    import gzip

    packed = gzip.compress(IMAGE)
    get(
        fetch,
        scripted(service, lambda _r, reply: reply.whole(packed, headers={"content-encoding": "gzip"})),
        place,
    )
    assert (place / NAME).read_bytes() == IMAGE


def test_the_signed_query_of_a_link_is_sent_unchanged(
    service: Service, fetch: Downloader, place: Path
) -> None:
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    import threading

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(4096)
            seen.append(data.split(b"\r\n")[0])
            head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(IMAGE)
            connection.sendall(head + IMAGE)

    thread = threading.Thread(target=answer)
    thread.start()
    path = "/a//b%20c/%E7%8C%AB.png?ex=66&is=1~2&hm=%2Fab+c&=&width=1&"
    try:
        get(fetch, f"http://127.0.0.1:{listener.getsockname()[1]}{path}", place)
    finally:
        thread.join(10)
        listener.close()
    assert seen == [f"GET {path} HTTP/1.1".encode()]


def test_progress_reports_bytes_so_far_and_in_total(service: Service, fetch: Downloader, place: Path) -> None:
    service.files["/files/cat.png"] = IMAGE
    reports: list[tuple[int, int, int | None]] = []
    get(fetch, link(service), place, progress=lambda *each: reports.append(each))
    assert reports[-1] == (0, len(IMAGE), len(IMAGE))
    assert [done for _, done, _ in reports] == sorted(done for _, done, _ in reports)


# -- files that are not images -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b'{"error": "gone"}', "not an image"),
        (b"\x89PNG\r\n", "not an image"),
    ],
)
def test_a_file_that_is_not_an_image_is_not_saved(
    service: Service, fetch: Downloader, place: Path, data: bytes, word: str
) -> None:
    service.files["/files/cat.png"] = data
    with pytest.raises(DownloadError) as caught:
        get(fetch, link(service), place)
    assert word in caught.value.message
    assert nothing_left(place)


# -- expired links ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_link_is_refreshed(service: Service, fetch: Downloader, place: Path, status: int) -> None:
    service.files["/files/fresh.png"] = IMAGE
    url = scripted(service, lambda _r, reply: reply.whole(b"expired", status))
    get(fetch, url, place, refresh=lambda: [link(service, "fresh.png")])
    assert (place / NAME).read_bytes() == IMAGE


@pytest.mark.parametrize("fresh", ["none", "the same"])
def test_an_expired_link_without_a_fresh_one_is_an_error(
    service: Service, fetch: Downloader, place: Path, fresh: str
) -> None:
    url = scripted(service, lambda _r, reply: reply.whole(b"expired", 403))
    with pytest.raises(DownloadError) as caught:
        get(fetch, url, place, refresh=lambda: [url] if fresh == "the same" else [])
    assert url in caught.value.message
    assert len(service.gets()) == 1
    assert nothing_left(place)


def test_the_links_of_four_images_are_refreshed_once(
    service: Service, fetch: Downloader, place: Path
) -> None:
    calls: list[int] = []

    def refresh() -> list[str]:
        calls.append(1)
        return [link(service, f"fresh{n}.png") for n in range(4)]

    for n in range(4):
        service.files[f"/files/old{n}.png"] = lambda _r, reply: reply.whole(b"expired", 403)
        service.files[f"/files/fresh{n}.png"] = png(n + 1)
    urls = [link(service, f"old{n}.png") for n in range(4)]
    saved, failures = fetch.save_all(urls, Target(place), FIELDS, refresh=refresh)
    assert not failures
    assert [each.path.read_bytes() for each in saved] == [png(n + 1) for n in range(4)]
    assert len(calls) == 1


def test_a_stale_link_is_not_used_when_there_is_a_fresh_one(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/old.png"], service.files["/files/fresh.png"] = png(1), png(2)
    fresh = [link(service, "fresh.png")]
    get(fetch, link(service, "old.png"), place, refresh=lambda: fresh, stale=lambda url: "old" in url)
    assert (place / NAME).read_bytes() == png(2)
    assert len(service.gets()) == 1


@pytest.mark.parametrize("fresh", [[], ["a", "b"]], ids=["none", "different count"])
def test_a_stale_link_is_used_when_there_is_no_fresh_one(
    service: Service, fetch: Downloader, place: Path, fresh: list[str]
) -> None:
    service.files["/files/cat.png"] = IMAGE
    get(fetch, link(service), place, refresh=lambda: fresh, stale=lambda _url: True)
    assert (place / NAME).read_bytes() == IMAGE


def test_a_stale_link_of_an_existing_file_is_not_refreshed(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))

    def refresh() -> list[str]:
        raise AssertionError("called")

    own = OwnFiles({str(place / NAME): None})
    assert get(fetch, link(service), place, own=own, refresh=refresh, stale=lambda _url: True).kept


def test_a_failed_refresh_does_not_affect_the_other_images(
    service: Service, fetch: Downloader, place: Path
) -> None:
    from mjcli.errors import NetworkError

    def refresh() -> list[str]:
        raise NetworkError("No response from the service: timed out.")

    service.files["/files/one.png"] = IMAGE
    service.files["/files/two.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    saved, failures = fetch.save_all(
        [link(service, "one.png"), link(service, "two.png")], Target(place), FIELDS, refresh=refresh
    )
    assert [each.path.read_bytes() for each in saved] == [IMAGE]
    (failure,) = failures
    assert failure.message.endswith(
        "The link could not be refreshed: No response from the service: timed out."
    )


# -- several files -------------------------------------------------------------------------------------


def test_several_links_are_saved_in_order(service: Service, fetch: Downloader, place: Path) -> None:
    for n in range(1, 8):
        service.files[f"/files/{n}.png"] = png(n)
    urls = [link(service, f"{n}.png") for n in range(1, 8)]
    saved, failures = fetch.save_all(urls, Target(place), FIELDS)
    assert not failures
    assert [each.path.name for each in saved] == [f"a-cat_1_{n}.png" for n in range(1, 8)]
    assert [each.path.read_bytes() for each in saved] == [png(n) for n in range(1, 8)]


def test_one_failure_does_not_affect_the_other_files(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/1.png"], service.files["/files/3.png"] = png(1), png(3)
    service.files["/files/2.png"] = b"<html>"
    saved, failures = fetch.save_all([link(service, f"{n}.png") for n in (1, 2, 3)], Target(place), FIELDS)
    assert [each.path.name for each in saved] == ["a-cat_1_1.png", "a-cat_1_3.png"]
    assert len(failures) == 1
    assert link(service, "2.png") in failures[0].message
    assert len(list(place.iterdir())) == 2


def test_an_index_in_the_template_stays_in_its_place(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/1.png"], service.files["/files/2.png"] = png(1), png(2)
    urls = [link(service, "1.png"), link(service, "2.png")]
    saved, _ = fetch.save_all(urls, Target(place, "{index}-{prompt}.{ext}"), FIELDS)
    assert [each.path.name for each in saved] == ["1-a-cat.png", "2-a-cat.png"]


def test_links_on_two_hosts_are_both_downloaded(service: Service, fetch: Downloader, place: Path) -> None:
    other = serve()
    try:
        second = next(other)
        service.files["/files/1.png"], second.files["/files/2.png"] = png(1), png(2)
        saved, failures = fetch.save_all(
            [link(service, "1.png"), link(second, "2.png")], Target(place), FIELDS
        )
    finally:
        other.close()
    assert not failures
    assert [each.path.read_bytes() for each in saved] == [png(1), png(2)]

"""Fetching in-process: other hosts, other schemes, cut and resumed transfers, and where files come to lie."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mjcli import downloads
from mjcli.downloads import Downloader, Saved, expired, sweep
from mjcli.errors import DownloadError
from mjcli.filenames import Target, fields_of
from tests.service import Received, Reply, Script, Service, png, serve
from tests.test_filetypes import WHOLE

PICTURE = png(200_000)
FIELDS = fields_of(prompt="a cat", image_id="1", task_id="t", action="generate")
NAME = "a-cat_1.png"
NOW = 1_800_000_000


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between two tries pass in no time."""
    import time

    monkeypatch.setattr(downloads, "time", SimpleNamespace(**{**vars(time), "sleep": lambda _seconds: None}))


@pytest.fixture
def fetch() -> Iterator[Downloader]:
    with Downloader(allow_private=True, use_environment=False) as downloader:
        yield downloader


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def get(fetch: Downloader, url: str, place: Path, **options: Any) -> Saved:
    """Save one link under the default name; raises what went wrong."""
    saved, failures = fetch.save_all([url], Target(place), FIELDS, **options)
    if failures:
        assert not saved
        raise failures[0]
    (file,) = saved
    return file


def nothing_left(place: Path) -> bool:
    """Not even a hidden file."""
    return not place.exists() or not list(place.iterdir())


def link(service: Service, name: str = "cat.png") -> str:
    return f"{service.base_url}/files/{name}"


def scripted(service: Service, *scripts: Script) -> str:
    """A link that is answered by one script after the other; the last one stays."""
    left = list(scripts)
    service.files["/files/cat.png"] = lambda request, reply: (left.pop(0) if len(left) > 1 else left[0])(
        request, reply
    )
    return link(service)


def ranged(request: Received, reply: Reply, *, etag: str = '"one"', data: bytes = PICTURE) -> None:
    """Answer as a server does that honours Range and If-Range."""
    begin = 0
    if "range" in request.headers and request.headers.get("if-range") in (None, etag):
        begin = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
    if begin:
        reply.whole(
            data[begin:], 206, {"etag": etag, "content-range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
        )
    else:
        reply.whole(data, 200, {"etag": etag})


def cut_off(at: int, headers: dict[str, str] | None = None, data: bytes = PICTURE) -> Script:
    """Promise the whole picture and close after `at` bytes."""

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, headers, length=len(data))
        reply.send(data[:at])
        reply.close()

    return script


# -- whole transfers -----------------------------------------------------------------------------------


def test_a_picture_is_saved_byte_for_byte(service: Service, fetch: Downloader, place: Path) -> None:
    service.files["/files/cat.png"] = PICTURE
    assert get(fetch, link(service), place) == Saved(place / NAME, kept=False)
    assert (place / NAME).read_bytes() == PICTURE
    assert [path.name for path in place.iterdir()] == [NAME]


@pytest.mark.parametrize("kind", WHOLE)
def test_the_extension_is_that_of_the_bytes(
    service: Service, fetch: Downloader, place: Path, kind: str
) -> None:
    service.files["/files/cat.png"] = WHOLE[kind]
    assert get(fetch, link(service), place).path == place / f"a-cat_1.{kind}"


def test_a_chunked_answer_is_saved(service: Service, fetch: Downloader, place: Path) -> None:
    def chunks(_request: Received, reply: Reply) -> None:
        reply.head()
        reply.send(PICTURE[:7])
        reply.send(PICTURE[7:])
        reply.end()

    get(fetch, scripted(service, chunks), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_an_answer_that_ends_with_the_connection_is_saved(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def close(_request: Received, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + PICTURE)
        reply.close()

    get(fetch, scripted(service, close), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_an_answer_compressed_all_the_same_is_unpacked(
    service: Service, fetch: Downloader, place: Path
) -> None:
    import gzip

    packed = gzip.compress(PICTURE)
    get(
        fetch,
        scripted(service, lambda _r, reply: reply.whole(packed, headers={"content-encoding": "gzip"})),
        place,
    )
    assert (place / NAME).read_bytes() == PICTURE


def test_the_signed_query_of_a_link_is_sent_as_it_is(
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
            head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(PICTURE)
            connection.sendall(head + PICTURE)

    thread = threading.Thread(target=answer)
    thread.start()
    path = "/a//b%20c/%E7%8C%AB.png?ex=66&is=1~2&hm=%2Fab+c&=&width=1&"
    try:
        get(fetch, f"http://127.0.0.1:{listener.getsockname()[1]}{path}", place)
    finally:
        thread.join(10)
        listener.close()
    assert seen == [f"GET {path} HTTP/1.1".encode()]


def test_progress_tells_bytes_so_far_and_in_all(service: Service, fetch: Downloader, place: Path) -> None:
    service.files["/files/cat.png"] = PICTURE
    told: list[tuple[int, int, int | None]] = []
    get(fetch, link(service), place, progress=lambda *each: told.append(each))
    assert told[-1] == (0, len(PICTURE), len(PICTURE))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


# -- what other hosts learn ----------------------------------------------------------------------------


def test_a_cookie_is_never_sent_back(service: Service, fetch: Downloader, tmp_path: Path) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(
        PICTURE, headers={"set-cookie": "a=b; Path=/"}
    )
    get(fetch, link(service), tmp_path / "one")
    get(fetch, link(service), tmp_path / "two")
    assert len(service.gets()) == 2
    assert all("cookie" not in each.headers for each in service.gets())


def test_a_redirect_to_another_host_is_followed_without_a_referer_or_a_cookie(
    service: Service, fetch: Downloader, place: Path
) -> None:
    other = link(service, "there.png").replace("127.0.0.1", "localhost")
    service.files["/files/there.png"] = PICTURE
    url = scripted(
        service,
        lambda _r, reply: reply.whole(b"", 302, {"location": other, "set-cookie": "a=b; Path=/"}),
    )
    get(fetch, url, place)
    (there,) = service.gets("/files/there.png")
    assert there.headers["host"].startswith("localhost")
    assert not {"cookie", "referer", "authorization"} & set(there.headers)


def test_the_password_of_a_link_does_not_follow_a_redirect_to_another_host(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/there.png"] = PICTURE
    other = link(service, "there.png").replace("127.0.0.1", "localhost")
    url = scripted(service, lambda _r, reply: reply.whole(b"", 302, {"location": other}))
    get(fetch, url.replace("http://", "http://user:password@"), place)
    assert "authorization" not in service.gets("/files/there.png")[0].headers


def test_a_redirect_relative_to_its_own_address_is_followed(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/there.png"] = PICTURE
    get(fetch, scripted(service, lambda _r, reply: reply.whole(b"", 307, {"location": "there.png"})), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_redirects_without_end_end(service: Service, fetch: Downloader, place: Path) -> None:
    url = scripted(service, lambda _r, reply: reply.whole(b"", 302, {"location": "/files/cat.png"}))
    with pytest.raises(DownloadError):
        get(fetch, url, place)
    assert len(service.gets()) <= 20
    assert nothing_left(place)


# -- addresses that are refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "data:image/png;base64,iVBORw0KGgo=",
        "ftp://127.0.0.1/cat.png",
        "gopher://127.0.0.1/",
        "javascript:alert(1)",
        "/etc/passwd",
        "cat.png",
        "http://",
        "http:///cat.png",
        "http://[::1/cat.png",
        "http://127.0.0.1:99999/cat.png",
        "http://127.0.0.1/\x00\n",
        "",
        "//127.0.0.1/x",
    ],
)
def test_what_is_no_http_address_is_refused(fetch: Downloader, place: Path, url: str) -> None:
    with pytest.raises(DownloadError):
        get(fetch, url, place)
    assert nothing_left(place)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "data:image/png;base64,iVBORw0KGgo=", "ftp://127.0.0.1/x"]
)
def test_a_redirect_to_another_scheme_is_refused(
    service: Service, fetch: Downloader, place: Path, location: str
) -> None:
    with pytest.raises(DownloadError):
        get(fetch, scripted(service, lambda _r, reply: reply.whole(b"", 302, {"location": location})), place)
    assert nothing_left(place)


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:99999/x", "http://\x80\xff/"])
def test_a_redirect_that_cannot_be_read_is_refused_in_a_sentence(
    service: Service, fetch: Downloader, place: Path, location: str
) -> None:
    raw = b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: " + location.encode("latin-1") + b"\r\n\r\n"
    with pytest.raises(DownloadError):
        get(fetch, scripted(service, lambda _r, reply: reply.raw(raw)), place)
    assert nothing_left(place)


def test_a_redirect_without_a_location_is_an_answer_like_any_other(
    service: Service, fetch: Downloader, place: Path
) -> None:
    with pytest.raises(DownloadError):
        get(fetch, scripted(service, lambda _r, reply: reply.whole(b"", 302)), place)
    assert nothing_left(place)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.2",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[::]",
        "2130706433",
        "0x7f000001",
        "127.1",
        "017700000001",
    ],
)
def test_private_addresses_are_refused_when_the_api_is_elsewhere(place: Path, host: str) -> None:
    with (
        Downloader(allow_private=False, use_environment=False) as fetch,
        pytest.raises(DownloadError) as caught,
    ):
        get(fetch, f"http://{host}:9/cat.png", place)
    assert "private" in caught.value.message
    assert nothing_left(place)


def test_nothing_is_sent_to_a_private_address(service: Service, place: Path) -> None:
    service.files["/files/cat.png"] = PICTURE
    with Downloader(allow_private=False, use_environment=False) as fetch, pytest.raises(DownloadError):
        get(fetch, link(service), place)
    assert not service.received


def test_a_redirect_to_a_private_address_is_refused(
    service: Service, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ipaddress

    real = downloads._addresses
    public = ipaddress.ip_address("93.184.216.34")
    # The first host counts as public, both when it is looked up and when it is connected to.
    asked = count()
    monkeypatch.setattr(downloads, "_addresses", lambda host: [public] if next(asked) < 2 else real(host))
    service.files["/files/there.png"] = PICTURE
    url = scripted(service, lambda _r, reply: reply.whole(b"", 302, {"location": link(service, "there.png")}))
    with (
        Downloader(allow_private=False, use_environment=False) as fetch,
        pytest.raises(DownloadError) as caught,
    ):
        get(fetch, url, place)
    assert "private" in caught.value.message
    assert len(service.gets("/files/cat.png")) == 1
    assert not service.gets("/files/there.png")


def test_a_name_that_changes_its_address_after_the_look_leads_nowhere_private(
    service: Service, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.files["/files/cat.png"] = PICTURE
    asked = count()
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host in ("rebind.example", b"rebind.example"):
            return real("93.184.216.34" if next(asked) == 0 else "127.0.0.1", port, *rest, **more)
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = link(service).replace("127.0.0.1", "rebind.example")
    # The public address would be connected to for real: nothing may leave this machine in a test.
    real_connect = socket.create_connection

    def connect(address: Any, *rest: Any, **more: Any) -> Any:
        if address[0].startswith("93."):
            raise OSError("unreachable")
        return real_connect(address, *rest, **more)

    monkeypatch.setattr(socket, "create_connection", connect)
    with Downloader(allow_private=False, use_environment=False) as fetch, pytest.raises(DownloadError):
        get(fetch, url, place)
    assert not service.received
    assert nothing_left(place)


# -- cut and resumed -----------------------------------------------------------------------------------


def test_a_transfer_cut_by_its_length_is_taken_up_where_it_broke_off(
    service: Service, fetch: Downloader, place: Path
) -> None:
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), ranged), place)
    assert (place / NAME).read_bytes() == PICTURE
    second = service.gets()[1]
    begin = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < begin <= 100_000
    assert second.headers["if-range"] == '"one"'


def test_a_date_serves_where_there_is_no_etag(service: Service, fetch: Downloader, place: Path) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    get(
        fetch,
        scripted(service, cut_off(100_000, {"last-modified": date}), lambda q, r: ranged(q, r, etag=date)),
        place,
    )
    assert service.gets()[1].headers["if-range"] == date
    assert (place / NAME).read_bytes() == PICTURE


@pytest.mark.parametrize("headers", [{}, {"etag": 'W/"weak"'}])
def test_without_a_strong_sign_that_it_is_the_same_file_it_begins_anew(
    service: Service, fetch: Downloader, place: Path, headers: dict[str, str]
) -> None:
    get(fetch, scripted(service, cut_off(100_000, headers), ranged), place)
    assert "range" not in service.gets()[1].headers
    assert (place / NAME).read_bytes() == PICTURE


def test_a_cut_chunked_transfer_is_tried_again(service: Service, fetch: Downloader, place: Path) -> None:
    def chunked(_request: Received, reply: Reply) -> None:
        reply.head(200, {"etag": '"one"'})
        reply.send(PICTURE[:50_000])
        reply.close()

    get(fetch, scripted(service, chunked, ranged), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_picture_cut_by_a_close_in_good_order_is_tried_again(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def close(_request: Received, reply: Reply) -> None:
        reply.raw(b'HTTP/1.1 200 OK\r\netag: "one"\r\nconnection: close\r\n\r\n' + PICTURE[:-12])
        reply.close()

    get(fetch, scripted(service, close, ranged), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_reset_transfer_is_taken_up(service: Service, fetch: Downloader, place: Path) -> None:
    def reset(_request: Received, reply: Reply) -> None:
        reply.head(200, {"etag": '"one"'}, length=len(PICTURE))
        reply.send(PICTURE[:50_000])
        reply.reset()

    get(fetch, scripted(service, reset, ranged), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_server_that_ignores_range_sends_it_all_again(
    service: Service, fetch: Downloader, place: Path
) -> None:
    whole: Script = lambda _r, reply: reply.whole(PICTURE, headers={"etag": '"one"'})  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), whole), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_file_that_changed_meanwhile_is_fetched_anew(
    service: Service, fetch: Downloader, place: Path
) -> None:
    changed = png(150_000)
    second: Script = lambda q, r: ranged(q, r, etag='"two"', data=changed)  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), second), place)
    assert (place / NAME).read_bytes() == changed


def test_a_part_of_another_version_is_not_joined_to_what_is_there(
    service: Service, fetch: Downloader, place: Path
) -> None:
    changed = png(200_001)

    def careless(request: Received, reply: Reply) -> None:
        """Ignores If-Range: a part of the new version, and its ETag says so."""
        del request.headers["if-range"]
        ranged(request, reply, etag='"two"', data=changed)

    anew: Script = lambda q, r: ranged(q, r, etag='"two"', data=changed)  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), careless, anew), place)
    assert (place / NAME).read_bytes() == changed


def test_another_part_than_the_one_asked_for_is_not_joined(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def other_part(_request: Received, reply: Reply) -> None:
        headers = {"etag": '"one"', "content-range": f"bytes 1000-{len(PICTURE) - 1}/{len(PICTURE)}"}
        reply.whole(PICTURE[1000:], 206, headers)

    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), other_part, ranged), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_part_shorter_than_the_rest_is_followed_by_the_rest(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def short_part(request: Received, reply: Reply) -> None:
        begin = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        end = begin + 50_000
        headers = {"etag": '"one"', "content-range": f"bytes {begin}-{end - 1}/{len(PICTURE)}"}
        reply.whole(PICTURE[begin:end], 206, headers)

    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), short_part, ranged), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_range_that_is_refused_makes_it_begin_anew(
    service: Service, fetch: Downloader, place: Path
) -> None:
    refused: Script = lambda _r, reply: reply.whole(b"", 416, {"content-range": "bytes */10"})  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, {"etag": '"one"'}), refused, ranged), place)
    assert "range" not in service.gets()[2].headers
    assert (place / NAME).read_bytes() == PICTURE


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_of_the_server_is_tried_again(
    service: Service, fetch: Downloader, place: Path, status: int
) -> None:
    get(fetch, scripted(service, lambda _r, reply: reply.whole(b"later", status), ranged), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_body_that_stalls_is_taken_up(
    service: Service, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.3)

    def stall(_request: Received, reply: Reply) -> None:
        reply.head(200, {"etag": '"one"'}, length=len(PICTURE))
        reply.send(PICTURE[:100_000])
        service.over.wait(30)

    with Downloader(allow_private=True, use_environment=False) as fetch:
        get(fetch, scripted(service, stall, ranged), place)
    begin = int(service.gets()[1].headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < begin <= 100_000
    assert (place / NAME).read_bytes() == PICTURE


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(cut_off(100_000, {"etag": '"one"'}), id="by length"),
        pytest.param(cut_off(0), id="at once"),
        pytest.param(lambda _r, reply: reply.whole(PICTURE[:-1]), id="in good order"),
        pytest.param(lambda _r, reply: reply.reset(), id="reset"),
        pytest.param(lambda _r, reply: reply.whole(b"", 503), id="503"),
        pytest.param(lambda _r, reply: reply.raw(b"nonsense\r\n\r\n"), id="no HTTP"),
    ],
)
def test_a_transfer_that_is_never_whole_leaves_nothing_behind(
    service: Service, fetch: Downloader, place: Path, cut: Script
) -> None:
    service.files["/files/cat.png"] = cut
    with pytest.raises(DownloadError):
        get(fetch, link(service), place)
    assert 1 < len(service.gets()) <= 20
    assert nothing_left(place)


def test_a_host_that_cannot_be_reached_is_a_sentence(fetch: Downloader, place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DownloadError):
        get(fetch, f"http://127.0.0.1:{port}/cat.png", place)
    assert nothing_left(place)


# -- what is no picture --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b'{"error": "gone"}', "no picture"),
        (b"\x89PNG\r\n", "no picture"),
    ],
)
def test_what_is_no_picture_is_not_saved_as_one(
    service: Service, fetch: Downloader, place: Path, data: bytes, word: str
) -> None:
    service.files["/files/cat.png"] = data
    with pytest.raises(DownloadError) as caught:
        get(fetch, link(service), place)
    assert word in caught.value.message
    assert nothing_left(place)


# -- links that have expired ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_link_is_asked_for_anew(
    service: Service, fetch: Downloader, place: Path, status: int
) -> None:
    service.files["/files/fresh.png"] = PICTURE
    url = scripted(service, lambda _r, reply: reply.whole(b"expired", status))
    get(fetch, url, place, refresh=lambda: [link(service, "fresh.png")])
    assert (place / NAME).read_bytes() == PICTURE


@pytest.mark.parametrize("fresh", ["none", "the same"])
def test_a_link_that_has_expired_for_good_is_an_error(
    service: Service, fetch: Downloader, place: Path, fresh: str
) -> None:
    url = scripted(service, lambda _r, reply: reply.whole(b"expired", 403))
    with pytest.raises(DownloadError) as caught:
        get(fetch, url, place, refresh=lambda: [url] if fresh == "the same" else [])
    assert url in caught.value.message
    assert len(service.gets()) == 1
    assert nothing_left(place)


def test_the_fresh_links_of_four_pictures_are_asked_for_once(
    service: Service, fetch: Downloader, place: Path
) -> None:
    asked: list[int] = []

    def refresh() -> list[str]:
        asked.append(1)
        return [link(service, f"fresh{n}.png") for n in range(4)]

    for n in range(4):
        service.files[f"/files/old{n}.png"] = lambda _r, reply: reply.whole(b"expired", 403)
        service.files[f"/files/fresh{n}.png"] = png(n + 1)
    urls = [link(service, f"old{n}.png") for n in range(4)]
    saved, failures = fetch.save_all(urls, Target(place), FIELDS, refresh=refresh)
    assert not failures
    assert [each.path.read_bytes() for each in saved] == [png(n + 1) for n in range(4)]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("?ex=662fdb36&is=662e89b6&hm=ca9&", True),
        ("?ex=662FDB36", True),
        ("?width=1&ex=0", True),
        (f"?ex={NOW:x}", True),
        (f"?ex={NOW + 1:x}", False),
        ("?ex=" + "f" * 5000, False),
        ("", False),
        ("?", False),
        ("?ex=", False),
        ("?ex", False),
        ("?ex=tomorrow", False),
        ("?ex=0x1", False),
        ("?ex=-1", False),
        ("?ex=1_0", False),
        ("?ex=%201", False),
        ("?ex=\u0661", False),
        ("?EX=1", False),
        ("?next=1", False),
        ("#?ex=1", False),
    ],
)
def test_a_link_says_itself_whether_it_has_expired(query: str, answer: bool) -> None:
    assert expired(f"https://cdn.example/a//b%20c.png{query}", NOW) is answer


@pytest.mark.parametrize("url", ["", "http://[x?ex=1", "\0", "http://x:99999/?ex=z", "data:,?"])
def test_what_is_no_link_has_not_expired(url: str) -> None:
    assert not expired(url, NOW)


def test_a_stale_link_is_not_tried_when_there_is_a_fresh_one(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/old.png"], service.files["/files/fresh.png"] = png(1), png(2)
    fresh = [link(service, "fresh.png")]
    get(fetch, link(service, "old.png"), place, refresh=lambda: fresh, stale=lambda url: "old" in url)
    assert (place / NAME).read_bytes() == png(2)
    assert len(service.gets()) == 1


@pytest.mark.parametrize("fresh", [[], ["a", "b"]], ids=["none", "of another number"])
def test_a_stale_link_is_tried_when_there_is_no_fresh_one(
    service: Service, fetch: Downloader, place: Path, fresh: list[str]
) -> None:
    service.files["/files/cat.png"] = PICTURE
    get(fetch, link(service), place, refresh=lambda: fresh, stale=lambda _url: True)
    assert (place / NAME).read_bytes() == PICTURE


def test_nobody_is_asked_about_a_stale_link_of_a_file_that_is_there(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))

    def refresh() -> list[str]:
        raise AssertionError("asked")

    assert get(fetch, link(service), place, refresh=refresh, stale=lambda _url: True).kept


def test_a_refresh_that_fails_leaves_the_other_pictures_in_peace(
    service: Service, fetch: Downloader, place: Path
) -> None:
    from mjcli.errors import NetworkError

    def refresh() -> list[str]:
        raise NetworkError("The tasks endpoint did not answer.")

    service.files["/files/one.png"] = PICTURE
    service.files["/files/two.png"] = lambda _r, reply: reply.whole(b"expired", 403)
    saved, failures = fetch.save_all(
        [link(service, "one.png"), link(service, "two.png")], Target(place), FIELDS, refresh=refresh
    )
    assert [each.path.read_bytes() for each in saved] == [PICTURE]
    assert len(failures) == 1


# -- places that are taken -----------------------------------------------------------------------------


def test_a_whole_file_is_kept_and_nothing_is_fetched(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))
    service.files["/files/cat.png"] = PICTURE
    assert get(fetch, link(service), place) == Saved(place / NAME, kept=True)
    assert (place / NAME).read_bytes() == png(5)
    assert not service.received


def test_force_fetches_it_again(service: Service, fetch: Downloader, place: Path) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))
    service.files["/files/cat.png"] = PICTURE
    assert get(fetch, link(service), place, force=True) == Saved(place / NAME, kept=False)
    assert (place / NAME).read_bytes() == PICTURE


def test_a_force_that_fails_leaves_the_old_file(service: Service, fetch: Downloader, place: Path) -> None:
    place.mkdir()
    (place / NAME).write_bytes(png(5))
    service.files["/files/cat.png"] = b"<html>"
    with pytest.raises(DownloadError):
        get(fetch, link(service), place, force=True)
    assert (place / NAME).read_bytes() == png(5)
    assert [path.name for path in place.iterdir()] == [NAME]


@pytest.mark.parametrize("torso", [PICTURE[:1000], b""])
def test_a_torso_is_replaced(service: Service, fetch: Downloader, place: Path, torso: bytes) -> None:
    place.mkdir()
    (place / NAME).write_bytes(torso)
    service.files["/files/cat.png"] = PICTURE
    get(fetch, link(service), place)
    assert (place / NAME).read_bytes() == PICTURE


def test_something_else_under_the_name_is_not_touched(
    service: Service, fetch: Downloader, place: Path
) -> None:
    place.mkdir()
    (place / NAME).write_text("my notes")
    service.files["/files/cat.png"] = PICTURE
    with pytest.raises(DownloadError):
        get(fetch, link(service), place)
    assert (place / NAME).read_text() == "my notes"
    assert [path.name for path in place.iterdir()] == [NAME]


@pytest.mark.parametrize("force", [False, True])
def test_a_directory_under_the_name_is_not_touched(
    service: Service, fetch: Downloader, place: Path, force: bool
) -> None:
    (place / NAME).mkdir(parents=True)
    service.files["/files/cat.png"] = PICTURE
    with pytest.raises(DownloadError):
        get(fetch, link(service), place, force=force)
    assert (place / NAME).is_dir()
    assert [path.name for path in place.iterdir()] == [NAME]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("behind", ["notes", "torso", "whole", "nothing"])
def test_nothing_is_ever_written_through_a_symlink(
    service: Service, fetch: Downloader, place: Path, behind: str, force: bool
) -> None:
    place.mkdir()
    outside = place.parent / "outside"
    content = {"notes": b"my notes", "torso": PICTURE[:99], "whole": png(5), "nothing": None}[behind]
    if content is not None:
        outside.write_bytes(content)
    (place / NAME).symlink_to(outside)
    service.files["/files/cat.png"] = PICTURE
    fetch.save_all([link(service)], Target(place), FIELDS, force=force)
    assert (outside.read_bytes() if outside.exists() else None) == content
    assert [path.name for path in place.iterdir()] == [NAME]


def test_a_file_that_came_there_in_the_meantime_is_kept(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def meanwhile(_request: Received, reply: Reply) -> None:
        (place / NAME).write_bytes(png(5))
        reply.whole(PICTURE)

    assert get(fetch, scripted(service, meanwhile), place).kept
    assert (place / NAME).read_bytes() == png(5)


def test_names_that_differ_in_case_alone_do_not_lose_a_picture(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/one.png"], service.files["/files/two.png"] = png(1), png(2)
    for image_id, name in (("Ab", "one.png"), ("aB", "two.png")):
        fields = fields_of(prompt="a cat", image_id=image_id, task_id="t", action="generate")
        fetch.save_all([link(service, name)], Target(place), fields)
    assert {path.read_bytes() for path in place.iterdir()} == {png(1), png(2)}


# -- several -------------------------------------------------------------------------------------------


def test_several_links_give_several_files_in_order(service: Service, fetch: Downloader, place: Path) -> None:
    for n in range(1, 8):
        service.files[f"/files/{n}.png"] = png(n)
    urls = [link(service, f"{n}.png") for n in range(1, 8)]
    saved, failures = fetch.save_all(urls, Target(place), FIELDS)
    assert not failures
    assert [each.path.name for each in saved] == [f"a-cat_1_{n}.png" for n in range(1, 8)]
    assert [each.path.read_bytes() for each in saved] == [png(n) for n in range(1, 8)]


def test_one_of_several_that_fails_does_not_take_the_others_along(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/1.png"], service.files["/files/3.png"] = png(1), png(3)
    service.files["/files/2.png"] = b"<html>"
    saved, failures = fetch.save_all([link(service, f"{n}.png") for n in (1, 2, 3)], Target(place), FIELDS)
    assert [each.path.name for each in saved] == ["a-cat_1_1.png", "a-cat_1_3.png"]
    assert len(failures) == 1
    assert link(service, "2.png") in failures[0].message
    assert len(list(place.iterdir())) == 2


def test_an_index_in_the_template_stands_where_it_was_asked_for(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/1.png"], service.files["/files/2.png"] = png(1), png(2)
    urls = [link(service, "1.png"), link(service, "2.png")]
    saved, _ = fetch.save_all(urls, Target(place, "{index}-{prompt}.{ext}"), FIELDS)
    assert [each.path.name for each in saved] == ["1-a-cat.png", "2-a-cat.png"]


def test_links_on_two_hosts_are_both_fetched(service: Service, fetch: Downloader, place: Path) -> None:
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


# -- what a killed process left ------------------------------------------------------------------------

LEFT = ".mj-4711-0123456789ab.part"


def test_a_part_that_nobody_writes_is_swept_away(place: Path) -> None:
    place.mkdir()
    (place / LEFT).write_bytes(b"x")
    sweep(place)
    assert nothing_left(place)


@pytest.mark.parametrize(
    "name",
    ["cat.png", ".mj-notes.part", ".mj-1-0123456789ab.part.png", "mj-1-0123456789ab.part", ".mj-1-x.part"],
)
def test_nothing_else_is_swept_away(place: Path, name: str) -> None:
    place.mkdir()
    (place / name).write_bytes(b"x")
    sweep(place)
    assert (place / name).exists()


def test_a_part_that_is_being_written_is_not_swept_away(
    service: Service, fetch: Downloader, place: Path
) -> None:
    seen: list[list[Path]] = []

    def meanwhile(_request: Received, reply: Reply) -> None:
        sweep(place)
        seen.append(list(place.iterdir()))
        reply.whole(PICTURE)

    get(fetch, scripted(service, meanwhile), place)
    ((part,),) = seen
    assert part.name.startswith(".mj-")
    assert [path.name for path in place.iterdir()] == [NAME]


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_a_part_that_another_process_writes_is_not_swept_away_until_that_is_killed(place: Path) -> None:
    place.mkdir()
    script = (
        "import sys, pathlib; from mjcli.downloads import _part_file\n"
        "with _part_file(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(place)],
        cwd=Path(downloads.__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        sweep(place)
        assert len(list(place.iterdir())) == 1
        writer.kill()
        writer.wait(30)
    assert len(list(place.iterdir())) == 1
    sweep(place)
    assert nothing_left(place)


def test_a_part_swept_away_before_it_was_locked_is_begun_anew(
    service: Service, fetch: Downloader, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, first = downloads._hold, iter([True])

    def late(path: Path, file: Any) -> bool:
        if next(first, False):
            sweep(place)
            assert nothing_left(place)
        return real(path, file)

    monkeypatch.setattr(downloads, "_hold", late)
    service.files["/files/cat.png"] = PICTURE
    get(fetch, link(service), place)
    assert (place / NAME).read_bytes() == PICTURE
    assert [path.name for path in place.iterdir()] == [NAME]


def test_a_file_system_without_locks_is_written_to_and_never_swept(
    service: Service, fetch: Downloader, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    service.files["/files/cat.png"] = PICTURE
    get(fetch, link(service), place)
    (place / LEFT).write_bytes(b"x")
    sweep(place)
    assert {path.name for path in place.iterdir()} == {NAME, LEFT}


def test_sweeping_follows_no_symlink_waits_for_no_pipe_and_needs_no_directory(tmp_path: Path) -> None:
    sweep(tmp_path / "nowhere")
    (tmp_path / "notes").write_text("mine")
    (tmp_path / LEFT).symlink_to(tmp_path / "notes")
    (tmp_path / LEFT.replace("4711", "4712")).mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / LEFT.replace("4711", "4713"))
    sweep(tmp_path)
    sweep(tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "mine"

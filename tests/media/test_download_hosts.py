"""Downloads from other hosts: what is sent to them, redirects, and refused addresses."""

from __future__ import annotations

import socket
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mjcli.errors import DownloadError
from mjcli.media import web
from mjcli.media.download import Downloader
from tests.support.downloads import IMAGE, NAME, get, link, no_pause, nothing_left, scripted
from tests.support.service import Service

# -- redirects and credentials -------------------------------------------------------------------------


def test_a_cookie_is_never_sent_back(service: Service, fetch: Downloader, tmp_path: Path) -> None:
    service.files["/files/cat.png"] = lambda _r, reply: reply.whole(
        IMAGE, headers={"set-cookie": "a=b; Path=/"}
    )
    get(fetch, link(service), tmp_path / "one")
    get(fetch, link(service), tmp_path / "two")
    assert len(service.gets()) == 2
    assert all("cookie" not in each.headers for each in service.gets())


def test_a_redirect_to_another_host_is_followed_without_a_referer_or_a_cookie(
    service: Service, fetch: Downloader, place: Path
) -> None:
    other = link(service, "there.png").replace("127.0.0.1", "localhost")
    service.files["/files/there.png"] = IMAGE
    url = scripted(
        service,
        lambda _r, reply: reply.whole(b"", 302, {"location": other, "set-cookie": "a=b; Path=/"}),
    )
    get(fetch, url, place)
    (there,) = service.gets("/files/there.png")
    assert there.headers["host"].startswith("localhost")
    assert not {"cookie", "referer", "authorization"} & set(there.headers)


def test_the_password_of_a_link_is_not_sent_to_the_target_of_a_redirect(
    service: Service, fetch: Downloader, place: Path
) -> None:
    service.files["/files/there.png"] = IMAGE
    other = link(service, "there.png").replace("127.0.0.1", "localhost")
    url = scripted(service, lambda _r, reply: reply.whole(b"", 302, {"location": other}))
    get(fetch, url.replace("http://", "http://user:password@"), place)
    assert "authorization" not in service.gets("/files/there.png")[0].headers


def test_a_relative_redirect_is_followed(service: Service, fetch: Downloader, place: Path) -> None:
    service.files["/files/there.png"] = IMAGE
    get(fetch, scripted(service, lambda _r, reply: reply.whole(b"", 307, {"location": "there.png"})), place)
    assert (place / NAME).read_bytes() == IMAGE


def test_endless_redirects_are_refused(service: Service, fetch: Downloader, place: Path) -> None:
    url = scripted(service, lambda _r, reply: reply.whole(b"", 302, {"location": "/files/cat.png"}))
    with pytest.raises(DownloadError):
        get(fetch, url, place)
    assert len(service.gets()) <= 20
    assert nothing_left(place)


# -- refused addresses ------------------------------------------------------------------------


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
def test_a_link_that_is_not_an_http_address_is_refused(fetch: Downloader, place: Path, url: str) -> None:
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
def test_a_malformed_redirect_is_refused(
    service: Service, fetch: Downloader, place: Path, location: str
) -> None:
    raw = b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: " + location.encode("latin-1") + b"\r\n\r\n"
    with pytest.raises(DownloadError):
        get(fetch, scripted(service, lambda _r, reply: reply.raw(raw)), place)
    assert nothing_left(place)


def test_a_redirect_without_a_location_is_an_error(service: Service, fetch: Downloader, place: Path) -> None:
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
        Downloader(allow_private=False, use_environment=False, sleep=no_pause) as fetch,
        pytest.raises(DownloadError) as caught,
    ):
        get(fetch, f"http://{host}:9/cat.png", place)
    assert "private" in caught.value.message
    assert nothing_left(place)


def test_nothing_is_sent_to_a_private_address(service: Service, place: Path) -> None:
    service.files["/files/cat.png"] = IMAGE
    with (
        Downloader(allow_private=False, use_environment=False, sleep=no_pause) as fetch,
        pytest.raises(DownloadError),
    ):
        get(fetch, link(service), place)
    assert not service.received


def test_a_redirect_to_a_private_address_is_refused(
    service: Service, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ipaddress

    real = web.addresses_of
    public = ipaddress.ip_address("93.184.216.34")
    # The first host counts as public, both when it is resolved and when it is connected to.
    lookups = count()
    monkeypatch.setattr(web, "addresses_of", lambda host: [public] if next(lookups) < 2 else real(host))
    service.files["/files/there.png"] = IMAGE
    url = scripted(service, lambda _r, reply: reply.whole(b"", 302, {"location": link(service, "there.png")}))
    with (
        Downloader(allow_private=False, use_environment=False, sleep=no_pause) as fetch,
        pytest.raises(DownloadError) as caught,
    ):
        get(fetch, url, place)
    assert "private" in caught.value.message
    assert len(service.gets("/files/cat.png")) == 1
    assert not service.gets("/files/there.png")


def test_a_name_that_is_rebound_after_the_check_reaches_no_private_address(
    service: Service, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.files["/files/cat.png"] = IMAGE
    lookups = count()
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host in ("rebind.example", b"rebind.example"):
            return real("93.184.216.34" if next(lookups) == 0 else "127.0.0.1", port, *rest, **more)
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = link(service).replace("127.0.0.1", "rebind.example")
    # Nothing may leave this machine in a test, so the public address cannot be connected to.
    real_connect = socket.create_connection

    def connect(address: Any, *rest: Any, **more: Any) -> Any:
        if address[0].startswith("93."):
            raise OSError("unreachable")
        return real_connect(address, *rest, **more)

    monkeypatch.setattr(socket, "create_connection", connect)
    with (
        Downloader(allow_private=False, use_environment=False, sleep=no_pause) as fetch,
        pytest.raises(DownloadError),
    ):
        get(fetch, url, place)
    assert not service.received
    assert nothing_left(place)

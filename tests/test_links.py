"""A look at links on real sockets: what is refused for certain, what is only doubted, and what is never asked."""

from __future__ import annotations

import ipaddress
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from mjcli import links
from mjcli.links import Look, look_at
from tests.cli.conftest import certificate_for
from tests.service import Received, Reply, Script, Service, png, serve
from tests.test_filetypes import WHOLE

PICTURES = {kind: WHOLE[kind] for kind in ("png", "jpg", "webp", "gif")}
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}


def look(url: str, **options: Any) -> Look:
    (found,) = look_at([url], **{"allow_private": True, "use_environment": False, **options})
    assert found.url == url
    assert (found.verdict == "good") == (found.reason == "")
    return found


def shown(service: Service, get: Script | bytes, head: Script | None = None, name: str = "x") -> str:
    """A link that answers GET and HEAD so; HEAD is 405 unless told otherwise."""
    path = f"/files/{name}"
    service.files[path] = get
    service.scripts[path] = head or (lambda _request, reply: reply.head(405, length=0))
    return f"{service.base_url}{path}"


def typed(data: bytes, content_type: str, status: int = 200) -> Script:
    return lambda _request, reply: reply.whole(data, status, {"content-type": content_type})


def asked(service: Service) -> list[str]:
    return [each.method for each in service.received]


# -- good ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [*TYPES.values(), "IMAGE/PNG; charset=binary"])
def test_a_head_that_says_picture_is_enough(service: Service, content_type: str) -> None:
    head: Script = lambda _r, reply: reply.head(200, {"content-type": content_type}, length=9)  # noqa: E731
    assert look(shown(service, b"", head)).verdict == "good"
    assert asked(service) == ["HEAD"]


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/html", ""])
def test_what_head_does_not_say_the_bytes_do(service: Service, kind: str, content_type: str) -> None:
    assert look(shown(service, typed(PICTURES[kind], content_type))).verdict == "good"
    assert asked(service) == ["HEAD", "GET"]
    assert service.gets()[0].headers["range"] == "bytes=0-1023"


@pytest.mark.parametrize("status", [200, 204, 301, 403, 404, 405, 500, 501])
def test_whatever_head_answers_the_get_decides(service: Service, status: int) -> None:
    head: Script = lambda _r, reply: reply.head(status, {"content-type": "text/html"}, length=0)  # noqa: E731
    assert look(shown(service, png(), head)).verdict == "good"


@pytest.mark.parametrize(
    "head",
    [
        lambda _r, reply: reply.reset(),
        lambda _r, reply: reply.close(),
        lambda _r, reply: reply.raw(b"what?\r\n\r\n"),
        lambda _r, reply: reply.json({"error": "a body, which HEAD has none of"}, 404),
    ],
    ids=["reset", "closed", "garbage", "body"],
)
def test_a_server_that_knows_no_head_is_asked_for_the_bytes(service: Service, head: Script) -> None:
    assert look(shown(service, png(), head)).verdict == "good"


def test_a_head_that_is_not_answered_leaves_time_for_the_bytes(service: Service) -> None:
    url = shown(service, png(), lambda _r, _reply: service.over.wait(30))
    assert look(url, seconds=2.0).verdict == "good"


def test_a_part_is_a_good_answer(service: Service) -> None:
    whole = png(5000)

    def part(_request: Received, reply: Reply) -> None:
        reply.whole(whole[:1024], 206, {"content-range": f"bytes 0-1023/{len(whole)}"})

    assert look(shown(service, part)).verdict == "good"


def test_the_rest_of_a_large_picture_is_not_read(service: Service) -> None:
    ended = threading.Event()

    def endless(_request: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(png(5000))
        try:
            while not service.over.wait(0.005):
                reply.send(b"x" * 65536)
        except OSError:
            ended.set()

    assert look(shown(service, endless)).verdict == "good"
    assert ended.wait(20)


def test_redirects_are_followed_to_the_picture(service: Service) -> None:
    there = shown(service, png(), name="there")
    moved: Script = lambda _r, reply: reply.whole(b"", 302, {"location": "/files/there"})  # noqa: E731
    assert look(shown(service, moved, moved)).verdict == "good"
    assert there


def test_links_are_told_in_the_order_asked_and_each_is_asked_once(service: Service) -> None:
    one, two = shown(service, png(), name="1"), shown(service, b"<html>", name="2")
    found = look_at([two, one, two, one], allow_private=True, use_environment=False)
    assert [each.url for each in found] == [two, one, two, one]
    assert [each.verdict for each in found] == ["refused", "good", "refused", "good"]
    assert len(service.gets()) == 2


def test_no_link_is_no_look() -> None:
    assert look_at([], allow_private=False, use_environment=False) == []


def test_five_links_are_looked_at_side_by_side(service: Service) -> None:
    together = threading.Barrier(5, timeout=20)

    def meet(_request: Received, reply: Reply) -> None:
        together.wait()
        reply.whole(png())

    urls = [shown(service, meet, name=str(n)) for n in range(5)]
    found = look_at(urls, allow_private=True, use_environment=False, seconds=20)
    assert {each.verdict for each in found} == {"good"}


# -- refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_picture_is_refused(service: Service, status: int) -> None:
    found = look(shown(service, typed(b"gone", "text/plain", status)))
    assert found.verdict == "refused"
    assert f"HTTP {status}" in found.reason


@pytest.mark.parametrize(
    ("data", "content_type", "said"),
    [
        (b"<!DOCTYPE html><title>A cat</title>", "text/html", "web page"),
        (b"\n <HTML>", "", "web page"),
        (b"<!-- hello --><div><svg></svg></div>", "text/html; charset=utf-8", "web page"),
        (b"", "image/png", "is empty"),
        (b"", "", "is empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "", "SVG"),
        (b"<?xml version='1.0'?>\n<svg/>", "image/svg+xml", "SVG"),
        (b"<?xml version='1.0'?>" + b" " * 2000 + b"<svg/>", "image/svg+xml", "SVG"),
        (b"%PDF-1.7 ...", "application/octet-stream", "PDF"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 20, "", "HEIC"),
        (b"\0\0\0\x18ftypavif" + b"\0" * 20, "image/png", "AVIF"),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 20, "video/mp4", "video"),
        (b"\x1aE\xdf\xa3" + b"\0" * 20, "", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "", "video"),
        (b"II*\0" + b"\0" * 20, "", "TIFF"),
        (b"MM\0*" + b"\0" * 20, "", "TIFF"),
        (b"BM" + b"\0" * 20, "", "BMP"),
        (b"\x01\x02\x03\x04" * 9, "video/quicktime", "video"),
        (b"\x01\x02\x03\x04" * 9, "image/tiff", "TIFF"),
        (b'{"error": "no"}', "application/json", "JSON"),
        (b"\x01\x02\x03\x04" * 9, "image/png", "no picture"),
        (b"\x01\x02\x03\x04" * 9, "", "no picture"),
        (b"\x89PN", "image/png", "no picture"),
    ],
)
def test_what_is_no_picture_is_refused_by_what_it_is(
    service: Service, data: bytes, content_type: str, said: str
) -> None:
    found = look(shown(service, typed(data, content_type)))
    assert found.verdict == "refused"
    assert said in found.reason


def test_a_range_that_cannot_be_had_is_of_an_empty_file_or_of_a_server_without_ranges(
    service: Service,
) -> None:
    def unranged(data: bytes) -> Script:
        return lambda request, reply: (
            reply.whole(b"", 416) if "range" in request.headers else reply.whole(data)
        )

    assert look(shown(service, unranged(b""), name="1")).reason.startswith("What it leads to is empty")
    assert look(shown(service, unranged(png()), name="2")).verdict == "good"


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "cat.png",
        "ftp://example.com/cat.png",
        "file:///etc/passwd",
        "data:image/png;base64,iVBOR",
        "javascript:alert(1)",
        "http://",
        "https:///cat.png",
        "http://[::1/cat.png",
        "http://example.com:port/",
        "http://example.com:99999999/",
        "http://a\x00b/",
        "http://a\nb/\x1b[31m",
        "http://" + "a" * 70000,
    ],
)
def test_what_is_no_address_at_all_is_refused(url: str) -> None:
    assert look(url, allow_private=False).verdict == "refused"


@pytest.mark.parametrize(
    "url",
    [
        "http://\udcff.invalid/",
        "http://exa mple.invalid/",
        "http://..invalid../",
        "http://" + "a" * 300 + ".invalid/x.png",
        "http://xn--zz.invalid/",
        "http://user:pass@.invalid:0/",
        "http://\u202eexample.invalid/\udcff?\udc00#\x7f",
        "http://%00.invalid/",
        "HTTP://INVALID.:80",
        "http://☃.invalid/☃",
        "http://0/",
    ],
)
def test_a_strange_address_never_raises(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert look(url, allow_private=False).verdict in ("refused", "doubtful")


# -- doubtful ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 405, 408, 418, 429, 500, 502, 503, 504, 304, 300])
def test_what_a_server_only_keeps_from_us_is_doubtful(service: Service, status: int) -> None:
    found = look(shown(service, lambda _r, reply: reply.whole(b"", status)))
    assert found.verdict == "doubtful"
    assert f"HTTP {status}" in found.reason


def test_redirects_without_end_are_doubtful(service: Service) -> None:
    again: Script = lambda _r, reply: reply.whole(b"", 302, {"location": "/files/x"})  # noqa: E731
    found = look(shown(service, again, again))
    assert found.verdict == "doubtful"
    assert "without end" in found.reason


@pytest.mark.parametrize(
    "location", ["ftp://example.com/x", "http://[::1/", "file:///etc/passwd", "http://a:b:c/", "https://"]
)
def test_a_redirect_that_leads_to_no_address_is_doubtful(service: Service, location: str) -> None:
    moved: Script = lambda _r, reply: reply.whole(b"", 302, {"location": location})  # noqa: E731
    assert look(shown(service, moved, moved)).verdict == "doubtful"


def test_a_name_that_nobody_knows_is_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = look("https://nowhere.invalid/cat.png", allow_private=False)
    assert found.verdict == "doubtful"
    assert "Name or service not known" in found.reason
    assert "Errno" not in found.reason


def test_a_port_where_nobody_listens_is_doubtful() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = look(f"http://127.0.0.1:{port}/cat.png")
    assert found.verdict == "doubtful"
    assert "refused" in found.reason


@pytest.mark.parametrize("data", [b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"])
def test_an_answer_that_breaks_off_or_is_none_is_doubtful(service: Service, data: bytes) -> None:
    def broken(_request: Received, reply: Reply) -> None:
        reply.raw(data)
        reply.close()

    found = look(shown(service, broken, broken))
    assert (found.verdict, found.reason) == ("doubtful", "The connection broke off.")


def test_a_certificate_that_nobody_has_signed_is_doubtful(tmp_path: Path) -> None:
    key, certificate = certificate_for(tmp_path, "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    try:
                        context.wrap_socket(connection, server_side=True)
                    except OSError:
                        connection.close()
            except OSError:
                pass

        threading.Thread(target=answer, daemon=True).start()
        found = look(f"https://127.0.0.1:{listener.getsockname()[1]}/cat.png")
        listener.shutdown(socket.SHUT_RDWR)
    assert (found.verdict, found.reason) == ("doubtful", "Its server's certificate is not valid.")


# -- time ----------------------------------------------------------------------------------------------


def dribble(ended: threading.Event) -> Script:
    def script(_request: Received, reply: Reply) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 400:
                reply.raw(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            ended.set()

    return script


def test_a_server_that_dribbles_is_given_up_in_time_and_left_in_peace(service: Service) -> None:
    ended = threading.Event()
    url = shown(service, dribble(ended), dribble(ended))
    begun = time.monotonic()
    found = look(url, seconds=0.5)
    assert time.monotonic() - begun < 5
    assert found.verdict == "doubtful"
    assert ended.wait(10)


def test_one_slow_link_takes_nothing_from_the_others(service: Service) -> None:
    wait: Script = lambda _r, _reply: service.over.wait(20)  # noqa: E731
    slow = shown(service, wait, wait, name="slow")
    good = shown(service, png(), name="good")
    found = look_at([slow, good], allow_private=True, use_environment=False, seconds=1.5)
    assert [each.verdict for each in found] == ["doubtful", "good"]


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        over.wait(20)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    begun = time.monotonic()
    found = look("https://slow.invalid/cat.png", seconds=0.3)
    over.set()
    assert time.monotonic() - begun < 5
    assert (found.verdict, found.reason) == ("doubtful", "There was no answer within 0.3 seconds.")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interruption_ends_the_look_at_once(service: Service) -> None:
    wait: Script = lambda _r, _reply: service.over.wait(60)  # noqa: E731
    url = shown(service, wait, wait)
    script = (
        "import sys; from mjcli.links import look_at\n"
        "look_at(sys.argv[1:], allow_private=True, use_environment=False, seconds=60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, url],
        cwd=Path(links.__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as looking:
        assert service.arrived.wait(30)
        begun = time.monotonic()
        looking.send_signal(signal.SIGINT)
        looking.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert looking.returncode != 0


# -- what is not asked, and not told -------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "2130706433",
        "127.1",
        "0.0.0.0",
    ],
)
def test_a_private_address_is_doubtful_where_the_api_is_elsewhere(host: str) -> None:
    found = look(f"http://{host}:9/cat.png", allow_private=False)
    assert found.verdict == "doubtful"
    assert "private address" in found.reason


def test_nothing_is_sent_to_a_private_address(service: Service) -> None:
    look(shown(service, png()), allow_private=False)
    assert not service.received


def test_nothing_is_sent_to_a_private_address_by_a_redirect(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked_for = links.addresses_of, count()
    public = ipaddress.ip_address("93.184.216.34")
    # The first host counts as public, when it is looked up and when it is connected to.
    monkeypatch.setattr(links, "addresses_of", lambda host: [public] if next(asked_for) < 3 else real(host))
    shown(service, png(), name="there")
    moved: Script = lambda _r, reply: reply.whole(b"", 302, {"location": "/files/there"})  # noqa: E731
    found = look(shown(service, moved, moved), allow_private=False)
    assert found.verdict == "doubtful"
    assert "private address" in found.reason
    assert [each.path for each in service.received] == ["/files/x"]


def test_a_name_that_changes_its_address_after_the_look_up_leads_nowhere_private(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked_for = socket.getaddrinfo, count()

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host in ("rebind.example", b"rebind.example"):
            return real("93.184.216.34" if next(asked_for) == 0 else "127.0.0.1", port, *rest, **more)
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(links._Visit, "_client", lambda _self, _url: httpx.Client(trust_env=False))
    url = shown(service, png()).replace("127.0.0.1", "rebind.example")
    found = look(url, allow_private=False)
    assert next(asked_for) > 1
    assert found.verdict == "doubtful"
    assert "private address" in found.reason
    assert not service.received


def test_a_host_learns_nothing_of_us_but_the_program(service: Service) -> None:
    set_cookie = {"set-cookie": "a=b; path=/", "location": "/files/there"}
    shown(service, png(), name="there")
    moved: Script = lambda _r, reply: reply.whole(b"", 302, set_cookie)  # noqa: E731
    look(shown(service, moved, moved))
    assert len(service.received) == 4
    for request in service.received:
        assert set(request.headers) <= {
            "host",
            "accept",
            "accept-encoding",
            "connection",
            "user-agent",
            "range",
        }
        assert request.headers["user-agent"].startswith("mj/")
        assert not request.data


@pytest.fixture
def proxy() -> Iterator[Service]:
    """What would be a proxy, and remembers what it was asked."""
    yield from serve()


def test_what_is_on_this_machine_is_not_asked_through_a_proxy(
    service: Service, proxy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
    monkeypatch.setenv("http_proxy", proxy.base_url)
    assert look(shown(service, png()), use_environment=True).verdict == "good"
    assert not proxy.received


def test_a_proxy_is_asked_for_what_is_elsewhere_though_it_is_on_this_machine(
    proxy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.base_url)
    monkeypatch.setattr(links, "addresses_of", lambda _host: [ipaddress.ip_address("93.184.216.34")])
    look("http://pictures.example/cat.png", allow_private=False, use_environment=True)
    assert len(proxy.received) == 2


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:9", "nonsense://x", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_doubtful(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.setattr(links, "addresses_of", lambda _host: [])
    assert look("http://pictures.example/cat.png", use_environment=True).verdict == "doubtful"

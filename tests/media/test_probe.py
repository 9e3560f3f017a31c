"""Link checks on real sockets: what is refused, what is doubtful, and which hosts are never contacted."""

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

import pytest

from mjcli.media import web
from mjcli.media.probe import LinkCheck, check_links
from tests.support.faraway import certificate_for
from tests.support.images import WHOLE, png
from tests.support.service import Received, Reply, Script, Service, serve
from tests.support.systems import posix

IMAGES = {kind: WHOLE[kind] for kind in ("png", "jpg", "webp", "gif")}
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}


def check(url: str, **options: Any) -> LinkCheck:
    (found,) = check_links([url], **{"allow_private": True, "use_environment": False, **options})
    assert found.url == url
    assert (found.verdict == "good") == (found.reason == "")
    return found


def serving(service: Service, get: Script | bytes, head: Script | None = None, name: str = "x") -> str:
    """A link whose GET and HEAD are answered like this; HEAD is 405 by default."""
    path = f"/files/{name}"
    service.files[path] = get
    service.scripts[path] = head or (lambda _request, reply: reply.head(405, length=0))
    return f"{service.base_url}{path}"


def typed(data: bytes, content_type: str, status: int = 200) -> Script:
    return lambda _request, reply: reply.whole(data, status, {"content-type": content_type})


def methods(service: Service) -> list[str]:
    return [each.method for each in service.received]


# -- good ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [*TYPES.values(), "IMAGE/PNG; charset=binary"])
def test_an_image_type_in_the_response_to_head_is_enough(service: Service, content_type: str) -> None:
    head: Script = lambda _r, reply: reply.head(200, {"content-type": content_type}, length=9)  # noqa: E731
    assert check(serving(service, b"", head)).verdict == "good"
    assert methods(service) == ["HEAD"]


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("content_type", ["application/octet-stream", "text/html", ""])
def test_the_bytes_decide_when_head_does_not(service: Service, kind: str, content_type: str) -> None:
    assert check(serving(service, typed(IMAGES[kind], content_type))).verdict == "good"
    assert methods(service) == ["HEAD", "GET"]
    assert service.gets()[0].headers["range"] == "bytes=0-1023"


@pytest.mark.parametrize("status", [200, 204, 301, 403, 404, 405, 500, 501])
def test_the_get_decides_whatever_the_status_of_head_is(service: Service, status: int) -> None:
    head: Script = lambda _r, reply: reply.head(status, {"content-type": "text/html"}, length=0)  # noqa: E731
    assert check(serving(service, png(), head)).verdict == "good"


@pytest.mark.parametrize(
    "head",
    [
        lambda _r, reply: reply.reset(),
        lambda _r, reply: reply.close(),
        lambda _r, reply: reply.raw(b"what?\r\n\r\n"),
        lambda _r, reply: reply.json({"error": "HEAD has no body"}, 404),
    ],
    ids=["reset", "closed", "garbage", "body"],
)
def test_a_server_that_does_not_know_head_gets_a_get(service: Service, head: Script) -> None:
    assert check(serving(service, png(), head)).verdict == "good"


@pytest.mark.slow
def test_a_head_without_a_response_leaves_time_for_the_get(service: Service) -> None:
    url = serving(service, png(), lambda _r, _reply: service.over.wait(30))
    assert check(url, seconds=2.0).verdict == "good"


def test_a_partial_response_is_good(service: Service) -> None:
    whole = png(5000)

    def part(_request: Received, reply: Reply) -> None:
        reply.whole(whole[:1024], 206, {"content-range": f"bytes 0-1023/{len(whole)}"})

    assert check(serving(service, part)).verdict == "good"


def test_the_rest_of_a_large_image_is_not_read(service: Service) -> None:
    ended = threading.Event()

    def endless(_request: Received, reply: Reply) -> None:
        reply.head(200)
        reply.send(png(5000))
        try:
            while not service.over.wait(0.005):
                reply.send(b"x" * 65536)
        except OSError:
            ended.set()

    assert check(serving(service, endless)).verdict == "good"
    assert ended.wait(20)


def test_redirects_are_followed_to_the_image(service: Service) -> None:
    there = serving(service, png(), name="there")
    moved: Script = lambda _r, reply: reply.whole(b"", 302, {"location": "/files/there"})  # noqa: E731
    assert check(serving(service, moved, moved)).verdict == "good"
    assert there


def test_results_are_in_the_order_given_and_each_link_is_fetched_once(service: Service) -> None:
    one, two = serving(service, png(), name="1"), serving(service, b"<html>", name="2")
    found = check_links([two, one, two, one], allow_private=True, use_environment=False)
    assert [each.url for each in found] == [two, one, two, one]
    assert [each.verdict for each in found] == ["refused", "good", "refused", "good"]
    assert len(service.gets()) == 2


def test_no_links_give_no_results() -> None:
    assert check_links([], allow_private=False, use_environment=False) == []


def test_five_links_are_checked_at_the_same_time(service: Service) -> None:
    together = threading.Barrier(5, timeout=20)

    def meet(_request: Received, reply: Reply) -> None:
        together.wait()
        reply.whole(png())

    urls = [serving(service, meet, name=str(n)) for n in range(5)]
    found = check_links(urls, allow_private=True, use_environment=False, seconds=20)
    assert {each.verdict for each in found} == {"good"}


# -- refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_image_is_refused(service: Service, status: int) -> None:
    found = check(serving(service, typed(b"gone", "text/plain", status)))
    assert found.verdict == "refused"
    assert f"HTTP {status}" in found.reason


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_link_that_has_expired_is_refused_with_its_date(service: Service, status: int) -> None:
    link = serving(service, typed(b"gone", "text/plain", status))
    found = check(f"{link}?ex=5f000000&is=5e000000&hm=a")
    assert found.verdict == "refused"
    assert found.reason == f"It expired at 2020-07-04 04:05 UTC (HTTP {status})."


def test_an_expired_link_that_still_leads_to_an_image_is_good(service: Service) -> None:
    assert check(f"{serving(service, png())}?ex=5f000000").verdict == "good"


@pytest.mark.parametrize("expiry", ["ffffffff", "f" * 40, "", "soon", "-5"])
def test_a_link_that_has_not_expired_is_not_said_to_have(service: Service, expiry: str) -> None:
    link = serving(service, typed(b"gone", "text/plain", 403))
    assert check(f"{link}?ex={expiry}").verdict == "doubtful"


@pytest.mark.parametrize(
    ("data", "content_type", "words"),
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
        (b"\x01\x02\x03\x04" * 9, "image/png", "not an image"),
        (b"\x01\x02\x03\x04" * 9, "", "not an image"),
        (b"\x89PN", "image/png", "not an image"),
    ],
)
def test_a_file_that_is_not_an_image_is_refused_by_its_format(
    service: Service, data: bytes, content_type: str, words: str
) -> None:
    found = check(serving(service, typed(data, content_type)))
    assert found.verdict == "refused"
    assert words in found.reason


def test_a_refused_range_is_followed_by_a_plain_get(
    service: Service,
) -> None:
    def unranged(data: bytes) -> Script:
        return lambda request, reply: (
            reply.whole(b"", 416) if "range" in request.headers else reply.whole(data)
        )

    assert check(serving(service, unranged(b""), name="1")).reason.startswith("It is empty")
    assert check(serving(service, unranged(png()), name="2")).verdict == "good"


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
def test_a_link_that_is_not_an_address_is_refused(url: str) -> None:
    assert check(url, allow_private=False).verdict == "refused"


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
    assert check(url, allow_private=False).verdict in ("refused", "doubtful")


# -- doubtful ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 405, 408, 418, 429, 500, 502, 503, 504, 304, 300])
def test_any_other_status_is_doubtful(service: Service, status: int) -> None:
    found = check(serving(service, lambda _r, reply: reply.whole(b"", status)))
    assert found.verdict == "doubtful"
    assert f"HTTP {status}" in found.reason


def test_endless_redirects_are_doubtful(service: Service) -> None:
    again: Script = lambda _r, reply: reply.whole(b"", 302, {"location": "/files/x"})  # noqa: E731
    found = check(serving(service, again, again))
    assert found.verdict == "doubtful"
    assert "redirects too many times" in found.reason


@pytest.mark.parametrize(
    "location", ["ftp://example.com/x", "http://[::1/", "file:///etc/passwd", "http://a:b:c/", "https://"]
)
def test_a_redirect_to_something_that_is_not_an_address_is_doubtful(service: Service, location: str) -> None:
    moved: Script = lambda _r, reply: reply.whole(b"", 302, {"location": location})  # noqa: E731
    assert check(serving(service, moved, moved)).verdict == "doubtful"


def test_an_unknown_host_is_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = check("https://nowhere.invalid/cat.png", allow_private=False)
    assert found.verdict == "doubtful"
    assert "name or service not known" in found.reason
    assert "Errno" not in found.reason


def test_a_refused_connection_is_doubtful() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = check(f"http://127.0.0.1:{port}/cat.png")
    assert found.verdict == "doubtful"
    assert found.reason == "It could not be checked (connection refused)."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"what?\r\n\r\n", "the response is not valid HTTP (illegal status line)"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "the connection was closed early"),
        (b"", "the connection was closed early"),
    ],
)
def test_a_response_that_is_cut_or_malformed_is_doubtful(service: Service, data: bytes, reason: str) -> None:
    def broken(_request: Received, reply: Reply) -> None:
        reply.raw(data)
        reply.close()

    found = check(serving(service, broken, broken))
    assert (found.verdict, found.reason) == ("doubtful", f"It could not be checked ({reason}).")


@pytest.mark.slow
def test_a_self_signed_certificate_is_doubtful(tmp_path: Path) -> None:
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
        found = check(f"https://127.0.0.1:{listener.getsockname()[1]}/cat.png")
        listener.shutdown(socket.SHUT_RDWR)
    assert found.verdict == "doubtful"
    assert "certificate verify failed: self" in found.reason


# -- time ----------------------------------------------------------------------------------------------


def dribble(service: Service, ended: threading.Event) -> Script:
    def script(_request: Received, reply: Reply) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 400:
                reply.raw(bytes([byte]))
                service.over.wait(0.05)
        except OSError:
            ended.set()

    return script


@pytest.mark.slow
def test_a_server_that_dribbles_is_abandoned_in_time(service: Service) -> None:
    ended = threading.Event()
    url = serving(service, dribble(service, ended), dribble(service, ended))
    started = time.monotonic()
    found = check(url, seconds=0.5)
    assert time.monotonic() - started < 5
    assert found.verdict == "doubtful"
    assert ended.wait(10)


@pytest.mark.slow
def test_one_slow_link_takes_no_time_from_the_others(service: Service) -> None:
    wait: Script = lambda _r, _reply: service.over.wait(20)  # noqa: E731
    slow = serving(service, wait, wait, name="slow")
    good = serving(service, png(), name="good")
    found = check_links([slow, good], allow_private=True, use_environment=False, seconds=1.5)
    assert [each.verdict for each in found] == ["doubtful", "good"]


@pytest.mark.slow
def test_a_silent_name_server_does_not_delay_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        over.wait(20)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    found = check("https://slow.invalid/cat.png", seconds=0.3)
    over.set()
    assert time.monotonic() - started < 5
    assert (found.verdict, found.reason) == (
        "doubtful",
        "It could not be checked (no response within 0.3 seconds).",
    )


@posix
def test_an_interruption_ends_the_check_at_once(service: Service) -> None:
    wait: Script = lambda _r, _reply: service.over.wait(60)  # noqa: E731
    url = serving(service, wait, wait)
    script = (
        "import sys; from mjcli.media.probe import check_links\n"
        "check_links(sys.argv[1:], allow_private=True, use_environment=False, seconds=60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, url],
        cwd=Path(web.__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as checking:
        assert service.arrived.wait(30)
        started = time.monotonic()
        checking.send_signal(signal.SIGINT)
        checking.communicate(timeout=30)
    assert time.monotonic() - started < 10
    assert checking.returncode != 0


# -- hosts that are not contacted, and what hosts learn -------------------------------------------------


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
def test_a_private_address_is_doubtful_when_the_api_is_elsewhere(host: str) -> None:
    found = check(f"http://{host}:9/cat.png", allow_private=False)
    assert found.verdict == "doubtful"
    assert "private address" in found.reason


def test_nothing_is_sent_to_a_private_address(service: Service) -> None:
    check(serving(service, png()), allow_private=False)
    assert not service.received


def test_nothing_is_sent_to_a_private_address_by_a_redirect(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lookups = web.addresses_of, count()
    public = ipaddress.ip_address("93.184.216.34")
    # The first host counts as public, when it is resolved and when it is connected to.
    monkeypatch.setattr(web, "addresses_of", lambda host: [public] if next(lookups) < 3 else real(host))
    serving(service, png(), name="there")
    moved: Script = lambda _r, reply: reply.whole(b"", 302, {"location": "/files/there"})  # noqa: E731
    found = check(serving(service, moved, moved), allow_private=False)
    assert found.verdict == "doubtful"
    assert "private address" in found.reason
    assert [each.path for each in service.received] == ["/files/x"]


def test_a_name_that_is_rebound_after_the_check_reaches_no_private_address(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lookups = socket.getaddrinfo, count()

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host in ("rebind.example", b"rebind.example"):
            return real("93.184.216.34" if next(lookups) == 0 else "127.0.0.1", port, *rest, **more)
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = serving(service, png()).replace("127.0.0.1", "rebind.example")
    found = check(url, allow_private=False)
    assert next(lookups) > 1
    assert found.verdict == "doubtful"
    assert "private address" in found.reason
    assert not service.received


def test_a_host_learns_only_the_name_of_the_program(service: Service) -> None:
    set_cookie = {"set-cookie": "a=b; path=/", "location": "/files/there"}
    serving(service, png(), name="there")
    moved: Script = lambda _r, reply: reply.whole(b"", 302, set_cookie)  # noqa: E731
    check(serving(service, moved, moved))
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
    """A server in place of a proxy, which records the requests."""
    yield from serve()


def test_a_host_on_this_machine_is_contacted_without_a_proxy(
    service: Service, proxy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
    monkeypatch.setenv("http_proxy", proxy.base_url)
    assert check(serving(service, png()), use_environment=True).verdict == "good"
    assert not proxy.received


def test_other_hosts_are_contacted_through_a_proxy_on_this_machine(
    proxy: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.base_url)
    monkeypatch.setattr(web, "addresses_of", lambda _host: [ipaddress.ip_address("93.184.216.34")])
    check("http://images.example/cat.png", allow_private=False, use_environment=True)
    assert len(proxy.received) == 2


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:9", "nonsense://x", "http://[::1"])
def test_an_unusable_proxy_is_doubtful(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.setattr(web, "addresses_of", lambda _host: [])
    assert check("http://images.example/cat.png", use_environment=True).verdict == "doubtful"

"""Addresses of callbacks: spellings, malformed ones, and which lead only to a private network."""

from __future__ import annotations

import pytest

from mjcli.errors import UsageError
from mjcli.jobs.addresses import bind_host, check_callback_url, is_private, path_of_public_url, url_host


@pytest.mark.parametrize(
    ("typed", "host", "in_url"),
    [
        ("[::1]", "::1", "[::1]"),
        ("0:0::1", "::1", "[::1]"),
        ("[::]", "::", "[::]"),
        ("fe80::1%eth0", "fe80::1%eth0", "[fe80::1%25eth0]"),
        ("[fe80::1%25eth0]", "fe80::1%eth0", "[fe80::1%25eth0]"),
        ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0", "0.0.0.0"),
        ("LocalHost", "localhost", "localhost"),
        ("my-host.example.com", "my-host.example.com", "my-host.example.com"),
    ],
)
def test_a_host_has_one_spelling(typed: str, host: str, in_url: str) -> None:
    assert bind_host(typed) == host
    assert url_host(host) == in_url


@pytest.mark.parametrize(
    "host",
    ["", "[", "[]", "[::1", "::1]", "[127.0.0.1]", "[::1]:80", "::1%", "fe80::1%a/b", "::1%a b", "999.1.1.1",
     "1.2.3.4.5", "a b", "a..b", "-a", "a-", "a:80", "http://a", "a/b", "*", "\u00e9", "a\n", "x" * 64],
)  # fmt: skip
def test_a_malformed_host_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="--host"):
        bind_host(host)


@pytest.mark.parametrize(
    "url",
    ["", "http://", "http:///a", "http:/h", "//h/a", "h", "ftp://h/", "https://h:0/", "https://h:/", "https://h:x/",
     "https://h:99999/", "https://h:8_0/", "http://[::1", "http://[zz]/", "http://::1/", "http://[::1]x/",
     "http://[127.0.0.1]/", "http://300.1.1.1/", "http://a..b/", "http://-a/", "http://.", "https://u@/",
     "https://h/a b", "https://h/\x1b", "https://h/\n", "https://h\\a", "https://\u00e9.com/", "https://h/#a"],
)  # fmt: skip
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--callback-url"):
        check_callback_url(url)
    with pytest.raises(UsageError, match="--public-url"):
        path_of_public_url(url)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "a.localhost", "printer", "nas.local", "127.0.0.1", "127.1", "0x7f.1", "2130706433",
     "0177.0.0.1", "127.0.0.1.", "0.0.0.0", "0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1",
     "224.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]",
     "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fec0::1]", "[64:ff9b:1::a00:1]", "[::127.0.0.1]",
     "[::ffff:0:127.0.0.1]", "hook.test", "a.invalid", "a.onion"],
)  # fmt: skip
def test_every_spelling_of_a_private_address_is_recognised(host: str) -> None:
    for url in (f"http://{host}/hook", f"https://u:p@{host}:8443/"):
        check_callback_url(url)
        assert is_private(url)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "8.8.8.8",
        "[2606:4700::1111]",
        "localhost.example.com",
        "my_host.example.com",
        "10.example.com",
    ],
)
def test_public_hosts_are_not_private(host: str) -> None:
    url = f"https://{host}/hook?a=1"
    check_callback_url(url)
    assert not is_private(url)

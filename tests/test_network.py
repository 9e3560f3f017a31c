"""Proxies and certificates of the environment: which are used for a link, and which cannot be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mjcli.errors import ConfigError
from mjcli.network import Proxies, certificates, is_exception


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("exceptions", "host"),
    [
        ("*", "api.example"),
        ("a.example, *", "api.example"),
        ("fd07::/64", "fd07::1"),
        ("[fd07::]/64", "fd07::1"),
        ("::1/128", "::1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[::1]:443", "::1"),
        ("10.0.0.0/8", "10.9.8.7"),
        ("10.1.2.3/8", "10.9.8.7"),
        ("10.9.8.7", "10.9.8.7"),
        ("10.9.8.7:443", "10.9.8.7"),
        ("example", "api.example"),
        (".example", "api.example"),
        (".api.example", "api.example"),
        ("*.example", "api.example"),
        ("API.Example.", "api.example"),
        ("api.example:443", "api.example"),
        ("https://api.example", "api.example"),
        ("other.example api.example", "api.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("http://[, a..b, \t,,::/999,[,🦆..,api.example", "api.example"),
    ],
)
def test_a_host_that_no_proxy_lists_is_connected_to_directly(exceptions: str, host: str) -> None:
    assert is_exception(exceptions, "https", host, None)


@pytest.mark.parametrize(
    ("exceptions", "host"),
    [
        ("", "api.example"),
        ("fd07::/64", "fd08::1"),
        ("fd07::/64", "10.0.0.1"),
        ("0.0.0.0/0", "api.example"),
        ("10.0.0.0/99", "10.0.0.1"),
        ("ample", "api.example"),
        ("www.api.example", "api.example"),
        ("api.example:8443", "api.example"),
        ("api.example:" + "9" * 5000, "api.example"),
        ("http://api.example", "api.example"),
        ("http://[", "api.example"),
        (".", "api.example"),
        ("\udcff", "api.example"),
    ],
)
def test_other_hosts_use_the_proxy(exceptions: str, host: str) -> None:
    assert not is_exception(exceptions, "https", host, None)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("proxy.example", "http://proxy.example"),
        ("proxy.example:3128/", "http://proxy.example:3128"),
        ("HTTP://proxy.example:3128", "http://proxy.example:3128"),
        ("http://user:p#s/s@1@proxy.example", "http://user:p%23s%2Fs%401@proxy.example"),
        ("http://user:p%23s@proxy.example", "http://user:p%23s@proxy.example"),
        ("http://user@[::1]:3128", "http://user@[::1]:3128"),
        ("http://bücher.example", "http://xn--bcher-kva.example"),
    ],
)
def test_the_address_of_a_proxy_is_completed_and_encoded(
    monkeypatch: pytest.MonkeyPatch, value: str, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert Proxies.of_environment().for_url("https://api.example/x") == address


@pytest.mark.parametrize(
    "value",
    [
        "http://[",
        "http://",
        "://",
        "http://:3128",
        "http://proxy.example:0",
        "http://proxy.example:99999",
        "http://proxy.example:port",
        "http://a..b",
        "http://a b",
        "http://" + "a" * 64,
        "ftp://proxy.example",
        "socks4://proxy.example",
        "socks://proxy.example",
        "http://[fd07::x]",
        "http://\udcff",
        "http://user:hidden@[",
        "user:hidden@",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_that_cannot_be_used_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str, variable: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as refused:
        Proxies.of_environment().for_url("https://api.example")
    assert f"({variable})" in refused.value.message
    assert "hidden" not in refused.value.message


def test_a_proxy_that_no_request_uses_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://[")
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    assert Proxies.of_environment().for_url("https://api.example") == "http://proxy.example"
    monkeypatch.setenv("NO_PROXY", "fd07::/64,api.example")
    assert Proxies.of_environment().for_url("http://api.example") is None


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "empty", "text"])
def test_a_certificate_file_that_cannot_be_used_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    import os

    path = tmp_path / "ca.pem"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind != "missing":
        path.write_text({"empty": "", "text": "no certificate"}[kind])
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        certificates(lambda: ssl.create_default_context(cafile=str(path)))


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_a_certificate_directory_without_certificates_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "certs"
    if kind == "file":
        path.write_text("")
    elif kind == "empty":
        path.mkdir()
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(path))
    with pytest.raises(ConfigError, match="SSL_CERT_DIR"):
        certificates(lambda: ssl.create_default_context(capath=str(path)))

"""Addresses, keys and values: which are valid, and how errors name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mjcli.errors import ConfigError, UsageError
from mjcli.settings.file import file_value, set_value, unset_value
from mjcli.settings.load import load_settings
from mjcli.settings.schema import check_base_url, check_files_url, is_loopback, origin
from tests.support.settings import write

# --- Addresses.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.acedata.cloud", "https://api.acedata.cloud"),
        ("https://api.acedata.cloud/", "https://api.acedata.cloud"),
        ("HTTPS://h:8443/a/b//", "HTTPS://h:8443/a/b"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("https://h/@x:y", "https://h/@x:y"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LocalHost", "http://LocalHost"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.255.3.4", "http://127.255.3.4"),
        ("http://[::1]:9/x/", "http://[::1]:9/x"),
    ],
)
def test_a_base_url_loses_its_trailing_slashes(url: str, expected: str) -> None:
    assert check_base_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.acedata.cloud",
        "ftp://h",
        "https://",
        "https:///x",
        "https://h:0",
        "https://h:65536",
        "https://h:",
        "https://h:x",
        "https://u@h",
        "https://u:secret@h",
        "https://h?x",
        "https://h/?x=1",
        "https://h/#f",
        "https://h#",
        "https://h/a b",
        "https://h\n",
        "https://hé",
        "https://h\\@evil",
        "https://[::1",
        "https://[:::]",
        "https://h/\\x",
        " https://h",
        "file:///etc/passwd",
    ],
)
def test_an_invalid_base_url_is_refused_and_not_echoed(url: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as caught:
        check_base_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "0.0.0.0",
        "10.0.0.1",
        "[2001:db8::1]",
        "128.0.0.1",
        "127.1",
        "127.0.0.01",
        "[::ffff:10.0.0.1]",
        "localhost@example.com",
        "xlocalhost",
    ],
)
def test_plain_http_to_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"unencrypted|user name|valid host"):
        check_base_url(f"http://{host}")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8000/x", True),
        ("https://LOCALHOST", True),
        ("http://127.255.3.4", True),
        ("http://[::1]:9/x", True),
        ("https://localhost.example.com", False),
        ("https://0.0.0.0", False),
        ("https://10.0.0.1", False),
        ("https://[::ffff:127.0.0.1]", False),
        ("https://127.1", False),
        ("https://example.com/127.0.0.1", False),
        ("no address", False),
    ],
)
def test_an_address_is_loopback_by_its_host_alone(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_an_origin_includes_the_default_port() -> None:
    assert origin("HTTPS://H/a") == origin("https://h:443/b") == ("https", "h", 443)
    assert origin("http://h")[2] == 80


# --- The file.


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("[profile.a]\n", "profile is unknown; did you mean profiles"),
        ("token = 'x'\n", "token is unknown"),
        ("[profiles.a]\ntokn = 'x'\n", r"profiles\.a\.tokn is unknown; did you mean token"),
        ("[profiles.a]\ntoken = 3\n", r"profiles\.a\.token must be a string"),
        ("[profiles.a]\ntoken_in = 'body'\n", r"profiles\.a\.token_in must be header or query"),
        ("[profiles]\na = 'x'\n", r"profiles\.a must be a table"),
        ("profiles = []\n", "profiles must be a table"),
        ("[defaults]\nmode = 'quick'\n", r"defaults\.mode must be fast, relax or turbo"),
        ("[defaults]\ndownload = 'yes'\n", r"defaults\.download must be true or false"),
        ("[defaults]\ndownload = 1\n", r"defaults\.download must be true or false"),
        ("[defaults]\noutput = ''\n", r"defaults\.output must be a path"),
        ("[defaults]\ndownlod = true\n", r"defaults\.downlod is unknown; did you mean download"),
        ("[presets.p]\nsuffix = 1\n", r"presets\.p\.suffix must be a string"),
        ("[presets.p]\nprefix = ''\n", r"presets\.p\.prefix is unknown"),
        ("[presets]\np = '--ar 1:1'\n", r"presets\.p must be a table"),
        ("[defaults]\nmode = 'fast'\nmode = 'fast'\n", "not valid TOML.*line 3"),
        ("[defaults]\nmode =\n", "not valid TOML.*line 2"),
        ("[defaults]\nmode = 'fa", "not valid TOML"),
        ("x = " + "[" * 100_000, "not valid TOML"),
    ],
)
def test_an_error_in_the_file_is_reported_with_its_place(
    environ: dict[str, str], file: Path, text: str, reported: str
) -> None:
    write(file, text)
    with pytest.raises(ConfigError, match=reported) as caught:
        load_settings(environ)
    assert str(file) in str(caught.value)


# --- Keys and values.


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("mode", "did you mean defaults.mode"),
        ("suffix", "did you mean defaults.suffix or presets.NAME.suffix"),
        ("defaults.mod", "did you mean defaults.mode"),
        ("base-url", "did you mean base_url"),
        ("zzz", "the settings are base_url, token_in"),
        ("defaults", "did you mean|the settings are"),
        ("presets..suffix", "The name in"),
        ("profiles.sandbox.base_url", "The name in"),
        ("", "the settings are"),
    ],
)
def test_an_unknown_key_is_refused_and_similar_keys_are_suggested(
    file: Path, key: str, suggestion: str
) -> None:
    with pytest.raises(UsageError, match=suggestion):
        set_value(file, key, "x", profile="default")
    with pytest.raises(UsageError, match=suggestion):
        unset_value(file, key, profile="default")
    with pytest.raises(UsageError, match=suggestion):
        file_value(file, key)
    assert not file.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("defaults.mode", "quick"),
        ("defaults.download", "yes"),
        ("defaults.output", ""),
        ("token_in", "body"),
        ("base_url", "http://example.com"),
        ("files_url", "http://example.com/files/"),
        ("presets.p.suffix", "\udcff"),
        ("defaults.output", "a\0b"),
    ],
)
def test_an_invalid_value_is_refused_and_its_key_is_named(file: Path, key: str, value: str) -> None:
    with pytest.raises(UsageError, match=key):
        set_value(file, key, value, profile="default")
    assert not file.exists()


@pytest.mark.parametrize(
    "host",
    [
        "a..b",
        ".a",
        "a.",
        ".",
        "-",
        "-a.b",
        "a-.b",
        "a" * 64,
        ".".join(["a" * 60] * 5),
        "[::1",
        "[::x]",
        "::1",
        "a b",
        "a:99999",
        "a:0",
        "a:",
        "a:b",
        ":443",
        "bücher.example",
        "xn--a",
        "1.2.3",
        "256.1.1.1",
        "a.1",
        "0x7f.0x1",
        "a/" + "x" * 3000,
    ],
)
def test_a_host_that_dns_cannot_carry_is_refused(host: str) -> None:
    for check in (check_base_url, check_files_url):
        with pytest.raises(ValueError, match=r"^must "):
            check(f"https://{host}")

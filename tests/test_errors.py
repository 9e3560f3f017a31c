"""The reason of a failed connection or file operation, and stops that other exceptions hide."""

from __future__ import annotations

import httpx
import pytest

from mjcli import __main__
from mjcli.errors import Interrupted, MjError, reason_of, stops_shown
from tests.support.stops import wait_and_be_stopped


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "connection refused"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "name or service not known"),
        (httpx.ConnectError("All connection attempts failed."), "all connection attempts failed"),
        (
            httpx.ConnectError(
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
            ),
            "certificate verify failed: self-signed certificate",
        ),
        (httpx.ConnectTimeout("timed out"), "timed out"),
        (httpx.ReadTimeout("The read operation timed out"), "timed out"),
        (TimeoutError(), "timed out"),
        (httpx.ReadError(""), "ReadError"),
        (
            httpx.RemoteProtocolError("Server disconnected without sending a response."),
            "the connection was closed early",
        ),
        (
            httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
            "the connection was closed early",
        ),
        (
            httpx.RemoteProtocolError("illegal status line: bytearray(b'HTTP 200')"),
            "the response is not valid HTTP (illegal status line)",
        ),
        (PermissionError(13, "Permission denied"), "permission denied"),
        (OSError(28, "No space left on device", "/a"), "no space left on device"),
        (ValueError("embedded null byte"), "embedded null byte"),
        (OSError("SOCKS error."), "SOCKS error"),
        (OSError("[Errno broken"), "OSError"),
        (OSError("[1] x"), "[1] x"),
    ],
)
def test_the_reason_fits_inside_a_sentence(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_stop_that_keeps_a_lock_from_being_taken_again_is_shown() -> None:
    with pytest.raises(RuntimeError):
        wait_and_be_stopped()
    with pytest.raises(Interrupted), stops_shown():
        wait_and_be_stopped()


@pytest.mark.parametrize("error", [RuntimeError("no memory"), MjError("no job")])
def test_an_exception_that_hides_no_stop_is_raised_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, stops_shown():
        raise error
    assert caught.value is error


def test_a_hidden_stop_ends_the_program_as_a_stop_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "_invoke", lambda *_: wait_and_be_stopped())
    monkeypatch.setattr(__main__, "_catch_signals", lambda _: None)
    assert __main__.main(["history"]) == 130

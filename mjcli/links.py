"""A look at links that shall be image prompts, before a job is paid for that cannot use them.

The service fetches each link itself, and wants the picture rather than a page that shows it (api.md,
"Endpoints"). What is certainly none is refused; where the network leaves a doubt, it is the user's to judge.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import httpx

from mjcli.addresses import addresses_of, on_connecting, private_among
from mjcli.anonymous import SETUP_ERRORS, Anonymous
from mjcli.filetypes import PICTURES, extension_of, is_picture_type, name_of_other, size_of

SECONDS = 3.0
REDIRECTS = 5
HEAD_SHARE = 0.5  # of the time: a server that does not answer HEAD must leave some for the GET
WANTED = 1024  # bytes, which tell what a file is
MEASURED = 256 * 1024  # bytes, within which a picture has told its size, however much stands before it
TAKEN = "PNG, JPEG, WebP or GIF"

Verdict = Literal["good", "refused", "doubtful"]


class Look(NamedTuple):
    """What a look at a link showed; `reason` is one sentence, empty for a good one."""

    url: str
    verdict: Verdict
    reason: str


class _Refused(Exception):
    """Certainly no picture that the service could use."""


class _Doubtful(Exception):
    """Nobody can tell from here."""


def look_at(
    urls: Sequence[str], *, allow_private: bool, use_environment: bool, seconds: float = SECONDS
) -> list[Look]:
    """Look at links, all at the same time, each once; one `Look` for each, in the order given.

    Never raises for a link, whatever it is. `seconds` is for all of it together. Nothing is sent to
    private addresses unless `allow_private`, which is right only when the API itself is on this machine.
    """
    found: dict[str, Look] = {}
    arrived = threading.Condition()
    visit = _Visit(allow_private, use_environment, time.monotonic() + seconds)

    def work(url: str) -> None:
        look = visit.look(url)
        with arrived:
            found[url] = look
            arrived.notify()

    wanted = list(dict.fromkeys(urls))
    try:
        for url in wanted:
            # Daemons, so that neither Ctrl-C nor the end of the program waits for a name server.
            threading.Thread(target=work, args=(url,), daemon=True).start()
        with arrived:
            while len(found) < len(wanted) and visit.left() > 0:
                arrived.wait(visit.left())
            looks = dict(found)
    finally:
        visit.end()
    late = f"There was no answer within {seconds:g} seconds."
    return [looks.get(url) or Look(url, "doubtful", late) for url in urls]


def measure(
    url: str, *, allow_private: bool, use_environment: bool, seconds: float = SECONDS
) -> tuple[int, int] | None:
    """Width and height in pixels of the picture behind a link; None when they cannot be told in that time.

    Never raises for a link; the rest is as in `look_at`.
    """
    visit = _Visit(allow_private, use_environment, time.monotonic() + seconds)
    over = threading.Timer(seconds, visit.end)
    over.daemon = True
    over.start()
    try:
        return visit.size(url)
    except Exception:  # as in `look`: it may be anything
        return None
    finally:
        over.cancel()
        visit.end()


class _Visit:
    """The connections of one call, and the moment (of `time.monotonic`) when it is over."""

    def __init__(self, allow_private: bool, use_environment: bool, deadline: float) -> None:
        self._allow_private, self._deadline = allow_private, deadline
        self._lock = threading.Lock()
        # What a server wrongly sends behind its answer to HEAD must not be taken for the next answer.
        alone = httpx.Limits(max_keepalive_connections=0)
        self._clients = Anonymous(allow_private=allow_private, use_environment=use_environment, limits=alone)
        self._streams: list[Any] = []
        self._ended = False

    def left(self) -> float:
        """Seconds that are left."""
        return self._deadline - time.monotonic()

    def end(self) -> None:
        """Break off what is still under way, also where a server sends a byte now and then for ever."""
        with self._lock:
            self._ended = True
            streams = list(self._streams)
        for stream in streams:
            _shut(stream)

    def look(self, url: str) -> Look:
        """The look at one link."""
        try:
            self._look(url)
        except _Refused as error:
            return Look(url, "refused", str(error))
        except _Doubtful as error:
            return Look(url, "doubtful", str(error))
        except httpx.TimeoutException:
            return Look(url, "doubtful", "There was no answer in time.")
        except httpx.HTTPError as error:
            return Look(url, "doubtful", _why_not(error))
        except Exception as error:  # a link may be anything, and a look must not cost a job
            return Look(url, "doubtful", f"It could not be looked at ({type(error).__name__}).")
        return Look(url, "good", "")

    def size(self, url: str) -> tuple[int, int] | None:
        """Width and height of the picture behind a link; raises what httpx does, and more."""
        head = b""
        with self._open("GET", _address(url), {"range": f"bytes=0-{MEASURED - 1}"}) as response:
            for piece in response.iter_bytes() if response.is_success else ():
                head += piece
                found = size_of(head)
                if found is not None or len(head) >= MEASURED:
                    return found
        return None

    def _look(self, url: str) -> None:
        """Return for a picture; raise `_Refused`, `_Doubtful` or what httpx does for anything else."""
        address = _address(url)
        with (
            # A server that knows no HEAD may do anything to it.
            contextlib.suppress(httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError),
            self._open("HEAD", address, share=HEAD_SHARE) as response,
        ):
            if response.is_success and is_picture_type(response.headers.get("content-type", "")):
                return
        ranged = {"range": f"bytes=0-{WANTED - 1}"}
        with self._open("GET", address, ranged) as response:
            if response.status_code != 416:
                _judge(response)
                return
        with self._open("GET", address) as response:  # of an empty file there is no such part
            _judge(response)

    @contextlib.contextmanager
    def _open(
        self, method: str, url: httpx.URL, headers: Mapping[str, str] | None = None, *, share: float = 1.0
    ) -> Iterator[httpx.Response]:
        """The response behind a link, redirects followed and each address looked at first."""
        for _ in range(REDIRECTS + 1):
            self._check(url.host)
            left = self.left()
            if left <= 0:
                raise _Doubtful("There was no answer in time.")
            with self._client(url).stream(
                method,
                url,
                headers=headers,
                timeout=httpx.Timeout(left, read=left * share),
                extensions={"trace": self._watch(url.raw_host.decode("ascii"))},
            ) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = _redirected(url, response.headers["location"])
        raise _Doubtful("It redirects without end.")

    def _check(self, host: str) -> None:
        if self._allow_private:
            return
        private = private_among(addresses_of(host))
        if private is not None:
            raise _Doubtful(f"It leads to the private address {private}, where the service cannot reach it.")

    def _watch(self, host: str) -> Any:
        """httpcore's trace extension: looks at where a connection leads, and keeps it, so that it can be ended."""
        check = on_connecting(host, self._check)

        def trace(event: str, info: Mapping[str, Any]) -> None:
            check(event, info)
            if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                with self._lock:
                    self._streams.append(info["return_value"])
                    ended = self._ended
                if ended:
                    _shut(info["return_value"])

        return trace

    def _client(self, url: httpx.URL) -> httpx.Client:
        try:
            return self._clients.client(url)
        except SETUP_ERRORS as error:
            raise _Doubtful(f"The connection cannot be set up ({error}).") from error


def _address(url: str) -> httpx.URL:
    """A link as an address. Raises `_Refused` for one that nobody can fetch."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise _Refused("It cannot be read as an address.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 1) > 65535:
        raise _Refused("It is no http or https address.")
    return parsed


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return _address(str(url.join(location)))
    except (_Refused, httpx.InvalidURL, ValueError):
        raise _Doubtful("It redirects to something that is no http or https address.") from None


def _judge(response: httpx.Response) -> None:
    """Return for a picture; raise `_Refused` or `_Doubtful` for anything else."""
    status = response.status_code
    if status in (404, 410):
        raise _Refused(f"There is nothing behind it (HTTP {status}).")
    if not response.is_success:
        raise _Doubtful(f"Its server does not show it to mj (HTTP {status}).")
    head = _head(response)
    if extension_of(head) in PICTURES:
        return
    what = name_of_other(head, response.headers.get("content-type", ""))
    if what == "a web page":
        raise _Refused("It leads to a web page; the service wants the picture itself.")
    what = f"is {what}" if what else "is no picture of a known kind"
    raise _Refused(f"What it leads to {what}; the service takes {TAKEN}.")


def _head(response: httpx.Response) -> bytes:
    """The first bytes of the body; the rest is not read."""
    head = b""
    for piece in response.iter_bytes():
        head += piece
        if len(head) >= WANTED:
            break
    return head[:WANTED]


def _why_not(error: httpx.HTTPError) -> str:
    if "CERTIFICATE" in str(error):
        return "Its server's certificate is not valid."
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return "The connection broke off."
    text = str(error)
    if text.startswith("[Errno"):  # the number says nothing to people
        text = text.partition("] ")[2]
    text = text.strip().rstrip(".") or type(error).__name__
    return f"It could not be reached ({text})."


def _shut(stream: Any) -> None:
    connection = stream.get_extra_info("socket")
    with contextlib.suppress(OSError, TypeError):
        # The plain socket's method: an SSL socket's own would forget its session under the reader.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)

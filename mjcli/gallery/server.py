"""The live page on the loopback interface: changes as server-sent events, and actions that the browser asks for."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from mjcli.errors import MjError
from mjcli.gallery.access import HOST, Access
from mjcli.gallery.collection import Shown
from mjcli.gallery.entries import Media, media_of
from mjcli.gallery.page import POLICY, STATIC, Page, html, static
from mjcli.gallery.thumbnails import Thumbnails

SECONDS = 30.0  # for a request to arrive
BEAT_SECONDS = 15.0  # between signs of life in a stream of events
FOLLOW_SECONDS = 0.4  # between looks at the ledger
LARGEST = 4096  # bytes of a body
BLOCK = 256 * 1024  # bytes of a file that are sent at a time
MOST_STREAMS = 16  # open at the same time

_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "mp4": "video/mp4",
}
_FILE = re.compile(r"(images|thumbs)/(\d{1,18})/(\d{1,3})")
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_FOREVER = "private, max-age=31536000, immutable"
_ENTRANCE = {
    "/enter": "text/html; charset=utf-8",
    "/enter.js": STATIC["gallery.js"],
    "/gallery.css": STATIC["gallery.css"],
    "/icon.svg": STATIC["icon.svg"],
}


class Actor(Protocol):
    """What runs the actions of the page. Methods raise `MjError`, whose sentence the page shows."""

    def price(self, uuid: str, action: str) -> Mapping[str, object]:
        """What an action costs, and whether it may be started."""

    def start(self, uuid: str, action: str, key: str, price: object) -> None:
        """Start an action under a key, for the price that was confirmed."""

    def star(self, uuid: str, *, on: bool) -> None:
        """Give a job a star, or take it away."""


class Site(NamedTuple):
    """What the server shows. `page` makes the page from what is shown now."""

    shown: Shown
    thumbnails: Thumbnails
    actor: Actor
    page: Callable[[], Page]


class Server(ThreadingHTTPServer):
    """Serves the page at a port of the loopback interface, 0 picks a free one. Raises `OSError`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, site: Site, *, port: int, warn: Callable[[str], None]) -> None:
        super().__init__((HOST, port), _Handler)
        self.site, self._warn = site, warn
        self.access = Access(self.server_address[1])
        self.closing = threading.Event()
        self.streams = threading.BoundedSemaphore(MOST_STREAMS)

    def start(self) -> None:
        """Serve and follow the ledger, in threads of their own."""
        threading.Thread(target=self.serve_forever, name="gallery", daemon=True).start()
        threading.Thread(target=self._follow, name="ledger", daemon=True).start()

    def stop(self) -> None:
        """Stop serving and following."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def _follow(self) -> None:
        """Read the changes of the ledger until the server is closed."""
        failed = False
        while not self.closing.wait(FOLLOW_SECONDS):
            try:
                self.site.shown.refresh()
                failed = False
            except MjError as error:
                if not failed:
                    self._warn(error.sentence)
                failed = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that went away is normal, and other failures are answered with a status."""


class _Refused(Exception):
    """A request that is refused: its status, and a sentence for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mj", ""
    timeout = SECONDS

    def do_GET(self) -> None:
        """Answer a request for a page, a file, a price, or events."""
        self._answer(self._get)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Admit a browser, start an action, or set a star."""
        self._answer(self._post)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request for this page as everything else."""
        self.close_connection = True
        self._send_json({"message": f"{message or 'The request cannot be understood'}."}, code)

    def log_message(self, *_: object) -> None:
        """Nothing: the terminal belongs to the person at it."""

    def _answer(self, handle: Callable[[str, str], None]) -> None:
        self._headers = {name.lower(): value for name, value in self.headers.items()}
        parts = urlsplit(self.path)
        try:
            if not self.server.access.is_own_host(self._headers):
                raise _Refused(403, "Open the address that mj gallery shows.")
            handle(unquote(parts.path), parts.query)
        except _Refused as refusal:
            self._send_json({"message": refusal.message}, refusal.status)
        except MjError as error:
            self._send_json({"message": error.sentence}, 409)
        except (BrokenPipeError, ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:  # in one request; the others go on
            self.close_connection = True
            self._send_json({"message": "An internal error in mj gallery."}, 500)

    # -- GET ---------------------------------------------------------------------------------------

    def _get(self, path: str, query: str) -> None:
        if path in _ENTRANCE:
            name = "enter.html" if path == "/enter" else path[1:]
            self._send(static(name), _ENTRANCE[path])
            return
        name = self._admitted(path)
        if name == "":
            self._send(html(self.server.site.page()), "text/html; charset=utf-8")
        elif name in STATIC:
            self._send(static(name), STATIC[name])
        elif name == "events":
            self._stream(_number(query, "since"))
        elif name == "price":
            fields = parse_qs(query)
            job, action = (fields.get(each, [""])[0] for each in ("job", "action"))
            self._send_json(self.server.site.actor.price(job, action))
        elif found := _FILE.fullmatch(name):
            self._send_media(found[1], int(found[2]), int(found[3]))
        else:
            raise _Refused(404, "There is no such page.")

    def _admitted(self, path: str) -> str:
        """The rest of the path of a request that may be answered. Raises `_Refused`."""
        access = self.server.access
        if not path.startswith(access.path) or not access.is_admitted(self._headers):
            raise _Refused(
                403, "This page needs the address that mj gallery shows, which works once. Run it again."
            )
        return path.removeprefix(access.path)

    def _send_media(self, kind: str, number: int, index: int) -> None:
        job = self.server.site.shown.job(number)
        media = media_of(job) if job is not None else []
        if index >= len(media):
            raise _Refused(404, "The file is not there.")
        each: Media = media[index]
        if kind == "images":
            self._send_file(each.path, _TYPES[each.kind])
            return
        thumbnail = self.server.site.thumbnails.of(each.path, each.digest)
        if thumbnail is None:
            raise _Refused(404, "The picture cannot be decoded.")
        self._send_file(thumbnail, "image/webp")

    def _send_file(self, path: Path, kind: str) -> None:
        try:
            file = path.open("rb")
        except OSError:
            raise _Refused(404, "The file is not there.") from None
        with file:
            size = file.seek(0, 2)
            first, last = 0, size - 1
            found = _RANGE.fullmatch(self._headers.get("range", ""))
            if found and int(found[1]) < size:
                first, last = int(found[1]), min(int(found[2] or last), last)
            partial = found is not None and first <= last and (first, last) != (0, size - 1)
            if not partial:
                first, last = 0, size - 1
            headers = {"Accept-Ranges": "bytes", "Cache-Control": _FOREVER}
            if partial:
                headers["Content-Range"] = f"bytes {first}-{last}/{size}"
            self._head(206 if partial else 200, kind, last - first + 1, headers)
            file.seek(first)
            left = last - first + 1
            while left > 0 and self.command != "HEAD" and (block := file.read(min(BLOCK, left))):
                self.wfile.write(block)
                left -= len(block)
            if left and self.command != "HEAD":
                self.close_connection = True

    def _stream(self, version: int) -> None:
        """Send changes as they happen, until the browser goes away or the server is closed."""
        if self.command == "HEAD" or not self.server.streams.acquire(blocking=False):
            raise _Refused(429, "Too many pages are open.")
        try:
            self.close_connection = True
            self._head(200, "text/event-stream", None, {"Cache-Control": "no-store"})
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            self._event("hello", {})
            waited = 0.0
            while not self.server.closing.is_set():
                changes = self.server.site.shown.wait(version, 1.0)
                waited += 1.0
                if changes.entries:
                    version, waited = changes.version, 0.0
                    self._event("changes", changes._asdict())
                elif waited >= BEAT_SECONDS:
                    waited = 0.0
                    self.wfile.write(b":\n\n")
            self._event("bye", {})
        finally:
            self.server.streams.release()

    def _event(self, name: str, document: object) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(document)}\n\n".encode())

    # -- POST --------------------------------------------------------------------------------------

    def _post(self, path: str, _query: str) -> None:
        body = self._body()
        if not self.server.access.is_own_origin(self._headers):
            raise _Refused(403, "The request comes from another page.")
        if path == "/enter":
            self._enter(body.decode("utf-8", "replace"))
            return
        name, actor = self._admitted(path), self.server.site.actor
        fields = self._fields(body)
        job, action, key = (fields.get(each) for each in ("job", "action", "key"))
        if not isinstance(job, str):
            raise _Refused(400, "The request names no job.")
        if name == "star":
            actor.star(job, on=fields.get("on") is True)
            self.server.site.shown.forget()
        elif name == "act" and isinstance(action, str) and isinstance(key, str):
            actor.start(job, action, key, fields.get("price"))
        else:
            raise _Refused(404, "There is no such action.")
        self._send_json({"success": True})

    def _enter(self, code: str) -> None:
        cookie = self.server.access.admit(code)
        if cookie is None:
            raise _Refused(403, "This address has been used. Run mj gallery again for a new one.")
        self._send_json({"path": self.server.access.path}, headers={"Set-Cookie": cookie})

    def _body(self) -> bytes:
        length = self._headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True  # the body is not read
            raise _Refused(413, "The request is too large, or does not state its length.")
        return self.rfile.read(int(length))

    def _fields(self, body: bytes) -> dict[str, Any]:
        if self._headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise _Refused(415, "The request is not JSON.")
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise _Refused(400, "The request is not a JSON object.")
        return document

    # -- responses ---------------------------------------------------------------------------------

    def _head(
        self, status: int, kind: str, length: int | None, more: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            **(more or {}),
        }
        if length is not None:
            headers["Content-Length"] = str(length)
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(
        self, body: bytes, kind: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self._head(status, kind, len(body), headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_json(
        self, document: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self._send(json.dumps(document).encode(), "application/json", status, headers)


def _number(query: str, name: str) -> int:
    text = parse_qs(query).get(name, ["0"])[0]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0

"""One connection of the sandbox's HTTP server."""

from __future__ import annotations

import hmac
import http.server
import json
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from . import fields, platform, results
from .fields import RefusalError
from .files import UPLOAD_LIMIT, File, byte_range
from .server import Server
from .serving import server_header
from .store import Job

BODY_LIMIT = 20 * 1024 * 1024  # bytes
_UPLOAD_BODY_LIMIT = UPLOAD_LIMIT + 64 * 1024  # the file and the multipart syntax around it
_DRAIN_LIMIT = 8 * BODY_LIMIT
_UPLOAD_PATH, _PLATFORM_UPLOAD_PATH = "/files/upload", "/api/v1/files"
_UPLOAD_PATHS = (_UPLOAD_PATH, _PLATFORM_UPLOAD_PATH)
_UPLOAD_DAYS = 7  # that the link of an upload lives
_CODES = {404: "no_api", 405: "bad_request", 500: "api_error", 501: "api_not_implemented"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Reads requests, passes them to the endpoints, and sends the responses: waiting, streaming or immediate."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    error_content_type = "application/json"

    def setup(self) -> None:
        super().setup()
        self.trace_id = str(uuid.uuid4())
        self.body_is_read, self.has_responded = True, False
        self.server.add_connection(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.remove_connection(self.connection)

    def version_string(self) -> str:
        return server_header(self.server.server_id)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing: standard error belongs to the program around the sandbox."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    # -- requests

    def do_POST(self) -> None:
        self._handle(self._post)

    def do_GET(self) -> None:
        self._handle(self._get)

    do_HEAD = do_GET  # noqa: N815

    def do_PUT(self) -> None:
        self._handle(self._refuse_method)

    do_DELETE = do_PATCH = do_OPTIONS = do_PUT  # noqa: N815

    def _handle(self, respond: Callable[[], None]) -> None:
        self.trace_id = str(uuid.uuid4())
        # http.server merges slashes at the start of a path, but video links begin with two.
        path, _, self.query = self.requestline.split(" ")[1].partition("?")
        if path.startswith(("http://", "https://")):
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        self.url_path = path
        self.body_is_read = self.has_responded = False
        try:
            respond()
        except RefusalError as refusal:
            self._refuse(refusal)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception as error:
            # A full disk or a bug in the sandbox.
            if self.has_responded:
                raise
            message = f"sandbox: {type(error).__name__}: {error}"
            self._refuse(RefusalError(500, "api_error", message))

    def send_response(self, code: int, message: str | None = None) -> None:
        self.has_responded = True
        super().send_response(code, message)

    def _refuse(self, refusal: RefusalError) -> None:
        if not self.body_is_read:
            self._drain()
        error = {"code": refusal.code, "message": refusal.message}
        body = {"success": False, "error": error, "trace_id": self.trace_id, "sandbox": True}
        self._send_json(refusal.status, body, refusal.headers)

    def _refuse_method(self) -> None:
        message = f"sandbox: {self.command} is not supported here"
        raise RefusalError(405, "bad_request", message, {"Allow": "POST"})

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send what http.server itself refuses as an error object of the API."""
        self.close_connection = True
        self.body_is_read = True
        text = message or HTTPStatus(code).phrase
        try:
            self._refuse(RefusalError(int(code), _CODES.get(int(code), "bad_request"), text))
        except (ConnectionError, TimeoutError):
            pass

    def _post(self) -> None:
        name = self._endpoint()
        if name is None:
            raise RefusalError(404, "no_api", f"sandbox: there is no API at {self.url_path}")
        self._check_token()
        body = self._read_body(_UPLOAD_BODY_LIMIT if name in _UPLOAD_PATHS else BODY_LIMIT)
        endpoints = self.server.endpoints
        self.server.faults.refuse_request()
        if name in _UPLOAD_PATHS:
            return self._upload(name, body)
        request = fields.parse(body)
        if name == "tasks":
            return self._send_json(200, endpoints.tasks(request, self.server.links_url))
        streamed = name in ("imagine", "edits", "videos")
        stream = streamed and "application/x-ndjson" in self.headers.get("accept", "").lower()
        accepted = endpoints.submit(name, request, stream=stream, trace_id=self.trace_id)
        if accepted.job.callback_url:
            self.server.callbacks.expect(accepted.job)
        if not accepted.waits:
            return self._send_json(200, {"task_id": accepted.job.id})
        return self._stream(accepted.job) if stream else self._wait(accepted.job)

    def _upload(self, path: str, body: bytes) -> None:
        link = self.server.base_url + self.server.files.upload(self.headers.get("content-type", ""), body)
        if path == _PLATFORM_UPLOAD_PATH:
            return self._send_json(200, {"file_url": link, "sandbox": True})
        expires_at = datetime.now(UTC) + timedelta(days=_UPLOAD_DAYS)
        document = {"success": True, "url": link, "expires_at": expires_at.isoformat(timespec="seconds")}
        return self._send_json(200, {**document, "sandbox": True})

    def _endpoint(self) -> str | None:
        path = self.url_path.rstrip("/")
        if path in _UPLOAD_PATHS:
            return path
        start, _, name = path.rpartition("/")
        return name if start == "/midjourney" and name in self.server.endpoints.names else None

    def _check_token(self) -> None:
        expected = self.server.options.token
        if expected is None:
            return
        scheme, _, given = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            given = parse_qs(self.query).get("token", [""])[0]
        if not given.strip():
            raise RefusalError(400, "no_token", "no token was sent")
        if not hmac.compare_digest(given.strip().encode("utf-8", "replace"), expected.encode()):
            raise RefusalError(401, "invalid_token", "the token is not valid")

    # -- request bodies

    def _read_body(self, limit: int) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            body = self._read_chunks(limit)
        else:
            length = self._length()
            if length > limit:
                raise RefusalError(413, "bad_request", f"the body is larger than {limit} bytes")
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionError("the client disconnected before its request was complete")
        self.body_is_read = True
        return body

    def _length(self) -> int:
        value = self.headers.get("content-length", "0").strip()
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            self.close_connection = self.body_is_read = True
            raise fields.bad("content-length is not a number")
        return int(value)

    def _read_chunks(self, limit: int) -> bytes:
        pieces, total = list[bytes](), 0
        while True:
            line = self.rfile.readline(1000)
            try:
                size = int(line.split(b";")[0].strip() or b"x", 16)
            except ValueError:
                size = -1
            if size < 0 or total + size > limit:
                # The end of the request is unknown now.
                self.close_connection = self.body_is_read = True
                status = 400 if size < 0 else 413
                raise RefusalError(status, "bad_request", "the body is badly chunked or too large")
            if size == 0:
                while self.rfile.readline(1000).strip():
                    pass
                return b"".join(pieces)
            pieces.append(self.rfile.read(size))
            total += size
            self.rfile.readline(1000)

    def _drain(self) -> None:
        """Read and discard the body, so that the client gets to read the response."""
        self.body_is_read = True
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            self.close_connection = True
            return
        value = self.headers.get("content-length", "0").strip()
        left = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else 0
        if left > _DRAIN_LIMIT:
            self.close_connection = True
        left = min(left, _DRAIN_LIMIT)
        self.connection.settimeout(5)
        try:
            while left > 0 and (piece := self.rfile.read(min(left, 1 << 20))):
                left -= len(piece)
        finally:
            self.connection.settimeout(None)

    # -- responses

    def _send_json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = encode(value)
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self._send_body("application/json", body)

    def _send_body(self, content_type: str, body: bytes) -> None:
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Trace-Id", self.trace_id)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _sleep_until(self, moment: float) -> None:
        """Wait for a Unix time. Raises `ConnectionError` if the server closes first."""
        while (left := moment - time.time()) > 0:
            if self.server.stopping.wait(min(left, 5.0)):
                raise ConnectionError("the server is closing")

    def _wait(self, job: Job) -> None:
        self._sleep_until(job.ends_at)
        # A prompt error makes the response a 400; any other failure of a job comes with status 200.
        refused = job.error.get("code") == "bad_request"
        self._send_json(400 if refused else 200, results.result(job, self.server.links_url, time.time()))

    def _stream(self, job: Job) -> None:
        chunked = self.request_version != "HTTP/1.0"
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("X-Trace-Id", self.trace_id)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        moments = job.moments
        cut_after = self.server.faults.cut_after(len(moments))
        for index, moment in enumerate(moments):
            self._sleep_until(moment)
            line = encode(results.event(job, index, self.server.links_url, time.time())) + b"\r\n"
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line) if chunked else line)
            if index + 1 == cut_after:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _get(self) -> None:
        if self._endpoint() is not None:
            self._refuse_method()
        if self.url_path.startswith(f"{platform.PATH}/"):
            self._drain_before_get()
            return self._send_json(200, self._platform())
        file = self.server.files.find(self.url_path, self.query)
        if file is None:
            raise RefusalError(404, "no_api", f"sandbox: there is nothing at {self.url_path}")
        self._drain_before_get()
        return self._send_file(file)

    def _drain_before_get(self) -> None:
        """Read the body that a GET has no use for, so that the next request on the connection is found."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower() or self._length():
            self._drain()

    def _platform(self) -> dict[str, Any]:
        path = self.url_path.removeprefix(platform.PATH).rstrip("/")
        return self.server.platform.get(path, self.query, self.headers.get("authorization", ""))

    def _send_file(self, file: File) -> None:
        length, part = len(file.content), None
        header = self.headers.get("range")
        if header and self.headers.get("if-range", file.etag).strip() == file.etag:
            try:
                part = byte_range(header, length)
            except ValueError:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{length}")
                return self._send_body(file.content_type, b"")
        first, last = part or (0, length - 1)
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{length}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", file.etag)
        return self._send_body(file.content_type, file.content[first : last + 1])


def encode(value: Any) -> bytes:
    """JSON in UTF-8 on one line; with escapes if it has lone surrogates, which UTF-8 cannot encode."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()

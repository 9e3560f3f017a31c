"""The thin HTTP layer: one method per thing the service can do, errors translated while they are read.

It never prints and never reads the config. Paid requests go over a fresh connection each and are sent
again only when they cannot have been accepted: the connection was never made, or the answer was 429.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from mjcli import __version__
from mjcli.api.http import (
    CONNECT_SECONDS,
    ERROR_LIMIT,
    NEVER_CONNECTED,
    WRITE_SECONDS,
    backoff,
    body_object,
    cause_of,
    retry_after,
    setting_up,
)
from mjcli.api.models import Result, TaskRecord, error_of, is_error, number_of
from mjcli.api.ndjson import LineDecoder, LineTooLong, parse_object
from mjcli.errors import ApiError, LostAnswer, MjError, NetworkError, StillRunning, full_stop

if TYPE_CHECKING:
    from typing import Unpack

    from mjcli.api.fields import ActionFields, ImagineFields, PictureFields, VideoFields

DEFAULT_BASE_URL = "https://api.acedata.cloud"
IMAGINE = "/midjourney/imagine"
EDITS = "/midjourney/edits"
VIDEOS = "/midjourney/videos"
DESCRIBE = "/midjourney/describe"
SHORTEN = "/midjourney/shorten"
TRANSLATE = "/midjourney/translate"
SEED = "/midjourney/seed"
TASKS = "/midjourney/tasks"

READ_SECONDS = 30.0  # for the cheap calls; a job's own deadline bounds the paid ones
FINAL_GRACE = 2.0  # seconds a stream may stay open after its final object
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of a plain answer that are read


def _nothing(*_: Any) -> None:
    return None


class Hooks(NamedTuple):
    """What a caller may want to know while a request is under way; each is called in the calling thread.

    `leaving()` before the first byte of the request leaves, `sent()` after its last one,
    `drained()` when all events that arrived together were handed on and the next one is waited for,
    `retrying(seconds, reason)` before a wait, `doubt(sentence)` for something odd that is passed over.
    """

    leaving: Callable[[], None] = _nothing
    sent: Callable[[], None] = _nothing
    drained: Callable[[], None] = _nothing
    retrying: Callable[[float, str], None] = _nothing
    doubt: Callable[[str], None] = _nothing


class _Departure:
    """httpcore's trace extension, which tells the connection from the request, and the proxy's from ours.

    A proxy is asked for a tunnel first, by a request of its own (CONNECT) over the same connection. That is
    a part of connecting, and has its time-out; `read` (seconds) is the one of our own answer.
    """

    def __init__(self, hooks: Hooks, read: float | None) -> None:
        self._hooks = hooks
        self.read = read
        #: Whether a tunnel is the last thing that was asked for, so that nothing of ours can have left.
        self.tunnelling = False

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if name.endswith("send_request_headers.started"):
            request = info["request"]
            self.tunnelling = request.method == b"CONNECT"
            request.extensions["timeout"]["read"] = CONNECT_SECONDS if self.tunnelling else self.read
            if not self.tunnelling:
                self._hooks.leaving()
        elif name.endswith("send_request_body.complete") and not self.tunnelling:
            self._hooks.sent()


class Client:
    """A connection to the service for one token. Use it as a context manager, or call `close`.

    `token_in` is `header` (default) or `query`, for hosts that want `?token=`. `retries` is how often a
    request that was certainly not accepted is sent again. `use_environment` honours the proxy variables
    and SSL_CERT_FILE; its first use raises `ConfigError` when they cannot be used.
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str = DEFAULT_BASE_URL,
        token_in: str = "header",  # noqa: S107
        retries: int = 3,
        use_environment: bool = True,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.retries = retries
        self._use_environment = use_environment
        self._headers = {"user-agent": f"mj/{__version__}", "content-type": "application/json"}
        self._query: dict[str, str] = {}
        if token_in == "query":  # noqa: S105
            self._query["token"] = token
        else:
            self._headers["authorization"] = f"Bearer {token}"
        self._certificates = _Certificates() if self.base_url.startswith("https:") else None
        self._paid: httpx.Client | None = None
        self._cheap: httpx.Client | None = None
        self._connecting = threading.Lock()  # several threads may ask for the same one
        #: Seconds by which the service's clock is ahead of ours, from its last `Date`.
        self.clock_offset = 0.0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for client in (self._paid, self._cheap):
            if client is not None:
                client.close()

    # -- the service, typed ------------------------------------------------------------------------

    # Each waits for the end of its job, and raises as `wait` does; those with `_events` yield what happens
    # meanwhile and end with the final result, and raise as `stream` does.

    def imagine(self, prompt: str, **fields: Unpack[ImagineFields]) -> Result:
        """Make a picture."""
        return self.wait(IMAGINE, _generate(prompt, fields))

    def imagine_events(self, prompt: str, **fields: Unpack[ImagineFields]) -> Iterator[Result]:
        """Make a picture, and see it being made."""
        return self.stream(IMAGINE, _generate(prompt, fields))

    def action(self, action: str, image_id: str, **fields: Unpack[ActionFields]) -> Result:
        """Do something to an earlier image that its `actions` offer (`upscale1`, `variation2`, …)."""
        return self.wait(IMAGINE, {"action": action, "image_id": image_id, **fields})

    def action_events(self, action: str, image_id: str, **fields: Unpack[ActionFields]) -> Iterator[Result]:
        """Do something to an earlier image, and see it being made."""
        return self.stream(IMAGINE, {"action": action, "image_id": image_id, **fields})

    def edit(self, image_url: str, prompt: str, **fields: Unpack[PictureFields]) -> Result:
        """Change the picture behind a link by words; with a `mask` only where it is white."""
        return self.wait(EDITS, {"image_url": image_url, **_generate(prompt, fields)})

    def edit_events(self, image_url: str, prompt: str, **fields: Unpack[PictureFields]) -> Iterator[Result]:
        """Change a picture, and see it being made."""
        return self.stream(EDITS, {"image_url": image_url, **_generate(prompt, fields)})

    def video(self, prompt: str, image_url: str, **fields: Unpack[VideoFields]) -> Result:
        """Make four videos that begin with the picture behind a link."""
        return self.wait(VIDEOS, {"image_url": image_url, **_generate(prompt, fields)})

    def video_events(self, prompt: str, image_url: str, **fields: Unpack[VideoFields]) -> Iterator[Result]:
        """Make four videos, and see how far they are."""
        return self.stream(VIDEOS, {"image_url": image_url, **_generate(prompt, fields)})

    def extend_video(
        self, video_id: str, prompt: str, *, index: int = 0, **fields: Unpack[VideoFields]
    ) -> Result:
        """Make one of four videos (`index` 0-3) longer, in four ways."""
        return self.wait(VIDEOS, _extend(video_id, index, prompt, fields))

    def extend_video_events(
        self, video_id: str, prompt: str, *, index: int = 0, **fields: Unpack[VideoFields]
    ) -> Iterator[Result]:
        """Make one of four videos longer, and see how far it is."""
        return self.stream(VIDEOS, _extend(video_id, index, prompt, fields))

    def describe(self, image_url: str) -> list[str]:
        """What the picture behind a link shows, as prompts that would make one like it (four)."""
        return self._texts(DESCRIBE, {"image_url": image_url})

    def shorten(self, prompt: str) -> list[str]:
        """A prompt in fewer words, in up to five ways."""
        return self._texts(SHORTEN, {"prompt": prompt})

    def translate(self, content: str) -> str:
        """A text in English."""
        return self._texts(TRANSLATE, {"content": content})[0]

    def seed(self, image_id: str) -> str:
        """The seed that an image was begun from, a number."""
        return self._texts(SEED, {"image_id": image_id})[0]

    def _texts(self, path: str, body: Mapping[str, Any]) -> list[str]:
        """The words that an endpoint answers; never empty. Raises `LostAnswer` for an answer without any."""
        texts = self.wait(path, body).texts
        if not texts:
            raise LostAnswer("The answer is not the API's: what was asked for is not in it.")
        return texts

    def task(self, task_id: str, *, deadline: float | None = None) -> TaskRecord | None:
        """One task, None when the service does not know it (it then answers `{}`)."""
        document = self._read({"action": "retrieve", "id": task_id}, deadline)
        return TaskRecord(document) if document else None

    def tasks(self, task_ids: Sequence[str], *, deadline: float | None = None) -> list[TaskRecord]:
        """Many tasks at once, in any order; those that the service does not know are missing."""
        found: dict[str | None, TaskRecord] = {}
        missing = list(task_ids)
        while missing:
            # The service may give fewer at a time than it has.
            answer = self._read({"action": "retrieve_batch", "ids": missing, "limit": len(missing)}, deadline)
            items = _items(answer)
            found |= {task.id: task for task in items}
            more = bool(items) and (number_of(answer.get("count")) or 0) > len(items)
            missing = [task_id for task_id in missing if task_id not in found] if more else []
        return list(found.values())

    def recent_tasks(
        self, *, offset: int = 0, limit: int = 50, deadline: float | None = None
    ) -> list[TaskRecord]:
        """The newest tasks of this token."""
        return _items(self._read({"action": "retrieve_batch", "offset": offset, "limit": limit}, deadline))

    # -- paid requests -----------------------------------------------------------------------------

    def wait(
        self, path: str, body: Mapping[str, Any], *, deadline: float | None = None, hooks: Hooks | None = None
    ) -> Result:
        """POST and wait for the one JSON object that ends it.

        `deadline` is a reading of `time.monotonic()`. Raises `ApiError` for a refusal or a failed job,
        `NetworkError` when nothing was accepted, `LostAnswer` when that is not known, `StillRunning` past
        the deadline.
        """
        hooks = hooks or Hooks()
        with _translated(deadline) as guard:
            response = self._submit(path, body, "application/json", deadline, hooks)
            try:
                guard.watch(response)
                data = _bounded(response, ANSWER_LIMIT)
            finally:
                response.close()
        document = body_object(data)
        if document is None:
            raise LostAnswer("The answer is not the API's: no JSON object.")
        result = Result(document, data)
        if is_error(document):
            raise _lost_if_timeout(result.error())
        return result

    def stream(
        self, path: str, body: Mapping[str, Any], *, deadline: float | None = None, hooks: Hooks | None = None
    ) -> Iterator[Result]:
        """POST and yield each event as it arrives; a plain JSON answer is one event.

        Ends when the service ends the stream, whether or not the last event was final: that is for the
        caller to see. Raises as `wait` does; a stream that breaks is a `LostAnswer`.
        """
        hooks = hooks or Hooks()
        with _translated(deadline) as guard:
            response = self._submit(path, body, "application/x-ndjson", deadline, hooks)
            try:
                guard.watch(response)
                yield from self._events(response, guard, hooks)
            except LineTooLong as error:
                raise LostAnswer(f"The stream cannot be read: {error}.") from None
            finally:
                response.close()

    def _events(self, response: httpx.Response, guard: _Guard, hooks: Hooks) -> Iterator[Result]:
        decoder = LineDecoder()
        unread: list[bytes] = []  # lines that are no objects, before the first one that is
        seen = False
        chunks = response.iter_bytes()
        for lines in _lines(decoder, chunks, guard):
            for line in lines:
                try:
                    document = parse_object(line)
                except ValueError as error:
                    if not seen and sum(map(len, unread)) < ERROR_LIMIT:
                        unread.append(line)
                    else:
                        hooks.doubt(f"A line of the stream was passed over: {error}.")
                    continue
                for _ in unread:
                    hooks.doubt("A line of the stream that is no JSON object was passed over.")
                unread, seen = [], True
                result = Result(document, line)
                if result.final and (result.actions or result.failed):
                    # Nothing but the end can follow; a server that forgets to end must not hold us.
                    guard.shorten(FINAL_GRACE)
                yield result
            hooks.drained()
        if not seen:
            whole = body_object(b"\n".join(unread))  # one object, printed over several lines
            if whole is None:
                raise LostAnswer("The answer is not the API's: no JSON object.")
            yield Result(whole, b" ".join(unread))

    def _submit(
        self, path: str, body: Mapping[str, Any], accept: str, deadline: float | None, hooks: Hooks
    ) -> httpx.Response:
        """The open response to a paid request, sent again while it cannot have been accepted."""
        with self._connecting:
            if self._paid is None:
                # A paid request never goes over a connection that was used before: a peer that has closed it
                # in the meantime would leave us not knowing whether the request was read.
                self._paid = self._connect(keep=0)
        tried = 0
        while True:
            refusal: MjError
            departure = _Departure(hooks, _read_seconds(deadline))
            try:
                response = self._post(self._paid, path, body, accept, departure)
            except httpx.HTTPError as error:
                if not isinstance(error, NEVER_CONNECTED) and not departure.tunnelling:
                    raise
                refusal, reason, delay = _never_connected(error), "no connection", None
                final = "CERTIFICATE" in str(error)
            else:
                if 200 <= response.status_code < 300:
                    return response
                refusal = _refusal(response)
                reason, delay, final = "rate limited", retry_after(response), response.status_code != 429
            if final or tried >= self.retries:
                raise refusal
            delay = backoff(tried) if delay is None else delay
            if deadline is not None and time.monotonic() + delay >= deadline:
                raise refusal
            tried += 1
            hooks.retrying(delay, f"{reason} (retry {tried} of {self.retries})")
            time.sleep(delay)

    def _post(
        self, client: httpx.Client, path: str, body: Mapping[str, Any], accept: str, departure: _Departure
    ) -> httpx.Response:
        request = client.build_request(
            "POST",
            self.base_url + path,
            params=self._query or None,
            json=dict(body),
            headers={**self._headers, "accept": accept},
            timeout=httpx.Timeout(
                connect=CONNECT_SECONDS, read=departure.read, write=WRITE_SECONDS, pool=None
            ),
            extensions={"trace": departure},
        )
        return client.send(request, stream=True)

    # -- reads -------------------------------------------------------------------------------------

    def _read(self, body: Mapping[str, Any], deadline: float | None) -> dict[str, Any]:
        """POST to the tasks endpoint, which costs nothing and is tried again freely."""
        with self._connecting:
            if self._cheap is None:
                self._cheap = self._connect(keep=8)
        tried = 0
        while True:
            failure: MjError
            try:
                return self._read_once(self._cheap, body, deadline)
            except ApiError as error:
                if error.status < 500 and error.status != 429:
                    raise
                failure = error
            except (NetworkError, LostAnswer) as error:
                failure = error
            delay = backoff(tried) / 2
            tried += 1
            if tried > self.retries or (deadline is not None and time.monotonic() + delay >= deadline):
                raise failure
            time.sleep(delay)

    def _read_once(
        self, client: httpx.Client, body: Mapping[str, Any], deadline: float | None
    ) -> dict[str, Any]:
        seconds = _read_seconds(deadline)
        seconds = READ_SECONDS if seconds is None else min(max(seconds, 0.5), READ_SECONDS)
        try:
            response = self._post(client, TASKS, body, "application/json", _Departure(Hooks(), seconds))
            with contextlib.closing(response):
                if response.status_code != 200:
                    raise _asking(_refusal(response))
                self._note_clock(response)
                document = body_object(_bounded(response, ANSWER_LIMIT))
        except NEVER_CONNECTED as error:
            raise NetworkError(f"The service cannot be reached: {cause_of(error)}.") from error
        except httpx.HTTPError as error:
            raise NetworkError(f"The tasks endpoint did not answer: {cause_of(error)}.") from error
        if document is None:
            raise LostAnswer("The tasks endpoint's answer is not the API's.")
        if is_error(document):
            raise _asking(error_of(document, status=200, accepted=False))
        return document

    def _note_clock(self, response: httpx.Response) -> None:
        from email.utils import parsedate_to_datetime

        try:
            self.clock_offset = parsedate_to_datetime(response.headers["date"]).timestamp() - time.time()
        except (KeyError, ValueError, TypeError):
            pass  # no date: the clocks are taken to agree

    # -- connections -------------------------------------------------------------------------------

    def _connect(self, *, keep: int) -> httpx.Client:
        with setting_up():
            return httpx.Client(
                verify=False if self._certificates is None else self._certificates.context(),
                trust_env=self._use_environment,
                follow_redirects=False,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=keep),
            )


def _generate(prompt: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What the bodies that make something new begin with."""
    return {"action": "generate", "prompt": prompt, **fields}


def _extend(video_id: str, index: int, prompt: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The body that makes a video longer."""
    return {"action": "extend", "video_id": video_id, "video_index": index, "prompt": prompt, **fields}


def _items(document: Mapping[str, Any]) -> list[TaskRecord]:
    items = document.get("items")
    if not isinstance(items, list):
        return [TaskRecord(document)] if "id" in document else []
    return [TaskRecord(each) for each in items if isinstance(each, dict) and each]


def _lines(decoder: LineDecoder, chunks: Iterable[bytes], guard: _Guard) -> Iterator[list[bytes]]:
    """The decoder's lines, piece by piece; an end that our own grace brought about is an end like any other."""
    try:
        for chunk in chunks:
            yield decoder.feed(chunk)
    except httpx.HTTPError:
        if not guard.grace_over:
            # What stood there without a line end may be the final object all the same.
            yield decoder.end()
            raise
    yield decoder.end()


def _bounded(response: httpx.Response, limit: int) -> bytes:
    """At most `limit` bytes of the body; what lies beyond is cut off."""
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size >= limit:
            break
    return b"".join(pieces)[:limit]


def _refusal(response: httpx.Response) -> MjError:
    """What an answer other than 2xx means for a paid request; closes the response."""
    status = response.status_code
    try:
        data = _bounded(response, ERROR_LIMIT)
    except httpx.HTTPError:
        data = b""
    finally:
        response.close()
    document = body_object(data)
    if document is not None and (is_error(document) or 400 <= status < 500):
        return _lost_if_timeout(error_of(document, status=status, accepted=False))
    if status in (401, 402, 429):
        # Whoever in between answered so, the request went no further.
        return error_of({}, status=status, accepted=False)
    if 300 <= status < 400:
        where = response.headers.get("location", "another place").partition("?")[0]
        return LostAnswer(
            f"The answer is a redirect to {where}, which a paid request does not follow (HTTP {status}).",
            hint="mj config get base_url: it is probably not the API's address",
        )
    return LostAnswer(f"The answer is not the API's (HTTP {status}).")


def _asking(error: MjError) -> MjError:
    """Mark the refusal of a question about tasks."""
    if isinstance(error, ApiError):
        error.asking = True
    return error


def _lost_if_timeout(error: ApiError) -> MjError:
    """An upstream time-out says nothing about the job, which may still be alive (api.md, "Errors")."""
    if error.code != "timeout" and error.status != 504:
        return error
    return LostAnswer(
        f"The service timed out ({full_stop(error.message).rstrip('.')}).",
        code=error.code,
        task_id=error.task_id,
        trace_id=error.trace_id,
    )


def _never_connected(error: httpx.HTTPError) -> NetworkError:
    return NetworkError(
        f"No connection to the service: {cause_of(error)}. Nothing was sent, nothing is paid.",
        hint="try again\nmj config list  # shows the address and where it comes from",
    )


def _read_seconds(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.001)


class _Certificates:
    """The certificates to trust, loaded in a thread: it takes tens of milliseconds, and there is else to do."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def _load(self) -> None:
        try:
            self._context = httpx.create_ssl_context()
        except Exception as error:  # raised again in the thread that asks
            self._error = error

    def context(self) -> ssl.SSLContext:
        """Raises what loading them raised (`OSError` for a missing file)."""
        self._thread.join()
        if self._context is None:
            raise self._error or OSError("no certificates")
        return self._context


class _Guard:
    """Ends a read when a deadline passes.

    httpx's own read time-out counts from the last byte, so a trickle of bytes would outlive any deadline.
    A timer shuts the socket down instead, from its own thread.
    """

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.grace_over = False
        self._socket: socket.socket | None = None
        self._timers: list[threading.Timer] = []

    @property
    def deadline_over(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def watch(self, response: httpx.Response) -> None:
        stream = response.extensions.get("network_stream")
        self._socket = stream.get_extra_info("socket") if stream is not None else None
        if self.deadline is not None:
            self._start(self.deadline - time.monotonic(), self._shut)

    def shorten(self, seconds: float) -> None:
        def over() -> None:
            self.grace_over = True
            self._shut()

        self._start(seconds, over)

    def cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _start(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(max(seconds, 0), action)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _shut(self) -> None:
        if self._socket is not None:
            try:
                # The plain socket's method: an SSL socket's own would forget its session under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                pass


class _translated:  # noqa: N801
    """Turns httpx's exceptions, raised while a paid answer is awaited or read, into ours."""

    def __init__(self, deadline: float | None) -> None:
        self._guard = _Guard(deadline)

    def __enter__(self) -> _Guard:
        return self._guard

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._guard.cancel()
        if isinstance(error, httpx.HTTPError):
            if self._guard.deadline_over or isinstance(error, httpx.ReadTimeout):
                raise StillRunning("The wait ended before the job did.") from error
            raise LostAnswer(f"The answer was lost: {cause_of(error)}.") from error

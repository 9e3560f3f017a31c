"""`Client`: one method per endpoint of the service. It never prints and never reads the config."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import httpx

from mjcli.api.hooks import Clock, Hooks
from mjcli.api.http import Transport
from mjcli.api.models import Result, TaskRecord, number_of
from mjcli.api.ndjson import LineDecoder, LineTooLong, parse_object
from mjcli.api.responses import (
    RESPONSE_LIMIT,
    STOPPED,
    body_object,
    body_pieces,
    is_rate_limit,
    lost_if_timeout,
    watch_grace,
)
from mjcli.errors import LostResponse, StillRunning

if TYPE_CHECKING:
    from typing import Unpack

    from mjcli.api.connection import Exchange
    from mjcli.api.fields import ActionFields, ImageFields, ImagineFields, VideoFields

DEFAULT_BASE_URL = "https://api.acedata.cloud"
IMAGINE = "/midjourney/imagine"
EDITS = "/midjourney/edits"
VIDEOS = "/midjourney/videos"
DESCRIBE = "/midjourney/describe"
SHORTEN = "/midjourney/shorten"
TRANSLATE = "/midjourney/translate"
SEED = "/midjourney/seed"
TASKS = "/midjourney/tasks"
MOST_IDS = 500  # tasks of one query

SILENCE_SECONDS = 45.0  # without a new event, after which a stream is not trusted any more
_NOT_AN_OBJECT = "The response is not a JSON object, so it is not from the API."


class Client:
    """The service, for one token. Use it as a context manager, or call `close`.

        with Client("TOKEN") as client:
            grid = client.imagine("a cat on a table --ar 3:2")
            image = client.action("upscale1", grid.image_id)
            print(image.image_link)

    Each method that starts a job is billed once, if the job succeeds. It waits for the end of the job and
    returns its `Result`; the method of the same name with `_events` yields a `Result` for each progress
    event, the final one last.

    A job is never sent twice: a request is retried only when it cannot have been accepted, because no
    connection was made or the service answered 429. Every failure is an `MjError` of `mjcli.errors`:

    - `ApiError`: the service refused the request, or the job failed. Nothing is billed.
    - `NetworkError`: no connection was made, or no API was reached. Nothing was accepted or billed.
    - `LostResponse`: the request was sent, but there is no usable response. The job may have been accepted
      and billed: find it with `recent_tasks` before sending it again.
    - `StillRunning`: the deadline passed (only `wait` and `stream` have one). Follow the job with `task`.
    - `ConfigError`: the proxy variables or certificates of the environment cannot be used. Nothing was sent.

    Arguments:
        token: The token of the API.
        base_url: The address of the API, without a path.
        token_in: Where the token is sent: "header" (the default), or "query" for hosts that need `?token=`.
        retries: How often a request that was not accepted is sent again.
        use_environment: Whether to honour the proxy variables and SSL_CERT_FILE.
        clock: What to wait and to measure time with; the module `time` by default.
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str = DEFAULT_BASE_URL,
        token_in: str = "header",  # noqa: S107
        retries: int = 3,
        use_environment: bool = True,
        clock: Clock = time,
    ) -> None:
        self._transport = Transport(
            base_url,
            token,
            token_in=token_in,
            retries=retries,
            use_environment=use_environment,
            clock=clock,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self) -> None:
        """Set up what requests use, without sending any. Raises `ConfigError`, as they would."""
        self._transport.prepare()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def base_url(self) -> str:
        """The address of the API, without a slash at the end."""
        return self._transport.base_url

    @property
    def retries(self) -> int:
        """How often a request that was not accepted is sent again."""
        return self._transport.retries

    @retries.setter
    def retries(self, retries: int) -> None:
        self._transport.retries = retries

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which the service's clock is ahead of ours, from its last response; None before one."""
        return self._transport.clock_offset

    # -- images and videos -------------------------------------------------------------------------

    def imagine(self, prompt: str, **fields: Unpack[ImagineFields]) -> Result:
        """Make a grid of four images from a prompt, which may contain image URLs and parameters."""
        return self.wait(IMAGINE, _generate(prompt, fields))

    def imagine_events(self, prompt: str, **fields: Unpack[ImagineFields]) -> Iterator[Result]:
        """Make a grid of four images, with progress events."""
        return self.stream(IMAGINE, _generate(prompt, fields))

    def action(self, action: str, image_id: str, **fields: Unpack[ActionFields]) -> Result:
        """Apply an action to an image: one of its `Result.actions`, such as `upscale1` or `variation2`."""
        return self.wait(IMAGINE, {"action": action, "image_id": image_id, **fields})

    def action_events(self, action: str, image_id: str, **fields: Unpack[ActionFields]) -> Iterator[Result]:
        """Apply an action to an image, with progress events."""
        return self.stream(IMAGINE, {"action": action, "image_id": image_id, **fields})

    def edit(self, image_url: str, prompt: str, **fields: Unpack[ImageFields]) -> Result:
        """Edit the image at a URL with a text prompt; with a `mask`, only where the mask is white."""
        return self.wait(EDITS, {"image_url": image_url, **_generate(prompt, fields)})

    def edit_events(self, image_url: str, prompt: str, **fields: Unpack[ImageFields]) -> Iterator[Result]:
        """Edit the image at a URL, with progress events."""
        return self.stream(EDITS, {"image_url": image_url, **_generate(prompt, fields)})

    def video(self, prompt: str, image_url: str, **fields: Unpack[VideoFields]) -> Result:
        """Make four videos that start with the image at a URL; their links are `Result.video_urls`."""
        return self.wait(VIDEOS, {"image_url": image_url, **_generate(prompt, fields)})

    def video_events(self, prompt: str, image_url: str, **fields: Unpack[VideoFields]) -> Iterator[Result]:
        """Make four videos, with progress events."""
        return self.stream(VIDEOS, {"image_url": image_url, **_generate(prompt, fields)})

    def extend_video(
        self, video_id: str, prompt: str, *, index: int = 0, **fields: Unpack[VideoFields]
    ) -> Result:
        """Extend one of four videos (`index` 0-3 of the `Result.video_id`), in four variants."""
        return self.wait(VIDEOS, _extend(video_id, index, prompt, fields))

    def extend_video_events(
        self, video_id: str, prompt: str, *, index: int = 0, **fields: Unpack[VideoFields]
    ) -> Iterator[Result]:
        """Extend one of four videos, with progress events."""
        return self.stream(VIDEOS, _extend(video_id, index, prompt, fields))

    # -- text --------------------------------------------------------------------------------------

    def describe(self, image_url: str) -> list[str]:
        """Describe the image at a URL, as prompts that would make a similar one (usually four)."""
        return self._texts(DESCRIBE, {"image_url": image_url})

    def shorten(self, prompt: str) -> list[str]:
        """Shorten a prompt, in up to five ways."""
        return self._texts(SHORTEN, {"prompt": prompt})

    def translate(self, content: str) -> str:
        """Translate a text into English."""
        return self._texts(TRANSLATE, {"content": content})[0]

    def seed(self, image_id: str) -> str:
        """The seed of an image, as digits."""
        return self._texts(SEED, {"image_id": image_id})[0]

    # -- tasks (free) ------------------------------------------------------------------------------

    def task(self, task_id: str, *, deadline: float | None = None) -> TaskRecord | None:
        """Query one task; None when the service does not know it.

        Queries are free. They are retried after any fault, until `deadline` (a reading of
        `time.monotonic()`), and raise `ApiError`, `NetworkError` or `LostResponse`, none of which says
        anything about the job.
        """
        # The response to an unknown id is `{}`.
        document = self._transport.query(TASKS, {"action": "retrieve", "id": task_id}, deadline)
        return TaskRecord(document) if document else None

    def tasks(self, task_ids: Sequence[str], *, deadline: float | None = None) -> list[TaskRecord]:
        """Query many tasks at once, as `task` does. The order is not that of the ids; unknown ones are missing."""
        found: dict[str | None, TaskRecord] = {}
        for start in range(0, len(task_ids), MOST_IDS):
            missing = list(task_ids[start : start + MOST_IDS])
            while missing:
                body = {"action": "retrieve_batch", "ids": missing, "limit": len(missing)}
                document = self._transport.query(TASKS, body, deadline)
                items = _items(document)
                found |= {task.id: task for task in items}
                # The service may return fewer at a time than it has.
                more = bool(items) and (number_of(document.get("count")) or 0) > len(items)
                missing = [task_id for task_id in missing if task_id not in found] if more else []
        return list(found.values())

    def recent_tasks(
        self,
        *,
        offset: int = 0,
        limit: int = 50,
        type: str | None = None,  # noqa: A002 - the name of the service's field
        created_at_min: float | None = None,
        created_at_max: float | None = None,
        trace_ids: Sequence[str] | None = None,
        deadline: float | None = None,
    ) -> list[TaskRecord]:
        """Query the newest tasks of the account, newest first, as `task` does.

        `type` is the last word of an endpoint's path. Times are Unix seconds of the service's clock. With
        `trace_ids` (at most `MOST_IDS`), only the tasks of these requests. The service may ignore a filter, and
        return fewer tasks at a time than `limit`. An item that is not an object is a record without fields.
        """
        filters = {
            "type": type,
            "created_at_min": created_at_min,
            "created_at_max": created_at_max,
            "trace_ids": None if trace_ids is None else list(trace_ids),
        }
        given = {name: value for name, value in filters.items() if value is not None}
        body = {"action": "retrieve_batch", "offset": offset, "limit": limit, **given}
        document = self._transport.query(TASKS, body, deadline)
        items = document.get("items")
        if not isinstance(items, list):
            return _items(document)
        return [TaskRecord(each if isinstance(each, dict) else {}) for each in items]

    # -- any endpoint ------------------------------------------------------------------------------

    def wait(
        self, path: str, body: Mapping[str, Any], *, deadline: float | None = None, hooks: Hooks | None = None
    ) -> Result:
        """POST a body to any paid endpoint and wait for the one object of its response.

        `deadline` is a reading of `time.monotonic()`; past it, `StillRunning` is raised. `hooks` are called
        as the request is sent.
        """
        hooks = hooks or Hooks()
        last = Result({})
        task_id = None
        try:
            # The one object may come as a stream all the same, after objects about its progress.
            for last in self._events(path, body, "application/json", deadline, hooks):
                task_id = task_id or last.task_id
                if not last.failed and hooks.enough(last):
                    return last
        except (StillRunning, LostResponse) as error:
            if not last.document or not _may_be_whole(last):
                error.task_id = error.task_id or task_id
                raise
            # After the whole object, it does not matter how the connection ended.
        if last.failed:
            failure = lost_if_timeout(last.error())
            failure.task_id = failure.task_id or task_id
            raise failure
        return last

    def stream(
        self, path: str, body: Mapping[str, Any], *, deadline: float | None = None, hooks: Hooks | None = None
    ) -> Iterator[Result]:
        """POST a body to any paid endpoint and yield each event as it arrives; a plain JSON response is one event.

        The iterator ends when the service ends the stream. The last event need not be final, and may describe
        a failure: check its `state`. A stream that breaks raises `LostResponse`; the rest is as in `wait`.
        """
        yield from self._events(path, body, "application/x-ndjson", deadline, hooks or Hooks())

    def _events(
        self, path: str, body: Mapping[str, Any], accept: str, deadline: float | None, hooks: Hooks
    ) -> Iterator[Result]:
        """The objects of a response, as `stream` and `wait` take them."""
        transport = self._transport
        retries = transport.retries_until(deadline, hooks)
        plain = accept == "application/json"

        def may_be_last(result: Result) -> bool:
            return _may_be_whole(result) or hooks.enough(result) if plain else result.may_be_last

        while True:
            with transport.submit(
                path,
                body,
                accept,
                deadline=deadline,
                hooks=hooks,
                retries=retries,
                silence=SILENCE_SECONDS,
            ) as (response, exchange):
                events = _events(response, exchange, hooks, may_be_last)
                first = next(events, None)
                if first is None:
                    return
                if not is_rate_limit(first.document):
                    yield first
                    yield from events
                    return
            transport.pause(retries, first.error(accepted=False), response)

    def _texts(self, path: str, body: Mapping[str, Any]) -> list[str]:
        """The text result of an endpoint, never empty. Raises `LostResponse` when there is none."""
        texts = self.wait(path, body).texts
        if not texts:
            raise LostResponse("The response has no result, so it is not from the API.")
        return texts


def _generate(prompt: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"action": "generate", "prompt": prompt, **fields}


def _extend(video_id: str, index: int, prompt: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"action": "extend", "video_id": video_id, "video_index": index, "prompt": prompt, **fields}


def _may_be_whole(result: Result) -> bool:
    """Whether an object may be the whole response, and is not the progress of a job before it."""
    return result.failed or result.progress in (None, 100)


def _items(document: Mapping[str, Any]) -> list[TaskRecord]:
    items = document.get("items")
    if not isinstance(items, list):
        return [TaskRecord(document)] if "id" in document else []
    return [TaskRecord(each) for each in items if isinstance(each, dict) and each]


def _events(
    response: httpx.Response, exchange: Exchange, hooks: Hooks, may_be_last: Callable[[Result], bool]
) -> Iterator[Result]:
    """The events of a stream; one object that is printed over several lines is one event.

    `may_be_last` says whether nothing need follow an event. Raises `LostResponse` for a stream that cannot be
    read.
    """
    skipped: list[bytes] = []  # lines before the first object that are not objects
    size = 0  # of `skipped`
    newest = Result({})
    # What offers actions is the end of an image; anything else may have a successor, which the task knows.
    final = watch_grace(exchange, lambda: newest.failed or bool(newest.actions) or hooks.silent() or True)
    exchange.silence.restart()
    for lines in _lines(response, exchange, hooks, may_be_last, skipped):
        for line in lines:
            try:
                document = parse_object(line)
            except ValueError as error:
                if not newest.raw and size < RESPONSE_LIMIT:
                    skipped.append(line)
                    size += len(line)
                else:
                    hooks.doubt(f"A line of the stream was skipped: {error}.")
                continue
            for _ in skipped:
                hooks.doubt("A line of the stream was skipped: it is not a JSON object.")
            skipped.clear()
            if line != newest.raw:  # the same event again is no news
                exchange.silence.restart()
            newest = Result(document, line)
            if may_be_last(newest):
                # Usually only the end can follow, so do not wait for a service that leaves the stream open.
                final.restart()
            else:
                final.stop()
            yield newest
        hooks.drained()
    if not newest.raw:
        whole = body_object(b"\n".join(skipped))
        if whole is None:
            raise LostResponse(STOPPED if exchange.ended and not skipped else _NOT_AN_OBJECT)
        yield Result(whole, b" ".join(skipped))


def _lines(
    response: httpx.Response,
    exchange: Exchange,
    hooks: Hooks,
    may_be_last: Callable[[Result], bool],
    skipped: list[bytes],
) -> Iterator[list[bytes]]:
    """The lines of a stream, chunk by chunk; an end that was caused on purpose is a normal end."""
    decoder = LineDecoder()

    def is_complete() -> bool:
        """Look at what arrived last, without a line end: it may be the whole response."""
        document = body_object(b"\n".join([*skipped, decoder.pending]))
        if document is None:
            return False
        result = Result(document)
        hooks.unterminated(result)
        return may_be_last(result) or (result.task_id is None and result.progress is None)

    idle = watch_grace(exchange, is_complete)
    try:
        for piece in body_pieces(response):
            if not piece.isspace():
                idle.restart()
            yield decoder.feed(piece)
    except LineTooLong as error:
        raise LostResponse(f"The stream cannot be read: {error}.") from None
    except httpx.HTTPError:
        # An unfinished last line may still be the final object.
        yield decoder.end()
        if not exchange.ended and body_object(b"\n".join(skipped)) is None:
            raise
    yield decoder.end()

"""The service's objects, read defensively: any field may be missing, null, or of another type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from mjcli.errors import ApiError, code_for_status

State = Literal["running", "failed", "done"]
ResultKind = Literal["image", "video", "text", "anything"]

# Of a task record, one of which is always there.
_RECORD_FIELDS = ("type", "request", "response", "created_at", "started_at", "finished_at")
# The codes with which the service refuses a request because of its rate, whatever the status.
RATE_LIMIT_CODES = ("too_many_requests", "rate_limited")
# What the endpoints return, by the `type` of a task.
_KINDS: dict[str, ResultKind] = {
    "imagine": "image",
    "edits": "image",
    "videos": "video",
    "describe": "text",
    "shorten": "text",
    "translate": "text",
    "seed": "text",
}


def text_of(value: Any) -> str | None:
    """A non-empty string, or a number written as one; else None."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which no file, terminal or request can contain
            value = value.encode("utf-8", "replace").decode()
        return value or None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def number_of(value: Any) -> float | None:
    """A finite number, also one written as a string (`"1024"`, `"50%"`); else None."""
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("%"))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []


# The fields of text results. The first two, which are lists, may come with the image that was described.
_TEXT_FIELDS = ("descriptions", "prompts", "content", "seed")
_MEDIA_FIELDS = ("raw_image_url", "video_urls", "sub_image_urls", "actions")


class Result:
    """One object about a job: an event of its stream, or its final result.

    `document` is the object as received, unknown fields included; `raw` its bytes, if it was a line.
    """

    __slots__ = ("document", "raw")

    def __init__(self, document: Mapping[str, Any], raw: bytes = b"") -> None:
        self.document = document
        self.raw = raw

    @property
    def task_id(self) -> str | None:
        """The id of the task."""
        return text_of(self.document.get("task_id"))

    @property
    def image_id(self) -> str | None:
        """The id to send actions with; it changes with every event before the last."""
        return text_of(self.document.get("image_id"))

    @property
    def video_id(self) -> str | None:
        """The id to extend the video with."""
        return text_of(self.document.get("video_id"))

    @property
    def id(self) -> str | None:
        """The id of the image, else of the video; None for a text result."""
        return None if self.texts else self.image_id or self.video_id

    @property
    def progress(self) -> int | None:
        """Percentage 0-100; None when the object has none."""
        value = self.document.get("progress")
        if type(value) is int and 0 <= value <= 100:  # the usual case; a stream may have many events
            return value
        number = number_of(value)
        return None if number is None else int(min(max(number, 0), 100))

    @property
    def actions(self) -> list[str]:
        """The actions that the image offers, such as `upscale1`."""
        return _texts(self.document.get("actions"))

    @property
    def image_link(self) -> str | None:
        """The link of the full-size image, else of its thumbnail."""
        return text_of(self.document.get("raw_image_url")) or text_of(self.document.get("image_url"))

    @property
    def video_urls(self) -> list[str]:
        """The links of the videos; `image_link` is then their cover."""
        return _texts(self.document.get("video_urls"))

    @property
    def links(self) -> list[str | None]:
        """The links to download: the videos, else the four images of a split grid, else the image.

        A link that the service left out is None, so that the others keep their positions.
        """
        for name in ("video_urls", "sub_image_urls"):
            value = self.document.get(name)
            if isinstance(value, list) and _texts(value):
                return [each if isinstance(each, str) and each else None for each in value]
        # The image in a text result is the one in the request.
        return [url for url in [self.image_link] if url and not self.texts]

    @property
    def file_urls(self) -> list[str]:
        """The `links` that are there."""
        return [url for url in self.links if url is not None]

    @property
    def texts(self) -> list[str]:
        """A text result: descriptions, shorter prompts, a translation, or a seed; empty for other results."""
        progress = self.progress
        if any(self.document.get(name) for name in _MEDIA_FIELDS) or (
            progress is not None and progress < 100
        ):
            return []  # the result of an image may have such fields, too
        for name in _TEXT_FIELDS[:2] if self.image_link else _TEXT_FIELDS:
            value = self.document.get(name)
            if found := _texts(value) or [text for text in [text_of(value)] if text]:
                return found
        return []

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """Width and height of the full-size image in pixels, else of its thumbnail."""
        for prefix in ("raw_image", "image"):
            sides = [number_of(self.document.get(f"{prefix}_{side}")) for side in ("width", "height")]
            width, height = (int(side or 0) for side in sides)
            if width > 0 and height > 0:
                return width, height
        return None

    @property
    def size(self) -> str | None:
        """The dimensions as text, such as `2048x2048`."""
        return "{}x{}".format(*self.dimensions) if self.dimensions is not None else None

    @property
    def failed(self) -> bool:
        """Whether the object reports that the job failed."""
        return self.document.get("success") is False or bool(self.document.get("error"))

    def has(self, kind: ResultKind = "anything") -> bool:
        """Whether the object contains a result of this kind."""
        if kind == "anything":
            return bool(self.file_urls or self.texts)
        return bool({"image": self.file_urls, "video": self.video_urls, "text": self.texts}[kind])

    def state(self, kind: ResultKind = "anything", *, ended: bool | None = None) -> State:
        """Whether the job is running, failed or done: the only definition of "finished".

        Done means that the job has ended and the object contains a result of `kind`. `ended` says whether the
        job has ended; None derives it from the object, as for an event of a stream: its progress is 100, or
        it has no progress but offers actions or text.
        """
        if self.failed:
            return "failed"
        if ended is None:
            progress = self.progress
            ended = progress >= 100 if progress is not None else bool(self.actions or self.texts)
        return "done" if ended and self.has(kind) else "running"

    @property
    def may_be_last(self) -> bool:
        """Whether nothing need follow the object in a stream: it has failed, ended, or has a result and no progress."""
        progress = self.progress
        return self.failed or (self.has() or bool(self.actions) if progress is None else progress >= 100)

    def error(self, *, status: int = 200, accepted: bool = True) -> ApiError:
        """The failure that the object describes."""
        return error_of(self.document, status=status, accepted=accepted)


def is_error(document: Mapping[str, Any]) -> bool:
    """Whether an object is the service's error object, in any of its forms."""
    return bool(document.get("error")) or document.get("success") is False


def error_of(document: Mapping[str, Any], *, status: int, accepted: bool) -> ApiError:
    """An error object as an exception; `error` may be an object or a bare string, any field may be missing."""
    error = document.get("error")
    code = message = None
    if isinstance(error, Mapping):
        code, message = text_of(error.get("code")), text_of(error.get("message"))
    elif error:
        message = text_of(error)
        code = message if message in RATE_LIMIT_CODES else None
    message = message or text_of(document.get("message")) or text_of(document.get("detail"))
    code = code or (code_for_status(status) if status >= 400 else "api_error")
    return ApiError(
        message or f"The service gave no reason (HTTP {status}).",
        code=code,
        status=status,
        accepted=accepted,
        task_id=text_of(document.get("task_id")),
        trace_id=text_of(document.get("trace_id")),
        document=dict(document),
    )


def is_record(document: Mapping[str, Any]) -> bool:
    """Whether an object is a task record, and not an error object that has an id of something else."""
    return text_of(document.get("id")) is not None and any(name in document for name in _RECORD_FIELDS)


class TaskRecord:
    """A task as the tasks endpoint returns it. `document` is the object as received; it has no status field."""

    __slots__ = ("document",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    @property
    def id(self) -> str | None:
        """The task's id."""
        return text_of(self.document.get("id"))

    @property
    def type(self) -> str | None:
        """The endpoint that received the request, such as `imagine`."""
        return text_of(self.document.get("type"))

    @property
    def request(self) -> Mapping[str, Any]:
        """The body of the request."""
        request = self.document.get("request")
        return request if isinstance(request, Mapping) else {}

    @property
    def response(self) -> Result | None:
        """The final object; None while there is none."""
        response = self.document.get("response")
        return Result(response) if isinstance(response, Mapping) and response else None

    @property
    def state(self) -> State:
        """Whether the task is running, failed or done.

        A task with `finished_at` is done even without a result. One without is done as soon as its response
        contains a result of its type whose progress, if any, is 100. The record itself may report the failure
        of a task without a result.
        """
        response, finished = self.response, bool(self.document.get("finished_at"))
        own_failure = self.document.get("error") or (finished and self.document.get("success") is False)
        if own_failure and (response is None or not response.has()):
            return "failed"
        if response is None:
            return "done" if finished else "running"
        if response.failed or not finished:
            kind = _KINDS.get(self.type or "", "anything")
            return response.state(kind, ended=response.progress is None or response.progress >= 100)
        return "done"

    @property
    def progress(self) -> int | None:
        """Percentage 0-100 of a running task; None when it is not known."""
        own = Result(self.document).progress
        return own if own is not None or self.response is None else self.response.progress

    @property
    def created_at(self) -> float | None:
        """When the task was created, in Unix seconds of the service's clock."""
        return number_of(self.document.get("created_at"))

    def error(self) -> ApiError:
        """The failure of a failed task."""
        response = self.response
        document = response.document if response is not None and response.failed else self.document
        if not is_error(document):
            document = {"error": {"message": "The task ended without a result."}}
        error = error_of(document, status=200, accepted=True)
        error.task_id = error.task_id or self.id
        error.trace_id = error.trace_id or text_of(self.document.get("trace_id"))
        return error

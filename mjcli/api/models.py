"""The service's objects, read without trust: any field may be missing, null, or of another type (api.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mjcli.errors import ApiError, code_for_status


def text_of(value: Any) -> str | None:
    """A non-empty string, or a number written as one; else None."""
    if isinstance(value, str):
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


# Where the answers in words stand (api.md, "Endpoints");
# a picture may come along with the first two, which are lists, but not with the others.
_TEXT_FIELDS = ("descriptions", "prompts", "content", "seed")
_MADE = ("raw_image_url", "video_urls", "sub_image_urls", "actions")  # fields of a picture or video


class Result:
    """One object about a job: an event of its stream, or what it came to in the end.

    `document` is the object as it came, unknown fields included; `raw` its bytes, where it came as a line.
    """

    __slots__ = ("_final", "document", "raw")

    def __init__(self, document: Mapping[str, Any], raw: bytes = b"") -> None:
        self.document = document
        self.raw = raw
        self._final: bool | None = None

    @property
    def task_id(self) -> str | None:
        """The service's id of the task."""
        return text_of(self.document.get("task_id"))

    @property
    def image_id(self) -> str | None:
        """The id that actions are sent with; it changes on every event before the last."""
        return text_of(self.document.get("image_id"))

    @property
    def video_id(self) -> str | None:
        """The id that an extension is sent with."""
        return text_of(self.document.get("video_id"))

    @property
    def id(self) -> str | None:
        """The id of what was made: of the image, else of the video; an answer in words has made nothing."""
        return None if self.texts else self.image_id or self.video_id

    @property
    def progress(self) -> int | None:
        """Percentage 0-100, None when the object does not say."""
        value = self.document.get("progress")
        if type(value) is int and 0 <= value <= 100:  # as nearly always; a stream may bring very many
            return value
        number = number_of(value)
        return None if number is None else int(min(max(number, 0), 100))

    @property
    def actions(self) -> list[str]:
        """What may be done next with the image."""
        return _texts(self.document.get("actions"))

    @property
    def picture_url(self) -> str | None:
        """The link of the full-size picture, else of the thumbnail."""
        return text_of(self.document.get("raw_image_url")) or text_of(self.document.get("image_url"))

    @property
    def video_urls(self) -> list[str]:
        """The links of the videos; `picture_url` is then their cover."""
        return _texts(self.document.get("video_urls"))

    @property
    def file_urls(self) -> list[str]:
        """What a download saves: the videos, else the four pictures of a split, else the raw picture."""
        found = self.video_urls or _texts(self.document.get("sub_image_urls"))
        # A picture in an answer in words is the one that was asked about.
        return found or [url for url in [self.picture_url] if url and not self.texts]

    @property
    def texts(self) -> list[str]:
        """The answer of an endpoint that makes no picture: descriptions, shorter prompts, a translation, a seed."""
        progress = self.progress
        if any(self.document.get(name) for name in _MADE) or (progress is not None and progress < 100):
            return []  # a picture's result may have fields of such a name, too
        for name in _TEXT_FIELDS[:2] if self.picture_url else _TEXT_FIELDS:
            value = self.document.get(name)
            if found := _texts(value) or [text for text in [text_of(value)] if text]:
                return found
        return []

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """Width and height of the full-size picture in pixels."""
        for prefix in ("raw_image", "image"):
            sides = [number_of(self.document.get(f"{prefix}_{side}")) for side in ("width", "height")]
            width, height = (int(side or 0) for side in sides)
            if width > 0 and height > 0:
                return width, height
        return None

    @property
    def size(self) -> str | None:
        """The same as `2048x2048`."""
        return "{}x{}".format(*self.dimensions) if self.dimensions is not None else None

    @property
    def failed(self) -> bool:
        """Whether this object says that the job failed."""
        return self.document.get("success") is False or bool(self.document.get("error"))

    @property
    def final(self) -> bool:
        """Whether this object ends the job: a failure, all of its progress, actions on offer, or an answer in words."""
        if self._final is None:
            progress = self.progress
            ended = progress >= 100 if progress is not None else bool(self.actions or self.texts)
            self._final = ended or self.failed
        return self._final

    @property
    def answered(self) -> bool:
        """Whether there is what was asked for: something to fetch, or words."""
        return bool(self.file_urls or self.texts)

    @property
    def complete(self) -> bool:
        """Whether the job succeeded and there is what was asked for."""
        return self.final and not self.failed and self.answered

    def error(self, *, status: int = 200, accepted: bool = True) -> ApiError:
        """The failure that this object describes."""
        return error_of(self.document, status=status, accepted=accepted)


def is_error(document: Mapping[str, Any]) -> bool:
    """Whether an object is the service's error object, in any of its forms (api.md, "Errors")."""
    return bool(document.get("error")) or document.get("success") is False


def error_of(document: Mapping[str, Any], *, status: int, accepted: bool) -> ApiError:
    """An error object as an exception: `error` may be an object or a bare string, fields may be missing."""
    error = document.get("error")
    code = message = None
    if isinstance(error, Mapping):
        code, message = text_of(error.get("code")), text_of(error.get("message"))
    elif error:
        message = text_of(error)
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


class TaskRecord:
    """What the tasks endpoint keeps of a task; there is no status field (api.md, "A task record")."""

    __slots__ = ("document",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    @property
    def id(self) -> str | None:
        """The task's id."""
        return text_of(self.document.get("id"))

    @property
    def type(self) -> str | None:
        """The endpoint that the task was sent to, such as `imagine`."""
        return text_of(self.document.get("type"))

    @property
    def request(self) -> Mapping[str, Any]:
        """The body that was sent."""
        request = self.document.get("request")
        return request if isinstance(request, Mapping) else {}

    @property
    def response(self) -> Result | None:
        """The final object, once there is one."""
        response = self.document.get("response")
        return Result(response) if isinstance(response, Mapping) and response else None

    @property
    def state(self) -> str:
        """`running`, `failed` or `done`."""
        response, finished = self.response, bool(self.document.get("finished_at"))
        if response is None:
            if self.document.get("error"):
                return "failed"
            return "done" if finished else "running"
        if response.failed:
            return "failed"
        # A response that is still growing has neither an end time nor all of its progress.
        growing = response.progress is not None and response.progress < 100
        return "running" if growing and not finished else "done"

    @property
    def progress(self) -> int | None:
        """Percentage 0-100 of a running task, where the service says it."""
        own = Result(self.document).progress
        return own if own is not None or self.response is None else self.response.progress

    @property
    def created_at(self) -> float | None:
        """When the task was made, in Unix seconds of the service's clock."""
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

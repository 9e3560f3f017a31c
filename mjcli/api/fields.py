"""Optional fields of the request bodies, as keyword arguments of `Client`'s methods.

With `callback_url`, or with `async` (written `**{"async": True}`, since the word is reserved in Python), the
response is a task id at once, and nothing else.
"""

from __future__ import annotations

from typing import Literal, TypedDict

Mode = Literal["fast", "relax", "turbo"]

_AsyncFields = TypedDict("_AsyncFields", {"callback_url": str, "async": bool}, total=False)


class ImageFields(_AsyncFields, total=False):
    """For every endpoint that makes images. `mask` is a grey image in Base64, white where to redraw."""

    mode: Mode
    mask: str
    split_images: bool


class ImagineFields(ImageFields, total=False):
    """For imagine. `timeout` is in seconds."""

    timeout: int
    translation: bool
    version: str
    hd: bool
    quality: str | float
    style_reference: bool
    moodboard: bool


class VideoFields(_AsyncFields, total=False):
    """For videos."""

    mode: Literal["fast", "turbo"]
    end_image_url: str
    resolution: Literal["480p", "720p"]
    loop: bool


class ActionFields(ImageFields, total=False):
    """For actions. `prompt` is for actions that redraw a region; `timeout` is in seconds."""

    prompt: str
    timeout: int
    translation: bool

"""The fields of the endpoints' bodies beside those that a method of `Client` names (api.md, "Endpoints").

They are keyword arguments. A `callback_url`, or `async` (by `**{"async": True}`: the word is Python's), makes the
answer a task id at once, and nothing else.
"""

from __future__ import annotations

from typing import Literal, TypedDict

Mode = Literal["fast", "relax", "turbo"]

_Answered = TypedDict("_Answered", {"callback_url": str, "async": bool}, total=False)


class PictureFields(_Answered, total=False):
    """Of every endpoint that makes pictures. `mask` is Base64 of a grey picture, white where to redraw."""

    mode: Mode
    mask: str
    split_images: bool


class ImagineFields(PictureFields, total=False):
    """Of imagine. `timeout` is in seconds."""

    timeout: int
    translation: bool
    version: str
    hd: bool
    quality: str | float
    style_reference: bool
    moodboard: bool


class VideoFields(_Answered, total=False):
    """Of the videos endpoint."""

    mode: Literal["fast", "turbo"]
    end_image_url: str
    resolution: Literal["480p", "720p"]
    loop: bool


class ActionFields(PictureFields, total=False):
    """Of actions, which imagine takes as well; `prompt` is for those that redraw a region."""

    prompt: str
    timeout: int
    translation: bool

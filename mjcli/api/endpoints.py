"""The endpoints that start a job: what each returns, and whether it can stream its progress."""

from __future__ import annotations

from typing import NamedTuple

from mjcli.api.models import ResultKind


class Endpoint(NamedTuple):
    """One endpoint; a task record names it as its `type`."""

    name: str
    result: ResultKind
    streams: bool = False

    @property
    def path(self) -> str:
        """The path of its URL."""
        return f"/midjourney/{self.name}"


def endpoint(name: str) -> Endpoint:
    """The endpoint of this name; an unknown one, as a newer version may have recorded, returns an image."""
    return ENDPOINTS.get(name) or Endpoint(name, "image")


ENDPOINTS = {
    each.name: each
    for each in (
        Endpoint("imagine", "image", streams=True),
        Endpoint("edits", "image", streams=True),
        Endpoint("videos", "video", streams=True),
        Endpoint("describe", "text"),
        Endpoint("shorten", "text"),
        Endpoint("translate", "text"),
        Endpoint("seed", "text"),
    )
}

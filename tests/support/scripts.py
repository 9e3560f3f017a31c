"""Service scripts that several test modules share."""

from __future__ import annotations

import json
import threading

from tests.support.images import png
from tests.support.service import Received, Reply, Service

FIRST = {"task_id": "task-1", "progress": 10, "image_id": "early", "actions": []}


def hold(service: Service) -> None:
    """Accept the request and never respond."""
    service.imagine(lambda _request, _reply: service.over.wait(60) and None)


def hold_after_the_task(service: Service) -> None:
    """Send the first event and then nothing."""

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        service.over.wait(60)

    service.imagine(script)


def hold_the_image(service: Service, names: tuple[str, ...] = ("cat.png",)) -> threading.Event:
    """Send half of each image and then nothing; the event is set when all of them have been requested."""
    begun = threading.Event()
    asked: list[str] = []

    def script(request: Received, reply: Reply) -> None:
        data = png(300_000)
        reply.head(200, {"etag": '"one"'}, length=len(data))
        reply.send(data[:150_000])
        asked.append(request.path)
        if len(asked) == len(names):
            begun.set()
        service.over.wait(60)

    for name in names:
        service.files[f"/files/{name}"] = script
    more = {"sub_image_urls": [f"{service.base_url}/files/{n}" for n in names]} if len(names) > 1 else {}
    service.stream([service.result(task_id="task-1", **more)])
    return begun


def links(service: Service, *names: str) -> list[str]:
    """The URLs of files on this service."""
    return [f"{service.base_url}/files/{name}" for name in names]

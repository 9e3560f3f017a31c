"""Jobs from earlier runs, whose links may have expired."""

from __future__ import annotations

import time
from typing import Any

from tests.support.images import png
from tests.support.program import Mj
from tests.support.scripts import links
from tests.support.service import Service, task_record

IMAGE_DATA = png(50_000)

IMAGE_ID = "1234197197067915365"

TASK_ID = "1bae3bec-3ac4-4180-a148-74ee6cb68b98"

SAVED = f"a-cat_{IMAGE_ID}.png"

REQUEST = {"action": "generate", "prompt": "a cat"}

EXPIRED = "?ex=662fdb36&is=662e89b6&hm=ca9be5&"


def valid_query() -> str:
    """The query of a link that is valid for an hour."""
    return f"?ex={int(time.time()) + 3600:x}&is=662e89b6&hm=ca9be5&"


def run_earlier_job(
    online: Mj, service: Service, *options: object, query: str | None = None, **fields: Any
) -> None:
    """Run a job to its end, and forget its requests; its image is at /files/cat.png."""
    service.files.setdefault("/files/cat.png", IMAGE_DATA)
    if "raw_image_url" not in fields:
        fields["raw_image_url"] = links(service, "cat.png")[0] + (valid_query() if query is None else query)
    service.stream([service.result(**fields)])
    online("imagine", "a cat", *options)
    service.received.clear()


def give_fresh_links(service: Service, *names: str, task_id: str = TASK_ID, **fields: Any) -> None:
    """Give the task fresh links: one image, or several split images."""
    urls = [each + valid_query() for each in links(service, *names)]
    found = {"sub_image_urls": urls} if len(urls) > 1 else {"raw_image_url": urls[0]}
    service.tasks[task_id] = task_record(task_id, REQUEST, {**service.result(), **found, **fields})


def task_queries(service: Service) -> list[Any]:
    """The bodies of the requests to the tasks endpoint."""
    return [each.body for each in service.posts(Service.TASKS)]

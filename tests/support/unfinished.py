"""Jobs for `mj resume`: running, finished meanwhile, or with a lost response."""

from __future__ import annotations

import json
from typing import Any

from tests.support.images import png
from tests.support.ledger import change, rows
from tests.support.program import Mj
from tests.support.service import Service, task_record

REQUEST = {"action": "generate", "prompt": "a cat"}


def finish_task(
    service: Service, task: str = "task-1", request: dict[str, Any] = REQUEST, **more: Any
) -> None:
    """The service finishes this task."""
    service.files["/files/cat.png"] = png()
    service.tasks[task] = task_record(task, request, service.result(task_id=task, **more))


def start_job(
    mj: Mj, service: Service, *options: object, prompt: str = "a cat", task: str = "task-1"
) -> None:
    """Start a job without waiting for it."""
    service.answer({"task_id": task})
    mj("imagine", prompt, "--no-wait", *options)


def lose_response(mj: Mj, service: Service, *options: object, prompt: str = "a cat") -> str:
    """Start a job that was sent an hour ago and whose response was lost; returns its id prefix."""
    start_job(mj, service, *options, prompt=prompt)
    change(
        mj,
        "UPDATE jobs SET state = 'unknown', task_id = NULL, accepted_at = NULL, sent_at = sent_at - 3600,"
        " request = ? WHERE number = (SELECT MAX(number) FROM jobs)",
        json.dumps({**REQUEST, "prompt": prompt}),
    )
    return str(rows(mj, "uuid")[-1][0])[:8]

"""A runner with everything around it, for tests that follow one job from request to result."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.order import Order, Outcome
from mjcli.jobs.runner import Runner
from tests.jobs.fakes import FakeClient, FakeClock, Recorder
from tests.support.service import task_record

HOST = "https://api.example"
BODY = {"action": "generate", "prompt": "a cat"}
ORDER = Order(kind="imagine", endpoint="imagine", body=BODY, subject="a cat")
STEP: dict[str, Any] = {"task_id": "t1", "progress": 40, "actions": []}
FINAL: dict[str, Any] = {
    "task_id": "t1",
    "success": True,
    "progress": 100,
    "image_id": "i1",
    "raw_image_url": "https://h/cat.png",
    "actions": ["upscale1"],
}
FAILED: dict[str, Any] = {
    "task_id": "t1",
    "success": False,
    "error": {"code": "bad_request", "message": "no"},
}


class Scene:
    """A runner, and what the service and the ledger hold."""

    def __init__(self, client: FakeClient, jobs: Ledger, clock: FakeClock, observer: Recorder) -> None:
        self.client, self.ledger, self.clock, self.observer = client, jobs, clock, observer
        self.runner = Runner(client, jobs, profile="default", host=HOST, clock=clock)

    def task(self, task_id: str = "t1", response: dict[str, Any] | None = None, **more: Any) -> None:
        """Put a task at the service; without a response it is running."""
        fields = {"created_at": self.clock.time(), **more}
        self.client.tasks_now[task_id] = task_record(task_id, BODY, response, **fields)

    def finish_at(self, seconds: float, task_id: str = "t1", response: dict[str, Any] = FINAL) -> None:
        """Finish a task once this many seconds have passed."""
        self.clock.events.append((seconds, lambda: self.task(task_id, response)))

    @property
    def row(self) -> Job:
        """The newest job in the ledger."""
        job = self.ledger.nth_newest("default", 1)
        assert job is not None
        return job

    def run(self, order: Order = ORDER) -> Outcome:
        """Run an order and return its outcome."""
        return self.runner.run(order, self.observer)

    def fails(self, kind: type[BaseException], order: Order = ORDER) -> Any:
        """Run an order that raises this error, and return the error."""
        with pytest.raises(kind) as caught:
            self.run(order)
        return caught.value

    def record(self) -> str:
        """Record a job that is not sent."""
        return self.ledger.record(
            profile="default",
            host=HOST,
            kind="imagine",
            path="/midjourney/imagine",
            request=BODY,
            files_asked=None,
            parent_image=None,
            subject="a cat",
        )

    def resume(self, timeout: float | None = None) -> Outcome:
        """Resume the newest job and return its outcome."""
        return self.runner.resume(self.row, self.observer, timeout=timeout)

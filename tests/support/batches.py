"""A service that accepts any number of jobs, and what a batch of them says and leaves behind."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.images import png
from tests.support.program import Mj, Result
from tests.support.service import Received, Reply, Script, Service, fixture, task_record

FAST = ("--rate", 1000)
GRID_ACTIONS = fixture("imagine.json")["actions"]
ONE_IMAGE_ACTIONS = ["upscale_2x", "upscale_4x", "variation_subtle", "zoom_out_2x"]


class Midjourney:
    """The jobs of a scripted service. A job ends at once, unless its prompt or action is in `held`.

    `faults` has scripts that answer instead, by the prompt or the action of the request; a list is used up.
    """

    def __init__(self, service: Service, name: str = "task") -> None:
        self.service, self.name = service, name
        self.accepted: list[Received] = []
        self.held: set[str] = set()
        self.faults: dict[str, Script | list[Script]] = {}
        self.honours_async = True
        self.changed = threading.Condition()
        self._numbers = itertools.count(1)
        service.imagine(self._answer)

    @property
    def jobs(self) -> list[str]:
        """What the accepted requests are about, in the order of their acceptance."""
        return [about(each.body) for each in self.accepted]

    def wait_for(self, count: int) -> None:
        """Wait until so many jobs are accepted."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.accepted) >= count, 15), self.jobs

    def release(self) -> None:
        """End all jobs that are held, and hold none."""
        with self.changed:
            self.held.clear()
            for task_id, record in self.service.tasks.items():
                if "response" not in record:
                    self._end(task_id, record["request"])
            self.changed.notify_all()

    def _answer(self, request: Received, reply: Reply) -> None:
        body = request.body
        script = self.faults.get(about(body))
        if isinstance(script, list):
            script = script.pop(0) if script else None
        if script is not None:
            script(request, reply)
            return
        task_id = self.accept(request)
        if not (body.get("async") and self.honours_async):
            with self.changed:
                self.changed.wait_for(lambda: "response" in self.service.tasks[task_id], 30)
            streams = "ndjson" in request.headers.get("accept", "")
            result = self.service.tasks[task_id]["response"]
            reply.stream([result]) if streams else reply.json(result)
        else:
            reply.json({"task_id": task_id})

    def accept(self, request: Received) -> str:
        """Start a job, and return its task id."""
        with self.changed:
            task_id = f"{self.name}-{next(self._numbers)}"
            self.accepted.append(request)
            self.service.tasks[task_id] = task_record(task_id, request.body, None)
            if about(request.body) not in self.held and "*" not in self.held:
                self._end(task_id, request.body)
            self.changed.notify_all()
        return task_id

    def _end(self, task_id: str, body: dict[str, Any]) -> None:
        image = task_id.replace("task", "image")
        path = f"/files/{task_id}.png"
        self.service.files[path] = png()
        single = str(body.get("action") or "").startswith("upscale")
        result = {
            "task_id": task_id,
            "success": True,
            "progress": 100,
            "image_id": image,
            "raw_image_url": f"{self.service.base_url}{path}",
            "actions": ONE_IMAGE_ACTIONS if single else GRID_ACTIONS,
            "trace_id": f"trace-{task_id}",
        }
        self.service.tasks[task_id] = task_record(task_id, body, result)


def about(body: dict[str, Any]) -> str:
    """What a request is about: its prompt, else its action and image."""
    return str(body.get("prompt") or f"{body.get('action')} {body.get('image_id')}")


def refuse(code: str, status: int, message: str = "no", **headers: str) -> Script:
    """Answer with an error object of the API."""
    error = {"error": {"code": code, "message": message}, "trace_id": "trace-of-the-error"}
    return lambda _request, reply: reply.json(error, status, headers)


def lose(_request: Received, reply: Reply) -> None:
    """Drop the connection after the request has arrived."""
    reply.reset()


class Batch:
    """The command `mj batch` on a file of the working directory."""

    def __init__(self, mj: Mj, name: str = "prompts.txt") -> None:
        self.mj, self.name = mj, name

    def write(self, *lines: str) -> None:
        """Write the lines of the file."""
        self.path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    @property
    def path(self) -> Path:
        return self.mj.cwd / self.name

    def arguments(self, *options: object) -> Sequence[object]:
        return ("batch", self.name, *FAST, *options)

    def __call__(self, *options: object, **run: Any) -> Result:
        """Run it."""
        return self.mj(*self.arguments(*options), **run)

    def json(self, *options: object, **run: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Run it with --json; the objects of the jobs, and the summary."""
        *jobs, summary = self(*options, "--json", **run).json
        assert summary["summary"] is True
        return jobs, summary


def rows(mj: Mj, columns: str = "subject, state, task_id, item") -> list[tuple[Any, ...]]:
    """These columns of the jobs in the ledger."""
    connection = sqlite3.connect(mj.home / "data" / "ledger.db")
    try:
        return connection.execute(f"SELECT {columns} FROM jobs ORDER BY number").fetchall()
    finally:
        connection.close()

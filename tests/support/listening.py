"""A running `mj listen`, the jobs that it listens for, and their callbacks."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.support.program import Mj
from tests.support.service import Service, task_record

TASK = "f6e39eaf-652a-4bf5-a15c-79d8b143b80a"


class Listening:
    """A running `mj listen --json`; `url` is where its callbacks go."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        first = self.line()
        assert first["event"] == "listening", first
        self.url = first["callback_url"]

    def line(self) -> Any:
        """The next line of its standard output, as JSON."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "it has ended"
        return json.loads(line)

    def post(self, document: object, *, path: str | None = None) -> int:
        """Send a callback; returns the HTTP status of the response."""
        address = urlsplit(self.url)
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", address.path if path is None else path, body)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def end(self) -> tuple[int, str, str]:
        """Its exit status, the rest of its standard output, and its standard error."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out.decode(), err.decode()


@contextlib.contextmanager
def listening(mj: Mj, *arguments: str, env: dict[str, str | None] | None = None) -> Iterator[Listening]:
    process = mj.start("listen", "--json", *arguments, env=env)
    try:
        yield Listening(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def submit_job(
    mj: Mj, service: Service, url: str, task_id: str = TASK, *options: str, prompt: str = "a cat"
) -> dict[str, Any]:
    """Submit a job with a callback URL; returns the body that was sent."""
    service.answer({"task_id": task_id})
    mj("imagine", prompt, "--callback-url", url, *options)
    body = service.posts()[-1].body
    assert body["callback_url"] == url
    service.tasks[task_id] = task_record(task_id, body, None)
    return dict(body)


def finish(service: Service, task_id: str = TASK, **fields: Any) -> dict[str, Any]:
    """Finish the task; returns the callback."""
    result = {**service.result(), "task_id": task_id, **fields}
    service.tasks[task_id] = task_record(task_id, {}, result)
    return result


def job(mj: Mj, reference: str = "@last") -> Any:
    return mj("history", "show", reference, "--json").answer

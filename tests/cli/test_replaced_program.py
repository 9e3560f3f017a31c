"""The program is replaced or removed while a job runs: the job ends as if it had not been."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import mjcli
from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import Mj, files
from tests.support.service import Received, Reply, Script, Service, fixture, task_record

pytestmark = pytest.mark.slow

REQUEST = {"action": "generate", "prompt": "a cat"}


class Copy:
    """A copy of the package, which can be removed while it runs."""

    def __init__(self, mj: Mj, service: Service) -> None:
        self.mj, self.service = mj, service
        self.directory = mj.home / "program"
        self.removed = threading.Lock()
        self.restore()
        service.files["/files/cat.png"] = png()

    def restore(self) -> None:
        package = Path(mjcli.__file__).parent
        shutil.copytree(package, self.directory / "mjcli")

    def remove(self) -> None:
        with self.removed:
            if self.directory.exists():
                shutil.rmtree(self.directory)

    def then(self, *scripts: Script) -> None:
        """Handle the next requests with these scripts, the program having been removed before the first response."""

        def removing(script: Script) -> Script:
            def handle(request: Received, reply: Reply) -> None:
                self.remove()
                script(request, reply)

            return handle

        for path in (Service.IMAGINE, "/midjourney/videos", "/midjourney/describe", "/midjourney/edits"):
            self.service.scripts[path] = [removing(each) for each in scripts]

    def run(self, *arguments: object, check: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "mjcli", *map(str, arguments)],
            env=self.mj.environment({"PYTHONPATH": str(self.directory)}),
            cwd=self.mj.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        err = done.stderr.decode()
        assert not self.directory.exists()
        assert done.returncode == check, err
        assert "Traceback" not in err
        assert "Internal error" not in err
        return done


@pytest.fixture
def copy(online: Mj, service: Service) -> Copy:
    return Copy(online, service)


def streamed(service: Service, **fields: Any) -> Script:
    lines = [{"task_id": "t", "progress": 10}, service.result(task_id="t", **fields)]
    return lambda _, reply: reply.stream(lines)


@pytest.mark.parametrize(
    "output", [(), ("--json",), ("-q",), ("-v",), ("--json", "--stream"), ("--no-stream",)]
)
def test_a_job_saves_its_file(copy: Copy, service: Service, output: tuple[str, ...]) -> None:
    plain: Script = lambda _, reply: reply.json(service.result(task_id="t"))  # noqa: E731
    copy.then(plain if "--no-stream" in output else streamed(service))
    copy.run("imagine", "a cat", "-o", "cat.png", *output)
    assert files(copy.mj) == ["cat.png"]
    assert rows(copy.mj) == [("done", "t")]
    assert len(service.posts()) == 1


@pytest.mark.parametrize("how", ["embed", "sidecar"])
def test_metadata_is_saved(copy: Copy, service: Service, how: str) -> None:
    copy.then(streamed(service))
    copy.run("imagine", "a cat --niji 6", "-o", "cat.png", "--metadata", how)
    saved = {each: (copy.mj.cwd / each).read_bytes() for each in files(copy.mj)}
    assert [name for name, data in saved.items() if b"a cat --niji 6" in data] == [
        "cat.png" if how == "embed" else "cat.png.json"
    ]
    assert rows(copy.mj) == [("done", "t")]


def test_a_grid_is_split(copy: Copy, service: Service) -> None:
    image = pytest.importorskip("PIL.Image")
    data = io.BytesIO()
    image.new("RGB", (1024, 1024)).save(data, "png")
    service.files["/files/cat.png"] = data.getvalue()
    copy.then(streamed(service))
    copy.run("imagine", "a cat", "--split")
    assert len(files(copy.mj)) == 5


def test_a_lost_response_is_searched_for(copy: Copy, service: Service) -> None:
    def lost(_: Received, reply: Reply) -> None:
        service.tasks["t"] = task_record("t", REQUEST, service.result(task_id="t"))
        reply.reset()

    copy.then(lost)
    copy.run("imagine", "a cat", "-o", "cat.png")
    assert files(copy.mj) == ["cat.png"]


def test_a_broken_stream_is_followed(copy: Copy, service: Service) -> None:
    service.tasks["t"] = task_record("t", REQUEST, service.result(task_id="t"))
    copy.then(lambda _, reply: reply.stream([{"task_id": "t", "progress": 10}], end=False))
    copy.run("imagine", "a cat", "-o", "cat.png")
    assert files(copy.mj) == ["cat.png"]


ENDS: list[tuple[Callable[[Service], Script], int]] = [
    (lambda _: lambda _, reply: reply.json({"error": {"code": "bad_request", "message": "no"}}, 400), 4),
    (lambda _: lambda _, reply: reply.json({"error": {"code": "used_up", "message": "no"}}, 403), 5),
    (lambda _: lambda _, reply: reply.json({"error": {"code": "invalid_token", "message": "no"}}, 401), 3),
    (lambda _: lambda _, reply: reply.whole(b"", 302, {"location": "/x"}), 6),
    (lambda _: lambda _, reply: reply.whole(b"<html>", 502), 9),
    (lambda service: streamed(service, raw_image_url=f"{service.base_url}/files/none.png", image_url=None), 8),
    (lambda service: lambda _, reply: (service.over.wait(60), reply.close())[1], 9),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("script", "status"), ENDS)
@pytest.mark.parametrize("output", [(), ("--json",), ("-v",)])
def test_every_failure_is_reported(
    copy: Copy, service: Service, script: Callable[[Service], Script], status: int, output: tuple[str, ...]
) -> None:
    copy.then(script(service))
    copy.run("imagine", "a cat", "-o", "cat.png", "--timeout", "2", *output, check=status)


def test_a_rate_limit_is_retried(copy: Copy, service: Service) -> None:
    limited = {"error": {"code": "rate_limited", "message": "slow"}}
    copy.then(lambda _, reply: reply.json(limited, 429, {"retry-after": "0.1"}), streamed(service))
    copy.run("imagine", "a cat", "-o", "cat.png")
    assert len(service.posts()) == 2


def test_the_next_of_several_jobs_is_sent(copy: Copy, service: Service) -> None:
    copy.then(streamed(service), lambda _, reply: reply.json(service.result(task_id="u")))
    copy.run("imagine", "a {red,blue} cat", "--permute", "--yes", "-o", "{prompt}.{ext}")
    assert len(service.posts()) == 2
    assert len(files(copy.mj)) == 2


def test_videos_save_their_files(copy: Copy, service: Service) -> None:
    base = service.base_url
    service.files["/a.mp4"] = (
        b"\x00\x00\x00\x18ftypmp42" + bytes(12) + b"\x00\x00\x00\x08mdat" + b"\x00\x00\x00\x08moov"
    )
    result = {**fixture("videos.json"), "video_urls": [f"{base}/a.mp4"], "image_url": f"{base}/files/cat.png"}
    copy.then(lambda _, reply: reply.json(result))
    copy.run("video", "a cat", "--image", f"{base}/files/cat.png", "--no-check", "--download")
    assert [each for each in files(copy.mj) if each.endswith(".mp4")]


def test_a_text_is_printed(copy: Copy, service: Service) -> None:
    copy.then(lambda _, reply: reply.json(fixture("describe.json")))
    done = copy.run("describe", f"{service.base_url}/files/cat.png")
    assert fixture("describe.json")["descriptions"][0][:20] in done.stdout.decode()


def test_a_listening_job_ends(copy: Copy, service: Service) -> None:
    service.tasks["t"] = task_record("t", REQUEST, service.result(task_id="t"))

    def accept(request: Received, reply: Reply) -> None:
        reply.json({"task_id": "t"})
        threading.Thread(target=call_back, args=(request.body["callback_url"],)).start()

    def call_back(url: str) -> None:
        response = httpx.post(url, json=service.result(task_id="t"), trust_env=False, timeout=60)
        assert response.is_success

    copy.then(accept)
    copy.run("imagine", "a cat", "-o", "cat.png", "--listen")
    assert files(copy.mj) == ["cat.png"]


def test_a_job_that_is_resumed_saves_its_file(copy: Copy, service: Service) -> None:
    copy.then(lambda _, reply: reply.json({"task_id": "t"}))
    copy.run("imagine", "a cat", "-o", "cat.png", "--no-wait")
    copy.restore()

    def tasks(request: Received, reply: Reply) -> None:
        copy.remove()
        service.tasks["t"] = task_record("t", REQUEST, service.result(task_id="t"))
        reply.json(service._tasks(request.body))

    service.scripts[Service.TASKS] = tasks
    copy.run("resume")
    assert files(copy.mj) == ["cat.png"]


def test_a_task_that_is_followed_saves_its_file(copy: Copy, service: Service) -> None:
    queries = iter(range(10))

    def tasks(request: Received, reply: Reply) -> None:
        copy.remove()
        done = service.result(task_id="t") if next(queries) else None
        reply.json(task_record("t", REQUEST, done))

    service.scripts[Service.TASKS] = tasks
    copy.run("describe-task", "t", "--wait", "--download")
    assert len(files(copy.mj)) == 1


@pytest.mark.parametrize("output", [(), ("--json",), ("-q",)])
def test_a_listener_that_runs_on_saves_what_it_is_told_of(
    copy: Copy, service: Service, output: tuple[str, ...]
) -> None:
    service.tasks["t"] = task_record("t", REQUEST, None)

    def tasks(request: Received, reply: Reply) -> None:
        copy.remove()
        service.tasks["t"] = task_record("t", REQUEST, service.result(task_id="t"))
        reply.json(service._tasks(request.body))

    service.scripts[Service.TASKS] = tasks
    copy.run("listen", "--once", "t", "--download", "--port", "0", "--timeout", "30", *output)
    assert len(files(copy.mj)) == 1

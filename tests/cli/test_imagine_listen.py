"""`--listen`: waiting for a callback, with queries in case none arrives."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from typing import Any

import pytest

from mjcli.jobs.follow import CALLBACK_SECONDS
from tests.support.faraway import FarAway
from tests.support.images import png
from tests.support.pauses import SHORT
from tests.support.program import Mj
from tests.support.service import Received, Reply, Service, fixture, task_record

TASK = "f6e39eaf-652a-4bf5-a15c-79d8b143b80a"


def call(url: str, document: Any) -> int:
    request = urllib.request.Request(url, json.dumps(document).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.status)


class CallingBack:
    """Accepts a job and sends these callbacks; `ended` is the result at the tasks endpoint."""

    def __init__(self, service: Service, *callbacks: dict[str, Any], ended: dict[str, Any] | None) -> None:
        self.service, self.callbacks, self.ended = service, callbacks, ended
        self.statuses: list[int] = []
        self.thread = threading.Thread(target=self._call)
        service.imagine(self._script)

    def _script(self, request: Received, reply: Reply) -> None:
        self.url = request.body["callback_url"]
        self.service.tasks[TASK] = task_record(TASK, request.body, None)
        self.thread.start()
        reply.json({"task_id": TASK})

    def _call(self) -> None:
        for callback in self.callbacks:
            if callback.get("progress") == 100 or callback.get("success") is False:
                self.service.tasks[TASK] = task_record(TASK, {}, self.ended)
            self.statuses.append(call(self.url, callback))


def test_the_callback_ends_the_wait(online: Mj, service: Service) -> None:
    result = {**service.result(), "task_id": TASK}
    step = {"task_id": TASK, "progress": 40, "actions": [], "success": True}
    calling = CallingBack(service, step, result, ended=result)
    service.files["/files/cat.png"] = png()
    started = time.monotonic()
    done = online("imagine", "a cat", "--listen", "--download", "--json")
    assert time.monotonic() - started < CALLBACK_SECONDS
    assert done.answer["raw_image_url"] == result["raw_image_url"]
    assert len(done.answer["files"]) == 1
    assert "progress: 40%" in done.err
    assert calling.statuses == [200, 200]
    (post,) = service.posts()
    assert post.headers["accept"] == "application/x-ndjson"
    assert post.body["callback_url"].startswith("http://127.0.0.1:")
    assert len(service.posts(Service.TASKS)) == 1  # confirms the callback
    assert online("history", "show", "@last", "--json").answer["state"] == "done"


def test_a_callback_can_report_a_failure(online: Mj, service: Service) -> None:
    failure = {"success": False, "task_id": TASK, "error": {"code": "bad_request", "message": "no -c"}}
    CallingBack(service, failure, ended=failure)
    assert "no -c" in online("imagine", "a cat", "--listen", check=4).err
    assert online("history", "show", "@last", "--json").answer["state"] == "failed"


@pytest.mark.slow
def test_a_forged_end_is_not_believed(online: Mj, service: Service) -> None:
    online.pauses = {**SHORT, "mjcli.jobs.follow:CALLBACK_SECONDS": 0.2}
    true = {**service.result(), "task_id": TASK}
    forged = {**true, "raw_image_url": "http://127.0.0.1:9/evil.png"}
    calling = CallingBack(service, forged, ended=None)

    def script(request: Received, reply: Reply) -> None:
        queries = len(service.posts(Service.TASKS))
        reply.json(task_record(TASK, {}, None if queries < 3 else true))

    service.scripts[Service.TASKS] = script
    assert online("imagine", "a cat", "--listen", "-q").out.strip() == true["raw_image_url"]
    assert calling.statuses == [200]


@pytest.mark.slow
def test_without_a_callback_the_task_is_polled(online: Mj, service: Service) -> None:
    online.pauses = {**SHORT, "mjcli.jobs.follow:CALLBACK_SECONDS": 0.2}
    result = {**service.result(), "task_id": TASK}

    def script(request: Received, reply: Reply) -> None:
        service.tasks[TASK] = task_record(TASK, request.body, result)
        reply.json({"task_id": TASK})

    service.imagine(script)
    assert online("imagine", "a cat", "--listen", "--json").answer["task_id"] == TASK


@pytest.mark.slow
def test_a_deadline_leaves_the_job_to_resume(online: Mj, service: Service) -> None:
    def script(request: Received, reply: Reply) -> None:
        service.tasks[TASK] = task_record(TASK, request.body, None)
        reply.json({"task_id": TASK})

    service.imagine(script)
    result = online("imagine", "a cat", "--listen", "--timeout", "1", check=7)
    assert f"mj resume {TASK}" in result.err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_ctrl_c_ends_the_wait_immediately_and_suggests_how_to_continue(online: Mj, service: Service) -> None:
    def script(request: Received, reply: Reply) -> None:
        service.tasks[TASK] = task_record(TASK, request.body, None)
        reply.json({"task_id": TASK})

    service.imagine(script)
    process = online.start("imagine", "a cat", "--listen")
    try:
        assert process.stderr is not None
        while TASK.encode() not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=CALLBACK_SECONDS - 1)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert out.decode() == f"task: {TASK}\n"
    assert f"mj resume {TASK}" in err.decode()


def test_the_public_url_is_sent_to_the_service(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a cat", "--listen", "--public-url", "https://example.com/hook")
    assert service.posts()[0].body["callback_url"].startswith("https://example.com/hook/")


def test_a_plain_result_is_accepted(online: Mj, service: Service) -> None:
    service.answer(service.result())
    assert online("imagine", "a cat", "--listen", "--json").answer["image_id"]


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "127.1", "localhost"])
def test_an_address_that_the_service_cannot_reach_causes_a_warning(
    mj: Mj, far_away: FarAway, host: str
) -> None:
    far_away.answer(fixture("imagine.json"))
    world = {**far_away.env, "MJ_TOKEN": "secret-token"}
    result = mj("imagine", "a cat", "--listen", "--host", host, "--json", env=world)
    assert "cannot reach" in result.err
    result = mj("imagine", "a cat", "--listen", "--public-url", "https://example.com", "--json", env=world)
    assert "cannot reach" not in result.err
    result = mj("imagine", "a cat", "--listen", "--public-url", "http://10.1.2.3:80/a", "--json", env=world)
    assert "cannot reach http://10.1.2.3:80/a/" in result.err


def test_a_private_callback_url_causes_a_warning_before_the_request_is_sent(
    mj: Mj, far_away: FarAway
) -> None:
    far_away.answer({"task_id": TASK})
    world = {**far_away.env, "MJ_TOKEN": "secret-token"}
    result = mj("imagine", "a cat", "--callback-url", "http://[::ffff:127.0.0.1]/", "--json", env=world)
    assert result.err.startswith(
        'warning: The service cannot reach --callback-url "http://[::ffff:127.0.0.1]/"'
    )
    assert (
        "cannot reach" not in mj("imagine", "a cat", "--callback-url", "https://example.com/", env=world).err
    )


def test_the_address_of_an_ipv6_host_has_brackets_once(online: Mj, service: Service) -> None:
    service.answer(service.result())
    result = online("imagine", "a cat", "--listen", "--host", "[::1]", "--json", check=None)
    if "Cannot receive" in result.err:
        pytest.skip("no IPv6")
    assert service.posts()[0].body["callback_url"].startswith("http://[::1]:")


@pytest.mark.parametrize(
    "options",
    [
        ("--listen", "--no-wait"),
        ("--listen", "--callback-url", "http://127.0.0.1:9/"),
        ("--port", "8000"),
        ("--public-url", "https://example.com"),
        ("--listen", "--public-url", "example.com"),
        ("--listen", "--host", "nowhere.invalid"),
        ("--listen", "--host", "[::1"),
        ("--listen", "--host", "[::1", "--dry-run"),
        ("--callback-url", "http://"),
        ("--callback-url", "https://h:0/"),
    ],
)
def test_contradictory_options_are_refused_before_anything_is_sent(
    online: Mj, service: Service, options: tuple[str, ...]
) -> None:
    service.answer(service.result())
    online("imagine", "a cat", *options, check=2)
    assert not service.posts()


def test_the_dry_run_opens_no_port(online: Mj, service: Service) -> None:
    answer = online("imagine", "a cat", "--listen", "--dry-run", "--json").answer
    assert answer["body"]["callback_url"].startswith("https://callback.invalid")


@pytest.mark.slow
def test_the_sandbox_calls_back(mj: Mj) -> None:
    result = mj("--sandbox", "action", "upscale1", "@last", "--listen", check=2)
    assert "No jobs yet in profile" in result.err
    assert mj("--sandbox", "imagine", "a cat", "--listen", "--json").answer["success"] is True

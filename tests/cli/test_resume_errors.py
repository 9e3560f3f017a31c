"""`mj resume` when the service, the token or the ledger fails, or a signal arrives."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import Any

import pytest

from tests.support.history import add_jobs
from tests.support.ledger import change, rows
from tests.support.program import SOON, Mj, running, wait_for_exit
from tests.support.service import Received, Reply, Service, task_record
from tests.support.systems import posix
from tests.support.unfinished import REQUEST, finish_task, lose_response, start_job


def test_without_a_connection_a_running_job_stays_and_is_reported(online: Mj, service: Service) -> None:
    start_job(online, service)
    change(online, "UPDATE jobs SET host = 'http://127.0.0.1:9'")
    result = online("resume", env={"MJ_BASE_URL": "http://127.0.0.1:9"}, check=7)
    assert "continues at the service and is billed if it succeeds" in result.err
    assert "next: mj resume task-1" in result.err
    assert rows(online) == [("running", "task-1")]


def test_without_a_token_the_error_suggests_to_log_in(online: Mj, service: Service) -> None:
    start_job(online, service)
    assert "mj auth login" in online("resume", env={"MJ_TOKEN": None}, check=3).err
    assert rows(online) == [("running", "task-1")]


def test_a_refused_token_does_not_fail_the_job(online: Mj, service: Service) -> None:
    start_job(online, service)
    service.scripts[Service.TASKS] = lambda _request, reply: reply.json(
        {"error": {"code": "invalid_token", "message": "no"}}, 401
    )
    online("resume", check=3)
    assert rows(online) == [("running", "task-1")]


@pytest.mark.slow
@posix
def test_an_interrupt_while_a_job_is_followed_leaves_it_running(online: Mj, service: Service) -> None:
    start_job(online, service)
    service.tasks["task-1"] = task_record("task-1", REQUEST, None, progress=30)
    with running(online, "resume", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"progress: 30%" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        status, _out, err = wait_for_exit(process)
    assert status == 130
    assert "next: mj resume task-1" in err
    assert rows(online) == [("running", "task-1")]


def test_a_resumed_job_is_printed_like_a_new_one(online: Mj, service: Service) -> None:
    start_job(online, service)
    finish_task(service)
    out = online("resume").out
    for line in ("link: ", "id: ", "task: task-1", "size: ", "next: mj upscale 1 "):
        assert f"\n{line}" in f"\n{out}"


@pytest.mark.slow
@posix
@pytest.mark.parametrize("arguments", [("resume",), ("describe-task", "@1")])
def test_an_interrupt_during_the_first_query_does_not_claim_that_nothing_is_billed(
    online: Mj, service: Service, arguments: tuple[str, ...]
) -> None:
    start_job(online, service)
    queried = threading.Event()

    def hang(_request: Received, _reply: Reply) -> None:
        queried.set()
        service.over.wait(60)

    service.scripts[Service.TASKS] = hang
    with running(online, *arguments) as process:
        assert queried.wait(SOON)
        process.send_signal(signal.SIGINT)
        status, _out, err = wait_for_exit(process)
    assert status == 130
    assert "Nothing was sent" not in err
    assert "nothing is billed" not in err
    assert "Nothing more was sent" in err or "continues at the service" in err
    assert "next: mj " in err
    assert rows(online) == [("running", "task-1")]


@pytest.mark.parametrize(
    ("code", "status"), [("used_up", 403), ("too_many_requests", 429), ("api_error", 500)]
)
def test_a_refused_search_does_not_suggest_to_try_again(
    online: Mj, service: Service, code: str, status: int
) -> None:
    name = lose_response(online, service)
    service.scripts[Service.TASKS] = lambda _request, reply: reply.json(
        {"error": {"code": code, "message": "no"}}, status
    )
    err = online("resume", "--retries", "0", check=9).err
    assert "try again" not in err
    assert "log in" not in err
    assert f"next: mj resume {name}\n        (searches again)\n" in err


@pytest.mark.parametrize("response", [{}, {"success": True, "progress": 100, "actions": []}])
def test_a_finished_task_without_an_image_is_not_called_unbilled(
    online: Mj, service: Service, response: dict[str, Any]
) -> None:
    start_job(online, service, "--download")
    service.tasks["task-1"] = task_record("task-1", REQUEST, response)
    err = online("resume", check=9).err
    assert "done, but returned no image" in err
    assert "not billed" not in err
    assert rows(online) == [("unknown", "task-1")]
    finish_task(service)
    assert len(online("resume", "--json").answer["files"]) == 1


def test_a_ledger_with_damaged_pages_is_moved_away_and_the_next_command_works(
    online: Mj, service: Service
) -> None:
    prompts = [f"{number} " + "cat " * 200 for number in range(30)]
    add_jobs(online, *({"state": "running", "request": {**REQUEST, "prompt": each}} for each in prompts))
    path = online.home / "data" / "ledger.db"
    data = path.read_bytes()
    pages = [data[start : start + 4096] for start in range(0, len(data), 4096)]
    path.write_bytes(b"".join(b"\xa5" * 4096 if b"cat cat" in page else page for page in pages))
    err = online("history", check=2).err
    assert "was damaged and was moved to" in err
    assert 'No jobs yet in profile "default"' in online("history").err
    assert [each for each in path.parent.iterdir() if "damaged" in each.name]


def test_a_damaged_ledger_is_reported_with_quiet_too(online: Mj, service: Service) -> None:
    start_job(online, service)
    (online.home / "data" / "ledger.db").write_bytes(b"garbage" * 1000)
    err = online("resume", "-q").err
    assert "was damaged" in err
    assert "billed if they succeed" in err

"""A damaged row, or an unexpected failure of one job, costs only that job."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from tests.support.images import png
from tests.support.ledger import change, ledger_of, rows
from tests.support.program import Mj, files
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Service, task_record

DAMAGES = [
    "request = '{'",
    "request = '[]'",
    "result = '[1]'",
    "result = x'ff'",
    "error = '\"x\"'",
    "files = '{}'",
    "files_asked = '[]'",
    "created_at = 'yesterday'",
    "created_at = 1e300",
    "subject = CAST(x'ff' AS TEXT)",
    "files_due = 'many'",
    "clock_offset = 'x'",
]


@pytest.fixture
def three(online: Mj, service: Service) -> Mj:
    """Three jobs that are running at the service, and have finished meanwhile."""
    service.files["/files/cat.png"] = png()
    for number in (1, 2, 3):
        body = {"action": "generate", "prompt": f"cat {number}"}
        service.answer({"task_id": f"task-{number}"})
        online("imagine", f"cat {number}", "--no-wait", "--download")
        final = service.result(task_id=f"task-{number}", image_id=f"1000{number}")
        service.tasks[f"task-{number}"] = task_record(f"task-{number}", body, final)
    return online


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_other_jobs_are_listed_and_resumed(three: Mj, damage: str) -> None:
    change(three, f"UPDATE jobs SET {damage} WHERE number = 2")
    listed = three("history")
    assert [line.split("\t")[4] for line in listed.out.splitlines()] == ["cat 3", "cat 1"]
    assert listed.err.count("is damaged in the ledger") == 1
    three("history", "--json", "--state", "unfinished")
    assert "prompt: cat 1" in three("history", "show", "@2").out
    resumed = three("resume")
    assert resumed.err.count("is damaged in the ledger") == 1
    assert len(files(three)) == 2
    assert [state for state, number in rows(three, "state, number") if number != 2] == ["done", "done"]


def test_a_damaged_row_that_is_named_is_reported(three: Mj) -> None:
    ((uuid,),) = rows(three, "uuid")[1:2]
    change(three, "UPDATE jobs SET request = '{' WHERE number = 2")
    for command in (("resume", uuid), ("history", "show", uuid), ("download", uuid)):
        error = three(*command, check=None)
        assert error.status not in (0, 1)
        assert f"Job {uuid[:8]} is damaged" in error.err


@pytest.mark.slow
def test_a_new_job_ignores_a_damaged_one(three: Mj, service: Service) -> None:
    change(three, "UPDATE jobs SET request = '{', state = 'submitting', task_id = NULL WHERE number = 2")
    service.imagine(lambda _request, reply: reply.reset())
    three("imagine", "a dog", check=9)


def test_a_job_that_was_replaced_by_itself_is_no_endless_loop(three: Mj, service: Service) -> None:
    service.tasks.clear()
    change(
        three,
        'UPDATE jobs SET state = \'failed\', error = \'{"code": "resubmitted", "by": "\' || uuid || \'"}\'',
    )
    three("resume", "@1", check=4)


FAILING = """
import sys
from mjcli.jobs import runner
real = runner.Runner.resume
def resume(self, job, *arguments, **options):
    if job.subject == "cat 2":
        raise RecursionError("odd \\x1b[31m row")
    return real(self, job, *arguments, **options)
runner.Runner.resume = resume
from mjcli.__main__ import main
sys.exit(main())
"""


@pytest.mark.slow
def test_an_unexpected_failure_of_one_job_does_not_block_the_next(three: Mj) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", FAILING, "resume", "--json"],
            env=three.environment(),
            cwd=three.cwd,
            capture_output=True,
            timeout=60,
        )
        err = done.stderr.decode()
        assert done.returncode == 1
        assert "Traceback" not in err
        assert err.count("Internal error: RecursionError") == 1
        assert len(files(three)) == 2
    three("resume")
    assert len(files(three)) == 3


@pytest.mark.slow
def test_a_directory_that_is_gone_for_one_job_does_not_block_the_next(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer({"error": {"code": "used_up", "message": "no"}}, 403)
    for prompt in ("a cat", "a dog"):
        online("imagine", prompt, "-d", check=5)
    change(online, "UPDATE jobs SET state = 'submitting', sent_at = NULL, error = NULL, ended_at = NULL")
    change(
        online,
        "UPDATE jobs SET files_asked = json_set(files_asked, '$.directory', '/dev/null') WHERE number = 1",
    )
    service.stream([FIRST, service.result(task_id="task-1")])
    online("resume", check=2)
    assert rows(online, "state") == [("submitting",), ("done",)]


@pytest.mark.parametrize("damage", ["url = x'ff'", "url = NULL"])
def test_a_damaged_upload_is_uploaded_again(online: Mj, service: Service, damage: str) -> None:
    """The columns of uploads may not be NULL, so that the second case changes nothing."""
    service.scripts["/upload"] = lambda _request, reply: reply.json(
        {"url": f"{service.base_url}/files/up.png"}
    )
    service.files["/files/up.png"] = service.files["/files/cat.png"] = png()
    service.scripts["/midjourney/edits"] = lambda _request, reply: reply.json(
        service.result(task_id="task-1")
    )
    (online.cwd / "in.png").write_bytes(png())
    online.env |= {"MJ_FILES_URL": f"{service.base_url}/upload", "MJ_FILES_TOKEN": "secret-token"}
    online("edit", "in.png", "a hat")
    with contextlib.suppress(sqlite3.IntegrityError):
        change(online, f"UPDATE uploads SET {damage}")
    online("edit", "in.png", "a hat")


REPORTING = """
import sys
from mjcli.cli import save
real = save.Saver.finish
def finish(self, job, *arguments, **options):
    if job.task_id == "task-1":
        raise ArithmeticError("odd event")
    return real(self, job, *arguments, **options)
save.Saver.finish = finish
from mjcli.__main__ import main
sys.exit(main())
"""


@pytest.mark.slow
def test_a_listener_goes_on_after_an_unexpected_failure(online: Mj, service: Service) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", REPORTING, "listen", "--json", "--trust", "--all", "--timeout", "30"],
        env=online.environment(),
        cwd=online.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["callback_url"]
        for task_id in ("task-1", "task-2"):
            body = json.dumps({**service.result(), "task_id": task_id}).encode()
            urllib.request.urlopen(urllib.request.Request(url, body), timeout=10).close()
        events = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert [each.get("success") for each in events] == [False, True]
        assert events[1]["task_id"] == "task-2"
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def test_a_ledger_that_is_replaced_during_a_job_is_reported_with_the_task(
    online: Mj, service: Service
) -> None:
    service.files["/files/cat.png"] = png()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(b'{"task_id": "task-1", "progress": 5, "actions": []}\r\n')
        while rows(online) != [("running", "task-1")]:
            pass
        for each in ledger_of(online).parent.iterdir():
            each.unlink()
        reply.send(json.dumps(service.result(task_id="task-1")).encode() + b"\r\n")
        reply.end()

    service.imagine(script)
    result = online("imagine", "a cat", "--download", "--json")
    assert result.answer["task_id"] == "task-1"
    assert len(files(online)) == 1
    assert "was deleted or replaced" in result.err
    assert "task-1" in result.err


@pytest.mark.slow
def test_a_row_on_a_damaged_page_costs_only_itself(three: Mj, service: Service) -> None:
    service.stream([FIRST, service.result(task_id="task-9")])
    three("imagine", "x" * 20_000, "--no-check")
    three("imagine", "a dog", "--no-check")
    path = ledger_of(three)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    data = bytearray(path.read_bytes())
    # The first whole page of the prompt; its first bytes are the number of the next one.
    place = next(n for n in range(0, len(data), 4096) if data[n + 4 : n + 4096] == b"x" * 4092)
    data[place : place + 4] = b"\xff\xff\xff\x00"
    path.write_bytes(data)
    listed: Any = three("history")
    words = [line.split("\t")[4] for line in listed.out.splitlines()]
    assert words == ["a dog", "cat 3", "cat 2", "cat 1"]
    assert "Job number 4 is damaged" in listed.err
    three("resume")
    assert len(files(three)) == 3

"""Requests that were sent while our clock was wrong are found again after it was corrected, and sent once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import Mj, files
from tests.support.service import Received, Reply, Service, task_record

pytestmark = pytest.mark.slow

# Runs the program with a clock that is CLOCK_CHANGE seconds ahead, and with short pauses.
WITH_WRONG_CLOCK = """
import os, sys, time
from tests.support import pauses
pauses.install()
real, change = time.time, float(os.environ["CLOCK_CHANGE"])
time.time = lambda: real() + change
pauses.apply(pauses.SHORT)
from mjcli.__main__ import main
sys.exit(main())
"""

WRONG = (5, -5, 3600, -3600)  # seconds by which our clock is ahead


def sent_with_wrong_clock(mj: Mj, service: Service, wrong: int, *, kill: bool, headers: bool) -> None:
    """Send a job whose response is lost; the service has the job, and an older one with the same request."""
    service.files["/files/cat.png"] = png()
    body = {"action": "generate", "prompt": "a cat"}

    def script(_request: Received, reply: Reply) -> None:
        final = service.result(task_id="task-1")
        older = task_record("older", body, final)
        service.tasks["older"] = {**older, "created_at": older["created_at"] - 10}
        if headers:
            reply.head(200, {"content-type": "application/x-ndjson"})
        service.tasks["task-1"] = task_record("task-1", body, final)
        if kill:
            process.kill()
        else:
            reply.reset()

    service.imagine(script)
    service.scripts[service.TASKS] = lambda _request, reply: reply.json({}, 503)
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_WRONG_CLOCK, "imagine", "a cat", "--download", "--timeout", "3"],
        env={**mj.environment(), "CLOCK_CHANGE": str(wrong)},
        cwd=mj.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.communicate(timeout=60)
    del service.scripts[service.TASKS]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("headers", [False, True], ids=["without headers", "with headers"])
def test_a_killed_job_is_found_after_the_clock_was_corrected(
    online: Mj, service: Service, wrong: int, headers: bool
) -> None:
    sent_with_wrong_clock(online, service, wrong, kill=True, headers=headers)
    assert rows(online) == [("submitting", None)]
    online("resume")
    assert rows(online) == [("done", "task-1")]
    assert (len(service.posts()), len(files(online))) == (1, 1)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("headers", [False, True], ids=["without headers", "with headers"])
def test_a_lost_response_is_found_after_the_clock_was_corrected(
    online: Mj, service: Service, wrong: int, headers: bool
) -> None:
    sent_with_wrong_clock(online, service, wrong, kill=False, headers=headers)
    online("resume")
    assert rows(online) == [("done", "task-1")]
    assert (len(service.posts()), len(files(online))) == (1, 1)

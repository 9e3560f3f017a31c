"""`mj resume` with jobs that were never sent, and several processes at once."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from tests.support.ledger import change, rows
from tests.support.program import SOON, Mj, files, running, wait_for_exit
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Service
from tests.support.systems import posix
from tests.support.terminal import at_a_terminal
from tests.support.unfinished import finish_task, lose_response


@pytest.fixture
def rate_limited(service: Service) -> threading.Event:
    """A service with a rate limit; the event is set once it has refused a request."""
    refused = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.json({"error": {"code": "too_many_requests", "message": "slower"}}, 429, {"retry-after": "60"})
        refused.set()

    service.imagine(script)
    return refused


# -- unsent jobs ---------------------------------------------------------------------------------------


@pytest.mark.slow
@posix
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_an_unsent_job_is_sent_once(
    online: Mj, service: Service, rate_limited: threading.Event, number: str
) -> None:
    """Its session ended, or it was killed, while it waited for the next try."""
    with running(online, "imagine", "a cat", "--download") as process:
        assert rate_limited.wait(SOON)
        wait_until_queued(online)
        process.send_signal(getattr(signal, number))
        _status, _out, err = wait_for_exit(process)
    if number != "SIGKILL":
        assert "Nothing was sent; the job waits in the ledger until it is resumed" in err
        assert f"next: mj resume {rows(online, 'uuid')[0][0][:8]}" in err
    assert rows(online, "state, sent_at") == [("submitting", None)]
    finish_task(service)
    service.stream([FIRST, service.result(task_id="task-1")])
    assert len(online("resume", "--json").answer["files"]) == 1
    assert len(service.posts()) == 2  # the refused request and the accepted one
    assert online("resume").out == ""
    assert len(service.posts()) == 2


@pytest.mark.slow
@posix
def test_a_job_cancelled_before_it_was_sent_is_sent_only_when_named(
    online: Mj, service: Service, rate_limited: threading.Event
) -> None:
    with running(online, "imagine", "a cat") as process:
        assert rate_limited.wait(SOON)
        wait_until_queued(online)
        process.send_signal(signal.SIGINT)
        _status, _out, err = wait_for_exit(process)
    name = rows(online, "uuid")[0][0][:8]
    assert f"next: mj resume {name}" in err
    assert rows(online, "state, sent_at") == [("failed", None)]
    finish_task(service)
    service.stream([service.result(task_id="task-1")])
    assert "Nothing to resume" in online("resume").err
    assert len(service.posts()) == 1
    assert online("resume", name, "--json").answer["task_id"] == "task-1"
    assert len(service.posts()) == 2


def wait_until_queued(mj: Mj) -> None:
    """Wait until the program has recorded that the request was not accepted."""
    pause = threading.Event()
    for _ in range(int(SOON / 0.02)):
        if rows(mj, "state, sent_at") == [("submitting", None)]:
            return
        pause.wait(0.02)
    raise AssertionError(rows(mj, "state, sent_at"))


@pytest.mark.slow
@posix
@pytest.mark.parametrize(("answer", "posts"), [(b"y\n", 2), (b"\n", 1), (b"\x04", 1)])
def test_a_terminal_asks_before_unsent_jobs_are_sent(
    online: Mj, service: Service, answer: bytes, posts: int
) -> None:
    lose_response(online, service)
    change(online, "UPDATE jobs SET state = 'submitting', sent_at = NULL, error = NULL")
    finish_task(service)
    service.stream([service.result(task_id="task-1")])
    status, shown = at_a_terminal(online, answer, "resume")
    assert status == 0
    assert "Not sent or billed yet: a cat. Send now?" in shown
    assert ("They stay queued" in shown) == (posts == 1)
    assert "Nothing to resume" not in shown
    assert len(service.posts()) == posts
    assert len(rows(online)) == 1


def test_an_unsent_job_whose_files_cannot_be_saved_is_not_sent(online: Mj, service: Service) -> None:
    lose_response(online, service, "--output", "cats/")
    change(online, "UPDATE jobs SET state = 'submitting', sent_at = NULL, error = NULL")
    (online.cwd / "cats").write_text("no directory")
    assert "is not a directory" in online("resume", check=2).err
    assert len(service.posts()) == 1


# -- concurrent processes ------------------------------------------------------------------------------


@pytest.mark.slow
@posix
def test_two_processes_save_one_file_and_send_nothing(online: Mj, service: Service) -> None:
    lose_response(online, service, "--download")
    finish_task(service, "found")
    processes = [online.start("resume", "--json") for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    # A process that starts after the other one has finished finds nothing to resume.
    assert len({tuple(json.loads(each)["files"]) for each in outputs if each}) == 1
    assert len(files(online)) == 1
    assert len(service.posts()) == 1


@pytest.mark.slow
@posix
def test_four_processes_send_an_unsent_job_once(online: Mj, service: Service) -> None:
    lose_response(online, service, "--download")
    change(online, "UPDATE jobs SET state = 'submitting', sent_at = NULL, error = NULL")
    finish_task(service)
    service.stream([FIRST, service.result(task_id="task-1")])
    processes = [online.start("resume", "--json") for _ in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 4
    assert len(service.posts()) == 2
    assert len(files(online)) == 1


@pytest.mark.slow
@posix
def test_a_job_that_another_mj_is_sending_is_not_sent(online: Mj, service: Service) -> None:
    go_on = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        go_on.wait(60)
        reply.stream([FIRST, service.result(task_id="task-1")])

    service.imagine(script)
    with running(online, "imagine", "a cat") as first:
        assert service.arrived.wait(SOON)
        process = online.start("resume", "--json")
        assert process.stderr is not None
        assert b"Another mj process is sending this job" in process.stderr.readline()
        assert rows(online) == [("submitting", None)]
        finish_task(service)
        go_on.set()
        out, _err = process.communicate(timeout=SOON)
        assert json.loads(out)["task_id"] == "task-1"
        assert wait_for_exit(first)[0] == 0
    assert len(service.posts()) == 1

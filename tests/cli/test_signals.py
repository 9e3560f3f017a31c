"""A signal at every moment of a job: one POST in total, no job lost, no partial files."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import SOON, Mj, files, running, wait_for_exit
from tests.support.scripts import FIRST, hold, hold_after_the_task, hold_the_image
from tests.support.service import Received, Reply, Service, task_record

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="the signals of Unix")]

SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
    pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
]
# -- before the response -------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_before_the_response_the_job_may_have_been_accepted_and_is_not_sent_again(
    online: Mj, service: Service, number: int, status: int
) -> None:
    hold(service)
    with running(online, "imagine", "a cat", "--download", "--json") as process:
        assert service.arrived.wait(SOON)
        process.send_signal(number)
        code, out, err = wait_for_exit(process)
    assert code == status
    answer = json.loads(out)
    assert answer["success"] is False
    assert answer["error"]["code"] == "interrupted"
    assert "may have been accepted" in err
    assert len(service.posts()) == 1
    ((state, task_id),) = rows(online)
    # The ledger must not say that the job was not accepted.
    assert state in ("submitting", "unknown")
    assert task_id is None
    assert files(online) == []


@pytest.mark.parametrize("way", ["--no-stream", "--no-wait"])
def test_no_stream_and_no_wait_are_interrupted_in_the_same_way(
    online: Mj, service: Service, way: str
) -> None:
    hold(service)
    with running(online, "imagine", "a cat", way) as process:
        assert service.arrived.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, _out, _err = wait_for_exit(process)
    assert code == 130
    assert len(service.posts()) == 1
    assert rows(online)[0][0] in ("submitting", "unknown")


def test_between_retries_an_interrupt_leaves_no_job_behind(online: Mj, service: Service) -> None:
    service.answer(
        {"error": {"code": "too_many_requests", "message": "slow down"}}, 429, {"retry-after": "50"}
    )
    with running(online, "imagine", "a cat") as process:
        assert process.stderr is not None
        assert b"Retrying in" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code, _out, err = wait_for_exit(process)
    assert code == 130
    assert "Nothing was sent" in err
    assert len(service.posts()) == 1
    assert rows(online) == [("failed", None)]


# -- after the task is known ---------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_after_the_task_is_known_it_is_printed_with_the_command_to_resume_it(
    online: Mj, service: Service, number: int, status: int
) -> None:
    hold_after_the_task(service)
    with running(online, "imagine", "a cat", "--download", "--json", "--stream") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == FIRST
        process.send_signal(number)
        code, out, err = wait_for_exit(process)
    assert code == status
    answer = json.loads(out)
    assert answer["error"]["code"] == "interrupted"
    assert answer["task_id"] == "task-1"
    assert "mj resume task-1" in err
    assert len(service.posts()) == 1
    assert rows(online) == [("running", "task-1")]
    assert files(online) == []


def test_the_task_is_printed_on_standard_output(online: Mj, service: Service) -> None:
    for option, expected in ((), "task: task-1\n"), (("-q",), "task-1\n"):
        service.arrived.clear()
        event_sent = threading.Event()

        def script(_request: Received, reply: Reply, event_sent: threading.Event = event_sent) -> None:
            reply.head(200, {"content-type": "application/x-ndjson"})
            reply.send(json.dumps(FIRST).encode() + b"\r\n")
            event_sent.set()
            service.over.wait(60)

        service.imagine(script)
        before = len(rows(online)) if (online.home / "data" / "ledger.db").exists() else 0
        with running(online, "imagine", "a cat", *option) as process:
            assert event_sent.wait(SOON)
            # The server has sent the event; the ledger shows when the program has read it.
            pause = threading.Event()
            for _ in range(int(SOON / 0.02)):
                if rows(online)[before:] == [("running", "task-1")]:
                    break
                pause.wait(0.02)
            process.send_signal(signal.SIGTERM)
            code, out, err = wait_for_exit(process)
        assert code == 143
        assert out == expected
        assert "mj resume task-1" in err


def test_the_task_is_printed_while_it_is_polled(online: Mj, service: Service) -> None:
    """The stream broke and the task is polled."""
    polled = threading.Event()
    service.stream([FIRST], end=False)

    def tasks(_request: Received, reply: Reply) -> None:
        reply.json(task_record("task-1", {"prompt": "a cat"}, None))
        polled.set()

    service.scripts[Service.TASKS] = tasks
    with running(online, "imagine", "a cat", "--json") as process:
        assert polled.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, out, _err = wait_for_exit(process)
    assert code == 130
    assert json.loads(out)["task_id"] == "task-1"
    assert len(service.posts()) == 1
    assert rows(online) == [("running", "task-1")]


def test_an_interrupted_describe_task_prints_the_task(online: Mj, service: Service) -> None:
    polled = threading.Event()

    def tasks(_request: Received, reply: Reply) -> None:
        reply.json(task_record("task-1", {"prompt": "a cat"}, None))
        polled.set()

    service.scripts[Service.TASKS] = tasks
    with running(online, "describe-task", "task-1", "--wait", "--json") as process:
        assert polled.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, out, _err = wait_for_exit(process)
    assert code == 130
    assert json.loads(out)["task_id"] == "task-1"


# -- during a download ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_during_a_download_no_partial_file_is_left_and_the_task_is_printed(
    online: Mj, service: Service, number: int, status: int
) -> None:
    halfway = hold_the_image(service)
    with running(online, "imagine", "a cat", "--download", "--json") as process:
        assert halfway.wait(SOON)
        process.send_signal(number)
        code, out, err = wait_for_exit(process)
    assert code == status
    assert files(online) == []
    assert rows(online) == [("done", "task-1")]
    assert len(service.posts()) == 1
    assert json.loads(out)["task_id"] == "task-1"
    assert "mj resume task-1" in err
    assert "Nothing was sent" not in err


def test_a_download_of_four_files_is_interrupted_immediately(online: Mj, service: Service) -> None:
    halfway = hold_the_image(service, ("1.png", "2.png", "3.png", "4.png"))
    with running(online, "imagine", "a cat", "--download", "--json") as process:
        assert halfway.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, out, _err = wait_for_exit(process)
    assert code == 130
    assert files(online) == []
    assert json.loads(out)["task_id"] == "task-1"


def test_an_interrupted_download_is_completed_by_the_suggested_command(online: Mj, service: Service) -> None:
    halfway = hold_the_image(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert halfway.wait(SOON)
        process.send_signal(signal.SIGINT)
        wait_for_exit(process)
    service.files["/files/cat.png"] = png(300_000)
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, service.result(task_id="task-1"))
    online("resume", "task-1")
    (name,) = files(online)
    assert (online.cwd / name).read_bytes() == png(300_000)
    assert len(service.posts()) == 1


# -- a second interrupt, and SIGKILL -------------------------------------------------------------------


def test_a_second_interrupt_exits_immediately(online: Mj, service: Service) -> None:
    """Even while the clean-up after the first one hangs in writing to a full pipe."""
    hold_after_the_task(service)
    read, write = os.pipe()
    try:
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 65536)
        except BlockingIOError:
            pass
        os.set_blocking(write, True)
        with running(online, "imagine", "a cat", "--no-stream", stderr=write) as process:
            assert service.arrived.wait(SOON)
            process.send_signal(signal.SIGINT)
            pause = threading.Event()
            for _ in range(int(SOON / 0.1)):
                if process.poll() is not None:
                    break
                pause.wait(0.1)
                process.send_signal(signal.SIGINT)
            assert process.wait(SOON) == 130
    finally:
        os.close(read)
        os.close(write)
    assert len(service.posts()) == 1


def test_a_job_killed_before_the_response_is_recorded_with_its_request(online: Mj, service: Service) -> None:
    hold(service)
    with running(online, "imagine", "a cat") as process:
        assert service.arrived.wait(SOON)
        process.kill()
        process.wait(SOON)
    ledger = sqlite3.connect(online.home / "data" / "ledger.db")
    try:
        ((state, request),) = ledger.execute("SELECT state, request FROM jobs").fetchall()
    finally:
        ledger.close()
    assert state == "submitting"
    assert json.loads(request) == service.posts()[0].body


def test_a_job_killed_after_the_task_is_known_is_resumed(online: Mj, service: Service) -> None:
    hold_after_the_task(service)
    service.files["/files/cat.png"] = png()
    with running(online, "imagine", "a cat", "--json", "--stream") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait(SOON)
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, service.result(task_id="task-1"))
    answer = online("resume", "--json", "--download").answer
    assert answer["task_id"] == "task-1"
    assert len(answer["files"]) == 1
    assert len(service.posts()) == 1


def test_a_kill_during_a_download_leaves_no_file_with_the_final_name(online: Mj, service: Service) -> None:
    halfway = hold_the_image(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert halfway.wait(SOON)
        process.kill()
        process.wait(SOON)
    assert [name for name in files(online) if not name.startswith(".")] == []
    assert rows(online) == [("done", "task-1")]


# -- ignored signals and closed pipes ------------------------------------------------------------------


def test_a_hangup_that_was_ignored_stays_ignored(online: Mj, service: Service) -> None:
    go_on = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        go_on.wait(60)
        reply.stream([service.result()])

    service.imagine(script)
    with running(online, "imagine", "a cat", "-q", ignored=str(int(signal.SIGHUP))) as process:
        assert service.arrived.wait(SOON)
        process.send_signal(signal.SIGHUP)
        go_on.set()
        code, out, _err = wait_for_exit(process)
    assert code == 0
    assert out == service.result()["raw_image_url"] + "\n"


def test_an_interrupt_that_was_ignored_stays_ignored(online: Mj, service: Service) -> None:
    go_on = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        go_on.wait(60)
        reply.stream([service.result()])

    service.imagine(script)
    with running(online, "imagine", "a cat", "-q", ignored=str(int(signal.SIGINT))) as process:
        assert service.arrived.wait(SOON)
        process.send_signal(signal.SIGINT)
        go_on.set()
        assert wait_for_exit(process)[0] == 0


def test_a_closed_output_pipe_exits_with_141_after_reporting_the_task(online: Mj, service: Service) -> None:
    go_on = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        go_on.wait(60)
        reply.send(json.dumps({**FIRST, "progress": 50}).encode() + b"\r\n")
        service.over.wait(60)

    service.imagine(script)
    with running(online, "imagine", "a cat", "--json", "--stream") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline()) == FIRST
        process.stdout.close()
        go_on.set()
        err = process.stderr.read().decode()
        assert process.wait(SOON) == 141
    assert "task-1" in err
    assert "mj resume task-1" in err
    assert "Traceback" not in err
    assert len(service.posts()) == 1
    assert rows(online) == [("running", "task-1")]


def test_an_output_pipe_closed_before_the_result_still_reports_the_task(online: Mj, service: Service) -> None:
    go_on = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        go_on.wait(60)
        reply.stream([service.result(task_id="task-1")])

    service.imagine(script)
    with running(online, "imagine", "a cat", "-q") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert service.arrived.wait(SOON)
        process.stdout.close()
        go_on.set()
        err = process.stderr.read().decode()
        assert process.wait(SOON) == 141
    assert "task-1" in err
    assert rows(online) == [("done", "task-1")]


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("config", "list"), ("completion", "bash")]
)
def test_a_closed_output_pipe_is_quiet_without_a_job(mj: Mj, arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        with running(mj, *arguments, stdout=write) as process:
            code, _out, err = wait_for_exit(process)
    finally:
        os.close(write)
    assert code == 141
    assert err == ""


def test_a_standard_output_closed_from_the_start_does_not_lose_the_job(online: Mj, service: Service) -> None:
    service.stream([service.result(task_id="task-1")])
    closing = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, '-m', 'mjcli', *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", closing, "imagine", "a cat"],
        env=online.environment(),
        cwd=online.cwd,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 8, 141)
    assert rows(online) == [("done", "task-1")]
    assert len(service.posts()) == 1


def test_a_full_output_is_reported_with_the_task(online: Mj, service: Service) -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("there is no /dev/full")
    service.stream([service.result(task_id="task-1")])
    with open("/dev/full", "wb") as full, running(online, "imagine", "a cat", stdout=full) as process:  # noqa: PTH123
        code, _out, err = wait_for_exit(process)
    assert code not in (0, 1)
    assert "task-1" in err
    assert rows(online) == [("done", "task-1")]
    assert len(service.posts()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_output_does_not_report_a_running_task_as_done(online: Mj, service: Service) -> None:
    service.answer({"task_id": "task-1"})
    with (
        Path("/dev/full").open("wb") as full,
        running(online, "imagine", "a cat", "--no-wait", "-q", stdout=full) as process,
    ):
        code, _, err = wait_for_exit(process)
    assert code == 8
    assert "is done" not in err
    assert "accepted and continues" in err
    assert "next: mj resume task-1" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("options", [(), ("--json",), ("-q",)])
def test_a_signal_with_a_full_output_keeps_its_exit_status(
    online: Mj, service: Service, options: tuple[str, ...]
) -> None:
    hold(service)
    with (
        Path("/dev/full").open("wb") as full,
        running(online, "imagine", "a cat", *options, stdout=full) as process,
    ):
        assert service.arrived.wait(SOON)
        process.send_signal(signal.SIGINT)
        assert wait_for_exit(process)[0] == 130

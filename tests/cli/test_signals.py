"""Told to stop, at every moment of a job: one POST in all, no job lost, nothing half done left behind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Mj
from tests.service import Received, Reply, Service, png, task_record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the signals of Unix")

SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
    pytest.param(signal.SIGHUP, 129, id="SIGHUP"),
]
SOON = 15.0  # seconds within which a program that was told to stop has stopped, on a busy machine too
FIRST = {"task_id": "task-1", "progress": 10, "image_id": "early", "actions": []}

# Whoever runs the tests may have had signals ignored (a background job), and the program would keep them so.
BEGIN = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
for number in map(int, filter(None, sys.argv[1].split(","))):
    signal.signal(number, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "mjcli", *sys.argv[2:]])
"""


@contextmanager
def running(mj: Mj, *arguments: object, ignored: str = "", **popen: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The program running; killed at the end if it has not ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, ignored, *map(str, arguments)],
        env=mj.environment(),
        cwd=mj.cwd,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a program that ends soon."""
    out, err = process.communicate(timeout=SOON)
    assert b"Traceback" not in err, err.decode()
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def rows(mj: Mj) -> list[tuple[str, str | None]]:
    """State and task of each job in the ledger."""
    ledger = sqlite3.connect(mj.home / "data" / "ledger.db")
    try:
        return ledger.execute("SELECT state, task_id FROM jobs ORDER BY number").fetchall()
    finally:
        ledger.close()


def files(mj: Mj) -> list[str]:
    return sorted(path.name for path in mj.cwd.rglob("*"))


def hold(service: Service) -> None:
    """The request is taken and never answered."""
    service.imagine(lambda _request, _reply: service.over.wait(60) and None)


def hold_after_the_task(service: Service) -> None:
    """The first event comes, and then nothing."""

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        service.over.wait(60)

    service.imagine(script)


def hold_the_picture(service: Service, names: tuple[str, ...] = ("cat.png",)) -> threading.Event:
    """Half of each picture comes, and then nothing; the event says that all of them were asked for."""
    begun = threading.Event()
    asked: list[str] = []

    def script(request: Received, reply: Reply) -> None:
        data = png(300_000)
        reply.head(200, {"etag": '"one"'}, length=len(data))
        reply.send(data[:150_000])
        asked.append(request.path)
        if len(asked) == len(names):
            begun.set()
        service.over.wait(60)

    for name in names:
        service.files[f"/files/{name}"] = script
    more = {"sub_image_urls": [f"{service.base_url}/files/{n}" for n in names]} if len(names) > 1 else {}
    service.stream([service.result(task_id="task-1", **more)])
    return begun


# -- before the answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_before_the_answer_the_job_may_have_been_accepted_and_is_not_sent_again(
    online: Mj, service: Service, number: int, status: int
) -> None:
    hold(service)
    with running(online, "imagine", "a cat", "--download", "--json") as process:
        assert service.arrived.wait(SOON)
        process.send_signal(number)
        code, out, err = ended(process)
    assert code == status
    answer = json.loads(out)
    assert answer["success"] is False
    assert answer["error"]["code"] == "interrupted"
    assert "may have been accepted" in err
    assert len(service.posts()) == 1
    ((state, task_id),) = rows(online)
    # The record must not say that nothing can have come of it.
    assert state in ("submitting", "unknown")
    assert task_id is None
    assert files(online) == []


@pytest.mark.parametrize("way", ["--no-stream", "--no-wait"])
def test_the_other_ways_of_waiting_are_interrupted_alike(online: Mj, service: Service, way: str) -> None:
    hold(service)
    with running(online, "imagine", "a cat", way) as process:
        assert service.arrived.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, _out, _err = ended(process)
    assert code == 130
    assert len(service.posts()) == 1
    assert rows(online)[0][0] in ("submitting", "unknown")


def test_between_two_tries_no_job_is_left_behind(online: Mj, service: Service) -> None:
    service.answer(
        {"error": {"code": "too_many_requests", "message": "slow down"}}, 429, {"retry-after": "50"}
    )
    with running(online, "imagine", "a cat") as process:
        assert process.stderr is not None
        assert b"Trying again" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code, _out, err = ended(process)
    assert code == 130
    assert "nothing was sent" in err
    assert len(service.posts()) == 1
    assert rows(online) == [("failed", None)]


# -- after the task is known ---------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_after_the_task_is_known_it_is_printed_with_the_way_to_take_it_up(
    online: Mj, service: Service, number: int, status: int
) -> None:
    hold_after_the_task(service)
    with running(online, "imagine", "a cat", "--download", "--json", "--stream") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == FIRST
        process.send_signal(number)
        code, out, err = ended(process)
    assert code == status
    answer = json.loads(out)
    assert answer["error"]["code"] == "interrupted"
    assert answer["task_id"] == "task-1"
    assert "mj resume task-1" in err
    assert len(service.posts()) == 1
    assert rows(online) == [("running", "task-1")]
    assert files(online) == []


def test_people_and_quiet_scripts_get_the_task_on_standard_output(online: Mj, service: Service) -> None:
    for option, expected in ((), "task: task-1\n"), (("-q",), "task-1\n"):
        service.arrived.clear()
        told = threading.Event()

        def script(_request: Received, reply: Reply, told: threading.Event = told) -> None:
            reply.head(200, {"content-type": "application/x-ndjson"})
            reply.send(json.dumps(FIRST).encode() + b"\r\n")
            told.set()
            service.over.wait(60)

        service.imagine(script)
        before = len(rows(online)) if (online.home / "data" / "ledger.db").exists() else 0
        with running(online, "imagine", "a cat", *option) as process:
            assert told.wait(SOON)
            # The event has left the server; the ledger tells when the program has read it.
            pause = threading.Event()
            for _ in range(int(SOON / 0.02)):
                if rows(online)[before:] == [("running", "task-1")]:
                    break
                pause.wait(0.02)
            process.send_signal(signal.SIGTERM)
            code, out, err = ended(process)
        assert code == 143
        assert out == expected
        assert "mj resume task-1" in err


def test_while_a_task_is_followed_it_is_printed_too(online: Mj, service: Service) -> None:
    """The stream broke and the task is looked at."""
    looked = threading.Event()
    service.stream([FIRST], end=False)

    def tasks(_request: Received, reply: Reply) -> None:
        reply.json(task_record("task-1", {"prompt": "a cat"}, None))
        looked.set()

    service.scripts[Service.TASKS] = tasks
    with running(online, "imagine", "a cat", "--json") as process:
        assert looked.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, out, _err = ended(process)
    assert code == 130
    assert json.loads(out)["task_id"] == "task-1"
    assert len(service.posts()) == 1
    assert rows(online) == [("running", "task-1")]


def test_a_wait_by_describe_task_that_is_interrupted_prints_the_task(online: Mj, service: Service) -> None:
    looked = threading.Event()

    def tasks(_request: Received, reply: Reply) -> None:
        reply.json(task_record("task-1", {"prompt": "a cat"}, None))
        looked.set()

    service.scripts[Service.TASKS] = tasks
    with running(online, "describe-task", "task-1", "--wait", "--json") as process:
        assert looked.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, out, _err = ended(process)
    assert code == 130
    assert json.loads(out)["task_id"] == "task-1"


# -- during a download ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_during_a_download_no_part_is_left_and_the_job_is_told(
    online: Mj, service: Service, number: int, status: int
) -> None:
    begun = hold_the_picture(service)
    with running(online, "imagine", "a cat", "--download", "--json") as process:
        assert begun.wait(SOON)
        process.send_signal(number)
        code, out, err = ended(process)
    assert code == status
    assert files(online) == []
    assert rows(online) == [("done", "task-1")]
    assert len(service.posts()) == 1
    assert json.loads(out)["task_id"] == "task-1"
    assert "mj resume task-1" in err
    assert "no job was left behind" not in err


def test_a_download_of_four_is_interrupted_at_once_too(online: Mj, service: Service) -> None:
    begun = hold_the_picture(service, ("1.png", "2.png", "3.png", "4.png"))
    with running(online, "imagine", "a cat", "--download", "--json") as process:
        assert begun.wait(SOON)
        process.send_signal(signal.SIGINT)
        code, out, _err = ended(process)
    assert code == 130
    assert files(online) == []
    assert json.loads(out)["task_id"] == "task-1"


def test_what_was_interrupted_in_its_download_is_fetched_by_the_command_it_named(
    online: Mj, service: Service
) -> None:
    begun = hold_the_picture(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert begun.wait(SOON)
        process.send_signal(signal.SIGINT)
        ended(process)
    service.files["/files/cat.png"] = png(300_000)
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, service.result(task_id="task-1"))
    online("resume", "task-1")
    (name,) = files(online)
    assert (online.cwd / name).read_bytes() == png(300_000)
    assert len(service.posts()) == 1


# -- a second one, and the one that cannot be caught ---------------------------------------------------


def test_a_second_interrupt_ends_at_once(online: Mj, service: Service) -> None:
    """Also while the first one's clean-up hangs: here in writing to a pipe that nobody reads."""
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


def test_killed_before_the_answer_the_whole_request_stands_in_the_ledger(
    online: Mj, service: Service
) -> None:
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


def test_killed_after_the_task_is_known_the_job_is_found_as_the_last_one(
    online: Mj, service: Service
) -> None:
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


def test_killed_during_a_download_there_is_no_file_under_the_final_name(online: Mj, service: Service) -> None:
    begun = hold_the_picture(service)
    with running(online, "imagine", "a cat", "--download") as process:
        assert begun.wait(SOON)
        process.kill()
        process.wait(SOON)
    assert [name for name in files(online) if not name.startswith(".")] == []
    assert rows(online) == [("done", "task-1")]


# -- signals that were ignored, and pipes that were closed ---------------------------------------------


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
        code, out, _err = ended(process)
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
        assert ended(process)[0] == 0


def test_a_closed_output_pipe_ends_with_141_and_the_task_is_told_first(online: Mj, service: Service) -> None:
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


def test_an_output_pipe_closed_before_the_answer_of_a_finished_job_still_tells_the_task(
    online: Mj, service: Service
) -> None:
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
def test_a_closed_output_pipe_is_quiet_where_no_job_is_at_stake(mj: Mj, arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        with running(mj, *arguments, stdout=write) as process:
            code, _out, err = ended(process)
    finally:
        os.close(write)
    assert code == 141
    assert err == ""


def test_standard_output_that_was_never_open_does_not_lose_the_job(online: Mj, service: Service) -> None:
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


def test_a_full_output_is_a_sentence_and_tells_the_task(online: Mj, service: Service) -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("there is no /dev/full")
    service.stream([service.result(task_id="task-1")])
    with open("/dev/full", "wb") as full, running(online, "imagine", "a cat", stdout=full) as process:  # noqa: PTH123
        code, _out, err = ended(process)
    assert code not in (0, 1)
    assert "task-1" in err
    assert rows(online) == [("done", "task-1")]
    assert len(service.posts()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_task_that_a_full_output_does_not_take_is_not_said_to_be_done(online: Mj, service: Service) -> None:
    service.answer({"task_id": "task-1"})
    with (
        Path("/dev/full").open("wb") as full,
        running(online, "imagine", "a cat", "--no-wait", "-q", stdout=full) as process,
    ):
        code, _, err = ended(process)
    assert code == 8
    assert "is done" not in err
    assert "accepted and goes on" in err
    assert "next: mj resume task-1" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("options", [(), ("--json",), ("-q",)])
def test_a_signal_with_a_full_output_is_still_that_signal(
    online: Mj, service: Service, options: tuple[str, ...]
) -> None:
    hold(service)
    with (
        Path("/dev/full").open("wb") as full,
        running(online, "imagine", "a cat", *options, stdout=full) as process,
    ):
        assert service.arrived.wait(SOON)
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 130

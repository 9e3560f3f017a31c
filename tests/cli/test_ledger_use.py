"""How jobs use the ledger: before anything is sent, after every end, and by many processes."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.images import png
from tests.support.ledger import ledger_of, rows
from tests.support.program import UNPRIVILEGED, Mj, run_after
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Service, task_record

pytestmark = pytest.mark.slow


@pytest.fixture
def cat(service: Service) -> Service:
    service.files["/files/cat.png"] = png()
    service.stream([FIRST, service.result(task_id="task-1")])
    return service


# -- before anything is sent ---------------------------------------------------------------------------


def test_the_row_is_committed_before_the_first_byte_leaves(mj: Mj) -> None:
    """The row is read as soon as the connection is open, before anything is read from it."""
    seen: list[list[tuple[Any, ...]]] = []
    final = json.dumps(
        {"task_id": "t", "success": True, "progress": 100, "raw_image_url": "http://x/", "actions": ["a"]}
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                seen.append(rows(mj, "state, request, host, profile, kind, path"))
                data = b""
                while b"\r\n\r\n" not in data or not data.endswith(b"}"):
                    data += connection.recv(65536)
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(final)}\r\n\r\n"
                connection.sendall(head.encode() + final.encode())

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        mj("imagine", "a cat", env={"MJ_TOKEN": "secret-token", "MJ_BASE_URL": url})
        thread.join()
    (((state, request, host, profile, kind, path),),) = seen
    assert state == "submitting"
    assert json.loads(request) == {"action": "generate", "prompt": "a cat"}
    assert (host, profile, kind, path) == (url, "default", "imagine", "/midjourney/imagine")


def test_the_whole_request_is_recorded_before_the_response(online: Mj, service: Service) -> None:
    seen: list[list[tuple[Any, ...]]] = []

    def script(request: Received, reply: Reply) -> None:
        seen.append([request.body, *rows(online, "state, request, uuid")])
        reply.stream([service.result()])

    service.imagine(script)
    online("imagine", "é猫", "--mode", "turbo", "--split-images", "--timeout", "60")
    ((sent, (state, request, uuid)),) = seen
    assert state == "submitting"
    assert json.loads(request) == sent
    assert len(uuid) == 36


def test_the_task_is_recorded_before_it_is_printed(online: Mj, service: Service) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        service.over.wait(60)

    service.imagine(script)
    process = online.start("imagine", "a cat", "--json", "--stream")
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == FIRST
        assert rows(online) == [("running", "task-1")]
    finally:
        process.kill()
        process.communicate()


def test_the_destination_of_files_is_recorded(online: Mj, cat: Service) -> None:
    online("imagine", "a cat", "-o", "cats/{image_id}.{ext}")
    ((destination,),) = rows(online, "files_asked")
    assert json.loads(destination) == {
        "directory": str(online.cwd / "cats"),
        "template": "{image_id}.{ext}",
        "force": False,
    }


# -- final states --------------------------------------------------------------------------------------


def test_a_finished_job_is_done(online: Mj, cat: Service) -> None:
    answer = online("imagine", "a cat", "--download", "--json").answer
    ((state, task_id, image_id, result, saved, error),) = rows(
        online, "state, task_id, image_id, result, files, error"
    )
    assert (state, task_id, image_id, error) == ("done", "task-1", cat.result()["image_id"], None)
    assert json.loads(result) == cat.result(task_id="task-1")
    assert json.loads(saved) == answer["files"] != []


@pytest.mark.parametrize(
    ("status", "code", "exit_status"),
    [
        (400, "bad_request", 4),
        (401, "invalid_token", 3),
        (403, "used_up", 5),
        (403, "forbidden", 4),
        (500, "api_error", 6),
    ],
)
def test_a_refused_job_is_failed(
    online: Mj, service: Service, status: int, code: str, exit_status: int
) -> None:
    service.answer({"error": {"code": code, "message": "no"}}, status)
    online("imagine", "a cat", check=exit_status)
    ((state, error),) = rows(online, "state, error")
    assert state == "failed"
    assert json.loads(error) == {"code": code, "message": "no"}


def test_a_job_that_failed_at_the_service_is_failed_and_keeps_its_task(online: Mj, service: Service) -> None:
    service.stream(
        [FIRST, {"task_id": "task-1", "success": False, "error": {"code": "forbidden", "message": "no"}}]
    )
    online("imagine", "a cat", check=4)
    assert rows(online) == [("failed", "task-1")]


def test_a_job_that_could_not_be_sent_is_failed(mj: Mj) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    mj("imagine", "x", "--retries", 0, env={"MJ_TOKEN": "t", "MJ_BASE_URL": url}, check=6)
    assert rows(mj) == [("failed", None)]


def test_a_job_that_outlasts_the_timeout_is_running(online: Mj, service: Service) -> None:
    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        service.over.wait(60)

    service.imagine(script)
    online("imagine", "a cat", "--timeout", "1", check=7)
    assert rows(online) == [("running", "task-1")]


@pytest.mark.parametrize("how", [("--no-wait",), ("--callback-url", "https://example.com/hook")])
def test_a_job_that_is_not_waited_for_is_running(online: Mj, service: Service, how: tuple[str, ...]) -> None:
    service.answer({"task_id": "task-1"})
    online("imagine", "a cat", *how)
    assert rows(online) == [("running", "task-1")]


def test_a_job_with_a_lost_response_is_unknown(online: Mj, service: Service) -> None:
    service.imagine(lambda _request, reply: reply.reset())
    online("imagine", "a cat", check=9)
    assert rows(online) == [("unknown", None)]
    assert len(service.posts()) == 1


def test_a_job_that_is_found_again_is_done(online: Mj, service: Service) -> None:
    def lose(request: Received, reply: Reply) -> None:
        service.tasks["task-9"] = task_record("task-9", request.body, service.result(task_id="task-9"))
        reply.reset()

    service.imagine(lose)
    online("imagine", "a cat")
    assert rows(online) == [("done", "task-9")]
    assert len(service.posts()) == 1


def test_a_dry_run_and_a_refused_prompt_leave_no_row(online: Mj, service: Service) -> None:
    online("imagine", "a cat", "--dry-run")
    online("imagine", "a cat", "--ar", "nonsense", check=2)
    assert not ledger_of(online).exists() or rows(online) == []
    assert not service.received


def test_saving_the_files_of_a_task_later_is_recorded(online: Mj, cat: Service) -> None:
    online("imagine", "a cat")
    cat.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, cat.result(task_id="task-1"))
    answer = online("describe-task", "@last", "--download", "--json").answer
    ((saved,),) = rows(online, "files")
    assert json.loads(saved) == answer["files"] != []


def test_the_end_of_a_running_job_is_recorded(online: Mj, service: Service) -> None:
    service.answer({"task_id": "task-1"})
    online("imagine", "a cat", "--no-wait")
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, service.result(task_id="task-1"))
    online("describe-task", "@last", "--wait")
    assert rows(online, "state, task_id, image_id") == [("done", "task-1", service.result()["image_id"])]


# -- privacy -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token_in", ["header", "query"])
def test_no_file_contains_the_token(online: Mj, cat: Service, token_in: str) -> None:
    online("config", "set", "token_in", token_in)
    online("imagine", "a cat", "--download")
    cat.answer({"error": {"code": "bad_request", "message": "no"}}, 400)
    online("imagine", "a cat", check=4)
    written = [path for path in online.home.rglob("*") if path.is_file()]
    assert ledger_of(online) in written
    assert not [path for path in written if b"secret-token" in path.read_bytes()]


@pytest.mark.skipif(sys.platform == "win32", reason="Unix file modes")
def test_the_ledger_is_private_to_its_owner(online: Mj, cat: Service) -> None:
    online("imagine", "a cat")
    assert stat.S_IMODE(ledger_of(online).stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger_of(online).parent.stat().st_mode) == 0o700


def test_no_ledger_writes_nothing(online: Mj, cat: Service) -> None:
    online("imagine", "a cat", "--download", "--no-ledger")
    assert not (online.home / "data").exists()
    assert len(cat.posts()) == 1


# -- concurrent processes ------------------------------------------------------------------------------


@pytest.mark.slow
def test_twenty_processes_on_a_new_ledger_lose_nothing(online: Mj, service: Service) -> None:
    together = threading.Barrier(20)

    def script(request: Received, reply: Reply) -> None:
        together.wait(60)  # every row is written and every request held before the first response
        name = request.body["prompt"]
        reply.stream([service.result(task_id=f"task-{name}", image_id=f"image-{name}")])

    service.imagine(script)
    processes = [online.start("imagine", f"cat{n}", "-q") for n in range(20)]
    try:
        outputs = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [(process.returncode, err) for process, (_, err) in zip(processes, outputs, strict=True)] == [
        (0, b"")
    ] * 20
    assert len(service.posts()) == 20
    assert sorted(rows(online)) == sorted(("done", f"task-cat{n}") for n in range(20))


def test_a_locked_ledger_is_waited_for(online: Mj, cat: Service) -> None:
    online("imagine", "a cat")
    other = sqlite3.connect(ledger_of(online), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    process = online.start("imagine", "a cat", "-q")
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=1.5)
        assert len(cat.posts()) == 1
        other.execute("COMMIT")
        _, err = process.communicate(timeout=30)
    finally:
        other.close()
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert len(cat.posts()) == 2


# -- ledgers that cannot be used -----------------------------------------------------------------------


def check_refused(mj: Mj, service: Service) -> str:
    """Check that a job is refused, with suggestions, before anything is sent; returns standard error."""
    result = mj("imagine", "a cat", "--json", check=2)
    assert result.answer["error"]["code"] == "config"
    assert "MJ_DATA_DIR" in result.err
    assert "--no-ledger" in result.err
    assert "Nothing was sent." in result.err
    assert not service.received
    mj("imagine", "a cat", "--no-ledger")
    assert len(service.posts()) == 1
    return result.err


def test_a_ledger_of_a_newer_schema_is_refused(online: Mj, cat: Service) -> None:
    ledger_of(online).parent.mkdir()
    connection = sqlite3.connect(ledger_of(online))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = ledger_of(online).read_bytes()
    assert "newer" in check_refused(online, cat)
    assert ledger_of(online).read_bytes() == before


def test_a_file_in_place_of_the_data_directory_is_refused(online: Mj, cat: Service) -> None:
    (online.home / "data").write_text("mine")
    check_refused(online, cat)


def test_a_directory_in_place_of_the_ledger_is_refused(online: Mj, cat: Service) -> None:
    ledger_of(online).mkdir(parents=True)
    check_refused(online, cat)


@pytest.fixture
def read_only(online: Mj, cat: Service) -> Iterator[Mj]:
    """A ledger with a job, in a file and directory that cannot be written."""
    online("imagine", "a cat")
    cat.received.clear()
    ledger_of(online).chmod(0o400)
    ledger_of(online).parent.chmod(0o500)
    yield online
    ledger_of(online).parent.chmod(0o700)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="drops privileges with a Linux call")
def test_a_read_only_ledger_is_refused(read_only: Mj, cat: Service) -> None:
    result = run_after(read_only, UNPRIVILEGED, "imagine", "a cat", "--json")
    if result.err == "prctl\n":
        pytest.skip("the superuser's privileges cannot be dropped here")
    assert result.status == 2, result.err
    assert result.answer["error"]["code"] == "config"
    assert "MJ_DATA_DIR" in result.err
    assert "--no-ledger" in result.err
    assert not cat.received


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="drops privileges with a Linux call")
@pytest.mark.parametrize("command", [("history", "-q"), ("history", "show", "@last", "-q"), ("open", "-q")])
def test_a_read_only_ledger_can_still_be_read(read_only: Mj, command: tuple[str, ...]) -> None:
    result = run_after(read_only, UNPRIVILEGED, *command)
    if result.err == "prctl\n":
        pytest.skip("the superuser's privileges cannot be dropped here")
    assert (result.status, result.err) == (0, "")
    assert result.out


def test_a_command_that_only_reads_the_ledger_does_not_suggest_no_ledger(online: Mj) -> None:
    ledger_of(online).mkdir(parents=True)
    result = online("history", check=2)
    assert "MJ_DATA_DIR" in result.err
    assert "--no-ledger" not in result.err
    assert "sent" not in result.err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="drops privileges with a Linux call")
def test_a_data_directory_that_cannot_be_created_is_refused(online: Mj, cat: Service) -> None:
    locked = online.home / "locked"
    locked.mkdir(mode=0o500)
    online.env["MJ_DATA_DIR"] = str(locked / "data")
    result = run_after(online, UNPRIVILEGED, "imagine", "a cat", "--json")
    if result.err == "prctl\n":
        pytest.skip("the superuser's privileges cannot be dropped here")
    assert result.status == 2, result.err
    assert "--no-ledger" in result.err
    assert not cat.received


def test_a_damaged_ledger_is_moved_away_and_the_job_continues(online: Mj, cat: Service) -> None:
    ledger_of(online).parent.mkdir()
    ledger_of(online).write_bytes(b"this is not a database" * 1000)
    result = online("imagine", "a cat")
    assert "damaged" in result.err
    assert rows(online) == [("done", "task-1")]
    (moved,) = [path for path in ledger_of(online).parent.iterdir() if "damaged" in path.name]
    assert moved.read_bytes() == b"this is not a database" * 1000
    assert str(moved) in result.err
    assert len(cat.posts()) == 1


def test_a_ledger_that_fails_after_the_job_was_accepted_does_not_lose_it(
    online: Mj, service: Service
) -> None:
    """The task and the link are printed, and the status shows that the job must not be sent again."""

    def script(_request: Received, reply: Reply) -> None:
        connection = sqlite3.connect(ledger_of(online))
        connection.execute("DROP TABLE jobs")
        connection.commit()
        connection.close()
        reply.stream([FIRST, service.result(task_id="task-1")])

    service.imagine(script)
    result = online("imagine", "a cat", check=None)
    assert result.status not in (2, 6), "this status means that nothing was sent"
    assert "Nothing was sent" not in result.err
    assert "task-1" in result.out + result.err
    assert len(service.posts()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="FIFOs")
@pytest.mark.parametrize("arguments", [("imagine", "a cat"), ("history",)], ids=repr)
def test_a_ledger_that_is_not_a_regular_file_is_refused_at_once(
    online: Mj, cat: Service, arguments: tuple[str, ...]
) -> None:
    directory = online.home / "data"
    directory.mkdir()
    os.mkfifo(directory / "ledger.db")
    result = online(*arguments, check=2, timeout=15)
    assert "(it is not a regular file)" in result.err
    assert cat.posts() == []

"""`mj download` of unfinished and failed jobs, on a full disk, and after signals."""

from __future__ import annotations

import signal
import sqlite3
import threading

import pytest

from tests.support.earlier import IMAGE_DATA, REQUEST, SAVED, TASK_ID, run_earlier_job
from tests.support.images import png
from tests.support.ledger import change_ledger
from tests.support.program import SMALL_DISK, Mj, files, run_after
from tests.support.service import Received, Reply, Service, fixture, task_record

# -- unfinished and failed jobs ------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["running", "submitting", "unknown"])
def test_an_unfinished_job_exits_7_and_suggests_resume(online: Mj, service: Service, state: str) -> None:
    run_earlier_job(online, service)
    change_ledger(online, "state = ?, result = NULL", state)
    result = online("download", "@last", check=7)
    assert "no image yet" in result.err
    assert state in result.err
    assert f"next: mj resume {TASK_ID}\n" in result.err
    assert online("download", "@last", "--json", check=7).answer["success"] is False
    assert {each.path for each in service.received} <= {Service.TASKS}  # which is free


def test_a_failed_job_exits_4_and_is_not_billed(online: Mj, service: Service) -> None:
    service.answer(fixture("error.json"))
    online("imagine", "a cat", check=4)
    result = online("download", "@last", check=4)
    assert "The job has no image. The job failed and is not billed" in result.err
    code = fixture("error.json")["error"]["code"]
    assert online("download", "@last", "--json", check=4).answer["error"]["code"] == code


@pytest.mark.parametrize("code", ["used_up", "invalid_token", "network"])
def test_any_failed_job_exits_4(online: Mj, service: Service, code: str) -> None:
    run_earlier_job(online, service)
    change_ledger(online, "state = 'failed', error = ?", f'{{"code": "{code}", "message": "no"}}')
    online("download", "@last", check=4)


def test_a_job_that_was_given_up_is_not_called_unbilled(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    change_ledger(
        online, "state = 'failed', error = ?", '{"code": "given_up", "message": "Given up by the user."}'
    )
    err = online("download", "@last", check=4).err
    assert "Given up by the user" in err
    assert "billed" not in err


def test_a_job_without_a_link_exits_8(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    change_ledger(online, "result = ?", '{"success": true, "progress": 100, "task_id": "t"}')
    result = online("download", "@last", check=8)
    assert "no link" in result.err
    assert not service.received


# -- interrupted downloads and full disks --------------------------------------------------------------


@pytest.mark.slow
def test_a_full_disk_leaves_no_partial_file(online: Mj, service: Service) -> None:
    pytest.importorskip("resource")
    service.files["/files/cat.png"] = png(1_000_000)
    run_earlier_job(online, service)
    result = run_after(online, SMALL_DISK, "download", "@last", "--json")
    assert result.status == 8, result.err
    assert result.answer["error"]["code"] == "download"
    assert "cannot be written" in result.err
    assert files(online) == []


def test_the_file_is_saved_even_if_the_ledger_cannot_be_written(online: Mj, service: Service) -> None:
    run_earlier_job(online, service)
    connection = sqlite3.connect(online.home / "data" / "ledger.db")
    connection.execute("CREATE TRIGGER no BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.commit()
    connection.close()
    assert online("download", "@last", "-q").out == f"{online.cwd / SAVED}\n"


def stall_download(service: Service) -> tuple[threading.Event, threading.Event]:
    """Hold back most of the image until the second event; the first is set when the download has started."""
    started, go_on = threading.Event(), threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, length=len(IMAGE_DATA))
        reply.send(IMAGE_DATA[:1000])
        started.set()
        go_on.wait(60)
        reply.send(IMAGE_DATA[1000:])

    service.files["/files/cat.png"] = script
    return started, go_on


@pytest.mark.slow
@pytest.mark.parametrize("command", [("download", "@last"), ("describe-task", TASK_ID, "--download")])
def test_partial_files_of_a_killed_mj_are_removed_but_not_those_being_written(
    online: Mj, service: Service, command: tuple[str, ...]
) -> None:
    started, go_on = stall_download(service)
    run_earlier_job(online, service)
    service.tasks[TASK_ID] = task_record(TASK_ID, REQUEST, service.result())
    killed = online.start(*command)
    assert started.wait(30)
    killed.kill()
    killed.communicate()
    (partial,) = files(online)
    assert partial.startswith(f".mj-{killed.pid}-")
    started.clear()
    living = online.start("download", "@last")
    try:
        assert started.wait(30)
        (part,) = files(online)
        assert part.startswith(f".mj-{living.pid}-")
        service.files["/files/cat.png"] = IMAGE_DATA
        online(*command, "-o", "other.png")
        assert set(files(online)) == {part, "other.png"}
    finally:
        go_on.set()
        living.communicate(timeout=30)
    assert living.returncode == 0
    assert files(online) == [SAVED, "other.png"]


@pytest.mark.slow
def test_an_interrupted_download_leaves_nothing_and_suggests_how_to_continue(
    online: Mj, service: Service
) -> None:
    started, _go_on = stall_download(service)
    run_earlier_job(online, service)
    process = online.start("download", "@last", "-o", "cats/", "--json")
    assert started.wait(30)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"next: mj download {TASK_ID} -o cats/\n" in err.decode()
    assert "Nothing was sent" not in err.decode()
    assert files(online) == []


# Breaks a part of the program that works only on what came after the request.
BROKEN = """
import sys
import {module}
def broken(*_arguments, **_options):
    raise LookupError("a fault of mj itself")
setattr({module}{owner}, "{name}", broken)
from mjcli.__main__ import main
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "owner", "name", "status"),
    [
        ("mjcli.media.download", "", "place_part", 8),
        ("mjcli.media.download", "", "name_for", 8),
        ("mjcli.media.place", "", "sweep", 8),
        ("mjcli.jobs.ledger", ".Ledger", "set_files", 0),
    ],
)
def test_an_unexpected_error_after_the_job_still_prints_its_result(
    online: Mj, service: Service, module: str, owner: str, name: str, status: int
) -> None:
    service.files["/files/cat.png"] = png(1000)
    service.stream([service.result()])
    before = BROKEN.format(module=module, owner=owner, name=name)
    result = run_after(online, before, "imagine", "a cat", "-d", "--json")
    assert result.status == status
    assert result.answer["image_id"] == service.result()["image_id"]
    assert "a fault of mj itself" in result.err
    assert len(service.posts()) == 1

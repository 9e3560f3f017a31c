"""A user without a home directory, and a clock that is set while a job runs."""

from __future__ import annotations

import json
import sys

import pytest

from tests.support.images import png
from tests.support.ledger import job_row
from tests.support.program import SET_CLOCK, Mj, files, run_after
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Service, task_record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the signals and file modes of Unix")


# -- no home, and a clock that is set ------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="the directories of XDG")
def test_without_home_the_platform_directories_are_used(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    places: dict[str, str | None] = {
        "HOME": None,
        "MJ_CONFIG": None,
        "MJ_DATA_DIR": None,
        "XDG_CONFIG_HOME": str(online.home / "xdg-config"),
        "XDG_DATA_HOME": str(online.home / "xdg-data"),
    }
    online("config", "set", "defaults.mode", "fast", env=places)
    online("imagine", "a cat", "--download", env=places)
    assert service.posts()[0].body["mode"] == "fast"
    assert (online.home / "xdg-config" / "mj" / "config.toml").exists()
    assert (online.home / "xdg-data" / "mj" / "ledger.db").exists()
    assert len(files(online)) == 1


# The user is not in the system's list of users either, as in many containers.
NO_USER_ENTRY = """
import pwd, sys
from mjcli.__main__ import main

def unknown(*_):
    raise KeyError("no such user")

pwd.getpwuid = pwd.getpwnam = unknown
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("named", [(), ("MJ_CONFIG",), ("MJ_DATA_DIR",)], ids=repr)
def test_without_any_home_directory_the_error_names_what_to_set(
    online: Mj, service: Service, named: tuple[str, ...]
) -> None:
    del online.env["HOME"]
    online.env |= dict.fromkeys({"MJ_CONFIG", "MJ_DATA_DIR"} - set(named), "")  # as if unset
    for command in (("imagine", "a cat"), ("config", "list")):
        result = run_after(online, NO_USER_ENTRY, *command, "--json")
        assert result.status == 2, result.err
        assert result.answer["error"]["code"] == "config"
        assert "HOME" in result.err
        assert "MJ_DATA_DIR" in result.err or "MJ_CONFIG" in result.err
    assert service.received == []
    assert files(online) == []


@pytest.mark.slow
def test_without_any_home_directory_a_job_runs_if_the_paths_are_set(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    del online.env["HOME"]
    result = run_after(online, NO_USER_ENTRY, "imagine", "a cat", "--download", "--json")
    assert result.status == 0, result.err
    assert len(files(online)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("change", [-7200, 7200], ids=["back", "forward"])
def test_setting_the_clock_does_not_affect_a_running_job(online: Mj, service: Service, change: int) -> None:
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": str(change), "CLOCK_MARK": str(mark)}
    service.files["/files/cat.png"] = png()

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        mark.touch()
        reply.send(json.dumps(service.result(task_id="task-1")).encode() + b"\r\n")
        reply.end()

    service.imagine(script)
    result = run_after(online, SET_CLOCK, "imagine", "a cat", "--download", "--timeout", "60", "--json")
    assert result.status == 0, result.err
    assert len(result.answer["files"]) == len(files(online)) == 1
    assert job_row(online)["state"] == "done"
    assert len(service.received) == 2  # the job and its image


@pytest.mark.slow
@pytest.mark.parametrize("change", [-7200, 7200], ids=["back", "forward"])
def test_setting_the_clock_does_not_move_a_deadline(online: Mj, service: Service, change: int) -> None:
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": str(change), "CLOCK_MARK": str(mark)}

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps(FIRST).encode() + b"\r\n")
        mark.touch()
        service.over.wait(60)

    service.imagine(script)
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, None)
    result = run_after(online, SET_CLOCK, "imagine", "a cat", "--timeout", "1", "--json")
    assert result.status == 7, result.err
    assert result.answer["task_id"] == "task-1"


@pytest.mark.slow
def test_the_newest_job_is_the_last_one_even_if_the_clock_was_set_back(online: Mj, service: Service) -> None:
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": "-7200", "CLOCK_MARK": str(mark)}
    for name in ("one", "two"):
        service.answer(service.result(task_id=name))
        service.tasks[name] = task_record(name, {"prompt": "a cat"}, service.result(task_id=name))
        assert run_after(online, SET_CLOCK, "imagine", "a cat", "-q").status == 0
        mark.touch()
    assert online("describe-task", "@last", "--field", "id").out == "two\n"
    assert online("describe-task", "@2", "--field", "id").out == "one\n"


@pytest.mark.slow
@pytest.mark.parametrize("change", [1e12, -1e12], ids=["after the year 9999", "before the year 1"])
def test_a_clock_outside_the_calendar_loses_no_job(online: Mj, service: Service, change: float) -> None:
    mark = online.home / "clock-is-set"
    mark.touch()
    online.env |= {"CLOCK_CHANGE": str(change), "CLOCK_MARK": str(mark)}
    service.files["/files/cat.png"] = png()
    service.answer(service.result())
    result = run_after(online, SET_CLOCK, "imagine", "a cat", "-o", "{date}/")
    assert result.status == 0, result.err
    assert [name.split("/")[0] for name in files(online)] == ["1970-01-01"]


NO_MEMORY = """
import sys
from mjcli.cli.output.watch import JobWatch
from mjcli.__main__ import main

def fail(*_):
    raise MemoryError("no memory left")

JobWatch.accepted = fail
sys.exit(main())
"""


@pytest.mark.slow
def test_a_fault_of_this_machine_after_the_request_leaves_the_job_to_resume(
    online: Mj, service: Service
) -> None:
    service.stream([FIRST, service.result(task_id="task-1")])
    service.tasks["task-1"] = task_record("task-1", {"prompt": "a cat"}, service.result(task_id="task-1"))
    result = run_after(online, NO_MEMORY, "imagine", "a cat")
    assert result.status == 7, result.err
    assert "MemoryError: no memory left" in result.err
    assert "next: mj resume task-1" in result.err
    online("resume", "task-1")
    assert len(service.posts()) == 1

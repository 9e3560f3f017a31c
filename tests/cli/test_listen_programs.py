"""`mj listen --exec`: a program that hangs, fails or is slow delays nothing else, and ends with the listener."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mjcli.api import Result
from mjcli.cli.commands.listen import _report_one
from mjcli.cli.programs import Programs, Run
from mjcli.errors import ConfigError, DownloadError, MjError, OutputError
from mjcli.jobs.callbacks import Event
from tests.support.images import png
from tests.support.listening import TASK, finish, listening, submit_job
from tests.support.program import Mj
from tests.support.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="process groups")]


def hanging(directory: Path) -> str:
    """A command that starts a child, writes both process ids, and hangs."""
    program = directory / "hang.py"
    program.write_text(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('pids.new', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "os.rename('pids.new', 'pids')\n"
        "time.sleep(600)\n"
    )
    return shlex.join([sys.executable, str(program)])


def started(mj: Mj) -> list[int]:
    """The process ids of the hanging command, once it runs."""
    until = time.monotonic() + 20
    while not (mj.cwd / "pids").exists():
        assert time.monotonic() < until, "the command has not started"
        time.sleep(0.01)
    return [int(each) for each in (mj.cwd / "pids").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return " Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:2]
    except OSError:
        return False


def test_a_hung_program_does_not_delay_later_events(online: Mj, service: Service) -> None:
    with listening(online, "--exec", hanging(online.cwd)) as listener:
        submit_job(online, service, listener.url)
        for percent in (10, 20):
            assert listener.post({"task_id": TASK, "progress": percent, "actions": []}) == 200
            assert listener.line()["progress"] == percent
        listener.post(finish(service))
        assert listener.line()["event"] == "success"
        started(online)
        listener.process.send_signal(signal.SIGTERM)
        listener.end()


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_terminates_the_program_and_its_children_with_one_warning(
    online: Mj, service: Service, number: signal.Signals, expected: int
) -> None:
    with listening(online, "--exec", hanging(online.cwd)) as listener:
        submit_job(online, service, listener.url)
        for percent in (10, 20, 30):
            listener.post({"task_id": TASK, "progress": percent, "actions": []})
            listener.line()
        pids = started(online)
        listener.process.send_signal(number)
        status, _, err = listener.end()
    assert status == expected
    assert err.count("--exec") == 1
    assert "was terminated, and not run for 2 events after it" in err
    assert not any(map(is_running, pids))


def test_once_ends_with_the_status_of_the_job_at_the_deadline_although_the_program_hangs(
    online: Mj, service: Service
) -> None:
    options = ("--once", TASK, "--timeout", "3", "--exec", hanging(online.cwd))
    with listening(online, *options) as listener:
        submit_job(online, service, listener.url)
        listener.post(finish(service))
        pids = started(online)
        status, out, err = listener.end()
    assert status == 0
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["success"]
    assert err.count("was terminated") == 1
    assert not any(map(is_running, pids))


def test_the_deadline_applies_although_the_program_hangs(online: Mj, service: Service) -> None:
    with listening(online, "--timeout", "2", "--exec", hanging(online.cwd)) as listener:
        submit_job(online, service, listener.url)
        listener.post({"task_id": TASK, "progress": 10, "actions": []})
        assert listener.end()[0] == 7


def test_a_program_that_exceeds_its_limit_makes_way_for_the_next_event(online: Mj, service: Service) -> None:
    online.pauses = {**online.pauses, "mjcli.cli.programs:RUN_SECONDS": 0.3}
    command = shlex.join(["sh", "-c", 'case "$MJ_EVENT" in progress) sleep 600;; *) echo handled >&2;; esac'])
    with listening(online, "--once", TASK, "--exec", command) as listener:
        submit_job(online, service, listener.url)
        listener.post({"task_id": TASK, "progress": 10, "actions": []})
        listener.post(finish(service))
        status, _, err = listener.end()
    assert status == 0
    assert f"--exec was terminated for the progress of task {TASK}, because it ran for 0.3 seconds" in err
    assert "handled" in err


def test_a_program_that_does_not_read_its_input_is_no_problem(online: Mj, service: Service) -> None:
    with listening(online, "--once", TASK, "--exec", "true") as listener:
        submit_job(online, service, listener.url)
        listener.post(finish(service, padding="x" * 500_000))
        status, _, err = listener.end()
    assert status == 0
    assert "warning" not in err


def test_the_deadline_applies_during_a_flood_of_callbacks(online: Mj, service: Service) -> None:
    with listening(online, "--all", "--timeout", "1") as listener, ThreadPoolExecutor(1) as reader:
        ended, number = reader.submit(listener.end), 0
        while not ended.done():
            number += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                listener.post({"task_id": f"t{number}", "progress": 1, "actions": []})
        assert ended.result()[0] == 7


def test_an_output_directory_that_becomes_unusable_costs_only_the_files(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png(1)
    (online.cwd / "cats").mkdir()
    with listening(online, "--all", "-o", "cats/{task_id}.{ext}") as listener:
        (online.cwd / "cats").rmdir()
        (online.cwd / "cats").write_text("a file")
        for name in ("first", "second"):
            assert listener.post(finish(service, name)) == 200
            assert listener.line()["task_id"] == name
        (online.cwd / "cats").unlink()
        assert listener.post(finish(service, "third")) == 200
        assert listener.line()["files"]


@pytest.mark.parametrize(
    "link", ["http://[", "http://h:99999/", "http://\x00/", "file:///etc/passwd", 5, {"a": 1}]
)
@pytest.mark.parametrize("trust", [(), ("--trust",)], ids=["confirmed", "trusted"])
def test_a_bad_link_costs_only_its_event(
    online: Mj, service: Service, link: object, trust: tuple[str, ...]
) -> None:
    service.files["/files/cat.png"] = png(1)
    with listening(online, "--all", "--download", *trust) as listener:
        assert listener.post(finish(service, "bad", raw_image_url=link, image_url=link)) in (200, 503)
        assert listener.post(finish(service, "good")) == 200
        line = listener.line()
        assert (line if line["task_id"] == "good" else listener.line())["files"]


class Alarms:
    """The part of the output that reports failures."""

    def __init__(self) -> None:
        self.failures: list[MjError] = []

    def failure(self, error: MjError) -> None:
        self.failures.append(error)


def test_a_download_error_concerns_its_event_and_a_broken_output_ends_listening() -> None:
    event, output = Event("success", "t1", Result({}), None, confirmed=True), Alarms()

    def fail(error: MjError) -> Callable[[Event], None]:
        def report(_event: Event) -> None:
            raise error

        return report

    _report_one(event, fail(DownloadError("A link is bad.")), output)  # type: ignore[arg-type]
    assert [each.task_id for each in output.failures] == ["t1"]
    with pytest.raises(OutputError):
        _report_one(event, fail(OutputError("Cannot write.")), output)  # type: ignore[arg-type]


def test_an_event_whose_input_cannot_be_read_starts_no_program(tmp_path: Path) -> None:
    def unreadable() -> bytes:
        raise ConfigError("the ledger is locked.")

    said: list[str] = []
    over = threading.Event()
    started = tmp_path / "started"
    programs = Programs(["/bin/sh", "-c", f"echo >'{started}'"], {}, stdout=2, warn=said.append)
    programs.add(Run("the event", {}, unreadable, over.set))
    programs.finish(10)
    assert over.is_set()
    assert said == ["--exec could not be run for the event: the ledger is locked."]
    assert not started.exists()

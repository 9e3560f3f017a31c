"""The program on Windows: open files, locks, names, drives, command lines and signals that differ there."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.images import png
from tests.support.program import SOON
from tests.support.service import Received, Reply, Service
from tests.support.wine import ROOT, Windows, seen_by_windows, started_wine, windows_python

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """Windows' Python, ready to run."""
    found = windows_python()
    with started_wine(found):
        yield found


@pytest.fixture
def windows(python: Path, tmp_path: Path) -> Windows:
    """Windows' Python with an empty home directory."""
    return Windows(python, tmp_path / "home")


@pytest.fixture
def online(windows: Windows, service: Service) -> Windows:
    """The same, with a token and the scripted service, whose jobs end at once."""
    windows.env |= {"MJ_TOKEN": "secret-token", "MJ_BASE_URL": service.base_url}
    service.answer(service.result())
    service.files["/files/cat.png"] = png(100)
    return windows


@pytest.fixture
def held(online: Windows, service: Service) -> Iterator[Windows]:
    """The same, with jobs that have a task id and do not end during the test; the tasks endpoint knows the result."""
    result = service.result()

    def running(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(json.dumps({"task_id": result["task_id"], "progress": 10}).encode() + b"\n")
        service.over.wait(60)

    service.imagine(running)
    yield online
    service.over.set()


def files(windows: Windows) -> list[str]:
    return sorted(path.name for path in windows.cwd.iterdir())


# -- files -------------------------------------------------------------------------------------------------


def test_an_image_is_downloaded(online: Windows) -> None:
    result = online("imagine", "a cat", "--no-stream", "-o", "cat.png")
    assert f"file: {seen_by_windows(online.cwd / 'cat.png')}" in result.out
    assert (online.cwd / "cat.png").read_bytes() == png(100)
    assert files(online) == ["cat.png"]


def test_force_replaces_a_file(online: Windows) -> None:
    (online.cwd / "cat.png").write_bytes(png(5))
    online("imagine", "a cat", "--no-stream", "-o", "cat.png", "--force")
    assert (online.cwd / "cat.png").read_bytes() == png(100)
    assert files(online) == ["cat.png"]


def test_another_file_is_not_replaced(online: Windows, service: Service) -> None:
    (online.cwd / "cat.png").write_bytes(png(5))
    result = online("imagine", "a cat", "--no-stream", "-o", "cat.png", check=2)
    assert "already exists. Nothing was sent." in result.err
    assert not service.posts()


def test_an_incomplete_copy_is_replaced(online: Windows) -> None:
    online("imagine", "a cat", "--no-stream", "-o", "cat.png")
    (online.cwd / "cat.png").write_bytes(png(100)[:60])
    online("download", "@last")
    assert (online.cwd / "cat.png").read_bytes() == png(100)
    assert files(online) == ["cat.png"]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Q:\\x\\cat.png", '"Q:\\x" is on a drive that does not exist'),
        ("a:cat.png", "is on a drive that does not exist"),
        ("a?b.png", 'because of the character "?"'),
        ("cat.png:stream.png", 'because of the character ":"'),
        ("aux.png", "where it is a device"),
        ("con\\cat.png", "where it is a device"),
        ("cat.png.", 'because of the "." at its end'),
        ("cats \\{prompt}.png", 'because of the " " at its end'),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_before_the_job_is_sent(
    online: Windows, service: Service, output: str, reason: str
) -> None:
    result = online("imagine", "a cat", "-o", output, check=2)
    assert reason in result.err
    assert not service.posts()


@pytest.mark.parametrize("output", ["sub\\{prompt}_.{ext}", "sub\\", "sub/a.b/{index}"])
def test_directories_and_templates_may_have_either_separator(online: Windows, output: str) -> None:
    online("imagine", "a cat", "--no-stream", "-d", "-o", output)
    (found,) = online.cwd.rglob("*.png")
    assert found.read_bytes() == png(100)


def test_an_image_is_given_by_a_path_with_a_drive(windows: Windows) -> None:
    (windows.cwd / "cat.png").write_bytes(png(100))
    path = seen_by_windows(windows.cwd / "cat.png")
    result = windows("--sandbox", "edit", path, "a hat")
    assert "Uploading cat.png" in result.err


# -- jobs and their ledger ---------------------------------------------------------------------------------


def test_a_killed_job_is_resumed_and_paid_for_once(held: Windows, service: Service) -> None:
    with held.running("imagine", "a cat", "-o", "cat.png") as process:
        assert process.stderr is not None
        while b"task" not in process.stderr.readline():
            pass
    task = service.result()["task_id"]
    service.tasks[task] = {"id": task, "type": "imagine", "response": service.result(), "finished_at": 1.0}
    held("resume")
    assert (held.cwd / "cat.png").read_bytes() == png(100)
    assert len(service.posts()) == 1


def test_two_processes_with_one_key_send_one_request(online: Windows, service: Service) -> None:
    command = ("imagine", "a cat", "--no-stream", "--key", "cat", "--json")
    with online.running(*command) as first, online.running(*command) as second:
        answers = [json.loads(each.communicate(timeout=120)[0]) for each in (first, second)]
    assert {each["image_id"] for each in answers} == {service.result()["image_id"]}
    assert len(service.posts()) == 1


def test_a_damaged_ledger_is_set_aside(online: Windows) -> None:
    online("imagine", "a cat", "--no-stream")
    (online.data / "ledger.db").write_bytes(b"not a database" * 100)
    result = online("imagine", "a cat", "--no-stream")
    assert "was damaged and was moved to" in result.err
    assert [each for each in online.data.iterdir() if "damaged" in each.name]
    assert online("history").out.count("\n") == 1


def test_a_ledger_damaged_inside_is_set_aside_while_it_is_open(online: Windows) -> None:
    online("imagine", "a cat", "--no-stream")
    with closing(sqlite3.connect(online.data / "ledger.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (online.data / "ledger.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    result = online("imagine", "a cat", "--no-stream", check=2)
    assert "was damaged and was moved to" in result.err
    online("imagine", "a cat", "--no-stream")


# Behaves like Ctrl-C: the signal is noted at once, but interrupts no call that waits.
INTERRUPTED = """
import _thread, os, sys, threading, time
def interrupt():
    while not os.path.exists("now"):
        time.sleep(0.05)
    _thread.interrupt_main()
threading.Thread(target=interrupt, daemon=True).start()
from mjcli.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("moment", ["the job", "the download"])
def test_an_interruption_does_not_wait_for_a_silent_service(
    online: Windows, service: Service, moment: str
) -> None:
    arrived = threading.Event()

    def silent(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"}, length=10_000)
        reply.send(b"{")
        arrived.set()
        service.over.wait(60)

    if moment == "the job":
        service.imagine(silent)
    else:
        service.files["/files/cat.png"] = silent
    process = online.start("-c", INTERRUPTED, "imagine", "a cat", "--no-stream", "-d")
    try:
        assert arrived.wait(60)
        (online.cwd / "now").touch()
        out, err = process.communicate(timeout=SOON)
    finally:
        process.kill()
    assert process.returncode == 130, (out, err)
    assert b"Traceback" not in err


# -- settings ----------------------------------------------------------------------------------------------


def test_settings_are_in_the_local_application_data(windows: Windows) -> None:
    del windows.env["MJ_CONFIG"]
    assert windows("config", "path").out.rstrip().endswith("\\AppData\\Local\\mj\\config.toml")


def test_a_token_from_a_pipe_and_settings_are_saved_without_warnings(windows: Windows) -> None:
    windows("auth", "login", "--no-check", stdin=b"secret-token\r\n")
    windows("config", "set", "defaults.mode", "relax")
    result = windows("config", "get", "defaults.mode")
    assert (result.out.strip(), result.err) == ("relax", "")
    assert "token: set" in windows("auth", "status").out
    assert [path.name for path in (windows.home / "config").iterdir()] == ["config.toml"]


def test_settings_on_a_missing_drive_are_refused(windows: Windows) -> None:
    windows.env["MJ_CONFIG"] = "Q:\\mj\\config.toml"
    assert "cannot be written" in windows("config", "set", "defaults.mode", "fast", check=2).err


# -- output and commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "utf-8"])
def test_any_character_can_be_printed(online: Windows, encoding: str) -> None:
    online.env["PYTHONIOENCODING"] = encoding
    online("imagine", "a 🐱 in 日本", "--no-stream")
    assert online("history").out.count("\n") == 1
    assert online("history", "--json").answer["prompt"] == "a 🐱 in 日本"


def test_the_completion_script_is_for_both_names_of_the_program(windows: Windows) -> None:
    result = windows("completion", "powershell")
    assert "-CommandName 'mj', 'mj.exe'" in result.out
    assert result.stdout == (ROOT / "completions" / "mj.ps1").read_bytes()


def test_listen_runs_a_program_whose_path_has_backslashes(online: Windows, service: Service) -> None:
    script = online.home / "on event.py"
    script.write_text("import os, sys; sys.stderr.write(os.environ['MJ_EVENT'] + sys.stdin.read(1))")
    python = seen_by_windows(online.python)
    task = service.result()["task_id"]
    online("imagine", "a cat", "--no-stream")
    service.tasks[task] = {"id": task, "type": "imagine", "response": service.result(), "finished_at": 1.0}
    command = f'{python} "{seen_by_windows(script)}"'
    result = online("listen", "--all", "--once", task, "--exec", command, "--timeout", 60, check=None)
    assert "success{" in result.err, result.err


# -- the tests themselves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["jobs", "media", "settings"])
def test_the_tests_of_a_package_pass_on_windows(windows: Windows, package: str) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    tests = seen_by_windows(ROOT / "tests" / package)
    windows.env.pop("PYTHONWARNINGS")  # pytest sets its own
    result = windows.run("-m", "pytest", *options, tests, timeout=600, check=None, cwd=ROOT)
    assert result.status == 0, result.stdout[-5000:].decode(errors="replace")

"""Several processes at a time, a ledger that another program has locked, and a full disk."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys

import pytest

from tests.support.images import png
from tests.support.ledger import job_row
from tests.support.program import Mj, files, run_after, running, wait_for_exit
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Service, task_record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the signals and file modes of Unix")


# -- several processes ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_concurrent_jobs_and_settings_changes_do_not_interfere(online: Mj, service: Service) -> None:
    """Six of each: every job reads complete settings, and no change is lost."""

    def script(request: Received, reply: Reply) -> None:
        reply.stream([service.result(task_id=f"task-{request.body['prompt']}")])

    service.imagine(script)
    online("config", "set", "defaults.mode", "relax")
    processes = [
        online.start(*arguments)
        for n in range(6)
        for arguments in (
            ("imagine", f"cat{n}", "-q"),
            ("config", "set", f"presets.p{n}.suffix", f"--chaos {n}"),
        )
    ]
    try:
        ends = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [(process.returncode, err) for process, (_, err) in zip(processes, ends, strict=True)] == [
        (0, b"")
    ] * 12
    assert {each.body["mode"] for each in service.posts()} == {"relax"}
    assert len(service.posts()) == 6
    ledger = sqlite3.connect(online.home / "data" / "ledger.db")
    rows = ledger.execute("SELECT state, task_id FROM jobs").fetchall()
    ledger.close()
    assert sorted(rows) == [("done", f"task-cat{n}") for n in range(6)]
    for n in range(6):
        assert online("config", "get", f"presets.p{n}.suffix").out == f"--chaos {n}\n"


# -- a ledger that stays locked ------------------------------------------------------------------------

# Waits for a fifth of a second; with "mark_sent", the ledger is locked just before the first byte is sent.
LOCKED = """
import os, sqlite3, sys
import mjcli.jobs.database, mjcli.jobs.ledger
from mjcli.__main__ import main
assert mjcli.jobs.database.BUSY_SECONDS
mjcli.jobs.database.BUSY_SECONDS = 0.2
real = mjcli.jobs.ledger.Ledger.mark_sent
held = []

def mark_sent(self, uuid, **options):
    held.append(sqlite3.connect(self.path, isolation_level=None))
    held[0].execute("BEGIN IMMEDIATE")
    try:
        return real(self, uuid, **options)
    finally:
        held[0].close()

if os.environ["LOCKED"] == "mark_sent":
    mjcli.jobs.ledger.Ledger.mark_sent = mark_sent
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["from the start", "mark_sent"])
def test_a_ledger_that_stays_locked_sends_nothing(online: Mj, service: Service, moment: str) -> None:
    """The wait is shortened from half a minute."""
    service.answer(service.result())
    online("imagine", "a dog")
    service.received.clear()
    online.env["LOCKED"] = moment
    other = sqlite3.connect(online.home / "data" / "ledger.db", isolation_level=None)
    try:
        if moment == "from the start":
            other.execute("BEGIN IMMEDIATE")
        result = run_after(online, LOCKED, "imagine", "a cat", "--json")
    finally:
        other.close()
    assert result.status == 2, result.err
    assert result.answer["error"]["code"] == "config"
    assert "locked" in result.err
    assert "--no-ledger" in result.err
    assert service.received == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the signals of Unix")
def test_waiting_for_a_locked_ledger_can_be_interrupted(online: Mj, service: Service) -> None:
    service.answer(service.result())
    online("imagine", "a dog")
    service.received.clear()
    other = sqlite3.connect(online.home / "data" / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with running(online, "imagine", "a cat", "--verbose", stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert any(b"Ledger:" in line for line in process.stderr)
            process.send_signal(signal.SIGINT)
            code, _, err = wait_for_exit(process)  # far sooner than the wait of half a minute
    finally:
        other.close()
    assert code == 130
    assert "Nothing was sent" in err
    assert service.received == []


# -- a full disk ---------------------------------------------------------------------------------------

# No file can grow beyond this, as on a full disk; the ledger's write-ahead log reaches it first.
FULL_DISK = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.execv(sys.executable, [sys.executable, "-m", "mjcli", *sys.argv[2:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", range(32, 68, 4))
def test_a_full_disk_at_any_moment_loses_no_image_and_pays_only_once(
    online: Mj, service: Service, kilobytes: int
) -> None:
    """Depending on the space left, the row, its changes or the image cannot be written."""
    service.files["/files/cat.png"] = png(40_000)

    def imagine(request: Received, reply: Reply) -> None:
        result = service.result(task_id="task-1")
        service.tasks["task-1"] = task_record("task-1", request.body, result)
        reply.stream([FIRST, result])

    service.imagine(imagine)
    result = run_after(online, FULL_DISK, kilobytes * 1024, "imagine", "a cat", "--download")
    assert result.status in (0, 2, 8), result.err
    assert len(service.posts()) == (0 if result.status == 2 else 1)
    assert all(not name.endswith(".part") for name in files(online))
    online("resume")
    if result.status != 2:
        assert job_row(online)["state"] == "done"
        assert len(files(online)) == 1
    assert len(service.posts()) <= 1


@pytest.mark.slow
def test_a_disk_too_full_for_a_ledger_is_reported(online: Mj, service: Service) -> None:
    result = run_after(online, FULL_DISK, 4096, "imagine", "a cat")
    assert result.status == 2
    assert "rollback" not in result.err
    assert "Nothing was sent." in result.err
    assert service.received == []

"""`mj` is killed at random moments, over a network that loses and cuts responses.

Afterwards `mj resume` finishes every job: the service has accepted each of them once, and each has its file.
`--seeds N` tries more cases than CI does.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mjcli.media.formats import is_whole
from mjcli.sandbox import Sandbox, SandboxOptions
from tests.support.chaos import Moment, bad_network
from tests.support.program import Mj

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")]

JOBS = 3  # at once
MOMENTS = ("at once", "requested", "answered", "half", "download", "download half", "never")
RUN_SECONDS = 60.0  # limit for one run of the program


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each seed."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))


class Killer:
    """Starts jobs and kills each at a random moment."""

    def __init__(self, mj: Mj, random: Random) -> None:
        self._mj, self._random = mj, random
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._moments: dict[str, str] = {}

    def start(self, prompt: str) -> None:
        self._moments[prompt] = self._random.choice(MOMENTS)
        self._running[prompt] = self._mj.start("imagine", prompt, "--download", "--quiet", "--retries", 20)
        if self._moments[prompt] == "at once":
            threading.Timer(self._random.uniform(0, 0.8), self._running[prompt].kill).start()

    def watch(self, moment: Moment) -> None:
        what = moment.what
        if moment.path.startswith("/attachments/"):
            what = "download half" if what == "half" else "download"
        elif moment.path != "/midjourney/imagine":
            return
        slug = {prompt: prompt.replace(" ", "_") for prompt in self._running}
        for prompt, planned in list(self._moments.items()):
            if planned == what and (prompt == moment.body.get("prompt") or slug[prompt] in moment.path):
                self._running[prompt].kill()

    def wait(self) -> None:
        for process in self._running.values():
            process.communicate(timeout=RUN_SECONDS)
        self._moments.clear()


def rows(mj: Mj) -> list[dict[str, Any]]:
    """The jobs in the ledger."""
    path = mj.home / "data" / "ledger.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM jobs ORDER BY number")]
    finally:
        connection.close()


def accepted(database: Path) -> list[str]:
    """The prompts of the jobs that the service accepted."""
    connection = sqlite3.connect(database)
    try:
        return sorted(
            json.loads(request)["prompt"] for (request,) in connection.execute("SELECT request FROM jobs")
        )
    finally:
        connection.close()


def resume_all(mj: Mj, random: Random) -> None:
    """Resume until everything is done; sometimes killed first, sometimes in two processes at once."""
    if random.random() < 0.4:
        process = mj.start("resume", "--quiet")
        threading.Timer(random.uniform(0.1, 1.0), process.kill).start()
        process.communicate(timeout=RUN_SECONDS)
    for _ in range(6):
        processes = [mj.start("resume", "--json") for _ in range(1 if random.random() < 0.6 else 2)]
        for process in processes:
            _out, err = process.communicate(timeout=RUN_SECONDS)
            assert b"Traceback" not in err, err.decode()
        statuses = {process.returncode for process in processes}
        if statuses == {0}:
            return
        if statuses <= {0, 9}:  # only unknown jobs are left
            break
    # Jobs that stay unknown were killed while the request was sent; the service never accepted them.
    mj("resume", "--resubmit", "--yes", "--retries", 20)


def test_each_job_is_billed_once_and_has_its_file_whenever_mj_is_killed(
    mj: Mj, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    killer = Killer(mj, random)
    database = tmp_path / "sandbox.db"
    with Sandbox(database, SandboxOptions(seconds=0.6)) as sandbox:
        server = sandbox._server
        with bad_network(server.server_address[:2], random, killer.watch) as network:
            server.links_url = network.base_url  # the links lead to the bad network too
            mj.env |= {"MJ_TOKEN": "secret-token", "MJ_BASE_URL": network.base_url}
            for number in range(JOBS):
                killer.start(f"image {number} of seed {seed}")
            killer.wait()
            resume_all(mj, random)
    found = [row for row in rows(mj) if "resubmitted" not in (row["error"] or "")]
    assert [row["state"] for row in found] == ["done"] * len(found)
    assert accepted(database) == sorted(row["subject"] for row in found)
    files = [Path(file) for row in found for file in json.loads(row["files"])]
    assert len(set(files)) == len(found)
    assert all(is_whole(file) for file in files)
    assert sorted(mj.cwd.iterdir()) == sorted(files)

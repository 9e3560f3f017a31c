"""As test_proof, for the other ways to start a job and to wait for it, each killed at a random moment:
`--listen`, `--permute`, a stream that goes silent, two `mj` at once with one key, and `mj resume` itself.

`--seeds N` sets the number of random cases.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from mjcli.media.formats import is_whole
from mjcli.sandbox import Sandbox, SandboxOptions
from tests.cli.test_proof import MOMENTS, RUN_SECONDS, accepted, rows
from tests.support import pauses
from tests.support.chaos import SILENT_FAULTS, Moment, bad_network
from tests.support.program import Mj

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")]

RESUMES = 3  # runs of `mj resume` that are killed at most


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each seed."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))


class Way(NamedTuple):
    """One command: its arguments, and the prompts that it sends; `processes` run it at the same time."""

    arguments: tuple[str, ...]
    prompts: tuple[str, ...]
    processes: int = 1


def ways(seed: int) -> list[Way]:
    """Each way to start a job."""

    def name(what: str) -> str:
        return f"{what} of seed {seed}"

    colours = tuple(name(f"a {colour} house") for colour in ("red", "blue", "green"))
    return [
        Way((name("a plain cat"),), (name("a plain cat"),)),
        Way((name("a heard bell"), "--listen"), (name("a heard bell"),)),
        Way((name("a {red,blue,green} house"), "--permute", "--yes"), colours),
        Way((name("two twins"), "--key", "twins"), (name("two twins"),), processes=2),
    ]


class Killer:
    """Starts commands, and kills the processes of each at a moment of their own."""

    def __init__(self, mj: Mj, random: Random) -> None:
        self._mj, self._random = mj, random
        self._processes: list[subprocess.Popen[bytes]] = []
        self._plans: dict[str, tuple[str, list[subprocess.Popen[bytes]]]] = {}  # by prompt: moment, victims

    def start(self, way: Way) -> None:
        processes = [
            self._mj.start("imagine", *way.arguments, "--download", "--quiet", "--retries", 20)
            for _ in range(way.processes)
        ]
        self._processes += processes
        victims = processes[: self._random.randint(1, way.processes)]
        moment = self._random.choice((*MOMENTS, "silent"))
        self._plans[self._random.choice(way.prompts)] = (moment, victims)
        if moment == "at once":
            for each in victims:
                threading.Timer(self._random.uniform(0, 0.8), each.kill).start()

    def watch(self, moment: Moment) -> None:
        what = moment.what
        if moment.path.startswith("/attachments/"):
            what = "download half" if what == "half" else "download"
        elif moment.path != "/midjourney/imagine":
            return
        for prompt, (planned, victims) in list(self._plans.items()):
            mine = prompt == moment.body.get("prompt") or prompt.replace(" ", "_") in moment.path
            if mine and what == planned:
                for each in victims:
                    each.kill()

    def wait(self) -> None:
        for process in self._processes:
            process.communicate(timeout=RUN_SECONDS)
        self._plans.clear()


def kill_resumes(mj: Mj, random: Random) -> None:
    """Kill some runs of `mj resume`, also two at a time."""
    for _ in range(random.randint(0, RESUMES)):
        together = [mj.start("resume", "--quiet") for _ in range(random.randint(1, 2))]
        for process in together:
            threading.Timer(random.uniform(0.1, 1.2), process.kill).start()
        for process in together:
            process.communicate(timeout=RUN_SECONDS)


def finish_all(mj: Mj) -> None:
    """Resume until every job is done; a download may fail by chance."""
    for attempt in range(8):
        # Jobs that stay unknown were being sent when the program was killed, and were never accepted.
        again = ("--resubmit", "--yes") if attempt > 1 else ()
        together = [mj.start("resume", "--json", "--retries", 20, *again) for _ in range(1 + attempt % 2)]
        for process in together:
            _out, err = process.communicate(timeout=RUN_SECONDS)
            assert b"Traceback" not in err, err.decode()
        if all(process.returncode == 0 for process in together):
            return


def test_each_way_to_start_a_job_pays_once_and_saves_its_file(mj: Mj, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    mj.pauses = {**pauses.SHORT, "mjcli.api.client:SILENCE_SECONDS": 0.5}
    killer = Killer(mj, random)
    database = tmp_path / "sandbox.db"
    chosen = random.sample(ways(seed), 3)
    with Sandbox(database, SandboxOptions(seconds=0.6)) as sandbox:
        server = sandbox._server
        with bad_network(server.server_address[:2], random, killer.watch, SILENT_FAULTS) as network:
            server.links_url = network.base_url  # the host of the links
            mj.env |= {"MJ_TOKEN": "secret-token", "MJ_BASE_URL": network.base_url}
            for way in chosen:
                killer.start(way)
            killer.wait()
            kill_resumes(mj, random)
            finish_all(mj)
            paid = accepted(database)
            for way in chosen:  # run again, a command with a key pays for nothing
                if "--key" in way.arguments and any(row["key"] for row in rows(mj)):
                    mj("imagine", *way.arguments, "--download")
    found = [row for row in rows(mj) if "resubmitted" not in (row["error"] or "")]
    assert [row["state"] for row in found] == ["done"] * len(found)
    assert accepted(database) == paid == sorted(row["subject"] for row in found)
    files = [Path(file) for row in found for file in json.loads(row["files"])]
    assert len(set(files)) == len(found)
    assert all(is_whole(file) for file in files)
    # A process that was killed while another one saved the same file leaves a part, until the next download.
    assert sorted(each for each in mj.cwd.iterdir() if each.suffix != ".part") == sorted(files)

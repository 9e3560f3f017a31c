"""Runs of one batch that are disturbed, and what must be true of it afterwards.

What was accepted is read from the sandbox's database, what `mj` knows of it from the ledger.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from mjcli.media.formats import is_whole
from tests.support import pauses
from tests.support.chaos import BadNetwork, Moment
from tests.support.program import Mj
from tests.support.small_disk import ENTER, SmallDisk

RUN_SECONDS = 90.0  # limit for one run of the program
NAME = "prompts.txt"
STEP = ("--then", "upscale:1")

# The pauses of the engine that are not sleeps, and those after which a rate limit lets all jobs go on.
PAUSES = {
    **pauses.SHORT,
    "mjcli.jobs.poller:POLL_FIRST": 0.1,
    "mjcli.jobs.poller:POLL_LAST": 0.3,
    "mjcli.jobs.poller:PERIOD": 0.05,
    "mjcli.api.retries:FIRST_PAUSE": 0.02,
    "mjcli.api.retries:LONGEST_PAUSE": 0.2,
    "mjcli.api.retries:RETRY_AFTER_CAP": 0.3,
}

# Resets signals, which a background job has ignored, and enters the namespace of a small disk.
_START = f"""{ENTER}
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
if pid := int(sys.argv[1]):
    enter(pid)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class Disturbance(NamedTuple):
    """What happens at the `number`-th `moment` of a run: a signal for `victims` of the processes, or a full disk.

    A second signal follows at the next moment of any kind.
    """

    moment: str = "never"
    number: int = 1
    signals: tuple[int, ...] = ()
    victims: int = 1
    fills_disk: bool = False


class Ended(NamedTuple):
    """The exit status and the output of one process."""

    status: int
    out: bytes
    err: str

    @property
    def summary(self) -> dict[str, Any] | None:
        """The last object, if it is the summary of the batch."""
        lines = [json.loads(line) for line in self.out.splitlines()]
        return lines[-1] if lines and lines[-1].get("summary") else None


class Task(NamedTuple):
    """A job that the service accepted; `key` is what it was asked for."""

    id: str
    key: str
    failed: bool


class DisturbedBatch:
    """A batch whose runs are disturbed. `events` tells what happened, for a test that fails."""

    def __init__(
        self, mj: Mj, database: Path, prompts: Sequence[str], options: Sequence[str], disk: SmallDisk | None
    ) -> None:
        self.mj, self._database, self.prompts, self.disk = mj, database, prompts, disk
        self.options = list(options)
        self.events: list[str] = []
        self.posts = 0  # requests for jobs
        self._began = time.monotonic()
        self._plan = Disturbance()
        self._count = 0  # of the moments that the disturbance waits for
        self._signals: list[int] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        #: Set when a signal of the plan was sent.
        self.signalled = threading.Event()
        (mj.cwd / NAME).write_text("".join(f"{each}\n" for each in prompts))

    def note(self, text: str) -> None:
        """Add an event."""
        self.events.append(f"{time.monotonic() - self._began:7.3f} {text}")

    # -- running -----------------------------------------------------------------------------------

    def run(
        self,
        network: BadNetwork,
        *more: str,
        processes: int = 1,
        plan: Disturbance = Disturbance(),  # noqa: B008
        killed_after: float | None = None,
    ) -> list[Ended]:
        """Run the batch, disturbed as planned; `killed_after` is in seconds, for a kill at no known moment."""
        words = ["batch", NAME, "-o", "out", "--json", *self.options, *more]
        self.note(f"RUN {words} × {processes}, {plan}, killed after {killed_after}")
        self._plan, self._count, self._signals = plan, 0, list(plan.signals)
        with contextlib.ExitStack() as stack:
            self._processes = [self._start(words) for _ in range(processes)]
            for each in self._processes:
                stack.callback(_end, each)
            if killed_after is not None:
                threading.Timer(killed_after, self._processes[0].kill).start()
            ended = [self._wait(each) for each in self._processes]
        self._plan, self._processes = Disturbance(), []
        network.settle(RUN_SECONDS)
        if self.disk is not None:
            self.disk.free()
        self.check_payments()
        return ended

    def signal(self, number: int, victims: int = 1) -> None:
        """Send a signal to processes of this run."""
        for each in self._processes[:victims]:
            each.send_signal(number)

    def _start(self, words: list[str]) -> subprocess.Popen[bytes]:
        command = self.mj.command(*words)
        pid = self.disk.pid if self.disk is not None else 0
        return subprocess.Popen(
            [sys.executable, "-c", _START, str(pid), *command[1:]],
            # A signal during an import leaves files open, which these warnings would report.
            env=self.mj.environment({"PYTHONWARNINGS": None}),
            cwd=self.mj.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> Ended:
        try:
            out, err = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            out, err = process.communicate()
            self.note(f"HUNG {out.decode()}\n{err.decode()}")
            raise
        self.note(f"EXIT {process.returncode}\n{err.decode()}")
        ended = Ended(process.returncode, out, err.decode())
        assert "Traceback" not in ended.err
        if ended.status in (0, 7, 8, 9, 10):
            assert ended.summary is not None
            assert ended.summary["exit_status"] == ended.status
        return ended

    def watch(self, moment: Moment) -> None:
        """Disturb the run if this is the moment; called in a thread of the network."""
        what = _kind(moment)
        with self._lock:
            if moment.fault or what in ("requested", "answered"):
                self.note(f"{moment.what} {moment.path[:60]} {_key(moment.body)} {moment.fault}")
            self.posts += what == "requested"
            plan = self._plan
            first = len(self._signals) == len(plan.signals)
            if first:
                if what != plan.moment:
                    return
                self._count += 1
                if self._count < plan.number:
                    return
            if plan.fills_disk and self.disk is not None and self._count == plan.number:
                self.note("FILL")
                self.disk.fill()
                self._count += 1
            if self._signals:
                number = self._signals.pop(0)
                self.note(f"SIGNAL {number}")
                self.signal(number, plan.victims)
                self.signalled.set()

    # -- what is known -----------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """The jobs in the ledger, those whose place another one took included."""
        query = "SELECT * FROM jobs ORDER BY number"
        try:
            if self.disk is None:
                return _read(self.mj.home / "data" / "ledger.db", query)
            with tempfile.TemporaryDirectory() as copy:  # SQLite would follow the link to the other namespace
                for path in self.disk.path.glob("ledger.db*"):
                    shutil.copy(path, copy)
                return _read(Path(copy) / "ledger.db", query)
        except sqlite3.OperationalError:  # no run has come so far as to create it
            return []

    def states(self) -> list[str]:
        """The states of the jobs in the ledger."""
        return [row["state"] for row in self.rows()]

    @property
    def unknown(self) -> int:
        """How many jobs are unknown."""
        return self.states().count("unknown")

    def tasks(self) -> list[Task]:
        """What the service accepted."""
        found = _read(self._database, "SELECT id, request, error FROM jobs ORDER BY created_at")
        return [Task(row["id"], _key(json.loads(row["request"])), row["error"] != "{}") for row in found]

    @property
    def wanted(self) -> int:
        """How many jobs the batch has."""
        return len(self.prompts) * (2 if STEP[0] in self.options else 1)

    def expected_status(self) -> int:
        """The exit status of a run that was not disturbed, by the state of its jobs after it."""
        rows = [row for row in self.rows() if row["item"]]
        states = {row["state"] for row in rows}
        if states & {"unknown", "submitting"}:
            return 9
        if "failed" in states:
            return 10
        if not all(_has_files(row) for row in rows if row["state"] == "done"):
            return 8
        if "running" in states:
            return 7
        assert len(rows) == self.wanted
        return 0

    # -- what must be true -------------------------------------------------------------------------

    def check_payments(self) -> None:
        """Check that no line was sent again after it may have been accepted."""
        if "--retry-unknown" in self.options:
            return
        lines = Counter(self.prompts)
        accepted = Counter(each.key for each in self.tasks())
        succeeded = Counter(each.key for each in self.tasks() if not each.failed)
        limited = succeeded if "--retry-failed" in self.options else accepted
        assert {key: n for key, n in limited.items() if n > lines.get(key, 1)} == {}

    def check_end(self) -> None:
        """Check the batch after its last run: each job is done once and has its file, or is unknown for a reason."""
        rows = self.rows()
        by_id = {each.id: each for each in self.tasks()}
        done = [row for row in rows if row["state"] == "done"]
        assert all(row["item"] for row in done)
        assert len({row["task_id"] for row in done}) == len(done)
        assert all(row["task_id"] in by_id and not by_id[row["task_id"]].failed for row in done)
        owned = {row["task_id"] for row in rows}
        lost = Counter(each.key for each in by_id.values() if each.id not in owned)
        unknown = Counter(_key(json.loads(row["request"])) for row in rows if row["state"] == "unknown")
        # One task without a job would have been found; several that are equal cannot be told apart.
        if "--retry-unknown" not in self.options:
            assert {key: n for key, n in lost.items() if n == 1 or n > unknown[key]} == {}
        self._check_files(done)

    def _check_files(self, done: list[dict[str, Any]]) -> None:
        files = [Path(file) for row in done for file in json.loads(row["files"])]
        assert len(files) == len(set(files)) == len(done)
        assert all(is_whole(file) for file in files)
        # A process that was killed while another one saved the same file leaves a part.
        saved = {each for each in (self.mj.cwd / "out").glob("*") if each.suffix != ".part"}
        assert saved >= set(files)
        # Only a job whose row could not be changed any more has files that no row lists.
        assert len(saved) - len(files) <= (self.unknown if self.disk is not None else 0)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _kind(moment: Moment) -> str:
    """What a plan calls a moment: those of the requests for jobs by their own names."""
    if moment.path.startswith("/attachments/"):
        return {"half": "download half", "answered": "download"}.get(moment.what, "")
    if moment.path == "/midjourney/imagine":
        return moment.what
    return "polled" if moment.what == "answered" else ""


def _key(request: dict[str, Any]) -> str:
    """What a request asks for."""
    if "image_id" in request:
        return f"{request.get('action')} {request['image_id']}"
    return str(request.get("prompt") or "")


def _has_files(row: dict[str, Any]) -> bool:
    files = json.loads(row["files"])
    return bool(files) and not row["files_due"] and all(Path(each).exists() for each in files)


def _read(path: Path, query: str) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(path.as_uri() + "?mode=rw", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def random_disturbance(random: Random, lines: int, *, processes: int, disk: bool) -> Disturbance:
    """A disturbance that can happen in a run of so many lines and processes."""
    moment = random.choice(("requested", "answered", "answered", "polled", "download", "download half"))
    number = random.randint(1, lines)
    fills = disk and random.random() < 0.6
    signals = random.choice(
        (
            (signal.SIGKILL,),
            (signal.SIGKILL,),
            (signal.SIGTERM,),
            (signal.SIGINT,),
            (signal.SIGINT, signal.SIGINT),
            (),
        )
    )
    return Disturbance(moment, number, () if fills else signals, random.randint(1, processes), fills)

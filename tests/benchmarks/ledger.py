"""Commands with 10 and with 100,000 jobs in the ledger: `python -m tests.benchmarks.ledger`.

Both take turns in each round, and the budget applies to the ratio of the medians. The second table is what a job and
a reference cost in the ledger alone, without the time to flush.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from uuid import uuid4

from mjcli.jobs.budget import Limits
from mjcli.jobs.ledger import Ledger
from tests.benchmarks.startup import ROOT, FirstByte, installed_mj

BUDGET = 1.2  # x the time with few jobs
FEW = 10
INTERVAL = 10.0  # seconds between two jobs
COMMANDS = {
    "history": ["history", "-n", "10"],
    "open @last": ["open", "@last", "--print"],
    "open ID": ["open", "abc00003", "--print"],
    "imagine": ["imagine", "x"],
}
LIMITS = Limits(per_day=1e9)


def fill(path: Path, count: int, host: str) -> None:
    """Create a ledger with this many jobs that are done and saved."""
    Ledger.open(path, notice=lambda _: None).close()
    start = time.time() - count * INTERVAL
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO jobs (uuid, profile, host, kind, path, request, state, created_at, changed_at, sent_at,"
            " accepted_at, ended_at, task_id, image_id, trace_id, result, files, files_sha256, subject, estimate,"
            " batch, item) VALUES (?1, 'default', ?2, 'imagine', '/midjourney/imagine', ?3, 'done', ?4, ?4, ?4,"
            " ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0.025, ?12, ?7)",
            (_row(number, host, start + number * INTERVAL) for number in range(count)),
        )
    connection.close()


def _row(number: int, host: str, moment: float) -> tuple[object, ...]:
    task, image, words = (
        f"{0xABC00000 + number:08x}-0000-4000-8000-000000000000",
        f"{number:019}",
        f"a cat with {number} tails",
    )
    result = {
        "task_id": task,
        "image_id": image,
        "raw_image_url": f"{host}/{task}.png",
        "progress": 100,
        "actions": ["upscale1", "variation1"],
        "success": True,
    }
    return (
        str(uuid4()),
        host,
        json.dumps({"action": "generate", "prompt": words}),
        moment,
        task,
        image,
        f"trace-{number}",
        json.dumps(result),
        json.dumps([f"/home/cat/{image}.png"]),
        json.dumps([f"{number:064x}"]),
        words,
        f"batch-{number // 1000}",
    )


def run(command: list[str], data: Path, url: str) -> float:
    """Seconds that a command takes."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(data),
        "LC_ALL": "C.UTF-8",
        "MJ_DATA_DIR": str(data),
        "MJ_CONFIG": str(data / "config.toml"),
        "MJ_TOKEN": "t",
        "MJ_BASE_URL": url,
        "PYTHONPATH": str(ROOT),
    }
    begun = time.perf_counter()
    subprocess.run(
        [*installed_mj(), *command],
        env=env,
        cwd=data,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def calls(ledger: Ledger, host: str) -> dict[str, Callable[[], object]]:
    """What a job does, in order, and what references look up."""
    uuids: list[str] = []

    def record() -> None:
        body = {"action": "generate", "prompt": f"new {len(uuids)}"}
        found = ledger.record(
            profile="default",
            host=host,
            kind="imagine",
            path="/midjourney/imagine",
            request=body,
            files_asked={"directory": "/x", "template": "y"},
            parent_image=None,
            subject="new",
            estimate=0.025,
            limits=LIMITS,
        )
        uuids.append(found)

    def result() -> dict[str, object]:
        return {"image_id": f"image {len(uuids)}", "trace_id": f"new {len(uuids)}"}

    return {
        "record": record,
        "mark_sent": lambda: ledger.mark_sent(uuids[-1], alone=True),
        "mark_running": lambda: ledger.mark_running(uuids[-1], f"new {len(uuids)}"),
        "in_flight": lambda: ledger.in_flight(host),
        "mark_done": lambda: ledger.mark_done(uuids[-1], result(), image_id=f"image {len(uuids)}"),
        "set_files": lambda: ledger.set_files(uuids[-1], [f"/x/{len(uuids)}.png"], sha256=["ab"]),
        "@last": lambda: ledger.newest_fitting("default", "image"),
        "@last, a video": lambda: ledger.newest_fitting("default", "video"),
        "a page": lambda: list(islice(ledger.newest_first("default"), 8)),
        "start of an id": lambda: ledger.with_id_prefix("default", "zz", limit=5),
        "a file": lambda: ledger.by_file("default", "/home/cat/x.png", "0" * 64),
        "unfinished": lambda: ledger.unfinished("default"),
    }


def commands(homes: tuple[Path, Path], url: str, runs: int) -> float:
    """Print the ratio for each command; returns the largest."""
    ratios = []
    for name, command in COMMANDS.items():
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(runs + 1):
            for home, seconds in zip(homes, times, strict=True):
                took = run(command, home, url)
                if number:
                    seconds.append(took)
        few, many = map(statistics.median, times)
        ratios.append(many / few)
        print(f"{name:18}{few * 1000:9.1f}{many * 1000:9.1f} ms  {many / few:5.2f} x")
    return max(ratios)


def methods(homes: tuple[Path, Path], host: str, runs: int) -> None:
    """Print the times of the methods of the ledger."""
    ledgers = [Ledger.open(home / "ledger.db", notice=lambda _: None) for home in homes]
    both = [calls(each, host) for each in ledgers]
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in both[0]}
    for _ in range(runs):
        for index, each in enumerate(both):
            for name, call in each.items():
                begun = time.perf_counter()
                call()
                times[name][index].append(time.perf_counter() - begun)
    for name, (few, many) in times.items():
        print(f"  {name:16}{min(few) * 1000:9.2f}{min(many) * 1000:9.2f} ms at best")
    for ledger in ledgers:
        ledger.close()


def main() -> int:
    """Measure; exit status 1 if a command exceeds the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=11, help="rounds, after one warm-up round")
    options = parser.parse_args()
    url = FirstByte().url
    with tempfile.TemporaryDirectory() as directory:
        homes = (Path(directory) / "few", Path(directory) / "many")
        for home, count in zip(homes, (FEW, options.jobs), strict=True):
            home.mkdir()
            fill(home / "ledger.db", count, url)
        print(f"{'jobs':18}{FEW:9}{options.jobs:9}")
        worst = commands(homes, url, options.runs)
        methods(homes, url, options.runs)
    print(f"at most {worst:.2f} x (budget {BUDGET:g} x): {'held' if worst <= BUDGET else 'OVER'}")
    return 0 if worst <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())

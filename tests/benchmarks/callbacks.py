"""`mj listen` under load: `python -m tests.benchmarks.callbacks`.

2,000 callbacks for 2,000 jobs of the ledger arrive over 50 connections at once. Each is confirmed at a tasks
endpoint on the loopback interface and committed before the response. The report shows the time, the peak
memory of the listener (VmHWM), the number of printed events and the number of done jobs in the ledger.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from mjcli.jobs.ledger import Ledger
from tests.support.service import Service, serve, task_record

MEGABYTES = 80.0  # budget
ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run it once; exit status 1 if an event was lost or the memory budget exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=50)
    options = parser.parse_args()
    with contextlib.contextmanager(serve)() as service, tempfile.TemporaryDirectory() as home:
        return _measure(service, Path(home), options.callbacks, options.connections)


def _measure(service: Service, home: Path, count: int, connections: int) -> int:
    environment = {
        **os.environ,
        "MJ_CONFIG": str(home / "config.toml"),
        "MJ_DATA_DIR": str(home / "data"),
        "MJ_TOKEN": "t",
        "MJ_BASE_URL": service.base_url,
        "PYTHONPATH": str(ROOT),
    }
    tasks = _jobs(service, home / "data" / "ledger.db", count)
    with (home / "events").open("wb") as events:
        listener = subprocess.Popen(
            [sys.executable, "-m", "mjcli", "listen", "--json"], env=environment, stdout=events
        )
        try:
            url = _first_line(home / "events")["callback_url"]
            idle = _resident(listener.pid)
            begun = time.perf_counter()
            with ThreadPoolExecutor(connections) as pool:
                statuses = list(pool.map(lambda part: _call(url, part, service), _parts(tasks, connections)))
            seconds = time.perf_counter() - begun
            told = _events(home / "events", count)
            most = _resident(listener.pid, "VmHWM")
        finally:
            listener.terminate()
            listener.wait()
    done = _done(home / "data" / "ledger.db")
    answered = sum(status.count(200) for status in statuses)
    sys.stdout.write(
        f"{count} callbacks, {connections} connections: {seconds:.1f} s, {count / seconds:.0f} a second\n"
        f"answered with 200: {answered}; told: {told}; done in the ledger: {done}\n"
        f"memory: {idle:.0f} MB idle, {most:.0f} MB at most (budget {MEGABYTES:g})\n"
    )
    return 0 if answered == told == done == count and most < MEGABYTES else 1


def _jobs(service: Service, path: Path, count: int) -> list[str]:
    """Jobs in the ledger whose tasks have finished at the service."""
    ledger = Ledger.open(path, notice=lambda _: None)
    tasks = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(count)]
    for task_id in tasks:
        body = {"action": "generate", "prompt": "a cat"}
        identity = ledger.record(
            profile="default",
            host=service.base_url,
            kind="imagine",
            path="/midjourney/imagine",
            request=body,
            files_asked=None,
            parent_image=None,
            subject="a cat",
        )
        ledger.mark_sent(identity)
        ledger.mark_running(identity, task_id)
        service.tasks[task_id] = task_record(task_id, body, {**service.result(), "task_id": task_id})
    ledger.close()
    return tasks


def _parts(tasks: list[str], count: int) -> list[list[str]]:
    return [tasks[start::count] for start in range(count)]


def _call(url: str, tasks: list[str], service: Service) -> list[int]:
    """Send callbacks over one connection; the statuses of the responses."""
    address, statuses = urlsplit(url), []
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=120)
    with contextlib.closing(connection):
        for task_id in tasks:
            connection.request(
                "POST", address.path, json.dumps({**service.result(), "task_id": task_id}).encode()
            )
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    return statuses


def _first_line(path: Path) -> dict[str, str]:
    while True:
        line, end, _ = path.read_text().partition("\n")
        if end:
            found: dict[str, str] = json.loads(line)
            return found
        time.sleep(0.02)


def _events(path: Path, count: int) -> int:
    """The number of distinct tasks in the events, once it stops growing."""
    told, quiet_since = -1, time.monotonic()
    while time.monotonic() - quiet_since < 5:
        lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
        found = len({line["task_id"] for line in lines})
        if found == count:
            return found
        if found > told:
            told, quiet_since = found, time.monotonic()
        time.sleep(0.1)
    return told


def _done(path: Path) -> int:
    ledger = Ledger.open(path, notice=lambda _: None)
    count = sum(job.state == "done" for job in ledger.newest_first("default"))
    ledger.close()
    return count


def _resident(pid: int, name: str = "VmRSS") -> float:
    """Megabytes of memory that a process uses, or, for `VmHWM`, used at peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())

"""Many jobs at the same time: `python -m tests.benchmarks.many_jobs`.

`mj batch` runs them against a service on the loopback interface, in a process of its own. The report shows the time
as a ratio to the ideal (no place is ever empty), start-up included, the peak memory, and the CPU time of each job.
Two kinds: short jobs that stream, and long ones that are submitted without waiting and followed together.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.startup import ROOT, installed_mj


class Load(NamedTuple):
    """Jobs of one kind, and the budgets: a ratio to the ideal, megabytes, and milliseconds of CPU for each job."""

    name: str
    jobs: int
    seconds: float
    in_flight: int
    ratio: float
    megabytes: float
    cpu: float = math.inf

    @property
    def ideal(self) -> float:
        return math.ceil(self.jobs / self.in_flight) * self.seconds


# -- the service -----------------------------------------------------------------------------------


class Tasks:
    """A service whose jobs all take the same time. It prints its port."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._tasks: dict[str, tuple[float, dict[str, Any]]] = {}

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                if head.split()[1].endswith("/tasks"):
                    _answer(writer, self._records(body))
                else:
                    await self._submit(writer, body)
                await writer.drain()
        writer.close()

    async def _submit(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        task = f"{len(self._tasks):08d}-0000-4000-8000-000000000000"
        self._tasks[task] = (time.time(), body)
        if body.get("async"):
            _answer(writer, {"task_id": task})
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        _chunk(writer, {"task_id": task, "image_id": task, "progress": 10, "actions": []})
        await writer.drain()
        await asyncio.sleep(self._seconds)
        _chunk(writer, _result(task))
        writer.write(b"0\r\n\r\n")

    def _records(self, query: dict[str, Any]) -> dict[str, Any]:
        names = [query["id"]] if query["action"] == "retrieve" else query.get("ids") or []
        items = [self._record(each) for each in names if each in self._tasks]
        return {"items": items, "count": len(items)}

    def _record(self, task: str) -> dict[str, Any]:
        begun, body = self._tasks[task]
        record = {"id": task, "type": "imagine", "request": body, "created_at": begun}
        if time.time() >= begun + self._seconds:
            record |= {"response": _result(task), "finished_at": begun + self._seconds}
        return record


def _result(task: str) -> dict[str, Any]:
    return {
        "task_id": task,
        "image_id": f"image-{task}",
        "raw_image_url": f"http://127.0.0.1/{task}.png",
        "progress": 100,
        "actions": ["upscale1"],
        "success": True,
    }


def _answer(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    data = json.dumps(document).encode()
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data) + data
    )


def _chunk(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    line = json.dumps(document).encode() + b"\r\n"
    writer.write(b"%x\r\n%s\r\n" % (len(line), line))


# -- measuring -------------------------------------------------------------------------------------


@contextlib.contextmanager
def _service(seconds: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.many_jobs", "--serve", str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def _run(url: str, load: Load, *, stream: bool) -> tuple[float, float, float]:
    """Run `mj batch`; returns seconds, CPU seconds, and megabytes at most."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        (home / "cats.txt").write_text("".join(f"cat {number}\n" for number in range(load.jobs)))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": directory,
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "MJ_DATA_DIR": str(home / "data"),
            "MJ_CONFIG": str(home / "config.toml"),
            "MJ_TOKEN": "t",
            "MJ_BASE_URL": url,
        }
        size = ["--jobs", str(load.in_flight), "--rate", "1000"]
        how = ["--no-download", "--yes", "--quiet", *(["--stream"] if stream else [])]
        command = [*installed_mj(), "batch", "cats.txt", *size, *how]
        with (home / "out").open("w") as out:
            begun = time.perf_counter()
            process = subprocess.Popen(command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=out)
            _, status, used = os.wait4(process.pid, 0)
            took = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"exit status {process.returncode}"
        done = len((home / "out").read_text().splitlines())
        assert done == load.jobs, f"{done} of {load.jobs} jobs were done"
    peak = used.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    return took, used.ru_utime + used.ru_stime, peak


def measure(load: Load, *, stream: bool) -> bool:
    """Run a load once and print what it took; returns whether the budgets were held."""
    with _service(load.seconds) as url:
        took, cpu, peak = _run(url, load, stream=stream)
    ratio, each = took / load.ideal, cpu / load.jobs * 1000
    held = ratio <= load.ratio and peak <= load.megabytes and each <= load.cpu
    print(
        f"{load.jobs} {load.name} jobs of {load.seconds:g} s, {load.in_flight} in flight: {took:.1f} s,"
        f" {ratio:.3f} x the ideal, {peak:.0f} MB, {each:.1f} ms of CPU for each\n"
        f"  budget {load.ratio:g} x, {load.megabytes:g} MB, {load.cpu:g} ms: {'held' if held else 'OVER'}"
    )
    return held


def main() -> int:
    """Measure both kinds; exit status 1 if a budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streamed", type=int, default=1000, help="number of short jobs; 0: none")
    parser.add_argument("--streamed-seconds", type=float, default=0.5)
    parser.add_argument("--followed", type=int, default=320, help="number of long jobs; 0: none")
    parser.add_argument("--followed-seconds", type=float, default=30.0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(Tasks(options.serve).serve())
    else:
        short = Load("streamed", options.streamed, options.streamed_seconds, options.in_flight, 1.15, 150.0)
        long = Load(
            "followed", options.followed, options.followed_seconds, options.in_flight, 1.05, 120.0, 8.0
        )
        held = [measure(load, stream=load is short) for load in (short, long) if load.jobs]
        return 0 if all(held) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

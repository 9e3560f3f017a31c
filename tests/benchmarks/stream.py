"""Throughput and latency of `mj imagine --json --stream`: `python -m tests.benchmarks.stream`.

The throughput of many events is compared with `json.loads` of the same lines. The latency is the time from
sending an event at the server to reading its line from standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.service import Received, Reply, Service, fixture_lines, serve

ROOT = Path(__file__).parents[2]


@contextmanager
def streaming(service: Service) -> Iterator[subprocess.Popen[bytes]]:
    """Run `mj` with a stream of this service."""
    with tempfile.TemporaryDirectory() as home:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "MJ_TOKEN": "t",
            "MJ_BASE_URL": service.base_url,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "mjcli", "imagine", "x", "--json", "--stream"],
            env=env,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def lines(count: int) -> list[bytes]:
    """This many events in the format of the service, and a final one."""
    first, final = fixture_lines("stream.ndjson")[0], fixture_lines("stream.ndjson")[-1]
    return [first] * (count - 1) + [final]


def throughput(service: Service, count: int) -> tuple[float, float]:
    """Events per second through the program, from the first line to the last, and through `json.loads`."""
    events = lines(count)
    data = b"".join(line + b"\r\n" for line in events)

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for begin in range(0, len(data), 65536):
            reply.send(data[begin : begin + 65536])
        reply.end()

    service.imagine(script)
    with streaming(service) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began, seen = time.perf_counter(), 1
        while piece := process.stdout.read1(1 << 20):
            seen += piece.count(b"\n")
        took = time.perf_counter() - began
        assert process.wait() == 0
    assert seen == count, f"{seen} lines for {count} events"
    began = time.perf_counter()
    for line in events:
        json.loads(line)
    return count / took, count / (time.perf_counter() - began)


def latencies(service: Service, count: int) -> list[float]:
    """Seconds from sending an event to its line on standard output, one event at a time."""
    events = lines(count)
    sent: list[float] = []
    go_on = threading.Semaphore(1)

    def script(_request: Received, reply: Reply) -> None:
        reply.head(200, {"content-type": "application/x-ndjson"})
        for event in events:
            go_on.acquire()
            sent.append(time.perf_counter())
            reply.send(event + b"\r\n")
        reply.end()

    service.imagine(script)
    took = []
    with streaming(service) as process:
        assert process.stdout is not None
        for n in range(count):
            assert process.stdout.readline()
            took.append(time.perf_counter() - sent[n])
            time.sleep(0.001)
            go_on.release()
        process.stdout.read()
        process.wait()
    return took[1:-1]  # the first includes the ledger, the last the end of the stream


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    serving = serve()
    service = next(serving)
    try:
        ratios = []
        for _ in range(options.runs):
            through, bare = throughput(service, options.events)
            ratios.append(through / bare)
            print(f"{through:10.0f} events/s  json.loads alone {bare:10.0f}/s  {through / bare:6.1%}")
        delays = latencies(service, 500)
    finally:
        serving.close()
    best, delay = max(ratios), statistics.median(delays)
    print(f"throughput: {best:.1%} of json.loads at best (budget 50 %): {'held' if best >= 0.5 else 'OVER'}")
    print(f"latency: {delay * 1000:.2f} ms median (budget 2 ms): {'held' if delay <= 0.002 else 'OVER'}")
    return 0 if best >= 0.5 and delay <= 0.002 else 1


if __name__ == "__main__":
    sys.exit(main())

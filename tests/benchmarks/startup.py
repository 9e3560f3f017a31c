"""Start-up times as ratios to a bare interpreter: `python -m tests.benchmarks.startup`.

For a busy machine: the contenders take turns in each round, and budgets apply to the medians, so that a single
fast round decides nothing. The first byte of a request is timed by the server that receives it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULT = {
    "task_id": "t",
    "image_id": "i",
    "progress": 100,
    "raw_image_url": "http://127.0.0.1/x.png",
    "actions": ["upscale1"],
    "success": True,
}


class FirstByte:
    """A server that records when the first byte of a connection arrives, and completes every job at once."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.arrived: list[float] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                data = connection.recv(1)
                if not data:
                    continue
                self.arrived.append(time.perf_counter())
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                while len(body) < length:
                    body += connection.recv(65536)
                answer = json.dumps(RESULT).encode()
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
                    b"content-length: %d\r\n\r\n" % len(answer) + answer
                )


@dataclass
class Contender:
    """A measured command; each budget computes its limit from the times of all contenders."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    first_byte: FirstByte | None = None
    budgets: list[tuple[str, Callable[[dict[str, float]], float]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run one round in a new home directory."""
        with tempfile.TemporaryDirectory() as home:
            env = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8", **self.env}
            if self.first_byte is not None:
                self.first_byte.arrived.clear()
            began = time.perf_counter()
            subprocess.run(
                self.command,
                env=env,
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            ended = time.perf_counter()
        if self.first_byte is None:
            self.times.append(ended - began)
        else:
            self.times.append(self.first_byte.arrived[0] - began)


def installed_mj() -> list[str]:
    """The console script next to this interpreter, or its equivalent from the checkout."""
    script = Path(sys.executable).with_name("mj")
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "import sys; from mjcli.__main__ import main; sys.exit(main())"]


def contenders(server: FirstByte, midjourney: str | None) -> list[Contender]:
    mj = installed_mj()
    ours = {"PYTHONPATH": str(ROOT)} if len(mj) > 1 else {}
    at_server = {**ours, "MJ_TOKEN": "t", "MJ_BASE_URL": server.url}
    first = Contender("mj imagine x, first byte", [*mj, "imagine", "x"], at_server, server)
    bare = Contender("the same with --no-ledger", [*mj, "imagine", "x", "--no-ledger"], at_server, server)
    first.budgets.append(("15 ms more than without the ledger", lambda t: t[bare.name] + 0.015))
    four: tuple[str, Callable[[dict[str, float]], float]] = ("4 x bare", lambda t: 4 * t["python -c pass"])
    found = [
        Contender("python -c pass", [sys.executable, "-c", "pass"]),
        Contender(
            "mj --version",
            [*mj, "--version"],
            ours,
            budgets=[("1.5 x bare", lambda t: 1.5 * t["python -c pass"])],
        ),
        Contender("mj --help", [*mj, "--help"], ours, budgets=[four]),
        Contender("mj imagine --help", [*mj, "imagine", "--help"], ours, budgets=[four]),
        first,
        bare,
    ]
    if midjourney is not None:
        vendor = {"ACEDATACLOUD_API_TOKEN": "t", "ACEDATACLOUD_API_BASE_URL": server.url}
        theirs = Contender("midjourney imagine x, first byte", [midjourney, "imagine", "x"], vendor, server)
        found += [
            Contender("midjourney --version", [midjourney, "--version"]),
            Contender("midjourney --help", [midjourney, "--help"]),
            theirs,
        ]
        first.budgets.append(("0.75 x midjourney", lambda t: 0.75 * t[theirs.name]))
    gh = shutil.which("gh")
    if gh is not None:
        found += [Contender("gh --version", [gh, "--version"]), Contender("gh --help", [gh, "--help"])]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="rounds, after one warm-up round")
    parser.add_argument(
        "--midjourney", default=shutil.which("midjourney"), help="the official client's program"
    )
    options = parser.parse_args()
    taking_part = contenders(FirstByte(), options.midjourney)
    for number in range(options.runs + 1):
        for contender in taking_part:
            contender.run()
            if number == 0:
                contender.times.clear()  # the warm-up round compiles modules and fills caches
    least = {each.name: min(each.times) for each in taking_part}
    medians = {each.name: statistics.median(each.times) for each in taking_part}
    bare, median_bare = least["python -c pass"], medians["python -c pass"]
    print(f"{'':34}{'min ms':>9}{'median':>9}{'x bare':>9}{'median':>9}  budget")
    over = 0
    for each in taking_part:
        low, middle = least[each.name], medians[each.name]
        held = [middle <= within(medians) for _, within in each.budgets]
        over += held.count(False)
        verdicts = [
            f"{budget}: {'held' if ok else 'OVER'}"
            for (budget, _), ok in zip(each.budgets, held, strict=True)
        ]
        ratios = f"{low / bare:9.2f}{middle / median_bare:9.2f}"
        print(f"{each.name:34}{low * 1000:9.1f}{middle * 1000:9.1f}{ratios}  {'; '.join(verdicts)}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())

"""`mj download` of many files against `curl -Z`: `python -m tests.benchmarks.downloads`.

An nginx on the loopback interface serves the files. The programs take turns in each round, and the time that each of
them needs for one small file, its start-up, is subtracted. `mj` flushes and renames each file; curl does not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mjcli.jobs.ledger import Ledger
from tests.benchmarks.startup import ROOT, installed_mj
from tests.support.images import png

BUDGET = 1.5  # x curl's time
FILES_OF_A_JOB = 100
_NGINX = """
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; types {{ image/png png; }}
    client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
    uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
    server {{ listen 127.0.0.1:{port}; root {home}/files; }}
}}
"""


@contextlib.contextmanager
def serving(home: Path, count: int, size: int) -> Iterator[str]:
    """Serve `count` files of `size` bytes and a small one; yields the base URL."""
    files = home / "files"
    files.mkdir()
    (files / "small.png").write_bytes(png())
    for number in range(count):
        (files / f"{number}.png").write_bytes(png(size))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (home / "nginx.conf").write_text(_NGINX.format(home=home, port=port))
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with subprocess.Popen([nginx, "-p", str(home), "-c", str(home / "nginx.conf")]) as server:
        try:
            while server.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


class Contender:
    """A program that downloads all links, or the small one."""

    def __init__(self, name: str, many: list[str], one: list[str], home: Path, **env: str) -> None:
        self.name, self._commands = name, (one, many)
        self._home, self._env = home, {"PATH": os.environ["PATH"], "HOME": str(home), **env}
        self.times: list[float] = []

    def run(self, count: int) -> None:
        """Run it once for each number of files."""
        start_up, everything = (self._time(each) for each in self._commands)
        found = [each for each in (self._home / "out").iterdir() if each.stat().st_size > 0]
        assert len(found) == count, f"{self.name} saved {len(found)} of {count} files"
        self.times.append(everything - start_up)

    def _time(self, command: list[str]) -> float:
        shutil.rmtree(self._home / "out", ignore_errors=True)
        (self._home / "out").mkdir()
        shutil.rmtree(self._home / "data", ignore_errors=True)
        shutil.copytree(self._home / "before", self._home / "data")  # a ledger that lists no files
        os.sync()
        begun = time.perf_counter()
        result = subprocess.run(
            command, env=self._env, cwd=self._home, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        took = time.perf_counter() - begun
        assert result.returncode == 0, result.stderr
        return took


def curl(home: Path, url: str, count: int) -> Contender:
    commands = []
    for name, names in (("many", [f"{n}.png" for n in range(count)]), ("one", ["small.png"])):
        lines = [f'url = "{url}/{each}"\noutput = "{home}/out/{each}"\n' for each in names]
        (home / f"{name}.curl").write_text("".join(lines))
        commands.append(["curl", "-q", "-sSf", "-Z", "-K", str(home / f"{name}.curl")])
    return Contender("curl -Z", commands[0], commands[1], home)


def mj(home: Path, url: str, count: int) -> Contender:
    many = [f"{url}/{n}.png" for n in range(count)]
    jobs = {
        f"many-{start}": many[start : start + FILES_OF_A_JOB] for start in range(0, count, FILES_OF_A_JOB)
    }
    ledger = Ledger.open(home / "before" / "ledger.db", notice=lambda _: None)
    for task_id, urls in [*jobs.items(), ("one", [f"{url}/small.png"])]:
        uuid = ledger.record(
            profile="default",
            host=url,
            kind="imagine",
            path="/midjourney/imagine",
            request={"prompt": "a cat"},
            files_asked=None,
            parent_image=None,
            subject="a cat",
        )
        ledger.mark_sent(uuid)
        ledger.mark_running(uuid, task_id)
        ledger.mark_done(uuid, {"task_id": task_id, "sub_image_urls": urls}, image_id=f"image-{task_id}")
    ledger.close()
    command = [*installed_mj(), "download", "-o", f"{home}/out/"]
    return Contender(
        "mj download",
        [*command, *jobs],
        [*command, "one"],
        home,
        LC_ALL="C.UTF-8",
        PYTHONPATH=str(ROOT),
        MJ_DATA_DIR=str(home / "data"),
        MJ_CONFIG=str(home / "config.toml"),
        MJ_TOKEN="t",
        MJ_BASE_URL=url,
    )


def main() -> int:
    """Print the ratio; exit status 1 if the median is over the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--size", type=int, default=2_000_000, help="bytes of each file")
    parser.add_argument("--runs", type=int, default=5, help="rounds, after one warm-up round")
    parser.add_argument("--directory", type=Path, help="where files are written; not in memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        home = Path(directory)
        home.chmod(0o755)  # nginx, started by root, reads as another user
        with serving(home, options.files, options.size) as url:
            theirs, ours = (make(home, url, options.files) for make in (curl, mj))
            for number in range(options.runs + 1):
                theirs.run(options.files)
                ours.run(options.files)
                if number == 0:
                    theirs.times.clear()
                    ours.times.clear()
    for each in (theirs, ours):
        print(f"{each.name:12}{min(each.times):7.2f} s at best{statistics.median(each.times):7.2f} s median")
    ratio = statistics.median(a / b for a, b in zip(ours.times, theirs.times, strict=True))
    best = min(ours.times) / min(theirs.times)
    print(
        f"{options.files} files of {options.size / 1e6:g} MB: {ratio:.2f} x curl's time ({best:.2f} at best)"
    )
    print(f"budget {BUDGET:g} x: {'held' if ratio <= BUDGET else 'OVER'}")
    return 0 if ratio <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())

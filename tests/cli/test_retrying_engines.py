"""Programs that run commands again, with job keys: GNU parallel, make and a shell loop, over commands that are killed.

Each command is killed at a stage of its own, after the service has accepted its job, and then run again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import Mj
from tests.support.service import Received, Reply, Service, task_record

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")]

PROMPTS = ("a cat", "a dog", "a cow", "a fox", "an owl", "a bee")
LONGEST = 120.0  # seconds for all commands

# Runs mj in the background, so that its process id is known to the service, which kills it.
RUN = """\
#!/bin/sh
prompt=$1
{python} -m mjcli imagine "$prompt" --key "$prompt" --download --quiet &
echo $! > "$PIDS/$prompt"
wait $!
"""


class Deadly:
    """A service that kills each command once: before the first byte of the response, after the task id, or
    during the download."""

    def __init__(self, service: Service, pids: Path) -> None:
        self._service, self._pids = service, pids
        self._killed: set[str] = set()
        self._lock = threading.Lock()
        service.scripts[service.IMAGINE] = self._imagine
        for number, prompt in enumerate(PROMPTS):
            service.files[f"/files/{number}.png"] = self._file(prompt, png())

    def _kill(self, prompt: str) -> bool:
        """Kill the command of this prompt unless that was done; return whether it is dead now."""
        with self._lock:
            if prompt in self._killed:
                return False
            self._killed.add(prompt)
        os.kill(int((self._pids / prompt).read_text()), 9)
        return True

    def _imagine(self, request: Received, reply: Reply) -> None:
        prompt = request.body["prompt"]
        number = PROMPTS.index(prompt)
        task_id = f"task-{number}-{len(self._service.posts())}"
        url = f"{self._service.base_url}/files/{number}.png"
        final = self._service.result(
            task_id=task_id, image_id=f"1000{number}", image_url=url, raw_image_url=url
        )
        self._service.tasks[task_id] = task_record(task_id, request.body, final)
        if number % 3 == 0 and self._kill(prompt):
            return
        reply.head(200, {"content-type": "application/x-ndjson"})
        reply.send(b'{"task_id": "%s", "progress": 5, "actions": []}\r\n' % task_id.encode())
        if number % 3 == 1:
            while (task_id,) not in rows(self._mj, "task_id"):
                pass
            if self._kill(prompt):
                return
        reply.send(json.dumps(final).encode() + b"\r\n")
        reply.end()

    def _file(self, prompt: str, data: bytes) -> Callable[[Received, Reply], None]:
        def script(_request: Received, reply: Reply) -> None:
            if PROMPTS.index(prompt) % 3 == 2 and self._kill(prompt):
                return
            reply.whole(data, headers={"content-type": "image/png"})

        return script

    _mj: Mj


@pytest.fixture
def deadly(online: Mj, service: Service, tmp_path: Path) -> Iterator[Deadly]:
    """The program and the shell script that runs it are ready."""
    pids = tmp_path / "pids"
    pids.mkdir()
    run = tmp_path / "run"
    run.write_text(RUN.format(python=sys.executable))
    run.chmod(0o700)
    online.env |= {"PIDS": str(pids), "RUN": str(run), "SHELL": "/bin/sh"}
    found = Deadly(service, pids)
    found._mj = online
    yield found


def engine(mj: Mj, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run an engine to its end."""
    return subprocess.run(
        command, env=mj.environment(), cwd=mj.cwd, capture_output=True, text=True, timeout=LONGEST, **options
    )


def check(mj: Mj, service: Service) -> None:
    """Each prompt was sent once, and has its file."""
    assert sorted(each.body["prompt"] for each in service.posts()) == sorted(PROMPTS)
    assert sorted(rows(mj, "key, state")) == sorted((prompt, "done") for prompt in PROMPTS)
    assert len(list(mj.cwd.glob("*.png"))) == len(PROMPTS)


def test_gnu_parallel_retries_make_one_job_each(online: Mj, deadly: Deadly, service: Service) -> None:
    done = engine(
        online, "parallel", "--will-cite", "--retries", "3", "-j", "4", online.env["RUN"], ":::", *PROMPTS
    )
    assert done.returncode == 0, done.stderr
    check(online, service)
    assert (
        engine(online, "parallel", "--will-cite", "-j", "4", online.env["RUN"], ":::", *PROMPTS).returncode
        == 0
    )
    check(online, service)


def test_make_run_again_makes_one_job_each(online: Mj, deadly: Deadly, service: Service) -> None:
    targets = [f"p{number}" for number in range(len(PROMPTS))]
    lines = [f"all: {' '.join(targets)}"]
    for target, prompt in zip(targets, PROMPTS, strict=True):
        lines += [f"{target}:", f'\t$(RUN) "{prompt}"', f"\ttouch {target}"]
    (online.cwd / "Makefile").write_text("\n".join(lines) + "\n")
    statuses = [engine(online, "make", "-k", "-j4").returncode for _ in range(2)]
    assert statuses == [2, 0]
    check(online, service)


def test_a_shell_loop_until_success_makes_one_job_each(online: Mj, deadly: Deadly, service: Service) -> None:
    loop = 'for p in "$@"; do until "$RUN" "$p"; do :; done & done; wait'
    done = engine(online, "sh", "-c", loop, "sh", *PROMPTS)
    assert done.returncode == 0, done.stderr
    check(online, service)

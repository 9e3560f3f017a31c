"""Engines that run a batch in many processes, each with a shard of it: GNU parallel, and Slurm with one node."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.batches import FAST, Batch, Midjourney
from tests.support.engines import installed
from tests.support.program import Mj
from tests.support.slurm import Slurm, started_slurm

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="no such engines there")]

PROMPTS = [f"a cat {number}" for number in range(1, 13)] + ["a dog"] * 3
LONGEST = 60.0  # seconds


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with started_slurm(tmp_path_factory.mktemp("slurm")) as found:
        yield found


@pytest.fixture
def batch(online: Mj, midjourney: Midjourney) -> Batch:
    """A batch of 15 lines, the last three of which are equal, in a directory of its own."""
    online.env["SHELL"] = "/bin/sh"
    batch = Batch(online)
    batch.write(*PROMPTS)
    return batch


def command(batch: Batch, shard: str) -> str:
    """The command of one shard, for a shell."""
    return shlex.join(batch.mj.command("batch", batch.name, *FAST, "--yes", "--shard", shard))


def parallel(batch: Batch, shard: str, jobs: str) -> subprocess.CompletedProcess[str]:
    words = [installed("parallel"), "--will-cite", "-j", "2", "-N0", command(batch, shard), ":::", *jobs]
    mj = batch.mj
    return subprocess.run(
        words, env=mj.environment(), cwd=mj.cwd, capture_output=True, text=True, timeout=LONGEST
    )


def check(midjourney: Midjourney, output: str, shards: int) -> None:
    """Each line was sent once, by one of so many shards that each had some."""
    assert Counter(midjourney.jobs) == Counter(PROMPTS)
    ran = re.findall(r"Shard ([0-9]+)/([0-9]+): ([0-9]+) of ([0-9]+) lines", output)
    assert sorted(int(index) for index, *_ in ran) == list(range(1, shards + 1)), output
    assert {(count, total) for _, count, _, total in ran} == {(str(shards), str(len(PROMPTS)))}
    assert sum(int(own) for _, _, own, _ in ran) == len(PROMPTS)


def outputs(batch: Batch) -> str:
    return "".join(path.read_text() for path in sorted(batch.mj.cwd.glob("slurm-*.out")))


def script(batch: Batch, text: str) -> None:
    (batch.mj.cwd / "run.sh").write_text(f"#!/bin/sh\n{text}\n")


def test_gnu_parallel_runs_each_line_once(batch: Batch, midjourney: Midjourney) -> None:
    done = parallel(batch, "auto/3", "123")
    assert done.returncode == 0, done.stderr
    check(midjourney, done.stderr, 3)
    assert parallel(batch, "auto/3", "123").returncode == 0
    assert Counter(midjourney.jobs) == Counter(PROMPTS)  # all were done before


def test_gnu_parallel_with_more_jobs_than_shards_is_refused(batch: Batch, midjourney: Midjourney) -> None:
    done = parallel(batch, "auto/3", "1234")
    assert done.returncode == 1  # of the commands, one failed
    assert 'PARALLEL_SEQ is "4", which is none of 3 shards' in done.stderr
    assert Counter(midjourney.jobs) == Counter(PROMPTS)


@pytest.mark.parametrize(("array", "shards"), [("0-2", 3), ("3-15:4%2", 4), ("7", 1)])
def test_a_slurm_array_runs_each_line_once(
    slurm: Slurm, batch: Batch, midjourney: Midjourney, array: str, shards: int
) -> None:
    script(batch, command(batch, "auto"))
    slurm.run(
        batch.mj.cwd / "run.sh", f"--array={array}", environment=batch.mj.environment(), cwd=batch.mj.cwd
    )
    check(midjourney, outputs(batch), shards)


def test_a_slurm_array_without_equal_steps_is_refused(
    slurm: Slurm, batch: Batch, midjourney: Midjourney
) -> None:
    script(batch, f"{command(batch, 'auto')} || echo status $?")
    slurm.run(batch.mj.cwd / "run.sh", "--array=1,2,7", environment=batch.mj.environment(), cwd=batch.mj.cwd)
    assert outputs(batch).count("status 2") == 3
    assert "needs a Slurm array with equal steps" in outputs(batch)
    assert midjourney.jobs == []

"""The commands of the README's section about batches, run as they are printed, in bash."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.batches import Midjourney
from tests.support.engines import installed
from tests.support.moto import Moto, started_moto
from tests.support.pauses import SHORT
from tests.support.program import Mj
from tests.support.slurm import started_slurm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a shell"),
]

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## Many jobs from a file") : README.index("## Use it in scripts")]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
*ALONE, MACHINES = BLOCKS
SECONDS = 240.0
TILES = 12  # lines of the tests that start engines
PAUSES = {**SHORT, "mjcli.jobs.batch:RATE": 1000.0}


@pytest.fixture
def shell(online: Mj, midjourney: Midjourney, tmp_path: Path) -> Shell:
    return Shell(online, tmp_path / "bin")


@pytest.fixture
def bucket(shell: Shell, tmp_path: Path) -> Iterator[Moto]:
    """The store of the README, empty."""
    with started_moto(tmp_path) as moto:
        shell.mj.env.update(moto.environment)
        moto.bucket("my-bucket")
        yield moto


class Shell:
    """bash, in which `mj` is the program with short pauses."""

    def __init__(self, mj: Mj, directory: Path) -> None:
        self.mj = mj
        directory.mkdir()
        words = [sys.executable, "-m", "tests.support.paced", json.dumps(PAUSES)]
        (directory / "mj").write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (directory / "mj").chmod(0o755)
        mj.env["PATH"] = f"{directory}:{mj.env['PATH']}"

    def __call__(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end; a command that fails ends it."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            env=self.mj.environment(),
            cwd=self.mj.cwd,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def line(word: str) -> str:
    """The one command about several machines that has this word."""
    (found,) = [each for each in MACHINES.splitlines() if word in each and not each.startswith("#")]
    return found


def pictures(directory: Path) -> Counter[str]:
    return Counter(each.parent.name for each in directory.rglob("*.png"))


def test_every_command_on_one_machine_works(shell: Shell, midjourney: Midjourney) -> None:
    first, shop, others = ALONE
    done = shell(first)
    owl, cat = "an owl in the rain", "a cat on a table"
    assert Counter(midjourney.jobs) == Counter(
        [cat, "a dog in the snow --ar 3:2", "a fox at night, ink drawing", owl]
    )
    assert "cost: about 0.07" in done.stdout
    assert "done: 4 of 4" in done.stdout
    shell(shop)
    assert pictures(shell.mj.cwd / "shop") == {"shirts": 3}
    assert (shell.mj.cwd / "shop-report.csv").read_text().count("\n") == 4
    done = shell(others)
    assert midjourney.jobs.count(cat) == 1
    assert sum(each.startswith("upscale") for each in midjourney.jobs) == 1 + 4 * 2
    assert [json.loads(each) for each in re.findall(r"^\{.*summary.*\}$", done.stdout, re.MULTILINE)]
    assert pictures(shell.mj.cwd) == {"animals": 4 + 8, "shirts": 3, "tiles": 3}


def test_a_thousand_lines_on_three_machines(shell: Shell, midjourney: Midjourney, bucket: Moto) -> None:
    engines = MACHINES.index("# All three at once")
    done = shell(MACHINES[:engines])
    assert len(midjourney.jobs) == len(set(midjourney.jobs)) == 1000
    assert "done: 1000 of 1000" in done.stdout


def test_gnu_parallel_starts_the_three(shell: Shell, midjourney: Midjourney, bucket: Moto) -> None:
    installed("parallel")
    shell(f"seq {TILES} > tiles.txt; {line('parallel')}")
    assert Counter(midjourney.jobs) == Counter(map(str, range(1, TILES + 1)))


def test_slurm_starts_the_three(shell: Shell, midjourney: Midjourney, bucket: Moto, tmp_path: Path) -> None:
    with started_slurm(tmp_path / "slurm") as slurm:
        shell.mj.env["SLURM_CONF"] = slurm.environment["SLURM_CONF"]
        done = shell(f"seq {TILES} > tiles.txt; {line('sbatch')}")
        slurm.wait(done.stdout.split()[-1], shell.mj.cwd)
    assert Counter(midjourney.jobs) == Counter(map(str, range(1, TILES + 1)))

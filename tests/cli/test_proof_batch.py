"""As test_proof, for `mj batch`: the program is killed, its disk is full, two run at once, and the service loses
answers, refuses in storms, ignores `async` and lists tasks late.

However often that happens, running the same command again makes one job of each line, and saves its file. Where the
answer was lost and no task can be found, the line stays unknown, and is not sent again unless that is asked for.
`--seeds N` tries more cases than CI does.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from mjcli.sandbox import Sandbox, SandboxOptions
from tests.support.batch_proof import PAUSES, STEP, DisturbedBatch, random_disturbance
from tests.support.chaos import BATCH_FAULTS, BadNetwork, bad_network
from tests.support.program import Mj
from tests.support.small_disk import small_disk

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL and mounts")]

RUNS = 4  # that are disturbed, at most
LAST_RUNS = 6  # without disturbances, until nothing changes
# After the program has restored the handlers at its very end, signals kill it.
STATUSES = {0, 7, 8, 9, 10, 130, 143, -signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each seed."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))


def prompts_of(random: Random, seed: int) -> list[str]:
    """Lines of a file, some of them equal."""
    prompts = [f"image {number} of seed {seed}" for number in range(random.randint(3, 6))]
    prompts += random.sample(prompts, random.randint(0, 2))
    random.shuffle(prompts)
    return prompts


def options_of(random: Random) -> list[str]:
    """Options of the command, the same in each run."""
    options = ["--jobs", random.choice(("1", "3", "20")), "--rate", random.choice(("20", "50"))]
    options += [*STEP] if random.random() < 0.3 else []
    options += ["--stream"] if random.random() < 0.25 else []
    return options + (["--retry-failed"] if random.random() < 0.7 else [])


@contextlib.contextmanager
def disturbed(
    mj: Mj, tmp_path: Path, random: Random, seed: int
) -> Iterator[tuple[DisturbedBatch, BadNetwork]]:
    """A batch before its first run, with everything that will disturb it."""
    mj.pauses = PAUSES
    database = tmp_path / "sandbox.db"
    failures = random.choice((0.0, 0.0, 0.2))
    with contextlib.ExitStack() as stack:
        sandbox = stack.enter_context(
            Sandbox(database, SandboxOptions(seconds=0.5, failure_rate=failures, seed=seed))
        )
        disk = stack.enter_context(small_disk(mj.home / "data")) if random.random() < 0.3 else None
        batch = DisturbedBatch(mj, database, prompts_of(random, seed), options_of(random), disk)
        network = stack.enter_context(
            bad_network(sandbox._server.server_address[:2], random, batch.watch, BATCH_FAULTS)
        )
        network.ignores_async = random.random() < 0.2
        network.late_seconds = random.choice((0.0, 0.3))
        if random.random() < 0.3:
            network.job_faults = {**BATCH_FAULTS, "refused": 0.1}
        sandbox._server.links_url = network.base_url
        mj.env |= {"MJ_TOKEN": "secret-token", "MJ_BASE_URL": network.base_url}
        try:
            yield batch, network
        finally:  # pytest shows it for a test that fails
            print(f"seed {seed}", *batch.events, *batch.rows(), *batch.tasks(), sep="\n")


def disturb(batch: DisturbedBatch, network: BadNetwork, random: Random) -> None:
    """Run a batch a few times, disturbed."""
    for number in range(random.randint(2, RUNS)):
        if batch.disk is not None and number and random.random() < 0.4:
            run_without_space(batch, network)
            continue
        processes = random.choice((1, 1, 2))
        plan = random_disturbance(
            random, len(batch.prompts), processes=processes, disk=batch.disk is not None
        )
        kill = random.uniform(0.1, 1.2) if random.random() < 0.15 else None
        ended = batch.run(network, processes=processes, plan=plan, killed_after=kill)
        assert {each.status for each in ended} <= STATUSES | ({2} if batch.disk is not None else set())
        if processes == 1 and not plan.fills_disk and not plan.signals and kill is None:
            assert ended[0].status == batch.expected_status()


def run_without_space(batch: DisturbedBatch, network: BadNetwork) -> None:
    """Run a batch on a full disk: it sends nothing, and says why."""
    assert batch.disk is not None
    batch.note("FULL")
    batch.disk.fill()
    before = batch.posts
    (ended,) = batch.run(network)
    assert batch.posts == before
    assert ended.status in (
        0,
        2,
        8,
        9,
        10,
    )  # 0 if all was done before, 9 or 10 if something is unknown or failed
    assert ended.status != 2 or "No space left on the device" in ended.err


def finish(batch: DisturbedBatch, network: BadNetwork, *options: str) -> int:
    """Run a batch undisturbed until nothing changes; return the exit status."""
    for _ in range(LAST_RUNS):
        before = batch.posts, batch.states()
        (ended,) = batch.run(network, *options)
        assert ended.status == batch.expected_status()
        if ended.status == 0 or (batch.posts, batch.states()) == before:
            return ended.status
    raise AssertionError("the batch does not end")


def test_a_line_that_stays_unknown_is_sent_again_only_when_that_is_asked_for(
    mj: Mj, tmp_path: Path, seed: int
) -> None:
    random = Random(-1 - seed)
    with disturbed(mj, tmp_path, random, seed) as (batch, network):
        network.job_faults = {"lost request": 0.3, "gateway alone": 0.3, "lost": 0.2}
        batch.run(network, plan=random_disturbance(random, len(batch.prompts), processes=1, disk=False))
        network.calm()
        status = finish(batch, network)
        batch.check_end()
        batch.options.append("--retry-unknown")
        status = finish(batch, network)
        assert status == 0 or (status == 10 and "--retry-failed" not in batch.options)
        batch.check_end()
        assert batch.unknown == 0


def test_however_a_batch_is_disturbed_each_line_is_paid_once_and_has_its_file(
    mj: Mj, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    with disturbed(mj, tmp_path, random, seed) as (batch, network):
        disturb(batch, network, random)
        network.calm()
        status = finish(batch, network)
        assert status in ({0, 9} if "--retry-failed" in batch.options else {0, 9, 10})
        batch.check_end()
        sent = batch.posts
        (again,) = batch.run(network)
        assert (again.status, batch.posts) == (status, sent)

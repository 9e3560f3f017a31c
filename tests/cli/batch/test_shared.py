"""Several machines share a batch: processes with data directories of their own, and one S3 over real HTTP."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from mjcli.cli.batch.lines import read_lines
from mjcli.cli.batch.shard import parse_shard
from mjcli.media.store import ObjectStore
from tests.support import pauses
from tests.support.batches import FAST, Batch, Midjourney
from tests.support.moto import Moto, started_moto
from tests.support.program import Mj, Result
from tests.support.service import Received, Reply, Script, Service

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")]

LINES = [f"a cat {number}" for number in range(9)]
SHARDS = ("1/3", "2/3", "3/3")
LONGEST = 60.0  # seconds
#: Claims that grow old in seconds; the service's clock is read to the second.
PAUSES = {
    **pauses.SHORT,
    "mjcli.jobs.claims:SEND_SECONDS": 1.0,
    "mjcli.jobs.claims:WAIT_SECONDS": 6.0,
}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with started_moto(tmp_path_factory.mktemp("moto")) as found:
        yield found


class Machines:
    """Runs of one batch on machines that share a store."""

    def __init__(self, mj: Mj, moto: Moto, midjourney: Midjourney, bucket: str) -> None:
        self.mj, self.midjourney = mj, midjourney
        self.store = f"{moto.bucket(bucket)}/cats"
        self.batch = Batch(mj)
        self.batch.write(*LINES)
        mj.env |= moto.environment
        mj.pauses = PAUSES
        self._number = 0
        self.running: dict[str, subprocess.Popen[bytes]] = {}  # by shard

    def arguments(self, *options: object) -> list[object]:
        return ["batch", self.batch.name, *FAST, "--yes", "-o", self.store, *options]

    def start(self, shard: str, *options: object) -> subprocess.Popen[bytes]:
        """Start a shard on a machine with an empty ledger."""
        self._number += 1
        data = self.mj.home / f"data-{self._number}"
        arguments = self.arguments("--shard", shard, *options)
        self.running[shard] = self.mj.start(*arguments, env={"MJ_DATA_DIR": str(data)})
        return self.running[shard]

    def end(self, process: subprocess.Popen[bytes]) -> Result:
        out, err = process.communicate(timeout=LONGEST)
        assert b"Traceback" not in err, err.decode()
        return Result(process.returncode, out, err)

    def dies(self, prompt: str, *, accepted: bool, answered: bool) -> None:
        """Let the process that sends this prompt be killed, once, before or after the response."""

        def script(request: Received, reply: Reply) -> None:
            task_id = self.midjourney.accept(request) if accepted else None
            if answered:
                reply.json({"task_id": task_id})
            for process in self.running.values():
                if prompt in self._lines_of(process):
                    process.kill()

        scripts: list[Script] = [script]
        self.midjourney.faults[prompt] = scripts

    def _lines_of(self, process: subprocess.Popen[bytes]) -> set[str]:
        (shard,) = [shard for shard, each in self.running.items() if each is process]
        return shard_lines(shard)

    @property
    def status(self) -> dict[str, int]:
        """The counts of the whole batch."""
        document = self.mj(*self.arguments("--status", "--json")).answer
        return {name: document[name] for name in ("done", "unknown", "running", "left")}

    @property
    def files(self) -> set[str]:
        names = ObjectStore(self.store).list("")
        return {name for name in names if not name.startswith(".mj/")}


def shard_lines(shard: str) -> set[str]:
    """The prompts of a shard."""
    lines = read_lines("\n".join(LINES).encode(), "prompts.txt", digest=lambda _: None)
    return {line.words for line in lines if parse_shard(shard, {}).holds(line.base)}


@pytest.fixture
def machines(
    online: Mj, service: Service, moto: Moto, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Machines:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    bucket = request.node.name.replace("_", "-")[-60:].strip("-")
    return Machines(online, moto, Midjourney(service), bucket)


def test_three_shards_make_all_images(machines: Machines) -> None:
    ended = [machines.end(each) for each in [machines.start(shard) for shard in SHARDS]]
    assert [each.status for each in ended] == [0, 0, 0]
    assert Counter(machines.midjourney.jobs) == Counter(LINES)
    assert len(machines.files) == len(LINES)
    assert machines.status == {"done": len(LINES), "unknown": 0, "running": 0, "left": 0}


def test_no_line_is_sent_twice_when_shards_are_killed_and_replaced(machines: Machines) -> None:
    lines = [sorted(shard_lines(shard)) for shard in SHARDS]
    machines.dies(lines[0][0], accepted=True, answered=False)
    machines.dies(lines[1][0], accepted=True, answered=True)
    ended = [machines.end(each) for each in [machines.start(shard) for shard in SHARDS]]
    assert [each.status for each in ended] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    again = [machines.end(each) for each in [machines.start(shard) for shard in SHARDS[:2]]]
    accepted = Counter(machines.midjourney.jobs)
    assert max(accepted.values()) == 1
    # A process may also have been killed between a claim and its request.
    unknown = [set(group) - set(accepted) for group in lines[:2]]
    assert [each.status for each in again] == [9 if group else 0 for group in unknown], again
    assert len(machines.files) == len(accepted)
    assert machines.status == {
        "done": len(accepted),
        "unknown": len(unknown[0] | unknown[1]),
        "running": 0,
        "left": 0,
    }


def test_a_line_that_cannot_be_decided_is_sent_only_on_request(machines: Machines) -> None:
    prompt = min(shard_lines("1/3"))
    machines.dies(prompt, accepted=False, answered=False)
    assert machines.end(machines.start("1/3")).status == -signal.SIGKILL
    assert machines.end(machines.start("1/3")).status == 9
    assert prompt not in machines.midjourney.jobs
    assert machines.end(machines.start("1/3")).status == 9
    assert machines.end(machines.start("1/3", "--retry-unknown")).status == 0
    assert Counter(machines.midjourney.jobs) == Counter(shard_lines("1/3"))


def test_a_batch_that_is_run_three_times_at_once_is_made_once(machines: Machines) -> None:
    ended = [machines.end(each) for each in [machines.start("1/1") for _ in range(3)]]
    assert [each.status for each in ended] == [0, 0, 0], ended
    assert Counter(machines.midjourney.jobs) == Counter(LINES)
    assert len(machines.files) == len(LINES)


def test_a_machine_that_keeps_its_ledger_continues_at_once(machines: Machines) -> None:
    prompt = min(shard_lines("1/3"))
    machines.dies(prompt, accepted=True, answered=True)
    options = machines.arguments("--shard", "1/3")
    machines.running["1/3"] = machines.mj.start(*options)
    assert machines.end(machines.running["1/3"]).status == -signal.SIGKILL
    result = machines.mj(*options, check=None)
    unsent = shard_lines("1/3") - set(machines.midjourney.jobs)
    assert result.status == (9 if unsent else 0), result.err
    assert max(Counter(machines.midjourney.jobs).values()) == 1
    assert prompt in machines.midjourney.jobs


def test_the_token_is_not_in_the_store(machines: Machines) -> None:
    machines.end(machines.start("1/3"))
    store = ObjectStore(machines.store)
    assert not any(b"secret-token" in (store.get(key) or b"") for key in store.list(""))


def test_the_metadata_of_images_goes_into_the_store_too(machines: Machines) -> None:
    machines.mj(*machines.arguments("--metadata", "sidecar"))
    images = {name for name in machines.files if not name.endswith(".json")}
    assert len(images) == len(LINES)
    assert machines.files - images == {f"{name}.json" for name in images}

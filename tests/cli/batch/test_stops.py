"""A batch that is stopped, whose disk becomes full, or whose machine sleeps: what it sends, and how it goes on."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from mjcli.sandbox import Sandbox, SandboxOptions
from tests.support.batch_proof import PAUSES, Disturbance, DisturbedBatch
from tests.support.chaos import BadNetwork, bad_network
from tests.support.images import png
from tests.support.ledger import rows
from tests.support.program import SOON, Mj, running, wait_for_exit
from tests.support.service import Received, Reply, Service, task_record
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="signals and mounts")]

PROMPTS = ("a cat", "a cat", "a dog", "a bird")
SHORT_TIMEOUTS = {**PAUSES, "mjcli.api.client:SILENCE_SECONDS": 0.4, "mjcli.api.http:READ_SECONDS": 0.8}
SLEEP_SECONDS = 1.2  # longer than these


@contextlib.contextmanager
def quiet_batch(
    mj: Mj,
    tmp_path: Path,
    options: Sequence[str] = (),
    disk: SmallDisk | None = None,
    prompts: Sequence[str] = PROMPTS,
) -> Iterator[tuple[DisturbedBatch, BadNetwork]]:
    """A batch over a network without faults."""
    mj.pauses = SHORT_TIMEOUTS
    database = tmp_path / "sandbox.db"
    batch = DisturbedBatch(mj, database, prompts, ["--rate", "100", *options], disk)
    with Sandbox(database, SandboxOptions(seconds=0.4)) as sandbox:
        address = sandbox._server.server_address[:2]
        with bad_network(address, Random(0), batch.watch, {}) as network:
            network.calm()
            sandbox._server.links_url = network.base_url
            mj.env |= {"MJ_TOKEN": "secret-token", "MJ_BASE_URL": network.base_url}
            try:
                yield batch, network
            finally:
                print(*batch.events, sep="\n")


@pytest.mark.parametrize("moment", ["requested", "answered", "polled", "download half"])
@pytest.mark.parametrize("options", [(), ("--stream",)], ids=["together", "streams"])
def test_a_laptop_that_sleeps_in_the_middle_loses_nothing(
    mj: Mj, tmp_path: Path, options: tuple[str, ...], moment: str
) -> None:
    if options and moment == "polled":
        moment = "half"  # of a stream
    with quiet_batch(mj, tmp_path, options) as (batch, network):

        def sleep() -> None:
            batch.signalled.wait()
            network.drop_connections()
            time.sleep(SLEEP_SECONDS)
            batch.signal(signal.SIGCONT)

        threading.Thread(target=sleep, daemon=True).start()
        (ended,) = batch.run(network, plan=Disturbance(moment, 1, (signal.SIGSTOP,)))
        assert batch.signalled.is_set()
        assert ended.status == batch.expected_status() == 0
        assert batch.posts == len(PROMPTS)
        batch.check_end()


def test_a_disk_that_becomes_full_stops_the_batch_and_the_next_run_completes_it(
    mj: Mj, tmp_path: Path
) -> None:
    with (
        small_disk(mj.home / "data") as disk,
        quiet_batch(mj, tmp_path, disk=disk, prompts=("a cat", "a cat")) as (batch, network),
    ):
        # The second line waits for the task id of the first, which is equal to it.
        (ended,) = batch.run(network, plan=Disturbance("answered", 1, fills_disk=True))
        assert ended.status == 2
        assert "No space left on the device with the ledger" in ended.err
        assert "resume" not in ended.err
        assert ended.summary is not None
        counts = {name: ended.summary[name] for name in ("done", "failed", "left")}
        assert counts == {"done": 1, "failed": 0, "left": 1}
        assert batch.posts == 1
        (ended,) = batch.run(network)
        assert (ended.status, batch.posts) == (0, 2)
        batch.check_end()


@pytest.mark.parametrize("moment", ["answered", "polled"])
def test_ctrl_c_twice_ends_at_once_and_the_next_run_completes_it(mj: Mj, tmp_path: Path, moment: str) -> None:
    with quiet_batch(mj, tmp_path) as (batch, network):
        (ended,) = batch.run(network, plan=Disturbance(moment, 2, (signal.SIGINT, signal.SIGINT)))
        assert ended.status == 130
        _, _, last = ended.err.partition("mj: Interrupted. Jobs in flight continue")
        assert all(line.startswith("  ") for line in last.splitlines()[1:])  # what is to be typed
        (ended,) = batch.run(network)
        assert ended.status == 0
        batch.check_end()


def test_after_ctrl_c_a_job_that_was_refused_is_not_sent_again(online: Mj, service: Service) -> None:
    interrupted = threading.Event()

    def refuse(_request: Received, reply: Reply) -> None:
        interrupted.wait(SOON)
        reply.json({"error": {"code": "too_many_requests", "message": "slower"}}, 429, {"retry-after": "1"})

    def accept(request: Received, reply: Reply) -> None:
        result = service.result(task_id="t1")
        service.tasks["t1"] = task_record("t1", request.body, result)
        reply.json({"task_id": "t1"})

    service.files["/files/cat.png"] = png(5000)
    service.imagine(refuse, accept)
    (online.cwd / "prompts.txt").write_text("a cat\n")
    with running(online, "batch", "prompts.txt", "-o", "out", "--json") as process:
        assert service.arrived.wait(SOON)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"Nothing more is sent" in process.stderr.readline()
        interrupted.set()
        status, out, _err = wait_for_exit(process)
    assert status == 130
    summary = json.loads(out.splitlines()[-1])
    assert (summary["left"], summary["failed"]) == (1, 0)
    assert len(service.posts()) == 1
    assert rows(online) == [("failed", None)]  # so that mj resume does not send it
    online("batch", "prompts.txt", "-o", "out")
    assert len(service.posts()) == 2
    assert rows(online)[-1] == ("done", "t1")

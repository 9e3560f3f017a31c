"""A batch that is stopped, killed, run twice at once, or cannot print: no line is paid for twice, none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.batches import Batch, Midjourney, lose, refuse, rows
from tests.support.program import Mj, running, wait_for_exit
from tests.support.service import Received, Reply

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture
def batch(online: Mj, midjourney: Midjourney) -> Batch:
    batch = Batch(online)
    batch.write("a cat", "a dog", "a fox", "a hen")
    return batch


@contextmanager
def started(batch: Batch, *options: object) -> Iterator[subprocess.Popen[bytes]]:
    with running(batch.mj, *batch.arguments(*options)) as process:
        yield process


def read_until(process: subprocess.Popen[bytes], wanted: bytes) -> bytes:
    """Read standard error until a line contains this text; returns all that was read."""
    assert process.stderr is not None
    read = b""
    for line in process.stderr:
        read += line
        if wanted in line:
            return read
    raise AssertionError(read.decode())


# -- signals -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_ctrl_c_follows_the_jobs_in_flight(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.held = {"*"}
    with started(batch, "-o", "out/", "--jobs", 2) as process:
        midjourney.wait_for(2)
        process.send_signal(signal.SIGINT)
        said = read_until(process, b"Ctrl-C again exits.")
        assert b"Nothing more is sent. Waiting for 2 jobs in flight" in said
        midjourney.release()
        status, out, _ = wait_for_exit(process)
    assert status == 130
    assert "done: 2 of 4 jobs" in out
    assert "not sent: 2" in out
    assert "next: mj batch prompts.txt --rate 1000 -o out/ --jobs 2\n" in out
    assert sorted(midjourney.jobs) == ["a cat", "a dog"]
    assert len(list((batch.mj.cwd / "out").iterdir())) == 2
    batch("-o", "out/")
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox", "a hen"]


@pytest.mark.slow
def test_the_second_ctrl_c_ends_it_and_the_next_run_continues(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.held = {"*"}
    with started(batch, "--jobs", 2) as process:
        midjourney.wait_for(2)
        process.send_signal(signal.SIGINT)
        read_until(process, b"Ctrl-C again exits.")
        process.send_signal(signal.SIGINT)
        status, _, err = wait_for_exit(process)
    assert status == 130
    assert "billed if they succeed" in err
    assert "mj batch prompts.txt" in err
    midjourney.release()
    batch()
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox", "a hen"]


@pytest.mark.slow
def test_after_ctrl_c_a_job_that_waits_for_its_turn_is_not_sent(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    midjourney.faults["a cat"] = [refuse("too_many_requests", 429, **{"retry-after": "50"})]
    with started(batch) as process:
        read_until(process, b"rate limited")
        process.send_signal(signal.SIGINT)
        status, out, _ = wait_for_exit(process)  # far sooner than the retry
    assert status == 130
    assert "not sent: 1" in out
    assert midjourney.accepted == []
    batch()
    assert midjourney.jobs == ["a cat"]


@pytest.mark.slow
def test_sigterm_ends_it_and_the_next_run_continues(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.held = {"*"}
    with started(batch, "--jobs", 2) as process:
        midjourney.wait_for(2)
        process.send_signal(signal.SIGTERM)
        status, _, err = wait_for_exit(process)
    assert status == 143
    assert "mj batch prompts.txt" in err
    midjourney.release()
    batch()
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox", "a hen"]


@pytest.mark.slow
def test_mj_resume_follows_the_jobs_of_a_batch_that_ended(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.held = {"*"}
    with started(batch, "-o", "out/", "--jobs", 2) as process:
        midjourney.wait_for(2)
        process.send_signal(signal.SIGTERM)
        wait_for_exit(process)
    midjourney.release()
    batch.mj("resume")
    assert len(list((batch.mj.cwd / "out").iterdir())) == 2
    assert len(midjourney.accepted) == 2
    _, summary = batch.json("-o", "out/")
    assert (summary["before"], summary["done"]) == (2, 2)


# -- kill -9 -----------------------------------------------------------------------------------------


def accept_and_hold(midjourney: Midjourney, held: threading.Event) -> None:
    """Accept the second request and hold back the response, so that its task id is not known."""

    def script(request: Received, reply: Reply) -> None:
        midjourney.accept(request)
        held.set()
        midjourney.service.over.wait(60)

    midjourney.faults["a dog"] = [script]


@pytest.mark.slow
def test_killed_before_the_response_the_next_run_finds_the_job(batch: Batch, midjourney: Midjourney) -> None:
    held = threading.Event()
    accept_and_hold(midjourney, held)
    with started(batch, "-o", "out/", "--jobs", 1) as process:
        assert held.wait(15)
        process.kill()
        process.wait()
    _, summary = batch.json("-o", "out/")
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox", "a hen"]
    assert summary["done"] + summary["before"] == 4
    assert len(list((batch.mj.cwd / "out").iterdir())) == 4


@pytest.mark.slow
def test_killed_before_the_response_of_a_lost_request_the_next_run_does_not_send_it(
    batch: Batch, midjourney: Midjourney
) -> None:
    held = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        held.set()
        midjourney.service.over.wait(60)

    midjourney.faults["a dog"] = [script]
    with started(batch, "--jobs", 1) as process:
        assert held.wait(15)
        process.kill()
        process.wait()
    assert "unknown: 1 (line 2)" in batch(check=9).out
    assert "a dog" not in midjourney.jobs


@pytest.mark.slow
def test_killed_in_a_chain_the_next_run_does_the_rest_of_it(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    midjourney.held = {"upscale2 image-1"}
    chain = ("--then", "upscale:all", "--jobs", 2)
    with started(batch, *chain) as process:
        midjourney.wait_for(4)
        process.kill()
        process.wait()
    midjourney.release()
    batch(*chain)
    expected = ["a cat", *(f"upscale{n} image-1" for n in (1, 2, 3, 4))]
    assert sorted(midjourney.jobs) == expected


# -- two at once -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_runs_of_one_file_at_once_send_each_line_once(batch: Batch, midjourney: Midjourney) -> None:
    batch.write(*(f"cat {number}" for number in range(20)))
    barrier = threading.Event()

    def slow(request: Received, reply: Reply) -> None:
        barrier.wait(0.05)
        reply.json({"task_id": midjourney.accept(request)})

    midjourney.faults = dict.fromkeys((f"cat {number}" for number in range(20)), slow)
    processes = [batch.mj.start(*batch.arguments("-o", "out/", "--json")) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out + err).decode()
    assert sorted(midjourney.jobs) == sorted(f"cat {number}" for number in range(20))
    assert len(list((batch.mj.cwd / "out").iterdir())) == 20


@pytest.mark.slow
def test_equal_lines_are_not_confused_when_a_response_is_lost(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat", "a cat", "a cat")

    def accept_and_lose(request: Received, reply: Reply) -> None:
        midjourney.accept(request)
        lose(request, reply)

    midjourney.faults["a cat"] = [accept_and_lose]
    jobs, _ = batch.json("-o", "out/")
    assert len(midjourney.accepted) == 3
    assert len({job["task_id"] for job in jobs}) == 3
    assert len(list((batch.mj.cwd / "out").iterdir())) == 3


# -- standard output ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("mode", ["--json", "-q", "--no-color"])
def test_a_full_standard_output_does_not_lose_a_job(batch: Batch, midjourney: Midjourney, mode: str) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = batch.mj.start(*batch.arguments("-o", "out/", mode), stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 8
    assert err.count(b"Cannot write to standard output") == 1, err.decode()
    assert b"Traceback" not in err
    assert len(midjourney.accepted) == 4
    assert len(list((batch.mj.cwd / "out").iterdir())) == 4


@pytest.mark.slow
def test_a_closed_pipe_ends_it_and_the_next_run_continues(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.held = {"a hen"}
    reader, writer = os.pipe()
    process = batch.mj.start(*batch.arguments("-o", "out/", "--json"), stdout=writer)
    os.close(writer)
    os.close(reader)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 141, err.decode()
    assert b"Traceback" not in err
    midjourney.release()
    _, summary = batch.json("-o", "out/")
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox", "a hen"]
    assert summary["before"] + summary["done"] == 4
    assert {state for (state,) in rows(batch.mj, "state")} == {"done"}

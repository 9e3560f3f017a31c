"""A batch whose store is a directory that machines share: each has a data directory of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.batches import Batch, Midjourney
from tests.support.program import Result

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no directories that are shared so"
)


def run(batch: Batch, *options: object, machine: str = "one", check: int = 0) -> Result:
    data = batch.mj.home / machine
    return batch("-o", store(batch).as_uri(), *options, env={"MJ_DATA_DIR": str(data)}, check=check)


def store(batch: Batch) -> Path:
    return batch.mj.cwd / "store"


def pictures(batch: Batch) -> list[Path]:
    return sorted(store(batch).glob("*.png"))


@pytest.mark.slow
def test_a_picture_that_was_deleted_is_saved_again(batch: Batch, midjourney: Midjourney) -> None:
    run(batch)
    before = pictures(batch)
    before[1].unlink()
    run(batch)
    assert pictures(batch) == before
    assert len(midjourney.accepted) == 3


@pytest.mark.slow
@pytest.mark.parametrize("limit", [("--max-jobs", 4), ("--max-cost", "0.1")])
def test_limits_count_what_other_machines_have_sent(
    batch: Batch, midjourney: Midjourney, limit: tuple[str, object]
) -> None:
    run(batch)
    batch.write("a cat", "a dog", "a fox", "a hen", "a pig")
    refused = run(batch, *limit, machine="two", check=11)
    assert "3 of them before" in refused.err
    batch.write("a cat", "a dog", "a fox", "a hen")
    run(batch, *limit, machine="two")
    assert midjourney.jobs[3:] == ["a hen"]


@pytest.mark.slow
@pytest.mark.parametrize("output", [".mj/claims/", ".mj/x.png"])
def test_a_name_of_the_claims_is_refused(batch: Batch, midjourney: Midjourney, output: str) -> None:
    rows = Batch(batch.mj, "rows.csv")
    rows.write("prompt,output", f"a cat,{output}")
    assert "is reserved" in run(rows, check=2).err
    assert midjourney.service.received == []


@pytest.mark.slow
def test_a_line_that_another_machine_has_done_is_done(batch: Batch, midjourney: Midjourney) -> None:
    run(batch, "--then", "upscale:1")
    assert "done: 6 of 6 jobs" in run(batch, "--then", "upscale:1", machine="two").out
    assert len(midjourney.accepted) == 6
    assert "done: 6 of 6" in run(batch, "--then", "upscale:1", "--status", machine="three").out

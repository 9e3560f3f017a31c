"""What a batch may cost: limits that refuse it whole, count earlier runs, and hold for several runs at once."""

from __future__ import annotations

import pytest

from tests.support.batches import Batch, Midjourney, refuse, rows


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--max-jobs", 2], "--max-jobs is 2, and the batch has 3 jobs. Nothing was sent."),
        (
            ["--max-cost", "0.05"],
            "--max-cost is 0.05 USD, and the batch costs about 0.075 USD (3 jobs; list prices of",
        ),
        (["--max-jobs", 14, "--then", "upscale:all"], "--max-jobs is 14, and the batch has 15 jobs."),
        (["--max-cost", "0.13", "--then", "upscale:all"], "costs about 0.135 USD (15 jobs"),
        (["--max-jobs", 0], "--max-jobs is 0"),
    ],
)
def test_a_batch_that_would_exceed_a_limit_is_refused_whole(
    batch: Batch, midjourney: Midjourney, options: list[object], reason: str
) -> None:
    result = batch(*options, check=11)
    assert reason in result.err
    assert result.out == ""
    assert midjourney.service.received == []


@pytest.mark.parametrize("options", [["--max-jobs", 3], ["--max-cost", "0.075"]])
def test_a_limit_may_be_used_up(batch: Batch, midjourney: Midjourney, options: list[object]) -> None:
    batch(*options)
    batch(*options)
    assert len(midjourney.accepted) == 3


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--max-jobs", 4], ["--max-cost", "0.1"]])
def test_earlier_runs_count(batch: Batch, midjourney: Midjourney, options: list[object]) -> None:
    batch()
    batch.write("a cat", "a dog", "a fox", "a hen", "a pig")
    assert "3 of them before" in batch(*options, check=11).err
    batch.write("a cat", "a dog", "a fox", "a hen")
    batch(*options)
    assert midjourney.jobs[3:] == ["a hen"]


@pytest.mark.slow
def test_failed_jobs_cost_nothing(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a dog"] = [refuse("forbidden", 403)]
    batch("--max-cost", "0.075", check=10)
    batch("--max-cost", "0.075", "--retry-failed")
    assert len(midjourney.accepted) == 3


@pytest.mark.slow
def test_lines_that_are_made_anew_are_paid_for_again(batch: Batch, midjourney: Midjourney) -> None:
    chain = ["--then", "upscale:1"]
    batch(*chain)
    batch(*chain, "--again", "--max-jobs", 11, check=11)
    batch(*chain, "--again", "--max-jobs", 12, "--max-cost", "0.18")
    assert len(midjourney.accepted) == 12


def test_without_a_known_price_a_limit_on_cost_refuses(batch: Batch, midjourney: Midjourney) -> None:
    refused = batch("--mode", "turbo", "--max-cost", 100, check=11).err
    assert (
        "The price of some jobs is not known, such as turbo or HD, so --max-cost cannot be checked."
        in refused
    )
    assert "Nothing was sent." in refused
    assert "hint: --max-jobs limits the number of jobs" in refused
    assert midjourney.service.received == []
    batch("--mode", "turbo", "--max-jobs", 3)
    assert len(midjourney.accepted) == 3


def test_the_limit_of_the_day_holds_for_a_batch(batch: Batch, midjourney: Midjourney) -> None:
    batch.mj("config", "set", "defaults.max_cost_per_day", "0.07")
    assert "defaults.max_cost_per_day is 0.07 USD" in batch(check=11).err
    assert midjourney.accepted == []


@pytest.mark.parametrize(
    ("option", "value"), [("--max-cost", "nan"), ("--max-cost", "-1"), ("--max-jobs", -1)]
)
def test_a_limit_that_is_none_is_refused(
    batch: Batch, midjourney: Midjourney, option: str, value: object
) -> None:
    batch(option, value, check=2)
    assert midjourney.service.received == []


@pytest.mark.slow
def test_a_limit_holds_for_two_runs_together(batch: Batch, midjourney: Midjourney) -> None:
    """Each alone may send its lines, but both count in the name that they share."""
    other = Batch(batch.mj, "other.txt")
    other.write("a hen", "a pig", "a bat")
    midjourney.held = {"*"}
    limit = ("--name", "shared", "--max-jobs", 4, "--jobs", 1, "--json")
    processes = [each.mj.start(*each.arguments(*limit)) for each in (batch, other)]
    midjourney.wait_for(2)
    midjourney.release()
    for process in processes:
        process.communicate(timeout=30)
    assert sorted(process.returncode for process in processes) in ([0, 11], [11, 11])
    assert len(midjourney.accepted) == 4


@pytest.mark.slow
def test_a_request_that_an_earlier_run_did_not_send_counts_as_one_of_this_run(
    batch: Batch, midjourney: Midjourney
) -> None:
    limited = refuse("too_many_requests", 429, **{"retry-after": "60"})
    midjourney.faults = dict.fromkeys(("a cat", "a dog", "a fox"), limited)
    batch.mj.pauses = {}  # the pause before the retry is a real one
    process = batch.mj.start(*batch.arguments())
    while len(midjourney.service.posts()) < 3 or any(sent for (sent,) in rows(batch.mj, "sent_at")):
        midjourney.service.over.wait(0.02)
    process.kill()
    process.communicate()
    assert [state for (state,) in rows(batch.mj, "state")] == ["submitting"] * 3
    midjourney.faults = {}
    dry = batch("--dry-run")
    assert "jobs: 3 of 3 would be sent" in dry.out
    batch("--max-jobs", 2, check=11)
    assert midjourney.accepted == []
    batch("--max-jobs", 3)
    assert len(midjourney.accepted) == 3

"""What a batch makes of its earlier runs: changed lines, other directories, interrupted repetitions, the history."""

from __future__ import annotations

import contextlib
import json
import signal

import pytest

from mjcli.cli.batch.lines import read_lines
from mjcli.jobs.ledger import Ledger
from tests.support.batches import Batch, Midjourney, rows
from tests.support.program import Mj, running, wait_for_exit

CSV = "key,prompt,then\nk1,a cat,\nk2,a dog,\n"


@pytest.fixture
def keyed(online: Mj, midjourney: Midjourney) -> Batch:
    """A batch whose lines have keys, all done."""
    batch = Batch(online, "keys.csv")
    batch.path.write_text(CSV)
    batch()
    return batch


def test_a_line_that_changed_under_its_key_is_reported(keyed: Batch, midjourney: Midjourney) -> None:
    keyed.path.write_text(CSV.replace("a dog", "a lizard"))
    for options in (["--dry-run"], []):
        assert "Line 3 changed since the job with the same key was done" in keyed(*options).err
    assert len(midjourney.accepted) == 2


def test_nothing_follows_from_the_job_of_a_changed_line(keyed: Batch, midjourney: Midjourney) -> None:
    keyed.path.write_text(CSV.replace("a dog,", "a lizard,upscale:2").replace("a cat,", "a cat,upscale:1"))
    keyed()
    assert [each.partition(" ")[0] for each in midjourney.jobs[2:]] == ["upscale1"]


def test_white_space_is_no_change(keyed: Batch, midjourney: Midjourney) -> None:
    keyed.path.write_text(CSV.replace("a dog", " a   dog "))
    assert "changed" not in keyed().err


@pytest.mark.slow
def test_another_directory_gets_the_images_and_nothing_is_paid(batch: Batch, midjourney: Midjourney) -> None:
    batch("-o", "one/")
    batch("-o", "two/")
    assert len(midjourney.accepted) == 3
    assert len(list((batch.mj.cwd / "two").iterdir())) == 3
    before = len(midjourney.service.received)
    batch("-o", "two/")
    assert len(midjourney.service.received) == before


@pytest.mark.slow
def test_again_that_is_interrupted_leaves_the_rest_as_it_was(batch: Batch, midjourney: Midjourney) -> None:
    batch()
    midjourney.held = {"a cat"}
    with running(batch.mj, *batch.arguments("--again", "--jobs", 1)) as process:
        midjourney.wait_for(4)
        process.send_signal(signal.SIGTERM)
        assert wait_for_exit(process)[0] == 143
    midjourney.release()
    assert "done: 3 of 3 jobs" in batch().out
    assert sorted(midjourney.jobs[:3]) == ["a cat", "a dog", "a fox"]
    assert midjourney.jobs[3:] == ["a cat"]


@pytest.mark.slow
def test_a_limit_leaves_what_would_have_been_replaced(batch: Batch, midjourney: Midjourney) -> None:
    batch()
    batch.mj("config", "set", "defaults.max_cost_per_day", "0.08")
    batch("--again", check=11)
    assert batch("--status", "--json").answer["done"] == 3


def test_queued_lines_are_not_sent_by_resume(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    batch()
    ((host,),) = rows(batch.mj, "host")
    (line,) = read_lines(b"a dog", "prompts.txt")
    about = {"kind": "imagine", "path": "/midjourney/imagine", "files_asked": None, "parent_image": None}
    with contextlib.closing(Ledger.open(batch.mj.home / "data" / "ledger.db", notice=print)) as ledger:
        ledger.record(
            profile="default",
            host=host,
            request={"action": "generate", "prompt": "a dog"},
            subject="a dog",
            batch="prompts.txt",
            item=line.identity,
            **about,  # type: ignore[arg-type]
        )
    result = batch.mj("resume")
    assert "1 job of a batch was never sent; the same mj batch command sends" in result.err
    assert midjourney.jobs == ["a cat"]
    batch.write("a cat", "a dog")
    batch()
    assert midjourney.jobs == ["a cat", "a dog"]


@pytest.mark.slow
def test_prompts_of_the_history_are_mentioned(batch: Batch, midjourney: Midjourney) -> None:
    batch.mj("imagine", "a dog")
    result = batch()
    assert "The prompts of line 2 are in the history already, outside of this batch" in result.err
    assert "in the history already" not in batch("--again").err


def test_jobs_that_get_another_key_are_mentioned(keyed: Batch, midjourney: Midjourney) -> None:
    sent_again = "under another key or none; they are sent again and billed again."
    keyed.path.write_text(CSV.replace("k1", "k3").replace("k2", "k1"))
    notice = "Line 2 was sent before in this batch, under another key or none; it is sent again"
    assert notice in keyed("--dry-run").err  # k1 is another line now, whose job stays as it is
    keyed.path.write_text("prompt\na cat\na dog\na fox\n")
    assert f"Lines 2 and 3 were sent before in this batch, {sent_again}" in keyed("--dry-run").err
    assert f"Lines 2 and 3 were sent before in this batch, {sent_again}" in keyed().err
    assert len(midjourney.accepted) == 5
    assert "sent before" not in keyed().err


def test_one_more_of_the_same_is_not_one_with_another_key(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    batch("--then", "upscale:1")
    batch.write("a cat", "a cat")
    assert "sent before" not in batch().err


def test_equal_lines_are_mentioned(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat", "a cat", "a dog")
    for options in (["--dry-run"], []):
        assert "Line 2 repeats an earlier line; it is a job of its own." in batch(*options).err
    assert len(midjourney.accepted) == 3
    batch.write("a fox", "a fox", "a fox")
    assert "Lines 2 and 3 repeat earlier lines; each is a job of its own." in batch("--dry-run").err


@pytest.mark.parametrize("output", ["afile/x.png", "x" * 240 + "/" + "/".join(["y" * 240] * 20) + "/z.png"])
def test_an_output_that_cannot_be_written_is_refused(
    batch: Batch, midjourney: Midjourney, output: str
) -> None:
    (batch.mj.cwd / "out").mkdir()
    (batch.mj.cwd / "out" / "afile").write_text("a file")
    jsonl = Batch(batch.mj, "x.jsonl")
    jsonl.path.write_text(json.dumps({"prompt": "a cat", "output": output}) + "\n")
    assert "x.jsonl:1: " in jsonl("-o", "out/", "--dry-run", check=2).err
    assert midjourney.service.received == []


@pytest.mark.slow
def test_a_field_is_printed_of_each_job_alone(batch: Batch) -> None:
    assert sorted(batch("--field", "line").out.split()) == ["1", "2", "3"]
    assert batch("--field", "line").out == ""


def test_the_counts_say_which_files_are_missing(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.service.files = _Missing()
    _, summary = batch.json("-o", "out/", check=8)
    assert (summary["done"], summary["unsaved"]) == (3, 3)
    assert batch("--status", "--json").answer["unsaved"] == 3


class _Missing(dict[str, bytes]):
    """Files that the service does not have any more."""

    def __setitem__(self, name: str, data: bytes) -> None: ...

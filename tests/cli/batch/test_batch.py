"""`mj batch` with the real program: what is sent, what is not sent again, and what it says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.batches import Batch, Midjourney, lose, refuse, rows
from tests.support.program import files
from tests.support.service import Service

# -- formats -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_each_line_of_a_text_is_a_job_whose_image_is_saved(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat", "", "# a comment", "  a dog --ar 16:9  ", "#hashtags are words")
    result = batch("-o", "out/")
    assert sorted(midjourney.jobs) == ["#hashtags are words", "a cat", "a dog --ar 16:9"]
    assert len(list((batch.mj.cwd / "out").iterdir())) == 3
    assert "done: 3 of 3 jobs" in result.out


@pytest.mark.slow
def test_csv_has_parameters_fields_keys_and_outputs(batch: Batch, midjourney: Midjourney) -> None:
    batch.name = "prompts.csv"
    batch.write("prompt,ar,mode,key,output", '"a cat, sitting",3:2,turbo,one,cat.png', "a dog,,,two,dogs/")
    jobs, summary = batch.json("-d")
    bodies = {each.body["prompt"]: each.body for each in midjourney.accepted}
    assert set(bodies) == {"a cat, sitting --ar 3:2", "a dog"}
    assert bodies["a cat, sitting --ar 3:2"]["mode"] == "turbo"
    assert {job["key"]: job["line"] for job in jobs} == {"one": 2, "two": 3}
    assert summary["done"] == 2
    saved = files(batch.mj)
    assert "cat.png" in saved
    assert any(each.startswith("dogs/a-dog") for each in saved)


@pytest.mark.slow
def test_json_lines_have_them_too(batch: Batch, midjourney: Midjourney) -> None:
    batch.name = "prompts.jsonl"
    batch.write('{"prompt": "a cat", "ar": "3:2", "key": "k"}', '{"prompt": "a dog", "then": ["upscale:2"]}')
    jobs, _ = batch.json()
    assert sorted(job["step"] or "" for job in jobs) == ["", "", "upscale2"]
    assert sorted(midjourney.jobs)[:2] == ["a cat --ar 3:2", "a dog"]


@pytest.mark.slow
def test_standard_input_is_a_new_batch_unless_it_has_a_name(batch: Batch, midjourney: Midjourney) -> None:
    batch.name = "-"
    first = batch("--json", stdin="a cat\n")
    assert "This is a new batch" in first.err
    batch("--json", stdin="a cat\n")
    assert midjourney.jobs == ["a cat", "a cat"]
    for _ in range(2):
        batch("--json", "--name", "cats", stdin="a cat\n")
    assert midjourney.jobs == ["a cat"] * 3


@pytest.mark.slow
def test_an_image_that_is_known_is_acted_upon(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    batch()
    batch.name = "actions.csv"
    batch.write("action,image", "upscale:2,image-1", "variation3,image-1")
    batch()
    assert sorted(midjourney.jobs) == ["a cat", "upscale2 image-1", "variation3 image-1"]


# -- run again ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_run_again_it_sends_nothing(batch: Batch, midjourney: Midjourney) -> None:
    batch("-o", "out/")
    result = batch("-o", "out/")
    assert len(midjourney.accepted) == 3
    assert "3 of 3 jobs done before, the last at " in result.err
    assert "done: 3 of 3 jobs\nbefore: 3 of them, the last at " in result.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        (["a fox", "a cat", "a dog"], []),  # moved
        (["a  cat ", "# new", "", "a dog", "a fox"], []),  # white space and comments
        (["a cat", "a big dog", "a fox"], ["a big dog"]),  # edited
        (["a cat", "a dog", "a fox", "a cat"], ["a cat"]),  # one more of the same
        (["a cat"], []),  # removed
    ],
)
def test_only_lines_that_are_new_are_sent(
    batch: Batch, midjourney: Midjourney, lines: list[str], sent: list[str]
) -> None:
    batch()
    batch.write(*lines)
    batch()
    assert midjourney.jobs[3:] == sent


def test_equal_lines_are_as_many_jobs(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat", "a cat", "a cat")
    for _ in range(2):
        jobs, summary = batch.json()
    assert midjourney.jobs == ["a cat"] * 3
    assert summary["before"] == 3
    assert jobs == []


def test_a_line_with_a_key_may_change_its_words_without_being_sent_again(
    batch: Batch, midjourney: Midjourney
) -> None:
    batch.name = "prompts.csv"
    batch.write("key,prompt", "one,a cat")
    batch()
    batch.write("key,prompt", "one,a better cat")
    batch()
    assert midjourney.jobs == ["a cat"]


@pytest.mark.slow
def test_other_defaults_do_not_send_a_line_again(batch: Batch, midjourney: Midjourney) -> None:
    batch()
    batch("--mode", "turbo", "-o", "elsewhere/", "--timeout", 60, "--stream")
    assert len(midjourney.accepted) == 3


@pytest.mark.slow
def test_another_name_is_another_batch(batch: Batch, midjourney: Midjourney) -> None:
    batch()
    batch("--name", "second")
    assert len(midjourney.accepted) == 6


@pytest.mark.slow
def test_again_makes_done_lines_and_their_steps_anew(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    chain = ("--then", "upscale:1", "--then", "upscale_2x")
    batch(*chain)
    result = batch(*chain, "--again")
    assert midjourney.jobs[3:] == ["a cat", "upscale1 image-4", "upscale_2x image-5"]
    assert "done: 3 of 3 jobs" in result.out
    batch(*chain)
    assert len(midjourney.accepted) == 6


@pytest.mark.slow
def test_a_failed_line_is_sent_again_only_if_asked_to(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a dog"] = [refuse("forbidden", 403, "The prompt was refused.")]
    assert "failed: 1 (line 2): The prompt was refused. (forbidden)" in batch(check=10).out
    again = batch(check=10)
    assert len(midjourney.accepted) == 2
    assert "1 job failed before; --retry-failed retries it." in again.err
    batch("--retry-failed")
    assert midjourney.jobs[2:] == ["a dog"]


@pytest.mark.slow
@pytest.mark.parametrize(("code", "status", "exit_status"), [("used_up", 403, 5), ("invalid_token", 401, 3)])
def test_what_was_not_accepted_because_of_the_account_is_sent_without_asking(
    batch: Batch, midjourney: Midjourney, code: str, status: int, exit_status: int
) -> None:
    midjourney.faults["a dog"] = [refuse(code, status)]
    first = batch("--jobs", 1, check=exit_status)
    assert midjourney.jobs == ["a cat"]
    assert "not sent: 2" in first.out
    assert f"warning: The service refused the request; nothing is billed ({code}): no" in first.err
    batch()
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox"]


@pytest.mark.slow
def test_an_unknown_line_is_looked_up_and_sent_only_with_retry_unknown(
    batch: Batch, midjourney: Midjourney
) -> None:
    midjourney.faults["a dog"] = [lose]
    first = batch(check=9)
    assert "unknown: 1 (line 2)" in first.out
    assert "--retry-unknown resends them, and they may be billed twice" in first.out
    batch(check=9)
    assert len(midjourney.accepted) == 2
    batch("--retry-unknown")
    assert midjourney.jobs[2:] == ["a dog"]
    batch()
    assert len(midjourney.accepted) == 3


def test_a_lost_response_whose_job_exists_is_found(batch: Batch, midjourney: Midjourney) -> None:
    def accept_and_lose(request, reply) -> None:  # type: ignore[no-untyped-def]
        midjourney.accept(request)
        reply.reset()

    midjourney.faults["a dog"] = [accept_and_lose]
    batch("--retry-unknown")
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox"]


@pytest.mark.slow
def test_a_deleted_file_is_downloaded_again_and_nothing_is_paid(batch: Batch, midjourney: Midjourney) -> None:
    jobs, first = batch.json("-o", "out/")
    deleted = Path(jobs[1]["files"][0])
    deleted.unlink()
    again, summary = batch.json("-o", "out/")
    assert deleted.exists()
    assert [job["files"] for job in again] == [[str(deleted)]]
    assert len(midjourney.accepted) == 3
    assert first["cost"] == pytest.approx(0.075)
    assert summary["cost"] is None
    assert (summary["done"], summary["before"]) == (1, 2)


# -- chains ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_all_four_images_are_upscaled_and_go_where_the_first_one_goes(
    batch: Batch, midjourney: Midjourney
) -> None:
    batch.write("a cat")
    jobs, summary = batch.json("-o", "out/", "--then", "upscale:all")
    assert midjourney.jobs[0] == "a cat"
    assert sorted(midjourney.jobs[1:]) == [f"upscale{n} image-1" for n in (1, 2, 3, 4)]
    assert sorted(job["step"] or "" for job in jobs) == ["", "upscale1", "upscale2", "upscale3", "upscale4"]
    assert summary["done"] == summary["total"] == 5
    assert len(list((batch.mj.cwd / "out").iterdir())) == 5


@pytest.mark.slow
def test_two_steps_follow_each_other(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    jobs, _ = batch.json("--then", "upscale:1,3", "--then", "upscale_2x")
    assert sorted(job["step"] or "" for job in jobs) == [
        "",
        "upscale1",
        "upscale1 upscale_2x",
        "upscale3",
        "upscale3 upscale_2x",
    ]
    assert len(midjourney.accepted) == 5


@pytest.mark.slow
def test_a_step_that_is_added_later_needs_no_new_grid(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat")
    batch()
    batch("--then", "upscale:2")
    batch("--then", "upscale:2,4")
    assert midjourney.jobs == ["a cat", "upscale2 image-1", "upscale4 image-1"]


def test_a_step_that_the_result_does_not_offer_is_a_failure_of_that_line(
    batch: Batch, midjourney: Midjourney
) -> None:
    batch.write("a cat")
    jobs, summary = batch.json("--then", "upscale:1", "--then", "upscale_8x", check=10)
    assert midjourney.jobs == ["a cat", "upscale1 image-1"]
    assert (summary["done"], summary["failed"], summary["left"], summary["total"]) == (2, 1, 0, 3)
    (failed,) = [job for job in jobs if not job["success"]]
    assert failed["step"] == "upscale1 upscale_8x"
    assert 'does not offer "upscale_8x"' in failed["error"]["message"]
    assert "next:" not in batch("--then", "upscale:1", "--then", "upscale_8x", check=10).out


@pytest.mark.slow
def test_what_follows_a_failed_job_is_not_counted_as_left(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a dog"] = refuse("forbidden", 403)
    _, summary = batch.json("--then", "upscale:all", check=10)
    assert (summary["total"], summary["done"], summary["failed"], summary["left"]) == (11, 10, 1, 0)


# -- how jobs are followed ---------------------------------------------------------------------------


def test_requests_do_not_wait_and_tasks_are_queried_together(batch: Batch, midjourney: Midjourney) -> None:
    batch()
    assert all(each.body["async"] is True for each in midjourney.accepted)
    queries = midjourney.service.posts(Service.TASKS)
    assert {each.body["action"] for each in queries} == {"retrieve_batch"}


def test_a_host_that_ignores_async_answers_with_the_result(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.honours_async = False
    batch("-o", "out/")
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox"]
    assert midjourney.service.posts(Service.TASKS) == []
    assert len(list((batch.mj.cwd / "out").iterdir())) == 3


def test_stream_has_a_connection_for_each_job(batch: Batch, midjourney: Midjourney) -> None:
    batch("--stream")
    assert all("async" not in each.body for each in midjourney.accepted)
    assert all("ndjson" in each.headers["accept"] for each in midjourney.accepted)


@pytest.mark.slow
def test_no_more_jobs_are_in_flight_than_allowed(batch: Batch, midjourney: Midjourney) -> None:
    batch.write(*(f"cat {n}" for n in range(6)))
    midjourney.held = {"*"}
    process = batch.mj.start(*batch.arguments("--jobs", 2, "-q"))
    midjourney.wait_for(2)
    assert len(midjourney.accepted) == 2
    midjourney.release()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(midjourney.accepted) == 6


def test_a_rate_limit_is_waited_for(batch: Batch, midjourney: Midjourney) -> None:
    limited = refuse("too_many_requests", 429, **{"retry-after": "0"})
    midjourney.faults = {"a cat": [limited, limited], "a dog": [limited]}
    batch()
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox"]


# -- output ------------------------------------------------------------------------------------------


def test_json_is_an_object_for_each_job_and_a_summary(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a fox"] = refuse("forbidden", 403, "Refused.")
    jobs, summary = batch.json("-o", "out/", check=10)
    done = [job for job in jobs if job["success"]]
    (failed,) = [job for job in jobs if not job["success"]]
    assert {job["line"] for job in done} == {1, 2}
    assert all(job["key"] is None and job["step"] is None for job in jobs)
    assert all(len(job["files"]) == 1 for job in done)
    assert failed["line"] == 3
    assert failed["error"] == {"code": "forbidden", "message": "Refused."}
    assert failed["files"] == []
    assert summary["batch"] == "prompts.txt"
    assert summary["exit_status"] == 10
    assert summary["success"] is False
    assert summary["failures"] == [
        {"state": "failed", "code": "forbidden", "message": "Refused.", "jobs": 1, "lines": [3]}
    ]


def test_quiet_prints_the_files_and_nothing_else(batch: Batch) -> None:
    result = batch("-o", "out/", "-q")
    assert result.err == ""
    assert sorted(result.out.split()) == sorted(str(each) for each in (batch.mj.cwd / "out").iterdir())


@pytest.mark.slow
def test_a_report_gets_a_row_for_each_job_of_all_runs(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a dog"] = [refuse("forbidden", 403, "Refused.")]
    batch("-o", "out/", "--report", "report.csv", check=10)
    batch("-o", "out/", "--report", "report.csv", "--retry-failed")
    found = list(csv.DictReader((batch.mj.cwd / "report.csv").read_text().splitlines()))
    assert sorted((row["line"], row["status"]) for row in found) == [
        ("1", "done"),
        ("2", "done"),
        ("2", "failed"),
        ("3", "done"),
    ]
    assert {row["cost"] for row in found if row["status"] == "done"} == {"0.025"}
    assert all(Path(row["files"]).exists() for row in found if row["status"] == "done")


def test_a_report_may_be_json_lines(batch: Batch) -> None:
    batch("--report", "report.jsonl")
    found = [json.loads(line) for line in (batch.mj.cwd / "report.jsonl").read_text().splitlines()]
    assert sorted(row["prompt"] for row in found) == ["a cat", "a dog", "a fox"]


def test_a_report_that_is_something_else_is_not_written_over(batch: Batch, midjourney: Midjourney) -> None:
    (batch.mj.cwd / "report.csv").write_text("my,own,table\n1,2,3\n")
    batch("--report", "report.csv", check=2)
    assert (batch.mj.cwd / "report.csv").read_text() == "my,own,table\n1,2,3\n"
    assert midjourney.accepted == []


# -- exit statuses -----------------------------------------------------------------------------------


def test_one_failure_does_not_stop_the_others(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a cat"] = refuse("bad_request", 400)
    batch("--jobs", 1, check=10)
    assert midjourney.jobs == ["a dog", "a fox"]


def test_fail_fast_stops_at_the_first_failure(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a cat"] = refuse("bad_request", 400)
    _, summary = batch.json("--jobs", 1, "--fail-fast", check=10)
    assert midjourney.accepted == []
    assert (summary["failed"], summary["left"]) == (1, 2)


def test_without_a_token_nothing_is_sent(batch: Batch, midjourney: Midjourney) -> None:
    batch(check=3, env={"MJ_TOKEN": None})
    assert midjourney.service.received == []


def test_without_balance_jobs_in_flight_are_followed_and_the_rest_is_reported(
    batch: Batch, midjourney: Midjourney
) -> None:
    midjourney.faults["a dog"] = refuse("used_up", 403, "No balance.")
    jobs, summary = batch.json("--jobs", 1, check=5)
    assert [job["line"] for job in jobs] == [1]
    assert summary["left"] == 2
    assert summary["error"]["code"] == "used_up"


@pytest.mark.slow
def test_a_job_that_takes_too_long_is_left_running(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.held = {"a dog"}
    jobs, summary = batch.json("--timeout", 1, check=7)
    (late,) = [job for job in jobs if not job["success"]]
    assert late["line"] == 2
    assert late["error"]["code"] == "timeout"
    assert summary["running"] == 1
    midjourney.release()
    batch()
    assert len(midjourney.accepted) == 3


@pytest.mark.slow
def test_a_file_that_cannot_be_saved_is_reported_and_saved_by_the_next_run(
    batch: Batch, midjourney: Midjourney
) -> None:
    midjourney.held = {"a dog"}
    process = batch.mj.start(*batch.arguments("-o", "out/"))
    midjourney.wait_for(3)
    midjourney.release()
    path = next(
        f"/files/{task}.png"
        for task, record in midjourney.service.tasks.items()
        if record["request"]["prompt"] == "a dog"
    )
    image = midjourney.service.files[path]
    midjourney.service.files[path] = b"<html>not an image</html>"
    _, err = process.communicate(timeout=30)
    assert process.returncode == 8, err
    midjourney.service.files[path] = image
    batch("-o", "out/")
    assert len(list((batch.mj.cwd / "out").iterdir())) == 3
    assert len(midjourney.accepted) == 3


@pytest.mark.slow
def test_an_unknown_outcome_comes_before_a_failure(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults = {"a dog": lose, "a cat": refuse("forbidden", 403)}
    batch(check=9)


@pytest.mark.slow
def test_a_service_that_cannot_be_reached_stops_the_batch(batch: Batch) -> None:
    _, summary = batch.json("--jobs", 1, "--timeout", 1, check=10, env={"MJ_BASE_URL": "http://127.0.0.1:9"})
    assert (summary["failed"], summary["left"]) == (1, 2)


@pytest.mark.slow
def test_an_unreachable_service_costs_nothing_and_the_lines_are_sent_later(
    batch: Batch, midjourney: Midjourney
) -> None:
    batch("--jobs", 1, "--timeout", 1, check=10, env={"MJ_BASE_URL": "http://127.0.0.1:9"})
    batch()
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox"]


# -- dry run and confirmation ------------------------------------------------------------------------


def test_a_dry_run_sends_nothing_and_leaves_no_file(batch: Batch, midjourney: Midjourney) -> None:
    jobs, summary = batch.json("--dry-run", "--then", "upscale:all", "-o", "out/")
    assert midjourney.service.received == []
    assert not (batch.mj.home / "data" / "ledger.db").exists()
    assert [job["line"] for job in jobs] == [1, 2, 3]
    assert summary["jobs"] == 15
    assert summary["cost"] == pytest.approx(3 * 0.025 + 12 * 0.005)


def test_braces_are_mentioned_once_for_all_lines(batch: Batch, midjourney: Midjourney) -> None:
    batch.write("a cat", "a {red,green} bird", "a {big,small} dog")
    notice = "Braces are sent as typed; a batch takes a line for each choice. (2 lines, the first is 2)"
    assert batch("--dry-run").err.count("Braces") == batch().err.count(notice) == 1
    assert "a {red,green} bird" in midjourney.jobs
    assert "Braces" not in batch("--again", "--no-check", "--dry-run").err


def test_a_dry_run_says_what_repeat_makes_of_the_lines(batch: Batch) -> None:
    batch.name = "prompts.csv"
    batch.write("prompt,repeat", "a cat,4", "a dog,")
    assert "jobs: 2 of 2 would be sent; --repeat makes them 5\n" in batch("--dry-run").out
    _, summary = batch.json("--dry-run")
    assert (summary["requests"], summary["total"], summary["jobs"]) == (2, 2, 5)


@pytest.mark.slow
def test_a_dry_run_shows_what_is_left(batch: Batch, midjourney: Midjourney) -> None:
    batch()
    batch.write("a cat", "a dog", "a fox", "a hen")
    result = batch("--dry-run", "-o", "out/")
    assert "line 4\ta hen\tout/a-hen_{image_id}.{ext}\n" in result.out
    assert "1 of 4 would be sent" in result.out
    assert "unsaved: 3 done before, only their files are missing" in result.out
    assert "before: 3 done" in batch("--dry-run").out


@pytest.mark.slow
def test_more_than_forty_jobs_need_a_word(batch: Batch, midjourney: Midjourney) -> None:
    batch.write(*(f"cat {n}" for n in range(41)))
    refused = batch(check=2)
    assert "41 jobs" in refused.err
    assert "Nothing was sent." in refused.err
    assert "--yes" in refused.err
    assert midjourney.accepted == []
    batch("--max-jobs", 41)
    assert len(midjourney.accepted) == 41


@pytest.mark.slow
def test_forty_jobs_need_none_and_steps_count(batch: Batch, midjourney: Midjourney) -> None:
    batch.write(*(f"cat {n}" for n in range(9)))
    batch("--then", "upscale:all", check=2)
    assert midjourney.accepted == []
    batch("--then", "upscale:all", "--yes")
    assert len(midjourney.accepted) == 45


def test_the_rows_of_the_ledger_name_the_batch(batch: Batch) -> None:
    batch("--name", "my cats")
    assert {name for (name,) in rows(batch.mj, "batch")} == {"my cats"}


@pytest.mark.slow
def test_the_status_counts_the_lines_of_the_file_as_it_is_now(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a fox"] = refuse("forbidden", 403)
    batch("--then", "upscale:1", check=10)
    sent = len(midjourney.service.received)
    assert "done: 4 of 5\nfailed: 1\n" in batch("--then", "upscale:1", "--status").out
    batch.write("a cat", "a hen")
    assert batch("--status").out == "batch: prompts.txt\ndone: 1 of 2\nleft: 1\n"
    assert len(midjourney.service.received) == sent


def test_a_run_its_dry_run_and_its_status_count_alike(batch: Batch, midjourney: Midjourney) -> None:
    midjourney.faults["a fox"] = refuse("forbidden", 403)
    chain = ("--then", "upscale:1", "--then", "upscale_8x")
    _, run = batch.json(*chain, check=10)
    _, dry_run = batch.json(*chain, "--dry-run")
    status = batch(*chain, "--status", "--json").answer
    assert (run["total"], run["done"], run["failed"], run["left"]) == (7, 4, 3, 0)
    assert (dry_run["total"], dry_run["before"], dry_run["failed"], dry_run["requests"]) == (7, 4, 3, 0)
    assert (status["total"], status["done"], status["failed"], status["left"]) == (7, 4, 3, 0)
    retry = batch(*chain, "--retry-failed", "--dry-run").out
    assert (
        "jobs: 3 of 9 would be sent\nbefore: 4 done\nfailed: 2 steps are not offered by their images\n"
        in retry
    )


@pytest.mark.slow
def test_the_sandbox_runs_a_batch_of_its_own(batch: Batch, midjourney: Midjourney) -> None:
    batch.mj.pauses = {**batch.mj.pauses, "mjcli.cli.context:SANDBOX_SECONDS": 0.1}
    options = ("--sandbox", "-o", "out/", "--then", "upscale:1,2", "--then", "zoom:2")
    for done, before in ((15, 0), (0, 15)):
        _, summary = batch.json(*options)
        assert (summary["done"], summary["before"], summary["total"]) == (done, before, 15)
    assert len(list((batch.mj.cwd / "out").iterdir())) == 15
    assert midjourney.service.received == []
    batch()  # the real service has no job of it
    assert sorted(midjourney.jobs) == ["a cat", "a dog", "a fox"]

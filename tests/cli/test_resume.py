"""`mj resume`: every unfinished job is finished, its files are saved, and it is billed once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import png
from tests.support.ledger import change, rows
from tests.support.program import SOON, Mj, files, running
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Service, task_record
from tests.support.systems import posix
from tests.support.unfinished import REQUEST, finish_task, start_job

# -- nothing to do -------------------------------------------------------------------------------------


def test_without_jobs_nothing_is_resumed_and_no_ledger_is_created(mj: Mj) -> None:
    result = mj("resume")
    assert result.out == ""
    assert "Nothing to resume" in result.err
    assert not (mj.home / "data").exists()


def test_finished_jobs_are_left_alone(online: Mj, service: Service) -> None:
    finish_task(service)
    service.stream([service.result(task_id="task-1")])
    online("imagine", "a cat", "--download")
    service.answer({"error": {"code": "bad_request", "message": "no"}}, 400)
    online("imagine", "a dog", check=4)
    seen = len(service.received)
    assert "Nothing to resume" in online("resume").err
    assert len(service.received) == seen


# -- known tasks ---------------------------------------------------------------------------------------


def test_a_running_job_is_followed_and_its_file_saved_at_its_destination(
    online: Mj, service: Service
) -> None:
    start_job(online, service, "--output", "cats/{prompt}-{index}.{ext}")
    finish_task(service)
    answer = online("resume", "--json").answer
    assert answer == {
        **service.result(task_id="task-1"),
        "files": [str(online.cwd / "cats" / "a-cat-1.png")],
    }
    assert files(online) == ["cats/a-cat-1.png"]
    assert rows(online, "state, files_due") == [("done", 0)]
    assert len(service.posts()) == 1


def test_files_are_saved_only_if_the_job_or_this_command_requests_them(online: Mj, service: Service) -> None:
    start_job(online, service)
    finish_task(service)
    assert "link: " in online("resume").out
    assert files(online) == []
    assert online("resume", "@last", "--download", "-q").out.strip().endswith(".png")
    assert len(files(online)) == 1


def test_no_download_skips_requested_files(online: Mj, service: Service) -> None:
    start_job(online, service, "--download")
    finish_task(service)
    online("resume", "--no-download")
    assert files(online) == []
    online("resume")
    assert len(files(online)) == 1


@pytest.mark.slow
def test_a_running_job_is_waited_for(online: Mj, service: Service) -> None:
    start_job(online, service)
    service.tasks["task-1"] = task_record("task-1", REQUEST, None, progress=40)
    queries: list[Any] = []

    def tasks(request: Received, reply: Reply) -> None:
        queries.append(request.body)
        if len(queries) == 3:
            finish_task(service)
        reply.json(service._tasks(request.body))

    service.scripts[Service.TASKS] = tasks
    result = online("resume", "--json")
    assert result.answer["task_id"] == "task-1"
    assert "progress: 40%" in result.err


@pytest.mark.slow
def test_no_wait_finishes_what_is_ready_and_reports_the_rest(online: Mj, service: Service) -> None:
    start_job(online, service, "--download")
    start_job(online, service, task="task-2", prompt="a dog")
    finish_task(service)
    service.tasks["task-2"] = task_record("task-2", {"prompt": "a dog"}, None)
    result = online("resume", "--no-wait", "--json", check=7)
    done, still_running = result.json
    assert len(done["files"]) == 1
    assert still_running["error"]["code"] == "timeout"
    assert still_running["task_id"] == "task-2"
    assert "billed if it succeeds" in result.err
    assert "next: mj resume task-2" in result.err
    assert rows(online) == [("done", "task-1"), ("running", "task-2")]


@pytest.mark.slow
def test_the_timeout_ends_the_wait(online: Mj, service: Service) -> None:
    start_job(online, service)
    service.tasks["task-1"] = task_record("task-1", REQUEST, None)
    assert "next: mj resume task-1" in online("resume", "--timeout", "1", check=7).err
    assert rows(online) == [("running", "task-1")]


def test_a_job_that_failed_meanwhile_is_reported_as_failed(online: Mj, service: Service) -> None:
    start_job(online, service)
    error = {"success": False, "error": {"code": "forbidden", "message": "moderated"}}
    service.tasks["task-1"] = task_record("task-1", REQUEST, error)
    result = online("resume", "--json", check=4)
    assert result.answer["error"] == {"code": "forbidden", "message": "moderated"}
    assert "not billed" in result.err
    assert rows(online) == [("failed", "task-1")]
    assert "moderated" in online("resume", "@last", check=4).err
    assert online("resume").out == ""


@pytest.mark.slow
def test_a_task_that_the_service_no_longer_knows_makes_the_job_unknown(online: Mj, service: Service) -> None:
    start_job(online, service)
    change(online, "UPDATE jobs SET accepted_at = accepted_at - 3600")
    result = online("resume", "--json", check=9)
    assert result.answer["task_id"] == "task-1"
    assert "will be billed if it succeeds" in result.err
    assert rows(online) == [("unknown", "task-1")]
    finish_task(service)
    assert online("resume", "--json").answer["task_id"] == "task-1"


@pytest.mark.slow
def test_results_keep_the_order_and_a_failure_does_not_stop_the_rest(online: Mj, service: Service) -> None:
    for number in (1, 2, 3):
        start_job(online, service, prompt=f"cat {number}", task=f"task-{number}")
    finish_task(service, "task-3")
    finish_task(service, "task-1")
    error = {"error": {"code": "api_error", "message": "broke"}}
    service.tasks["task-2"] = task_record("task-2", REQUEST, error)
    result = online("resume", "--json", check=4)
    assert [each["task_id"] for each in result.json] == ["task-1", "task-2", "task-3"]
    assert [each["success"] for each in result.json] == [True, False, True]
    queries = service.posts(Service.TASKS)
    assert queries[0].body["ids"] == ["task-1", "task-2", "task-3"]
    assert len(queries) == 1


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_missing_files_are_saved_later(online: Mj, service: Service) -> None:
    names = [f"/files/{n}.png" for n in range(4)]
    links = [service.base_url + name for name in names]
    for name in names[:3]:
        service.files[name] = png()
    service.stream([service.result(task_id="task-1", sub_image_urls=links)])
    result = online("imagine", "a cat", "--download", check=8)
    assert "next: mj resume task-1" in result.err
    assert rows(online, "state, files_due") == [("done", 1)]
    seen = len(service.received)
    assert online("resume", "-q", check=8).out.count(".png") == 3
    service.files[names[3]] = png()
    assert online("resume", "-q").out.count(".png") == 4
    assert rows(online, "state, files_due") == [("done", 0)]
    assert {each.path for each in service.received[seen:]} <= {names[3], Service.TASKS}
    assert "Nothing to resume" in online("resume").err
    assert len(service.posts()) == 1


@pytest.mark.slow
@posix
def test_a_killed_download_is_repeated_and_leaves_no_partial_file(online: Mj, service: Service) -> None:
    started = threading.Event()

    def half(_request: Received, reply: Reply) -> None:
        reply.head(200, {}, length=len(png(300_000)))
        reply.send(png(300_000)[:150_000])
        started.set()
        service.over.wait(60)

    service.files["/files/cat.png"] = half
    service.stream([FIRST, service.result(task_id="task-1")])
    with running(online, "imagine", "a cat", "--download") as process:
        assert started.wait(SOON)
        process.kill()
        process.wait(SOON)
    service.files["/files/cat.png"] = png(300_000)
    (path,) = online("resume", "--json").answer["files"]
    assert Path(path).read_bytes() == png(300_000)
    assert files(online) == [Path(path).name]
    assert len(service.posts()) == 1


def test_the_force_option_of_the_job_still_applies(online: Mj, service: Service) -> None:
    (online.cwd / "cat.png").write_bytes(png(10))
    start_job(online, service, "--output", "cat.png", "--force")
    finish_task(service)
    online("resume")
    assert (online.cwd / "cat.png").read_bytes() == png()


def test_the_date_in_a_file_name_is_the_day_of_the_job(online: Mj, service: Service) -> None:
    start_job(online, service, "--output", "{date}.{ext}")
    change(online, "UPDATE jobs SET created_at = 1000000000")
    finish_task(service)
    online("resume")
    assert files(online) in (["2001-09-08.png"], ["2001-09-09.png"])


def test_the_files_of_a_resumed_action_have_their_usual_name(online: Mj, service: Service) -> None:
    service.stream([service.result(task_id="task-1", actions=["upscale1"])])
    online("imagine", "a red bird")
    service.answer({"task_id": "task-2"})
    online("action", "upscale1", "@last", "--no-wait", "--download")
    finish_task(service, "task-2", {"action": "upscale1"}, image_id="large")
    online("resume")
    assert files(online) == ["a-red-bird_large_1.png"]


def test_one_name_for_the_files_of_several_jobs_is_refused(online: Mj, service: Service) -> None:
    for task in ("task-a", "task-b"):
        start_job(online, service, task=task)
        finish_task(service, task)
    seen = len(service.received)
    assert "there are several jobs" in online("resume", "-o", "cat.png", check=2).err
    assert len(service.received) == seen
    online("resume", "task-a", "-o", "cat.png")
    assert files(online) == ["cat.png"]


# -- naming jobs ---------------------------------------------------------------------------------------


NAMES: list[tuple[str, Callable[[Mj], str]]] = [
    ("@last", lambda _mj: "@last"),
    ("@1", lambda _mj: "@1"),
    ("the whole task", lambda _mj: "task-abcdef"),
    ("the prefix of a task", lambda _mj: "task-abc"),
    ("the prefix of a uuid", lambda mj: str(rows(mj, "uuid")[-1][0])[:4]),
]


@pytest.mark.parametrize("name", [each[1] for each in NAMES], ids=[each[0] for each in NAMES])
def test_a_job_can_be_named(online: Mj, service: Service, name: Callable[[Mj], str]) -> None:
    start_job(online, service, task="another-one")
    start_job(online, service, task="task-abcdef")
    finish_task(service, "task-abcdef")
    finish_task(service, "another-one")
    assert online("resume", name(online), "--json").answer["task_id"] == "task-abcdef"
    assert rows(online)[0] == ("running", "another-one")


def test_jobs_can_come_from_standard_input(online: Mj, service: Service) -> None:
    for task in ("task-a", "task-b"):
        start_job(online, service, task=task)
        finish_task(service, task)
    answers = online("resume", "-", "--json", stdin="task-b\n\ntask-a\n").json
    assert [each["task_id"] for each in answers] == ["task-b", "task-a"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("@9", 'Profile "default" has fewer jobs than @9'),
        ("nothing-like-it", 'No job in profile "default" matches "nothing-like-it"'),
        ("task-", "matches several ids"),
        ("tas", "has at least 4 characters"),
    ],
)
def test_a_name_that_matches_no_job_is_refused(
    online: Mj, service: Service, name: str, sentence: str
) -> None:
    start_job(online, service, task="task-a")
    start_job(online, service, task="task-b")
    seen = len(service.received)
    assert sentence in online("resume", name, check=2).err
    assert len(service.received) == seen


def test_the_jobs_of_another_profile_are_mentioned_and_left_alone(mj: Mj, service: Service) -> None:
    for profile in ("default", "work"):
        mj(
            "auth",
            "login",
            "--no-check",
            "--profile",
            profile,
            "--base-url",
            service.base_url,
            stdin="a-token-of-mine\n",
        )
    service.answer({"task_id": "task-1"})
    mj("--profile", "work", "imagine", "a cat", "--no-wait")
    result = mj("resume")
    assert 'Profile "work" has 1 unfinished job: mj --profile work resume' in result.err
    assert service.posts(Service.TASKS) == []
    finish_task(service)
    assert mj("--profile", "work", "resume", "--json").answer["task_id"] == "task-1"


def test_the_jobs_of_a_profile_are_resumed_outside_the_sandbox(online: Mj, service: Service) -> None:
    start_job(online, service)
    finish_task(service)
    sandboxed: dict[str, str | None] = {"MJ_SANDBOX": "1"}
    result = online("resume", env=sandboxed)
    line = "mj --profile default resume"
    assert f'Profile "default" has 1 unfinished job: MJ_SANDBOX=0 {line}' in result.err
    result = online("--profile", "default", "resume", env=sandboxed)
    assert "The sandbox has no profiles, so --profile is ignored." in result.err
    result = online("--profile", "default", "resume", "--json", env={"MJ_SANDBOX": "0"})  # what was suggested
    assert result.answer["task_id"] == "task-1"


def test_jobs_at_another_address_are_skipped(online: Mj, service: Service) -> None:
    start_job(online, service)
    change(online, "UPDATE jobs SET host = 'https://api.elsewhere.example'")
    result = online("resume")
    there = "https://api.elsewhere.example"
    assert (
        f"1 unfinished job at {there} was skipped, because the profile now uses {service.base_url}."
        f"\n  next: MJ_BASE_URL={there} mj resume\n"
    ) in result.err
    assert 'but profile "default" now uses' in online("resume", "@last", check=2).err
    assert service.posts(Service.TASKS) == []


@pytest.mark.slow
def test_a_job_of_another_address_can_be_given_up(online: Mj, service: Service) -> None:
    service.imagine(lambda _request, reply: reply.whole(b"<html>", 502, {"content-type": "text/html"}))
    online("imagine", "a cat", check=9)
    elsewhere = {"MJ_BASE_URL": "http://127.0.0.1:9"}
    assert "was sent to" in online("resume", "@last", env=elsewhere, check=2).err
    online("resume", "@last", "--give-up", env=elsewhere)
    assert "Nothing to resume" in online("resume").err

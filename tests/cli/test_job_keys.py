"""`--key NAME`: run again, a command joins the job of its key; a job is never started twice."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import Any

import pytest

from tests.support.images import png
from tests.support.ledger import change_ledger, ledger_of, rows
from tests.support.program import Mj, files
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Script, Service, task_record

CAT = ("imagine", "a cat", "--key", "cat")


@pytest.fixture
def cat(service: Service) -> Service:
    service.files["/files/cat.png"] = png()
    service.stream([FIRST, service.result(task_id="task-1")])
    return service


def paid(service: Service) -> int:
    """The number of requests that started a job."""
    return sum(each.method == "POST" and each.path != service.TASKS for each in service.received)


def test_a_done_job_is_printed_again_from_the_ledger(online: Mj, cat: Service) -> None:
    first = online(*CAT, "--json").answer
    before = len(cat.received)
    again = online(*CAT, "--json").answer
    assert again == first
    assert len(cat.received) == before


@pytest.mark.slow
def test_missing_files_of_a_done_job_are_downloaded(online: Mj, cat: Service) -> None:
    online(*CAT)
    result = online(*CAT, "--download", "--quiet")
    (name,) = files(online)
    assert result.out == f"{online.cwd / name}\n"
    assert paid(cat) == 1
    online(*CAT, "--download")
    assert files(online) == [name]
    (online.cwd / name).unlink()
    online(*CAT, "--download")
    assert files(online) == [name]
    assert paid(cat) == 1


def test_a_fixed_file_name_is_no_obstacle_to_joining(online: Mj, cat: Service) -> None:
    for _ in range(2):
        online(*CAT, "-o", "cat.png")
    assert (files(online), paid(cat)) == (["cat.png"], 1)


@pytest.mark.slow
def test_a_running_job_is_followed(online: Mj, cat: Service) -> None:
    body = {"action": "generate", "prompt": "a cat"}
    cat.stream([FIRST], end=False)
    cat.tasks["task-1"] = task_record("task-1", body, None)
    online(*CAT, "--timeout", "1", check=7)
    cat.tasks["task-1"] = task_record("task-1", body, cat.result(task_id="task-1"))
    assert online(*CAT, "--json").answer["task_id"] == "task-1"
    assert paid(cat) == 1


@pytest.mark.slow
def test_an_unknown_job_is_searched_for_and_never_sent(online: Mj, cat: Service) -> None:
    cat.imagine(lambda _request, reply: reply.reset())
    online(*CAT, check=9)
    online(*CAT, "--retry-failed", check=9)
    body = {"action": "generate", "prompt": "a cat"}
    cat.tasks["task-1"] = task_record("task-1", body, cat.result(task_id="task-1"))
    online(*CAT)
    assert paid(cat) == 1


def test_a_failed_job_is_reported_until_it_is_to_be_retried(online: Mj, cat: Service) -> None:
    failure = {"success": False, "error": {"code": "bad_request", "message": "no dogs"}, "task_id": "task-1"}
    cat.stream([FIRST, failure])
    first = online(*CAT, "--json", check=4).answer
    again = online(*CAT, "--json", check=4)
    assert (again.answer["error"], again.answer["task_id"]) == (first["error"], "task-1")
    assert "--retry-failed" in again.err
    assert paid(cat) == 1
    cat.stream([{**FIRST, "task_id": "task-2"}, cat.result(task_id="task-2")])
    assert online(*CAT, "--retry-failed", "--json").answer["task_id"] == "task-2"
    assert online(*CAT, "--retry-failed", "--json").answer["task_id"] == "task-2"
    assert paid(cat) == 2
    assert rows(online, "state, key") == [("failed", None), ("done", "cat")]


FAILURE = {"success": False, "error": {"code": "api_error", "message": "boom"}}
IN_JSON = lambda _request, reply: reply.json({**FAILURE, "task_id": "task-1"})  # noqa: E731


@pytest.mark.parametrize(
    ("words", "path", "script"),
    [
        (("imagine", "a cat"), "imagine", lambda _, reply: reply.stream([{"progress": 10}, FAILURE])),
        (("imagine", "a cat", "--no-stream"), "imagine", IN_JSON),
        (
            ("imagine", "a cat"),
            "imagine",
            lambda _, reply: reply.json({**FAILURE, "task_id": "task-1"}, 500),
        ),
        (("shorten", "a cat"), "shorten", IN_JSON),
        (("translate", "a cat"), "translate", IN_JSON),
        (("seed", "1234567"), "seed", IN_JSON),
    ],
)
def test_a_job_that_was_accepted_and_failed_is_sent_again_only_on_request(
    online: Mj, service: Service, words: tuple[str, ...], path: str, script: Script
) -> None:
    service.scripts[f"/midjourney/{path}"] = script
    online(*words, "--key", "k", check=4)
    assert "--retry-failed" in online(*words, "--key", "k", check=4).err
    assert paid(service) == 1
    online(*words, "--key", "k", "--retry-failed", check=4)
    assert paid(service) == 2


@pytest.mark.parametrize(
    ("code", "status", "exit_status"), [("used_up", 403, 5), ("invalid_token", 401, 3), ("forbidden", 403, 4)]
)
def test_a_job_that_was_never_accepted_is_sent(
    online: Mj, cat: Service, code: str, status: int, exit_status: int
) -> None:
    cat.answer({"error": {"code": code, "message": "not now"}}, status)
    online(*CAT, check=exit_status)
    cat.stream([FIRST, cat.result(task_id="task-1")])
    online(*CAT, "--download")
    assert (paid(cat), len(files(online))) == (2, 1)
    assert rows(online, "state, key") == [("done", "cat")]
    online(*CAT)
    assert paid(cat) == 2


def test_a_job_that_found_no_service_is_sent_later(online: Mj, cat: Service) -> None:
    online(*CAT, env={"MJ_BASE_URL": "http://127.0.0.1:1"}, check=6)
    change_ledger(online, "host = ?", cat.base_url)
    online(*CAT)
    assert (paid(cat), rows(online, "state, key")) == (1, [("done", "cat")])


def test_a_retry_waits_as_the_command_says(online: Mj, cat: Service) -> None:
    cat.answer({"error": {"code": "used_up", "message": "not now"}}, 403)
    online(*CAT, "--timeout", "30", check=5)
    cat.answer({"task_id": "task-1"})
    result = online(*CAT, "--no-wait", "--quiet")
    assert result.out == "task-1\n"
    sent = cat.posts()[-1].body
    assert (sent["prompt"], sent["async"], "timeout" in sent) == ("a cat", True, False)
    assert online(*CAT, "--no-wait", "--quiet").out == "task-1\n"
    assert paid(cat) == 2


@pytest.mark.parametrize(
    "other",
    [
        ("imagine", "a dog"),
        ("imagine", "a cat", "--mode", "turbo"),
        ("imagine", "a cat", "--version", "6"),
        ("imagine", "a cat --v 6"),
        ("imagine", "a cat", "--ar", "3:2"),
        ("imagine", "a cat", "--image", "https://example.com/a.png"),
        ("imagine", "a cat", "--translation"),
        ("imagine", "a cat", "--split-images"),
        ("shorten", "a cat"),
        ("translate", "a cat"),
        ("edit", "https://example.com/a.png", "a cat"),
        ("seed", "@last"),
        ("describe", "https://example.com/a.png"),
    ],
)
def test_another_request_with_the_same_key_is_refused(
    online: Mj, cat: Service, other: tuple[str, ...]
) -> None:
    online(*CAT)
    received = len(cat.received)
    error = online(*other, "--key", "cat", check=2).err
    assert 'Key "cat" belongs to another request' in error
    assert len(cat.received) == received


@pytest.mark.parametrize(
    "same",
    [
        ("imagine", "a", "cat"),
        ("imagine", "  a   cat\n"),
        ("imagine", "a cat", "--no-stream"),
        ("imagine", "a cat", "--timeout", "30"),
        ("imagine", "a cat", "--no-wait"),
        ("imagine", "a cat", "-o", "elsewhere.png"),
        ("imagine", "a cat", "--retries", "0"),
        ("imagine", "a cat", "--no-check"),
        ("imagine", "a cat", "--callback-url", "http://127.0.0.1:1/"),
    ],
)
def test_waiting_and_output_do_not_make_another_request(
    online: Mj, cat: Service, same: tuple[str, ...]
) -> None:
    online(*CAT)
    assert online(*same, "--key", "cat", "--json").answer["task_id"] == "task-1"
    assert paid(cat) == 1


def test_quotes_around_parameters_make_no_difference(online: Mj, cat: Service) -> None:
    online("imagine", "a cat --ar 3:2", "--key", "k")
    online("imagine", "a cat", "--ar", "3:2", "--key", "k")
    assert paid(cat) == 1


@pytest.mark.slow
def test_a_reference_is_compared_as_typed_and_a_retry_uses_the_stored_image(online: Mj, cat: Service) -> None:
    online("imagine", "a cat")
    image = cat.result()["image_id"]
    cat.answer({"error": {"code": "used_up", "message": "not now"}}, 403)
    online("action", "upscale1", "@last", "--key", "up", check=5)
    cat.stream([{"task_id": "t2"}, cat.result(task_id="t2", image_id="other")])
    online("imagine", "a dog")
    cat.stream([{"task_id": "t3"}, cat.result(task_id="t3", image_id="third")])
    online("action", "upscale1", "@last", "--key", "up")
    assert cat.posts()[-1].body["image_id"] == image
    online("action", "upscale1", "@last", "--key", "up")
    assert len(cat.posts()) == 4
    assert "belongs to another request" in online("action", "upscale2", "@last", "--key", "up", check=2).err


def test_a_file_that_is_gone_does_not_matter_once_the_job_is_done(online: Mj, cat: Service) -> None:
    """With a matching key nothing is resolved, checked or uploaded."""
    image = "https://example.invalid/photo.png"
    cat.scripts["/midjourney/edits"] = lambda _request, reply: reply.json(cat.result(task_id="task-1"))
    online("edit", image, "a hat", "--key", "hat", "--no-check")
    received = len(cat.received)
    online("edit", image, "a hat", "--key", "hat")
    assert len(cat.received) == received


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--no-ledger",), "--no-ledger"),
        (("--permute",), "--permute"),
        (("--key", ""), "--key must be"),
        (("--key", "a\tb"), "--key must be"),
        (("--key", "x" * 201), "--key must be"),
    ],
)
def test_a_key_that_cannot_work_is_refused(
    online: Mj, cat: Service, arguments: tuple[str, ...], message: str
) -> None:
    assert message in online(*CAT, *arguments, check=2).err
    assert not cat.received


def test_retry_failed_needs_a_key(online: Mj, cat: Service) -> None:
    assert "--retry-failed needs --key" in online("imagine", "a cat", "--retry-failed", check=2).err


def test_a_key_is_for_one_job(online: Mj, cat: Service) -> None:
    result = online("action", "upscale1", "-", "--key", "k", stdin="1234567\n7654321\n", check=2)
    assert "--key names one job" in result.err
    assert not cat.received


def test_each_profile_has_its_own_keys(online: Mj, cat: Service) -> None:
    online("config", "set", "base_url", cat.base_url, "--profile", "work")
    online(*CAT)
    online(*CAT, "--profile", "work")
    assert paid(cat) == 2


def test_a_dry_run_neither_claims_nor_joins(online: Mj, cat: Service) -> None:
    assert "curl" in online(*CAT, "--dry-run").out
    online(*CAT)
    assert "curl" in online(*CAT, "--dry-run").out
    assert paid(cat) == 1


def test_the_history_shows_the_key(online: Mj, cat: Service) -> None:
    online(*CAT)
    online("imagine", "a dog")
    assert [each["key"] for each in online("history", "--json").json] == [None, "cat"]
    assert "key: cat\n" in online("history", "show", "@2").out


@pytest.mark.slow
def test_a_key_that_is_not_new_moves_on_when_an_unknown_job_is_resubmitted(online: Mj, cat: Service) -> None:
    cat.imagine(lambda _request, reply: reply.reset())
    online(*CAT, check=9)
    cat.stream([FIRST, cat.result(task_id="task-1")])
    online("resume", "@last", "--resubmit", "--yes")
    assert online(*CAT, "--json").answer["task_id"] == "task-1"
    assert paid(cat) == 2


def test_describing_and_using_a_description_are_each_paid_for_once(online: Mj, cat: Service) -> None:
    described = {"task_id": "d", "success": True, "descriptions": ["one", "two", "three", "four"]}
    cat.scripts["/midjourney/describe"] = lambda _request, reply: reply.json(described)
    cat.answer({"error": {"code": "used_up", "message": "not now"}}, 403)
    use = ("describe", "https://example.com/a.png", "--use", "2", "--key", "k", "--no-check")
    online(*use, check=5)
    cat.stream([FIRST, cat.result(task_id="task-1")])
    for _ in range(2):
        online(*use)
    assert len(cat.posts("/midjourney/describe")) == 1
    assert [each.body["prompt"] for each in cat.posts()] == ["two", "two"]


@pytest.mark.slow
def test_commands_that_run_at_once_make_one_job(online: Mj, cat: Service) -> None:
    begun, proceed = threading.Event(), threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        begun.set()
        proceed.wait(30)
        cat.tasks["task-1"] = task_record(
            "task-1", {"action": "generate", "prompt": "a cat"}, cat.result(task_id="task-1")
        )
        reply.stream([FIRST, cat.result(task_id="task-1")])

    cat.imagine(script)
    processes = [online.start(*CAT, "--json") for _ in range(4)]
    assert begun.wait(30)
    proceed.set()
    found: list[Any] = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        found.append(json.loads(out)["task_id"])
    assert (found, paid(cat)) == (["task-1"] * 4, 1)


@pytest.mark.slow
def test_a_killed_command_is_joined_by_the_next_one(online: Mj, cat: Service) -> None:
    body = {"action": "generate", "prompt": "a cat"}

    def script(_request: Received, reply: Reply) -> None:
        cat.tasks["task-1"] = task_record("task-1", body, cat.result(task_id="task-1"))
        cat.over.wait(30)

    cat.imagine(script)
    process = online.start(*CAT)
    assert cat.arrived.wait(30)
    while "task-1" not in cat.tasks:
        pass
    process.kill()
    process.communicate()
    assert online(*CAT, "--json").answer["task_id"] == "task-1"
    assert paid(cat) == 1


def test_a_damaged_row_with_the_key_is_reported(online: Mj, cat: Service) -> None:
    online(*CAT)
    change_ledger(online, "request = '{'")
    error = online(*CAT, check=2).err
    assert "is damaged in the ledger" in error
    assert paid(cat) == 1


def test_the_index_allows_one_job_for_each_key(online: Mj, cat: Service) -> None:
    online(*CAT)
    online("imagine", "a dog")
    connection = sqlite3.connect(ledger_of(online))
    with pytest.raises(sqlite3.IntegrityError), connection:
        connection.execute("UPDATE jobs SET key = 'cat'")
    connection.close()

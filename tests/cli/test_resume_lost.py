"""`mj resume` after a lost response: searching, resubmitting and giving up."""

from __future__ import annotations

import json

import pytest

from tests.support.ledger import rows
from tests.support.program import SOON, Mj, running
from tests.support.scripts import FIRST
from tests.support.service import Received, Reply, Service
from tests.support.systems import posix
from tests.support.terminal import at_a_terminal
from tests.support.unfinished import REQUEST, finish_task, lose_response, start_job

# -- lost responses ------------------------------------------------------------------------------------


def test_a_job_with_a_lost_response_is_found_and_its_file_saved(online: Mj, service: Service) -> None:
    lose_response(online, service, "--download")
    finish_task(service, "found")
    answer = online("resume", "--json").answer
    assert answer["task_id"] == "found"
    assert len(answer["files"]) == 1
    assert rows(online) == [("done", "found")]
    assert len(service.posts()) == 1


def test_a_job_that_stays_unknown_suggests_what_to_do(online: Mj, service: Service) -> None:
    name = lose_response(online, service)
    result = online("resume", "--json", check=9)
    assert result.answer["success"] is False
    assert "may have been accepted and billed" in result.err
    for option in ("", " --resubmit", " --give-up"):
        assert f"next: mj resume {name}{option}\n" in result.err
    assert "may be billed twice" in result.err
    assert rows(online) == [("unknown", None)]
    assert len(service.posts()) == 1


@pytest.mark.slow
@posix
def test_a_job_killed_while_it_was_sent_is_found(online: Mj, service: Service) -> None:
    service.imagine(lambda _request, _reply: service.over.wait(60) and None)
    with running(online, "imagine", "a cat", "--download") as process:
        assert service.arrived.wait(SOON)
        process.kill()
        process.wait(SOON)
    finish_task(service, "found")
    assert len(online("resume", "--json").answer["files"]) == 1
    assert len(service.posts()) == 1


@pytest.mark.slow
def test_of_several_matching_tasks_none_is_used_until_one_is_named(online: Mj, service: Service) -> None:
    name = lose_response(online, service)
    finish_task(service, "one")
    finish_task(service, "two")
    result = online("resume", check=9)
    assert "one, two" in result.err or "two, one" in result.err
    assert f"next: mj resume {name} --task TASK\n        (selects the right one)\n" in result.err
    assert rows(online) == [("unknown", None)]
    assert online("resume", name, "--task", "two", "--json").answer["task_id"] == "two"
    assert rows(online) == [("done", "two")]
    assert "already has a task" in online("resume", name, "--task", "one", check=2).err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["@2", "--task", "other"], 'Task "other" has a different request'),
        (["@1", "--task", "of-dog"], 'Task "of-dog" belongs to another job in the ledger'),
        (["@2", "--task", "no-such-task"], 'Task "no-such-task" was not found'),
        (["--task", "one"], "--task needs exactly one job"),
        (["@1", "@2", "--task", "one"], "--task needs exactly one job"),
    ],
)
def test_a_task_of_another_job_or_request_is_refused(
    online: Mj, service: Service, arguments: list[str], sentence: str
) -> None:
    start_job(online, service, prompt="a dog", task="of-dog")
    dog = {"action": "generate", "prompt": "a dog"}
    finish_task(service, "of-dog", dog)
    lose_response(online, service)
    lose_response(online, service, prompt="a dog")
    finish_task(service, "other", dog)
    result = online("resume", *arguments, check=None)
    assert result.status in (2, 4)
    assert sentence in result.err
    assert rows(online) == [("running", "of-dog"), ("unknown", None), ("unknown", None)]


# -- resubmitting --------------------------------------------------------------------------------------


def test_resubmit_needs_a_terminal_or_yes(online: Mj, service: Service) -> None:
    lose_response(online, service)
    result = online("resume", "--resubmit", check=2)
    assert "--yes" in result.err
    assert len(service.posts()) == 1


def test_resubmit_sends_an_unknown_job_again(online: Mj, service: Service) -> None:
    name = lose_response(online, service, "--download")
    finish_task(service, "task-2")
    del service.tasks["task-2"]
    service.stream([service.result(task_id="task-2")])
    answer = online("resume", name, "--resubmit", "--yes", "--json").answer
    assert answer["task_id"] == "task-2"
    assert len(answer["files"]) == 1
    assert [each.body for each in service.posts()] == [{**REQUEST, "async": True}, REQUEST]
    (first, error), second = rows(online, "state, error")[0], rows(online)[1]
    assert (first, json.loads(error)["code"]) == ("failed", "resubmitted")
    assert second == ("done", "task-2")
    assert "Nothing to resume" in online("resume").err
    assert online("resume", name, "--json").answer["task_id"] == "task-2"


def test_resubmit_does_not_send_a_job_that_is_found(online: Mj, service: Service) -> None:
    lose_response(online, service)
    finish_task(service, "found")
    assert online("resume", "--resubmit", "--yes", "--json").answer["task_id"] == "found"
    assert len(service.posts()) == 1


@pytest.mark.slow
@posix
def test_two_processes_resubmit_a_job_once(online: Mj, service: Service) -> None:
    name = lose_response(online, service)

    def script(_request: Received, reply: Reply) -> None:
        finish_task(service)
        reply.stream([FIRST, service.result(task_id="task-1")])

    service.imagine(script)
    processes = [online.start("resume", name, "--resubmit", "--yes", "--json") for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert len(service.posts()) == 2  # the lost one and its replacement
    assert [process.returncode for process in processes] == [0, 0]
    assert [each["task_id"] for each in answers] == ["task-1", "task-1"]


def test_naming_a_resubmitted_job_resumes_its_replacement(online: Mj, service: Service) -> None:
    name = lose_response(online, service)
    service.stream([FIRST, service.result(task_id="task-1")])
    online("resume", name, "--resubmit", "--yes")
    result = online("resume", name, "--json")
    assert result.answer["task_id"] == "task-1"
    assert "was sent again as task-1" in result.err
    assert len(service.posts()) == 2


@pytest.mark.slow
@posix
@pytest.mark.parametrize(("answer", "posts", "status"), [(b"y\n", 2, 0), (b"n\n", 1, 9), (b"\n", 1, 9)])
def test_a_terminal_asks_before_a_job_is_resubmitted(
    online: Mj, service: Service, answer: bytes, posts: int, status: int
) -> None:
    lose_response(online, service)
    service.stream([service.result(task_id="task-1")])
    code, shown = at_a_terminal(online, answer, "resume", "--resubmit")
    assert code == status
    assert "Send it again (a cat)? It may be billed twice." in shown
    assert len(service.posts()) == posts


# -- giving up -----------------------------------------------------------------------------------------


def test_a_job_that_was_given_up_is_not_searched_for(online: Mj, service: Service) -> None:
    name = lose_response(online, service)
    result = online("resume", name, "--give-up", "--json")
    assert result.answer["given_up"].startswith(name)
    assert "it is billed if it was accepted" in result.err
    assert "Nothing to resume" in online("resume").err
    assert rows(online) == [("failed", None)]
    assert "Given up" in online("resume", name, check=4).err
    assert "nothing to give up" in online("resume", name, "--give-up", check=2).err


def test_give_up_needs_named_jobs(online: Mj, service: Service) -> None:
    lose_response(online, service)
    assert "--give-up needs at least one job" in online("resume", "--give-up", check=2).err
    assert (
        "cannot be combined with"
        in online("resume", "@last", "--give-up", "--resubmit", "--yes", check=2).err
    )
    assert rows(online) == [("unknown", None)]


def test_missing_files_can_be_given_up(online: Mj, service: Service) -> None:
    service.stream([service.result(task_id="task-1")])
    online("imagine", "a cat", "--download", check=8)
    assert online("resume", "@last", "--give-up", "-q").out == "task-1\n"
    assert rows(online, "state, files_due") == [("done", 0)]
    assert "Nothing to resume" in online("resume").err

"""`mj tasks`: the list, the import, and what the other commands record of tasks."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

import pytest

from tests.support.history import terminal_lines, without_colours
from tests.support.images import png
from tests.support.ledger import ledger_of, rows
from tests.support.program import Mj
from tests.support.service import Service, task_record
from tests.support.systems import posix
from tests.support.unfinished import REQUEST, finish_task, lose_response, start_job


def add_task(service: Service, name: str, *, age: float = 0.0, **more: Any) -> None:
    """A finished task at the service; the ones added later are newer."""
    result = service.result(task_id=f"task-{name}", image_id=f"image-{name}")
    request = {"action": "generate", "prompt": f"a {name}"}
    record = task_record(f"task-{name}", request, result, created_at=time.time() - age)
    service.tasks[f"task-{name}"] = {**record, **more}


# -- the list ------------------------------------------------------------------------------------------


def test_each_task_is_a_line_of_fields_newest_first(online: Mj, service: Service) -> None:
    add_task(service, "cat", age=60)
    add_task(service, "dog")
    newest, oldest = (line.split("\t") for line in online("tasks").out.splitlines())
    assert newest[1:] == ["done", "imagine", "generate", "a dog", "image-dog", "task-dog", "trace-task-dog"]
    assert oldest[4] == "a cat"
    assert newest[0].endswith("Z")
    assert not ledger_of(online).exists()


def test_json_has_each_record_as_received_with_its_state(online: Mj, service: Service) -> None:
    add_task(service, "cat", novel={"x": "é"})
    answer = online("tasks", "--json").answer
    assert answer == {"state": "done", **service.tasks["task-cat"]}


def test_quiet_prints_task_ids_that_other_commands_read(online: Mj, service: Service) -> None:
    add_task(service, "cat", age=60)
    add_task(service, "dog")
    listed = online("tasks", "-q")
    assert listed.out == "task-dog\ntask-cat\n"
    assert len(online("describe-task", "-", "--json", stdin=listed.stdout).json) == 2


@posix
def test_a_terminal_shows_a_table_of_the_newest(online: Mj, service: Service) -> None:
    for number in range(30):
        add_task(service, f"cat {number}", age=30 - number)
    shown = without_colours(terminal_lines(online, "tasks", columns=100))
    assert shown[0].split() == ["AGE", "STATE", "ACTION", "PROMPT", "TASK"]
    assert "a cat 29" in shown[1]
    assert shown[-1].endswith("mj tasks --limit 100")
    assert len(shown) == 22
    assert [each.body["limit"] for each in service.posts(Service.TASKS)] == [20]


@pytest.mark.slow
def test_filters_reach_the_service_and_are_applied_here_too(online: Mj, service: Service) -> None:
    add_task(service, "old", age=7200)
    add_task(service, "video", age=60, type="videos")
    add_task(service, "new", age=30)
    assert online("tasks", "--type", "videos", "-q").out == "task-video\n"
    assert online("tasks", "--since", "1h", "-q").out == "task-new\ntask-video\n"
    assert online("tasks", "--before", "1h", "-q").out == "task-old\n"
    assert online("tasks", "--trace", "trace-task-old", "-q").out == "task-old\n"
    assert online("tasks", "--offset", "1", "--limit", "1", "-q").out == "task-video\n"
    bodies = [each.body for each in service.posts(Service.TASKS)]
    assert bodies[0]["type"] == "videos"
    assert bodies[1]["created_at_min"] <= time.time() - 3600
    assert bodies[3]["trace_ids"] == ["trace-task-old"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "yesterday"], '"yesterday" is not a time for --since.'),
        (["--type", "edit"], "--type must be"),
        (["--limit", "0"], "--limit must be"),
        (["--offset", "-1"], "--offset must be"),
        (["--trace", ""], "--trace needs a trace id."),
    ],
)
def test_bad_options_are_refused_before_anything_is_sent(
    online: Mj, service: Service, arguments: list[str], said: str
) -> None:
    assert said in online("tasks", *arguments, check=2).err
    assert service.received == []


@pytest.mark.parametrize(
    ("options", "said"), [([], "This account has no tasks."), (["--since", "1h"], "No matching")]
)
def test_an_empty_list_is_explained(online: Mj, service: Service, options: list[str], said: str) -> None:
    result = online("tasks", *options)
    assert result.out == ""
    assert said in result.err


@pytest.mark.slow
def test_a_service_that_fails_is_an_error_about_the_service(online: Mj, service: Service) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.whole(b"<html>", 502)
    result = online("tasks", "--import", check=6)
    assert "billed" not in result.err
    assert rows(online) == []


def test_control_characters_of_a_task_are_visible(online: Mj, service: Service) -> None:
    add_task(service, "cat", request={"prompt": "a\x1b[31m\tcat"}, trace_id="x\ny")
    out = online("tasks").out
    assert "\x1b" not in out
    assert out.count("\n") == 1
    assert out.count("\t") == 7


# -- the import ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_imported_tasks_are_jobs_of_the_history(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png()
    add_task(service, "cat", age=60)
    add_task(service, "dog", age=30)
    assert "2 tasks imported; 0 tasks already in the ledger." in online("tasks", "--import").err
    assert [line.split("\t")[6] for line in online("history").out.splitlines()] == ["task-dog", "task-cat"]
    assert online("history", "--search", "dog", "-q").out == "task-dog\n"
    (saved,) = online("download", "@2", "--json").answer["files"]
    assert online("history", "show", "@2", "--json").answer["files"] == [saved]
    service.answer(service.result(task_id="task-up", image_id="image-up"))
    online("action", "upscale1", "@last")
    assert service.posts()[-1].body["image_id"] == "image-dog"


def test_importing_again_adds_nothing(online: Mj, service: Service) -> None:
    add_task(service, "cat")
    online("tasks", "--import")
    before = rows(online, "*")
    assert "0 tasks imported; 1 task already in the ledger." in online("tasks", "--import").err
    assert rows(online, "*") == before


@pytest.mark.slow
def test_two_imports_at_once_add_nothing_twice(online: Mj, service: Service) -> None:
    for number in range(30):
        add_task(service, f"cat-{number}", age=number)
    processes = [online.start("tasks", "--import", "-q") for _ in range(2)]
    for process in processes:
        assert len(process.communicate(timeout=60)[0].splitlines()) == 30
    found = [task for (task,) in rows(online, "task_id")]
    assert len(found) == len(set(found)) == 30


def test_a_lost_job_gets_its_task(online: Mj, service: Service) -> None:
    lose_response(online, service)
    finish_task(service, "found")
    result = online("tasks", "--import")
    assert "0 tasks imported; 1 task assigned to jobs whose responses were lost" in result.err
    assert rows(online) == [("done", "found")]
    assert len(service.posts()) == 1


@pytest.mark.slow
def test_resume_adopts_an_imported_task(online: Mj, service: Service) -> None:
    finish_task(service, "one")
    online("tasks", "--import", "-q")
    name = lose_response(online, service, "--download")
    answer = online("resume", name, "--json").answer
    assert answer["task_id"] == "one"
    assert len(answer["files"]) == 1
    assert rows(online) == [("done", "one")]


@pytest.mark.slow
def test_resume_with_a_named_task_adopts_an_imported_one(online: Mj, service: Service) -> None:
    name = lose_response(online, service)
    finish_task(service, "one")
    finish_task(service, "two")
    online("tasks", "--import")
    assert rows(online) == [("unknown", None), ("done", "one"), ("done", "two")]
    online("resume", name, check=9)
    online("resume", name, "--task", "two")
    assert rows(online) == [("done", "two"), ("done", "one")]


def test_a_malformed_record_is_skipped_with_one_warning(online: Mj, service: Service) -> None:
    add_task(service, "cat")
    items = [
        *service.tasks.values(),
        None,
        7,
        {},
        {"id": "x"},
        {"id": "y", "type": "music", "request": {"a": 1}},
    ]
    service.scripts[Service.TASKS] = lambda _, reply: reply.json({"items": items, "count": len(items)})
    result = online("tasks", "--import")
    assert result.err.count("warning:") == 1
    assert "5 tasks skipped: malformed, or of a type that mj does not know." in result.err
    assert rows(online) == [("done", "task-cat")]


def test_a_ledger_that_cannot_be_written_is_reported_before_anything_is_queried(
    online: Mj, service: Service
) -> None:
    ledger_of(online).mkdir(parents=True)
    online("tasks", "--import", check=2)
    assert service.received == []


def test_the_token_is_masked_in_imported_rows(online: Mj, service: Service) -> None:
    token = str(online.env["MJ_TOKEN"])
    add_task(service, "cat", request={**REQUEST, "prompt": f"a cat {token}"})
    online("tasks", "--import")
    connection = sqlite3.connect(ledger_of(online))
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert "task-cat" in dump
    assert token not in dump


# -- other commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [["describe-task"], ["describe-task", "--download"], ["download"], ["open"]]
)
def test_a_task_that_another_command_queries_is_imported_once(
    online: Mj, service: Service, command: list[str]
) -> None:
    service.files["/files/cat.png"] = png()
    add_task(service, "cat")
    for _ in range(2):
        online(*command, "task-cat", check=None)
    assert rows(online) == [("done", "task-cat")]
    files = json.loads(rows(online, "files")[0][0])
    assert len(files) == ("download" in " ".join(command))


@pytest.mark.slow
def test_a_task_that_is_queried_is_adopted_by_the_lost_job_it_matches(online: Mj, service: Service) -> None:
    lose_response(online, service)
    finish_task(service, "found")
    online("describe-task", "found")
    assert rows(online) == [("done", "found")]


def test_a_running_task_that_is_queried_can_be_resumed(online: Mj, service: Service) -> None:
    service.tasks["task-1"] = task_record("task-1", REQUEST, None)
    online("describe-task", "task-1")
    assert rows(online) == [("running", "task-1")]
    finish_task(service)
    online("resume")
    assert rows(online) == [("done", "task-1")]


def test_a_job_of_the_ledger_is_not_imported(online: Mj, service: Service) -> None:
    start_job(online, service)
    finish_task(service)
    online("describe-task", "task-1")
    online("tasks", "--import")
    assert rows(online) == [("done", "task-1")]

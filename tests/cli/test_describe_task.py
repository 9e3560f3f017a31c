"""`mj describe-task`: the status and result of tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.program import Mj
from tests.support.service import Received, Reply, Service, fixture, task_record

ID = "7489df4c-ef03-4de0-b598-e9a590793434"
REQUEST = {"action": "generate", "prompt": "a cat"}
FAILURE = {"success": False, "error": {"code": "forbidden", "message": "refused by moderation"}}


@pytest.fixture
def tasks(service: Service) -> dict[str, Any]:
    """A service with a task in each state."""
    service.tasks |= {
        ID: fixture("task.json"),
        "runs": task_record("runs", REQUEST, None, progress=35),
        "failed": task_record("failed", REQUEST, FAILURE),
        "done": task_record("done", REQUEST, service.result(task_id="done")),
    }
    return service.tasks


def queries(service: Service) -> list[Any]:
    return [each.body for each in service.posts(Service.TASKS)]


def test_a_task_is_shown_with_state_times_request_and_result(
    online: Mj, service: Service, tasks: dict[str, Any]
) -> None:
    result = online("describe-task", ID)
    lines = result.out.splitlines()
    assert f"task: {ID}" in lines
    assert "state: done" in lines
    assert "request prompt: A cat sitting on a table" in lines
    assert f"link: {tasks[ID]['response']['raw_image_url']}" in lines
    assert "id: 1259525319472185344" in lines
    assert any(line.startswith("created: 2024-07-0") for line in lines)
    assert queries(service) == [{"action": "retrieve", "id": ID}]
    assert service.posts() == []


def test_json_prints_the_record_as_the_service_sent_it(online: Mj, tasks: dict[str, Any]) -> None:
    result = online("describe-task", ID, "--json")
    assert result.answer == {**fixture("task.json"), "files": []}
    assert result.err == ""


def test_a_running_task_is_not_a_failure_without_wait(online: Mj, tasks: dict[str, Any]) -> None:
    result = online("describe-task", "runs")
    assert "state: running" in result.out
    assert "35%" in result.out
    assert "describe-task runs --wait" in result.out


def test_quiet_prints_the_link_of_a_done_task_and_the_id_of_a_running_one(
    online: Mj, service: Service, tasks: dict[str, Any]
) -> None:
    assert online("describe-task", "done", "-q").out == f"{service.base_url}/files/cat.png\n"
    assert online("describe-task", "runs", "-q").out == "runs\n"


def test_a_failed_task_exits_with_4_and_shows_code_and_trace(online: Mj, tasks: dict[str, Any]) -> None:
    result = online("describe-task", "failed", "--json", check=4)
    answer = result.answer
    assert answer["success"] is False
    assert answer["error"] == {"code": "forbidden", "message": "refused by moderation"}
    assert (answer["task_id"], answer["trace_id"]) == ("failed", "trace-failed")
    assert "refused by moderation" in result.err
    assert "trace-failed" in result.err


def test_an_unknown_task_exits_with_4(online: Mj, service: Service) -> None:
    result = online("describe-task", "unknown", "--json", check=4)
    assert result.answer["success"] is False
    assert result.answer["task_id"] == "unknown"
    assert "unknown" in result.err


def test_an_unknown_task_exits_with_4_immediately_even_with_wait(online: Mj, service: Service) -> None:
    online("describe-task", "unknown", "--wait", check=4)
    assert len(queries(service)) == 1


def test_several_tasks_are_shown_in_order_with_one_request(
    online: Mj, service: Service, tasks: dict[str, Any]
) -> None:
    result = online("describe-task", "runs", "unknown", ID, "failed", "runs", "--json", check=4)
    shown = [each.get("id") or each["task_id"] for each in result.json]
    assert shown == ["runs", "unknown", ID, "failed", "runs"]
    assert len(queries(service)) == 1
    assert queries(service)[0]["action"] == "retrieve_batch"
    assert queries(service)[0]["ids"] == ["runs", "unknown", ID, "failed"]


def test_more_tasks_than_a_page_are_all_shown(online: Mj, service: Service) -> None:
    names = [f"t-{n}" for n in range(40)]
    service.tasks |= {name: task_record(name, REQUEST, service.result(task_id=name)) for name in names}
    result = online("describe-task", "-", "--json", stdin="\n".join(names))
    assert [each["id"] for each in result.json] == names


def test_a_smaller_page_size_does_not_make_tasks_unknown(online: Mj, service: Service) -> None:
    names = [f"t-{n}" for n in range(30)]
    service.tasks |= {name: task_record(name, REQUEST, service.result(task_id=name)) for name in names}

    def page(request: Received, reply: Reply) -> None:
        requested = request.body.get("ids") or [request.body["id"]]
        if request.body["action"] == "retrieve":
            reply.json(service.tasks.get(requested[0], {}))
            return
        start, limit = request.body.get("offset", 0), min(request.body.get("limit", 12), 12)
        found = [service.tasks[each] for each in requested if each in service.tasks]
        reply.json({"items": found[start : start + limit], "count": len(found)})

    service.scripts[Service.TASKS] = page
    result = online("describe-task", "-", "--json", stdin="\n".join(names), check=None)
    assert [each.get("id") for each in result.json] == names
    assert result.status == 0


def test_ids_can_come_from_standard_input(online: Mj, tasks: dict[str, Any]) -> None:
    result = online("describe-task", "-", "--field", "id", stdin=f"\ufeff{ID}\r\nruns\n")
    assert result.out == f"{ID}\nruns\n"


@pytest.mark.parametrize("arguments", [[], ["@last"], [""], ["two words"], ["@0"], ["x", "--timeout", "0"]])
def test_a_malformed_task_id_is_a_usage_error(online: Mj, service: Service, arguments: list[str]) -> None:
    online("describe-task", *arguments, check=2)
    assert service.received == []


def test_wait_follows_a_task_until_it_finishes(online: Mj, service: Service) -> None:
    responses: list[dict[str, Any]] = [
        task_record("t", REQUEST, None, progress=10),
        task_record("t", REQUEST, None, progress=60),
        task_record("t", REQUEST, service.result(task_id="t")),
    ]
    service.scripts[Service.TASKS] = [
        lambda _, reply, response=response: reply.json(response)  # type: ignore[misc]
        for response in responses
    ]
    result = online("describe-task", "t", "--wait")
    assert "state: done" in result.out
    assert "10%" in result.err
    assert len(queries(service)) == 3


@pytest.mark.slow
def test_wait_exits_with_7_at_its_timeout_and_suggests_how_to_continue(
    online: Mj, tasks: dict[str, Any]
) -> None:
    result = online("describe-task", "runs", "--wait", "--timeout", "1", check=7)
    assert "runs" in result.out
    assert "describe-task runs --wait" in result.err
    result = online("describe-task", "runs", "--wait", "--timeout", "1", "--json", check=7)
    assert result.answer["error"]["code"] == "timeout"
    assert result.answer["task_id"] == "runs"
    assert online("describe-task", "runs", "--wait", "--timeout", "1", "-q", check=7).out == "runs\n"


@pytest.mark.slow
def test_wait_with_several_tasks_shows_each(online: Mj, tasks: dict[str, Any]) -> None:
    result = online("describe-task", "done", "runs", "--wait", "--timeout", "1", "--json", check=7)
    assert [each.get("success", each.get("id")) for each in result.json] == ["done", False]


def test_a_query_that_fails_is_retried(online: Mj, service: Service, tasks: dict[str, Any]) -> None:
    service.scripts[Service.TASKS] = [
        lambda _, reply: reply.reset(),
        lambda _, reply: reply.whole(b"<html>", 502),
        lambda _, reply: reply.json(tasks["done"]),
    ]
    assert "state: done" in online("describe-task", "done").out


@pytest.mark.parametrize(
    ("code", "http", "status"), [("invalid_token", 401, 3), ("disabled", 403, 3), ("no_api", 404, 6)]
)
def test_a_refused_query_has_its_exit_status(
    online: Mj, service: Service, code: str, http: int, status: int
) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.json(
        {"error": {"code": code, "message": "no"}}, http
    )
    result = online("describe-task", "t", "--json", check=status)
    assert result.answer["error"]["code"] == code


@pytest.mark.parametrize(
    ("record", "state"),
    [
        ({"id": "t"}, "running"),
        ({"id": "t", "response": None}, "running"),
        ({"id": "t", "response": {}}, "running"),
        ({"id": "t", "response": {"success": False}}, "failed"),
        ({"id": "t", "response": {"error": "a bare string"}}, "failed"),
        ({"id": "t", "response": {"success": True, "raw_image_url": "https://e/1.png"}}, "done"),
    ],
)
def test_the_state_is_read_from_the_response(
    online: Mj, service: Service, record: dict[str, Any], state: str
) -> None:
    service.tasks["t"] = record
    result = online("describe-task", "t", check=4 if state == "failed" else 0)
    assert f"state: {state}\n" in result.out


def test_unexpected_types_in_a_record_are_harmless(online: Mj, service: Service) -> None:
    service.tasks["t"] = {
        "id": "t",
        "created_at": "yesterday",
        "finished_at": 1e300,
        "duration": "long",
        "request": [1],
        "type": {"a": 1},
        "response": {"success": True, "image_url": 7, "actions": "none", "image_width": "wide"},
    }
    online("describe-task", "t")
    assert online("describe-task", "t", "--json").answer == {**service.tasks["t"], "files": []}


def test_a_huge_record_is_shortened_for_people_only(online: Mj, service: Service) -> None:
    service.tasks["t"] = task_record("t", {**REQUEST, "mask": "A" * 100_000}, service.result())
    assert len(online("describe-task", "t").out) < 10_000
    assert len(online("describe-task", "t", "--json").answer["request"]["mask"]) == 100_000


@pytest.mark.slow
def test_a_response_that_is_not_from_the_api_is_not_an_unknown_task(online: Mj, service: Service) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.whole(b"<html>portal</html>")
    result = online("describe-task", "t", "--json", check=None)
    assert result.status in (6, 9)
    assert json.loads(result.out)["error"]["code"] == "network"


@pytest.mark.parametrize("response", [{}, {"task_id": "t", "image_id": "i"}, "{}"])
def test_a_task_that_is_done_without_a_result_has_nothing_to_save(
    online: Mj, service: Service, response: Any
) -> None:
    service.tasks["t"] = task_record("t", {}, response, finished_at=5)
    result = online("describe-task", "t", "-d", check=8)
    assert "has no result to save" in result.err
    assert online("describe-task", "t").out.startswith("task: t\nstate: done\n")


@pytest.mark.slow
def test_a_response_that_is_not_the_apis_leaves_a_query_unanswered(online: Mj, service: Service) -> None:
    service.scripts[Service.TASKS] = lambda _, reply: reply.whole(
        b"<html>", 501, {"content-type": "text/html"}
    )
    result = online("describe-task", ID, check=6)
    assert "billed" not in result.err
    assert "config" in result.err

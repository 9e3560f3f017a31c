"""Lost responses: the job is found again, or is unknown, and is never sent twice."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.ledger import rows
from tests.support.program import SET_CLOCK, Mj, run_after, running
from tests.support.service import Received, Reply, Service, fixture, task_record

REQUEST = {"action": "generate", "prompt": "a cat"}


@pytest.fixture
def broken(service: Service) -> Service:
    """A service that accepts the request and resets the connection."""
    service.imagine(lambda _, reply: reply.reset())
    return service


def add_our_task(service: Service, task: str = "ours", **more: Any) -> None:
    service.tasks[task] = task_record(task, REQUEST, service.result(task_id=task), **more)


def test_the_task_with_the_same_request_is_followed(online: Mj, broken: Service) -> None:
    add_our_task(broken)
    result = online("imagine", "a cat", "--json")
    assert result.answer == {**broken.result(task_id="ours"), "files": []}
    assert "ours" in result.err
    assert len(broken.posts()) == 1
    assert "ids" not in broken.posts(Service.TASKS)[0].body


def test_fields_that_the_service_adds_to_the_request_are_ignored(online: Mj, broken: Service) -> None:
    add_our_task(broken)
    broken.tasks["ours"]["request"] = {**REQUEST, "mode": "fast", "timeout": 480, "translation": None}
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"


def test_a_running_task_is_followed(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", REQUEST, None)
    queries = itertools.count()

    def tasks(request: Received, reply: Reply) -> None:
        if request.body["action"] == "retrieve" and next(queries):
            add_our_task(broken)
        reply.json(broken._tasks(request.body))

    broken.scripts[Service.TASKS] = tasks
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert len(broken.posts()) == 1


def test_a_task_that_appears_in_the_third_query_is_found(online: Mj, broken: Service) -> None:
    queries = itertools.count(1)

    def tasks(request: Received, reply: Reply) -> None:
        if request.body["action"] == "retrieve_batch" and next(queries) == 3:
            add_our_task(broken)
        reply.json(broken._tasks(request.body))

    broken.scripts[Service.TASKS] = tasks
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert len(broken.posts()) == 1


def unrelated_tasks(service: Service) -> Iterator[dict[str, Any]]:
    """Recent tasks that are not ours, each for a different reason."""
    done = service.result()
    yield task_record("old", REQUEST, done, created_at=time.time() - 3600)
    yield task_record("undated", REQUEST, done, created_at=None)
    yield task_record("words", {**REQUEST, "prompt": "a dog"}, done)
    yield task_record("longer", {**REQUEST, "prompt": "a cat on a table"}, done)
    yield task_record("action", {**REQUEST, "action": "reroll"}, done)
    yield task_record("mode", {**REQUEST, "mode": "turbo"}, done)
    yield task_record("empty", {}, done)
    yield {"id": "bare", "created_at": time.time()}
    yield {"request": REQUEST, "created_at": time.time()}


@pytest.mark.slow
def test_without_a_matching_task_the_exit_status_is_9(online: Mj, broken: Service) -> None:
    for each in unrelated_tasks(broken):
        broken.tasks[str(each.get("id"))] = each
    result = online("imagine", "a cat", "--mode", "fast", "--json", check=9)
    assert result.answer["success"] is False
    assert result.answer["error"]["code"] == "network"
    assert "task_id" not in result.answer
    assert "may have been accepted" in result.err
    assert len(broken.posts()) == 1
    assert len(broken.posts(Service.TASKS)) > 2


def test_several_matching_tasks_are_listed_and_none_is_used(online: Mj, broken: Service) -> None:
    for name in ("one", "two"):
        add_our_task(broken, name)
    result = online("imagine", "a cat", "--json", check=9)
    assert "one" in result.err
    assert "two" in result.err
    assert "task_id" not in result.answer
    assert online("describe-task", "@last", check=9).out == ""  # none was adopted
    assert len(broken.posts()) == 1


def test_a_task_of_another_job_in_the_ledger_is_not_used(online: Mj, service: Service) -> None:
    service.answer(service.result(task_id="first"))
    online("imagine", "a cat")
    service.imagine(lambda _, reply: reply.reset())
    add_our_task(service, "first")
    add_our_task(service, "second")
    assert online("imagine", "a cat", "--json").answer["task_id"] == "second"
    assert len(service.posts()) == 2


@pytest.mark.parametrize("recorded", [{}, {"mode": "fast"}, {"split_images": True}, {"version": "7"}])
def test_a_task_with_a_different_request_is_not_used(
    online: Mj, broken: Service, recorded: dict[str, Any]
) -> None:
    """The second task differs in a field of our request; the first one is ours."""
    sent = {**REQUEST, "prompt": "a cat --v 6", "mode": "relax", "split_images": False, "version": "6"}
    broken.tasks["ours"] = task_record("ours", sent, broken.result(task_id="ours"))
    different = {**sent, **recorded} if recorded else {**sent, "action": "reroll"}
    broken.tasks["not"] = task_record("not", different, broken.result(task_id="not"))
    arguments = ["a cat", "--v", "6", "--mode", "relax", "--no-split-images"]
    assert online("imagine", *arguments, "--json").answer["task_id"] == "ours"


def test_an_action_is_found_by_its_image(online: Mj, broken: Service) -> None:
    for image in ("11", "22"):
        request = {"action": "upscale1", "image_id": image}
        broken.tasks[image] = task_record(image, request, broken.result(task_id=f"of-{image}"))
    assert online("action", "upscale1", "22", "--json").answer["task_id"] == "of-22"


def test_a_wrong_local_clock_does_not_hide_the_task(online: Mj, broken: Service) -> None:
    """The service's clock is two hours ahead, as its `Date` header shows."""
    from email.utils import formatdate

    ahead = time.time() + 7200
    add_our_task(broken, "ours", created_at=ahead)
    add_our_task(broken, "older", created_at=ahead - 3600)

    def tasks(request: Received, reply: Reply) -> None:
        data = json.dumps(broken._tasks(request.body)).encode()
        head = f"HTTP/1.1 200 OK\r\ndate: {formatdate(ahead, usegmt=True)}\r\ncontent-length: {len(data)}\r\n\r\n"
        reply.raw(head.encode() + data)

    broken.scripts[Service.TASKS] = tasks
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"


def test_a_flaky_tasks_endpoint_does_not_lose_the_job(online: Mj, broken: Service) -> None:
    add_our_task(broken)
    broken.scripts[Service.TASKS] = [
        lambda _, reply: reply.reset(),
        lambda _, reply: reply.whole(b"<html>", 502),
        lambda request, reply: reply.json(broken._tasks(request.body)),
    ]
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert len(broken.posts()) == 1


def test_a_job_sent_with_no_wait_is_found_too(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", {**REQUEST, "async": True}, None)
    assert online("imagine", "a cat", "--no-wait", "-q").out == "ours\n"
    assert len(broken.posts()) == 1


def test_a_lost_job_that_failed_exits_4(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", REQUEST, fixture("error.json"))
    result = online("imagine", "a cat", "--json", check=4)
    assert result.answer["task_id"] == "ours"


def test_without_a_ledger_a_lost_job_is_not_sent_again_either(online: Mj, broken: Service) -> None:
    add_our_task(broken)
    online("imagine", "a cat", "--no-ledger", check=None)
    assert len(broken.posts()) == 1


def test_a_lost_job_does_not_stop_the_next_one(online: Mj, service: Service) -> None:
    def script(request: Received, reply: Reply) -> None:
        if request.body["image_id"] == "11":
            return reply.reset()
        return reply.json(service.result())

    service.imagine(script)
    for name in ("one", "two"):
        request = {"action": "upscale1", "image_id": "11"}
        service.tasks[name] = task_record(name, request, service.result(task_id=name))
    result = online("action", "upscale1", "-", "--json", stdin="11\n22", check=9)
    assert [each["success"] for each in result.json] == [False, True]
    assert sorted(each.body["image_id"] for each in service.posts()) == ["11", "22"]


def test_a_record_without_the_default_action_is_found(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", {"prompt": "a cat"}, broken.result(task_id="ours"))
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"


@pytest.mark.parametrize(("status", "code"), [(401, "invalid_token"), (403, "used_up"), (403, "forbidden")])
def test_a_refused_task_query_does_not_fail_a_running_job(
    online: Mj, service: Service, status: int, code: str
) -> None:
    """Only the query is refused; the job continues and is billed."""
    service.stream([{"task_id": "task-77", "progress": 30}], end=False)
    refusal = {"error": {"code": code, "message": "no luck"}}
    service.scripts[service.TASKS] = lambda _request, reply: reply.json(refusal, status)
    result = online("imagine", "a cat", "--json", check=7)
    assert result.answer["task_id"] == "task-77"
    assert "nothing is billed" not in result.err
    assert "billed if it succeeds" in result.err
    del service.scripts[service.TASKS]
    service.tasks["task-77"] = task_record("task-77", {"prompt": "a cat"}, None)
    assert online("describe-task", "@last", "--field", "id").out == "task-77\n"


@pytest.mark.slow
def test_the_newest_job_is_found_later_without_its_task_id(online: Mj, broken: Service) -> None:
    online("imagine", "a cat", check=9)
    add_our_task(broken, "ours")
    assert online("describe-task", "@last", "--field", "id").out == "ours\n"
    assert online("describe-task", "@last", "--field", "id").out == "ours\n"  # recorded by now
    assert len(broken.posts()) == 1


@pytest.mark.slow
def test_a_refused_search_is_not_an_empty_search(online: Mj, broken: Service) -> None:
    refusal = {"error": {"code": "token_expired", "message": "too old"}}
    broken.scripts[broken.TASKS] = lambda _request, reply: reply.json(refusal, 401)
    result = online("imagine", "a cat", check=9)
    assert "could not be searched" in result.err
    assert "mj auth login" in result.err


def test_a_refused_query_says_nothing_about_the_bill(online: Mj, service: Service) -> None:
    refusal = {"error": {"code": "used_up", "message": "no luck"}}
    service.scripts[service.TASKS] = lambda _request, reply: reply.json(refusal, 403)
    assert "nothing is billed" not in online("describe-task", "abc", check=5).err


# -- older tasks ---------------------------------------------------------------------------------------

PAGE = 12  # tasks that the service lists at a time


def add_newer_tasks(service: Service, count: int) -> None:
    """Add `count` newer tasks with other requests."""
    for n in range(len(service.tasks), len(service.tasks) + count):
        request = {**REQUEST, "prompt": f"dog {n}"}
        service.tasks[f"other-{n}"] = task_record(f"other-{n}", request, service.result())


def list_by_pages(service: Service, *, offsets: bool = True) -> None:
    """List the recent tasks as the service does: newest first, a page at a time."""

    def tasks(request: Received, reply: Reply) -> None:
        if request.body["action"] != "retrieve_batch":
            return reply.json(service._tasks(request.body))
        newest = list(reversed(service.tasks.values()))
        start = request.body.get("offset", 0) if offsets else 0
        return reply.json({"items": newest[start : start + PAGE], "count": len(newest)})

    service.scripts[Service.TASKS] = tasks


def listed_offsets(service: Service) -> list[int]:
    """The offsets of the requested pages."""
    queries = [each.body for each in service.posts(Service.TASKS)]
    return [each["offset"] for each in queries if each["action"] == "retrieve_batch"]


@pytest.mark.slow
@pytest.mark.parametrize("newer", [PAGE - 1, PAGE, PAGE + 1, 30])
def test_a_task_behind_many_newer_ones_is_found(online: Mj, service: Service, newer: int) -> None:
    """And pages with only tasks older than the request are not fetched."""

    def lose_response(_request: Received, reply: Reply) -> None:
        for n in range(40):
            old = task_record(f"old-{n}", REQUEST, service.result(), created_at=time.time() - 3600)
            service.tasks[f"old-{n}"] = old
        add_our_task(service)
        add_newer_tasks(service, newer)
        reply.reset()

    service.imagine(lose_response)
    list_by_pages(service)
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert listed_offsets(service) == list(range(0, newer + 2, PAGE))
    assert len(service.posts()) == 1


def test_a_service_that_ignores_the_offset_is_not_queried_forever(online: Mj, service: Service) -> None:
    def lose_response(_request: Received, reply: Reply) -> None:
        add_newer_tasks(service, 2 * PAGE)
        add_our_task(service)
        add_newer_tasks(service, 3)
        reply.reset()

    service.imagine(lose_response)
    list_by_pages(service, offsets=False)
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert listed_offsets(service) == [0, PAGE]


@pytest.mark.slow
def test_a_task_that_is_never_listed_is_not_searched_for_forever(online: Mj, service: Service) -> None:
    def silent(_request: Received, reply: Reply) -> None:
        add_our_task(service)
        add_newer_tasks(service, 2 * PAGE)
        service.over.wait(60)
        reply.close()

    service.imagine(silent)
    list_by_pages(service, offsets=False)
    online("imagine", "a cat", "--timeout", "1", check=9)
    assert listed_offsets(service) == [0, PAGE]
    assert len(service.posts()) == 1


@pytest.mark.slow
def test_tasks_created_during_the_search_do_not_end_it(online: Mj, service: Service) -> None:
    """Each moves the others down by one, so that a page repeats the last task of the previous one."""

    def lose_response(_request: Received, reply: Reply) -> None:
        add_our_task(service)
        add_newer_tasks(service, 30)
        reply.reset()

    service.imagine(lose_response)
    list_by_pages(service)
    page = service.scripts[Service.TASKS]
    assert callable(page)

    def busy(request: Received, reply: Reply) -> None:
        page(request, reply)
        add_newer_tasks(service, 1)

    service.scripts[Service.TASKS] = busy
    result = online("imagine", "a cat", "--json", check=None)
    assert result.status == 0, result.err
    assert result.answer["task_id"] == "ours"


@pytest.mark.parametrize("odd", [{"created_at": None}, {"id": None}, {"id": None, "created_at": None}])
@pytest.mark.parametrize("count", [1, 2])
def test_malformed_records_do_not_end_the_search(
    online: Mj, service: Service, odd: dict[str, Any], count: int
) -> None:
    """A record without a date or an id does not show how far back the page reaches."""

    def lose_response(_request: Received, reply: Reply) -> None:
        add_our_task(service)
        add_newer_tasks(service, PAGE)
        for n in range(count):
            service.tasks[f"odd-{n}"] = {**task_record(f"odd-{n}", {"prompt": "x"}, service.result()), **odd}
        reply.reset()

    service.imagine(lose_response)
    list_by_pages(service)
    result = online("imagine", "a cat", "--json", check=None)
    assert result.status == 0, result.err
    assert result.answer["task_id"] == "ours"


# -- two processes with the same request ---------------------------------------------------------------


@pytest.mark.slow
def test_a_task_that_may_belong_to_another_mj_is_not_used(online: Mj, service: Service) -> None:
    """The first process has no response yet: only its row shows that the task may be its own."""
    searched, first_done = threading.Event(), threading.Event()
    posts = itertools.count()

    def imagine(request: Received, reply: Reply) -> None:
        if next(posts):
            return reply.reset()
        service.tasks["theirs"] = task_record("theirs", request.body, service.result(task_id="theirs"))
        searched.wait(60)
        return reply.stream([service.result(task_id="theirs")])

    def tasks(request: Received, reply: Reply) -> None:
        if searched.is_set():
            first_done.wait(60)
        reply.json(service._tasks(request.body))
        searched.set()

    service.imagine(imagine)
    service.scripts[Service.TASKS] = tasks
    with running(online, "imagine", "a cat", "--json") as first:
        assert service.arrived.wait(30)
        with running(online, "imagine", "a cat", "--json") as second:
            assert searched.wait(30)
            theirs, _ = first.communicate(timeout=30)
            add_our_task(service)
            first_done.set()
            mine, err = second.communicate(timeout=30)
    assert json.loads(theirs)["task_id"] == "theirs"
    assert json.loads(mine)["task_id"] == "ours", err
    assert rows(online) == [("done", "theirs"), ("done", "ours")]
    assert len(service.posts()) == 2


@pytest.mark.slow
def test_while_another_mj_has_no_task_yet_the_outcome_is_unknown(online: Mj, service: Service) -> None:
    go_on = threading.Event()
    posts = itertools.count()

    def imagine(request: Received, reply: Reply) -> None:
        if next(posts):
            return reply.reset()
        service.tasks["theirs"] = task_record("theirs", request.body, service.result(task_id="theirs"))
        go_on.wait(60)
        return reply.stream([service.result(task_id="theirs")])

    service.imagine(imagine)
    with running(online, "imagine", "a cat", "--json") as first:
        assert service.arrived.wait(30)
        result = online("imagine", "a cat", "--json", check=None)
        meanwhile = rows(online)
        go_on.set()
        out, _ = first.communicate(timeout=30)
    assert result.status == 9, result.err
    assert "task_id" not in result.answer
    assert "another mj" in result.err
    assert meanwhile == [("submitting", None), ("unknown", None)]
    assert json.loads(out)["task_id"] == "theirs"
    assert rows(online) == [("done", "theirs"), ("unknown", None)]
    assert len(service.posts()) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [("--timeout", "60"), ("--callback-url", "https://example.com/hook"), ("--mode", "fast")]
)
def test_a_task_that_fits_a_similar_request_of_another_mj_is_not_used(
    online: Mj, service: Service, options: tuple[str, ...]
) -> None:
    """The requests differ only in fields that a task need not have, so the task fits both."""
    go_on = threading.Event()
    posts = itertools.count()

    def imagine(request: Received, reply: Reply) -> None:
        if next(posts):
            return reply.reset()
        service.tasks["theirs"] = task_record("theirs", REQUEST, service.result(task_id="theirs"))
        go_on.wait(60)
        return reply.stream([service.result(task_id="theirs")])

    service.imagine(imagine)
    with running(online, "imagine", "a cat", "--json") as first:
        assert service.arrived.wait(30)
        result = online("imagine", "a cat", "--json", *options, check=None)
        go_on.set()
        out, _ = first.communicate(timeout=30)
    assert result.status == 9, (result.out, result.err)
    assert json.loads(out)["task_id"] == "theirs"
    assert rows(online) == [("done", "theirs"), ("unknown", None)]


# -- clock changes -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("change", [-7200, 7200], ids=["back", "forward"])
def test_a_clock_change_after_sending_does_not_hide_the_task(
    online: Mj, service: Service, change: int
) -> None:
    """Only the clock that the program reads is changed."""
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": str(change), "CLOCK_MARK": str(mark)}

    def lose_response(_request: Received, reply: Reply) -> None:
        for name, seconds in (("older", -3600), ("ours", 0)):
            add_our_task(service, name, created_at=time.time() + seconds)
        mark.touch()
        reply.reset()

    service.imagine(lose_response)
    result = run_after(online, SET_CLOCK, "imagine", "a cat", "--json")
    assert result.status == 0, result.err
    assert result.answer["task_id"] == "ours"
    assert len(service.posts()) == 1

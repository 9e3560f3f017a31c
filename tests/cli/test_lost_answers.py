"""An answer that was lost: the job is found again, or said to be unknown, and never sent twice."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Mj
from tests.cli.test_downloads import begun_by
from tests.cli.test_ledger_use import rows
from tests.cli.test_signals import running
from tests.service import Received, Reply, Service, fixture, task_record

REQUEST = {"action": "generate", "prompt": "a cat"}


@pytest.fixture
def broken(service: Service) -> Service:
    """A service that takes the request and breaks the connection."""
    service.imagine(lambda _, reply: reply.reset())
    return service


def ours(service: Service, task: str = "ours", **more: Any) -> None:
    service.tasks[task] = task_record(task, REQUEST, service.result(task_id=task), **more)


def test_the_task_with_the_same_request_is_taken_up(online: Mj, broken: Service) -> None:
    ours(broken)
    result = online("imagine", "a cat", "--json")
    assert result.answer == {**broken.result(task_id="ours"), "files": []}
    assert "ours" in result.err
    assert len(broken.posts()) == 1
    assert "ids" not in broken.posts(Service.TASKS)[0].body


def test_the_fields_that_the_service_adds_to_the_request_do_no_harm(online: Mj, broken: Service) -> None:
    ours(broken)
    broken.tasks["ours"]["request"] = {**REQUEST, "mode": "fast", "timeout": 480, "translation": None}
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"


def test_a_task_that_still_runs_is_followed_to_its_end(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", REQUEST, None)
    looks = itertools.count()

    def tasks(request: Received, reply: Reply) -> None:
        if request.body["action"] == "retrieve" and next(looks):
            ours(broken)
        reply.json(broken._tasks(request.body))

    broken.scripts[Service.TASKS] = tasks
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert len(broken.posts()) == 1


def test_a_task_that_appears_on_the_third_look_is_found(online: Mj, broken: Service) -> None:
    looks = itertools.count(1)

    def tasks(request: Received, reply: Reply) -> None:
        if request.body["action"] == "retrieve_batch" and next(looks) == 3:
            ours(broken)
        reply.json(broken._tasks(request.body))

    broken.scripts[Service.TASKS] = tasks
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert len(broken.posts()) == 1


def others(service: Service) -> Iterator[dict[str, Any]]:
    """Recent tasks, none of which is ours, each for its own reason."""
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


def test_none_found_is_9_and_says_that_it_may_have_been_accepted(online: Mj, broken: Service) -> None:
    for each in others(broken):
        broken.tasks[str(each.get("id"))] = each
    result = online("imagine", "a cat", "--mode", "fast", "--json", check=9)
    assert result.answer["success"] is False
    assert result.answer["error"]["code"] == "network"
    assert "task_id" not in result.answer
    assert "may have been accepted" in result.err
    assert len(broken.posts()) == 1
    assert len(broken.posts(Service.TASKS)) > 2


def test_several_found_is_9_they_are_listed_and_none_is_taken(online: Mj, broken: Service) -> None:
    for name in ("one", "two"):
        ours(broken, name)
    result = online("imagine", "a cat", "--json", check=9)
    assert "one" in result.err
    assert "two" in result.err
    assert "task_id" not in result.answer
    assert online("describe-task", "@last", check=9).out == ""  # none was adopted
    assert len(broken.posts()) == 1


def test_a_task_that_the_ledger_knows_is_not_ours(online: Mj, service: Service) -> None:
    service.answer(service.result(task_id="first"))
    online("imagine", "a cat")
    service.imagine(lambda _, reply: reply.reset())
    ours(service, "first")
    ours(service, "second")
    assert online("imagine", "a cat", "--json").answer["task_id"] == "second"
    assert len(service.posts()) == 2


@pytest.mark.parametrize("recorded", [{}, {"mode": "fast"}, {"split_images": True}, {"version": "7"}])
def test_what_was_asked_must_not_contradict_what_is_recorded(
    online: Mj, broken: Service, recorded: dict[str, Any]
) -> None:
    """The second task differs in what our request has; the first one is ours."""
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


def test_a_clock_that_is_wrong_here_does_not_hide_the_task(online: Mj, broken: Service) -> None:
    """The service's clock is two hours ahead; its own `Date` says so."""
    from email.utils import formatdate

    ahead = time.time() + 7200
    ours(broken, "ours", created_at=ahead)
    ours(broken, "older", created_at=ahead - 3600)

    def tasks(request: Received, reply: Reply) -> None:
        data = json.dumps(broken._tasks(request.body)).encode()
        head = f"HTTP/1.1 200 OK\r\ndate: {formatdate(ahead, usegmt=True)}\r\ncontent-length: {len(data)}\r\n\r\n"
        reply.raw(head.encode() + data)

    broken.scripts[Service.TASKS] = tasks
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"


def test_a_flaky_tasks_endpoint_does_not_lose_the_job(online: Mj, broken: Service) -> None:
    ours(broken)
    broken.scripts[Service.TASKS] = [
        lambda _, reply: reply.reset(),
        lambda _, reply: reply.whole(b"<html>", 502),
        lambda request, reply: reply.json(broken._tasks(request.body)),
    ]
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert len(broken.posts()) == 1


def test_a_job_that_is_not_waited_for_is_found_as_well(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", {**REQUEST, "async": True}, None)
    assert online("imagine", "a cat", "--no-wait", "-q").out == "ours\n"
    assert len(broken.posts()) == 1


def test_a_lost_job_that_failed_is_4(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", REQUEST, fixture("error.json"))
    result = online("imagine", "a cat", "--json", check=4)
    assert result.answer["task_id"] == "ours"


def test_without_a_ledger_a_lost_answer_is_still_never_sent_again(online: Mj, broken: Service) -> None:
    ours(broken)
    online("imagine", "a cat", "--no-ledger", check=None)
    assert len(broken.posts()) == 1


def test_the_next_of_several_is_sent_although_one_was_lost(online: Mj, service: Service) -> None:
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
    assert [each.body["image_id"] for each in service.posts()] == ["11", "22"]


def test_a_record_of_an_old_server_without_the_usual_action_is_found(online: Mj, broken: Service) -> None:
    broken.tasks["ours"] = task_record("ours", {"prompt": "a cat"}, broken.result(task_id="ours"))
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"


@pytest.mark.parametrize(("status", "code"), [(401, "invalid_token"), (403, "used_up"), (403, "forbidden")])
def test_a_running_job_is_not_called_failed_because_its_task_may_not_be_asked_about(
    online: Mj, service: Service, status: int, code: str
) -> None:
    """The refusal is of the question; the job goes on and is billed."""
    service.stream([{"task_id": "task-77", "progress": 30}], end=False)
    refusal = {"error": {"code": code, "message": "no luck"}}
    service.scripts[service.TASKS] = lambda _request, reply: reply.json(refusal, status)
    result = online("imagine", "a cat", "--json", check=7)
    assert result.answer["task_id"] == "task-77"
    assert "nothing is paid" not in result.err
    assert "billed if it succeeds" in result.err
    del service.scripts[service.TASKS]
    service.tasks["task-77"] = task_record("task-77", {"prompt": "a cat"}, None)
    assert online("describe-task", "@last", "--field", "id").out == "task-77\n"


def test_the_newest_job_is_found_again_when_its_task_was_never_told(online: Mj, broken: Service) -> None:
    online("imagine", "a cat", check=9)
    ours(broken, "ours")
    assert online("describe-task", "@last", "--field", "id").out == "ours\n"
    assert online("describe-task", "@last", "--field", "id").out == "ours\n"  # written down now
    assert len(broken.posts()) == 1


def test_tasks_that_cannot_be_looked_through_are_not_called_absent(online: Mj, broken: Service) -> None:
    refusal = {"error": {"code": "token_expired", "message": "too old"}}
    broken.scripts[broken.TASKS] = lambda _request, reply: reply.json(refusal, 401)
    result = online("imagine", "a cat", check=9)
    assert "could not be looked through" in result.err
    assert "mj auth login" in result.err


def test_a_look_that_is_refused_is_not_said_to_cost_nothing(online: Mj, service: Service) -> None:
    refusal = {"error": {"code": "used_up", "message": "no luck"}}
    service.scripts[service.TASKS] = lambda _request, reply: reply.json(refusal, 403)
    assert "nothing is paid" not in online("describe-task", "abc", check=5).err


# -- far back among the recent tasks -----------------------------------------------------------------

PAGE = 12  # tasks that the service gives at a time

# The pauses between the looks are cut short.
HASTY = """
import sys
import mjcli.recovery
from mjcli.__main__ import main
assert len(mjcli.recovery.LOOKS) > 2
mjcli.recovery.LOOKS = (0.0, 0.05, 0.05)
sys.exit(main())
"""


def others_since(service: Service, count: int) -> None:
    """So many tasks that are newer than what is there, for other requests."""
    for n in range(len(service.tasks), len(service.tasks) + count):
        request = {**REQUEST, "prompt": f"dog {n}"}
        service.tasks[f"other-{n}"] = task_record(f"other-{n}", request, service.result())


def by_pages(service: Service, *, offsets: bool = True) -> None:
    """Give the recent tasks as the service does, newest first and a page at a time."""

    def tasks(request: Received, reply: Reply) -> None:
        if request.body["action"] != "retrieve_batch":
            return reply.json(service._tasks(request.body))
        newest = list(reversed(service.tasks.values()))
        begin = request.body.get("offset", 0) if offsets else 0
        return reply.json({"items": newest[begin : begin + PAGE], "count": len(newest)})

    service.scripts[Service.TASKS] = tasks


def looked_from(service: Service) -> list[int]:
    """The offsets of the pages that were asked for."""
    looks = [each.body for each in service.posts(Service.TASKS)]
    return [each["offset"] for each in looks if each["action"] == "retrieve_batch"]


@pytest.mark.parametrize("newer", [PAGE - 1, PAGE, PAGE + 1, 30])
def test_a_task_that_many_newer_ones_stand_before_is_found(online: Mj, service: Service, newer: int) -> None:
    """And the pages of what is older than the sending are left alone."""

    def lose(_request: Received, reply: Reply) -> None:
        for n in range(40):
            old = task_record(f"old-{n}", REQUEST, service.result(), created_at=time.time() - 3600)
            service.tasks[f"old-{n}"] = old
        ours(service)
        others_since(service, newer)
        reply.reset()

    service.imagine(lose)
    by_pages(service)
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert looked_from(service) == list(range(0, newer + 2, PAGE))
    assert len(service.posts()) == 1


def test_a_service_that_ignores_the_offset_is_not_asked_without_end(online: Mj, service: Service) -> None:
    def lose(_request: Received, reply: Reply) -> None:
        others_since(service, 2 * PAGE)
        ours(service)
        others_since(service, 3)
        reply.reset()

    service.imagine(lose)
    by_pages(service, offsets=False)
    assert online("imagine", "a cat", "--json").answer["task_id"] == "ours"
    assert looked_from(service) == [0, PAGE]


def test_a_task_that_a_service_without_offsets_never_shows_is_not_looked_for_without_end(
    online: Mj, service: Service
) -> None:
    def silent(_request: Received, reply: Reply) -> None:
        ours(service)
        others_since(service, 2 * PAGE)
        service.over.wait(60)
        reply.close()

    service.imagine(silent)
    by_pages(service, offsets=False)
    online("imagine", "a cat", "--timeout", "1", check=9)
    assert looked_from(service) == [0, PAGE]
    assert len(service.posts()) == 1


def test_tasks_that_are_made_while_the_pages_are_read_do_not_end_the_search(
    online: Mj, service: Service
) -> None:
    """Each pushes the others down by one, so that a page repeats the last task of the one before."""

    def lose(_request: Received, reply: Reply) -> None:
        ours(service)
        others_since(service, 30)
        reply.reset()

    service.imagine(lose)
    by_pages(service)
    page = service.scripts[Service.TASKS]
    assert callable(page)

    def busy(request: Received, reply: Reply) -> None:
        page(request, reply)
        others_since(service, 1)

    service.scripts[Service.TASKS] = busy
    result = begun_by(online, HASTY, "imagine", "a cat", "--json")
    assert result.status == 0, result.err
    assert result.answer["task_id"] == "ours"


@pytest.mark.parametrize("odd", [{"created_at": None}, {"id": None}, {"id": None, "created_at": None}])
@pytest.mark.parametrize("count", [1, 2])
def test_odd_records_on_a_page_do_not_end_the_search(
    online: Mj, service: Service, odd: dict[str, Any], count: int
) -> None:
    """A record without a date or an id says nothing of how far back the page reaches."""

    def lose(_request: Received, reply: Reply) -> None:
        ours(service)
        others_since(service, PAGE)
        for n in range(count):
            service.tasks[f"odd-{n}"] = {**task_record(f"odd-{n}", {"prompt": "x"}, service.result()), **odd}
        reply.reset()

    service.imagine(lose)
    by_pages(service)
    result = begun_by(online, HASTY, "imagine", "a cat", "--json")
    assert result.status == 0, result.err
    assert result.answer["task_id"] == "ours"


# -- two with the same request -----------------------------------------------------------------------


def test_a_task_that_may_belong_to_another_mj_is_left_to_it(online: Mj, service: Service) -> None:
    """The first one is held before its first line: nothing but its row tells that a task may be its own."""
    looked, ended = threading.Event(), threading.Event()
    posts = itertools.count()

    def imagine(request: Received, reply: Reply) -> None:
        if next(posts):
            return reply.reset()
        service.tasks["theirs"] = task_record("theirs", request.body, service.result(task_id="theirs"))
        looked.wait(60)
        return reply.stream([service.result(task_id="theirs")])

    def tasks(request: Received, reply: Reply) -> None:
        if looked.is_set():
            ended.wait(60)
        reply.json(service._tasks(request.body))
        looked.set()

    service.imagine(imagine)
    service.scripts[Service.TASKS] = tasks
    with running(online, "imagine", "a cat", "--json") as first:
        assert service.arrived.wait(30)
        with running(online, "imagine", "a cat", "--json") as second:
            assert looked.wait(30)
            theirs, _ = first.communicate(timeout=30)
            ours(service)
            ended.set()
            mine, err = second.communicate(timeout=30)
    assert json.loads(theirs)["task_id"] == "theirs"
    assert json.loads(mine)["task_id"] == "ours", err
    assert rows(online) == [("done", "theirs"), ("done", "ours")]
    assert len(service.posts()) == 2


def test_while_the_other_is_still_without_a_task_the_outcome_is_unknown(online: Mj, service: Service) -> None:
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
        result = begun_by(online, HASTY, "imagine", "a cat", "--json")
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


@pytest.mark.parametrize(
    "options", [("--timeout", "60"), ("--callback-url", "https://example.com/hook"), ("--mode", "fast")]
)
def test_a_task_that_may_belong_to_another_mj_with_nearly_the_same_request_is_left_to_it(
    online: Mj, service: Service, options: tuple[str, ...]
) -> None:
    """The requests differ in what a task need not tell, so that the task is for either."""
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
        result = begun_by(online, HASTY, "imagine", "a cat", "--json", *options)
        go_on.set()
        out, _ = first.communicate(timeout=30)
    assert result.status == 9, (result.out, result.err)
    assert json.loads(out)["task_id"] == "theirs"
    assert rows(online) == [("done", "theirs"), ("unknown", None)]


# -- a clock that is set -----------------------------------------------------------------------------

# The clock as the program reads it is set by so many seconds once a file is there.
SET_CLOCK = """
import os, sys, time
real, change, mark = time.time, float(os.environ["CLOCK_CHANGE"]), os.environ["CLOCK_MARK"]
time.time = lambda: real() + (change if os.path.exists(mark) else 0)
from mjcli.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("change", [-7200, 7200], ids=["back", "forward"])
def test_a_clock_that_is_set_after_the_sending_does_not_hide_the_task(
    online: Mj, service: Service, change: int
) -> None:
    """What the program reads of the clock is changed; the machine's own clock, which others need, is not."""
    mark = online.home / "clock-is-set"
    online.env |= {"CLOCK_CHANGE": str(change), "CLOCK_MARK": str(mark)}

    def lose(_request: Received, reply: Reply) -> None:
        for name, seconds in (("older", -3600), ("ours", 0)):
            ours(service, name, created_at=time.time() + seconds)
        mark.touch()
        reply.reset()

    service.imagine(lose)
    result = begun_by(online, SET_CLOCK, "imagine", "a cat", "--json")
    assert result.status == 0, result.err
    assert result.answer["task_id"] == "ours"
    assert len(service.posts()) == 1

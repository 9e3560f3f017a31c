"""`mj resume`: every unfinished job comes to its end, with the files that were asked for, and is paid once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Mj
from tests.cli.test_ledger_use import rows
from tests.cli.test_signals import SOON, ended, running
from tests.cli.test_terminal import Screen
from tests.service import Received, Reply, Service, png, task_record

REQUEST = {"action": "generate", "prompt": "a cat"}
FIRST = {"task_id": "task-1", "progress": 10, "image_id": "early", "actions": []}

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals, terminals and locks of Unix")


def change(mj: Mj, statement: str, *values: object) -> None:
    """Change the ledger as another process would."""
    ledger = sqlite3.connect(mj.home / "data" / "ledger.db")
    try:
        with ledger:
            ledger.execute(statement, values)
    finally:
        ledger.close()


def files(mj: Mj) -> list[str]:
    return sorted(str(path.relative_to(mj.cwd)) for path in mj.cwd.rglob("*") if path.is_file())


def ends(service: Service, task: str = "task-1", request: dict[str, Any] = REQUEST, **more: Any) -> None:
    """The service has made the picture of this task."""
    service.files["/files/cat.png"] = png()
    service.tasks[task] = task_record(task, request, service.result(task_id=task, **more))


def begin(mj: Mj, service: Service, *options: object, prompt: str = "a cat", task: str = "task-1") -> None:
    """A job that the service has accepted and nobody waits for."""
    service.answer({"task_id": task})
    mj("imagine", prompt, "--no-wait", *options)


def lose(mj: Mj, service: Service, *options: object, prompt: str = "a cat") -> str:
    """A job that was sent an hour ago and whose answer was lost; gives what names it."""
    begin(mj, service, *options, prompt=prompt)
    change(
        mj,
        "UPDATE jobs SET state = 'unknown', task_id = NULL, accepted_at = NULL, sent_at = sent_at - 3600,"
        " request = ? WHERE number = (SELECT MAX(number) FROM jobs)",
        json.dumps({**REQUEST, "prompt": prompt}),
    )
    return str(rows(mj, "uuid")[-1][0])[:8]


@pytest.fixture
def limited(service: Service) -> threading.Event:
    """The service asks to be tried again much later; the event says that it did."""
    told = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        reply.json({"error": {"code": "too_many_requests", "message": "slower"}}, 429, {"retry-after": "60"})
        told.set()

    service.imagine(script)
    return told


# -- nothing to do -------------------------------------------------------------------------------------


def test_without_a_job_there_is_nothing_to_take_up_and_no_ledger_is_made(mj: Mj) -> None:
    result = mj("resume")
    assert result.out == ""
    assert "Nothing to take up" in result.err
    assert not (mj.home / "data").exists()


def test_what_has_come_to_its_end_is_left_alone(online: Mj, service: Service) -> None:
    ends(service)
    service.stream([service.result(task_id="task-1")])
    online("imagine", "a cat", "--download")
    service.answer({"error": {"code": "bad_request", "message": "no"}}, 400)
    online("imagine", "a dog", check=4)
    seen = len(service.received)
    assert "Nothing to take up" in online("resume").err
    assert len(service.received) == seen


# -- jobs whose task is known --------------------------------------------------------------------------


def test_a_running_job_is_followed_to_its_end_and_its_file_saved_where_it_was_to_go(
    online: Mj, service: Service
) -> None:
    begin(online, service, "--output", "cats/{prompt}-{index}.{ext}")
    ends(service)
    answer = online("resume", "--json").answer
    assert answer == {
        **service.result(task_id="task-1"),
        "files": [str(online.cwd / "cats" / "a-cat-1.png")],
    }
    assert files(online) == ["cats/a-cat-1.png"]
    assert rows(online, "state, files_due") == [("done", 0)]
    assert len(service.posts()) == 1


def test_a_job_that_asked_for_no_files_gets_none_but_when_they_are_asked_for_now(
    online: Mj, service: Service
) -> None:
    begin(online, service)
    ends(service)
    assert "link: " in online("resume").out
    assert files(online) == []
    assert online("resume", "@last", "--download", "-q").out.strip().endswith(".png")
    assert len(files(online)) == 1


def test_files_that_were_asked_for_may_be_left_out(online: Mj, service: Service) -> None:
    begin(online, service, "--download")
    ends(service)
    online("resume", "--no-download")
    assert files(online) == []
    online("resume")
    assert len(files(online)) == 1


def test_a_job_that_is_still_being_made_is_waited_for(online: Mj, service: Service) -> None:
    begin(online, service)
    service.tasks["task-1"] = task_record("task-1", REQUEST, None, progress=40)
    looks: list[Any] = []

    def tasks(request: Received, reply: Reply) -> None:
        looks.append(request.body)
        if len(looks) == 3:
            ends(service)
        reply.json(service._tasks(request.body))

    service.scripts[Service.TASKS] = tasks
    result = online("resume", "--json")
    assert result.answer["task_id"] == "task-1"
    assert "progress: 40%" in result.err


def test_a_wait_that_is_not_wanted_takes_what_is_ready_and_says_what_is_not(
    online: Mj, service: Service
) -> None:
    begin(online, service, "--download")
    begin(online, service, task="task-2", prompt="a dog")
    ends(service)
    service.tasks["task-2"] = task_record("task-2", {"prompt": "a dog"}, None)
    result = online("resume", "--no-wait", "--json", check=7)
    done, running_still = result.json
    assert len(done["files"]) == 1
    assert running_still["error"]["code"] == "timeout"
    assert running_still["task_id"] == "task-2"
    assert "billed if it succeeds" in result.err
    assert "next: mj resume task-2" in result.err
    assert rows(online) == [("done", "task-1"), ("running", "task-2")]


def test_a_wait_has_a_deadline(online: Mj, service: Service) -> None:
    begin(online, service)
    service.tasks["task-1"] = task_record("task-1", REQUEST, None)
    assert "next: mj resume task-1" in online("resume", "--timeout", "0.3", check=7).err
    assert rows(online) == [("running", "task-1")]


def test_a_job_that_failed_meanwhile_is_told_as_a_failure(online: Mj, service: Service) -> None:
    begin(online, service)
    error = {"success": False, "error": {"code": "forbidden", "message": "moderated"}}
    service.tasks["task-1"] = task_record("task-1", REQUEST, error)
    result = online("resume", "--json", check=4)
    assert result.answer["error"] == {"code": "forbidden", "message": "moderated"}
    assert "not billed" in result.err
    assert rows(online) == [("failed", "task-1")]
    assert "moderated" in online("resume", "@last", check=4).err
    assert online("resume").out == ""


def test_a_task_that_the_service_does_not_know_any_more_is_unknown(online: Mj, service: Service) -> None:
    begin(online, service)
    change(online, "UPDATE jobs SET accepted_at = accepted_at - 3600")
    result = online("resume", "--json", check=9)
    assert result.answer["task_id"] == "task-1"
    assert "nothing was sent again" in result.err
    assert rows(online) == [("unknown", "task-1")]
    ends(service)
    assert online("resume", "--json").answer["task_id"] == "task-1"


def test_jobs_are_answered_in_the_order_asked_and_one_that_fails_does_not_stop_the_rest(
    online: Mj, service: Service
) -> None:
    for number in (1, 2, 3):
        begin(online, service, prompt=f"cat {number}", task=f"task-{number}")
    ends(service, "task-3")
    ends(service, "task-1")
    error = {"error": {"code": "api_error", "message": "broke"}}
    service.tasks["task-2"] = task_record("task-2", REQUEST, error)
    result = online("resume", "--json", check=4)
    assert [each["task_id"] for each in result.json] == ["task-1", "task-2", "task-3"]
    assert [each["success"] for each in result.json] == [True, False, True]
    looks = service.posts(Service.TASKS)
    assert looks[0].body["ids"] == ["task-1", "task-2", "task-3"]
    assert len(looks) == 1


# -- jobs whose answer was lost ------------------------------------------------------------------------


def test_a_job_whose_answer_was_lost_is_found_and_its_file_saved(online: Mj, service: Service) -> None:
    lose(online, service, "--download")
    ends(service, "found")
    answer = online("resume", "--json").answer
    assert answer["task_id"] == "found"
    assert len(answer["files"]) == 1
    assert rows(online) == [("done", "found")]
    assert len(service.posts()) == 1


def test_a_job_that_stays_unknown_says_what_is_known_and_what_may_be_done(
    online: Mj, service: Service
) -> None:
    name = lose(online, service)
    result = online("resume", "--json", check=9)
    assert result.answer["success"] is False
    assert "may have been accepted, and is then billed; nothing was sent again" in result.err
    for way in ("", " --resubmit", " --give-up"):
        assert f"next: mj resume {name}{way}  # " in result.err
    assert "may cost a second time" in result.err
    assert rows(online) == [("unknown", None)]
    assert len(service.posts()) == 1


@posix
def test_a_job_that_was_killed_while_it_was_sent_is_found(online: Mj, service: Service) -> None:
    service.imagine(lambda _request, _reply: service.over.wait(60) and None)
    with running(online, "imagine", "a cat", "--download") as process:
        assert service.arrived.wait(SOON)
        process.kill()
        process.wait(SOON)
    ends(service, "found")
    assert len(online("resume", "--json").answer["files"]) == 1
    assert len(service.posts()) == 1


def test_of_several_tasks_none_is_taken_until_one_is_named(online: Mj, service: Service) -> None:
    name = lose(online, service)
    ends(service, "one")
    ends(service, "two")
    result = online("resume", check=9)
    assert "one, two" in result.err or "two, one" in result.err
    assert f"next: mj resume {name} --task TASK" in result.err
    assert rows(online) == [("unknown", None)]
    assert online("resume", name, "--task", "two", "--json").answer["task_id"] == "two"
    assert rows(online) == [("done", "two")]
    assert "has its task already" in online("resume", name, "--task", "one", check=2).err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["@2", "--task", "other"], "is for another request"),
        (["@1", "--task", "of-dog"], "another job of the ledger has it"),
        (["@2", "--task", "nobody"], "does not know the task nobody"),
        (["--task", "one"], "--task is for one job"),
        (["@1", "@2", "--task", "one"], "--task is for one job"),
    ],
)
def test_a_task_that_cannot_be_the_job_is_refused(
    online: Mj, service: Service, arguments: list[str], sentence: str
) -> None:
    begin(online, service, prompt="a dog", task="of-dog")
    dog = {"action": "generate", "prompt": "a dog"}
    ends(service, "of-dog", dog)
    lose(online, service)
    lose(online, service, prompt="a dog")
    ends(service, "other", dog)
    result = online("resume", *arguments, check=None)
    assert result.status in (2, 4)
    assert sentence in result.err
    assert rows(online) == [("running", "of-dog"), ("unknown", None), ("unknown", None)]


# -- jobs that never left ------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_job_that_never_left_is_sent_once(
    online: Mj, service: Service, limited: threading.Event, number: str
) -> None:
    """Its session ended, or the machine did, while it waited to be tried again."""
    with running(online, "imagine", "a cat", "--download") as process:
        assert limited.wait(SOON)
        waits(online)
        process.send_signal(getattr(signal, number))
        _status, _out, err = ended(process)
    if number != "SIGKILL":
        assert "nothing was sent, so nothing is paid" in err
        assert "the next mj resume sends it" in err
        assert f"next: mj resume {rows(online, 'uuid')[0][0][:8]}" in err
    assert rows(online, "state, sent_at") == [("submitting", None)]
    ends(service)
    service.stream([FIRST, service.result(task_id="task-1")])
    assert len(online("resume", "--json").answer["files"]) == 1
    assert len(service.posts()) == 2  # the refused one, and the one
    assert online("resume").out == ""
    assert len(service.posts()) == 2


@posix
def test_what_was_stopped_by_hand_before_it_left_is_sent_only_when_it_is_named(
    online: Mj, service: Service, limited: threading.Event
) -> None:
    with running(online, "imagine", "a cat") as process:
        assert limited.wait(SOON)
        waits(online)
        process.send_signal(signal.SIGINT)
        _status, _out, err = ended(process)
    name = rows(online, "uuid")[0][0][:8]
    assert f"next: mj resume {name}" in err
    assert rows(online, "state, sent_at") == [("failed", None)]
    ends(service)
    service.stream([service.result(task_id="task-1")])
    assert "Nothing to take up" in online("resume").err
    assert len(service.posts()) == 1
    assert online("resume", name, "--json").answer["task_id"] == "task-1"
    assert len(service.posts()) == 2


def waits(mj: Mj) -> None:
    """Until the program has written down that what it sent came back."""
    pause = threading.Event()
    for _ in range(int(SOON / 0.02)):
        if rows(mj, "state, sent_at") == [("submitting", None)]:
            return
        pause.wait(0.02)
    raise AssertionError(rows(mj, "state, sent_at"))


def at_a_terminal(mj: Mj, answer: bytes, *arguments: str) -> tuple[int, str]:
    """The program asked on a terminal, and what it showed."""
    screen = Screen(100)
    try:
        process = mj.start(
            *arguments,
            env={"TERM": "xterm-256color"},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, b"[y/N] ")
            os.write(screen.ours, answer)
            screen.read_until(process, None)
        return process.returncode, screen.shown.decode()
    finally:
        screen.close()


@posix
@pytest.mark.parametrize(("answer", "posts"), [(b"y\n", 2), (b"\n", 1), (b"\x04", 1)])
def test_at_a_terminal_it_is_asked_before_what_never_left_is_sent(
    online: Mj, service: Service, answer: bytes, posts: int
) -> None:
    lose(online, service)
    change(online, "UPDATE jobs SET state = 'submitting', sent_at = NULL, error = NULL")
    ends(service)
    service.stream([service.result(task_id="task-1")])
    status, shown = at_a_terminal(online, answer, "resume")
    assert status == 0
    assert "Never sent, so not paid yet: a cat. Send now?" in shown
    assert ("They wait: mj resume sends them" in shown) == (posts == 1)
    assert "Nothing to take up" not in shown
    assert len(service.posts()) == posts
    assert len(rows(online)) == 1


def test_a_job_that_cannot_be_saved_is_not_sent(online: Mj, service: Service) -> None:
    lose(online, service, "--output", "cats/")
    change(online, "UPDATE jobs SET state = 'submitting', sent_at = NULL, error = NULL")
    (online.cwd / "cats").write_text("no directory")
    assert "is no directory" in online("resume", check=2).err
    assert len(service.posts()) == 1


# -- files that are missing ----------------------------------------------------------------------------


def test_files_that_could_not_be_saved_are_saved_later(online: Mj, service: Service) -> None:
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
    assert "Nothing to take up" in online("resume").err
    assert len(service.posts()) == 1


@posix
def test_a_download_that_was_killed_is_done_again_and_leaves_nothing_behind(
    online: Mj, service: Service
) -> None:
    begun = threading.Event()

    def half(_request: Received, reply: Reply) -> None:
        reply.head(200, {}, length=len(png(300_000)))
        reply.send(png(300_000)[:150_000])
        begun.set()
        service.over.wait(60)

    service.files["/files/cat.png"] = half
    service.stream([FIRST, service.result(task_id="task-1")])
    with running(online, "imagine", "a cat", "--download") as process:
        assert begun.wait(SOON)
        process.kill()
        process.wait(SOON)
    service.files["/files/cat.png"] = png(300_000)
    (path,) = online("resume", "--json").answer["files"]
    assert Path(path).read_bytes() == png(300_000)
    assert files(online) == [Path(path).name]
    assert len(service.posts()) == 1


def test_a_file_that_was_to_be_replaced_is_replaced(online: Mj, service: Service) -> None:
    (online.cwd / "cat.png").write_bytes(png(10))
    begin(online, service, "--output", "cat.png", "--force")
    ends(service)
    online("resume")
    assert (online.cwd / "cat.png").read_bytes() == png()


def test_a_name_with_a_date_has_the_day_of_the_asking(online: Mj, service: Service) -> None:
    begin(online, service, "--output", "{date}.{ext}")
    change(online, "UPDATE jobs SET created_at = 1000000000")
    ends(service)
    online("resume")
    assert files(online) in (["2001-09-08.png"], ["2001-09-09.png"])


def test_the_files_of_an_action_have_the_name_that_they_were_to_have(online: Mj, service: Service) -> None:
    service.stream([service.result(task_id="task-1", actions=["upscale1"])])
    online("imagine", "a red bird")
    service.answer({"task_id": "task-2"})
    online("action", "upscale1", "@last", "--no-wait", "--download")
    ends(service, "task-2", {"action": "upscale1"}, image_id="large")
    online("resume")
    assert files(online) == ["a-red-bird_large.png"]


def test_one_name_for_the_files_of_several_jobs_is_refused(online: Mj, service: Service) -> None:
    for task in ("task-a", "task-b"):
        begin(online, service, task=task)
        ends(service, task)
    seen = len(service.received)
    assert "several jobs are meant" in online("resume", "-o", "cat.png", check=2).err
    assert len(service.received) == seen
    online("resume", "task-a", "-o", "cat.png")
    assert files(online) == ["cat.png"]


# -- more than one at a time ---------------------------------------------------------------------------


@posix
def test_two_at_a_time_save_one_file_and_send_nothing(online: Mj, service: Service) -> None:
    lose(online, service, "--download")
    ends(service, "found")
    both = [online.start("resume", "--json") for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0]["files"] == answers[1]["files"]
    assert len(files(online)) == 1
    assert len(service.posts()) == 1


@posix
def test_two_at_a_time_send_what_never_left_once(online: Mj, service: Service) -> None:
    lose(online, service, "--download")
    change(online, "UPDATE jobs SET state = 'submitting', sent_at = NULL, error = NULL")
    ends(service)
    service.stream([FIRST, service.result(task_id="task-1")])
    both = [online.start("resume", "--json") for _ in range(4)]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0] * 4
    assert len(service.posts()) == 2
    assert len(files(online)) == 1


@posix
def test_a_job_that_another_mj_is_sending_is_left_to_it(online: Mj, service: Service) -> None:
    go_on = threading.Event()

    def script(_request: Received, reply: Reply) -> None:
        go_on.wait(60)
        reply.stream([FIRST, service.result(task_id="task-1")])

    service.imagine(script)
    with running(online, "imagine", "a cat") as first:
        assert service.arrived.wait(SOON)
        process = online.start("resume", "--json")
        assert process.stderr is not None
        assert b"Another mj is sending this job" in process.stderr.readline()
        assert rows(online) == [("submitting", None)]
        ends(service)
        go_on.set()
        out, _err = process.communicate(timeout=SOON)
        assert json.loads(out)["task_id"] == "task-1"
        assert ended(first)[0] == 0
    assert len(service.posts()) == 1


# -- sent again ----------------------------------------------------------------------------------------


def test_nobody_to_ask_is_no_agreement(online: Mj, service: Service) -> None:
    lose(online, service)
    result = online("resume", "--resubmit", check=2)
    assert "--yes" in result.err
    assert len(service.posts()) == 1


def test_an_unknown_job_is_sent_again_when_that_is_agreed_to(online: Mj, service: Service) -> None:
    name = lose(online, service, "--download")
    ends(service, "task-2")
    del service.tasks["task-2"]
    service.stream([service.result(task_id="task-2")])
    answer = online("resume", name, "--resubmit", "--yes", "--json").answer
    assert answer["task_id"] == "task-2"
    assert len(answer["files"]) == 1
    assert [each.body for each in service.posts()] == [{**REQUEST, "async": True}, REQUEST]
    (first, error), second = rows(online, "state, error")[0], rows(online)[1]
    assert (first, json.loads(error)["code"]) == ("failed", "resubmitted")
    assert second == ("done", "task-2")
    assert "Nothing to take up" in online("resume").err
    assert online("resume", name, "--json").answer["task_id"] == "task-2"


def test_a_job_that_is_found_is_not_sent_again(online: Mj, service: Service) -> None:
    lose(online, service)
    ends(service, "found")
    assert online("resume", "--resubmit", "--yes", "--json").answer["task_id"] == "found"
    assert len(service.posts()) == 1


@posix
def test_two_that_send_again_send_one(online: Mj, service: Service) -> None:
    name = lose(online, service)

    def script(_request: Received, reply: Reply) -> None:
        ends(service)
        reply.stream([FIRST, service.result(task_id="task-1")])

    service.imagine(script)
    both = [online.start("resume", name, "--resubmit", "--yes", "--json") for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert len(service.posts()) == 2  # the lost one, and one more
    assert [process.returncode for process in both] == [0, 0]
    assert [each["task_id"] for each in answers] == ["task-1", "task-1"]


def test_who_names_a_job_that_was_sent_again_gets_the_one_in_its_place(online: Mj, service: Service) -> None:
    name = lose(online, service)
    service.stream([FIRST, service.result(task_id="task-1")])
    online("resume", name, "--resubmit", "--yes")
    result = online("resume", name, "--json")
    assert result.answer["task_id"] == "task-1"
    assert "was sent again as task-1" in result.err
    assert len(service.posts()) == 2


@posix
@pytest.mark.parametrize(("answer", "posts", "status"), [(b"y\n", 2, 0), (b"n\n", 1, 9), (b"\n", 1, 9)])
def test_sending_again_is_asked_for(
    online: Mj, service: Service, answer: bytes, posts: int, status: int
) -> None:
    lose(online, service)
    service.stream([service.result(task_id="task-1")])
    code, shown = at_a_terminal(online, answer, "resume", "--resubmit")
    assert code == status
    assert "Send it again (a cat)? It may cost a second time." in shown
    assert len(service.posts()) == posts


# -- given up ------------------------------------------------------------------------------------------


def test_a_job_that_is_given_up_is_looked_for_no_more(online: Mj, service: Service) -> None:
    name = lose(online, service)
    result = online("resume", name, "--give-up", "--json")
    assert result.answer["given_up"].startswith(name)
    assert "If it was accepted, it is billed" in result.err
    assert "Nothing to take up" in online("resume").err
    assert rows(online) == [("failed", None)]
    assert "Given up" in online("resume", name, check=4).err
    assert "nothing to give up" in online("resume", name, "--give-up", check=2).err


def test_what_is_given_up_must_be_named(online: Mj, service: Service) -> None:
    lose(online, service)
    assert "--give-up needs the jobs" in online("resume", "--give-up", check=2).err
    assert "contradicts" in online("resume", "@last", "--give-up", "--resubmit", "--yes", check=2).err
    assert rows(online) == [("unknown", None)]


def test_missing_files_may_be_given_up_too(online: Mj, service: Service) -> None:
    service.stream([service.result(task_id="task-1")])
    online("imagine", "a cat", "--download", check=8)
    assert online("resume", "@last", "--give-up", "-q").out == "task-1\n"
    assert rows(online, "state, files_due") == [("done", 0)]
    assert "Nothing to take up" in online("resume").err


# -- which jobs ----------------------------------------------------------------------------------------


NAMES: list[tuple[str, Callable[[Mj], str]]] = [
    ("@last", lambda _mj: "@last"),
    ("@1", lambda _mj: "@1"),
    ("the whole task", lambda _mj: "task-abcdef"),
    ("the beginning of a task", lambda _mj: "task-abc"),
    ("the beginning of a uuid", lambda mj: str(rows(mj, "uuid")[-1][0])[:4]),
]


@pytest.mark.parametrize("name", [each[1] for each in NAMES], ids=[each[0] for each in NAMES])
def test_a_job_may_be_named(online: Mj, service: Service, name: Callable[[Mj], str]) -> None:
    begin(online, service, task="another-one")
    begin(online, service, task="task-abcdef")
    ends(service, "task-abcdef")
    ends(service, "another-one")
    assert online("resume", name(online), "--json").answer["task_id"] == "task-abcdef"
    assert rows(online)[0] == ("running", "another-one")


def test_jobs_may_come_from_standard_input(online: Mj, service: Service) -> None:
    for task in ("task-a", "task-b"):
        begin(online, service, task=task)
        ends(service, task)
    answers = online("resume", "-", "--json", stdin="task-b\n\ntask-a\n").json
    assert [each["task_id"] for each in answers] == ["task-b", "task-a"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("@9", "does not have so many jobs"),
        ("nobody", "The ledger has no job of the profile default that is called nobody"),
        ("task-", "is the beginning of more than one id"),
        ("tas", "takes 4 characters"),
    ],
)
def test_a_name_that_means_no_job_is_refused(online: Mj, service: Service, name: str, sentence: str) -> None:
    begin(online, service, task="task-a")
    begin(online, service, task="task-b")
    seen = len(service.received)
    assert sentence in online("resume", name, check=2).err
    assert len(service.received) == seen


def test_the_jobs_of_another_profile_are_told_and_left_alone(mj: Mj, service: Service) -> None:
    for profile in ("default", "work"):
        mj("auth", "login", "--profile", profile, "--base-url", service.base_url, stdin="a-token-of-mine\n")
    service.answer({"task_id": "task-1"})
    mj("--profile", "work", "imagine", "a cat", "--no-wait")
    result = mj("resume")
    assert "The profile work has 1 unfinished: mj --profile work resume" in result.err
    assert service.posts(Service.TASKS) == []
    ends(service)
    assert mj("--profile", "work", "resume", "--json").answer["task_id"] == "task-1"


def test_jobs_at_another_address_are_left_alone(online: Mj, service: Service) -> None:
    begin(online, service)
    change(online, "UPDATE jobs SET host = 'https://api.elsewhere.example'")
    result = online("resume")
    assert "Jobs at https://api.elsewhere.example are left alone" in result.err
    assert "is now at" in online("resume", "@last", check=2).err
    assert service.posts(Service.TASKS) == []


# -- out of reach --------------------------------------------------------------------------------------


def test_without_a_connection_nothing_is_lost_and_it_says_so(online: Mj, service: Service) -> None:
    begin(online, service)
    change(online, "UPDATE jobs SET host = 'http://127.0.0.1:9'")
    result = online("resume", env={"MJ_BASE_URL": "http://127.0.0.1:9"}, check=7)
    assert "goes on at the service and is billed if it succeeds" in result.err
    assert "next: mj resume task-1" in result.err
    assert rows(online) == [("running", "task-1")]


def test_without_a_token_there_is_a_way_to_one(online: Mj, service: Service) -> None:
    begin(online, service)
    assert "mj auth login" in online("resume", env={"MJ_TOKEN": None}, check=3).err
    assert rows(online) == [("running", "task-1")]


def test_a_token_that_is_refused_does_not_fail_the_job(online: Mj, service: Service) -> None:
    begin(online, service)
    service.scripts[Service.TASKS] = lambda _request, reply: reply.json(
        {"error": {"code": "invalid_token", "message": "no"}}, 401
    )
    online("resume", check=3)
    assert rows(online) == [("running", "task-1")]


@posix
def test_an_interrupt_while_a_job_is_followed_leaves_it_running(online: Mj, service: Service) -> None:
    begin(online, service)
    service.tasks["task-1"] = task_record("task-1", REQUEST, None, progress=30)
    with running(online, "resume", stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"progress: 30%" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        status, _out, err = ended(process)
    assert status == 130
    assert "next: mj resume task-1" in err
    assert rows(online) == [("running", "task-1")]


def test_people_see_a_job_as_they_would_have_seen_it_at_first(online: Mj, service: Service) -> None:
    begin(online, service)
    ends(service)
    out = online("resume").out
    for line in ("link: ", "id: ", "task: task-1", "size: ", "next: mj action "):
        assert f"\n{line}" in f"\n{out}"


@posix
@pytest.mark.parametrize("arguments", [("resume",), ("describe-task", "@1")])
def test_an_interrupt_at_the_first_look_does_not_say_that_nothing_is_paid(
    online: Mj, service: Service, arguments: tuple[str, ...]
) -> None:
    begin(online, service)
    asked = threading.Event()

    def hang(_request: Received, _reply: Reply) -> None:
        asked.set()
        service.over.wait(60)

    service.scripts[Service.TASKS] = hang
    with running(online, *arguments) as process:
        assert asked.wait(SOON)
        process.send_signal(signal.SIGINT)
        status, _out, err = ended(process)
    assert status == 130
    assert "nothing is paid" not in err
    assert "nothing more was sent" in err or "goes on at the service" in err
    assert "next: mj " in err
    assert rows(online) == [("running", "task-1")]


@pytest.mark.parametrize(
    ("code", "status"), [("used_up", 403), ("too_many_requests", 429), ("api_error", 500)]
)
def test_a_search_that_is_refused_never_says_to_ask_again(
    online: Mj, service: Service, code: str, status: int
) -> None:
    name = lose(online, service)
    service.scripts[Service.TASKS] = lambda _request, reply: reply.json(
        {"error": {"code": code, "message": "no"}}, status
    )
    err = online("resume", "--retries", "0", check=9).err
    assert "ask again" not in err
    assert "try again later" not in err
    assert f"next: mj resume {name}  # looks again" in err


@pytest.mark.parametrize("response", [{}, {"success": True, "progress": 100, "actions": []}])
def test_a_task_that_is_done_without_a_picture_is_not_called_unpaid(
    online: Mj, service: Service, response: dict[str, Any]
) -> None:
    begin(online, service, "--download")
    service.tasks["task-1"] = task_record("task-1", REQUEST, response)
    err = online("resume", check=9).err
    assert "done, but gives no picture" in err
    assert "not billed" not in err
    assert rows(online) == [("unknown", "task-1")]
    ends(service)
    assert len(online("resume", "--json").answer["files"]) == 1


def test_a_ledger_with_damaged_pages_is_set_aside_and_the_next_command_works(
    online: Mj, service: Service
) -> None:
    for number in range(30):
        begin(online, service, prompt=f"{number} " + "cat " * 200, task=f"task-{number}")
    path = online.home / "data" / "ledger.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 8192) + data[-4096:])
    err = online("history", check=2).err
    assert "was damaged; it was kept as" in err
    assert "There are no jobs" in online("history").err
    kept = [each for each in path.parent.iterdir() if "damaged" in each.name]
    assert kept


def test_a_damaged_ledger_is_told_under_quiet_too(online: Mj, service: Service) -> None:
    begin(online, service)
    (online.home / "data" / "ledger.db").write_bytes(b"garbage" * 1000)
    err = online("resume", "-q").err
    assert "was damaged" in err
    assert "billed if they succeed" in err

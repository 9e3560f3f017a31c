"""`mj listen`: callbacks become events, files, runs of a command, and changes of the ledger."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.faraway import FarAway
from tests.support.images import png
from tests.support.listening import TASK, Listening, finish, job, listening, submit_job
from tests.support.pauses import SHORT
from tests.support.program import Mj, running, wait_for_exit
from tests.support.service import Received, Reply, Service, fixture, task_record

pytestmark = pytest.mark.slow


def test_a_success_is_an_event_and_is_recorded_before_the_response(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        result = finish(service)
        assert listener.post(result) == 200
        assert job(online)["state"] == "done"  # immediately, whatever happens to the receiver now
        assert listener.line() == {**result, "files": [], "event": "success", "confirmed": True}
    assert job(online)["result"] == result


def test_a_failure_is_an_event_and_is_recorded(online: Mj, service: Service) -> None:
    failure = fixture("callback_failure.json")
    task_id = failure["task_id"]
    with listening(online) as listener:
        submit_job(online, service, listener.url, task_id)
        service.tasks[task_id] = task_record(task_id, {}, failure)
        assert listener.post(failure) == 200
        assert listener.line() == {**failure, "files": [], "event": "failure", "confirmed": True}
    assert job(online)["state"] == "failed"
    assert job(online)["error"]["code"] == "bad_request"


def test_progress_is_printed_immediately_and_changes_nothing(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        for percent in (0, 50, 25):  # out of order
            step = {"task_id": TASK, "progress": percent, "success": True, "actions": []}
            assert listener.post(step) == 200
            line = listener.line()
            assert (line["event"], line["progress"], line["confirmed"]) == ("progress", percent, False)
        assert job(online)["state"] == "running"
        result = finish(service)
        listener.post(result)
        assert listener.line()["event"] == "success"
        # Progress that arrives after the end is not printed.
        assert listener.post({"task_id": TASK, "progress": 75, "actions": []}) == 200
        assert listener.post(result) == 200
        other = "11111111-2222-3333-4444-555555555555"
        submit_job(online, service, listener.url, other)
        listener.post(finish(service, other))
        assert listener.line()["task_id"] == other
    assert len(service.posts()) == 2


def test_a_repeated_callback_is_printed_once(online: Mj, service: Service) -> None:
    with listening(online, "--once", TASK) as listener:
        submit_job(online, service, listener.url)
        result = finish(service)
        with ThreadPoolExecutor(10) as pool:
            assert set(pool.map(lambda _: listener.post(result), range(10))) <= {200}
        status, out, _ = listener.end()
    assert status == 0
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["success"]


def test_a_forged_success_is_not_believed(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        forged = {**service.result(), "task_id": TASK, "raw_image_url": "http://127.0.0.1:9/evil.png"}
        assert listener.post(forged) == 503
        assert job(online)["state"] == "running"
        # When the task has really ended, the service's own result is printed.
        true = finish(service)
        assert listener.post(forged) == 200
        assert listener.line()["raw_image_url"] == true["raw_image_url"]
    assert job(online)["result"]["raw_image_url"] == true["raw_image_url"]


def test_a_forged_failure_of_a_task_that_succeeded_is_a_success(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        finish(service)
        assert listener.post({**fixture("callback_failure.json"), "task_id": TASK}) == 200
        assert listener.line()["event"] == "success"
    assert job(online)["state"] == "done"


def test_an_unknown_task_is_not_finished(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        del service.tasks[TASK]
        assert listener.post({**service.result(), "task_id": TASK}) == 503
    assert job(online)["state"] == "running"


def test_an_end_confirmed_later_is_printed_without_another_callback(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        assert listener.post({**service.result(), "task_id": TASK}) == 503
        result = finish(service)
        assert listener.line() == {**result, "files": [], "event": "success", "confirmed": True}


def test_trust_accepts_callbacks_unconfirmed_and_needs_no_token(online: Mj, service: Service) -> None:
    with listening(online, "--trust", env={"MJ_TOKEN": None}) as listener:
        submit_job(online, service, listener.url)
        before = len(service.posts(Service.TASKS))
        result = {**service.result(), "task_id": TASK}
        assert listener.post(result) == 200
        assert listener.line() == {**result, "files": [], "event": "success", "confirmed": False}
    assert job(online)["state"] == "done"
    assert len(service.posts(Service.TASKS)) == before


def test_a_service_that_cannot_be_queried_makes_the_sender_retry(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        result = finish(service)
        service.scripts[Service.TASKS] = lambda _request, reply: reply.json({"error": "down"}, 500)
        assert listener.post(result) == 503
        assert job(online)["state"] == "running"
        del service.scripts[Service.TASKS]
        assert listener.post(result) == 200
        assert listener.line()["event"] == "success"


def test_a_task_that_ends_slightly_later_at_the_tasks_endpoint_is_confirmed(
    online: Mj, service: Service
) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        result = {**service.result(), "task_id": TASK}
        queries: list[Received] = []

        def script(request: Received, reply: Reply) -> None:
            queries.append(request)
            reply.json(task_record(TASK, {}, result if len(queries) > 1 else None))

        service.scripts[Service.TASKS] = script
        assert listener.post(result) == 200
        assert listener.line()["event"] == "success"


@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"[]", b"null", b"{}", b'{"success": true}', b'{"task_id": ""}', b"\xff\xfe",
     b'{"task_id": {"a": 1}}', b'{"task_id": "a\\u001bb"}', b'{"task_id": "' + b"x" * 300 + b'"}',
     b"[" * 100_000, b'{"task_id": "a", "x": NaN}' + b"}"],
)  # fmt: skip
def test_a_request_that_is_not_a_callback_is_refused(online: Mj, service: Service, body: bytes) -> None:
    with listening(online) as listener:
        assert listener.post(body) == 400
        assert listener.post(b"x" * (1024 * 1024 + 1)) == 413
        assert listener.post({"task_id": TASK}, path="/") == 404


def test_an_unknown_task_is_ignored_without_all(online: Mj, service: Service) -> None:
    foreign = "99999999-2222-3333-4444-555555555555"
    result = finish(service, foreign)
    with listening(online) as listener:
        assert listener.post(result) == 200
        submit_job(online, service, listener.url)
        listener.post(finish(service))
        assert listener.line()["task_id"] == TASK
    assert not [each for each in service.posts(Service.TASKS) if foreign in each.data.decode()]
    with listening(online, "--all") as listener:
        assert listener.post(result) == 200
        assert listener.line()["task_id"] == foreign
    assert [each["task_id"] for each in online("history", "--json").json] == [TASK]


def test_a_callback_can_arrive_before_the_response_with_the_task(online: Mj, service: Service) -> None:
    # Long enough that the callback waits for the response; a later poll would hide that it was ignored.
    online.pauses = {**SHORT, "mjcli.jobs.callbacks:SUBMIT_SECONDS": 10.0}
    with listening(online) as listener:
        result = {**service.result(), "task_id": TASK}
        statuses: list[int] = []
        caller = threading.Thread(target=lambda: statuses.append(listener.post(result)))

        def script(request: Received, reply: Reply) -> None:
            service.tasks[TASK] = task_record(TASK, request.body, result)
            caller.start()
            service.over.wait(0.3)  # the callback arrives before the response
            reply.json({"task_id": TASK})

        service.imagine(script)
        online("imagine", "a cat", "--callback-url", listener.url)
        caller.join()
        assert statuses == [200]
        assert job(online)["state"] == "done"
        assert listener.line()["event"] == "success"


def test_a_callback_identifies_a_job_whose_response_was_lost(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        service.imagine(lambda _request, reply: reply.close())
        online("imagine", "a cat", "--callback-url", listener.url, check=9)
        assert job(online)["state"] == "unknown"
        body = service.posts()[0].body
        result = {**service.result(), "task_id": TASK}
        other = {**body, "prompt": "another cat"}
        service.tasks["other"] = task_record("other", other, {**result, "task_id": "other"})
        service.tasks[TASK] = task_record(TASK, body, result)
        assert listener.post({**result, "task_id": "other"}) == 200
        assert listener.post(result) == 200
        assert listener.line()["task_id"] == TASK
    assert job(online)["state"] == "done"
    assert len(service.posts()) == 1


def test_a_lost_callback_is_replaced_by_a_query(online: Mj, service: Service) -> None:
    url = "http://127.0.0.1:9/elsewhere"
    submit_job(online, service, url)
    result = finish(service)
    with listening(online, "--once", TASK) as listener:
        assert listener.line() == {**result, "files": [], "event": "success", "confirmed": True}
        assert listener.end()[0] == 0


def test_once_ends_with_the_status_of_a_failed_job(online: Mj, service: Service) -> None:
    failure = {**fixture("callback_failure.json"), "task_id": TASK}
    with listening(online, "--once", TASK) as listener:
        submit_job(online, service, listener.url)
        service.tasks[TASK] = task_record(TASK, {}, failure)
        listener.post(failure)
        assert listener.end()[0] == 4


def test_until_idle_ends_with_the_last_job_that_uses_the_address(online: Mj, service: Service) -> None:
    second = "22222222-2222-3333-4444-555555555555"
    with listening(online, "--until-idle") as listener:
        submit_job(online, service, listener.url)
        submit_job(online, service, listener.url, second)
        listener.post(finish(service))
        listener.post(finish(service, second))
        status, out, _ = listener.end()
    assert status == 0
    assert {json.loads(line)["task_id"] for line in out.splitlines()} == {TASK, second}


def test_a_timeout_exits_with_7(online: Mj) -> None:
    with listening(online, "--timeout", "0.2") as listener:
        status, out, err = listener.end()
    assert status == 7
    assert json.loads(out)["error"]["code"] == "timeout"
    assert "mj resume" in err


def test_files_are_saved_where_the_job_requested_them(online: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = png(1)
    with listening(online, "--download") as listener:
        submit_job(online, service, listener.url, TASK, "-o", "cats/{prompt}.{ext}")
        listener.post(finish(service))
        (saved,) = listener.line()["files"]
    assert Path(saved) == online.cwd / "cats" / "a-cat.png"
    assert Path(saved).read_bytes() == png(1)
    assert job(online)["files"] == [saved]
    assert job(online)["files_due"] == 0


def test_a_missing_file_is_left_to_resume(online: Mj, service: Service) -> None:
    with listening(online, "--download", "--once", TASK) as listener:
        submit_job(online, service, listener.url, TASK, "--download")
        listener.post(finish(service))
        assert listener.line()["files"] == []
        status, _, err = listener.end()
    assert status == 8
    assert "404" in err
    service.files["/files/cat.png"] = png(1)
    assert online("resume", "--json").answer["files"]


def test_exec_does_not_get_the_tokens(online: Mj, service: Service) -> None:
    program = online.home / "program.py"
    program.write_text("import os, sys; print(*os.environ.values(), sep='\\n', file=sys.stderr)")
    online.env |= {"MJ_PLATFORM_TOKEN": "platform-token", "COPY": "secret-token", "HARMLESS": "a-value"}
    with listening(online, "--once", TASK, "--exec", shlex.join([sys.executable, str(program)])) as listener:
        submit_job(online, service, listener.url)
        listener.post(finish(service))
        err = listener.end()[2]
    assert "a-value" in err
    assert "-token" not in err


def test_exec_passes_each_event_on_standard_input_and_in_the_environment(
    online: Mj, service: Service
) -> None:
    program = online.cwd / "on event.py"
    program.write_text(
        "import json, os, sys\n"
        "event = json.load(sys.stdin)\n"
        "print('handled')\n"
        "with open('events', 'a') as file:\n"
        "    file.write(json.dumps([os.environ[name] for name in ('MJ_EVENT', 'MJ_TASK_ID', 'MJ_IMAGE_ID')]\n"
        "        + [event, sys.argv[1:]]) + '\\n')\n"
    )
    command = shlex.join([sys.executable, str(program), "$HOME; touch injected"])
    with listening(online, "--once", TASK, "--exec", command) as listener:
        submit_job(online, service, listener.url)
        listener.post({"task_id": TASK, "progress": 10, "actions": [], "image_id": "7"})
        result = finish(service)
        listener.post(result)
        status, out, err = listener.end()
    assert status == 0
    events = [json.loads(line) for line in (online.cwd / "events").read_text().splitlines()]
    assert [each[:3] for each in events] == [["progress", TASK, "7"], ["success", TASK, result["image_id"]]]
    assert events[1][3] == {**result, "files": [], "event": "success", "confirmed": True}
    assert events[1][4] == ["$HOME; touch injected"]  # no shell interpreted it
    assert "handled" not in out
    assert err.count("handled") == 2


def test_a_failed_command_is_reported_and_the_next_event_is_processed(online: Mj, service: Service) -> None:
    with listening(online, "--exec", "false") as listener:
        for number in range(2):
            task_id = f"{number}2222222-2222-3333-4444-555555555555"
            submit_job(online, service, listener.url, task_id)
            listener.post(finish(service, task_id))
            assert listener.line()["task_id"] == task_id
        listener.process.send_signal(signal.SIGTERM)
        assert listener.end()[2].count("--exec exited with status 1") >= 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--exec", "no-such-program-anywhere"), '"no-such-program-anywhere" not found'),
        (("--exec", "'"), "cannot be parsed"),
        (("--exec", ""), "not found"),
        (("--public-url", "ftp://example.com"), "--public-url"),
        (("--public-url", "https://example.com/?a=1"), "--public-url"),
        (("--host", "nowhere.invalid"), "nowhere.invalid"),
        (("--once", "@last"), "No jobs yet"),
        (("-o", "one.png"), "one file"),
    ],
)
def test_invalid_options_are_refused_immediately(online: Mj, options: tuple[str, ...], why: str) -> None:
    assert why in online("listen", *options, check=2).err


def test_a_port_in_use_is_reported(online: Mj, service: Service) -> None:
    port = str(urlsplit(service.base_url).port)
    assert "--port 0" in online("listen", "--port", port, check=2).err


def test_listening_requires_a_token(online: Mj) -> None:
    online("listen", env={"MJ_TOKEN": None}, check=3)


def test_the_public_url_replaces_the_local_address_and_keeps_its_path(online: Mj, service: Service) -> None:
    with listening(online, "--public-url", "https://example.com/hook/") as listener:
        assert listener.url.startswith("https://example.com/hook/")
        listener.process.send_signal(signal.SIGTERM)
        assert listener.end()[0] == 143


def test_ctrl_c_is_the_normal_end_of_listening(online: Mj, service: Service) -> None:
    with running(online, "listen", "--json") as process:
        Listening(process)
        process.send_signal(signal.SIGINT)
        status, _, err = wait_for_exit(process)
    assert status == 130
    assert "mj: Stopped listening.\n" in err
    assert "next:" not in err
    with running(online, "listen", "--json") as process:
        listener = Listening(process)
        submit_job(online, service, listener.url)
        process.send_signal(signal.SIGINT)
        err = wait_for_exit(process)[2]
    assert "Stopped listening. Unfinished jobs continue" in err
    assert "next: mj resume\n" in err


def test_an_unreachable_receiver_suggests_a_tunnel(mj: Mj, far_away: FarAway) -> None:
    world = {**far_away.env, "MJ_TOKEN": "secret-token"}
    with listening(mj, env=world) as listener:
        port = urlsplit(listener.url).port
        assert listener.process.stderr is not None
        err = "".join(listener.process.stderr.readline().decode() for _ in range(3))
    assert f"cloudflared tunnel --url http://127.0.0.1:{port}" in err
    assert f"mj listen --port {port} --public-url" in err


def test_each_event_is_one_line(online: Mj, service: Service) -> None:
    process = online.start("listen", "--once", TASK)
    try:
        assert process.stdout is not None
        name, _, url = process.stdout.readline().decode().strip().partition(": ")
        assert name == "callback url"
        submit_job(online, service, url, prompt="a \x1b[31mred\x1b[0m [bold]cat[/bold]")
        listener = Listening.__new__(Listening)
        listener.url = url
        listener.post({"task_id": TASK, "progress": 40, "actions": []})
        listener.post(finish(service))
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    first, second = (line.split("\t") for line in out.decode().splitlines())
    assert first[1:] == ["progress", TASK, "a \\x1b[31mred\\x1b[0m [bold]cat[/bold]", "40%"]
    assert second[1:3] == ["success", TASK]
    assert second[4] == f"{service.base_url}/files/cat.png"


@pytest.mark.skipif(os.name != "posix", reason="POSIX terminals")
def test_a_line_on_a_terminal_is_short_and_escaped(online: Mj, service: Service) -> None:
    screen, terminal = os.openpty()
    process = online.start("listen", "--once", TASK, stdout=terminal, env={"NO_COLOR": "1"})
    os.close(terminal)
    failure = {"success": False, "task_id": TASK, "error": {"code": "bad", "message": "no\x1b[2J\nreason"}}
    try:
        with os.fdopen(screen, newline="\n", encoding="utf-8") as lines:
            url = lines.readline().split()[-1]
            submit_job(online, service, url, prompt="a cat on a table in the light of a lamp")
            service.tasks[TASK] = task_record(TASK, {}, failure)
            listener = Listening.__new__(Listening)
            listener.url = url
            listener.post({"task_id": TASK, "progress": 40, "actions": []})
            listener.post(failure)
            first, second = lines.readline().strip(), lines.readline().strip()
        assert process.wait(30) == 4
    finally:
        process.kill()
        process.communicate()
    assert first[8:] == f"  progress  {TASK[:8]}  a cat on a table in the light…  40%"
    assert second[8:] == rf"  failure   {TASK[:8]}  a cat on a table in the light…  bad: no\x1b[2J\nreason"


def test_quiet_prints_the_address_and_then_only_links(online: Mj, service: Service) -> None:
    process = online.start("listen", "-q", "--once", TASK)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        submit_job(online, service, url)
        listener = Listening.__new__(Listening)
        listener.url = url
        listener.post({"task_id": TASK, "progress": 40, "actions": []})
        listener.post(finish(service))
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert out.decode() == f"{service.base_url}/files/cat.png\n"
    assert err == b""


def test_a_field_is_printed_for_each_event(online: Mj, service: Service) -> None:
    process = online.start("listen", "--field", "task_id", "--once", TASK)
    try:
        assert process.stderr is not None
        url = process.stderr.readline().decode().split()[-1]
        submit_job(online, service, url)
        listener = Listening.__new__(Listening)
        listener.url = url
        listener.post(finish(service))
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert out.decode() == f"{TASK}\n"


def test_a_receiver_killed_right_after_its_response_has_lost_nothing(online: Mj, service: Service) -> None:
    with listening(online) as listener:
        submit_job(online, service, listener.url)
        result = finish(service)
        assert listener.post(result) == 200
        listener.process.kill()
        listener.process.wait()
    assert job(online)["state"] == "done"
    assert job(online)["result"] == result


def test_two_hundred_callbacks_at_once_are_all_printed_and_recorded(online: Mj, service: Service) -> None:
    tasks = [f"{number:08d}-2222-3333-4444-555555555555" for number in range(200)]
    with listening(online, "--all") as listener:
        results = {task_id: finish(service, task_id) for task_id in tasks}
        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(lambda task_id: listener.post(results[task_id]), tasks)) == {200}
        assert {listener.line()["task_id"] for _ in tasks} == set(tasks)


def test_a_download_that_trickles_ends_soon_after_the_deadline_and_can_be_repeated(
    online: Mj, service: Service
) -> None:
    def trickle(_request: object, reply: Reply) -> None:
        reply.head(200, {"content-type": "image/png"}, length=100_000_000)
        reply.send(png())
        while not service.over.wait(0.02):
            reply.send(b"x" * 100)

    service.files["/files/cat.png"] = trickle
    with listening(online, "--download", "--timeout", "1.5") as listener:
        submit_job(online, service, listener.url)
        assert listener.post(finish(service)) == 200
        status, out, err = listener.end()
    assert json.loads(out.splitlines()[0])["event"] == "success"
    assert status == 8
    assert "The deadline passed during the download" in err
    assert f"next: mj download {TASK}\n" in err
    service.files["/files/cat.png"] = png()
    assert len(online("download", TASK, "--json").answer["files"]) == 1


def test_a_deadline_longer_than_threads_can_wait_is_refused(online: Mj) -> None:
    result = online("listen", "--timeout", "1e300", check=2)
    assert "--timeout must be 0.1 to 604800" in result.err

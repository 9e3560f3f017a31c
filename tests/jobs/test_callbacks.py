"""What a callback means, with a scripted client and a clock that only pauses move."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mjcli.api import TaskRecord
from mjcli.errors import ApiError, ConfigError, NetworkError, UsageError
from mjcli.jobs.backlog import EVENT_BYTES
from mjcli.jobs.callbacks import (
    CONFIRM_PAUSES,
    LATER,
    MAILBOX_CALLBACKS,
    MALFORMED,
    OK,
    SHARED_WORKERS,
    SUBMIT_SECONDS,
    Event,
    Inbox,
    Mailbox,
    mailbox,
    open_receiver,
)
from mjcli.jobs.imports import imported_task
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.receiver import WORKERS
from tests.jobs.fakes import FakeClient, FakeClock
from tests.support.service import task_record

HOST = "https://api.example"
URL = "http://127.0.0.1:8766/secret"
BODY: dict[str, Any] = {"action": "generate", "prompt": "a cat", "callback_url": URL}
STEP: dict[str, Any] = {"task_id": "t1", "progress": 40, "actions": []}
FINAL: dict[str, Any] = {
    "task_id": "t1",
    "success": True,
    "image_id": "i1",
    "raw_image_url": "https://h/cat.png",
    "actions": ["upscale1"],
}
FORGED = {**FINAL, "raw_image_url": "https://evil.example/cat.png"}
FAILED: dict[str, Any] = {
    "task_id": "t1",
    "success": False,
    "error": {"code": "bad_request", "message": "no"},
}


class Scene:
    """An inbox, the ledger behind it, and the warnings that it gave."""

    def __init__(self, client: FakeClient, jobs: Ledger, clock: FakeClock) -> None:
        self.client, self.ledger, self.clock = client, jobs, clock
        self.warnings: list[str] = []
        self.inbox = self.open()

    def open(self, *, tokenless: bool = False, **options: Any) -> Inbox:
        """Use another inbox from here on."""
        self.inbox = Inbox(
            None if tokenless else self.client,
            self.ledger,
            profile="default",
            host=HOST,
            warn=self.warnings.append,
            clock=self.clock,
            **options,
        )
        self.inbox.url = URL
        return self.inbox

    def record(self, task_id: str | None = "t1", body: dict[str, Any] = BODY) -> str:
        """Record a job that was sent, with its task if it has one."""
        uuid = self.ledger.record(
            profile="default",
            host=HOST,
            kind="imagine",
            path="/midjourney/imagine",
            request=body,
            files_asked=None,
            parent_image=None,
            subject="a cat",
        )
        self.ledger.mark_sent(uuid)
        if task_id is not None:
            self.ledger.mark_running(uuid, task_id)
        return uuid

    def task(self, response: dict[str, Any] | None, task_id: str = "t1") -> None:
        """Put a task at the service; without a response it is running."""
        self.client.tasks_now[task_id] = task_record(task_id, BODY, response)

    def post(self, document: Any) -> int:
        return self.inbox.receive(json.dumps(document).encode())

    def events(self) -> list[Event]:
        """The events since the last call."""
        found = []
        while (event := self.inbox.next(0.001)) is not None:
            found.append(event)
        return found

    @property
    def row(self) -> Job:
        job = self.ledger.nth_newest("default", 1)
        assert job is not None
        return job


@pytest.fixture
def scene(client: FakeClient, jobs: Ledger, clock: FakeClock) -> Scene:
    return Scene(client, jobs, clock)


# -- progress ------------------------------------------------------------------------------------------


def test_progress_is_an_event_and_duplicates_are_reported_once(scene: Scene) -> None:
    scene.record()
    assert [scene.post(STEP), scene.post(STEP), scene.post({**STEP, "progress": 50})] == [OK, OK, OK]
    events = scene.events()
    assert [event.result.progress for event in events] == [40, 50]
    assert events[0]._replace(size=0) == Event("progress", "t1", events[0].result, scene.row, confirmed=False)
    assert (scene.row.state, scene.client.queries) == ("running", [])


@pytest.mark.parametrize(
    "body",
    [b"", b"not JSON", b"[]", b"{}", b'{"task_id": ""}', b"\xff", b'{"task_id": "a\\u001b"}',
     json.dumps({"task_id": "x" * 201}).encode()],
)  # fmt: skip
def test_a_malformed_callback_is_refused(scene: Scene, body: bytes) -> None:
    assert scene.inbox.receive(body) == MALFORMED
    assert scene.inbox.last_received_at is None


def test_a_byte_order_mark_is_ignored(scene: Scene) -> None:
    scene.record()
    assert scene.inbox.receive(b"\xef\xbb\xbf" + json.dumps(STEP).encode()) == OK
    assert len(scene.events()) == 1


# -- ends ----------------------------------------------------------------------------------------------


def test_a_success_is_stored_before_the_response_and_reported_once(scene: Scene) -> None:
    scene.record()
    scene.task(FINAL)
    assert scene.post(FINAL) == OK
    assert (scene.row.state, scene.row.result) == ("done", FINAL)
    assert scene.post(FINAL) == scene.post(STEP) == OK
    (event,) = scene.events()
    assert (event.kind, event.confirmed, event.result.document) == ("success", True, FINAL)
    assert event.job is not None
    assert event.job.state == "done"


def test_the_result_is_what_the_service_returns_and_not_what_the_callback_claims(scene: Scene) -> None:
    scene.record()
    scene.task(FINAL)
    assert scene.post(FORGED) == OK
    assert scene.events()[0].result.document == FINAL
    assert scene.row.result == FINAL


@pytest.mark.parametrize("response", [FAILED, None], ids=["its own object", "without a response"])
def test_a_failure_is_an_event_with_the_error_of_the_service(
    scene: Scene, response: dict[str, Any] | None
) -> None:
    scene.record()
    scene.task(response)
    scene.client.tasks_now["t1"]["error"] = FAILED["error"]
    assert scene.post(FAILED) == OK
    (event,) = scene.events()
    assert (event.kind, event.result.error().code, event.result.task_id) == ("failure", "bad_request", "t1")
    assert scene.row.state == "failed"


def test_an_unconfirmed_end_is_refused_for_now_with_one_warning(scene: Scene) -> None:
    scene.record()
    scene.task(None)
    assert scene.post(FORGED) == scene.post(FORGED) == LATER
    assert scene.events() == []
    assert scene.row.state == "running"
    assert len(scene.warnings) == 1
    assert scene.inbox.outstanding() == {"t1"}
    assert scene.clock.pauses[: len(CONFIRM_PAUSES)] == list(CONFIRM_PAUSES)


def test_a_finished_task_without_a_result_does_not_confirm_a_success(scene: Scene) -> None:
    scene.record()
    scene.task({"success": True})
    assert scene.post(FINAL) == LATER
    assert scene.row.state == "running"


def test_an_end_that_the_service_reports_slightly_later_is_confirmed(scene: Scene) -> None:
    scene.record()
    scene.task(None)
    scene.clock.events.append((CONFIRM_PAUSES[1], lambda: scene.task(FINAL)))
    assert scene.post(FINAL) == OK
    assert len(scene.client.queries) == 2
    assert scene.warnings == []


@pytest.mark.parametrize(
    "failure", [NetworkError("No connection."), ApiError("Down.", code="api_error", status=500)]
)
def test_a_query_that_fails_makes_the_sender_retry(scene: Scene, failure: Exception) -> None:
    scene.record()
    scene.task(FINAL)
    scene.client.task_script = [failure]
    assert scene.post(FINAL) == LATER
    assert len(scene.warnings) == 1
    assert scene.post(FINAL) == OK


def test_a_ledger_that_fails_makes_the_sender_retry(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.record()
    scene.task(FINAL)

    def broken(*_: Any, **__: Any) -> Any:
        raise ConfigError("The ledger cannot be written.")

    with monkeypatch.context() as patch:
        patch.setattr(scene.ledger, "mark_done", broken)
        assert scene.post(FINAL) == LATER
    assert scene.events() == []
    assert "could not be stored: The ledger cannot be written" in scene.warnings[0]
    assert scene.post(FINAL) == OK
    assert len(scene.events()) == 1


# -- trust ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("document", "state"), [(FINAL, "done"), (FAILED, "failed")])
def test_trust_stores_what_the_callback_reports_without_a_query(
    scene: Scene, document: dict[str, Any], state: str
) -> None:
    scene.open(trust=True, tokenless=True)
    scene.record()
    assert scene.post(document) == OK
    (event,) = scene.events()
    assert (event.confirmed, event.result.document) == (False, document)
    assert (scene.row.state, scene.client.queries) == (state, [])


# -- whose task it is ----------------------------------------------------------------------------------


def test_a_task_that_is_not_in_the_ledger_is_ignored(scene: Scene) -> None:
    scene.task(FINAL)
    assert scene.post(FINAL) == OK
    assert (scene.events(), scene.client.queries) == ([], [])
    assert scene.inbox.last_received_at is None


@pytest.mark.parametrize("options", [{"accept_unknown": True}, {"awaited": ["t1"]}])
def test_a_task_that_is_not_in_the_ledger_can_be_accepted(scene: Scene, options: dict[str, Any]) -> None:
    scene.open(**options)
    scene.task(FINAL)
    assert scene.post(FINAL) == OK
    (event,) = scene.events()
    assert (event.kind, event.job) == ("success", None)
    assert scene.inbox.last_received_at == scene.clock.monotonic()


def test_a_callback_may_arrive_before_the_job_has_its_task(scene: Scene) -> None:
    uuid = scene.record(task_id=None)
    scene.clock.events.append((1.0, lambda: scene.ledger.mark_running(uuid, "t1")))
    scene.task(FINAL)
    assert scene.post(FINAL) == OK
    assert scene.row.state == "done"


def test_an_unknown_task_is_waited_for_only_briefly(scene: Scene) -> None:
    scene.record(task_id=None)
    assert scene.post(FINAL) == OK
    assert scene.clock.elapsed == pytest.approx(SUBMIT_SECONDS, abs=0.2)
    assert scene.events() == []


def lose(scene: Scene, body: dict[str, Any] = BODY) -> str:
    uuid = scene.record(task_id=None, body=body)
    scene.ledger.mark_unknown(uuid, None, code="network", message="gone")
    return uuid


def test_a_callback_finds_the_job_whose_response_was_lost(scene: Scene) -> None:
    uuid = lose(scene)
    scene.task(FINAL)
    assert scene.post(FINAL) == OK
    job = scene.ledger.get(uuid)
    assert job is not None
    assert (job.state, job.task_id) == ("done", "t1")


def test_a_callback_of_an_imported_task_finds_the_job_whose_response_was_lost(scene: Scene) -> None:
    uuid = lose(scene)
    scene.task(FINAL)
    task = TaskRecord(scene.client.tasks_now["t1"])
    row = imported_task(task, offset=0.0, now=scene.clock.time())
    assert row is not None
    assert scene.ledger.imported.add("default", HOST, [row]) == 1
    assert scene.post(FINAL) == OK
    (job,) = scene.ledger.newest_first("default")
    assert (job.uuid, job.state, job.task_id) == (uuid, "done", "t1")


@pytest.mark.parametrize(
    "prepare",
    [
        lambda scene: (lose(scene), lose(scene)),
        lambda scene: lose(scene, {**BODY, "prompt": "a dog"}),
        lambda scene: lose(scene, {**BODY, "callback_url": "https://elsewhere.example/"}),
    ],
    ids=["two jobs", "another request", "another callback URL"],
)
def test_a_callback_is_not_assigned_to_a_lost_job_that_may_not_be_its_own(
    scene: Scene, prepare: Callable[[Scene], object]
) -> None:
    prepare(scene)
    scene.task(FINAL)
    assert scene.post(FINAL) == OK
    assert scene.row.state == "unknown"
    assert scene.events() == []


# -- polling -------------------------------------------------------------------------------------------


def test_polling_finds_tasks_whose_callbacks_were_lost(scene: Scene) -> None:
    scene.record("t1")
    scene.record("t2")
    scene.record("t3", {**BODY, "callback_url": "https://elsewhere.example/"})
    assert scene.inbox.outstanding() == {"t1", "t2"}
    scene.task(FINAL, "t1")
    scene.task(None, "t2")
    scene.task(FINAL, "t3")
    scene.inbox.poll()
    assert [(event.task_id, event.confirmed) for event in scene.events()] == [("t1", True)]
    assert scene.inbox.outstanding() == {"t2"}
    scene.inbox.poll()
    assert scene.events() == []


def test_an_unconfirmed_end_is_polled_until_the_service_reports_it(scene: Scene) -> None:
    scene.open(awaited=["t1"])
    scene.task(None)
    assert scene.post(FINAL) == LATER
    scene.task(FINAL)
    scene.inbox.poll()
    assert [event.kind for event in scene.events()] == ["success"]
    assert scene.inbox.outstanding() == set()


def test_a_closed_inbox_does_not_wait(scene: Scene) -> None:
    scene.record()
    scene.task(None)
    scene.inbox.close()
    assert scene.post(FINAL) == LATER
    assert scene.clock.pauses == []


# -- limits --------------------------------------------------------------------------------------------

ROOM = 2 * EVENT_BYTES + 1000  # for two small events


def test_an_end_without_room_is_read_from_the_ledger_in_its_turn(scene: Scene) -> None:
    scene.open(held_bytes=ROOM)
    for name in ("t1", "t2", "t3", "t4"):
        scene.record(name)
        scene.task({**FINAL, "task_id": name}, name)
        assert scene.post({**FINAL, "task_id": name}) == OK
    events = scene.events()
    assert [event.result.document for event in events] == [
        {**FINAL, "task_id": name} for name in ("t1", "t2", "t3", "t4")
    ]
    assert [event.size > 0 for event in events] == [True, True, False, False]


def test_a_failure_without_room_is_read_from_the_ledger(scene: Scene) -> None:
    scene.open(held_bytes=0)
    scene.record()
    scene.task(FAILED)
    assert scene.post(FAILED) == OK
    (event,) = scene.events()
    assert (event.kind, event.result.error().message) == ("failure", "no")


def test_what_is_not_in_the_ledger_is_refused_until_there_is_room(scene: Scene) -> None:
    scene.open(held_bytes=ROOM, accept_unknown=True)
    for number in range(3):
        scene.task({**FINAL, "task_id": f"u{number}"}, f"u{number}")
    assert scene.post({"task_id": "p1", "progress": 1}) == OK
    assert scene.post({**FINAL, "task_id": "u0"}) == OK
    before = len(scene.client.queries)
    assert scene.post({"task_id": "p2", "progress": 1}) == LATER
    assert scene.post({**FINAL, "task_id": "u1"}) == LATER
    assert len(scene.client.queries) == before
    for event in scene.events():
        scene.inbox.release(event.size)
    assert scene.post({**FINAL, "task_id": "u1"}) == OK
    assert [event.task_id for event in scene.events()] == ["u1"]
    assert scene.warnings == []


def test_forged_callbacks_of_unknown_tasks_do_not_occupy_every_worker(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.open(accept_unknown=True)
    scene.record()
    scene.task(FINAL)
    over, query = threading.Event(), scene.client.task

    def slow(task_id: str, **more: Any) -> Any:
        if task_id.startswith("forged"):
            over.wait(20)
        return query(task_id, **more)

    monkeypatch.setattr(scene.client, "task", slow)
    with ThreadPoolExecutor(WORKERS) as workers:
        forged = [workers.submit(scene.post, {**FINAL, "task_id": f"forged{n}"}) for n in range(100)]
        try:
            assert workers.submit(scene.post, FINAL).result(10) == OK
        finally:
            over.set()
        assert {each.result() for each in forged} == {LATER}
    assert scene.inbox.outstanding() == set()  # forged tasks are not polled


def test_many_callbacks_that_report_the_same_end_cost_one_confirmation(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.record()
    scene.task(None)
    over, query = threading.Event(), scene.client.task

    def slow(task_id: str, **more: Any) -> Any:
        over.wait(20)
        return query(task_id, **more)

    monkeypatch.setattr(scene.client, "task", slow)
    with ThreadPoolExecutor(20) as workers:
        forged = [workers.submit(scene.post, FORGED) for _ in range(20)]
        while len(scene.inbox._turns) == 0 or scene.inbox._lane._value > SHARED_WORKERS - 19:
            over.wait(0.01)
        over.set()
        assert {each.result() for each in forged} == {LATER}
    assert len(scene.client.queries) == len(CONFIRM_PAUSES)


def test_the_receiver_has_workers_that_forged_callbacks_cannot_occupy() -> None:
    assert WORKERS - SHARED_WORKERS >= 8


def test_a_mailbox_that_is_full_refuses_callbacks_for_now() -> None:
    box = Mailbox()
    statuses = [
        box.receive(json.dumps({**STEP, "progress": n}).encode()) for n in range(MAILBOX_CALLBACKS + 1)
    ]
    assert statuses == [OK] * MAILBOX_CALLBACKS + [LATER]
    assert box.wait(0.001) is not None
    assert box.receive(json.dumps(FINAL).encode()) == OK


# -- mailbox and receiver ------------------------------------------------------------------------------


def test_a_mailbox_returns_callbacks_in_order() -> None:
    box = Mailbox()
    assert [box.receive(json.dumps(each).encode()) for each in (STEP, FINAL)] == [OK, OK]
    assert box.receive(b"not JSON") == MALFORMED
    first, second = box.wait(0.001), box.wait(0.001)
    assert first is not None
    assert second is not None
    assert (first.document, second.document) == (STEP, FINAL)
    assert box.wait(0.001) is None


def test_each_mailbox_has_its_own_url() -> None:
    with (
        mailbox(host="127.0.0.1", port=0, public_url=None) as first,
        mailbox(host="127.0.0.1", port=0, public_url="https://example.com/hook/") as second,
    ):
        assert first.url.startswith("http://127.0.0.1:")
        assert second.url.startswith("https://example.com/hook/")
        assert first.url.rpartition("/")[2] != second.url.rpartition("/")[2]


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://example.com", "https://", "https://h/?a=1", "https://h/#a", "https://h:0x/",
     "https://h/a b", "https://h/\x1b", "http://["],
)  # fmt: skip
def test_an_invalid_public_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--public-url"):
        open_receiver(lambda _: OK, host="127.0.0.1", port=0, public_url=url)


def test_a_host_that_cannot_be_bound_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r'"nowhere\.invalid", port 0: not an address of this machine'):
        open_receiver(lambda _: OK, host="nowhere.invalid", port=0, public_url=None)

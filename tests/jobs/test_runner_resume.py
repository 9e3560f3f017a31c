"""Jobs that are resumed, interrupted, or whose ledger fails, with a scripted client and clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mjcli.errors import ApiError, ConfigError, ExitCode, Interrupted, LostResponse, MjError, StillRunning
from mjcli.jobs.runner import UNSEEN_POLLS_LATER
from tests.jobs.scene import BODY, FINAL, HOST, STEP, Scene

SIGHUP, SIGINT, SIGTERM = (code - 128 for code in (ExitCode.SIGHUP, ExitCode.SIGINT, ExitCode.SIGTERM))

# -- resuming ------------------------------------------------------------------------------------------


def test_resuming_an_unsent_job_sends_it(scene: Scene) -> None:
    scene.record()
    scene.client.responses = [[STEP, FINAL]]
    assert scene.resume().result.document == FINAL
    assert scene.client.bodies == [BODY]
    assert scene.row.state == "done"


@pytest.mark.parametrize("state", ["submitting", "unknown"])
def test_resuming_a_lost_job_searches_for_it(scene: Scene, state: str) -> None:
    uuid = scene.record()
    scene.ledger.mark_sent(uuid)
    if state == "unknown":
        scene.ledger.mark_unknown(uuid, None, code="network", message="gone")
    scene.task(response=FINAL)
    assert scene.resume().task_id == "t1"
    assert scene.client.bodies == []
    assert scene.row.state == "done"


def test_resuming_an_old_lost_job_searches_once(scene: Scene) -> None:
    scene.ledger.mark_sent(scene.record())
    scene.clock.elapsed += 3600
    with pytest.raises(LostResponse):
        scene.resume()
    assert scene.client.searches == 1
    assert scene.row.state == "unknown"


def test_an_unsent_job_that_was_assigned_a_task_is_followed_and_never_sent(scene: Scene) -> None:
    assert scene.ledger.adopt(scene.record(), HOST, "t1")
    scene.task(response=FINAL)
    assert scene.resume().result.document == FINAL
    assert scene.client.bodies == []


@pytest.mark.parametrize("state", ["running", "unknown"])
def test_resuming_a_job_with_a_task_follows_it(scene: Scene, state: str) -> None:
    uuid = scene.record()
    scene.ledger.mark_sent(uuid)
    scene.ledger.mark_running(uuid, "t1")
    if state == "unknown":
        scene.ledger.mark_unknown(uuid, "t1", code="network", message="gone")
    scene.task()
    scene.finish_at(5)
    assert scene.resume().result.document == FINAL
    assert (scene.client.bodies, scene.client.searches) == ([], 0)
    assert scene.observer.named("sent") == [None]


def test_an_old_task_that_the_service_does_not_know_is_unknown_after_a_few_polls(scene: Scene) -> None:
    uuid = scene.record()
    scene.ledger.mark_sent(uuid)
    scene.ledger.mark_running(uuid, "t1")
    scene.clock.elapsed += 3600
    with pytest.raises(LostResponse) as caught:
        scene.resume()
    assert caught.value.task_id == "t1"
    assert len(scene.client.queries) == UNSEEN_POLLS_LATER
    assert scene.row.state == "unknown"


def test_resuming_a_done_job_returns_its_result_without_a_request(scene: Scene) -> None:
    uuid = scene.record()
    scene.ledger.mark_done(uuid, FINAL, image_id="i1")
    assert scene.resume().result.document == FINAL
    assert (len(scene.client.bodies), len(scene.client.queries)) == (0, 0)


def test_resuming_a_failed_job_raises_its_failure(scene: Scene) -> None:
    uuid = scene.record()
    scene.ledger.mark_sent(uuid)
    scene.ledger.mark_failed(uuid, code="bad_request", message="no")
    with pytest.raises(ApiError, match="no"):
        scene.resume()
    assert scene.client.bodies == []


def test_resuming_an_interrupted_job_sends_it(scene: Scene) -> None:
    scene.client.responses = [["never connected", Interrupted(SIGINT)], [FINAL]]
    scene.fails(Interrupted)
    assert scene.row.state == "failed"
    assert scene.resume().result.document == FINAL
    assert scene.row.state == "done"
    assert len(scene.client.bodies) == 1


def test_a_job_that_was_given_up_is_not_sent(scene: Scene) -> None:
    scene.ledger.give_up(scene.record())
    with pytest.raises(MjError, match="Given up by the user"):
        scene.resume()
    assert scene.client.bodies == []


def test_a_job_that_another_process_is_sending_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = scene.record()
    monkeypatch.setattr(scene.ledger.locks, "acquire", lambda _number: False)
    scene.task(response=FINAL)
    scene.clock.events.append((1.0, lambda: scene.ledger.mark_sent(uuid)))
    scene.clock.events.append((2.0, lambda: scene.ledger.mark_running(uuid, "t1")))
    assert scene.resume().task_id == "t1"
    assert "Another mj process is sending this job" in scene.observer.named("notice")[0]
    assert scene.client.bodies == []


def test_waiting_for_another_process_ends_at_the_deadline(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.record()
    monkeypatch.setattr(scene.ledger.locks, "acquire", lambda _number: False)
    with pytest.raises(StillRunning, match="Another mj process"):
        scene.resume(timeout=5.0)
    assert scene.clock.elapsed == pytest.approx(5, abs=0.3)
    assert scene.row.unsent


def test_a_job_that_another_process_sends_first_is_followed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = scene.record()
    mark_sent = scene.ledger.mark_sent

    def too_late(_uuid: str, **_more: object) -> bool:
        mark_sent(uuid)
        scene.ledger.mark_running(uuid, "t1")
        return mark_sent(uuid)

    monkeypatch.setattr(scene.ledger, "mark_sent", too_late)
    scene.task(response=FINAL)
    scene.client.responses = [[FINAL]]
    assert scene.resume().task_id == "t1"
    assert scene.client.bodies == []


def test_the_lock_is_released_after_resuming(scene: Scene) -> None:
    scene.record()
    scene.client.responses = [[FINAL]]
    scene.resume()
    assert not scene.ledger.locks.is_locked(scene.row.number)


# -- a ledger that fails -------------------------------------------------------------------------------


def broken(*_: Any, **__: Any) -> Any:
    raise ConfigError("The ledger cannot be written.")


WRITES = ("mark_sent", "mark_unsent", "mark_running", "mark_done", "mark_failed", "mark_unknown")


def test_if_the_ledger_fails_before_the_request_nothing_is_sent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.ledger, "mark_sent", broken)
    scene.client.responses = [[FINAL]]
    assert scene.fails(ConfigError).job is None
    assert scene.client.bodies == []
    assert (scene.row.state, scene.row.sent_at) == ("failed", None)


def test_if_the_ledger_keeps_failing_the_error_names_the_queued_job(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in WRITES:
        monkeypatch.setattr(scene.ledger, name, broken)
    scene.client.responses = [[FINAL]]
    assert scene.fails(ConfigError).job == scene.row.uuid[:8]
    assert scene.client.bodies == []
    assert scene.row.unsent


@pytest.mark.parametrize("name", ["mark_running", "mark_done"])
def test_if_the_ledger_fails_after_the_request_the_job_continues(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(scene.ledger, name, broken)
    scene.client.responses = [[STEP, FINAL]]
    outcome = scene.run()
    assert (outcome.task_id, outcome.uuid, outcome.job) == ("t1", None, None)
    assert outcome.result.document == FINAL
    assert len(scene.observer.named("warning")) == 1


# -- interruptions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "state"),
    [(SIGINT, "failed"), (SIGTERM, "submitting"), (SIGHUP, "submitting")],
)
def test_an_interruption_before_the_request_leaves_nothing_sent(
    scene: Scene, number: int, state: str
) -> None:
    """Ctrl-C marks the job failed; the end of a session leaves it queued."""
    scene.client.responses = [["never connected", Interrupted(number)]]
    stop = scene.fails(Interrupted)
    assert (stop.sent, stop.task_id, stop.job) == (False, None, scene.row.uuid[:8])
    assert (scene.row.state, scene.row.sent_at) == (state, None)


def test_an_interruption_after_the_request_leaves_the_job_to_be_searched_for(scene: Scene) -> None:
    scene.client.responses = [[Interrupted(SIGINT)]]
    stop = scene.fails(Interrupted)
    assert (stop.sent, stop.task_id, stop.job) == (True, None, scene.row.uuid[:8])
    assert scene.row.state == "submitting"
    assert scene.row.sent_at is not None


def test_an_interruption_after_the_task_id_names_the_task(scene: Scene) -> None:
    scene.client.responses = [[STEP, Interrupted(SIGINT)]]
    stop = scene.fails(Interrupted)
    assert (stop.sent, stop.task_id, stop.job) == (True, "t1", "t1")
    assert scene.row.state == "running"


Interruption = Callable[[Scene], list[Any]]


@pytest.mark.parametrize(
    "moment",
    [
        lambda _scene: ["never connected", Interrupted(SIGTERM)],
        lambda scene: [lambda: scene.task(response=FINAL), Interrupted(SIGTERM)],
        lambda scene: [lambda: scene.task(response=FINAL), STEP, Interrupted(SIGTERM)],
    ],
    ids=["before the request", "after the request", "after the task id"],
)
def test_a_job_interrupted_at_any_moment_is_resumed_with_one_request_in_total(
    scene: Scene, moment: Interruption
) -> None:
    scene.client.responses = [moment(scene), [FINAL]]
    scene.fails(Interrupted)
    assert scene.resume().result.document == FINAL
    assert len(scene.client.bodies) == 1
    assert scene.row.state == "done"

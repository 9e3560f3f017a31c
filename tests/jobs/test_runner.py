"""A job from request to result, with a scripted client and a clock that only pauses move."""

from __future__ import annotations

import pytest

from mjcli.errors import ApiError, Interrupted, LostResponse, NetworkError, StillRunning
from mjcli.jobs.recover import SEARCH_PAUSES
from mjcli.jobs.runner import Runner
from tests.jobs.fakes import FakeCallbacks
from tests.jobs.scene import FAILED, FINAL, HOST, ORDER, STEP, Scene
from tests.support.stops import wait_and_be_stopped

# -- sending -------------------------------------------------------------------------------------------


def test_a_job_is_recorded_then_sent_then_stored_as_done(scene: Scene) -> None:
    states: list[tuple[str, bool]] = []

    def note() -> None:
        states.append((scene.row.state, scene.row.unsent))

    scene.client.responses = [[note, STEP, note, FINAL]]
    outcome = scene.run()
    assert states == [("submitting", False), ("running", False)]
    assert (outcome.uuid, outcome.task_id, outcome.job) == (scene.row.uuid, "t1", "t1")
    assert outcome.result.document == FINAL
    assert (scene.row.state, scene.row.result, scene.row.image_id) == ("done", FINAL, "i1")
    assert scene.client.queries == []


def test_the_task_id_is_in_the_ledger_before_it_is_reported(scene: Scene) -> None:
    stored: list[str | None] = []
    scene.observer.on["accepted"] = lambda: stored.append(scene.row.task_id)
    scene.client.responses = [[STEP, FINAL]]
    scene.run()
    assert stored == ["t1"]


def test_the_final_object_is_not_an_event_but_an_earlier_final_one_is(scene: Scene) -> None:
    first = {**FINAL, "image_id": "early"}
    scene.client.responses = [[STEP, first, FINAL]]
    assert scene.run().result.id == "i1"
    assert scene.observer.named("event") == [STEP, first]


def test_a_plain_response_is_the_result(scene: Scene) -> None:
    scene.client.responses = [[FINAL]]
    assert scene.run(ORDER._replace(stream=False)).result.document == FINAL
    assert (scene.row.state, scene.row.task_id) == ("done", "t1")


def test_the_first_of_two_task_ids_is_used_and_one_warning_is_given(scene: Scene) -> None:
    scene.client.responses = [[STEP, {**STEP, "task_id": "t2"}, {**FINAL, "task_id": "t3"}]]
    assert scene.run().task_id == "t1"
    assert scene.row.task_id == "t1"
    assert len(scene.observer.named("warning")) == 1


def test_a_job_without_a_ledger_has_no_row_and_no_name(scene: Scene) -> None:
    scene.client.responses = [[FINAL]]
    runner = Runner(scene.client, None, profile="default", host=HOST, clock=scene.clock)
    outcome = runner.run(ORDER, scene.observer)
    assert (outcome.uuid, outcome.job, outcome.task_id) == (None, None, "t1")
    assert list(scene.ledger.newest_first("default")) == []


def test_a_job_without_a_ledger_and_without_a_response_is_searched_for(scene: Scene) -> None:
    scene.client.responses = [[lambda: scene.task("t1", FINAL), LostResponse("Reset.")]]
    runner = Runner(scene.client, None, profile="default", host=HOST, clock=scene.clock)
    assert runner.run(ORDER, scene.observer).task_id == "t1"


# -- retries and refusals ------------------------------------------------------------------------------


def test_a_refused_request_counts_as_unsent_until_the_retry(scene: Scene) -> None:
    unsent: list[bool] = []
    scene.observer.on["notice"] = lambda: unsent.append(scene.row.unsent)
    scene.client.responses = [["rate limited", "no connection", FINAL]]
    scene.run()
    assert unsent == [True, True]
    assert "Retrying in 1.0 s" in scene.observer.named("notice")[0]
    assert scene.row.state == "done"
    assert scene.row.sent_at is not None


def test_an_interruption_between_retries_leaves_nothing_sent(scene: Scene) -> None:
    scene.client.responses = [["rate limited", "never connected", Interrupted(15)]]
    stop = scene.fails(Interrupted)
    assert not stop.sent
    assert scene.row.unsent


@pytest.mark.parametrize("stream", [True, False])
def test_an_interruption_that_the_release_of_a_lock_hides_leaves_with_the_facts(
    scene: Scene, stream: bool
) -> None:
    scene.client.responses = [[STEP, wait_and_be_stopped]]
    stop = scene.fails(Interrupted, ORDER._replace(stream=stream))
    assert (stop.sent, stop.task_id) == (True, "t1" if stream else None)
    assert scene.row.state in ("submitting", "running")


def test_a_request_without_a_connection_fails_the_job(scene: Scene) -> None:
    scene.client.responses = [["never connected", NetworkError("No connection.")]]
    scene.fails(NetworkError)
    assert (scene.row.state, scene.row.sent_at, scene.client.bodies) == ("failed", None, [])


def test_a_refusal_fails_the_job(scene: Scene) -> None:
    scene.client.responses = [[ApiError("No credit.", code="used_up", status=403)]]
    assert scene.fails(ApiError).code == "used_up"
    assert (scene.row.state, scene.row.error) == ("failed", {"code": "used_up", "message": "No credit."})


def test_a_failed_result_fails_the_job(scene: Scene) -> None:
    scene.client.responses = [[STEP, FAILED]]
    error = scene.fails(ApiError)
    assert (error.task_id, error.accepted) == ("t1", True)
    assert scene.row.state == "failed"
    assert scene.client.queries == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("response", "task_id"),
    [
        ([ApiError("no", code="forbidden", status=403, accepted=True, task_id="t1")], "t1"),
        ([ApiError("no", code="forbidden", accepted=True)], None),
    ],
)
def test_an_accepted_job_that_failed_is_not_sendable(
    scene: Scene, response: list[ApiError], task_id: str | None, stream: bool
) -> None:
    scene.client.responses = [[*response]]
    scene.fails(ApiError, ORDER._replace(stream=stream))
    assert (scene.row.state, scene.row.task_id) == ("failed", task_id)
    assert not scene.row.never_accepted
    failure = scene.row.failure()
    assert isinstance(failure, ApiError)
    assert failure.accepted


def test_progress_without_a_task_id_proves_that_a_failed_job_was_accepted(scene: Scene) -> None:
    failure = {"success": False, "error": {"code": "api_error", "message": "no"}}
    scene.client.responses = [[{"progress": 10}, failure]]
    scene.fails(ApiError)
    assert (scene.row.state, scene.row.task_id) == ("failed", None)
    assert not scene.row.never_accepted


def test_a_refused_job_is_sendable(scene: Scene) -> None:
    scene.client.responses = [[ApiError("no", code="used_up", status=403)]]
    scene.fails(ApiError)
    assert scene.row.never_accepted


def test_a_timeout_of_the_upstream_service_is_a_lost_response(scene: Scene) -> None:
    scene.finish_at(5)
    scene.task()
    scene.client.responses = [
        [STEP, {"task_id": "t1", "success": False, "error": {"code": "timeout", "message": "late"}}]
    ]
    assert scene.run().result.document == FINAL
    assert len(scene.client.bodies) == 1


# -- lost responses ------------------------------------------------------------------------------------


def test_a_stream_that_breaks_after_the_task_id_is_followed(scene: Scene) -> None:
    scene.task()
    scene.finish_at(4)
    scene.client.responses = [[STEP, LostResponse("Reset.")]]
    assert scene.run().result.document == FINAL
    assert (scene.client.searches, len(scene.client.bodies)) == (0, 1)
    assert scene.row.state == "done"


def test_a_stream_that_ends_without_a_final_object_is_followed(scene: Scene) -> None:
    scene.task(response=FINAL)
    scene.client.responses = [[STEP]]
    assert scene.run().result.document == FINAL
    assert scene.client.queries == ["t1"]


def test_a_break_after_the_final_object_does_not_matter(scene: Scene) -> None:
    scene.client.responses = [[STEP, FINAL, LostResponse("Reset.")]]
    assert scene.run().result.document == FINAL
    assert scene.client.queries == []


def test_an_error_with_a_task_id_is_followed_without_a_search(scene: Scene) -> None:
    scene.task(response=FINAL)
    scene.client.responses = [[LostResponse("Timed out.", task_id="t1")]]
    assert scene.run().task_id == "t1"
    assert scene.client.searches == 0
    assert scene.observer.named("accepted") == ["t1"]


def test_a_stream_that_breaks_before_the_task_id_is_searched_for(scene: Scene) -> None:
    scene.finish_at(3)
    scene.client.responses = [[scene.task, LostResponse("Reset.")]]
    outcome = scene.run()
    assert (outcome.task_id, outcome.result.document) == ("t1", FINAL)
    assert scene.client.searches == 1
    assert (scene.row.state, scene.row.task_id) == ("done", "t1")
    assert len(scene.client.bodies) == 1


def test_a_task_that_appears_late_is_found(scene: Scene) -> None:
    scene.clock.events.append((SEARCH_PAUSES[1], lambda: scene.task(response=FINAL)))
    scene.client.responses = [[LostResponse("Reset.")]]
    assert scene.run().task_id == "t1"
    assert scene.client.searches == 2


def test_a_task_is_found_even_if_the_clock_was_set_back_after_the_request(scene: Scene) -> None:
    def lose() -> None:
        scene.task(response=FINAL)
        scene.clock.offset, scene.client.offset = -7200.0, 7200.0

    scene.client.responses = [[lose, LostResponse("Reset.")]]
    assert scene.run().task_id == "t1"


def test_a_lost_response_without_a_matching_task_is_unknown(scene: Scene) -> None:
    scene.client.responses = [[LostResponse("Reset.", trace_id="trace")]]
    error = scene.fails(LostResponse)
    assert (error.task_id, error.job, error.trace_id) == (None, scene.row.uuid[:8], "trace")
    assert (
        error.message
        == "The response was lost and no matching task was found. The job may have been accepted and billed."
    )
    assert scene.row.state == "unknown"
    assert scene.client.searches == len(SEARCH_PAUSES)
    assert len(scene.client.bodies) == 1


def test_a_search_that_is_refused_is_the_cause_of_the_error(scene: Scene) -> None:
    refusal = ApiError("Too old.", code="token_expired", status=401)
    scene.client.search_script = [refusal] * len(SEARCH_PAUSES)
    scene.client.responses = [[LostResponse("Reset.")]]
    assert scene.fails(LostResponse).__cause__ is refusal


def test_of_several_matching_tasks_none_is_assigned(scene: Scene) -> None:
    def lose() -> None:
        scene.task("t1")
        scene.task("t2")

    scene.client.responses = [[lose, LostResponse("Reset.")]]
    error = scene.fails(LostResponse)
    assert set(error.candidates) == {"t1", "t2"}
    assert error.job == scene.row.uuid[:8]
    assert (scene.row.state, scene.row.task_id) == ("unknown", None)


def test_a_request_that_was_not_sent_yet_owns_no_task(scene: Scene) -> None:
    scene.record()
    scene.client.responses = [[lambda: scene.task(response=FINAL), LostResponse("Reset.")]]
    assert scene.run().task_id == "t1"


def test_a_task_that_another_process_may_own_is_not_assigned(scene: Scene) -> None:
    other = scene.record()
    scene.ledger.mark_sent(other)
    scene.client.responses = [[scene.task, LostResponse("Reset.")]]
    error = scene.fails(LostResponse)
    assert "another mj process is sending the same request" in error.message
    assert (scene.row.state, scene.row.task_id) == ("unknown", None)
    assert scene.row.uuid != other


def test_a_task_is_assigned_once_the_other_process_has_its_own(scene: Scene) -> None:
    other = scene.record()
    scene.ledger.mark_sent(other)
    scene.clock.events.append((1.0, lambda: scene.ledger.mark_running(other, "t0")))
    scene.client.responses = [[lambda: scene.task(response=FINAL), LostResponse("Reset.")]]
    assert scene.run().task_id == "t1"


def test_a_done_task_without_an_image_is_unknown(scene: Scene) -> None:
    scene.task(response={"success": True})
    scene.client.responses = [[STEP, LostResponse("Reset.")]]
    error = scene.fails(LostResponse)
    assert error.task_id == "t1"
    assert "will be billed if it succeeds" in error.message
    assert (scene.row.state, scene.row.task_id) == ("unknown", "t1")


def test_a_task_that_failed_after_a_lost_response_fails_the_job(scene: Scene) -> None:
    scene.task(response=FAILED)
    scene.client.responses = [[STEP, LostResponse("Reset.")]]
    assert scene.fails(ApiError).code == "bad_request"
    assert scene.row.state == "failed"


# -- deadlines -----------------------------------------------------------------------------------------


def test_at_the_deadline_the_job_is_still_running_and_can_be_resumed(scene: Scene) -> None:
    scene.task()
    scene.client.responses = [[STEP, LostResponse("Reset.")]]
    error = scene.fails(StillRunning, ORDER._replace(timeout=20.0))
    assert (error.task_id, error.job) == ("t1", "t1")
    assert error.message.endswith("The job was accepted and will be billed if it succeeds.")
    assert scene.clock.elapsed == pytest.approx(20)
    assert scene.row.state == "running"


def test_a_deadline_before_the_task_id_allows_one_search(scene: Scene) -> None:
    def expire() -> None:
        scene.task()
        scene.clock.elapsed += 20

    scene.client.responses = [[expire, StillRunning("The deadline passed.")]]
    error = scene.fails(StillRunning, ORDER._replace(timeout=20.0))
    assert (error.task_id, error.job, scene.client.searches) == ("t1", "t1", 1)
    assert (scene.row.state, scene.row.task_id) == ("running", "t1")


def test_a_deadline_without_a_task_is_unknown(scene: Scene) -> None:
    def expire() -> None:
        scene.clock.elapsed += 20

    scene.client.responses = [[expire, StillRunning("The deadline passed.")]]
    error = scene.fails(LostResponse, ORDER._replace(timeout=20.0))
    assert (error.code, scene.client.searches, scene.row.state) == ("network", 1, "unknown")


# -- task ids and callbacks ----------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_with_at_once_the_task_id_is_enough(scene: Scene, stream: bool) -> None:
    scene.client.responses = [[{"task_id": "t1"}]]
    outcome = scene.run(ORDER._replace(at_once=True, stream=stream))
    assert (outcome.task_id, outcome.result.document) == ("t1", {"task_id": "t1"})
    assert (scene.row.state, scene.client.queries) == ("running", [])


def test_with_at_once_a_lost_task_id_is_searched_for(scene: Scene) -> None:
    scene.client.responses = [[scene.task, LostResponse("Reset.")]]
    outcome = scene.run(ORDER._replace(at_once=True))
    assert outcome.result.document == {"task_id": "t1"}
    assert (scene.row.state, scene.row.task_id, scene.client.queries) == ("running", "t1", [])


def test_with_at_once_a_finished_result_is_stored(scene: Scene) -> None:
    scene.client.responses = [[FINAL]]
    scene.run(ORDER._replace(at_once=True))
    assert scene.row.state == "done"


def test_with_callbacks_the_end_is_confirmed_by_a_query(scene: Scene) -> None:
    scene.task()
    scene.finish_at(3)
    callbacks = FakeCallbacks(scene.clock, (1, STEP), (2, FINAL))
    scene.client.responses = [[{"task_id": "t1"}]]
    assert scene.run(ORDER._replace(callbacks=callbacks)).result.document == FINAL
    assert scene.client.queries == ["t1"]
    assert scene.observer.named("progress") == [40]

"""Silent streams and last queries: no job is reported as running without a query that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mjcli.api import Hooks, Result
from mjcli.errors import ApiError, LostResponse, NetworkError, StillRunning
from mjcli.jobs.runner import Runner
from tests.jobs.fakes import FakeClient, FakeClock
from tests.jobs.scene import FAILED, FINAL, HOST, ORDER, STEP, Scene


class SilentClient(FakeClient):
    """Its streams become silent after their last step: 45 seconds pass between two calls of the hook."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.stays_open = True
        self.silences = 0

    def stream(
        self, path: str, body: Mapping[str, Any], *, deadline: float | None = None, hooks: Hooks | None = None
    ) -> Iterator[Result]:
        hooks = hooks or Hooks()
        yield from self._respond(body, hooks)
        if not self.stays_open:
            return
        while deadline is None or self.clock.monotonic() + 45 < deadline:
            self.clock.sleep(45)
            self.silences += 1
            if hooks.silent():
                return
        self.clock.sleep(deadline - self.clock.monotonic())
        raise StillRunning("The deadline passed before the job finished.")


@pytest.fixture
def client(clock: FakeClock) -> SilentClient:
    return SilentClient(clock)


def test_a_silent_stream_ends_when_the_task_has(scene: Scene, client: SilentClient) -> None:
    scene.client.responses = [[STEP]]
    scene.task()
    scene.finish_at(100)
    assert scene.run().result.document == FINAL
    assert client.silences == 3
    assert scene.clock.elapsed == 135
    assert scene.row.state == "done"


def test_a_task_that_failed_ends_a_silent_stream_as_well(scene: Scene, client: SilentClient) -> None:
    scene.client.responses = [[STEP]]
    scene.task(response=FAILED)
    scene.fails(ApiError)
    assert client.silences == 1
    assert scene.row.state == "failed"


@pytest.mark.parametrize(
    "fault", [None, NetworkError("No."), LostResponse("No."), ApiError("No.", code="forbidden", status=403)]
)
def test_a_query_that_finds_nothing_does_not_end_a_silent_stream(
    scene: Scene, client: SilentClient, fault: Any
) -> None:
    scene.client.responses = [[STEP]]
    scene.client.task_script = [fault]
    scene.task(response=FINAL)
    assert scene.run().result.document == FINAL
    assert client.silences == 2


def test_the_task_of_a_stream_that_is_silent_from_the_start_is_searched_for(
    scene: Scene, client: SilentClient
) -> None:
    scene.client.responses = [[]]
    scene.task()
    scene.finish_at(100)
    assert scene.run(ORDER._replace(timeout=300.0)).result.document == FINAL
    assert (scene.client.searches, len(scene.client.bodies)) == (1, 1)
    assert client.silences == 3


def test_a_silent_stream_whose_task_is_not_found_is_waited_for(scene: Scene, client: SilentClient) -> None:
    scene.client.responses = [[]]
    scene.client.search_script = [NetworkError("No."), None]
    scene.clock.events.append((50, lambda: scene.task(response=FINAL, created_at=scene.clock.time() - 50)))
    assert scene.run(ORDER._replace(timeout=300.0)).result.document == FINAL
    assert (client.silences, len(scene.client.bodies)) == (2, 1)


def test_a_task_that_ended_during_the_last_silence_is_found_at_the_deadline(
    scene: Scene, client: SilentClient
) -> None:
    scene.client.responses = [[STEP]]
    scene.task()
    scene.finish_at(95)
    assert scene.run(ORDER._replace(timeout=100.0)).result.document == FINAL
    assert scene.clock.elapsed == 100


def test_a_task_that_runs_on_is_7_after_a_last_query(scene: Scene, client: SilentClient) -> None:
    scene.client.responses = [[STEP]]
    scene.task()
    scene.fails(StillRunning, ORDER._replace(timeout=100.0))
    assert len(scene.client.queries) == 3
    assert scene.row.state == "running"


def test_a_task_that_ends_just_before_the_deadline_is_done(scene: Scene, client: SilentClient) -> None:
    client.stays_open = False
    scene.client.responses = [[STEP, LostResponse("Reset.")]]
    scene.task()
    scene.finish_at(9.9)
    assert scene.run(ORDER._replace(timeout=10.0)).result.document == FINAL


def test_a_resume_without_time_makes_one_query(scene: Scene, client: SilentClient) -> None:
    client.stays_open = False
    scene.client.responses = [[STEP, LostResponse("Reset.")]]
    scene.task()
    scene.fails(StillRunning, ORDER._replace(timeout=5.0))
    queries = len(scene.client.queries)
    scene.task(response=FINAL)
    assert scene.resume(timeout=0.0).result.document == FINAL
    assert len(scene.client.queries) == queries + 1


def test_the_offset_of_the_services_clock_is_stored_when_the_response_begins(
    scene: Scene, client: SilentClient
) -> None:
    offsets: list[tuple[str, float]] = []

    class Noted:
        """A ledger that stores the offset."""

        def __init__(self, ledger: Any) -> None:
            self.ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self.ledger, name)

        def set_clock_offset(self, uuid: str, offset: float) -> None:
            offsets.append((uuid, offset))

    def responded() -> None:
        scene.client.offset = 3600.0

    client.stays_open = False
    scene.client.responses = [[responded, LostResponse("Reset.")]]
    scene.task(response=FINAL, created_at=scene.clock.time() + 3600)
    runner = Runner(scene.client, Noted(scene.ledger), profile="default", host=HOST, clock=scene.clock)  # type: ignore[arg-type]
    outcome = runner.run(ORDER, scene.observer)
    assert offsets == [(outcome.uuid, 3600.0)]


def test_a_result_without_progress_counts_when_the_task_is_not_known(
    scene: Scene, client: SilentClient
) -> None:
    client.stays_open = False
    result = {"task_id": "t1", "success": True, "raw_image_url": "https://h/cat.png"}
    scene.client.responses = [[result]]
    assert scene.run().result.document == result
    assert scene.client.queries
    assert scene.row.state == "done"


def test_a_result_without_progress_is_not_the_end_while_the_task_runs(
    scene: Scene, client: SilentClient
) -> None:
    client.stays_open = False
    scene.client.responses = [[{"task_id": "t1", "success": True, "raw_image_url": "https://h/early.png"}]]
    scene.task()
    scene.finish_at(20)
    assert scene.run().result.document == FINAL

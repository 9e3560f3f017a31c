"""Many tasks that are followed together. The clock moves only when the poller waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import pytest

from mjcli.api import TaskRecord
from mjcli.errors import ApiError, LostResponse, NetworkError, StillRunning
from mjcli.jobs.poller import CHUNK, PERIOD, UNSEEN_SECONDS, Poller
from tests.jobs.fakes import FakeClient, FakeClock, Recorder
from tests.support.service import task_record

SOON = 10.0  # real seconds
OUTAGE = 600.0  # seconds that the tasks endpoint may be out of reach
RESULT: dict[str, Any] = {
    "success": True,
    "image_id": "i",
    "raw_image_url": "https://h/i.png",
    "progress": 100,
}


class GatedClock(FakeClock):
    """A clock that stands still until it may run, so that many threads can begin to wait at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.may_run = threading.Event()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        assert self.may_run.wait(SOON)
        return super().wait(event, seconds)


class Tasks(FakeClient):
    """A tasks endpoint that records its queries: the moment, and the ids. Before each one, `step` is called."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[tuple[float, list[str]]] = []
        self.alone: list[tuple[float, str]] = []
        self.step: Callable[[], object] = lambda: None
        self.knows_lists = True

    def tasks(self, task_ids: Sequence[str], *, deadline: float | None = None) -> list[TaskRecord]:
        self.asked.append((self.clock.elapsed, list(task_ids)))
        self.step()
        return super().tasks(task_ids) if self.knows_lists else []

    def task(self, task_id: str, *, deadline: float | None = None) -> TaskRecord | None:
        self.alone.append((self.clock.elapsed, task_id))
        self.step()
        return super().task(task_id)

    def start(self, task_id: str) -> None:
        self.tasks_now[task_id] = task_record(task_id, {"prompt": "a cat"}, None)

    def finish(self, task_id: str, response: dict[str, Any] = RESULT) -> None:
        self.tasks_now[task_id] = task_record(task_id, {"prompt": "a cat"}, response)


class Followers:
    """Threads that wait for a task each."""

    def __init__(self, poller: Poller, service: Tasks, clock: GatedClock) -> None:
        self._poller, self._service, self._clock = poller, service, clock

    def follow(self, *task_ids: str, **options: Any) -> list[Future[TaskRecord]]:
        """Wait for tasks; no query is made before all wait."""
        return self.follow_each([(task_id, options) for task_id in task_ids])

    def follow_each(self, waits: Sequence[tuple[str, dict[str, Any]]]) -> list[Future[TaskRecord]]:
        """The same, with options for each."""
        self._clock.may_run.clear()
        started = [self._start(task_id, options) for task_id, options in waits]
        pause = threading.Event()
        while len(self._poller._waits) < len(waits) and not any(each.done() for each in started):
            pause.wait(0.002)
        self._clock.may_run.set()
        return started

    def _start(self, task_id: str, options: dict[str, Any]) -> Future[TaskRecord]:
        future: Future[TaskRecord] = Future()

        def run() -> None:
            try:
                record = self._poller.follow(
                    self._service, task_id, Recorder(), **{"deadline": None, **options}
                )
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(record)

        threading.Thread(target=run, daemon=True).start()
        return future


@pytest.fixture
def clock() -> GatedClock:
    return GatedClock()


@pytest.fixture
def service(clock: GatedClock) -> Tasks:
    return Tasks(clock)


@pytest.fixture
def poller(service: Tasks, clock: GatedClock) -> Iterator[Poller]:
    poller = Poller(service, outage=OUTAGE, clock=clock)
    yield poller
    poller.close()
    clock.may_run.set()


@pytest.fixture
def followers(poller: Poller, service: Tasks, clock: GatedClock) -> Followers:
    return Followers(poller, service, clock)


def test_tasks_are_queried_together(followers: Followers, service: Tasks) -> None:
    ids = ["t1", "t2", "t3"]
    for each in ids:
        service.finish(each)
    found = followers.follow(*ids)
    assert sorted(str(each.result(SOON).id) for each in found) == ids
    assert [sorted(asked) for _, asked in service.asked] == [ids]


def test_each_waits_for_its_own_task(followers: Followers, service: Tasks, clock: FakeClock) -> None:
    service.start("slow")
    service.finish("quick", {**RESULT, "image_id": "the quick one"})
    slow, quick = followers.follow("slow", "quick")
    record = quick.result(SOON)
    assert record.response is not None
    assert record.response.image_id == "the quick one"
    service.finish("slow")
    assert slow.result(SOON).id == "slow"


def test_a_failed_task_ends_the_wait_too(followers: Followers, service: Tasks) -> None:
    service.finish("t", {"success": False, "error": {"code": "forbidden", "message": "no"}})
    (wait,) = followers.follow("t")
    assert wait.result(SOON).state == "failed"


def test_there_is_at_most_one_query_a_second(followers: Followers, service: Tasks, clock: FakeClock) -> None:
    ids = [f"t{number}" for number in range(50)]
    for each in ids:
        service.start(each)

    def finish_one() -> None:
        if len(service.asked) > 20:
            for each in ids:
                service.finish(each)

    service.step = finish_one
    for wait in followers.follow(*ids):
        wait.result(SOON)
    moments = [moment for moment, _ in service.asked]
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert len(pauses) >= 20
    assert min(pauses) >= PERIOD - 1e-6


@pytest.mark.slow
def test_more_than_a_hundred_tasks_take_turns(followers: Followers, service: Tasks) -> None:
    ids = [f"t{number}" for number in range(2 * CHUNK + 50)]
    for each in ids:
        service.finish(each)
    for wait in followers.follow(*ids):
        wait.result(SOON)
    assert [len(asked) for _, asked in service.asked] == [CHUNK, CHUNK, 50]


def test_running_tasks_do_not_keep_the_others_from_their_turn(followers: Followers, service: Tasks) -> None:
    ids = [f"t{number}" for number in range(CHUNK + 20)]
    for each in ids:
        service.start(each)
    rounds: list[int] = []

    def count() -> None:
        rounds.append(1)
        if len(rounds) == 6:
            for each in ids:
                service.finish(each)

    service.step = count
    for wait in followers.follow(*ids):
        wait.result(SOON)
    asked = {each for _, together in service.asked[:2] for each in together}
    assert asked == set(ids)


def test_two_threads_may_wait_for_one_task(followers: Followers, service: Tasks) -> None:
    service.finish("t")
    for wait in followers.follow("t", "t"):
        assert wait.result(SOON).id == "t"


def test_the_deadline_ends_a_wait_after_one_last_query(
    followers: Followers, service: Tasks, clock: FakeClock
) -> None:
    service.start("t")
    (wait,) = followers.follow("t", deadline=clock.monotonic() + 20)
    with pytest.raises(StillRunning) as caught:
        wait.result(SOON)
    assert caught.value.task_id == "t"
    assert service.asked[-1][0] == pytest.approx(20, abs=PERIOD)


def test_a_result_at_the_deadline_counts(followers: Followers, service: Tasks, clock: FakeClock) -> None:
    service.start("t")
    clock.events.append((19.9, lambda: service.finish("t")))
    (wait,) = followers.follow("t", deadline=clock.monotonic() + 20)
    assert wait.result(SOON).state == "done"


def test_the_deadline_of_one_does_not_end_the_others(
    followers: Followers, service: Tasks, clock: FakeClock
) -> None:
    service.start("late")
    service.start("other")
    late, other = followers.follow_each([("late", {"deadline": clock.monotonic() + 5}), ("other", {})])
    with pytest.raises(StillRunning):
        late.result(SOON)
    service.finish("other")
    assert other.result(SOON).state == "done"


def test_a_task_that_appears_late_is_found(followers: Followers, service: Tasks, clock: FakeClock) -> None:
    clock.events.append((30, lambda: service.finish("t")))
    (wait,) = followers.follow("t")
    assert wait.result(SOON).state == "done"


def test_a_task_that_the_service_does_not_know_is_unknown_only_after_a_query_of_its_own(
    followers: Followers, service: Tasks
) -> None:
    (wait,) = followers.follow("t", unseen_polls=3)
    with pytest.raises(LostResponse, match="does not know"):
        wait.result(SOON)
    assert service.alone
    assert service.asked[0][0] + 3 * UNSEEN_SECONDS < service.clock.elapsed + PERIOD


def test_an_old_host_without_lists_is_asked_for_each_task_and_loses_none(
    followers: Followers, service: Tasks
) -> None:
    service.knows_lists = False
    ids = [f"t{number}" for number in range(30)]
    for each in ids:
        service.start(each)

    def finish_after_a_while() -> None:
        if service.clock.elapsed > 300:
            for each in ids:
                service.finish(each)

    service.step = finish_after_a_while
    for wait in followers.follow(*ids, unseen_polls=3):
        assert wait.result(SOON).state == "done"
    moments = sorted(moment for moment, _ in [*service.asked, *service.alone])
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert min(pauses) >= PERIOD - 1e-6


def failing(service: Tasks, clock: FakeClock, error: Exception, until: float) -> Callable[[], None]:
    def step() -> None:
        if clock.elapsed < until:
            raise error

    return step


@pytest.mark.parametrize(
    "error",
    [
        NetworkError("No connection."),
        LostResponse("The connection was closed."),
        ApiError("busy", code="api_error", status=500),
        ApiError("slower", code="too_many_requests", status=429),
    ],
)
def test_an_outage_of_the_tasks_endpoint_is_outlived(
    followers: Followers, service: Tasks, clock: FakeClock, error: Exception
) -> None:
    service.finish("t")
    service.step = failing(service, clock, error, until=OUTAGE - 10)
    (wait,) = followers.follow("t")
    assert wait.result(SOON).state == "done"


def test_an_outage_that_lasts_leaves_the_job_running(
    followers: Followers, service: Tasks, clock: FakeClock
) -> None:
    service.step = failing(service, clock, NetworkError("No connection."), until=1e9)
    (wait,) = followers.follow("t")
    with pytest.raises(StillRunning, match="No connection"):
        wait.result(SOON)
    assert clock.elapsed >= OUTAGE


def test_a_refused_query_says_nothing_about_the_job(
    followers: Followers, service: Tasks, clock: FakeClock
) -> None:
    service.step = failing(service, clock, ApiError("no", code="invalid_token", status=401), until=1e9)
    (wait,) = followers.follow("t")
    with pytest.raises(StillRunning, match="refused to return the task"):
        wait.result(SOON)


def test_the_deadline_holds_during_an_outage(followers: Followers, service: Tasks, clock: FakeClock) -> None:
    service.step = failing(service, clock, NetworkError("No connection."), until=1e9)
    (wait,) = followers.follow("t", deadline=clock.monotonic() + 60)
    with pytest.raises(StillRunning, match="deadline"):
        wait.result(SOON)
    assert clock.elapsed < 60 + 2 * PERIOD


def test_a_fault_of_this_machine_ends_no_later_query(
    followers: Followers, service: Tasks, clock: FakeClock
) -> None:
    def once() -> None:
        service.step = lambda: None
        raise MemoryError

    service.step = once
    (first,) = followers.follow("t")
    with pytest.raises(StillRunning, match="MemoryError"):
        first.result(SOON)
    service.finish("t")
    (second,) = followers.follow("t")
    assert second.result(SOON).state == "done"


def test_closing_it_ends_all_waits(followers: Followers, poller: Poller, service: Tasks) -> None:
    service.start("t")
    (wait,) = followers.follow("t")
    poller.close()
    with pytest.raises(StillRunning) as caught:
        wait.result(SOON)
    assert caught.value.task_id == "t"


def test_a_closed_one_does_not_let_a_thread_wait_for_ever(followers: Followers, poller: Poller) -> None:
    poller.close()
    with pytest.raises(StillRunning):
        followers.follow("t")[0].result(SOON)

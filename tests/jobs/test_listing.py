"""Listing the tasks of the account: pages, filters, and at most one request per second."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.api import TaskRecord
from mjcli.jobs.listing import PAGE, SECONDS, TaskFilter, TaskListing
from tests.jobs.fakes import FakeClient, FakeClock
from tests.jobs.scene import BODY
from tests.support.service import task_record


class Account(FakeClient):
    """A service that ignores filters, and returns at most `most` tasks at a time."""

    most = 1000

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []

    def recent_tasks(self, *, offset: int = 0, limit: int = 50, **more: Any) -> list[TaskRecord]:
        self.asked.append({"offset": offset, "limit": limit, **more})
        self.times.append(self.clock.monotonic())
        return super().recent_tasks(offset=offset, limit=min(limit, self.most))

    def add(self, count: int, **more: Any) -> None:
        """Add tasks, each a second older than the next."""
        for number in range(count):
            created = {"created_at": self.clock.time() - count + number}
            self.tasks_now[f"t{number}"] = task_record(f"t{number}", BODY, None, **{**created, **more})


@pytest.fixture
def account(clock: FakeClock) -> Account:
    return Account(clock)


def names(listing: TaskListing, **options: Any) -> list[str | None]:
    return [task.id for page in listing.pages(**options) for task in page]


@pytest.mark.parametrize("most", [12, 50, 1000])
def test_thousands_of_tasks_are_listed_once_each_at_one_request_per_second(
    account: Account, clock: FakeClock, most: int
) -> None:
    account.add(1234)
    account.most = most
    listing = TaskListing(account, TaskFilter(), clock=clock)
    assert names(listing) == [f"t{number}" for number in reversed(range(1234))]
    assert listing.complete
    assert len(account.times) <= 1234 // min(most, PAGE) + 2
    gaps = [later - earlier for earlier, later in zip(account.times, account.times[1:], strict=False)]
    assert min(gaps) >= SECONDS - 1e-6


def test_tasks_that_new_ones_shift_are_listed_once(account: Account, clock: FakeClock) -> None:
    account.add(250)
    account.search_script = [None, lambda: account.tasks_now.update(new=task_record("new", BODY, None))]
    found = names(TaskListing(account, TaskFilter(), clock=clock))
    assert found == [f"t{number}" for number in reversed(range(250))]


def test_offset_and_limit_choose_tasks(account: Account, clock: FakeClock) -> None:
    account.add(300)
    listing = TaskListing(account, TaskFilter(), clock=clock)
    assert names(listing, offset=10, limit=150) == [f"t{number}" for number in range(289, 139, -1)]
    assert not listing.complete


def test_a_short_list_takes_one_request(account: Account, clock: FakeClock) -> None:
    account.add(5)
    listing = TaskListing(account, TaskFilter(), clock=clock)
    assert len(names(listing)) == 5
    assert listing.complete
    assert len(account.asked) == 1


def test_a_service_that_ignores_the_filters_is_filtered_here(account: Account, clock: FakeClock) -> None:
    account.add(400)
    account.tasks_now["t399"]["type"] = "videos"
    now = clock.time()
    which = TaskFilter(type="imagine", since=now - 50.5, before=now - 40.5)
    listing = TaskListing(account, which, clock=clock)
    assert names(listing) == [f"t{number}" for number in range(359, 349, -1)]
    assert len(account.asked) == 1
    assert not listing.complete
    asked = account.asked[0]
    assert asked["type"] == "imagine"
    assert asked["created_at_min"] <= now - 50.5
    assert asked["created_at_max"] >= now - 40.5
    assert names(TaskListing(account, TaskFilter(type="videos"), clock=clock)) == ["t399"]


def test_more_traces_than_fit_one_request_are_queried_in_batches(account: Account, clock: FakeClock) -> None:
    account.add(3)
    traces = ("trace-t1", *(f"x{number}" for number in range(700)))
    listing = TaskListing(account, TaskFilter(traces=traces), clock=clock)
    assert names(listing) == ["t1"]
    assert [len(each["trace_ids"]) for each in account.asked] == [500, 201]


@pytest.mark.parametrize(
    "record", [{}, {"id": "x"}, {"id": None, "type": "imagine"}, {"error": "x", "id": "y"}]
)
def test_malformed_records_are_counted_and_skipped(
    account: Account, clock: FakeClock, record: dict[str, Any]
) -> None:
    account.add(20)
    account.tasks_now["t3"] = record
    listing = TaskListing(account, TaskFilter(), clock=clock)
    assert len(names(listing)) == 19
    assert listing.malformed == 1


def test_a_service_that_ignores_the_offset_ends(account: Account, clock: FakeClock) -> None:
    account.add(20)

    def same(**_: Any) -> list[TaskRecord]:
        return [TaskRecord(each) for each in account.tasks_now.values()]

    account.recent_tasks = same  # type: ignore[method-assign, assignment]
    listing = TaskListing(account, TaskFilter(), clock=clock)
    assert len(names(listing)) == 20
    assert not listing.complete

"""Finding the task of a lost response, with a scripted client and a clock that only pauses move."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.api import TaskRecord
from mjcli.errors import ApiError, ConfigError, LostResponse, NetworkError, StillRunning
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.recover import (
    CLOCK_TOLERANCE,
    FEWEST_PER_PAGE,
    LAST_SEARCH_SECONDS,
    NOT_FOUND,
    PAGE,
    PAGES,
    PATIENCE_SECONDS,
    SEARCH_PAUSES,
    LostRequest,
    find_lost_task,
    find_task,
    matches_request,
)
from tests.jobs.fakes import FakeClient, FakeClock
from tests.support.service import task_record

HOST = "https://api.example"
PATH = "/midjourney/imagine"
BODY: dict[str, Any] = {"action": "generate", "prompt": "a cat"}
CAUSE = LostResponse("Reset.", trace_id="trace")


class Search:
    """A search for one lost request that is in the ledger as the newest job."""

    def __init__(self, client: FakeClient, jobs: Ledger, clock: FakeClock) -> None:
        self.client, self.ledger, self.clock = client, jobs, clock
        self.uuid = self.record()
        self.lost = LostRequest(PATH, BODY, clock.time(), self.uuid)

    def record(self, body: dict[str, Any] = BODY) -> str:
        """Record and mark as sent a job of its own."""
        uuid = self.ledger.record(
            profile="default",
            host=HOST,
            kind="imagine",
            path=PATH,
            request=body,
            files_asked=None,
            parent_image=None,
            subject="",
        )
        self.ledger.mark_sent(uuid)
        return uuid

    def task(self, task_id: str = "t1", body: dict[str, Any] = BODY, *, age: float = 0, **more: Any) -> None:
        """Put a task at the service, created `age` seconds before now."""
        created = {"created_at": self.clock.time() - age}
        self.client.tasks_now[task_id] = task_record(task_id, body, None, **{**created, **more})

    def find(self, **options: Any) -> str:
        return find_task(
            self.client,
            self.ledger,
            HOST,
            self.lost,
            options.pop("cause", CAUSE),
            clock=self.clock,
            **options,
        )

    def fails(self, **options: Any) -> LostResponse:
        with pytest.raises(LostResponse) as caught:
            self.find(**options)
        return caught.value


@pytest.fixture
def search(client: FakeClient, jobs: Ledger, clock: FakeClock) -> Search:
    return Search(client, jobs, clock)


def test_the_one_matching_task_is_assigned_to_the_job(search: Search) -> None:
    search.task("other", {**BODY, "prompt": "a dog"})
    search.task("t1")
    assert search.find() == "t1"
    job = search.ledger.get(search.uuid)
    assert job is not None
    assert (job.state, job.task_id) == ("running", "t1")
    assert search.client.searches == 1
    assert search.clock.pauses == [0.0]


@pytest.mark.parametrize(
    "recorded", ["a\u200b cat", "\ufeffa cat", "a \u2060cat\u200d", "a\u200c  cat", " a\ncat\u200b "]
)
def test_white_space_and_characters_without_a_width_do_not_make_another_request(
    search: Search, recorded: str
) -> None:
    search.task("t1", {**BODY, "prompt": recorded})
    assert search.find() == "t1"


def test_without_a_match_it_is_not_known_whether_the_job_was_accepted(search: Search) -> None:
    error = search.fails()
    assert (
        error.message
        == "The response was lost and no matching task was found. The job may have been accepted and billed."
    )
    assert (error.job, error.task_id, error.trace_id) == (search.uuid[:8], None, "trace")
    assert error.candidates == ()
    assert search.clock.pauses == list(SEARCH_PAUSES)


def test_several_matches_are_listed_and_none_is_assigned(search: Search) -> None:
    search.task("t1")
    search.task("t2")
    error = search.fails()
    assert set(error.candidates) == {"t1", "t2"}
    assert (error.job, search.client.searches) == (search.uuid[:8], 1)
    job = search.ledger.get(search.uuid)
    assert job is not None
    assert job.task_id is None


def test_a_task_of_another_job_is_not_a_match(search: Search) -> None:
    search.task("t1")
    search.task("t2")
    search.ledger.mark_running(search.record(), "t2")
    assert search.find() == "t1"


def test_a_task_that_another_process_may_own_is_left_alone(search: Search) -> None:
    search.record()
    search.task("t1")
    assert "another mj process is sending the same request" in search.fails().message
    assert search.ledger.by_task(HOST, "t1") is None


def test_another_request_in_flight_does_not_matter(search: Search) -> None:
    search.record({**BODY, "prompt": "a dog"})
    search.task("t1")
    assert search.find() == "t1"


def test_the_task_that_another_process_assigned_meanwhile_is_returned(search: Search) -> None:
    search.clock.events.append((1.0, lambda: search.ledger.adopt(search.uuid, HOST, "t9")))
    assert search.find() == "t9"


def test_a_task_that_another_job_takes_meanwhile_is_not_assigned_twice(search: Search) -> None:
    other = search.record({"prompt": "x"})
    search.task("t1")
    adopt = search.ledger.adopt

    def late(uuid: str, host: str, task_id: str) -> bool:
        adopt(other, HOST, "t1")
        return adopt(uuid, host, task_id)

    search.ledger.adopt = late  # type: ignore[method-assign]
    assert search.fails().candidates == ()


@pytest.mark.parametrize(
    ("age", "found"), [(CLOCK_TOLERANCE - 0.5, True), (CLOCK_TOLERANCE + 0.5, False), (3600.0, False)]
)
def test_a_task_that_is_older_than_the_request_is_not_a_match(
    search: Search, age: float, found: bool
) -> None:
    search.task(age=age)
    if found:
        assert search.find() == "t1"
    else:
        search.fails()


def test_ages_are_compared_on_the_clock_of_the_service(search: Search) -> None:
    search.client.offset = -600.0
    search.task(age=600)
    assert search.find() == "t1"


def test_a_task_without_a_time_is_not_a_match(search: Search) -> None:
    search.task(created_at=None)
    search.fails()


# -- how often, and how far back -----------------------------------------------------------------------


def test_an_old_request_is_searched_for_once(search: Search) -> None:
    search.clock.elapsed += PATIENCE_SECONDS + 1
    search.fails()
    assert search.client.searches == 1


def test_after_the_deadline_there_is_one_short_search(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float | None] = []

    def recent(**options: Any) -> list[TaskRecord]:
        deadlines.append(options["deadline"])
        return []

    monkeypatch.setattr(search.client, "recent_tasks", recent)
    assert (
        search.fails(deadline=search.clock.monotonic(), cause=StillRunning("The deadline passed.")).code
        == "network"
    )
    assert deadlines == [search.clock.monotonic() + LAST_SEARCH_SECONDS]


@pytest.mark.parametrize("newer", [0, PAGE - 1, PAGE, 3 * PAGE])
def test_a_task_behind_many_newer_ones_is_found(search: Search, newer: int) -> None:
    for n in range(2 * PAGE):
        search.task(f"old-{n}", age=3600)
    search.task("t1")
    for n in range(newer):
        search.task(f"new-{n}", {**BODY, "prompt": "a dog"})
    assert search.find() == "t1"
    assert search.client.searches == (newer + 1) // PAGE + 1


def test_a_service_that_repeats_its_first_page_is_not_queried_forever(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets: list[int] = []

    def recent(*, offset: int, limit: int, deadline: float | None) -> list[TaskRecord]:
        offsets.append(offset)
        record = task_record("x", {}, None, created_at=search.clock.time())
        return [TaskRecord({**record, "id": f"x{n}"}) for n in range(FEWEST_PER_PAGE)]

    monkeypatch.setattr(search.client, "recent_tasks", recent)
    search.fails(deadline=search.clock.monotonic())
    assert offsets == [0, FEWEST_PER_PAGE]


def test_the_number_of_pages_is_limited(search: Search) -> None:
    for n in range((PAGES + 5) * PAGE):
        search.task(f"new-{n}", {**BODY, "prompt": "a dog"})
    search.fails(deadline=search.clock.monotonic())
    assert search.client.searches == PAGES


# -- searches that fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        NetworkError("No connection."),
        LostResponse("Not an object."),
        ApiError("Down.", code="api_error", status=500),
    ],
)
def test_a_failed_search_is_repeated(search: Search, failure: Exception) -> None:
    search.task()
    search.client.search_script = [failure, failure]
    assert search.find() == "t1"
    assert search.client.searches == 3


def test_if_every_search_fails_the_reason_is_reported(search: Search) -> None:
    failure = ApiError("Too old.", code="token_expired", status=401)
    search.client.search_script = [failure] * len(SEARCH_PAUSES)
    error = search.fails()
    assert "Your recent tasks could not be searched (Too old)." in error.message
    assert error.__cause__ is failure


def test_without_the_ledger_no_owner_can_be_determined(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **_more: object) -> Any:
        raise ConfigError("The ledger cannot be written.")

    search.task()
    monkeypatch.setattr(search.ledger, "known_tasks", broken)
    assert "The ledger cannot be written" in search.fails().message
    assert search.client.searches == 1


# -- requests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "request_", "kind", "expected"),
    [
        (BODY, BODY, "imagine", True),
        (BODY, {"prompt": "a cat"}, "imagine", True),  # an old server omits the default action
        (BODY, {**BODY, "prompt": "a dog"}, "imagine", False),
        (BODY, {**BODY, "action": "upscale1"}, "imagine", False),
        (BODY, {}, "imagine", False),
        (BODY, BODY, "videos", False),
        (BODY, BODY, "something else", True),
        ({**BODY, "mode": "fast"}, {**BODY, "mode": "relax"}, "imagine", False),
        ({**BODY, "mode": "fast"}, BODY, "imagine", True),
        (BODY, {**BODY, "mode": "fast"}, "imagine", True),
        ({**BODY, "callback_url": "https://a/"}, {**BODY, "callback_url": "https://b/"}, "imagine", True),
        ({**BODY, "timeout": 5}, {**BODY, "timeout": 6}, "imagine", True),
        ({"action": "upscale1", "image_id": "1"}, {"action": "upscale1", "image_id": "2"}, "imagine", False),
    ],
)
def test_a_task_matches_a_request_by_its_identifying_fields(
    body: dict[str, Any], request_: dict[str, Any], kind: str, expected: bool
) -> None:
    record = TaskRecord(task_record("t1", request_, None, type=kind))
    assert matches_request(record, PATH, body) == expected


def test_a_job_of_the_ledger_is_found_by_its_row(search: Search) -> None:
    job = search.ledger.get(search.uuid)
    assert job is not None
    with pytest.raises(LostResponse) as caught:
        find_lost_task(search.client, search.ledger, HOST, job, clock=search.clock)
    assert caught.value.message.startswith(NOT_FOUND)
    search.clock.elapsed = 0
    search.task()
    assert find_lost_task(search.client, search.ledger, HOST, job, clock=search.clock) == "t1"


def test_a_deadline_ends_the_search_before_a_pause_that_would_pass_it(search: Search) -> None:
    search.fails(deadline=search.clock.monotonic() + 2.5)
    assert search.clock.pauses == [0.0, 1.0]


def test_a_service_that_cannot_answer_is_searched_once(search: Search) -> None:
    broken = NetworkError("No response from the service: the response is not valid HTTP (bad).")
    broken.permanent = True
    search.client.search_script = [broken]
    assert "not valid HTTP" in search.fails().message
    assert search.clock.pauses == [0.0]

"""A lost response is found again although our clock was wrong when it was sent, or was set since."""

from __future__ import annotations

from typing import Any

import pytest

from mjcli.api import TaskRecord as Task
from mjcli.errors import LostResponse
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.recover import PATIENCE_SECONDS, find_lost_task, matches_request
from tests.jobs.fakes import FakeClient, FakeClock
from tests.jobs.test_recover import BODY, HOST, PATH, Search
from tests.support.service import task_record

WRONG = (5.0, -5.0, 3600.0, -3600.0)  # seconds by which our clock is ahead of the service's


class Clocks(Search):
    """A search on a clock that was wrong by some seconds when the request was sent."""

    def __init__(self, client: FakeClient, jobs: Ledger, clock: FakeClock, wrong: float) -> None:
        clock.offset, client.offset = wrong, -wrong
        super().__init__(client, jobs, clock)
        self.true_start = clock.time() - wrong

    def correct(self) -> None:
        """Set our clock right."""
        self.clock.offset = self.client.offset = 0.0

    def put(self, task_id: str, after: float) -> None:
        """Put a task at the service, created this many seconds after the request was sent."""
        self.client.tasks_now[task_id] = task_record(task_id, BODY, None, created_at=self.true_start + after)

    @property
    def job(self) -> Job:
        job = self.ledger.get(self.uuid)
        assert job is not None
        return job

    def find_again(self) -> str:
        """Search as a later `mj resume` does."""
        return find_lost_task(self.client, self.ledger, HOST, self.job, clock=self.clock)


def clocks(client: FakeClient, jobs: Ledger, clock: FakeClock, wrong: float) -> Clocks:
    return Clocks(client, jobs, clock, wrong)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_job_whose_response_began_is_found_after_the_clock_was_corrected(
    client: FakeClient, jobs: Ledger, clock: FakeClock, wrong: float
) -> None:
    search = clocks(client, jobs, clock, wrong)
    jobs.set_clock_offset(search.uuid, client.offset)
    search.put("older", -3)
    search.put("t1", 0.2)
    clock.elapsed += 60
    search.correct()
    assert search.find_again() == "t1"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_job_without_any_response_is_found_by_the_uptime(
    client: FakeClient, jobs: Ledger, clock: FakeClock, wrong: float
) -> None:
    clock.boot = "boot-1"
    search = clocks(client, jobs, clock, wrong)
    search.put("older", -3)
    search.put("t1", 0.2)
    clock.elapsed += 60
    search.correct()
    assert search.find_again() == "t1"
    assert jobs.known_tasks(HOST, ["t1", "older"]) == {"t1"}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_search_before_the_correction_stores_the_offset(
    client: FakeClient, jobs: Ledger, clock: FakeClock, wrong: float
) -> None:
    """Then a search after the correction, and after another boot, still finds the task."""
    clock.boot = "boot-1"
    search = clocks(client, jobs, clock, wrong)
    with pytest.raises(LostResponse):
        search.find_again()
    assert search.job.clock_offset == pytest.approx(-wrong, abs=0.01)
    search.correct()
    clock.boot = "boot-2"
    search.put("older", -3)
    search.put("t1", 0.2)
    assert search.find_again() == "t1"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_clock_that_stays_wrong_loses_nothing(
    client: FakeClient, jobs: Ledger, clock: FakeClock, wrong: float
) -> None:
    search = clocks(client, jobs, clock, wrong)
    search.put("older", -3)
    search.put("t1", 0.2)
    clock.elapsed += 60
    assert search.find_again() == "t1"


def test_the_uptime_of_another_boot_means_nothing(client: FakeClient, jobs: Ledger, clock: FakeClock) -> None:
    clock.boot = "boot-1"
    search = clocks(client, jobs, clock, 0.0)
    search.put("t1", 0.2)
    clock.elapsed += 5000
    clock.boot = "boot-2"
    assert search.find_again() == "t1"


def test_the_offset_at_the_time_of_sending_is_stored_once(
    jobs: Ledger, client: FakeClient, clock: FakeClock
) -> None:
    search = clocks(client, jobs, clock, 5.0)
    jobs.set_clock_offset(search.uuid, -5.0)
    jobs.set_clock_offset(search.uuid, 0.0)
    assert search.job.clock_offset == -5.0
    jobs.mark_unsent(search.uuid)
    jobs.mark_sent(search.uuid)
    assert search.job.clock_offset is None


def test_an_older_identical_request_of_the_ledger_is_never_adopted(
    client: FakeClient, jobs: Ledger, clock: FakeClock
) -> None:
    clock.boot = "boot-1"
    search = clocks(client, jobs, clock, 3600.0)
    other = search.record()
    jobs.mark_running(other, "theirs")
    search.put("theirs", 0.1)
    search.correct()
    clock.elapsed += PATIENCE_SECONDS + 1
    with pytest.raises(LostResponse, match="no matching task"):
        search.find_again()


# -- prompts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ("a  cat", "a cat"),
        ("a cat ", "a cat"),
        ("a\ncat", "a cat"),
        ("a\tcat --ar 3:2", "a cat  --ar 3:2"),
        ("a\u00a0cat", "a cat"),
        ("a\u3000cat", "a cat"),
        ("cafe\u0301", "caf\u00e9"),
        ("\uac00", "\u1100\u1161"),
    ],
)
def test_a_prompt_may_come_back_folded_or_normalised(sent: str, recorded: str) -> None:
    task = Task(task_record("t1", {"action": "generate", "prompt": recorded}, None))
    assert matches_request(task, PATH, {"action": "generate", "prompt": sent})
    content = Task(task_record("t1", {"content": recorded}, None, type="translate"))
    assert matches_request(content, "/midjourney/translate", {"content": sent})


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ("a cat", "acat"),
        ("a cat", "A cat"),
        ("a cat", "a cat."),
        ("a cat", ""),
        ("a cat", None),
        ("", "x"),
        ("\ufb01", "fi"),
    ],
)
def test_another_prompt_stays_another_prompt(sent: str, recorded: Any) -> None:
    task = Task(task_record("t1", {"action": "generate", "prompt": recorded}, None))
    assert not matches_request(task, PATH, {"action": "generate", "prompt": sent})


@pytest.mark.parametrize("name", ["image_id", "image_url", "video_id", "action", "mode"])
def test_other_fields_are_compared_exactly(name: str) -> None:
    task = Task(task_record("t1", {"action": "upscale1", "prompt": "a", name: "x y"}, None))
    assert matches_request(task, PATH, {"action": "upscale1", "prompt": "a", name: "x y"})
    assert not matches_request(task, PATH, {"action": "upscale1", "prompt": "a", name: "x  y"})

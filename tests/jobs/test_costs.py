"""Limits in the ledger: what counts, when it is checked, and what jobs were charged."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mjcli.errors import LimitReached, LostResponse
from mjcli.jobs.budget import CHARGED, LISTED, Limits
from mjcli.jobs.costs import DAY, Entry
from mjcli.jobs.database import MIGRATIONS
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from tests.jobs.fakes import FakeClock
from tests.jobs.scene import FINAL, HOST, ORDER, Scene

IMAGINE = "/midjourney/imagine"
PRICE = 0.025
ONE = Limits(per_day=0.04)  # for one job


def record(ledger: Ledger, limits: Limits = ONE, **more: Any) -> str:
    fields: dict[str, Any] = {
        "profile": "default",
        "host": HOST,
        "kind": "imagine",
        "path": IMAGINE,
        "request": {"action": "generate", "prompt": "a cat"},
        "files_asked": None,
        "parent_image": None,
        "subject": "a cat",
        "estimate": PRICE,
    }
    return ledger.record(**{**fields, **more}, limits=limits)


def job(ledger: Ledger, uuid: str) -> Job:
    found = ledger.get(uuid)
    assert found is not None
    return found


def spent(ledger: Ledger, *, sandbox: bool = False) -> float:
    return ledger.costs.spent_today(sandbox=sandbox)


def at_noon(clock: FakeClock) -> None:
    clock.offset = DAY / 2 - clock.time() % DAY


Change = Callable[[Ledger, str], object]


def fail(code: str) -> Change:
    return lambda ledger, uuid: ledger.mark_failed(uuid, code=code, message="no", task_id="t1")


COUNTED: dict[str, tuple[Change, ...]] = {
    "not sent yet": (),
    "sent": (Ledger.mark_sent,),
    "running": (Ledger.mark_sent, lambda ledger, uuid: ledger.mark_running(uuid, "t1")),
    "unknown": (
        Ledger.mark_sent,
        lambda ledger, uuid: ledger.mark_unknown(uuid, None, code="network", message="lost"),
    ),
    "done": (Ledger.mark_sent, lambda ledger, uuid: ledger.mark_done(uuid, FINAL, image_id="i1")),
    "given up": (Ledger.mark_sent, lambda ledger, uuid: ledger.give_up(uuid)),
}
FREE: dict[str, tuple[Change, ...]] = {
    "failed": (Ledger.mark_sent, fail("bad_request")),
    "moderated": (Ledger.mark_sent, fail("forbidden")),
    "refused": (lambda ledger, uuid: ledger.mark_failed(uuid, code="bad_request", message="no"),),
    "given up before it was sent": (lambda ledger, uuid: ledger.give_up(uuid),),
    'with words that look like "code": "given_up"': (
        Ledger.mark_sent,
        lambda ledger, uuid: ledger.mark_failed(uuid, code="no", message='"code": "given_up"'),
    ),
}


@pytest.mark.parametrize("changes", COUNTED.values(), ids=COUNTED)
def test_a_job_counts_from_the_moment_its_row_is_written(jobs: Ledger, changes: tuple[Change, ...]) -> None:
    uuid = record(jobs)
    for change in changes:
        change(jobs, uuid)
    assert spent(jobs) == PRICE
    with pytest.raises(
        LimitReached, match=r"max_cost_per_day is 0\.04 USD: 0\.025 USD is used today"
    ) as caught:
        record(jobs)
    assert caught.value.exit_code == 11
    assert "It was not sent." in caught.value.message
    assert jobs.count("default") == 1


@pytest.mark.parametrize("changes", FREE.values(), ids=FREE)
def test_a_job_that_is_not_billed_does_not_count(jobs: Ledger, changes: tuple[Change, ...]) -> None:
    uuid = record(jobs)
    for change in changes:
        change(jobs, uuid)
    assert spent(jobs) == 0
    record(jobs)


def test_the_limit_itself_may_be_reached(jobs: Ledger) -> None:
    limits = Limits(per_day=0.3)
    for _ in range(3):
        record(jobs, limits, estimate=0.1)  # 0.1 + 0.1 + 0.1 > 0.3 in binary
    with pytest.raises(LimitReached):
        record(jobs, limits, estimate=0.0001)


def test_every_profile_and_host_counts_but_the_sandbox_by_itself(jobs: Ledger) -> None:
    record(jobs, profile="work", host="https://other.example")
    with pytest.raises(LimitReached):
        record(jobs)
    record(jobs, host="sandbox")
    assert spent(jobs) == spent(jobs, sandbox=True) == PRICE


def test_a_new_day_has_its_own_limit(jobs: Ledger, clock: FakeClock) -> None:
    at_noon(clock)
    record(jobs)
    clock.elapsed += DAY / 2 - 1
    with pytest.raises(LimitReached):
        record(jobs)
    clock.elapsed += 1
    record(jobs)


def test_a_job_without_a_known_price_is_refused_if_cost_is_limited(jobs: Ledger) -> None:
    with pytest.raises(LimitReached, match=r"not known.*max_cost_per_day.*It was not sent"):
        record(jobs, estimate=None)
    with pytest.raises(LimitReached, match=r"not known.*--max-cost"):
        record(jobs, Limits(batch_cost=1.0), estimate=None, batch="b", item="1")
    record(jobs, Limits(batch_jobs=1), estimate=None, batch="b", item="1")


def test_a_job_whose_price_was_not_known_counts_with_what_it_costs_at_least(jobs: Ledger) -> None:
    record(jobs, Limits(), estimate=None, request={"prompt": "a cat --turbo --repeat 2"})
    record(jobs, Limits(), estimate=None, path="/midjourney/seed", request={"image_id": "i"})
    assert spent(jobs) == pytest.approx(2 * PRICE)


def test_imported_tasks_do_not_count(jobs: Ledger) -> None:
    uuid = record(jobs)
    jobs._execute("UPDATE jobs SET listed_after = 0 WHERE uuid = ?", (uuid,))
    assert spent(jobs) == 0


def test_the_limits_of_a_batch_count_what_was_billed(jobs: Ledger) -> None:
    limits = Limits(batch_cost=0.06, batch_jobs=3)
    one = record(jobs, limits, batch="b", item="1")
    record(jobs, limits, batch="b", item="2")
    record(jobs, limits, batch="other", item="1")
    with pytest.raises(LimitReached, match=r'--max-cost is 0\.06 USD: 0\.05 USD is used by the batch "b"'):
        record(jobs, limits, batch="b", item="3")
    with pytest.raises(LimitReached, match=r'--max-jobs is 3: the batch "b" has 2 jobs already'):
        record(jobs, Limits(batch_jobs=3), batch="b", item="3", request={"prompt": "a cat --repeat 2"})
    jobs.mark_sent(one)
    jobs.mark_done(one, FINAL, image_id="i")
    jobs.release_items([one])
    with pytest.raises(LimitReached):  # the job that is replaced was billed
        record(jobs, limits, batch="b", item="1")


def test_a_failed_job_that_is_replaced_does_not_count(jobs: Ledger) -> None:
    limits = Limits(batch_cost=0.05, batch_jobs=2)
    one = record(jobs, limits, batch="b", item="1")
    record(jobs, limits, batch="b", item="2")
    jobs.mark_failed(one, code="bad_request", message="no")
    jobs.release_items([one])
    record(jobs, limits, batch="b", item="1")


# -- when a row becomes sendable again ------------------------------------------------------------------


def test_a_row_of_yesterday_is_checked_when_it_is_sent(jobs: Ledger, clock: FakeClock) -> None:
    at_noon(clock)
    old = record(jobs)
    clock.elapsed += DAY
    new = record(jobs)
    with pytest.raises(LimitReached):
        jobs.mark_sent(old, limits=ONE)
    assert job(jobs, old).unsent
    assert jobs.mark_sent(new, limits=ONE)


def test_a_row_that_was_written_without_limits_is_checked_when_it_is_sent(jobs: Ledger) -> None:
    old, _ = record(jobs, Limits(), estimate=None), record(jobs, Limits())
    with pytest.raises(LimitReached):
        jobs.mark_sent(old, limits=ONE)
    assert jobs.mark_sent(old, limits=Limits(per_day=0.05))
    assert job(jobs, old).estimate == PRICE


def lost(jobs: Ledger) -> str:
    """A job whose response was lost."""
    uuid = record(jobs)
    jobs.mark_sent(uuid)
    jobs.mark_unknown(uuid, None, code="network", message="lost")
    return uuid


def test_a_resubmitted_job_is_checked_and_both_count(jobs: Ledger) -> None:
    old = lost(jobs)
    with pytest.raises(LimitReached):
        jobs.resubmit(old, limits=ONE)
    assert job(jobs, old).state == "unknown"
    assert jobs.count("default") == 1
    fresh = jobs.resubmit(old, limits=Limits(per_day=0.05))
    assert fresh is not None
    assert spent(jobs) == pytest.approx(2 * PRICE)


def test_a_refused_resubmission_holds_no_lock(jobs: Ledger) -> None:
    old = lost(jobs)
    with pytest.raises(LimitReached):
        jobs.resubmit(old, limits=ONE)
    other = Ledger.open(jobs.path, notice=pytest.fail)
    try:
        assert not other.locks.is_locked(job(jobs, old).number + 1)
    finally:
        other.close()


def test_a_failed_job_that_is_sent_again_counts_once(jobs: Ledger) -> None:
    old = record(jobs)
    jobs.mark_sent(old)
    jobs.mark_failed(old, code="bad_request", message="no")
    assert jobs.resubmit(old, state="failed", limits=ONE) is not None
    assert spent(jobs) == PRICE


def test_a_requeued_or_reused_job_is_checked(jobs: Ledger) -> None:
    old = record(jobs)
    jobs.mark_failed(old, code="interrupted", message="no")
    record(jobs)
    with pytest.raises(LimitReached):
        jobs.requeue(old, ONE)
    with pytest.raises(LimitReached):
        jobs.reuse(job(jobs, old), {"prompt": "a cat"}, None, ONE)
    assert job(jobs, old).state == "failed"


def test_a_new_job_that_is_refused_as_it_is_sent_leaves_no_row(scene: Scene, clock: FakeClock) -> None:
    """Otherwise `mj resume` would send it later, although the user was told that nothing was sent."""
    at_noon(clock)
    scene.client.responses = [[FINAL]]
    real = scene.ledger.mark_sent

    def tomorrow(uuid: str, **more: Any) -> bool:
        clock.elapsed += DAY
        record(scene.ledger)
        return real(uuid, **more)

    scene.ledger.mark_sent = tomorrow  # type: ignore[method-assign]
    with pytest.raises(LimitReached):
        scene.runner.run(ORDER._replace(estimate=PRICE, limits=ONE), scene.observer)
    assert scene.client.bodies == []
    assert scene.ledger.count("default") == 1


def test_a_queued_job_that_is_refused_stays_queued(scene: Scene) -> None:
    queued = record(scene.ledger, Limits())
    record(scene.ledger, Limits())
    scene.client.responses = [[FINAL]]
    with pytest.raises(LimitReached):
        scene.runner.resume(job(scene.ledger, queued), scene.observer, limits=ONE)
    assert job(scene.ledger, queued).unsent
    assert scene.client.bodies == []


def test_an_accepted_job_is_never_refused_later(scene: Scene) -> None:
    scene.client.responses = [[{"task_id": "t1", "progress": 1}]]
    scene.task(response=FINAL)
    record(scene.ledger, Limits())
    scene.runner.run(ORDER._replace(estimate=PRICE, limits=Limits(per_day=0.05)), scene.observer)
    with pytest.raises(LimitReached):
        record(scene.ledger, Limits(per_day=0.05))


# -- charges --------------------------------------------------------------------------------------------


def done(ledger: Ledger, trace_id: str | None, **more: Any) -> str:
    uuid = record(ledger, Limits(), **more)
    ledger.mark_sent(uuid)
    ledger.mark_done(uuid, {**FINAL, "trace_id": trace_id}, image_id="i1")
    return uuid


def entries(ledger: Ledger) -> list[Entry]:
    return list(ledger.costs.entries("default", HOST, 0, 1e12))


def test_a_charge_replaces_the_estimate_in_the_totals(jobs: Ledger) -> None:
    uuid = done(jobs, "trace-1")
    assert jobs.costs.store_charges(HOST, {"trace-1": 0.04, "trace-2": 1.0}) == {"trace-1"}
    assert job(jobs, uuid).charged == 0.04
    assert spent(jobs) == 0.04


def test_a_job_that_was_free_after_all_does_not_count(jobs: Ledger) -> None:
    done(jobs, "trace-1")
    jobs.costs.store_charges(HOST, {"trace-1": 0.0})
    assert spent(jobs) == 0


def test_a_charge_of_another_host_is_not_stored(jobs: Ledger) -> None:
    uuid = done(jobs, "trace-1")
    assert jobs.costs.store_charges("https://other.example", {"trace-1": 0.04}) == set()
    assert job(jobs, uuid).charged is None


def test_estimates_follow_the_charges_of_the_account(jobs: Ledger) -> None:
    uuid = done(jobs, "trace-1")
    assert [(each.usd, each.estimated.source) for each in entries(jobs)] == [(PRICE, LISTED)]
    done(jobs, None)
    jobs.costs.store_charges(HOST, {"trace-1": 0.04})
    assert [(each.usd, each.charged) for each in entries(jobs)] == [(0.04, True), (0.04, False)]
    assert entries(jobs)[1].estimated.source == CHARGED
    assert jobs.costs.history("other", HOST) == {}
    assert uuid


def test_jobs_that_were_not_sent_or_not_billed_have_no_entry(jobs: Ledger) -> None:
    record(jobs, Limits())
    failed = record(jobs, Limits())
    jobs.mark_sent(failed)
    jobs.mark_failed(failed, code="forbidden", message="no")
    assert entries(jobs) == []
    running = record(jobs, Limits())
    jobs.mark_sent(running)
    assert [each.unfinished for each in entries(jobs)] == [True]


def test_the_jobs_of_a_command_are_those_that_its_process_has_sent(jobs: Ledger, clock: FakeClock) -> None:
    done(jobs, None)
    clock.elapsed += 10
    since = clock.time()
    queued, other = record(jobs, Limits()), record(jobs, Limits())
    for uuid in (queued, other):
        jobs.mark_sent(uuid)
    jobs._execute("UPDATE jobs SET pid = ? WHERE uuid = ?", (os.getpid() + 1, other))
    assert len(list(jobs.costs.sent_by(os.getpid(), since, sandbox=False))) == 1
    assert list(jobs.costs.sent_by(os.getpid(), since, sandbox=True)) == []


def test_what_limits_add_up_is_read_from_an_index(jobs: Ledger) -> None:
    """A day has few jobs, a ledger may have 100,000."""
    statements: list[str] = []
    jobs._connection.set_trace_callback(statements.append)
    spent(jobs)
    jobs._connection.set_trace_callback(None)
    sums = [each for each in statements if each.startswith("SELECT")]
    assert len(sums) == 2
    for each in sums:
        plan = jobs._connection.execute(f"EXPLAIN QUERY PLAN {each}").fetchall()
        assert "jobs_cost" in str(plan)


def test_jobs_of_an_older_version_get_the_trace_ids_of_their_results(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    version = [name for name, _ in MIGRATIONS].index("add batches and costs")
    connection = sqlite3.connect(path)
    for _name, script in MIGRATIONS[:version]:
        connection.executescript(script) if "TRIGGER" not in script else [
            connection.execute(each) for each in script.split(";\n") if each.strip()
        ]
    connection.execute(f"PRAGMA user_version = {version}")
    for number, result in enumerate(
        [json.dumps({"trace_id": "trace-1"}), "{", "[1]", '"text"', None], start=1
    ):
        connection.execute(
            "INSERT INTO jobs (uuid, profile, host, kind, path, request, state, created_at, changed_at, result)"
            " VALUES (?, 'default', ?, 'imagine', ?, '{}', 'done', 1, 1, ?)",
            (f"uuid-{number}", HOST, IMAGINE, result),
        )
    connection.commit()
    connection.close()
    with_costs = Ledger.open(path, notice=pytest.fail)
    try:
        found = with_costs._query("SELECT trace_id FROM jobs ORDER BY number", ())
        assert found == [("trace-1",), (None,), (None,), (None,), (None,)]
    finally:
        with_costs.close()


def test_a_lost_response_still_counts(scene: Scene) -> None:
    scene.client.responses = [[LostResponse("gone")]]
    with pytest.raises(LostResponse):
        scene.runner.run(ORDER._replace(estimate=PRICE, limits=ONE), scene.observer)
    with pytest.raises(LimitReached):
        record(scene.ledger)

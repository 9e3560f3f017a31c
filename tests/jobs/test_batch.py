"""Many jobs at the same time: what starts when, and what stops them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from mjcli.api import Hooks, Result
from mjcli.errors import (
    ApiError,
    Interrupted,
    LedgerError,
    LimitReached,
    LostResponse,
    MjError,
    NetworkError,
    NoTokenError,
    StillRunning,
    UsageError,
)
from mjcli.jobs.batch import Account, Ended, Engine, Item, OtherAccount, not_sent
from mjcli.jobs.budget import Limits
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import KeyTaken, Ledger
from mjcli.jobs.order import Observer, Order, Outcome
from mjcli.jobs.pace import Pace, Stopped
from mjcli.jobs.poller import Poller
from mjcli.jobs.runner import Runner
from tests.jobs.fakes import FakeClient, FakeClock, Recorder
from tests.jobs.scene import FINAL, HOST
from tests.jobs.test_ledger import record
from tests.support.service import task_record

SOON = 10.0  # real seconds
FAST = 1000.0  # submissions a second
BALANCE = ApiError("No balance is left.", code="used_up", status=403)


def order(prompt: str, **fields: Any) -> Order:
    return Order("imagine", "imagine", {"prompt": prompt}, prompt, **fields)


def item(prompt: str, profile: str | None = None, **fields: Any) -> Item:
    return Item(order=lambda _: order(prompt, **fields), profile=profile, about=prompt)


class Jobs:
    """Runs jobs as `act` says, which gets the order and returns or raises."""

    host = HOST

    def __init__(self, act: Callable[[Order], Any] = lambda _: None) -> None:
        self.act = act
        self.changed = threading.Condition()
        self.running = self.most = 0
        self.prompts: list[str] = []
        self.resumed: list[tuple[str, float | None, Limits]] = []

    def run(self, order: Order, observer: Observer) -> Outcome:
        with self.changed:
            self.running += 1
            self.most = max(self.most, self.running)
            self.prompts.append(str(order.body["prompt"]))
            self.changed.notify_all()
        try:
            self.act(order)
        finally:
            with self.changed:
                self.running -= 1
        return Outcome("uuid", "task", Result({**FINAL, "prompt": order.subject}))

    def resume(self, job: Job, observer: Observer, *, timeout: float | None, limits: Limits) -> Outcome:
        self.resumed.append((job.uuid, timeout, limits))
        return Outcome(job.uuid, job.task_id, Result(FINAL))

    def wait_for(self, running: int) -> None:
        """Wait until so many jobs were in flight at a time."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.most >= running, SOON)


class Plan:
    """Records what it is told; `children` are the items that follow from a job, by its prompt."""

    def __init__(self) -> None:
        self.started_items: list[str] = []
        self.ends: list[Ended] = []
        self.results: list[Any] = []
        self.children: dict[str, list[Item]] = {}
        self.saving: Callable[[Ended], Any] = lambda ended: f"files of {ended.item.about}"
        self.ticking: Callable[[], object] = lambda: None
        self.starting: Callable[[], object] = lambda: None
        self.threads: set[int] = set()

    def observer(self, item: Item) -> Observer:
        return Recorder()

    def started(self, item: Item) -> None:
        self.threads.add(threading.get_ident())
        self.started_items.append(item.about)
        self.starting()

    def ended(self, ended: Ended) -> Iterable[Item]:
        self.threads.add(threading.get_ident())
        self.ends.append(ended)
        return self.children.get(ended.item.about, []) if ended.outcome is not None else []

    def save(self, ended: Ended) -> Any:
        return self.saving(ended)

    def saved(self, ended: Ended, result: Any) -> None:
        self.threads.add(threading.get_ident())
        self.results.append(result)

    def tick(self) -> None:
        self.ticking()

    @property
    def errors(self) -> dict[str, Exception | None]:
        return {ended.item.about: ended.error for ended in self.ends}

    @property
    def done(self) -> list[str]:
        return [ended.item.about for ended in self.ends if ended.outcome is not None]


def account(name: str, service: Any, clock: FakeClock | None = None, **limits: Any) -> Account:
    real = {} if clock is None else {"clock": clock}
    return Account(
        name,
        lambda _poller, _pace: service,
        Poller(FakeClient(FakeClock())),
        **{"rate": FAST, **limits},
        **real,
    )


@pytest.fixture
def plan() -> Plan:
    return Plan()


def run(plan: Plan, items: Iterable[Item], *accounts: Account, ledger: Ledger | None = None) -> list[str]:
    """Run items to the end; returns what was not sent."""
    return [each.about for each in Engine(accounts, ledger, plan).run(items)]


# -- how many at a time ------------------------------------------------------------------------------


def test_all_jobs_run_and_are_saved(plan: Plan) -> None:
    jobs = Jobs()
    assert run(plan, map(item, "abcdefgh"), account("a", jobs)) == []
    assert sorted(jobs.prompts) == sorted(plan.done) == list("abcdefgh")
    assert sorted(plan.results) == [f"files of {each}" for each in "abcdefgh"]


def test_as_many_run_at_a_time_as_allowed_and_no_more(plan: Plan) -> None:
    jobs = Jobs()
    jobs.act = lambda _: jobs.wait_for(3)
    assert run(plan, map(item, "abcdefgh"), account("a", jobs, jobs=3)) == []
    assert jobs.most == 3


def test_jobs_start_at_the_rate(plan: Plan, clock: FakeClock) -> None:
    moments: list[float] = []
    plan.starting = lambda: moments.append(clock.elapsed)
    plan.ticking = lambda: clock.sleep(0.001)
    run(plan, map(item, "abcde"), account("a", Jobs(), clock, rate=100.0))
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert len(moments) == 5
    assert min(pauses) >= 0.0099


def test_jobs_start_in_order(plan: Plan) -> None:
    run(plan, map(item, "abcdefgh"), account("a", Jobs(), jobs=2))
    assert plan.started_items == list("abcdefgh")


def test_everything_but_the_jobs_happens_in_the_calling_thread(plan: Plan) -> None:
    run(plan, map(item, "abcd"), account("a", Jobs()))
    assert plan.threads == {threading.get_ident()}


def test_files_are_saved_while_other_jobs_run(plan: Plan) -> None:
    saved = threading.Event()
    jobs = Jobs(lambda order: order.subject == "slow" and saved.wait(SOON))
    plan.saving = lambda ended: ended.item.about == "quick" and saved.set()
    run(plan, [item("slow"), item("quick")], account("a", jobs))
    assert plan.done == ["quick", "slow"]


def test_the_next_job_does_not_wait_for_the_files_of_the_one_before(plan: Plan) -> None:
    second = threading.Event()
    jobs = Jobs(lambda order: order.subject == "second" and second.set())
    plan.saving = lambda ended: ended.item.about == "second" or second.wait(SOON)
    run(plan, [item("first"), item("second")], account("a", jobs, jobs=1))
    assert plan.results == [True, True]


def test_it_ends_only_when_all_files_are_saved(plan: Plan) -> None:
    gate = threading.Event()

    def save(ended: Ended) -> str:
        assert gate.wait(SOON)
        return "saved"

    plan.saving = save
    plan.ticking = lambda: plan.done and gate.set()
    run(plan, [item("a")], account("a", Jobs()))
    assert plan.results == ["saved"]


def test_an_exception_of_save_is_handed_over(plan: Plan) -> None:
    def save(ended: Ended) -> str:
        if ended.item.about == "b":
            raise OSError("disk full")
        return "saved"

    plan.saving = save
    run(plan, map(item, "abc"), account("a", Jobs(), jobs=1))
    assert [str(each) for each in plan.results if each != "saved"] == ["disk full"]
    assert len(plan.results) == 3


# -- what follows from a job -------------------------------------------------------------------------


def test_what_follows_from_a_job_comes_before_the_others(plan: Plan) -> None:
    plan.children = {"a": [item("a1"), item("a2")], "a1": [item("a1x")]}
    jobs = Jobs()
    run(plan, map(item, "abc"), account("a", jobs, jobs=1))
    assert jobs.prompts == ["a", "a1", "a1x", "a2", "b", "c"]


def test_a_job_that_fails_has_no_followers(plan: Plan) -> None:
    def act(order: Order) -> None:
        raise ApiError("no", code="forbidden", status=403)

    plan.children = {"a": [item("a1")]}
    jobs = Jobs(act)
    run(plan, [item("a")], account("a", jobs))
    assert jobs.prompts == ["a"]


# -- jobs of the ledger ------------------------------------------------------------------------------


def recorded(ledger: Ledger, prompt: str, **fields: Any) -> Job:
    uuid = record(ledger, prompt, profile="a", host=HOST, request={"prompt": prompt}, **fields)
    job = ledger.get(uuid)
    assert job is not None
    return job


def test_a_job_that_is_in_flight_needs_no_turn(plan: Plan, jobs: Ledger, clock: FakeClock) -> None:
    running = []
    for prompt in "abc":
        job = recorded(jobs, prompt)
        jobs.mark_running(job.uuid, f"task-{prompt}")
        running.append(jobs.get(job.uuid))
    service = Jobs()
    # The clock stands still, so that there is only one turn.
    items = [Item(job=each, timeout=7.0, about=each.subject) for each in running if each is not None]
    run(plan, items, account("a", service, clock, rate=1.0))
    assert sorted(plan.done) == ["a", "b", "c"]
    assert {timeout for _, timeout, _ in service.resumed} == {7.0}


def test_an_item_that_another_process_has_started_is_joined_there(plan: Plan, jobs: Ledger) -> None:
    other = recorded(jobs, "a", batch="b", item="1")

    def act(order: Order) -> None:
        raise KeyTaken

    service, limits = Jobs(act), Limits(batch_jobs=5)
    items = [item("a", batch="b", item="1", timeout=9.0, limits=limits)]
    assert run(plan, items, account("a", service), ledger=jobs) == []
    assert service.resumed == [(other.uuid, 9.0, limits)]
    (ended,) = plan.ends
    assert ended.order is not None
    assert ended.order.item == "1"


def test_an_item_that_another_account_has_sent_is_left_to_that_account(plan: Plan, jobs: Ledger) -> None:
    other = recorded(jobs, "a", batch="b", item="1")  # of the account "a"

    def act(order: Order) -> None:
        raise KeyTaken

    service = Jobs(act)
    run(plan, [item("a", batch="b", item="1")], account("b", service), ledger=jobs)
    error = plan.errors["a"]
    assert isinstance(error, OtherAccount)
    assert error.job.uuid == other.uuid
    assert service.resumed == []


def test_an_item_whose_other_job_is_gone_fails_alone(plan: Plan, jobs: Ledger) -> None:
    def act(order: Order) -> None:
        if order.subject == "a":
            raise KeyTaken

    items = [item("a", batch="b", item="1"), item("b", batch="b", item="2")]
    run(plan, items, account("a", Jobs(act), jobs=1), ledger=jobs)
    assert isinstance(plan.errors["a"], KeyTaken)
    assert plan.done == ["b"]


# -- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ApiError("no", code="forbidden", status=403),
        ApiError("no", code="bad_request", status=400),
        ApiError("broken", code="api_error", status=500),
        ApiError("failed", code="api_error", accepted=True),
        ApiError("failed after it was accepted", code="used_up", accepted=True),
        LostResponse("lost"),
        StillRunning("late"),
        UsageError("not offered"),
        ZeroDivisionError(),
    ],
)
def test_an_error_of_one_job_concerns_that_job_alone(plan: Plan, error: Exception) -> None:
    def act(order: Order) -> None:
        if order.subject == "b":
            raise error

    assert run(plan, map(item, "abcd"), account("a", Jobs(act), jobs=1)) == []
    assert plan.errors["b"] is error
    assert plan.done == ["a", "c", "d"]


def test_an_order_that_cannot_be_made_fails_its_job_alone(plan: Plan) -> None:
    def refuse(_: str) -> Order:
        raise UsageError("no such image")

    jobs = Jobs()
    run(plan, [Item(order=refuse, about="a"), item("b")], account("a", jobs))
    assert str(plan.errors["a"]) == "no such image"
    assert jobs.prompts == ["b"]


@pytest.mark.parametrize(
    "error",
    [BALANCE, NoTokenError("no token"), ApiError("bad token", code="invalid_token", status=401)],
)
def test_an_account_that_can_send_nothing_is_closed_and_the_others_continue(
    plan: Plan, error: MjError
) -> None:
    def refuse(order: Order) -> None:
        raise error

    empty, full = Jobs(refuse), Jobs()
    full.act = lambda _: empty.wait_for(1)
    accounts = [account("empty", empty, jobs=1), account("full", full, jobs=2)]
    assert run(plan, map(item, "abcdef"), *accounts) == []
    assert len(empty.prompts) == 1
    assert sorted(full.prompts) == list("abcdef")
    assert accounts[0].closed is error


def test_without_any_account_left_nothing_more_is_sent(plan: Plan) -> None:
    def act(order: Order) -> None:
        if order.subject == "b":
            raise BALANCE

    jobs = Jobs(act)
    assert run(plan, map(item, "abcd"), account("a", jobs, jobs=1)) == ["b", "c", "d"]
    assert jobs.prompts == ["a", "b"]


def test_jobs_in_flight_are_followed_when_the_account_closes(plan: Plan) -> None:
    refused = threading.Event()

    def act(order: Order) -> None:
        if order.subject == "b":
            raise BALANCE
        assert refused.wait(SOON)

    plan.ticking = lambda: "b" in plan.errors and refused.set()
    assert run(plan, map(item, "abc"), account("a", Jobs(act), jobs=2)) == ["b", "c"]
    assert plan.done == ["a"]


def test_a_limit_stops_everything_and_the_job_goes_back(plan: Plan) -> None:
    refused = threading.Event()
    plan.ticking = lambda: any(each.error for each in plan.ends) and refused.set()

    def act(order: Order) -> None:
        if order.subject == "c":
            raise LimitReached("--max-jobs is 2.")
        assert order.subject in "ab" or refused.wait(SOON)

    one, two = Jobs(act), Jobs(act)
    left = run(plan, map(item, "abcdef"), account("a", one, jobs=1), account("b", two, jobs=1))
    assert "c" in left
    assert {"e", "f"} <= set(left)
    assert sorted([*left, *plan.done]) == list("abcdef")


@pytest.mark.parametrize(
    ("error", "left"),
    [(NetworkError("no connection"), "bcd"), (LedgerError("full"), "abcd"), (Stopped("stopped"), "abcd")],
)
def test_a_network_or_ledger_that_does_not_work_stops_everything(
    plan: Plan, error: MjError, left: str
) -> None:
    def act(order: Order) -> None:
        raise error

    jobs = Jobs(act)
    assert run(plan, map(item, "abcd"), account("a", jobs, jobs=1)) == list(left)
    assert plan.errors == {"a": error}


def test_a_failure_of_an_accepted_job_says_nothing_about_the_account() -> None:
    assert not_sent(BALANCE)
    assert not_sent(LimitReached("no"))
    assert not not_sent(ApiError("x", code="used_up", status=403, accepted=True))
    assert not not_sent(ApiError("x", code="forbidden", status=403))
    assert not not_sent(None)


# -- stopping ----------------------------------------------------------------------------------------


def test_stop_sends_nothing_more_and_follows_what_is_in_flight(plan: Plan) -> None:
    stopped = threading.Event()
    jobs = Jobs(lambda _: stopped.wait(SOON))
    engine = Engine([account("a", jobs, jobs=2)], None, plan)

    def stop() -> None:
        if len(plan.started_items) == 2:
            engine.stop()
            stopped.set()

    plan.starting = stop
    plan.children = {"a": [item("a1")]}
    left = [each.about for each in engine.run(map(item, "abcde"))]
    assert sorted(plan.done) == ["a", "b"]
    assert left == ["a1", "c", "d", "e"]
    assert len(plan.results) == 2


def test_an_interruption_says_that_threads_still_run(plan: Plan) -> None:
    over = threading.Event()

    def interrupt() -> None:
        raise Interrupted(2)

    plan.ticking = interrupt
    with pytest.raises(Interrupted) as caught:
        run(plan, map(item, "ab"), account("a", Jobs(lambda _: over.wait(SOON))))
    over.set()
    assert caught.value.threads_run


def test_stop_wakes_the_main_thread(plan: Plan) -> None:
    engine = Engine([account("a", Jobs(), rate=0.001)], None, plan)
    plan.ticking = lambda: threading.Timer(0.01, engine.stop).start() if plan.done else None
    engine.run(map(item, "ab"))
    assert plan.done == ["a"]


# -- accounts ----------------------------------------------------------------------------------------


def test_jobs_are_spread_over_the_accounts(plan: Plan) -> None:
    together = threading.Barrier(4, timeout=SOON)
    one, two = Jobs(lambda _: together.wait()), Jobs(lambda _: together.wait())
    run(plan, map(item, "abcd"), account("a", one, jobs=2), account("b", two, jobs=2))
    assert one.most == two.most == 2


def test_each_account_has_its_own_limits(plan: Plan) -> None:
    one, two = Jobs(), Jobs()
    one.act = two.act = lambda _: two.wait_for(3)
    run(plan, map(item, "abcdefgh"), account("a", one, jobs=1), account("b", two, jobs=3))
    assert (one.most, two.most) == (1, 3)


def test_an_order_is_made_for_the_account_that_sends_it(plan: Plan) -> None:
    names: list[str] = []

    def make(name: str) -> Order:
        names.append(name)
        return order("x")

    run(plan, [Item(order=make, profile="b", about="x")], account("a", Jobs()), account("b", Jobs()))
    assert names == ["b"]


def test_an_item_that_is_bound_runs_on_its_account_only(plan: Plan) -> None:
    one, two = Jobs(), Jobs()
    items = [item("a1", "a"), item("b1", "b"), item("a2", "a"), item("b2", "b")]
    run(plan, items, account("a", one, jobs=1), account("b", two, jobs=1))
    assert one.prompts == ["a1", "a2"]
    assert two.prompts == ["b1", "b2"]


def test_items_that_wait_for_a_busy_account_do_not_hold_up_the_others(plan: Plan) -> None:
    one, two = Jobs(), Jobs()
    one.act = lambda _: two.wait_for(1)
    items = [item("a1", "a"), item("a2", "a"), item("a3", "a"), item("b1", "b")]
    run(plan, items, account("a", one, jobs=1), account("b", two, jobs=1))
    assert two.prompts == ["b1"]


def test_items_of_a_closed_account_are_left_and_the_rest_is_sent(plan: Plan) -> None:
    def refuse(order: Order) -> None:
        raise BALANCE

    empty, full = Jobs(refuse), Jobs()
    items = [item("a1", "a"), item("a2", "a"), item("b1", "b"), item("c")]
    left = run(plan, items, account("a", empty, jobs=1), account("b", full, jobs=1))
    assert sorted(left) == ["a1", "a2"]
    assert sorted(full.prompts) == ["b1", "c"]


def test_an_account_that_does_not_take_any_runs_what_is_bound_to_it(plan: Plan) -> None:
    one, two = Jobs(), Jobs()
    items = [item("x"), item("y"), item("b1", "b"), item("z"), item("b2", "b")]
    left = run(plan, items, account("a", one, jobs=1), account("b", two, jobs=1, takes_any=False))
    assert left == []
    assert one.prompts == ["x", "y", "z"]
    assert two.prompts == ["b1", "b2"]


def test_items_that_no_open_account_takes_are_left_and_what_is_bound_is_sent(plan: Plan) -> None:
    def refuse(order: Order) -> None:
        raise BALANCE

    one, two = Jobs(refuse), Jobs()
    items = [item("x"), item("b1", "b"), item("y"), item("b2", "b")]
    left = run(plan, items, account("a", one, jobs=1), account("b", two, jobs=1, takes_any=False))
    assert left == ["x", "y"]
    assert two.prompts == ["b1", "b2"]


def test_an_account_may_be_added_while_jobs_run(plan: Plan) -> None:
    two = Jobs()
    accounts = [account("a", Jobs())]
    plan.starting = lambda: len(accounts) == 1 and accounts.append(account("b", two, takes_any=False))
    plan.children = {"x": [item("b1", "b")]}
    assert Engine(accounts, None, plan).run([item("x")]) == []
    assert two.prompts == ["b1"]


# -- with the real runner ----------------------------------------------------------------------------


class Limiting(FakeClient):
    """A service that refuses the first request because of the rate, and calls the hook as the real client does."""

    def _respond(self, body: Mapping[str, Any], hooks: Hooks) -> Iterator[Result]:
        if not self.bodies:
            hooks.leaving()
            seconds = hooks.limited(20.0)
            assert seconds is not None
            hooks.retrying(seconds, "the rate is limited")
            self.clock.sleep(seconds)
        return super()._respond(body, hooks)


def test_a_rate_limit_slows_all_jobs_of_the_account(plan: Plan, jobs: Ledger, clock: FakeClock) -> None:
    client = Limiting(clock)
    client.tasks_now["t1"] = task_record("t1", {}, FINAL)
    client.responses = [[{"task_id": "t1"}]]

    def runner(poller: Poller, pace: Pace) -> Runner:
        return Runner(client, jobs, profile="a", host=HOST, clock=clock, follow=poller.follow, pace=pace)

    one = Account("a", runner, Poller(client, clock=clock), rate=1.0, clock=clock)
    run(plan, [item("a", stream=False, detached=True, batch="b", item="1")], one, ledger=jobs)
    assert plan.done == ["a"]
    assert len(client.bodies) == 1
    assert clock.elapsed > 20
    clock.sleep(100)
    one.pace.take()
    assert one.pace.take() == pytest.approx(1 / 0.75)  # halved, and faster again since one was accepted

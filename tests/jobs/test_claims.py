"""Claims on the items of a batch, with a store, a service and a clock in memory."""

from __future__ import annotations

import json

import pytest

from mjcli.errors import StoreError
from mjcli.jobs.account_tasks import Account, account_fingerprint
from mjcli.jobs.claim_objects import plain_name
from mjcli.jobs.claims import SEND_SECONDS, WAIT_SECONDS, Claim, Claims, Counts, Taken, count
from tests.jobs.claims_world import ACCOUNT, PATH, World, request_of


@pytest.fixture
def world() -> World:
    return World()


def claimed(claims: Claims, item: str = "cat", **options: object) -> Claim:
    found = claims.acquire(item, request_of(item), **options)  # type: ignore[arg-type]
    assert isinstance(found, Claim), found
    return found


def taken(claims: Claims, item: str = "cat", **options: object) -> Taken:
    found = claims.acquire(item, request_of(item), **options)  # type: ignore[arg-type]
    assert isinstance(found, Taken), found
    return found


def named(key: str) -> str:
    """The name of an object of the batch."""
    kind, _, name = key.partition("/")
    return f".mj/{kind}/{plain_name('prompts.txt')}/{name}"


def stored(world: World, key: str) -> dict[str, object]:
    value = json.loads(world.objects[named(key)])
    assert isinstance(value, dict)
    return value


# -- the usual course --------------------------------------------------------------------------------------


def test_a_claim_says_who_sends_what_and_when(world: World) -> None:
    claims = world.claims(host="here")
    claims.acquire("cat", request_of("cat", "uuid-1"))
    claim = stored(world, "claims/cat.json")
    assert claim["owner"] == claims.owner
    assert (claim["host"], claim["job"], claim["account"]) == ("here", "uuid-1", ACCOUNT)
    assert (claim["path"], claim["body"]) == (PATH, {"prompt": "cat"})
    assert claim["time"] == world.clock.time()
    assert claim["fingerprint"] == request_of("cat").fingerprint


def test_the_time_of_a_claim_is_that_of_the_service(world: World) -> None:
    world.offset = 3600.0
    claimed(world.claims())
    assert stored(world, "claims/cat.json")["time"] == world.clock.time() + 3600


def test_a_finished_item_is_never_sent_again(world: World) -> None:
    claim = claimed(world.claims(host="here"))
    claim.accepted("task-1")
    claim.finish("done", image_id="image-1", files=["files/cat.png"], cost=0.025)
    found = taken(world.claims(), retry=("failed", "unknown"))
    assert (found.state, found.host) == ("done", "here")
    assert found.result is not None
    assert (found.result.task_id, found.result.image_id) == ("task-1", "image-1")
    assert (found.result.files, found.result.cost) == (("files/cat.png",), 0.025)


def test_the_first_result_of_a_claim_stays(world: World) -> None:
    claim = claimed(world.claims())
    claim.accepted("task-1")
    other = taken(world.claims()).claim
    assert other is not None
    other.finish("done", image_id="first")
    assert claim.finish("failed").image_id == "first"


def test_an_item_that_is_being_sent_is_waited_for(world: World) -> None:
    claimed(world.claims(host="here"))
    world.clock.elapsed += 100
    found = taken(world.claims())
    assert (found.state, found.seconds, found.host) == ("waiting", WAIT_SECONDS - 100, "here")


def test_a_process_does_not_take_its_own_claim_twice(world: World) -> None:
    claims = world.claims()
    claimed(claims)
    assert taken(claims).state == "waiting"


def test_a_task_that_its_owner_recorded_needs_no_wait_and_no_search(world: World) -> None:
    claimed(world.claims()).accepted("task-1")
    found = taken(world.claims())
    assert found.state == "running"
    assert found.claim is not None
    assert found.claim.task_id == "task-1"
    assert not found.claim.may_send()


# -- the age of a claim ------------------------------------------------------------------------------------


def test_a_claim_may_be_sent_on_for_a_short_time(world: World) -> None:
    claim = claimed(world.claims())
    assert claim.may_send()
    world.clock.elapsed += SEND_SECONDS - 1
    assert claim.may_send()
    world.clock.elapsed += 1
    assert not claim.may_send()


def test_a_machine_that_slept_does_not_send(world: World) -> None:
    claim = claimed(world.claims())
    world.clock.offset += SEND_SECONDS  # the monotonic clock stood still
    assert not claim.may_send()


def test_a_machine_that_slept_and_whose_clock_was_set_back_does_not_send(world: World) -> None:
    world.clock.boot = "boot"
    claim = claimed(world.claims())
    world.clock.elapsed += 1000
    world.clock.offset -= 1000
    world.clock.began -= 1000
    assert not claim.may_send()


def test_a_clock_that_was_set_back_proves_nothing(world: World) -> None:
    claim = claimed(world.claims())
    world.clock.offset -= 60
    assert not claim.may_send()


@pytest.mark.parametrize("ending", ["done", "failed", "not_sent"])
def test_a_claim_with_a_result_may_not_be_sent_on(world: World, ending: str) -> None:
    claim = claimed(world.claims())
    claim.finish(ending)  # type: ignore[arg-type]
    assert not claim.may_send()


# -- what was not sent, and what failed --------------------------------------------------------------------


def test_a_released_item_may_be_claimed_by_anyone(world: World) -> None:
    claimed(world.claims()).release()
    assert claimed(world.claims()).generation == 2
    assert taken(world.claims()).state == "waiting"


def test_a_failed_item_is_sent_again_only_on_request(world: World) -> None:
    claimed(world.claims()).finish("failed", error={"code": "forbidden"})
    found = taken(world.claims(), retry=("unknown",))
    assert found.state == "failed"
    assert found.result is not None
    assert found.result.error == {"code": "forbidden"}
    assert claimed(world.claims(), retry=("failed",)).generation == 2


def test_of_two_retries_of_a_failed_item_one_is_sent(world: World) -> None:
    claimed(world.claims()).finish("failed")
    first, second = world.claims(), world.claims()
    assert taken(second).state == "failed"
    claimed(first, retry=("failed",)).finish("failed")
    assert taken(second, retry=("failed",)).state == "failed"
    assert taken(first, retry=("failed",)).state == "failed"
    assert claimed(world.claims(), retry=("failed",)).generation == 3


def test_a_done_item_is_made_anew_once_on_request(world: World) -> None:
    claimed(world.claims()).finish("done")
    claims = world.claims()
    claim = claimed(claims, retry=("done",))
    claim.finish("done")
    assert taken(claims, retry=("done",)).generation == 2


# -- claims without a result -------------------------------------------------------------------------------


def lost(world: World, item: str = "cat", *, accepted: bool = True) -> None:
    """A process claims an item, sends it, and ends; ten minutes pass."""
    claimed(world.claims(host="stopped"), item)
    if accepted:
        world.post(item, 1)
    world.clock.elapsed += WAIT_SECONDS + 1


def test_the_one_matching_task_is_adopted_after_ten_minutes(world: World) -> None:
    lost(world)
    world.task("dog", age=WAIT_SECONDS - 1)
    found = taken(world.claims())
    assert found.state == "running"
    assert found.claim is not None
    assert found.claim.task_id == "task-0"
    assert taken(world.claims()).claim.task_id == "task-0"  # type: ignore[union-attr]


def test_without_a_task_the_item_is_unknown_and_sent_only_on_request(world: World) -> None:
    lost(world, accepted=False)
    found = taken(world.claims(), retry=("failed",))
    assert (found.state, found.reason) == ("unknown", "no task was found")
    first, second = world.claims(), world.claims()
    assert claimed(first, retry=("unknown",)).generation == 2
    assert taken(second, retry=("unknown",)).state == "waiting"


def test_a_process_retries_an_unknown_item_once(world: World) -> None:
    lost(world, accepted=False)
    claims = world.claims()
    claimed(claims, retry=("unknown",))
    world.clock.elapsed += WAIT_SECONDS + 1
    assert taken(claims, retry=("unknown",)).state == "unknown"


def test_several_matching_tasks_leave_the_item_unknown(world: World) -> None:
    lost(world)
    world.task("cat", age=WAIT_SECONDS - 1)
    found = taken(world.claims())
    assert (found.state, found.reason) == ("unknown", "2 of the account's tasks have the same request")


@pytest.mark.parametrize("age", [WAIT_SECONDS + 10, -1.0])
def test_a_task_from_another_time_is_not_adopted(world: World, age: float) -> None:
    lost(world, accepted=False)
    world.task("cat", age=age)
    world.clock.elapsed += 10
    assert taken(world.claims()).state == "unknown"


def test_a_task_of_another_job_in_the_ledger_is_not_adopted(world: World) -> None:
    lost(world)
    assert taken(world.claims(known=["task-0"])).state == "unknown"
    assert taken(world.claims()).state == "running"


def test_a_task_of_an_equal_line_is_not_adopted(world: World) -> None:
    claim = claimed(world.claims(), "cat#2")
    claim.accepted(world.post("cat#2", 1))
    lost(world, "cat", accepted=False)
    assert taken(world.claims(), "cat").state == "unknown"


def test_while_an_equal_line_may_be_sent_no_task_is_adopted(world: World) -> None:
    lost(world)
    claimed(world.claims(), "cat#2")
    found = taken(world.claims())
    assert (found.state, found.seconds) == ("waiting", WAIT_SECONDS)
    world.clock.elapsed += WAIT_SECONDS + 1
    assert taken(world.claims()).state == "running"
    assert taken(world.claims(), "cat#2").state == "unknown"


def test_while_a_line_that_differs_only_in_spaces_may_be_sent_no_task_is_adopted(world: World) -> None:
    lost(world, "a cat")
    claimed(world.claims(), "a  cat")
    assert taken(world.claims(), "a cat").state == "waiting"


def test_a_task_of_another_batch_in_the_store_is_not_adopted(world: World) -> None:
    lost(world, accepted=False)
    other = Claims(world, "other.txt", [world.account()], clock=world.clock)
    claim = other.acquire("cat", request_of("cat"))
    assert isinstance(claim, Claim)
    world.task("cat", task_id="theirs", age=WAIT_SECONDS - 1)
    assert taken(world.claims()).state == "waiting"  # as long as it may be theirs
    claim.accepted("theirs")
    assert taken(world.claims()).state == "unknown"


def test_of_two_batches_that_lost_equal_lines_one_adopts_the_task(world: World) -> None:
    lost(world)
    others = [
        Claims(world, name, [world.account()], clock=world.clock) for name in ("prompts.txt", "other.txt")
    ]
    assert isinstance(others[1].acquire("cat", request_of("cat")), Claim)
    world.clock.elapsed += WAIT_SECONDS + 1
    states = [taken(each).state for each in others]
    assert states == ["running", "unknown"]


def test_a_line_sent_with_another_account_is_unknown(world: World) -> None:
    lost(world)
    other = Account(world, "another", clock=world.clock)
    claims = Claims(world, "prompts.txt", [other], clock=world.clock)
    found = claims.acquire("cat", request_of("cat")._replace(account="another"))
    assert isinstance(found, Taken)
    assert (found.state, found.reason) == ("unknown", "it was sent with the token of another account")


def test_the_ten_minutes_are_those_of_the_service(world: World) -> None:
    claimed(world.claims())
    world.clock.elapsed += 10
    world.clock.offset += 3600  # this machine's clock is an hour ahead
    world.offset = -3600.0
    assert taken(world.claims()).state == "waiting"


def test_a_claim_from_the_future_is_waited_for_ten_minutes(world: World) -> None:
    world.offset = 7200.0
    claimed(world.claims())
    world.offset = 0.0
    claims = world.claims()
    assert taken(claims).state == "waiting"
    world.clock.elapsed += WAIT_SECONDS + 1
    assert taken(claims).state == "unknown"


def test_many_lost_items_are_searched_for_with_one_listing(world: World) -> None:
    for number in range(30):
        claimed(world.claims(), f"cat {number}")
        world.post(f"cat {number}", 1)
    world.clock.elapsed += WAIT_SECONDS + 1
    claims, before = world.claims(), world.listings
    assert all(taken(claims, f"cat {number}").state == "running" for number in range(30))
    assert world.listings - before <= 2


def test_older_tasks_than_a_page_are_found(world: World) -> None:
    lost(world)
    for _ in range(120):
        world.task("dog")
    assert taken(world.claims()).state == "running"
    assert len(world.clock.pauses) >= 2


# -- a store with faults, and damaged objects --------------------------------------------------------------


def test_a_claim_whose_creation_failed_is_not_lost(world: World) -> None:
    claims = world.claims()
    world.lost_creates = 1
    with pytest.raises(OSError, match="timed out"):
        claims.acquire("cat", request_of("cat"))
    assert claimed(claims).generation == 2
    assert taken(world.claims()).state == "waiting"


def test_a_repeated_attempt_recognises_its_own_claim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create = world.create
    monkeypatch.setattr(world, "create", lambda key, data: create(key, data) and create(key, data))
    assert claimed(world.claims()).may_send()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"\xff", b'{"item": "cat", "time": "now"}', b"[" * 100_000]
)
def test_a_damaged_claim_is_waited_for_and_never_sent(world: World, data: bytes) -> None:
    claimed(world.claims())
    world.objects[named("claims/cat.json")] = data
    claims = world.claims()
    assert taken(claims).state == "waiting"
    world.clock.elapsed += WAIT_SECONDS + 1
    found = taken(claims)
    assert found.state == "unknown"
    assert "is damaged" in found.reason


@pytest.mark.parametrize("data", [b"", b"{}", b'{"item": "cat", "state": [], "time": 1}'])
def test_a_damaged_result_is_reported_and_never_sent(world: World, data: bytes) -> None:
    claimed(world.claims()).finish("failed")
    world.objects[named("results/cat.json")] = data
    with pytest.raises(StoreError, match="is not a result"):
        world.claims().acquire("cat", request_of("cat"), retry=("failed", "unknown"))


def test_different_items_have_different_names() -> None:
    items = [
        "cat",
        "Cat",
        "CAT",
        "a/b",
        "a b",
        "a-b",
        "a.2",
        "a",
        "",
        "..",
        "猫",
        "x" * 200,
        "x" * 201,
        "\udc80",
    ]
    names = [plain_name(each) for each in items]
    assert len(set(names)) == len(items)
    assert all(name == name.lower() and name.replace("-", "").replace("_", "").isalnum() for name in names)


# -- a machine that kept its ledger ------------------------------------------------------------------------


def test_a_claim_for_a_job_in_the_ledger_is_found_again(world: World) -> None:
    world.claims().acquire("cat", request_of("cat", "uuid-1"))
    claims = world.claims()
    assert claims.reopen("cat", "uuid-2") is None
    assert claims.reopen("dog", "uuid-1") is None
    claim = claims.reopen("cat", "uuid-1")
    assert claim is not None
    assert not claim.may_send()
    claim.release()
    assert claims.reopen("cat", "uuid-1") is None
    assert claimed(world.claims()).generation == 2


# -- reports -----------------------------------------------------------------------------------------------


def test_the_results_are_the_newest_of_each_item(world: World) -> None:
    claims = world.claims()
    claimed(claims, "lost")
    world.clock.elapsed += WAIT_SECONDS + 1
    claimed(claims, "done").finish("done")
    claimed(claims, "Failed Once").finish("failed")
    claimed(world.claims(), "Failed Once", retry=("failed",)).finish("done")
    claimed(claims, "failed").finish("failed")
    claimed(claims, "released").release()
    claimed(claims, "sending")
    claimed(claims, "followed").accepted("task-1")
    status = Claims(world, "prompts.txt", [], clock=world.clock)
    assert {each.item: each.state for each in status.results()} == {
        "lost": "unknown",
        "done": "done",
        "Failed Once": "done",
        "failed": "failed",
        "sending": "waiting",
        "followed": "running",
    }


def test_the_items_of_a_batch_are_counted(world: World) -> None:
    claims = world.claims()
    claimed(claims, "lost")
    world.clock.elapsed += WAIT_SECONDS + 1
    for number in range(3):
        claimed(claims, f"cat {number}").finish("done")
    claimed(claims, "dog").finish("failed")
    claimed(claims, "cow")
    claimed(claims, "owl").accepted("task-1")
    claimed(claims, "ant").release()
    assert count(world, "prompts.txt", clock=world.clock) == Counts(3, 1, 1, 1, 1)
    assert count(world, "other.txt", clock=world.clock) == Counts(0, 0, 0, 0, 0)


def test_a_rehearsal_in_the_sandbox_does_not_count(world: World) -> None:
    sandbox = Claims(world, "prompts.txt", [world.account()], sandbox=True, clock=world.clock)
    claim = sandbox.acquire("cat", request_of("cat"))
    assert isinstance(claim, Claim)
    claim.finish("done")
    assert count(world, "prompts.txt", clock=world.clock).done == 0
    assert count(world, "prompts.txt", sandbox=True, clock=world.clock).done == 1
    assert isinstance(world.claims().acquire("cat", request_of("cat")), Claim)


def test_no_object_has_a_token(world: World) -> None:
    def hide(text: str) -> str:
        return text.replace("secret", "***")

    claims = Claims(world, "prompts.txt", [world.account()], hide=hide, clock=world.clock, host="secret")
    claimed(claims, "a secret cat").finish("failed", error={"code": "forbidden", "message": "secret"})
    assert not any(b"secret" in each for each in world.objects.values())


def test_batches_of_other_names_are_apart(world: World) -> None:
    claimed(world.claims()).finish("done")
    other = Claims(world, "other.txt", [world.account()], clock=world.clock)
    assert isinstance(other.acquire("cat", request_of("cat")), Claim)


def test_an_account_is_the_same_on_every_machine_and_does_not_show_its_token() -> None:
    found = account_fingerprint("https://api.example", "secret-token")
    assert found == account_fingerprint("https://api.example", "secret-token") == "9217eea5d0a8bf9c"
    assert found != account_fingerprint("https://api.example", "other-token")
    assert found != account_fingerprint("https://other.example", "secret-token")

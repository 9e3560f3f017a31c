"""Jobs that are claimed before they are sent: a runner with a gate, a store in memory, and other machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mjcli.errors import ApiError, Interrupted, LedgerError, LostResponse, StoreError, TakenElsewhere
from mjcli.jobs.account_tasks import Account
from mjcli.jobs.claim_objects import Request
from mjcli.jobs.claims import SEND_SECONDS, WAIT_SECONDS, Claim, Claims, Taken
from mjcli.jobs.gate import ClaimGate
from mjcli.jobs.runner import Runner
from tests.jobs.claims_world import ACCOUNT, World
from tests.jobs.scene import BODY, FINAL, HOST, ORDER, STEP, Scene

LINE = ORDER._replace(batch="prompts.txt", item="a cat")


class Shared:
    """This machine with a gate, and others that share its store and its account."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.world = scene, World()
        self.world.clock = scene.clock
        self.warnings: list[str] = []
        self.restart()

    def restart(self) -> None:
        """This machine has an empty memory, but its ledger."""
        self.gate = ClaimGate(self.claims("here"), ACCOUNT, warn=self.warnings.append)
        scene = self.scene
        scene.runner = Runner(
            scene.client, scene.ledger, profile="default", host=HOST, clock=scene.clock, gate=self.gate
        )

    def claims(self, host: str) -> Claims:
        account = Account(self.scene.client, ACCOUNT, clock=self.scene.clock)
        return Claims(self.world, "prompts.txt", [account], clock=self.scene.clock, host=host)

    def elsewhere(self) -> Claim | Taken:
        """What another machine gets that asks for the same line."""
        return self.claims("elsewhere").acquire("a cat", Request(LINE.path, BODY, ACCOUNT))

    def state_elsewhere(self) -> str:
        found = self.elsewhere()
        return "sent" if isinstance(found, Claim) else found.state

    def claimed_elsewhere(self) -> Claim:
        found = self.elsewhere()
        assert isinstance(found, Claim)
        return found


@pytest.fixture
def shared(scene: Scene) -> Shared:
    return Shared(scene)


def test_a_job_is_claimed_before_it_is_sent_and_its_task_recorded(scene: Scene, shared: Shared) -> None:
    seen: list[str] = []

    def look() -> None:
        seen.append(shared.state_elsewhere())

    scene.client.responses = [[look, STEP, look, FINAL]]
    outcome = scene.run(LINE)
    assert seen == ["waiting", "running"]
    result = shared.gate.finish("a cat", outcome.uuid, "done", task_id="t1", files=["cat.png"])
    assert result is not None and result.files == ("cat.png",)
    assert shared.state_elsewhere() == "done"


def test_a_job_that_another_machine_sends_is_not_sent(scene: Scene, shared: Shared) -> None:
    shared.claimed_elsewhere()
    error = scene.fails(TakenElsewhere, LINE)
    assert error.message == "It is being sent by elsewhere."
    assert error.taken.state == "waiting"
    assert scene.client.bodies == []
    assert list(scene.ledger.newest_first("default")) == []


def test_a_task_of_another_machine_is_followed(scene: Scene, shared: Shared) -> None:
    shared.claimed_elsewhere().accepted("t1")
    scene.task("t1", FINAL)
    outcome = scene.run(LINE)
    assert (outcome.task_id, scene.client.bodies) == ("t1", [])
    assert (scene.row.state, scene.row.task_id) == ("done", "t1")
    assert shared.gate.finish("a cat", outcome.uuid, "done") is not None
    assert shared.state_elsewhere() == "done"


def test_a_task_of_another_machine_that_is_followed_again_after_a_restart_is_finished(
    scene: Scene, shared: Shared
) -> None:
    shared.claimed_elsewhere().accepted("t1")
    scene.task("t1", FINAL)
    outcome = scene.run(LINE)
    shared.restart()
    assert shared.gate.finish("a cat", outcome.uuid, "done", task_id="t2") is None
    assert shared.gate.finish("a cat", outcome.uuid, "done", task_id="t1") is not None
    assert shared.state_elsewhere() == "done"


def test_a_claim_of_a_lost_job_is_not_released_for_another_row(scene: Scene, shared: Shared) -> None:
    scene.client.responses = [[LostResponse("Reset.")]]
    scene.fails(LostResponse, LINE)
    scene.ledger.release_items([scene.row.uuid])  # as another attempt at the line needs
    assert scene.fails(TakenElsewhere, LINE).taken.state == "waiting"
    assert len(scene.client.bodies) == 1
    assert shared.state_elsewhere() == "waiting"


def test_a_job_that_is_done_elsewhere_is_not_sent(scene: Scene, shared: Shared) -> None:
    shared.claimed_elsewhere().finish("done", files=["cat.png"])
    error = scene.fails(TakenElsewhere, LINE)
    assert error.taken.result.files == ("cat.png",)
    assert scene.client.bodies == []


def test_a_claim_that_grew_old_before_the_first_byte_is_renewed(scene: Scene, shared: Shared) -> None:
    enter = shared.gate.enter

    def slowly(*arguments: Any) -> str | None:
        found = enter(*arguments)
        scene.clock.sleep(SEND_SECONDS)
        return found

    shared.gate.enter = slowly  # type: ignore[method-assign]
    scene.client.responses = [[STEP, FINAL]]
    scene.run(LINE)
    assert len([each for each in shared.world.objects if each.startswith(".mj/claims/")]) == 2


def test_a_claim_that_grew_old_between_two_attempts_may_be_taken_by_another(
    scene: Scene, shared: Shared
) -> None:
    def sleep(seconds: float, sleep: Callable[[float], None] = scene.clock.sleep) -> None:
        scene.clock.elapsed += WAIT_SECONDS + 1
        shared.gate._claims.reopen("a cat", scene.row.uuid).release()  # type: ignore[union-attr]
        shared.claimed_elsewhere()
        sleep(seconds)

    scene.clock.sleep = sleep  # type: ignore[method-assign]
    scene.client.responses = [["rate limited", FINAL]]
    assert scene.fails(TakenElsewhere, LINE).taken.state == "waiting"
    assert len(scene.client.bodies) == 1  # the one that was refused
    assert list(scene.ledger.newest_first("default")) == []


def test_a_refused_job_may_be_sent_by_others_once_it_is_released(scene: Scene, shared: Shared) -> None:
    scene.client.responses = [[ApiError("No balance.", code="used_up")]]
    scene.fails(ApiError, LINE)
    assert shared.state_elsewhere() == "waiting"
    shared.gate.release("a cat", scene.row.uuid)
    assert shared.state_elsewhere() == "sent"


def test_a_job_whose_claim_was_made_just_before_this_machine_stopped_is_sent(
    scene: Scene, shared: Shared
) -> None:
    scene.client.responses = [["never connected", Interrupted(15)]]
    shared.gate.not_sent = lambda _: None  # type: ignore[method-assign]
    scene.fails(Interrupted, LINE)
    assert scene.row.unsent
    assert shared.state_elsewhere() == "waiting"
    shared.restart()
    scene.client.responses = [[STEP, FINAL]]
    scene.runner.resume(scene.row, scene.observer)
    assert len(scene.client.bodies) == 1
    assert shared.state_elsewhere() == "running"


def test_a_lost_job_that_is_found_after_a_restart_is_finished(scene: Scene, shared: Shared) -> None:
    scene.client.responses = [[LostResponse("Reset.")]]
    scene.fails(LostResponse, LINE)
    shared.restart()
    scene.task("t1", FINAL)
    outcome = scene.resume()
    assert len(scene.client.bodies) == 1
    assert shared.gate.finish("a cat", outcome.uuid, "done", task_id="t1") is not None
    assert shared.state_elsewhere() == "done"


def test_without_the_store_nothing_is_sent(scene: Scene, shared: Shared) -> None:
    def fail() -> None:
        raise StoreError("The store is away.")

    shared.world.step = fail
    scene.fails(StoreError, LINE)
    assert scene.client.bodies == []
    assert scene.row.sent_at is None


def test_a_job_that_the_ledger_cannot_mark_as_sent_may_be_sent_by_others(
    scene: Scene, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> bool:
        raise LedgerError("The disk is full.")

    monkeypatch.setattr(scene.ledger, "mark_sent", full)
    scene.client.responses = [[FINAL]]
    scene.fails(LedgerError, LINE)
    assert scene.client.bodies == []
    assert shared.state_elsewhere() == "sent"


def test_a_task_that_cannot_be_recorded_is_followed_with_a_warning(scene: Scene, shared: Shared) -> None:
    def fail() -> None:
        raise StoreError("The store is away.")

    def break_store() -> None:
        shared.world.step = fail

    scene.client.responses = [[break_store, STEP, FINAL]]
    assert scene.run(LINE).task_id == "t1"
    assert shared.warnings == ["Other machines will search for task t1: The store is away."]


def test_an_unknown_job_of_another_machine_is_not_sent(scene: Scene, shared: Shared) -> None:
    shared.claimed_elsewhere()
    scene.clock.elapsed += WAIT_SECONDS + 1
    error = scene.fails(TakenElsewhere, LINE)
    assert error.message == "It may have been accepted already, for elsewhere: no task was found."
    assert error.exit_code == 9


def test_a_job_of_no_batch_passes(scene: Scene, shared: Shared) -> None:
    scene.client.responses = [[STEP, FINAL]]
    scene.run()
    assert shared.world.objects == {}


# -- lost responses and equal lines of other machines --------------------------------------------------


def test_a_task_of_an_equal_line_of_another_machine_is_not_adopted(scene: Scene, shared: Shared) -> None:
    def send_elsewhere() -> None:
        claim = shared.claims("elsewhere").acquire("a cat#2", Request(LINE.path, BODY, ACCOUNT))
        assert isinstance(claim, Claim)
        scene.task("t2")
        claim.accepted("t2")

    scene.client.responses = [[send_elsewhere, LostResponse("Reset.")]]
    scene.fails(LostResponse, LINE)
    assert (scene.row.state, scene.row.task_id) == ("unknown", None)


def test_while_another_machine_may_be_sending_an_equal_line_no_task_is_adopted(
    scene: Scene, shared: Shared
) -> None:
    def send_elsewhere() -> None:
        claim = shared.claims("elsewhere").acquire("a cat#2", Request(LINE.path, BODY, ACCOUNT))
        assert isinstance(claim, Claim)
        scene.task("t2")

    scene.client.responses = [[send_elsewhere, LostResponse("Reset.")]]
    scene.fails(LostResponse, LINE)
    scene.clock.elapsed += WAIT_SECONDS + 1
    scene.task("t2", FINAL)
    assert scene.resume().task_id == "t2"

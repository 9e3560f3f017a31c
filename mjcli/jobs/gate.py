"""The gate that the jobs of a batch on several machines pass just before they are sent.

A `Runner` with a gate calls it in the thread that runs the job: `enter` before it connects, `check` directly before
the first byte of each attempt, `not_sent` if the job ends before that, `accepted` once the task id is in the ledger,
and `is_foreign` for a task that a search for a lost response found. The batch calls `finish` or `release` when a job
has ended, from any thread. One gate serves all jobs of one account.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from mjcli.api import TaskRecord
from mjcli.errors import ExitCode, MjError, TakenElsewhere, without_stop
from mjcli.jobs.claim_objects import Ending, Request, Result
from mjcli.jobs.claims import Claim, Claims, Retry, State, Taken
from mjcli.jobs.order import Order

_SENTENCES: dict[State, str] = {
    "done": "It is done already, by {host}.",
    "failed": "It failed already, on {host}.",
    "running": "It was sent already, by {host}.",
    "waiting": "It is being sent by {host}.",
    "unknown": "It may have been accepted already, for {host}: {reason}.",
}
_EXIT_CODES: dict[State, ExitCode] = {
    "done": ExitCode.OK,
    "failed": ExitCode.REFUSED,
    "running": ExitCode.RUNNING,
    "waiting": ExitCode.RUNNING,
    "unknown": ExitCode.UNKNOWN,
}


class ClaimGate:
    """Claims each job of a batch before it is sent. Orders without an item pass freely.

    `account` is the fingerprint of the account that the jobs are sent to, `retry` as for `Claims.acquire`, and `warn`
    is called with one sentence.
    """

    def __init__(
        self, claims: Claims, account: str, *, retry: Collection[Retry] = (), warn: Callable[[str], None]
    ) -> None:
        self._claims, self._account, self._retry, self._warn = claims, account, retry, warn
        self._held: dict[str, Claim] = {}  # by item

    def enter(self, order: Order, uuid: str | None) -> str | None:
        """Claim a job that was never sent; return the task to follow instead, if another process has sent it.

        Raises `TakenElsewhere`, and the errors of store and client; nothing may be sent then.
        """
        if order.item is None:
            return None
        self._held.pop(order.item, None)  # of another row, whose job may have been accepted
        if uuid is not None and (own := self._claims.reopen(order.item, uuid)) is not None:
            own.release()  # the ledger shows that the request of this row was not accepted
        found = self._acquire(order, uuid)
        if isinstance(found, Claim):
            self._held[order.item] = found
            return None
        if found.state == "running" and found.claim is not None:
            self._held[order.item] = found.claim
            return found.claim.task_id
        raise _error_of(found)

    def check(self, order: Order, uuid: str | None) -> None:
        """Claim a job anew if its claim is too old to be sent on. Raises as `enter` does."""
        claim = self._held.get(order.item or "")
        if order.item is None or (claim is not None and claim.may_send()):
            return
        if claim is not None:
            claim.release()
            del self._held[order.item]
        found = self._acquire(order, uuid)
        if isinstance(found, Taken):
            raise _error_of(found)
        self._held[order.item] = found
        if not found.may_send():  # the store or the machine was too slow
            raise _error_of(Taken(order.item, found.generation, "waiting", host=self._claims.host))

    def accepted(self, order: Order, task_id: str) -> None:
        """Record the task of a job. An error is only a warning: others find the task by a search."""
        claim = self._held.get(order.item or "")
        if claim is None:
            return
        try:
            claim.accepted(task_id)
        except MjError as error:
            self._warn(f"Other machines will search for task {task_id}: {error.message}")

    def not_sent(self, order: Order) -> None:
        """Let any machine send a job that failed before it was sent; without the store, others wait ten minutes."""
        with contextlib.suppress(MjError):
            if order.item is not None:
                self.release(order.item, None)

    def is_foreign(self, order: Order, task: TaskRecord) -> bool:
        """Whether a task that was found for a lost response belongs to another machine, or may do so."""
        return order.item is not None and self._claims.is_foreign(order.item, self._account, task)

    def finish(
        self,
        item: str,
        uuid: str | None,
        state: Ending,
        *,
        task_id: str | None = None,
        image_id: str | None = None,
        files: Iterable[str] = (),
        cost: float | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> Result | None:
        """Record how a job ended, after its files are in the store; None if it has no open claim of this machine.

        `files` are keys of objects. Raises the errors of the store; it may then be called again, also by another run.
        """
        claim = self._claim(item, uuid, task_id)
        if claim is None:
            return None
        result = claim.finish(state, task_id=task_id, image_id=image_id, files=files, cost=cost, error=error)
        self._held.pop(item, None)
        return result

    def release(self, item: str, uuid: str | None) -> None:
        """Let any machine send a job that was certainly not accepted. Raises the errors of the store."""
        claim = self._claim(item, uuid)
        if claim is not None:
            claim.release()
            self._held.pop(item, None)

    def _claim(self, item: str, uuid: str | None, task_id: str | None = None) -> Claim | None:
        """The open claim of this machine on an item, also that of an earlier run for the same row or task."""
        held = self._held.get(item)
        return held or (None if uuid is None else self._claims.reopen(item, uuid, task_id))

    def _acquire(self, order: Order, uuid: str | None) -> Claim | Taken:
        assert order.item is not None
        request = Request(order.path, order.body, self._account, uuid)
        return self._claims.acquire(order.item, request, retry=self._retry)


def _error_of(taken: Taken) -> TakenElsewhere:
    sentence = _SENTENCES[taken.state].format(
        host=taken.host or "another machine", reason=without_stop(taken.reason)
    )
    return TakenElsewhere(sentence, taken=taken, exit_code=_EXIT_CODES[taken.state])

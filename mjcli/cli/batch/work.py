"""What is left to do of a batch: its lines and their steps, compared with its jobs in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from mjcli.api.actions import modern
from mjcli.cli.batch.steps import Step, most_jobs
from mjcli.errors import MjError, UsageError
from mjcli.jobs.job import INTERRUPTED
from mjcli.jobs.order import Order
from mjcli.jobs.queries import error_of

if TYPE_CHECKING:
    from mjcli.api.models import Result
    from mjcli.cli.batch.lines import Line
    from mjcli.jobs.claims import Taken
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.queries import ItemRow

#: new: no job yet. send: its job was certainly not accepted. follow: its job is not over, or its files are missing.
Standing = Literal["new", "send", "follow", "done", "failed"]

# Codes of failures that say nothing about the line: the account, the rate, the network, this machine.
_NOT_OF_THE_LINE = {
    INTERRUPTED,
    "network",
    "no_token",
    "invalid_token",
    "token_expired",
    "token_mismatched",
    "disabled",
    "used_up",
    "too_many_requests",
    "rate_limited",
    "no_api",
    "config",
    "limit",
    "not_sent",
}


class Piece(NamedTuple):
    """One job of a batch: that of a line, or of a step after it.

    `item` identifies it in the batch. `step` is its action after a step, None for the line's own job. `steps` are
    those that follow it. `order` is known for a step, whose image another job has made.
    """

    line: Line
    item: str
    steps: tuple[Step, ...]
    step: str | None = None
    order: Order | None = None
    profile: str | None = None

    @property
    def most(self) -> int:
        """How many jobs it and its steps are at most."""
        return most_jobs(self.steps)


class Options(NamedTuple):
    """Which jobs are made again."""

    again: bool = False
    retry_failed: bool = False
    retry_unknown: bool = False


class Known(Protocol):
    """What is known of files, and of other machines."""

    @property
    def elsewhere(self) -> Mapping[str, Taken]:
        """The newest attempts of all machines, by item."""

    def lacks_files(self, row: ItemRow, piece: Piece) -> bool:
        """Whether files of a job that is done are still to be saved."""


def _items_of_steps(item: str, steps: Sequence[Step]) -> Iterator[str]:
    """What identifies the jobs of the steps that follow the job `item`, at any depth."""
    for action in steps[0].actions if steps else ():
        child = step_item(item, modern(action))
        yield child
        yield from _items_of_steps(child, steps[1:])


def items_of(item: str, steps: Sequence[Step]) -> Iterator[str]:
    """What identifies the job `item` and those of the steps that follow it."""
    yield item
    yield from _items_of_steps(item, steps)


def following(piece: Piece, result: Result, order: Order, profile: str) -> list[Piece]:
    """The pieces that follow one that is done. Raises `UsageError` if its result does not offer its next step."""
    if not piece.steps:
        return []
    return [
        Piece(
            piece.line,
            step_item(piece.item, name),
            piece.steps[1:],
            name if piece.step is None else f"{piece.step} {name}",
            next_order,
            profile,
        )
        for name, next_order in piece.steps[0].orders(result, order)
    ]


def step_item(item: str, action: str) -> str:
    """What identifies the job of a step in its batch: the item before it and its action."""
    return f"{item}>{item.count('>') + 1}.{action}"


def is_step(item: str) -> bool:
    """Whether an item is that of a step: a single `>` is before its action, and keys have theirs doubled."""
    return ">" in item.replace(">>", "")


def is_of_the_line(error: MjError) -> bool:
    """Whether a failure says something about the line, rather than about the account, the network or this machine."""
    return error.code not in _NOT_OF_THE_LINE


def standing_of(row: ItemRow | None) -> Standing:
    """How the job of a piece stands, whatever the options say."""
    if row is None:
        return "new"
    if row.state == "done":
        return "done"
    if row.state != "failed":
        return "follow"
    accepted = row.task_id is not None or row.accepted_at is not None
    return "failed" if accepted or is_of_the_line(row.failure) else "send"


class Survey:
    """The pieces of a batch by what is to be done with them.

    `rows` are its jobs in the ledger by their items, and `keep` knows about files and about other machines.
    """

    def __init__(
        self, ledger: Ledger | None, rows: dict[str, ItemRow], options: Options, keep: Known
    ) -> None:
        self._ledger, self._rows, self.options, self._keep = ledger, rows, options, keep
        self.to_send: list[Piece] = []
        self.to_follow: list[tuple[Piece, ItemRow]] = []
        self.failed: list[tuple[Piece, MjError]] = []
        self.replaced: dict[str, list[ItemRow]] = {}  # by the item of the job that takes their place
        self.changed: list[Piece] = []  # that are done, with other contents under the same key
        self.impossible: list[tuple[Piece, UsageError]] = []
        self.before = 0
        self.before_at: float | None = None

    def add(self, pieces: Iterable[Piece]) -> None:
        """Add pieces, and what follows those that are done."""
        waiting = list(pieces)[::-1]
        while waiting:
            piece = waiting.pop()
            waiting.extend(reversed(list(self._sorted(piece))))

    @property
    def unsent(self) -> list[tuple[Piece, ItemRow]]:
        """Those to follow whose requests an earlier run did not send any more, so that this one does."""
        return [each for each in self.to_follow if each[1].unsent]

    @property
    def unsaved(self) -> int:
        """How many of those to follow are done, so that only their files are saved."""
        return sum(row.state == "done" for _, row in self.to_follow)

    @property
    def profiles(self) -> set[str]:
        """The accounts that have jobs to follow, or images to work on."""
        found = {row.profile for _, row in self.to_follow}
        return found | {piece.profile for piece in self.to_send if piece.profile is not None}

    @property
    def jobs(self) -> int:
        """How many jobs are sent at most, those of the steps included."""
        sent = sum(piece.most for piece in self.to_send)
        return sent + sum(piece.most - 1 for piece, _ in self.to_follow)

    @property
    def total(self) -> int:
        """How many jobs the batch has at most."""
        lost = len(self.failed) + len(self.impossible)
        return self.jobs + len(self.to_follow) + self.before + lost

    def left_over(self, contents: Mapping[str, str]) -> set[str]:
        """The contents of sent jobs that no line stands for; `contents` are those of the lines by their items."""
        return {
            row.key_fingerprint
            for item, row in self._rows.items()
            if row.key_fingerprint not in (None, contents.get(item))
            and standing_of(row) in ("done", "follow")
            and not (row.unsent or is_step(item))
        }

    def of_steps(self) -> Survey:
        """A survey for the steps of a job that is done now."""
        return Survey(self._ledger, self._rows, self.options, self._keep)

    def _sorted(self, piece: Piece) -> Iterator[Piece]:
        """Put a piece where it belongs; yields what follows from it."""
        row, options = self._rows.get(piece.item), self.options
        standing = standing_of(row)
        if row is None:
            self._sort_by_others(piece)
        elif (
            standing == "send"
            or (standing == "failed" and options.retry_failed)
            or (standing == "done" and options.again)
        ):
            self._send_again(piece, row)
        elif standing == "done" and not self._keep.lacks_files(row, piece):
            self.before += 1
            self.before_at = max(self.before_at or 0.0, row.ended_at or 0.0) or None
            if self._is_changed(piece, row):
                self.changed.append(piece)
            else:
                yield from self._after(piece, row)
        elif standing == "failed":
            self.failed.append((piece, row.failure))
        else:
            self.to_follow.append((piece, row))

    def _is_changed(self, piece: Piece, row: ItemRow) -> bool:
        """Whether the line had other contents when its job was sent; then nothing may follow from that."""
        line, known = piece.line, row.key_fingerprint
        return line.key is not None and piece.step is None and known not in (None, line.content)

    def _sort_by_others(self, piece: Piece) -> None:
        """Put a piece without a job in this ledger where it belongs: other machines may have had it."""
        taken = self._keep.elsewhere.get(piece.item)
        result = taken.result if taken is not None else None
        if result is None:
            self.to_send.append(piece)
        elif result.state == "done" and not self.options.again and self._are_done(piece.item, piece.steps):
            self.before += piece.most
            self.before_at = max(self.before_at or 0.0, result.time)
        elif result.state == "failed" and not self.options.retry_failed:
            self.failed.append((piece, error_of(result.error or {})))
        else:
            self.to_send.append(piece)

    def _are_done(self, item: str, steps: Sequence[Step]) -> bool:
        """Whether other machines have done all steps that follow an item."""
        if not steps:
            return True
        items = [step_item(item, modern(action)) for action in steps[0].actions]
        known = [self._keep.elsewhere.get(each) for each in items]
        return all(taken is not None and taken.state == "done" for taken in known) and all(
            self._are_done(each, steps[1:]) for each in items
        )

    def _send_again(self, piece: Piece, row: ItemRow) -> None:
        self.to_send.append(piece)
        replaced = self.replaced[piece.item] = [row]
        if row.state != "done":
            return
        for item in _items_of_steps(piece.item, piece.steps):  # made from a result that is replaced
            old = self._rows.get(item)
            if old is not None and old.state in ("done", "failed"):
                replaced.append(old)
                del self._rows[item]

    def _after(self, piece: Piece, row: ItemRow) -> Sequence[Piece]:
        """What follows a job that is done, which is read only if something does."""
        if not piece.steps or self._ledger is None:
            return []
        job = self._ledger.get(row.uuid)
        if job is None or job.result is None:
            return []
        from mjcli.api.models import Result

        try:
            return following(piece, Result(job.result), Order.of(job), job.profile)
        except UsageError as error:
            self.impossible.append((piece, error))
            return []

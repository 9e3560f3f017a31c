"""How far a batch is: in the ledger of this machine, or in the store that several machines share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mjcli.cli.batch.work import Options, Piece, Survey, items_of

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.jobs.claims import Taken
    from mjcli.jobs.queries import ItemRow

_STATES = ("done", "failed", "running", "unknown")


def print_status(
    context: Context, name: str, pieces: Iterable[Piece], rows: Mapping[str, ItemRow], address: str | None
) -> None:
    """Print the counts of a batch of these lines; `address` is that of its store, if it has one."""
    pieces = list(pieces)
    if address is None:
        total, counts = _in_ledger(context, pieces, rows)
    else:
        total, counts = sum(piece.most for piece in pieces), _in_store(context, name, address)
    left = max(0, total - sum(counts[state] for state in _STATES))
    known = {state: counts[state] for state in _STATES}
    document = {"batch": name, "total": total, **known, "unsaved": counts["not saved"], "left": left}
    lines = [("batch", name), ("done", f"{counts['done']} of {total}")]
    lines += [("not saved", str(counts["not saved"]))] if counts["not saved"] else []
    lines += [(state, str(counts[state])) for state in _STATES[1:] if counts[state]]
    lines += [("left", str(left))] if left else []
    context.output.answer(document, lines, [f"{counts['done']}/{total}"])


class _NoFiles:
    """Only jobs are counted: where files go, and what other machines have done, is another question."""

    elsewhere: Mapping[str, Taken] = {}

    def lacks_files(self, row: ItemRow, piece: Piece) -> bool:
        """No job is followed for its files."""
        return False


def _in_ledger(
    context: Context, pieces: list[Piece], rows: Mapping[str, ItemRow]
) -> tuple[int, Counter[str]]:
    """How many jobs the batch has, counted as a run does, and how many are in each state."""
    survey = Survey(context.existing_ledger, dict(rows), Options(), _NoFiles())
    survey.add(pieces)
    states = Counter(row.state for _, row in survey.to_follow if not row.unsent)
    states["running"] += states.pop("submitting", 0)
    states["done"] = survey.before
    states["failed"] = len(survey.failed) + len(survey.impossible)
    items = (item for piece in pieces for item in items_of(piece.item, piece.steps))
    found = (rows[item] for item in items if item in rows)
    states["not saved"] = sum(row.state == "done" and row.files_due > 0 for row in found)
    return survey.total, states


def _in_store(context: Context, name: str, address: str) -> Counter[str]:
    """Raises `UsageError`, `StoreError`."""
    from mjcli.jobs.claims import count
    from mjcli.media.store import ObjectStore

    found = count(ObjectStore(address), name, sandbox=context.settings.host == "sandbox")
    return Counter(
        done=found.done, failed=found.failed, running=found.running + found.waiting, unknown=found.unknown
    )

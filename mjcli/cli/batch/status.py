"""How far a batch is: in the ledger of this machine, or in the store that several machines share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mjcli.cli.batch.work import standing_of

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.jobs.queries import ItemRow

_STATES = ("done", "failed", "running", "unknown")


def print_status(
    context: Context, name: str, total: int, rows: Mapping[str, ItemRow], address: str | None
) -> None:
    """Print the counts of a batch of at most `total` jobs; `address` is that of its store, if it has one."""
    counts = _in_ledger(rows) if address is None else _in_store(context, name, address)
    left = max(0, total - sum(counts[state] for state in _STATES))
    known = {state: counts[state] for state in _STATES}
    document = {"batch": name, "total": total, **known, "unsaved": counts["not saved"], "left": left}
    lines = [("batch", name), ("done", f"{counts['done']} of {total}")]
    lines += [("not saved", str(counts["not saved"]))] if counts["not saved"] else []
    lines += [(state, str(counts[state])) for state in _STATES[1:] if counts[state]]
    lines += [("left", str(left))] if left else []
    context.output.answer(document, lines, [f"{counts['done']}/{total}"])


def _in_ledger(rows: Mapping[str, ItemRow]) -> Counter[str]:
    standings = ((row, standing_of(row)) for row in rows.values())
    sent = (row.state for row, standing in standings if standing != "send" and not row.unsent)
    states = Counter(sent)
    states["running"] += states.pop("submitting", 0)
    states["not saved"] = sum(row.state == "done" and row.files_due > 0 for row in rows.values())
    return states


def _in_store(context: Context, name: str, address: str) -> Counter[str]:
    """Raises `UsageError`, `StoreError`."""
    from mjcli.jobs.claims import count
    from mjcli.media.store import ObjectStore

    found = count(ObjectStore(address), name, sandbox=context.settings.host == "sandbox")
    return Counter(
        done=found.done, failed=found.failed, running=found.running + found.waiting, unknown=found.unknown
    )

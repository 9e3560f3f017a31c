"""Ask before one command starts several jobs, each of which is billed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output

MAX_UNCONFIRMED = 40  # jobs that one command may start without --yes


def confirm_jobs(output: Output, jobs: Sequence[str], cost: Callable[[], str], *, yes: bool) -> None:
    """Show the jobs and ask on a terminal, unless there is one or `yes`. Raises `UsageError` if refused.

    `cost` returns what they are expected to cost, or nothing.
    """
    if len(jobs) < 2 or yes or not output.can_ask:
        return
    for number, each in enumerate(jobs, start=1):
        output.notice(f"{number}. {each}")
    expected = cost()
    if not output.ask(
        f"Start {len(jobs)} jobs{f' for {expected}' if expected else ', each billed separately'}?"
    ):
        raise UsageError("Cancelled; nothing was sent.")


def check_count(count: int, *, yes: bool) -> None:
    """Refuse more jobs than a command starts without --yes. Raises `UsageError`."""
    if count > MAX_UNCONFIRMED and not yes:
        raise UsageError(
            f"This would start {count} jobs, each billed separately; the limit is {MAX_UNCONFIRMED}."
            " Nothing was sent.",
            hint="--yes starts them all",
        )

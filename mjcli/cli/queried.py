"""Tasks that a command queried: recorded where the ledger does not know them; and queries without an answer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mjcli.errors import ConfigError, ExitCode, LostResponse, Remedy

if TYPE_CHECKING:
    from mjcli.api import TaskRecord
    from mjcli.cli.context import Context


def record_task(context: Context, task: TaskRecord) -> None:
    """Import a task that is not in the ledger; if the ledger cannot be written, do nothing."""
    from mjcli.jobs.imports import import_tasks

    settings = context.settings
    with contextlib.suppress(ConfigError):
        import_tasks(
            context.client,
            context.ledger,
            profile=settings.profile.value,
            host=settings.host,
            tasks=[task],
            complete=False,
        )


def as_query(error: LostResponse) -> LostResponse:
    """Word the lost response of a query, which starts no job and may be repeated."""
    error.exit_code, error.remedy, error.hint = ExitCode.UNAVAILABLE, Remedy.CHECK_BASE_URL, None
    return error

"""Inspect a ledger without changing it: unlike opening it, this neither creates, migrates nor moves the file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple

from mjcli.errors import LedgerError, reason_of
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.damage import is_corrupt
from mjcli.jobs.database import connect_to_read, is_busy
from mjcli.jobs.queries import TO_RESUME


class Health(NamedTuple):
    """What a sound ledger contains for a profile."""

    jobs: int
    unfinished: int
    """Of `jobs`, those that can be resumed."""


def inspect(path: Path, profile: str, *, clock: Clock = SYSTEM_CLOCK) -> Health:
    """Read every page of the ledger and count the jobs of a profile. Raises `LedgerError` if that fails."""
    try:
        with contextlib.closing(connect_to_read(path, clock=clock)) as connection:
            ((fault,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            if fault != "ok":
                raise _damaged(path)
            ((jobs, unfinished),) = connection.execute(
                f"SELECT COUNT(*), COUNT(CASE WHEN {TO_RESUME} THEN 1 END) FROM jobs WHERE profile = ?",  # noqa: S608
                (profile,),
            ).fetchall()
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.DatabaseError) and is_corrupt(error):
            raise _damaged(path) from error
        reason = "another program has locked it" if is_busy(error) else reason_of(error)
        raise LedgerError(f'The ledger "{path}" cannot be read: {reason}.') from error
    return Health(jobs, unfinished)


def _damaged(path: Path) -> LedgerError:
    return LedgerError(
        f'The ledger "{path}" is damaged.',
        hint="the next command that uses it skips what is damaged, or moves the file aside and creates a new one",
    )

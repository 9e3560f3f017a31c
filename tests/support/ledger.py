"""Read and change the ledger file as another process would."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.support.program import Mj


def ledger_of(mj: Mj) -> Path:
    return mj.home / "data" / "ledger.db"


def rows(mj: Mj, columns: str = "state, task_id") -> list[tuple[Any, ...]]:
    """These columns of every job, oldest first."""
    connection = sqlite3.connect(ledger_of(mj))
    try:
        return connection.execute(f"SELECT {columns} FROM jobs ORDER BY number").fetchall()
    finally:
        connection.close()


def in_ledger(mj: Mj, columns: str) -> Any:
    """These columns of the only job."""
    connection = sqlite3.connect(ledger_of(mj))
    try:
        (row,) = connection.execute(f"SELECT {columns} FROM jobs").fetchall()
    finally:
        connection.close()
    return row


def change_ledger(mj: Mj, statement: str, *values: object) -> None:
    """Change columns of every job."""
    connection = sqlite3.connect(ledger_of(mj))
    with connection:
        connection.execute(f"UPDATE jobs SET {statement}", values)
    connection.close()


def change(mj: Mj, statement: str, *values: object) -> None:
    """Execute a statement."""
    ledger = sqlite3.connect(ledger_of(mj))
    try:
        with ledger:
            ledger.execute(statement, values)
    finally:
        ledger.close()


def job_row(mj: Mj) -> dict[str, Any]:
    """The only job in the ledger, with its request parsed."""
    ledger = sqlite3.connect(mj.home / "data" / "ledger.db")
    ledger.row_factory = sqlite3.Row
    try:
        (row,) = ledger.execute("SELECT * FROM jobs").fetchall()
    finally:
        ledger.close()
    return {**row, "request": json.loads(row["request"])}

"""From a row of the ledger to a job. A row may be damaged or odd: a disk, a crash or another program did it."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from mjcli.api.ndjson import parse_json
from mjcli.jobs.job import ID_PREFIX, STATES, Job

COLUMNS = ", ".join(Job._fields)

#: What `@N` counts by: imported tasks are between the jobs of this ledger, among themselves by their time.
_PLACE = "coalesce(listed_after + 0.5, number)"
NEWEST_FIRST = f"{_PLACE} DESC, created_at DESC, number DESC"
#: Rows below a place and a position (`position_of`). The index serves only the first comparison.
OLDER = f"{_PLACE} <= ? AND ({_PLACE}, created_at, number) < (?, ?, ?)"

_LATEST = 253_402_300_799.0  # the end of the year 9999, in Unix seconds
_LONGEST = 4 * 366 * 86_400.0  # seconds; a difference of clocks or an uptime beyond it is nonsense


class DamagedRow(ValueError):
    """A row that is not a job. The message says which column is wrong and how."""


def decode(data: bytes) -> Any:
    """Return the text of a column, or the bytes themselves if they are not UTF-8 (`Connection.text_factory`)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def job_of(row: tuple[Any, ...]) -> Job:
    """Return the job of a row with the columns `COLUMNS`. Raises `DamagedRow`."""
    values = dict(zip(Job._fields, row, strict=True))
    for name, is_valid in _CHECKS.items():
        value = values[name]
        if name in _JSON and value is not None:
            value = values[name] = _parsed(name, value)
        if value is None and name in _OPTIONAL:
            continue
        if not is_valid(value):
            raise DamagedRow(f"its {name} is not valid")
    for name in ("created_at", "changed_at"):
        values[name] = float(values[name])
    return Job(**values)


def position_of(row: tuple[Any, ...]) -> tuple[float, float, int]:
    """Return by what `NEWEST_FIRST` sorts a row with the columns `COLUMNS`; nearly that of a damaged one."""
    values = dict(zip(Job._fields, row, strict=True))
    number, after, created = (values[name] for name in ("number", "listed_after", "created_at"))
    place = after + 0.5 if isinstance(after, int) else number
    return place, created if isinstance(created, (int, float)) else 0.0, number


def name_of(row: tuple[Any, ...]) -> str:
    """Return what to call a damaged row: the prefix of its uuid, else its number."""
    values = dict(zip(Job._fields, row, strict=True))
    uuid = values["uuid"]
    return uuid[:ID_PREFIX] if isinstance(uuid, str) and uuid else f"number {values['number']}"


def read_around_damage(
    connection: sqlite3.Connection,
    where: str,
    values: tuple[object, ...],
    *,
    warn: Callable[[str, str], None],
) -> list[tuple[Any, ...]]:
    """Return the rows of a query on jobs, without those that are on damaged pages of the file.

    `warn` is called with what such a row is called and what is wrong. Raises `sqlite3.Error` if no row can be
    read.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as copy:
        copy.text_factory = decode
        copy.execute(f"CREATE TABLE jobs ({COLUMNS}, PRIMARY KEY (number))")
        marks = ", ".join("?" * len(Job._fields))
        for number in _numbers(connection):
            try:
                row = connection.execute(f"SELECT {COLUMNS} FROM jobs WHERE number = ?", (number,)).fetchone()  # noqa: S608
            except (sqlite3.DatabaseError, UnicodeDecodeError):
                warn(f"number {number}", "its page of the file is damaged")
                continue
            if row is not None:
                copy.execute(f"INSERT INTO jobs VALUES ({marks})", row)  # noqa: S608
        return copy.execute(f"SELECT {COLUMNS} FROM jobs {where}", values).fetchall()  # noqa: S608


def _numbers(connection: sqlite3.Connection) -> Iterable[int]:
    """The numbers of all jobs, and perhaps of some that do not exist."""
    try:
        return [number for (number,) in connection.execute("SELECT number FROM jobs NOT INDEXED").fetchall()]
    except sqlite3.DatabaseError:
        (last,) = connection.execute("SELECT max(number) FROM jobs").fetchone()
        return range(1, last + 1)


def _parsed(name: str, value: object) -> Any:
    try:
        return parse_json(value if isinstance(value, str) else "", lenient=True)
    except ValueError:
        raise DamagedRow(f"its {name} is not JSON") from None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 2**31


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= _LATEST


def _is_span(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= _LONGEST


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value >= 0


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_error(value: object) -> bool:
    return isinstance(value, dict) and all(
        value.get(each) is None or isinstance(value[each], str) for each in ("code", "message", "by")
    )


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_list_of_hashes(value: object) -> bool:
    return isinstance(value, list) and all(each is None or isinstance(each, str) for each in value)


_CHECKS: dict[str, Callable[[object], bool]] = {
    "number": _is_number,
    "uuid": _is_name,
    "profile": _is_text,
    "host": _is_name,
    "kind": _is_name,
    "path": _is_name,
    "request": _is_object,
    "state": lambda value: value in STATES,
    "created_at": _is_time,
    "changed_at": _is_time,
    "task_id": _is_name,
    "image_id": _is_text,
    "result": _is_object,
    "error": _is_error,
    "files_asked": _is_object,
    "files": _is_list_of_text,
    "parent_image": _is_text,
    "subject": _is_text,
    "sent_at": _is_time,
    "accepted_at": _is_time,
    "ended_at": _is_time,
    "files_due": _is_count,
    "clock_offset": _is_span,
    "boot_id": _is_text,
    "sent_uptime": _is_span,
    "key": _is_text,
    "key_fingerprint": _is_text,
    "files_sha256": _is_list_of_hashes,
    "source_sha256": _is_text,
    "listed_after": _is_number,
    "batch": _is_text,
    "item": _is_text,
    "estimate": _is_amount,
    "charged": _is_amount,
    "trace_id": _is_text,
    "files_received_sha256": _is_list_of_hashes,
}
_JSON = ("request", "result", "error", "files_asked", "files", "files_sha256", "files_received_sha256")
_OPTIONAL = (
    "task_id",
    "image_id",
    "result",
    "error",
    "files_asked",
    "parent_image",
    "sent_at",
    "accepted_at",
    "ended_at",
    "clock_offset",
    "boot_id",
    "sent_uptime",
    "key",
    "key_fingerprint",
    "files_sha256",
    "source_sha256",
    "listed_after",
    "batch",
    "item",
    "estimate",
    "charged",
    "trace_id",
    "files_received_sha256",
)


def stored_hashes(sha256: Iterable[str | None]) -> str | None:
    """Hashes as the ledger stores them: NULL when none is known."""
    known = list(sha256)
    return json.dumps(known) if any(known) else None

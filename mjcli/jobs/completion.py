"""The jobs and tags to offer while a command line is completed, read quickly and without writing anything.

This runs at every Tab, so that it imports only SQLite.
"""

from __future__ import annotations

import os
import sqlite3
import sys

from mjcli.jobs.names import TEXT_KINDS, UNFINISHED, VIDEO_KINDS, is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OFFERED = 30  # jobs at most
_SEARCHED = 1000  # newest jobs that are searched for them
_SECONDS = 0.1  # how long to wait for a ledger that another program has locked
_JOBS = (
    "SELECT kind, state, task_id, image_id, uuid, subject, request FROM jobs"
    " WHERE profile = ? ORDER BY {} LIMIT ?"
)
# The order of `mj history`.
_NEWEST_FIRST = "coalesce(listed_after + 0.5, number) DESC, created_at DESC, number DESC"


class OfferedJob:
    """A job to offer: its position in the profile (1: the newest), its id, and what it is about.

    The id is empty for a job that will make what is wanted, but has not yet: only `@last` is of use then.
    """

    def __init__(self, number: int, id_: str, about: str) -> None:
        self.number, self.id, self.about = number, id_, about


def jobs_to_offer(ledger: str, profile: str, wanted: str, prefix: str = "") -> list[OfferedJob]:
    """The newest jobs of a profile with an `image`, a `video` or a `task`, or any `job`, newest first.

    Their ids begin with `prefix`. Raises `sqlite3.Error` and `OSError` for a ledger that cannot be read.
    """
    connection = _connect(ledger)
    try:
        try:
            rows = connection.execute(_JOBS.format(_NEWEST_FIRST), (profile, _SEARCHED))
        except sqlite3.OperationalError:  # a ledger without imported tasks
            rows = connection.execute(_JOBS.format("number DESC"), (profile, _SEARCHED))
        return _fitting(rows, wanted, prefix)
    finally:
        connection.close()


def tags_to_offer(ledger: str, profile: str) -> list[tuple[str, str]]:
    """The tags in a profile, each with how many jobs have it; raises as `jobs_to_offer` does."""
    connection = _connect(ledger)
    try:
        rows = connection.execute(
            "SELECT tag, count(*) FROM tags JOIN jobs ON number = job"
            " WHERE profile = ? AND tag <> '*' GROUP BY tag ORDER BY tag",
            (profile,),
        )
        return [(str(tag), "1 job" if count == 1 else f"{count} jobs") for tag, count in rows]
    finally:
        connection.close()


def _fitting(rows: Iterable[tuple[str, ...]], wanted: str, prefix: str) -> list[OfferedJob]:
    found: list[OfferedJob] = []
    for number, (kind, state, task, image, uuid, subject, request) in enumerate(rows, start=1):
        ids = _ids(wanted, kind, task, image, uuid)
        usable = [each for each in ids if each and is_plain(each) and each.startswith(prefix)]
        pending = state in UNFINISHED and not any(ids) and not prefix and _makes(wanted, kind)
        if usable or pending:
            about = subject or _prompt(request)
            found.append(
                OfferedJob(number, usable[0] if usable else "", f"{about} ({kind})" if about else kind)
            )
        if len(found) == OFFERED:
            break
    return found


def _ids(wanted: str, kind: str, task: str | None, image: str | None, uuid: str) -> tuple[str | None, ...]:
    """The ids by which a job can be named where `wanted` is expected, the usual one first."""
    if wanted in ("image", "video"):
        return (image,) if _makes(wanted, kind) else ()
    return (task,) if wanted == "task" else (task, image, uuid)


def _makes(wanted: str, kind: str) -> bool:
    """Whether jobs of a kind make what is wanted; only those can be waited for."""
    if wanted == "video":
        return kind in VIDEO_KINDS
    return wanted == "image" and kind not in VIDEO_KINDS + TEXT_KINDS


def _prompt(request: str) -> str:
    """The prompt in a row from an older version, which has no subject."""
    import json

    try:
        return str(json.loads(request).get("prompt") or "")
    except (ValueError, AttributeError):
        return ""


def _connect(ledger: str) -> sqlite3.Connection:
    log = f"{ledger}-wal"
    if not os.path.exists(log) or not os.path.getsize(log):  # noqa: PTH110, PTH202
        return _open(ledger, "immutable=1")
    # An immutable file would not show the changes in the log, whose index must not be created.
    connection = _open(ledger, "readonly_shm=1")
    try:
        connection.execute("PRAGMA user_version").fetchall()
        return connection
    except sqlite3.Error:
        connection.close()
    # A connection that takes no locks has an index of its own in memory.
    connection = _open(ledger, "vfs=win32-none" if sys.platform == "win32" else "vfs=unix-none")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection


def _open(ledger: str, mode: str) -> sqlite3.Connection:
    if not os.path.isfile(ledger):  # noqa: PTH113 - a FIFO could be read without end
        raise OSError(f"{ledger} is not a file")
    path = os.path.abspath(ledger)  # noqa: PTH100
    if sys.platform == "win32":
        path = path.replace("\\", "/")
    for character in "%?#":
        path = path.replace(character, f"%{ord(character):02X}")
    slash = "" if path.startswith("/") else "/"
    return sqlite3.connect(
        f"file:{slash}{path}?mode=ro&{mode}", uri=True, timeout=_SECONDS, isolation_level=None
    )

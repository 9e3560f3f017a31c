"""The ledger of `mj history`: writing jobs into it, and reading what is listed."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable
from typing import Any

from mjcli.jobs.ledger import Ledger
from tests.support.program import Mj
from tests.support.service import Service
from tests.support.terminal import Screen, plain

FIELDS = (
    "ref", "id", "state", "kind", "action", "prompt", "task_id", "image_id", "profile", "host", "created_at",
    "sent_at", "accepted_at", "ended_at", "request", "result", "error", "files", "files_due", "steps",
    "parent_image", "key", "tags", "starred",
)  # fmt: skip
JSON_COLUMNS = ("request", "result", "error", "files_asked", "files")


def add_jobs(mj: Mj, *rows: dict[str, Any]) -> None:
    """Write jobs into the ledger, the newest last."""
    path = mj.home / "data" / "ledger.db"
    if not path.exists():
        Ledger.open(path, notice=lambda _: None).close()
    now = time.time()
    defaults = {
        "profile": "default",
        "host": "https://api.example",
        "kind": "imagine",
        "path": "/midjourney/imagine",
        "request": {"action": "generate", "prompt": "a cat"},
        "state": "done",
        "created_at": now,
        "changed_at": now,
        "sent_at": now,
        "files": [],
    }
    complete = [{"uuid": str(uuid.uuid4()), **defaults, **row} for row in rows]
    connection = sqlite3.connect(path)
    with connection:
        for row in complete:
            values = [
                json.dumps(value) if name in JSON_COLUMNS and not isinstance(value, str) else value
                for name, value in row.items()
            ]
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})", values)
    connection.close()


def run_job(online: Mj, service: Service, name: str, *command: str) -> None:
    """Run a job with the program."""
    service.answer(service.result(image_id=f"image-{name}", task_id=f"task-{name}"))
    online(*(command or ("imagine", f"a {name}")))


def refs(mj: Mj, *options: str) -> list[str]:
    """The references that `mj history` lists."""
    return [line.split("\t")[0] for line in mj("history", *options).out.splitlines()]


def terminal_lines(
    mj: Mj, *arguments: str, columns: int = 80, env: dict[str, str | None] | None = None, check: int = 0
) -> list[str]:
    """The lines that a terminal shows, with colours and standard error."""
    screen = Screen(columns)
    try:
        process = mj.start(
            *arguments,
            env={"TERM": "xterm-256color", **(env or {})},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, None)
    finally:
        screen.close()
    shown = screen.shown.decode().replace("\r\n", "\n")
    assert "Traceback" not in shown
    assert process.returncode == check, shown
    return shown.splitlines()


def without_colours(lines: Iterable[str]) -> list[str]:
    return [plain(line) for line in lines]


def show_fields(mj: Mj, *arguments: str) -> dict[str, list[str]]:
    """Name -> values of the lines of `mj history show`."""
    fields: dict[str, list[str]] = {}
    for line in mj("history", "show", *arguments).out.splitlines():
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return fields

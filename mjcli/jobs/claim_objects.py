"""The objects by which several machines share batches: their names and their contents.

    .mj/claims/BATCH/ITEM.json          written just before a request is sent, only if it does not exist
    .mj/tasks/BATCH/ITEM/1/TASK.json    the task that the service made of it
    .mj/adopted/TASK.json               the item that a task was assigned to by a search
    .mj/results/BATCH/ITEM.json         how the job ended

Another attempt at an item has another generation: `claims/BATCH/ITEM.2.json`. No object is ever changed. Those of
the sandbox are below `.mj-sandbox`, so that a rehearsal does not count as done.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from mjcli.jobs.names import is_plain
from mjcli.jobs.recover import NOT_RECORDED

Ending = Literal["done", "failed", "not_sent"]
ENDINGS: dict[object, Ending] = {"done": "done", "failed": "failed", "not_sent": "not_sent"}

ROOT, SANDBOX_ROOT = ".mj", ".mj-sandbox"  # no picture goes there

_SLUG = 40  # characters of a readable name
_PLAIN = re.compile("[a-z0-9_-]{1,100}")  # lower case, because some directories ignore it
_OBJECT = re.compile(
    r"(?P<batch>[a-z0-9_-]+)/(?P<name>[a-z0-9_-]+)(?:\.(?P<generation>[1-9][0-9]{0,8}))?\.json"
)
_TASK = re.compile(
    r"(?P<batch>[a-z0-9_-]+)/(?P<name>[a-z0-9_-]+)/(?P<generation>[1-9][0-9]{0,8})/(?P<task>[^/]+)\.json"
)


class Store(Protocol):
    """Where the objects are. All methods raise `MjError`."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, or replace it."""

    def create(self, key: str, data: bytes) -> bool:
        """Write an object; return False if it exists. After an error it may exist, and be this one."""

    def get(self, key: str) -> bytes | None:
        """Return the content of an object, None if it does not exist."""

    def list(self, prefix: str) -> Iterable[str]:
        """Return the keys of the objects below a prefix, which ends at a `/`."""

    def put_file(self, key: str, path: Path) -> None:
        """Write a file as an object, or replace it."""


class Request(NamedTuple):
    """A request to send: `job` is the uuid of its row in the ledger, `account` the fingerprint of the account."""

    path: str
    body: Mapping[str, Any]
    account: str
    job: str | None = None

    @property
    def recorded(self) -> dict[str, Any]:
        """The fields by which its task is recognised."""
        return {name: value for name, value in self.body.items() if name not in NOT_RECORDED}

    @property
    def fingerprint(self) -> str:
        """The same for equal requests, on every machine."""
        text = json.dumps(
            [self.path, self.recorded], sort_keys=True, ensure_ascii=True, separators=(",", ":")
        )
        return hashlib.sha256(text.encode()).hexdigest()


class Place(NamedTuple):
    """One attempt at an item, as the names of objects have it."""

    batch: str
    name: str
    generation: int

    @property
    def next(self) -> Place:
        return self._replace(generation=self.generation + 1)

    @property
    def path(self) -> str:
        suffix = f".{self.generation}" if self.generation > 1 else ""
        return f"{self.batch}/{self.name}{suffix}.json"


class ClaimRecord(NamedTuple):
    """A claim. `time` is on the service's clock; `id` differs for every claim, `owner` for every process."""

    item: str
    id: str
    owner: str
    host: str
    time: float
    account: str
    fingerprint: str
    path: str
    body: Mapping[str, Any]
    job: str | None = None

    def dump(self) -> bytes:
        return _dump(self._asdict())

    @classmethod
    def load(cls, data: bytes) -> ClaimRecord | None:
        """Return the claim of an object's content; None for anything else."""
        value = _load(data)
        texts = ("item", "id", "owner", "host", "account", "fingerprint", "path")
        if any(not isinstance(value.get(name), str) for name in texts):
            return None
        time, body = value.get("time"), value.get("body")
        if not isinstance(time, (int, float)) or isinstance(time, bool) or not isinstance(body, dict):
            return None
        return cls(
            **{name: value[name] for name in texts}, time=float(time), body=body, job=_text(value, "job")
        )


class Result(NamedTuple):
    """How a job ended. `files` are the keys of its files, `cost` is in USD, `time` is on the service's clock."""

    item: str
    state: Ending
    time: float
    task_id: str | None = None
    image_id: str | None = None
    files: tuple[str, ...] = ()
    cost: float | None = None
    error: Mapping[str, Any] | None = None
    job: str | None = None
    host: str | None = None

    def dump(self) -> bytes:
        return _dump(self._asdict())

    @classmethod
    def load(cls, data: bytes) -> Result | None:
        """Return the result of an object's content; None for anything else."""
        value = _load(data)
        item, state, time, files = (value.get(name) for name in ("item", "state", "time", "files"))
        if (
            not isinstance(item, str)
            or not isinstance(state, str)
            or state not in ENDINGS
            or not isinstance(time, (int, float))
        ):
            return None
        cost, error = value.get("cost"), value.get("error")
        return cls(
            item,
            ENDINGS[state],
            float(time),
            _text(value, "task_id"),
            _text(value, "image_id"),
            tuple(each for each in files if isinstance(each, str)) if isinstance(files, list) else (),
            float(cost) if isinstance(cost, (int, float)) else None,
            error if isinstance(error, dict) else None,
            _text(value, "job"),
            _text(value, "host"),
        )


class Keys:
    """The names of objects: those of one batch, and of all batches of the store."""

    def __init__(self, batch: str, *, sandbox: bool = False) -> None:
        root = SANDBOX_ROOT if sandbox else ROOT
        self._batch = plain_name(batch)
        self.claims, self.tasks, self.results, self._adopted = (
            f"{root}/{kind}/" for kind in ("claims", "tasks", "results", "adopted")
        )
        self.own_claims = f"{self.claims}{self._batch}/"
        self.own_tasks = f"{self.tasks}{self._batch}/"

    def place(self, item: str, generation: int) -> Place:
        return Place(self._batch, plain_name(item), generation)

    def claim(self, place: Place) -> str:
        return self.claims + place.path

    def result(self, place: Place) -> str:
        return self.results + place.path

    def tasks_of(self, place: Place) -> str:
        return f"{self.tasks}{place.batch}/{place.name}/{place.generation}/"

    def task(self, place: Place, task_id: str) -> str | None:
        """None if the id cannot be part of a name."""
        return f"{self.tasks_of(place)}{task_id}.json" if is_plain(task_id) else None

    def adopted(self, task_id: str) -> str | None:
        """None if the id cannot be part of a name."""
        return f"{self._adopted}{task_id}.json" if is_plain(task_id) else None

    def place_of(self, key: str) -> Place | None:
        """The place of a claim or result."""
        found = _OBJECT.fullmatch(key.removeprefix(self.claims).removeprefix(self.results))
        return Place(found["batch"], found["name"], int(found["generation"] or 1)) if found else None

    def task_of(self, key: str) -> tuple[Place, str] | None:
        """The place and the id of a task."""
        found = _TASK.fullmatch(key.removeprefix(self.tasks))
        return (
            (Place(found["batch"], found["name"], int(found["generation"])), found["task"]) if found else None
        )


def plain_name(text: str) -> str:
    """Return a name that any store accepts, a different one for each text."""
    if _PLAIN.fullmatch(text):
        return text
    slug = re.sub("[^a-z0-9]+", "-", text.lower())[:_SLUG].strip("-")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{slug}-{digest}" if slug else digest


def _dump(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def _load(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Mapping[str, Any], name: str) -> str | None:
    text = value.get(name)
    return text if isinstance(text, str) else None

"""What a job requests, what comes of it, and who observes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from mjcli.api import TaskRecord
from mjcli.api.endpoints import endpoint
from mjcli.api.models import Result, ResultKind
from mjcli.jobs.budget import NO_LIMITS, Limits
from mjcli.jobs.job import Job, action_of, name_of


class CallbackSource(Protocol):
    """The callbacks about one job. They are not authenticated, so they prove nothing."""

    def wait(self, seconds: float) -> Result | None:
        """Return the next callback, or None if none arrives within `seconds`."""


class Order(NamedTuple):
    """A request for one job: the endpoint, the body, and what the ledger stores with them.

    `subject` is the text that the job is about, and `files` how its files are to be saved (None: not at all).
    `at_once` means that the response is a task id rather than a result (`async` or `callback_url`). With
    `callbacks` it is one too, and the job is followed by its callbacks; when it is `detached`, by queries.
    `timeout` is in seconds. `key` is the job's key, and `key_fingerprint` identifies the request as it was
    typed. `source_sha256` is the digest of the file that the job starts from. `batch` and `item` say which line
    and step of which batch it is, and `estimate` is what it is expected to cost, in USD. With `limits`, a job
    that would exceed one is refused when its row is written. `replaces` are the uuids of finished jobs whose places in
    the batch are free from then on.
    """

    kind: str
    endpoint: str
    body: Mapping[str, Any]
    subject: str = ""
    parent_image: str | None = None
    files: Mapping[str, Any] | None = None
    stream: bool = True
    at_once: bool = False
    detached: bool = False
    timeout: float | None = None
    callbacks: CallbackSource | None = None
    key: str | None = None
    key_fingerprint: str | None = None
    source_sha256: str | None = None
    batch: str | None = None
    item: str | None = None
    estimate: float | None = None
    limits: Limits = NO_LIMITS
    replaces: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path of the endpoint."""
        return endpoint(self.endpoint).path

    @property
    def is_shared(self) -> bool:
        """Whether a store decides which of several machines sends it."""
        return bool((self.files or {}).get("store"))

    @property
    def wanted(self) -> ResultKind:
        """What the endpoint returns."""
        return endpoint(self.endpoint).result

    @property
    def action(self) -> str:
        """The name of what the job does."""
        return action_of(self.kind, self.body)

    @classmethod
    def of(cls, job: Job, timeout: float | None = None) -> Order:
        """Return the order of a job in the ledger."""
        return cls(
            kind=job.kind,
            endpoint=job.path.rpartition("/")[2],
            body=job.request,
            subject=job.words,
            parent_image=job.parent_image,
            files=job.files_asked,
            detached=job.request.get("async") is True,
            timeout=timeout,
            batch=job.batch,
            item=job.item,
            estimate=job.estimate,
        )


class Outcome(NamedTuple):
    """What a job led to: its row in the ledger (None without one), its task, and its final result."""

    uuid: str | None
    task_id: str | None
    result: Result

    @property
    def job(self) -> str | None:
        """What names the job in a command: see `name_of`; None without a row."""
        return None if self.uuid is None else name_of(self.task_id, self.uuid)


class Gate(Protocol):
    """Decides, together with other machines, whether a job may be sent. See `mjcli.jobs.gate`."""

    def enter(self, order: Order, uuid: str | None) -> str | None:
        """Called before a connection is made; returns the task to follow instead. Raises to prevent the request."""

    def check(self, order: Order, uuid: str | None) -> None:
        """Called directly before the first byte of each attempt. Raises to prevent it."""

    def accepted(self, order: Order, task_id: str) -> None:
        """The task id is in the ledger."""

    def not_sent(self, order: Order) -> None:
        """The job ended before its request was sent. Raises nothing."""

    def is_foreign(self, order: Order, task: TaskRecord) -> bool:
        """Whether a task that was found for this job is or may be that of another machine."""


class Observer(Protocol):
    """Observes one job. All methods are called in the thread that runs the job."""

    def sent(self) -> None:
        """The request was sent."""

    def accepted(self, task_id: str) -> None:
        """The task id is known, and already in the ledger."""

    def event(self, event: Result) -> None:
        """The stream brought an event that is not the final one."""

    def drained(self) -> None:
        """All events that arrived together were reported; the next may take long."""

    def progress(self, percent: int | None) -> None:
        """A query of the task returned this progress."""

    def notice(self, sentence: str) -> None:
        """Something worth knowing happened."""

    def warning(self, sentence: str) -> None:
        """Something unexpected was ignored."""

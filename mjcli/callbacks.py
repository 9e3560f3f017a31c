"""Webhook callbacks: what one claims, whether it is true, and what the ledger learns of it.

The service signs nothing (api.md, "Wire"), so a callback is a claim that anybody may have made who knows the
address. What it says of the end of a task is asked for at the tasks endpoint before it is believed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from mjcli.api import Client, Result, TaskRecord
from mjcli.api.ndjson import parse_object
from mjcli.errors import ApiError, ConfigError, LostAnswer, MjError, NetworkError, UsageError
from mjcli.jobs import note_task
from mjcli.ledger import Job, Ledger
from mjcli.recovery import is_for

if TYPE_CHECKING:
    from mjcli.receiver import Receiver

OK, MALFORMED, LATER = 200, 400, 503  # what a sender is answered: LATER may be sent again
LONGEST_ID = 200  # characters of a task's id
LOOKS = (0.0, 0.5, 1.0)  # pauses before each look at a task that is said to have ended
LOOK_SECONDS = 8.0  # for one look, while the sender waits
OWN_SECONDS = 5.0  # for which a task that nobody knows yet may still become that of a job which is being sent
OWN_PAUSE = 0.1
LOOK_AGAIN_SECONDS = 15.0  # between looks at the tasks whose callbacks are awaited
DOUBT_SECONDS = 3.0  # the same where one is said to have ended, and has not yet as far as the service knows

PROGRESS, SUCCESS, FAILURE = "progress", "success", "failure"


class Event(NamedTuple):
    """What one callback told: the service's object about a task, and the job of the ledger that it is for.

    `kind` is `progress`, `success` or `failure`; `confirmed` says that the service itself was asked.
    """

    kind: str
    task_id: str
    result: Result
    job: Job | None
    confirmed: bool


class Mailbox:
    """The callbacks about the one job whose address this is (the `Calls` of `mjcli.jobs`)."""

    def __init__(self) -> None:
        self._claims: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self.url = ""

    def receive(self, body: bytes) -> int:
        """Take a callback in, in any thread; gives the HTTP status of the answer."""
        claim = _claim_in(body)
        if claim is None:
            return MALFORMED
        self._claims.put(claim)
        return OK

    def wait(self, seconds: float) -> Result | None:
        """The next one, None when there is none within so long."""
        try:
            return self._claims.get(timeout=seconds)
        except queue.Empty:
            return None


@contextmanager
def mailbox(*, host: str, port: int, public_url: str | None) -> Iterator[Mailbox]:
    """A mailbox at an address of its own, for as long as this lasts. Raises as `open_receiver` does."""
    box = Mailbox()
    receiver, box.url = open_receiver(box.receive, host=host, port=port, public_url=public_url)
    with receiver:
        yield box


def open_receiver(
    handle: Callable[[bytes], int], *, host: str, port: int, public_url: str | None
) -> tuple[Receiver, str]:
    """A receiver that is bound but does not serve yet, and the address to have callbacks sent to.

    Raises `UsageError` for a public URL that is none, `ConfigError` where nothing can be bound.
    """
    from mjcli.receiver import Receiver

    prefix = _prefix(public_url) if public_url is not None else ""
    try:
        receiver = Receiver(handle, host=host, port=port, prefix=prefix)
    except OSError as error:
        raise ConfigError(
            f"Callbacks cannot be received at {host}, port {port}: {error.strerror or error}.",
            hint="--port 0 takes a free port",
        ) from error
    if public_url is None:
        return receiver, receiver.url
    return receiver, public_url.rstrip("/") + receiver.path


def _prefix(public_url: str) -> str:
    """The path of a public URL, without a slash at its end."""
    try:
        parts = urlsplit(public_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or not public_url.isprintable() or " " in public_url:
        raise UsageError(
            "--public-url takes the address that the tunnel shows, such as https://example.trycloudflare.com."
        )
    return parts.path.rstrip("/")


class Inbox:
    """Takes callbacks in and hands their events out, one for each that is news and true.

    What has ended stands in the ledger before its sender is answered. `trust` believes what a callback says;
    `everything` takes tasks that the ledger does not know; those in `awaited` (ids) are known in any case.
    `url` is the address that callbacks are sent to: the jobs that were sent with it are looked at now and
    then, since a callback may get lost. `say` is told of what is odd, in any thread.
    """

    def __init__(
        self,
        client: Client | None,
        ledger: Ledger,
        *,
        profile: str,
        host: str,
        say: Callable[[str], None],
        trust: bool = False,
        everything: bool = False,
        awaited: Collection[str] = (),
    ) -> None:
        self._client, self._ledger, self._profile, self._host = client, ledger, profile, host
        self._say, self._trust, self._everything, self._awaited = say, trust, everything, set(awaited)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._in_work: set[str] = set()
        self._ended: set[str] = set()
        self._last: dict[str, int] = {}  # of each task that runs, the hash of its last callback
        self._doubted: set[str] = set()  # tasks that were said to have ended, which could not be confirmed
        self._closing = threading.Event()
        self.url = ""
        #: When something came in last, as a reading of the monotonic clock; None before that.
        self.heard_at: float | None = None

    # -- from outside ------------------------------------------------------------------------------

    def receive(self, body: bytes) -> int:
        """Take a callback in, in any thread; gives the HTTP status of the answer."""
        claim = _claim_in(body)
        task_id = claim.task_id if claim is not None else None
        if claim is None or task_id is None or not (len(task_id) <= LONGEST_ID and task_id.isprintable()):
            return MALFORMED
        try:
            job = self._job_of(task_id)
            if job is None and not self._everything and task_id not in self._awaited:
                return OK  # none of ours, and nobody's business
            self.heard_at = time.monotonic()
            with self._alone(task_id):
                if task_id in self._ended:
                    return OK
                if claim.final:
                    return self._end(task_id, claim)
                self._progress(task_id, job, claim, body)
                return OK
        except ConfigError as error:  # of the ledger
            self._say(f"A callback for task {task_id} could not be taken in: {error.message}")
            return LATER

    def _job_of(self, task_id: str) -> Job | None:
        """The job of a task; the callback may be faster than the `mj` that is being answered the task's id."""
        until = time.monotonic() + OWN_SECONDS
        while True:
            job = self._ledger.by_task(self._host, task_id)
            waiting = job is None and time.monotonic() < until and not self._closing.is_set()
            if not (waiting and self._ledger.being_sent(self._host)):
                return job or self._ledger.by_task(self._host, task_id) or self._lost_job(task_id)
            time.sleep(OWN_PAUSE)

    def _lost_job(self, task_id: str) -> Job | None:
        """The one job sent with our address whose answer was lost and whose request this task has."""
        lost = [job for job in self._ours("unknown") if job.task_id is None]
        if not lost or self._client is None:
            return None
        try:
            record = self._client.task(task_id, deadline=time.monotonic() + LOOK_SECONDS)
        except (NetworkError, LostAnswer, ApiError):
            return None
        fitting = [job for job in lost if record is not None and is_for(record, job.path, job.request)]
        if len(fitting) != 1 or not self._ledger.adopt(fitting[0].uuid, self._host, task_id):
            return None
        return self._ledger.get(fitting[0].uuid)

    def _ours(self, state: str) -> list[Job]:
        """The jobs in this state whose callbacks come here."""
        unfinished = self._ledger.unfinished(self._profile)
        return [
            job for job in unfinished if job.state == state and job.request.get("callback_url") == self.url
        ]

    @contextmanager
    def _alone(self, task_id: str) -> Iterator[None]:
        """One callback of a task at a time, so that none of two which are the same is told twice."""
        with self._changed:
            self._changed.wait_for(lambda: task_id not in self._in_work)
            self._in_work.add(task_id)
        try:
            yield
        finally:
            with self._changed:
                self._in_work.discard(task_id)
                self._changed.notify_all()

    def _progress(self, task_id: str, job: Job | None, claim: Result, body: bytes) -> None:
        said = hash(body)
        if self._last.get(task_id) != said:
            self._last[task_id] = said
            self._events.put(Event(PROGRESS, task_id, claim, job, confirmed=False))

    def _end(self, task_id: str, claim: Result) -> int:
        """A callback says that the task has ended; whether that is so is seen, and written down."""
        if self._trust and (claim.failed or claim.answered):
            record = {"id": task_id, "response": claim.document, "finished_at": time.time()}
            self._note(task_id, TaskRecord(record), confirmed=False)
            return OK
        try:
            record_now = self._confirmed(task_id)
        except (NetworkError, LostAnswer, ApiError) as error:
            self._doubt(task_id, f"The service cannot be asked whether that is so: {error.message}")
            return LATER
        if record_now is None:
            self._doubt(task_id, "The service itself does not say so.")
            return LATER
        self._note(task_id, record_now, confirmed=True)
        return OK

    def _confirmed(self, task_id: str) -> TaskRecord | None:
        """What the service has of a task that has ended; None when it has not, as far as the service knows.

        The tasks endpoint may learn of an end a little later than we do.
        """
        if self._client is None:
            return None
        deadline = time.monotonic() + LOOK_SECONDS
        for pause in LOOKS:
            if self._closing.wait(pause):
                return None
            record = self._client.task(task_id, deadline=deadline)
            if record is None or _has_ended(record):
                return record
        return None

    def _doubt(self, task_id: str, why: str) -> None:
        if task_id not in self._doubted:
            self._doubted.add(task_id)
            self._say(f"A callback says that task {task_id} has ended. {why} It is looked at again.")

    def _note(self, task_id: str, record: TaskRecord, *, confirmed: bool) -> None:
        """The end of a task: into the ledger first, then out as an event."""
        note_task(self._ledger, self._host, record, [])
        failed = record.state == "failed"
        result = _failure_of(record) if failed else record.response or Result({})
        job = self._ledger.by_task(self._host, task_id)
        self._events.put(Event(FAILURE if failed else SUCCESS, task_id, result, job, confirmed))
        self._ended.add(task_id)
        self._doubted.discard(task_id)
        self._last.pop(task_id, None)

    # -- for whoever listens -----------------------------------------------------------------------

    def next(self, seconds: float) -> Event | None:
        """The next event, None when there is none within so long."""
        try:
            return self._events.get(timeout=seconds)
        except queue.Empty:
            return None

    def outstanding(self) -> set[str]:
        """The tasks that have not ended and whose callbacks come here, as far as the ledger knows."""
        ours = {job.task_id for job in self._ours("running") if job.task_id}
        return (ours | self._doubted | self._awaited) - self._ended

    def look(self) -> None:
        """Look at all tasks that are outstanding, in one request. Raises as `Client.tasks` does."""
        wanted = self.outstanding()
        for record in self._client.tasks(sorted(wanted)) if wanted and self._client is not None else ():
            if record.id in wanted and _has_ended(record):
                with self._alone(record.id):
                    if record.id not in self._ended:
                        self._note(record.id, record, confirmed=True)

    def keep_looking(self, *, at_once: bool) -> None:
        """Look now and then, in a thread of its own, until `close`; the first time `at_once` or later."""
        since = 0.0 if at_once else time.monotonic()
        threading.Thread(target=self._keep_looking, args=(since,), daemon=True).start()

    def _keep_looking(self, looked_at: float) -> None:
        while not self._closing.wait(DOUBT_SECONDS if looked_at else 0):
            if not self._doubted and time.monotonic() - looked_at < LOOK_AGAIN_SECONDS:
                continue
            looked_at = time.monotonic()
            try:
                self.look()
            except MjError:
                pass  # the callbacks may come all the same, and the next look may fare better

    def close(self) -> None:
        """Nothing more is looked at or waited for."""
        self._closing.set()


def _claim_in(body: bytes) -> Result | None:
    """The object that a callback is; None when it is none."""
    try:
        return Result(parse_object(body.removeprefix(b"\xef\xbb\xbf")), body)
    except ValueError:
        return None


def _has_ended(record: TaskRecord) -> bool:
    """Whether a task has failed, or has what was asked for."""
    if record.state == "failed":
        return True
    return record.state == "done" and record.response is not None and record.response.answered


def _failure_of(record: TaskRecord) -> Result:
    """The service's object about a failure, with the task that it is about."""
    if record.response is not None and record.response.failed:
        return Result({"task_id": record.id, **record.response.document})
    error = record.error()
    return Result(
        {
            "success": False,
            "task_id": record.id,
            "error": {"code": error.code, "message": error.message},
            **({"trace_id": error.trace_id} if error.trace_id else {}),
        }
    )

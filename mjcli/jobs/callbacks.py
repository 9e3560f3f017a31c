"""Webhook callbacks: what a callback claims, whether it is true, and what the ledger stores of it.

The service does not sign callbacks, so anyone who knows the callback URL can send one. The end of a task is
therefore confirmed at the tasks endpoint before it is believed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from mjcli.api import Client, Result, TaskRecord
from mjcli.api.ndjson import parse_object
from mjcli.errors import ApiError, ConfigError, LostResponse, MjError, NetworkError, UsageError, without_stop
from mjcli.jobs.clock import SYSTEM_CLOCK, Clock
from mjcli.jobs.follow import record_task_result, result_of
from mjcli.jobs.job import Job
from mjcli.jobs.ledger import Ledger
from mjcli.jobs.recover import matches_request

if TYPE_CHECKING:
    from mjcli.jobs.receiver import Receiver

OK, MALFORMED, LATER = 200, 400, 503  # statuses for the sender, which may retry after LATER
LONGEST_ID = 200  # characters of a task id
CONFIRM_PAUSES = (0.0, 0.5, 1.0)  # seconds before each attempt to confirm that a task has finished
QUERY_SECONDS = 8.0  # limit of a query, during which the sender waits
SUBMIT_SECONDS = 5.0  # how long an unknown task may still turn out to be that of a job being submitted
SUBMIT_PAUSE = 0.1
POLL_SECONDS = 15.0  # between polls of the tasks whose callbacks are expected
DOUBT_SECONDS = 3.0  # between polls while a reported end is unconfirmed

PROGRESS, SUCCESS, FAILURE = "progress", "success", "failure"


class Event(NamedTuple):
    """What one callback reported: the service's object about a task, and the job in the ledger.

    `kind` is `progress`, `success` or `failure`; `confirmed` means that the service confirmed it.
    """

    kind: str
    task_id: str
    result: Result
    job: Job | None
    confirmed: bool


class Mailbox:
    """The callbacks to one URL, which is used for one job (the `CallbackSource` of an order)."""

    def __init__(self) -> None:
        self._callbacks: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self.url = ""

    def receive(self, body: bytes) -> int:
        """Store a callback, from any thread; return the HTTP status of the response."""
        callback = _parse(body)
        if callback is None:
            return MALFORMED
        self._callbacks.put(callback)
        return OK

    def wait(self, seconds: float) -> Result | None:
        """Return the next callback, or None if none arrives within `seconds`."""
        try:
            return self._callbacks.get(timeout=seconds)
        except queue.Empty:
            return None


@contextmanager
def mailbox(*, host: str, port: int, public_url: str | None) -> Iterator[Mailbox]:
    """Serve a mailbox at a URL of its own. Raises as `open_receiver` does."""
    box = Mailbox()
    receiver, box.url = open_receiver(box.receive, host=host, port=port, public_url=public_url)
    with receiver:
        yield box


def open_receiver(
    handle: Callable[[bytes], int], *, host: str, port: int, public_url: str | None
) -> tuple[Receiver, str]:
    """Return a receiver that is bound but not serving yet, and its callback URL.

    Raises `UsageError` for an invalid public URL, `ConfigError` if the address cannot be bound.
    """
    from mjcli.jobs.receiver import Receiver

    prefix = _path_of(public_url) if public_url is not None else ""
    try:
        receiver = Receiver(handle, host=host, port=port, prefix=prefix)
    except OSError as error:
        raise ConfigError(
            f'Cannot receive callbacks at "{host}", port {port}: {error.strerror or error}.',
            hint="--port 0 picks a free port",
        ) from error
    if public_url is None:
        return receiver, receiver.url
    return receiver, public_url.rstrip("/") + receiver.path


def _path_of(public_url: str) -> str:
    """Return the path of a public URL, without a trailing slash. Raises `UsageError` if the URL is invalid."""
    try:
        parts = urlsplit(public_url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or not public_url.isprintable() or " " in public_url:
        raise UsageError(
            f'--public-url "{public_url}" is not the address of a tunnel.',
            hint="an example is https://example.trycloudflare.com",
        )
    return parts.path.rstrip("/")


class Inbox:
    """Receives callbacks and turns those that are new and true into events.

    A finished task is in the ledger before its sender gets a response. `trust` skips the confirmation;
    `accept_unknown` accepts tasks that are not in the ledger; those in `awaited` (task ids) are always
    accepted. `url` is the callback URL: jobs that were sent with it are also polled, because a callback may
    get lost. `warn` is called with what goes wrong, from any thread.
    """

    def __init__(
        self,
        client: Client | None,
        ledger: Ledger,
        *,
        profile: str,
        host: str,
        warn: Callable[[str], None],
        trust: bool = False,
        accept_unknown: bool = False,
        awaited: Collection[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client, self._ledger, self._profile, self._host = client, ledger, profile, host
        self._warn, self._trust, self._clock = warn, trust, clock
        self._accept_unknown, self._awaited = accept_unknown, set(awaited)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._in_progress: set[str] = set()  # tasks with a callback that is being handled
        self._finished: set[str] = set()
        self._last: dict[str, int] = {}  # the hash of the last callback of each running task
        self._doubted: set[str] = set()  # tasks with a reported end that could not be confirmed
        self._closing = threading.Event()
        self.url = ""
        #: When the last callback arrived, as a reading of `clock.monotonic()`; None before the first.
        self.last_received_at: float | None = None

    # -- receiving ---------------------------------------------------------------------------------

    def receive(self, body: bytes) -> int:
        """Handle a callback, from any thread; return the HTTP status of the response."""
        callback = _parse(body)
        task_id = callback.task_id if callback is not None else None
        if callback is None or task_id is None or not (len(task_id) <= LONGEST_ID and task_id.isprintable()):
            return MALFORMED
        try:
            job = self._job_of(task_id)
            if job is None and not self._accept_unknown and task_id not in self._awaited:
                return OK  # not one of our tasks, so it is ignored
            self.last_received_at = self._clock.monotonic()
            with self._exclusive(task_id):
                if task_id in self._finished:
                    return OK
                if callback.state() != "running":
                    return self._finish(task_id, callback)
                self._progress(task_id, job, callback, body)
                return OK
        except ConfigError as error:  # of the ledger
            self._warn(f"The callback for task {task_id} could not be stored: {error.message}")
            return LATER
        except Exception as error:  # it must not end the receiver, and the task is polled
            self._doubt(task_id, f"{type(error).__name__}: {error}")
            return LATER

    def _job_of(self, task_id: str) -> Job | None:
        """Return the job of a task; the callback may arrive before the process that sent the job stores it."""
        until = self._clock.monotonic() + SUBMIT_SECONDS
        while True:
            job = self._ledger.by_task(self._host, task_id)
            waiting = job is None and self._clock.monotonic() < until and not self._closing.is_set()
            if not (waiting and self._ledger.in_flight(self._host)):
                return job or self._ledger.by_task(self._host, task_id) or self._lost_job(task_id)
            self._clock.sleep(SUBMIT_PAUSE)

    def _lost_job(self, task_id: str) -> Job | None:
        """Return the one job with our URL whose response was lost and whose request this task has."""
        lost = [job for job in self._ours("unknown") if job.task_id is None]
        if not lost or self._client is None:
            return None
        try:
            record = self._client.task(task_id, deadline=self._clock.monotonic() + QUERY_SECONDS)
        except (NetworkError, LostResponse, ApiError):
            return None
        matching = [
            job for job in lost if record is not None and matches_request(record, job.path, job.request)
        ]
        if len(matching) != 1 or not self._ledger.adopt(matching[0].uuid, self._host, task_id):
            return None
        return self._ledger.get(matching[0].uuid)

    def _ours(self, state: str) -> list[Job]:
        """Return the jobs in this state whose callbacks come here."""
        unfinished = self._ledger.unfinished(self._profile)
        return [
            job for job in unfinished if job.state == state and job.request.get("callback_url") == self.url
        ]

    @contextmanager
    def _exclusive(self, task_id: str) -> Iterator[None]:
        """Handle one callback of a task at a time, so that duplicate callbacks are reported once."""
        with self._changed:
            self._changed.wait_for(lambda: task_id not in self._in_progress)
            self._in_progress.add(task_id)
        try:
            yield
        finally:
            with self._changed:
                self._in_progress.discard(task_id)
                self._changed.notify_all()

    def _progress(self, task_id: str, job: Job | None, callback: Result, body: bytes) -> None:
        digest = hash(body)
        if self._last.get(task_id) != digest:
            self._last[task_id] = digest
            self._events.put(Event(PROGRESS, task_id, callback, job, confirmed=False))

    def _finish(self, task_id: str, callback: Result) -> int:
        """Handle a callback that reports the end of its task; return the HTTP status."""
        if self._trust:
            record = {"id": task_id, "response": callback.document, "finished_at": self._clock.time()}
            if self._store(task_id, TaskRecord(record), confirmed=False):
                return OK
        try:
            if self._confirm(task_id):
                return OK
        except (NetworkError, LostResponse, ApiError) as error:
            self._doubt(task_id, without_stop(error.message))
            return LATER
        self._doubt(task_id, "the service does not report it")
        return LATER

    def _confirm(self, task_id: str) -> bool:
        """Store the end of a task if the service reports it, too; return whether it does.

        The tasks endpoint may report an end slightly later than the callback.
        """
        if self._client is None:
            return False
        deadline = self._clock.monotonic() + QUERY_SECONDS
        for pause in CONFIRM_PAUSES:
            if self._clock.wait(self._closing, pause):
                return False
            record = self._client.task(task_id, deadline=deadline)
            if record is None:
                return False
            if self._store(task_id, record, confirmed=True):
                return True
        return False

    def _doubt(self, task_id: str, reason: str) -> None:
        if task_id not in self._doubted:
            self._doubted.add(task_id)
            self._warn(
                f"A callback reported the end of task {task_id}, which is not confirmed yet ({reason})."
                " The task will be polled."
            )

    def _store(self, task_id: str, record: TaskRecord, *, confirmed: bool) -> bool:
        """Store the end of a task in the ledger, then report it; return False if it has no outcome yet."""
        failed, result = record.state == "failed", result_of(record)
        if not failed and result is None:
            return False
        record_task_result(self._ledger, self._host, record)
        kind, final = (SUCCESS, result) if result is not None else (FAILURE, _failure_of(record))
        job = self._ledger.by_task(self._host, task_id)
        self._events.put(Event(kind, task_id, final, job, confirmed))
        self._finished.add(task_id)
        self._doubted.discard(task_id)
        self._last.pop(task_id, None)
        return True

    # -- listening ---------------------------------------------------------------------------------

    def next(self, seconds: float) -> Event | None:
        """Return the next event, or None if there is none within `seconds`."""
        try:
            return self._events.get(timeout=seconds)
        except queue.Empty:
            return None

    def outstanding(self) -> set[str]:
        """Return the unfinished tasks whose callbacks come here."""
        ours = {job.task_id for job in self._ours("running") if job.task_id}
        return (ours | self._doubted | self._awaited) - self._finished

    def poll(self) -> None:
        """Query all outstanding tasks in one request. Raises as `Client.tasks` does."""
        expected = self.outstanding()
        for record in self._client.tasks(sorted(expected)) if expected and self._client is not None else ():
            if record.id in expected and record.state != "running":
                try:
                    with self._exclusive(record.id):
                        if record.id not in self._finished:
                            self._store(record.id, record, confirmed=True)
                except MjError:
                    raise
                except Exception as error:  # the other tasks are stored
                    self._doubt(record.id, f"{type(error).__name__}: {error}")

    def start_polling(self, *, at_once: bool) -> None:
        """Poll regularly in a thread until `close`, starting now or after the first interval."""
        last = 0.0 if at_once else self._clock.monotonic()
        threading.Thread(target=self._poll_until_closed, args=(last,), daemon=True).start()

    def _poll_until_closed(self, last: float) -> None:
        while not self._clock.wait(self._closing, DOUBT_SECONDS if last else 0):
            if not self._doubted and self._clock.monotonic() - last < POLL_SECONDS:
                continue
            last = self._clock.monotonic()
            try:
                self.poll()
            except Exception:  # noqa: S110 - callbacks may still arrive, and the next poll may succeed
                pass

    def close(self) -> None:
        """Stop polling and waiting."""
        self._closing.set()


def _parse(body: bytes) -> Result | None:
    """Return the object in the body of a callback, or None if it is not one."""
    try:
        return Result(parse_object(body.removeprefix(b"\xef\xbb\xbf")), body)
    except ValueError:
        return None


def _failure_of(record: TaskRecord) -> Result:
    """Return the service's object about a failure, with its task id."""
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

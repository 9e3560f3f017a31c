"""Webhook callbacks: what a callback claims, whether it is true, and what the ledger stores of it.

The service does not sign callbacks, so anyone who knows the callback URL can send one. The end of a task is
therefore confirmed at the tasks endpoint before it is believed.
"""

from __future__ import annotations

import errno
import gc
import json
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mjcli.api import Client, Result, TaskRecord
from mjcli.api.ndjson import parse_object
from mjcli.errors import ApiError, ConfigError, LostResponse, MjError, NetworkError, without_stop
from mjcli.jobs.backlog import HELD_BYTES, Backlog
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
MAILBOX_CALLBACKS = 16  # that wait at the same time, up to 1 MB each
SHARED_WORKERS = 24  # of the receiver's threads; the others are free for tasks of the ledger
UNKNOWN_QUERIES = 4  # at the same time, about tasks that are not in the ledger
GARBAGE_BYTES = 16 * 1024 * 1024  # of documents between two collections
REMEMBERED = 20_000  # tasks; beyond that, a duplicate may be reported again

PROGRESS, SUCCESS, FAILURE = "progress", "success", "failure"


class Event(NamedTuple):
    """What one callback reported: the service's object about a task, and the job in the ledger.

    `kind` is `progress`, `success` or `failure`; `confirmed` means that the service confirmed it. `size` is
    what it counts for in the backlog of the inbox, until `Inbox.release`.
    """

    kind: str
    task_id: str
    result: Result
    job: Job | None
    confirmed: bool
    size: int = 0


class _Claim(NamedTuple):
    """What a callback says, without its document."""

    task_id: str
    ended: bool


class _Turn:
    """The handling of one callback of a task, which other callbacks of that task wait for."""

    def __init__(self, *, ended: bool) -> None:
        self.ended, self.over = ended, threading.Event()


class _Full(Exception):
    """The backlog has no room for an event that is not in the ledger."""


class Mailbox:
    """The callbacks to one URL, which is used for one job (the `CallbackSource` of an order)."""

    def __init__(self) -> None:
        self._callbacks: queue.Queue[bytes] = queue.Queue(MAILBOX_CALLBACKS)
        self.url = ""

    def receive(self, body: bytes) -> int:
        """Store a callback, from any thread; return the HTTP status of the response."""
        if _parse(body) is None:
            return MALFORMED
        try:
            self._callbacks.put_nowait(body)
        except queue.Full:
            return LATER
        return OK

    def wait(self, seconds: float) -> Result | None:
        """Return the next callback, or None if none arrives within `seconds`."""
        try:
            return _parse(self._callbacks.get(timeout=seconds))
        except queue.Empty:
            return None


_BIND_HINTS = dict.fromkeys((errno.EADDRINUSE, errno.EACCES), "--port 0 picks a free port")


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

    Raises `UsageError` for an invalid host or public URL, `ConfigError` if the address cannot be bound.
    """
    from mjcli.jobs.addresses import bind_host, path_of_public_url
    from mjcli.jobs.receiver import Receiver

    prefix = path_of_public_url(public_url) if public_url is not None else ""
    try:
        receiver = Receiver(handle, host=bind_host(host), port=port, prefix=prefix)
    except OSError as error:
        raise ConfigError(
            f'Cannot receive callbacks at "{host}", port {port}: {error.strerror or error}.',
            hint=_BIND_HINTS.get(error.errno or 0),
        ) from error
    if public_url is None:
        return receiver, receiver.url
    return receiver, public_url.rstrip("/") + receiver.path


class Inbox:
    """Receives callbacks and turns those that are new and true into events.

    A finished task is in the ledger before its sender gets a response. `trust` skips the confirmation;
    `accept_unknown` accepts tasks that are not in the ledger; those in `awaited` (task ids) are always
    accepted. `url` is the callback URL: jobs that were sent with it are also polled, because a callback may
    get lost. `warn` is called with what goes wrong, from any thread.

    Memory is bounded. The end of a job of the ledger is always accepted: without room, it is read from the
    ledger when its turn comes. Everything else is then refused for now, so that its sender retries.
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
        held_bytes: int = HELD_BYTES,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client, self._ledger, self._profile, self._host = client, ledger, profile, host
        self._warn, self._trust, self._clock = warn, trust, clock
        self._accept_unknown, self._awaited = accept_unknown, set(awaited)
        self._backlog = Backlog(held_bytes)
        self._parsing = threading.Lock()  # a parsed callback may take 25 times its size
        self._mutex = threading.Lock()
        self._garbage = 0  # bytes of documents since the last collection
        self._turns: dict[str, _Turn] = {}  # by task
        self._lane = threading.BoundedSemaphore(SHARED_WORKERS)
        self._queries = threading.BoundedSemaphore(UNKNOWN_QUERIES)
        self._finished = _Recent(REMEMBERED)
        self._last = _Recent(REMEMBERED)  # the hash of the last callback of each running task
        self._suspicious = _Recent(REMEMBERED)  # tasks that were warned about
        self._doubted: set[str] = set()  # our tasks with a reported end that could not be confirmed
        self._closing = threading.Event()
        self.url = ""
        #: When the last callback arrived, as a reading of `clock.monotonic()`; None before the first.
        self.last_received_at: float | None = None

    # -- receiving ---------------------------------------------------------------------------------

    def receive(self, body: bytes) -> int:
        """Handle a callback, from any thread; return the HTTP status of the response."""
        claim = self._claim_of(body)
        if claim is None:
            return MALFORMED
        task_id = claim.task_id
        try:
            if self._is_ours(task_id):
                return self._take_turn(claim, body)
            return self._receive_unknown(claim, body)
        except _Full:
            return LATER
        except ConfigError as error:  # of the ledger
            self._warn_once(task_id, f"The callback for task {task_id} could not be stored: {error.message}")
            return LATER
        except Exception as error:  # it must not end the receiver, and the task is polled
            self._doubt(task_id, f"{type(error).__name__}: {error}")
            return LATER

    def _claim_of(self, body: bytes) -> _Claim | None:
        """Return what a callback says; None if it is not one."""
        with self._parsing:
            callback = _parse(body)
            task_id = callback.task_id if callback is not None else None
            if callback is None or task_id is None or not task_id.isprintable():
                return None
            return _Claim(task_id, callback.state() != "running") if len(task_id) <= LONGEST_ID else None

    def _receive_unknown(self, claim: _Claim, body: bytes) -> int:
        """Handle a callback for a task that is not in the ledger (yet), without delaying those that are."""
        if not self._lane.acquire(blocking=False):
            return LATER
        try:
            job = self._job_of(claim.task_id)
            if job is None and not self._accept_unknown:
                return OK  # not one of our tasks, so it is ignored
            if job is None and not self._backlog.has_room(len(body)):
                return LATER
            return self._take_turn(claim, body)
        finally:
            self._lane.release()

    def _job_of(self, task_id: str) -> Job | None:
        """Return the job of a task; the callback may arrive before the process that sent the job stores it."""
        until = self._clock.monotonic() + SUBMIT_SECONDS
        while True:
            job = self._ledger.by_task(self._host, task_id)
            waiting = job is None and self._clock.monotonic() < until and not self._closing.is_set()
            if not (waiting and self._ledger.in_flight(self._host)):
                job = job or self._ledger.by_task(self._host, task_id)
                imported = job is None or job.listed_after is not None
                return (self._lost_job(task_id) if imported else None) or job
            self._clock.sleep(SUBMIT_PAUSE)

    def _lost_job(self, task_id: str) -> Job | None:
        """Return the one job with our URL whose response was lost and whose request this task has."""
        lost = [job for job in self._ours("unknown") if job.task_id is None]
        if not lost or self._client is None:
            return None
        try:
            record = self._query(task_id, known=False)
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

    def _take_turn(self, claim: _Claim, body: bytes) -> int:
        """Handle one callback of a task at a time; return the HTTP status.

        A reported end that comes while another is being confirmed shares its outcome, so that duplicates are
        reported once, and many of them cost one confirmation.
        """
        self.last_received_at = self._clock.monotonic()
        while True:
            with self._turn(claim) as current:
                if current is None:
                    return self._handle(claim, body)
            if not self._lane.acquire(blocking=False):
                return LATER
            try:
                current.over.wait()
            finally:
                self._lane.release()
            if claim.ended and current.ended:
                return OK if claim.task_id in self._finished else LATER

    @contextmanager
    def _turn(self, claim: _Claim) -> Iterator[_Turn | None]:
        """Take the turn of a task (None), or return the turn that is in progress."""
        own = _Turn(ended=claim.ended)
        with self._mutex:
            current = self._turns.setdefault(claim.task_id, own)
        if current is not own:
            yield current
            return
        try:
            yield None
        finally:
            with self._mutex:
                del self._turns[claim.task_id]
            own.over.set()

    def _handle(self, claim: _Claim, body: bytes) -> int:
        if claim.task_id in self._finished:
            return OK
        return self._finish(claim.task_id, body) if claim.ended else self._progress(claim.task_id, body)

    def _progress(self, task_id: str, body: bytes) -> int:
        digest = hash(body)
        if self._last.get(task_id) == digest:
            return OK
        if not self._backlog.put(PROGRESS, task_id, body, confirmed=False):
            return LATER
        self._last.add(task_id, digest)
        return OK

    def _finish(self, task_id: str, body: bytes) -> int:
        """Handle a callback that reports the end of its task; return the HTTP status."""
        if self._trust:
            with self._parsing:
                callback = _parse(body)
                assert callback is not None
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

    def _query(self, task_id: str, *, known: bool) -> TaskRecord | None:
        """Query a task. Few queries at a time concern unknown tasks, which may be forged."""
        assert self._client is not None
        if not known and not self._queries.acquire(timeout=QUERY_SECONDS):
            raise _Full
        try:
            return self._client.task(task_id, deadline=self._clock.monotonic() + QUERY_SECONDS)
        finally:
            if not known:
                self._queries.release()

    def _confirm(self, task_id: str) -> bool:
        """Store the end of a task if the service reports it, too; return whether it does.

        The tasks endpoint may report an end slightly later than the callback.
        """
        if self._client is None:
            return False
        known, until = self._is_ours(task_id), self._clock.monotonic() + QUERY_SECONDS
        for pause in CONFIRM_PAUSES:
            if self._clock.monotonic() >= until or self._clock.wait(self._closing, pause):
                return False
            record = self._query(task_id, known=known)
            if record is None:
                return False
            if self._store(task_id, record, confirmed=True):
                return True
        return False

    def _is_ours(self, task_id: str) -> bool:
        own = self._ledger.known_tasks(self._host, [task_id], imported=False)
        return task_id in self._awaited or bool(own)

    def _doubt(self, task_id: str, reason: str) -> None:
        """Warn of a reported end that is not confirmed; one of our tasks is polled from then on."""
        try:
            ours = self._is_ours(task_id)
        except ConfigError:
            ours = False
        if ours:
            self._doubted.add(task_id)
        self._warn_once(
            task_id,
            f"A callback reported the end of task {task_id}, which is not confirmed yet ({reason})."
            f"{' The task will be polled.' if ours else ''}",
        )

    def _warn_once(self, task_id: str, text: str) -> None:
        """Warn of a task once until it is confirmed."""
        if task_id not in self._suspicious:
            self._suspicious.add(task_id)
            self._warn(text)

    def _store(self, task_id: str, record: TaskRecord, *, confirmed: bool) -> bool:
        """Store the end of a task in the ledger, then report it; return False if it has no outcome yet.

        Raises `_Full` if there is neither a job in the ledger nor room for the event.
        """
        failed, result = record.state == "failed", result_of(record)
        if not failed and result is None:
            return False
        kind, final = (SUCCESS, result) if result is not None else (FAILURE, _failure_of(record))
        job = record_task_result(self._ledger, self._host, record)
        document = json.dumps(final.document, separators=(",", ":")).encode()
        if not self._backlog.put(kind, task_id, document, confirmed=confirmed):
            if job is None:
                raise _Full
            self._backlog.put(kind, task_id, None, confirmed=confirmed)
        self._count_garbage(len(document))
        self._finished.add(task_id)
        self._doubted.discard(task_id)
        self._suspicious.discard(task_id)
        self._last.discard(task_id)
        return True

    def _count_garbage(self, size: int) -> None:
        """Collect garbage after many bytes: the collector counts objects, and HTTP responses are in cycles."""
        with self._mutex:
            self._garbage += size
            due = self._garbage > GARBAGE_BYTES
            self._garbage = 0 if due else self._garbage
        if due:
            gc.collect()

    # -- listening ---------------------------------------------------------------------------------

    def next(self, seconds: float) -> Event | None:
        """Return the next event, or None if there is none within `seconds`; `release` it when it is handled."""
        entry = self._backlog.take(seconds)
        if entry is None:
            return None
        try:
            job = self._ledger.by_task(self._host, entry.task_id)
        except ConfigError as error:
            self._warn(error.message)
            job = None
        result = _parse(entry.document) if entry.document is not None else _stored_result(job)
        result = result or Result({"task_id": entry.task_id})
        return Event(entry.kind, entry.task_id, result, job, entry.confirmed, entry.size)

    def __len__(self) -> int:
        """The number of events that wait."""
        return len(self._backlog)

    def release(self, size: int) -> None:
        """Free the room of an event of this size, once it has been handled."""
        self._backlog.release(size)

    def outstanding(self) -> set[str]:
        """Return the unfinished tasks whose callbacks come here."""
        ours = {job.task_id for job in self._ours("running") if job.task_id}
        return {each for each in ours | self._doubted | self._awaited if each not in self._finished}

    def poll(self, *, seconds: float = POLL_SECONDS) -> None:
        """Query all outstanding tasks in one request, within `seconds`. Raises as `Client.tasks` does."""
        expected = self.outstanding()
        if not expected or self._client is None:
            return
        deadline = self._clock.monotonic() + seconds
        for record in self._client.tasks(sorted(expected), deadline=deadline):
            if record.id in expected and record.state != "running":
                try:
                    with self._turn(_Claim(record.id, ended=True)) as current:
                        if current is None and record.id not in self._finished:
                            self._store(record.id, record, confirmed=True)
                except MjError:
                    raise
                except _Full:
                    continue  # until the next poll
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


class _Recent:
    """The newest of many keys, each with a value; older ones are forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit, self._mutex = limit, threading.Lock()
        self._values: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> int | None:
        """The value of a key; None if it is not there."""
        return self._values.get(key)

    def add(self, key: str, value: int = 0) -> None:
        """Add a key as the newest."""
        with self._mutex:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._limit:
                self._values.popitem(last=False)

    def discard(self, key: str) -> None:
        """Remove a key if it is there."""
        with self._mutex:
            self._values.pop(key, None)


def _stored_result(job: Job | None) -> Result | None:
    """Return the outcome of a job as the ledger has it."""
    if job is None or (job.result is None and job.error is None):
        return None
    if job.result is not None:
        return Result({"task_id": job.task_id, **job.result})
    return Result({"success": False, "task_id": job.task_id, "error": job.error})


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

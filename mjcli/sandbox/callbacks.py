"""Deliver events to callback URLs: each one once, in order, without a proxy and without retries."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from . import results
from .store import Job, Store

_CHECK_INTERVAL = 2.0  # seconds until jobs of a process that has ended are noticed
_TIMEOUT = 10.0  # seconds for one receiver


class Callbacks:
    """One thread that waits for the next event, and one per delivery in progress."""

    def __init__(self, store: Store, base_url: str) -> None:
        self._store, self._base_url = store, base_url
        self._changed = threading.Condition()
        self._stopping = False
        self._changes = 0
        self._busy: set[str] = set()
        self._own: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="sandbox-callbacks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def expect(self, job: Job) -> None:
        """Register a job with a callback URL that was accepted here."""
        with self._changed:
            self._own.add(job.id)
            self._changes += 1
            self._changed.notify_all()

    def finish(self, seconds: float) -> None:
        """Wait at most `seconds` until all events of jobs accepted here are delivered."""
        deadline = time.monotonic() + seconds
        while self._thread.is_alive() and (left := deadline - time.monotonic()) > 0:
            pending = {job.id for job in self._store.pending_callbacks()}
            with self._changed:
                if not (self._own & pending or self._own & self._busy):
                    return
                # No notification comes if another process takes over a delivery.
                self._changed.wait(min(left, 0.25))

    def stop(self) -> None:
        """End the thread; deliveries in progress may still finish."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                busy, changes = set(self._busy), self._changes
            try:
                due = self._start_due([job for job in self._store.pending_callbacks() if job.id not in busy])
            except sqlite3.Error:
                due = _CHECK_INTERVAL  # the file is locked, or the disk is full
            with self._changed:
                if not self._stopping and changes == self._changes:
                    self._changed.wait(min(due, _CHECK_INTERVAL))

    def _start_due(self, jobs: list[Job]) -> float:
        """Start every delivery that is due; returns the seconds until the next one."""
        now = time.time()
        for job in jobs:
            assert job.callback_due is not None
            if job.callback_due > now:
                return job.callback_due - now
            moments, following = job.moments, job.callback_step + 1
            due = moments[following] if following < len(moments) else None
            with self._changed:
                self._busy.add(job.id)
            reserved = False
            try:
                reserved = self._store.reserve_callback(job, following, due)
            finally:
                if not reserved:
                    self._done(job)
            if reserved:
                name = f"sandbox-callback-{job.id}"
                threading.Thread(target=self._deliver, args=(job,), name=name, daemon=True).start()
        return _CHECK_INTERVAL

    def _deliver(self, job: Job) -> None:
        try:
            body = results.event(job, job.callback_step, self._base_url, time.time())
            _post(job.callback_url, body)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # as with the real service, an unreachable receiver misses the event
        finally:
            self._done(job)

    def _done(self, job: Job) -> None:
        with self._changed:
            self._busy.discard(job.id)
            self._changes += 1
            self._changed.notify_all()


def _post(url: str, value: dict[str, Any]) -> None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"content-type": "application/json", "user-agent": "mj-sandbox", "connection": "close"}
    try:
        connection.request("POST", path, json.dumps(value).encode(), headers)
        connection.getresponse().read(1 << 20)
    finally:
        connection.close()

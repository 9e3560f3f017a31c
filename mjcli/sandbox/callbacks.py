"""Delivers what is due to callback addresses: each event once, in order, with no proxy and no second try."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from . import results
from .state import Job, Store

_LOOK_AGAIN = 2.0  # seconds until jobs of a process that has gone meanwhile are noticed
_TIMEOUT = 10.0  # seconds for one receiver


class Callbacks:
    """One thread that waits for the next event, and one for each job whose receiver is being told."""

    def __init__(self, store: Store, base_url: str) -> None:
        self._store, self._base_url = store, base_url
        self._changed = threading.Condition()
        self._stopping = False
        self._changes = 0
        self._busy: set[str] = set()
        self._own: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="sandbox-callbacks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def expect(self, job: Job) -> None:
        """Take notice of a job with a callback that was accepted here."""
        with self._changed:
            self._own.add(job.id)
            self._changes += 1
            self._changed.notify_all()

    def finish(self, seconds: float) -> None:
        """Wait at most `seconds` until everything about jobs accepted here is delivered."""
        deadline = time.monotonic() + seconds
        while self._thread.is_alive() and (left := deadline - time.monotonic()) > 0:
            pending = {job.id for job in self._store.pending_callbacks()}
            with self._changed:
                if not (self._own & pending or self._own & self._busy):
                    return
                # Another process may take a delivery over, of which no notice comes.
                self._changed.wait(min(left, 0.25))

    def stop(self) -> None:
        """End the thread; a delivery that is under way may still end by itself."""
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
                due = _LOOK_AGAIN  # another process holds the file for long, or the disk is full
            with self._changed:
                if not self._stopping and changes == self._changes:
                    self._changed.wait(min(due, _LOOK_AGAIN))

    def _start_due(self, jobs: list[Job]) -> float:
        """Start every delivery whose time has come; returns the seconds until the next one."""
        now = time.time()
        for job in jobs:
            assert job.callback_due is not None
            if job.callback_due > now:
                return job.callback_due - now
            moments, following = job.moments, job.callback_step + 1
            due = moments[following] if following < len(moments) else None
            with self._changed:
                self._busy.add(job.id)
            claimed = False
            try:
                claimed = self._store.claim_callback(job, following, due)
            finally:
                if not claimed:
                    self._done(job)
            if claimed:
                name = f"sandbox-callback-{job.id}"
                threading.Thread(target=self._deliver, args=(job,), name=name, daemon=True).start()
        return _LOOK_AGAIN

    def _deliver(self, job: Job) -> None:
        try:
            body = results.event(job, job.callback_step, self._base_url, time.time())
            _post(job.callback_url, body)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # as with the real service, a receiver that is not there misses the call
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

"""The actions of the live gallery: each one is a run of `mj action` with a key of its own.

A process of its own keeps every rule for paid jobs: the row in the ledger before the request, the limits, and what
happens when it is interrupted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mjcli.api.actions import modern
from mjcli.api.models import Result
from mjcli.cli.gallery_facts import NEEDS_MASK
from mjcli.errors import ConfigError, LimitReached, MjError, UsageError, reason_of
from mjcli.jobs.budget import Estimate, amount, estimate
from mjcli.jobs.costs import TOLERANCE
from mjcli.jobs.names import is_plain
from mjcli.jobs.order import Order
from mjcli.jobs.tags import STAR

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.gallery.collection import Shown
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.settings.load import Settings

STOP_SECONDS = 5.0  # for a run to record its state, after SIGTERM
_KEY = re.compile(r"gallery-[0-9a-f-]{36}")


class Actions:
    """Runs what the buttons of the page ask for; see `mjcli.gallery.server.Actor`."""

    def __init__(self, context: Context, ledger: Ledger, shown: Shown) -> None:
        self._context, self._ledger, self._shown = context, ledger, shown
        self._lock = threading.Lock()
        self._runs: dict[str, subprocess.Popen[bytes]] = {}  # by key, also those that have ended
        self._closed = False

    def price(self, uuid: str, action: str) -> Mapping[str, object]:
        """What an action costs, what was spent today, and whether the limits allow it."""
        job = self._job(uuid, action)
        settings, found = self._settings(job), self._estimate(job, action)
        budget, allowed = self._budget(settings, found)
        text = _sentence(found)
        if settings.sandbox.value:
            text = f"{text} In the sandbox, nothing is billed."
        return {
            "price": found.usd,
            "text": text,
            "short": amount(found.usd) if found.usd is not None else "",
            "budget": budget,
            "allowed": allowed,
        }

    def start(self, uuid: str, action: str, key: str, price: object) -> None:
        """Start an action, once for each key. Raises `UsageError`, `LimitReached`."""
        if not _KEY.fullmatch(key):
            raise UsageError("The key of the request is malformed. Nothing was sent.")
        job = self._job(uuid, action)
        found = self._estimate(job, action)
        if not _is_confirmed(found.usd, price):
            raise UsageError("The price has changed since it was shown. Nothing was sent; try again.")
        _, allowed = self._budget(self._settings(job), found)
        if not allowed:
            raise LimitReached("Your limit of the day does not allow this job. Nothing was sent.")
        with self._lock:
            if self._closed:
                raise UsageError("The gallery is being stopped. Nothing was sent.")
            if key in self._runs:
                return  # the browser repeated its request
            try:
                run = self._runs[key] = self._launch(job, action, key, found.usd)
            except OSError as error:
                raise ConfigError(f"mj cannot be started: {reason_of(error)}. Nothing was sent.") from error
        threading.Thread(target=self._watch, args=(run, job, action, key), daemon=True).start()

    def star(self, uuid: str, *, on: bool) -> None:
        """Give a job a star, or take it away. Raises `UsageError`, `ConfigError`."""
        job = self._known(uuid)
        if on:
            self._ledger.tags.add(STAR, [job])
        else:
            self._ledger.tags.remove(STAR, [job])

    def stop(self) -> int:
        """Interrupt the runs, which leave their jobs to `mj resume`; return how many there were."""
        with self._lock:
            self._closed = True
            running = [run for run in self._runs.values() if run.poll() is None]
        for run in running:
            run.terminate()
        for run in running:
            try:
                run.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                run.kill()
        return len(running)

    # -- parts -------------------------------------------------------------------------------------

    def _known(self, uuid: str) -> Job:
        job = self._ledger.get(uuid)
        if job is None or self._shown.job(job.number) is None:
            raise UsageError("This job is no longer in the history.")
        return job

    def _job(self, uuid: str, action: str) -> Job:
        """The job whose image offers an action. Raises `UsageError`."""
        job = self._known(uuid)
        offered = map(modern, Result(job.result or {}).actions) if job.has_image else ()
        if modern(action) not in offered or action == NEEDS_MASK:
            raise UsageError(f'The picture does not offer "{action}". Nothing was sent.')
        if not is_plain(action) or not is_plain(job.image_id or ""):
            raise UsageError("The name of the action or the id of the image is malformed. Nothing was sent.")
        return job

    def _settings(self, job: Job) -> Settings:
        from mjcli.settings.load import load_settings

        if self._context.settings.sandbox.value:
            return self._context.settings
        return load_settings(self._context.environ, profile=job.profile)

    def _estimate(self, job: Job, action: str) -> Estimate:
        """What `mj action` will expect the job to cost."""
        mode = self._settings(job).mode.value
        body = {"action": action, "image_id": job.image_id, **({"mode": mode} if mode else {})}
        return estimate(Order("action", "imagine", body), self._ledger.costs.history(job.profile, job.host))

    def _budget(self, settings: Settings, found: Estimate) -> tuple[str, bool]:
        """What was spent today, as a sentence, and whether the limit of the day allows the job."""
        spent = self._ledger.costs.spent_today(sandbox=bool(settings.sandbox.value))
        most = settings.max_cost_per_day.value
        if most is None:
            return "" if settings.sandbox.value else f"Spent today: {amount(spent)}.", True
        sentence = f"Spent today: {amount(spent)} of {amount(float(most))}."
        if found.usd is None:
            return f"{sentence} With a limit, a job whose price is not known is not sent.", False
        if spent + found.usd > float(most) + TOLERANCE:
            return f"{sentence} The job would exceed this limit.", False
        return sentence, True

    def _launch(self, job: Job, action: str, key: str, usd: float | None) -> subprocess.Popen[bytes]:
        sandbox = self._context.settings.sandbox.value
        where = ["--sandbox"] if sandbox else ["--profile", job.profile]
        limits = ["--max-jobs", "1", *(["--max-cost", repr(usd)] if usd is not None else [])]
        words = [
            "action",
            action,
            str(job.image_id),
            "--key",
            key,
            "--download",
            "--json",
            "--stream",
            *limits,
        ]
        # -P: a package of the same name in the working directory must not run.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "mjcli", *where, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ),
            start_new_session=True,  # Ctrl-C is for the gallery, which then stops the run in order
        )

    def _watch(self, run: subprocess.Popen[bytes], job: Job, action: str, key: str) -> None:
        """Pass on the progress of a run, and how it ended (in a thread)."""
        last: dict[str, Any] = {}
        assert run.stdout is not None
        with run.stdout as lines:
            for line in lines:
                last = _document(line) or last
                self._note_progress(job.profile, key, last)
        status = run.wait()
        error = last.get("error")
        message = error.get("message") if isinstance(error, dict) else None
        if status and not message:
            message = f"mj action ended with status {status}."
        self._shown.publish(
            key,
            {
                "run": key,
                "action": action,
                "failed": status != 0,
                "done": not status,
                "message": str(message or ""),
            },
        )

    def _note_progress(self, profile: str, key: str, event: Mapping[str, Any]) -> None:
        progress = Result(event).progress
        try:
            job = self._ledger.by_key(profile, key) if progress is not None else None
        except MjError:
            return
        if job is not None:
            self._shown.note(job.number, {"progress": progress})


def _document(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_confirmed(usd: float | None, price: Any) -> bool:
    """Whether the price that was confirmed is what the job costs now, or more."""
    if usd is None or price is None:
        return usd is None and price is None
    is_number = isinstance(price, (int, float)) and not isinstance(price, bool)
    return is_number and usd <= float(price) + TOLERANCE


def _sentence(found: Estimate) -> str:
    if found.usd is not None:
        return f"About {amount(found.usd)} ({found.source})."
    if found.lowest is not None:
        return f"At least {amount(found.lowest)} ({found.source}); the exact price is not known."
    return "The price is not known."

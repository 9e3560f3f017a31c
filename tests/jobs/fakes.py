"""A clock, a client, callbacks and an observer whose behaviour each test scripts; nothing here sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mjcli.api import Client, Hooks, Result, TaskRecord
from mjcli.jobs.clock import Clock

Script = Callable[[Hooks], Iterator[Any]]


class FakeClock(Clock):
    """A clock that only pauses move. `events` are functions to call once this many seconds have passed."""

    def __init__(self) -> None:
        self.began = float(round(time.monotonic()))  # so that whole seconds add up exactly
        self.elapsed = 0.0
        self.offset = 0.0  # by which the system's time was set since
        self.boot: str | None = None  # the id of the running boot, if the system has such ids
        self.pauses: list[float] = []
        self.events: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return 1_800_000_000.0 + self.elapsed + self.offset

    def monotonic(self) -> float:
        return self.began + self.elapsed

    def uptime(self) -> float | None:
        return self.elapsed if self.boot is not None else None

    def boot_id(self) -> str | None:
        return self.boot

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.elapsed += seconds
        for event in [each for each in self.events if each[0] <= self.elapsed]:
            self.events.remove(event)
            event[1]()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()


class FakeClient(Client):
    """A service that is scripted: `responses` to paid requests, `tasks_now` at the tasks endpoint.

    A response is a list of documents (the events of a stream, or the one object of a plain response),
    exceptions to raise, and functions to call in between. Hooks are called as the real client does.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__("token", base_url="http://127.0.0.1:1")
        self.clock = clock
        self.responses: list[list[Any]] = []
        self.bodies: list[Mapping[str, Any]] = []  # of the paid requests that were sent
        self.tasks_now: dict[str, dict[str, Any]] = {}
        self.task_script: list[Any] = []  # answers of the next queries: documents, None or exceptions
        self.search_script: list[Any] = []  # the same for searches: exceptions or functions
        self.queries: list[str] = []
        self.searches = 0
        self.offset = 0.0  # seconds that the service's clock is ahead

    @property
    def clock_offset(self) -> float | None:
        return self.offset

    def stream(
        self, path: str, body: Mapping[str, Any], *, deadline: float | None = None, hooks: Hooks | None = None
    ) -> Iterator[Result]:
        yield from self._respond(body, hooks or Hooks())

    def wait(
        self, path: str, body: Mapping[str, Any], *, deadline: float | None = None, hooks: Hooks | None = None
    ) -> Result:
        (result,) = self._respond(body, hooks or Hooks())
        return result

    def _respond(self, body: Mapping[str, Any], hooks: Hooks) -> Iterator[Result]:
        steps = self.responses.pop(0)
        while steps and steps[0] in ("rate limited", "no connection"):
            if steps[0] == "rate limited":
                hooks.leaving()
                self.bodies.append(body)
                hooks.sent()
            hooks.retrying(1.0, f"{steps.pop(0)} (retry 1 of 3)")
            self.clock.sleep(1.0)
        if steps and steps[0] == "never connected":
            raise steps[1]
        hooks.leaving()
        self.bodies.append(body)
        hooks.sent()
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            if callable(step):
                step()
            else:
                yield Result(step)

    def task(self, task_id: str, *, deadline: float | None = None) -> TaskRecord | None:
        self.queries.append(task_id)
        found = self.task_script.pop(0) if self.task_script else self.tasks_now.get(task_id)
        if isinstance(found, BaseException):
            raise found
        return TaskRecord(found) if found else None

    def tasks(self, task_ids: Sequence[str], *, deadline: float | None = None) -> list[TaskRecord]:
        return [TaskRecord(self.tasks_now[each]) for each in task_ids if each in self.tasks_now]

    def recent_tasks(
        self, *, offset: int = 0, limit: int = 50, deadline: float | None = None
    ) -> list[TaskRecord]:
        self.searches += 1
        step = self.search_script.pop(0) if self.search_script else None
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            step()
        newest = list(reversed(self.tasks_now.values()))
        return [TaskRecord(each) for each in newest[offset : offset + limit]]


class FakeCallbacks:
    """The callbacks of a job: each arrives after so many seconds of waiting."""

    def __init__(self, clock: FakeClock, *arrivals: tuple[float, dict[str, Any]]) -> None:
        self._clock, self._arrivals = clock, list(arrivals)

    def wait(self, seconds: float) -> Result | None:
        if self._arrivals and self._arrivals[0][0] <= seconds:
            delay, document = self._arrivals.pop(0)
            self._clock.sleep(delay)
            return Result(document)
        self._clock.sleep(seconds)
        return None


class Recorder:
    """An observer that records every call; `on` maps a method's name to a function to call in it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.on: dict[str, Callable[[], object]] = {}

    def _call(self, name: str, value: Any = None) -> None:
        self.calls.append((name, value))
        if name in self.on:
            self.on[name]()

    def named(self, name: str) -> list[Any]:
        return [value for each, value in self.calls if each == name]

    def sent(self) -> None:
        self._call("sent")

    def accepted(self, task_id: str) -> None:
        self._call("accepted", task_id)

    def event(self, event: Result) -> None:
        self._call("event", event.document)

    def drained(self) -> None:
        self._call("drained")

    def progress(self, percent: int | None) -> None:
        self._call("progress", percent)

    def notice(self, sentence: str) -> None:
        self._call("notice", sentence)

    def warning(self, sentence: str) -> None:
        self._call("warning", sentence)

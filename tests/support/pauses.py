"""Short pauses for the program under test, so that no test waits for the clock.

`Mj` runs the program with `time.sleep` scaled by `SLEEP` and with the waits named in `SHORT` replaced. A test
of the pauses themselves sets `mj.pauses = REAL`; one that needs another value for a single wait sets
`mj.pauses = {**SHORT, "mjcli.jobs.follow:CALLBACK_SECONDS": 0.2}`.

To shorten another wait, add its module and constant to `SHORT`. A name that no longer exists makes every
program test fail with a message that says so; it is corrected here alone. Leave out fallbacks, such as the
periodic queries of `mj listen`: if they are fast, a test passes without the callback that it tests.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

Value = float | tuple[float, ...]

#: The key of the factor for every `time.sleep`.
SLEEP = "time:sleep"

REAL: Mapping[str, Value] = {}

SHORT: Mapping[str, Value] = {
    # Retries, polls, the search for a lost job, and turns at a lock.
    SLEEP: 0.02,
    # Several jobs: submissions a second, common queries, and the turn of a job that was refused.
    "mjcli.jobs.batch:RATE": 25.0,
    "mjcli.jobs.poller:PERIOD": 0.02,
    "mjcli.jobs.poller:POLL_FIRST": 0.03,
    "mjcli.jobs.poller:POLL_LAST": 0.1,
    "mjcli.jobs.poller:UNSEEN_SECONDS": 0.1,
    # How long a response may stay open once it is complete.
    "mjcli.api.responses:FINAL_GRACE": 0.2,
    # The receiver of callbacks: pauses before it queries a task that a callback reports.
    "mjcli.jobs.callbacks:CONFIRM_PAUSES": (0.0, 0.02, 0.04),
    "mjcli.jobs.callbacks:DOUBT_SECONDS": 0.1,
    # How long `mj listen --until-idle` waits for another callback.
    "mjcli.cli.commands.listen:QUIET_SECONDS": 0.3,
    # How long its last query and its downloads may go on after the deadline.
    "mjcli.cli.commands.listen:LAST_SECONDS": 0.5,
    # How long a program of --exec has to end by itself.
    "mjcli.cli.programs:TERM_SECONDS": 0.3,
}

_sleep = time.sleep
_factor = 1.0


def _scaled(seconds: float, /) -> None:
    _sleep(seconds * _factor)


def install() -> None:
    """Make `time.sleep` scalable; call it before the program is imported."""
    time.sleep = _scaled


def apply(pauses: Mapping[str, Value]) -> None:
    """Use these pauses in this process; modules that are not imported yet are changed when they are."""
    global _factor
    waiting: dict[str, dict[str, Value]] = {}
    for name, value in pauses.items():
        if name == SLEEP:
            assert isinstance(value, float)
            _factor = value
        else:
            module, _, constant = name.partition(":")
            waiting.setdefault(module, {})[constant] = tuple(value) if isinstance(value, list) else value
    for module in [each for each in waiting if each in sys.modules]:
        _replace(sys.modules[module], waiting.pop(module))
    if waiting:
        sys.meta_path.insert(0, _OnImport(waiting))


def check() -> None:
    """Import every module of the table. Raises `LookupError` for a name that does not exist."""
    for name in SHORT:
        module, _, constant = name.partition(":")
        if importlib.util.find_spec(module) is None or not hasattr(importlib.import_module(module), constant):
            raise LookupError(f"{name} does not exist; correct the table in tests/support/pauses.py")


def _replace(module: ModuleType, values: Mapping[str, Value]) -> None:
    for constant, value in values.items():
        if not hasattr(module, constant):
            raise LookupError(f"{module.__name__} has no {constant}; correct the pauses of the test")
        setattr(module, constant, value)


class _OnImport(MetaPathFinder):
    """Replaces the constants of a module as soon as it has been imported."""

    def __init__(self, waiting: dict[str, dict[str, Value]]) -> None:
        self._waiting = waiting

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        values = self._waiting.pop(name, None)
        if values is None:
            return None
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_replace(module: ModuleType) -> None:
            execute(module)
            _replace(module, values)

        spec.loader.exec_module = execute_and_replace  # type: ignore[method-assign]
        return spec

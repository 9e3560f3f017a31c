"""A ledger, a client, a clock and an observer for the tests of one job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mjcli.jobs.ledger import Ledger
from tests.jobs.fakes import FakeClient, FakeClock, Recorder
from tests.jobs.scene import Scene


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(clock: FakeClock) -> FakeClient:
    return FakeClient(clock)


@pytest.fixture
def observer() -> Recorder:
    return Recorder()


@pytest.fixture
def jobs(tmp_path: Path, clock: FakeClock) -> Iterator[Ledger]:
    """A ledger on the fake clock."""
    ledger = Ledger.open(tmp_path / "ledger.db", notice=pytest.fail, clock=clock)
    ledger._connection.execute("PRAGMA synchronous = OFF")
    yield ledger
    ledger.close()


@pytest.fixture
def scene(client: FakeClient, jobs: Ledger, clock: FakeClock, observer: Recorder) -> Scene:
    """A runner on these."""
    return Scene(client, jobs, clock, observer)

"""A service that paints, and a batch of three lines; some files of tests have another one."""

from __future__ import annotations

import pytest

from tests.support.batches import Batch, Midjourney
from tests.support.program import Mj
from tests.support.service import Service


@pytest.fixture
def midjourney(service: Service) -> Midjourney:
    return Midjourney(service)


@pytest.fixture
def batch(online: Mj, midjourney: Midjourney) -> Batch:
    batch = Batch(online)
    batch.write("a cat", "a dog", "a fox")
    return batch

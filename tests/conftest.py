"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service import Service, serve


@pytest.fixture
def service() -> Iterator[Service]:
    """A scripted service on a loopback port of its own."""
    yield from serve()

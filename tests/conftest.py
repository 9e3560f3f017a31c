"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.service import Service, serve


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seeds",
        type=int,
        default=20,
        metavar="N",
        help="number of random cases of killed jobs (default 20)",
    )


@pytest.fixture
def service() -> Iterator[Service]:
    """A scripted service on its own loopback port."""
    yield from serve()

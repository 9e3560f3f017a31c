"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service import Service, serve


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seeds",
        type=int,
        default=20,
        metavar="N",
        help="How many cases of killed jobs to try (default 20).",
    )


@pytest.fixture
def service() -> Iterator[Service]:
    """A scripted service on a loopback port of its own."""
    yield from serve()

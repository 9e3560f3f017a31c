"""Remembered uploads: whose link it is, and for how long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mjcli.jobs.ledger import Ledger
from mjcli.jobs.uploads import MARGIN_SECONDS
from tests.jobs.fakes import FakeClock

SHA, OTHER_SHA = "a" * 64, "b" * 64
LINK, DAY = "https://h/1.png", 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Iterator[Ledger]:
    with contextlib.closing(Ledger.open(tmp_path / "ledger.db", notice=pytest.fail, clock=clock)) as ledger:
        yield ledger


def test_a_link_is_found_by_content_and_account_until_it_is_forgotten(ledger: Ledger) -> None:
    uploads = ledger.uploads
    uploads.remember(SHA, "me", LINK, lifetime=DAY)
    assert uploads.find(SHA, "me") == LINK
    assert uploads.find(SHA, "you") is None
    assert uploads.find(OTHER_SHA, "me") is None
    uploads.remember(SHA, "you", "https://h/2.png", lifetime=DAY)
    uploads.remember(SHA, "me", "https://h/3.png", lifetime=DAY)
    assert (uploads.find(SHA, "me"), uploads.find(SHA, "you")) == ("https://h/3.png", "https://h/2.png")
    uploads.forget(SHA, "me")
    uploads.forget(SHA, "me")
    assert (uploads.find(SHA, "me"), uploads.find(SHA, "you")) == (None, "https://h/2.png")


def test_a_link_is_not_reused_shortly_before_it_expires(ledger: Ledger, clock: FakeClock) -> None:
    ledger.uploads.remember(SHA, "me", LINK, lifetime=DAY)
    clock.offset += DAY - MARGIN_SECONDS - 1
    assert ledger.uploads.find(SHA, "me") == LINK
    clock.offset += 2
    assert ledger.uploads.find(SHA, "me") is None


def test_a_link_from_the_future_is_not_reused(ledger: Ledger, clock: FakeClock) -> None:
    """The clock was set back, so the age of the link is not known."""
    ledger.uploads.remember(SHA, "me", LINK, lifetime=DAY)
    clock.offset -= 1
    assert ledger.uploads.find(SHA, "me") is None

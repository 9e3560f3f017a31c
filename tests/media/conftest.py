"""A downloader and a directory for its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mjcli.media.download import Downloader
from tests.support.downloads import no_pause


@pytest.fixture
def fetch() -> Iterator[Downloader]:
    with Downloader(allow_private=True, use_environment=False, sleep=no_pause) as downloader:
        yield downloader


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "images"

"""A config file and an environment that names it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "config.toml"


@pytest.fixture
def environ(file: Path, tmp_path: Path) -> dict[str, str]:
    return {"MJ_CONFIG": str(file), "MJ_DATA_DIR": str(tmp_path / "data")}

"""Config files for tests."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

SECRET = "sk-very-secret-0123456789"


posix = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes and links")


not_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")


def write(file: Path, text: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    file.chmod(0o600)


def content(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)

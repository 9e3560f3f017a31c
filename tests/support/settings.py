"""Config files for tests."""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SECRET = "sk-very-secret-0123456789"


not_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")


def write(file: Path, text: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    file.chmod(0o600)


def content(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def private_directory() -> Iterator[Path]:
    """A directory that another user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        Path(name).chmod(0o700)


@contextmanager
def without_privileges(*owned: Path) -> Iterator[None]:
    """Run as an ordinary user to whom these paths belong; root becomes one meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    for path in owned:
        os.chown(path, 54_321, 54_321)
    os.seteuid(54_321)
    try:
        yield
    finally:
        os.seteuid(0)

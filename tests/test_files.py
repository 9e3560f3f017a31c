"""Locks, renaming, and the directories that exist."""

from __future__ import annotations

import os
import threading
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from mjcli import files
from mjcli.files import can_create_in, exclusive, existing_parent, rename


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_one_holder_of_a_lock_at_a_time(tmp_path: Path, kind: str) -> None:
    path = tmp_path if kind == "directory" else tmp_path / "lock"
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(10):
            with exclusive(path, 60):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert kind == "file" or not list(tmp_path.iterdir())


def test_waiting_for_a_lock_has_an_end(tmp_path: Path) -> None:
    with exclusive(tmp_path, 1), pytest.raises(TimeoutError, match="still locked"), exclusive(tmp_path, 0):
        pass


def test_a_file_that_another_program_has_open_is_renamed_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a virus scanner has on Windows."""
    (tmp_path / "old").write_text("x")
    refusals = iter([PermissionError(13, "in use")] * 3)
    real = Path.replace

    def replace(path: Path, target: Any) -> Path:
        for error in refusals:
            raise error
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    if os.name == "posix":
        with pytest.raises(PermissionError):
            rename(tmp_path / "old", tmp_path / "new", replace=True)
        monkeypatch.setattr(files, "WAITS_TO_RENAME", True)
    rename(tmp_path / "old", tmp_path / "new", replace=True)
    assert (tmp_path / "new").read_text() == "x"


def test_a_drive_that_does_not_exist_has_no_existing_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    path: Any = PureWindowsPath("Q:\\x\\y.png")
    assert existing_parent(path) is None


def test_the_nearest_existing_parent_is_found(tmp_path: Path) -> None:
    assert existing_parent(tmp_path / "a" / "b") == tmp_path
    assert can_create_in(tmp_path)
    assert not can_create_in(tmp_path / "a")
    assert not list(tmp_path.iterdir())

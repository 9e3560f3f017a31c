"""Config files that cannot be replaced, or belong to another user: they stay what and whose they are."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mjcli.errors import ConfigError
from mjcli.settings.file import set_value
from tests.support.settings import content, mode, write
from tests.support.systems import posix

pytestmark = posix
TEXT = '# mine\n[defaults]\nmode = "fast"\n'
root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change owners"
)
OTHER = 54_321
SET = """
import sys
from pathlib import Path
from mjcli.settings.file import set_value
set_value(Path(sys.argv[1]), "defaults.mode", "relax", profile="default")
"""


def changed(file: Path) -> None:
    assert content(file) == {"defaults": {"mode": "relax"}}
    assert file.read_text().startswith("# mine\n")
    assert sorted(each.name for each in file.parent.iterdir() if each.name.startswith(".")) == []


@root
@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o644])
def test_the_file_of_another_user_keeps_its_owner_and_mode(file: Path, permissions: int) -> None:
    write(file, TEXT)
    os.chown(file, OTHER, OTHER)
    file.chmod(permissions)
    set_value(file, "defaults.mode", "relax", profile="default")
    changed(file)
    after = file.stat()
    assert (after.st_uid, after.st_gid, mode(file)) == (OTHER, OTHER, permissions)


@root
def test_the_owner_is_kept_where_it_cannot_be_given(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    write(file, TEXT)
    os.chown(file, OTHER, OTHER)
    monkeypatch.setattr(os, "fchown", refuse)
    set_value(file, "defaults.mode", "relax", profile="default")
    changed(file)
    assert file.stat().st_uid == OTHER


@root
@pytest.mark.skipif(sys.platform != "linux" or shutil.which("unshare") is None, reason="mount namespaces")
def test_a_bind_mount_is_written_in_place(file: Path, tmp_path: Path) -> None:
    write(file, "")
    source = tmp_path / "source.toml"
    write(source, TEXT)
    script = 'mount --bind "$1" "$2" || exit 77; exec "$3" -c "$4" "$2"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", source, file, sys.executable, SET],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    changed(source)
    assert file.read_bytes() == b""


@pytest.mark.parametrize("reason", [errno.EBUSY, errno.EXDEV, errno.EPERM])
def test_a_file_that_cannot_be_replaced_is_written_in_place(
    file: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    write(file, TEXT)
    inode = file.stat().st_ino
    monkeypatch.setattr(Path, "replace", refuse)
    set_value(file, "defaults.mode", "relax", profile="default")
    changed(file)
    assert (file.stat().st_ino, mode(file)) == (inode, 0o600)


def test_a_failed_write_in_place_restores_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, TEXT)
    os.link(file, file.with_name("twin"))
    flush = os.fsync
    flushed: list[int] = []

    def full(descriptor: int) -> None:
        flushed.append(descriptor)
        if len(flushed) == 2:  # the first one is the copy's
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        set_value(file, "defaults.mode", "relax", profile="default")
    assert file.read_text() == TEXT
    assert sorted(each.name for each in file.parent.iterdir()) == [file.name, "twin"]


def test_hard_and_symbolic_links_stay_links(file: Path) -> None:
    write(file, TEXT)
    twin, link = file.with_name("twin"), file.with_name("link")
    os.link(file, twin)
    link.symlink_to(file.name)
    set_value(link, "defaults.mode", "relax", profile="default")
    changed(file)
    assert link.is_symlink()
    assert twin.samefile(file)

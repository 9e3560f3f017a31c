"""Which file systems are network file systems, from the text of /proc/self/mountinfo."""

from __future__ import annotations

from pathlib import Path

import pytest

from mjcli.jobs.filesystem import network_file_system
from tests.support.systems import posix

MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw,nosuid - proc proc rw
30 21 0:40 / /home rw,relatime shared:20 - nfs4 server:/export/home rw,vers=4.2
31 30 8:3 / /home/local rw,relatime - xfs /dev/sda3 rw
32 21 0:41 / /mnt/my\\040share rw - cifs //server/share rw
33 21 0:42 / /mnt/ssh rw - fuse.sshfs me@server: rw
34 21 0:43 / /mnt/disk rw - fuseblk /dev/sdb1 rw
35 21 0:44 / /mnt/twice rw - ext4 /dev/sdc1 rw
36 35 0:45 / /mnt/twice rw - nfs server:/twice rw
37 21 0:46 / /mnt/app rw - fuse.AppImage app rw
38 21 0:47 / /wsl rw,noatime - 9p C:\\134 rw
39 21 0:48 / /tagged rw shared:3 master:2 - smb3 //server/x rw
not a mount
"""


@posix
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/mj/ledger.db", None),
        ("/home/me/ledger.db", "nfs4"),
        ("/home", "nfs4"),
        ("/home/local/me/ledger.db", None),
        ("/homestead/ledger.db", None),
        ("/mnt/my share/ledger.db", "cifs"),
        ("/mnt/ssh/ledger.db", "fuse.sshfs"),
        ("/mnt/disk/ledger.db", None),
        ("/mnt/twice/ledger.db", "nfs"),
        ("/mnt/app/ledger.db", None),
        ("/wsl/Users/ledger.db", "9p"),
        ("/tagged/ledger.db", "smb3"),
    ],
)
def test_the_longest_mount_point_decides(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


@posix
def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    mounts = f"1 0 8:1 / / rw - ext4 x rw\n2 1 0:40 / {tmp_path}/far rw - nfs server:/ rw\n"
    assert network_file_system(tmp_path / "near" / "ledger.db", mounts) == "nfs"
    assert network_file_system(tmp_path / "ledger.db", mounts) is None


@pytest.mark.parametrize("mounts", ["", "\n", "1 2 3", "1 0 8:1 / / rw -", "1 0 8:1 / / rw - "])
def test_without_a_usable_list_a_file_counts_as_local(mounts: str) -> None:
    assert network_file_system(Path("/home/me"), mounts) is None

"""Whether a file is on a network file system, where SQLite's write-ahead log does not work."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_REMOTE_DRIVE = 4  # as Windows numbers types
_MOUNTS = Path("/proc/self/mountinfo")

# Types of file systems that several hosts may share. A virtual machine's shared folder is one, too.
_NETWORK = (
    "9p",
    "acfs",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "gfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs3",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "prl_fs",
    "pvfs2",
    "shfs",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
    "wekafs",
)
# The same as file systems in user space, whose type is "fuse." and the name of the program.
_NETWORK_PROGRAMS = (
    "ceph",
    "ceph-fuse",
    "curlftpfs",
    "davfs2",
    "gcsfuse",
    "glusterfs",
    "google-drive-ocamlfuse",
    "goofys",
    "juicefs",
    "mount.davfs2",
    "mount.glusterfs",
    "mountpoint-s3",
    "rclone",
    "s3backer",
    "s3fs",
    "seaweedfs",
    "smbnetfs",
    "sshfs",
    "vmhgfs-fuse",
)


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """Return the type of the network file system that `path` is on, None if it is on a local one.

    `mounts` is the text of Linux' /proc/self/mountinfo, by default the system's own. Where there is none,
    every file system counts as local, except for the network drives of Windows ("smb").
    """
    if sys.platform == "win32" and mounts is None:
        return "smb" if _is_network_drive(path) else None
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(errors="surrogateescape")
        except OSError:
            return None
    kind = _type_of(os.path.realpath(path), mounts)
    family, _, program = kind.partition(".")
    if family in ("fuse", "fuseblk"):
        return kind if program in _NETWORK_PROGRAMS else None
    return kind if kind in _NETWORK else None


def _is_network_drive(path: Path) -> bool:
    if sys.platform == "win32":
        import ctypes

        root = os.path.splitdrive(os.path.realpath(path))[0] + "\\"
        return bool(ctypes.windll.kernel32.GetDriveTypeW(root) == _REMOTE_DRIVE)
    return False


def _type_of(path: str, mounts: str) -> str:
    """Return the type of the file system with the longest mount point above `path`; of equal ones the last."""
    found, longest = "", -1
    for line in mounts.splitlines():
        fields, _, source = line.partition(" - ")
        words, kind = fields.split(" "), source.split(" ")[0]
        if len(words) < 6 or not kind:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), words[4])
        inside = point == "/" or path == point or path.startswith(f"{point}/")
        if inside and len(point) >= longest:
            found, longest = kind, len(point)
    return found

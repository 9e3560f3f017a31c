"""A small file system for one directory, which a test can fill and free while programs run on it.

It is mounted in a namespace of its own, that of a process which does nothing else, so that it goes with that
process. Programs enter the namespace; the test reaches the files through `/proc`.
"""

from __future__ import annotations

import contextlib
import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = "32m"
BLOCK = 4096

_HOLDER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.makedirs(sys.argv[1], exist_ok=True)
if libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None):  # private mounts
    sys.exit(77)
if libc.mount(b"none", os.fsencode(sys.argv[1]), b"tmpfs", 0, b"size=" + os.fsencode(sys.argv[2])):
    sys.exit(77)
print("ready", flush=True)
sys.stdin.read()
"""

#: Python statements by which a program enters the namespace of the process `pid`.
ENTER = """
import ctypes, os
def enter(pid):
    place = os.getcwd()
    if ctypes.CDLL(None).setns(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), 0x20000):
        sys.exit("setns")
    os.chdir(place)
"""


class SmallDisk:
    """The file system; `pid` is the process whose namespace has it, `path` leads to it from outside."""

    def __init__(self, pid: int, directory: Path) -> None:
        self.pid = pid
        self.path = Path(f"/proc/{pid}/root") / directory.relative_to("/")

    def fill(self) -> None:
        """Take all that is left of the space."""
        size = 64 * BLOCK
        with (self.path / "fill").open("ab", buffering=0) as file:
            while size >= BLOCK:
                try:
                    file.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    size //= 2

    def free(self) -> None:
        """Give the space back."""
        (self.path / "fill").unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(directory: Path) -> Iterator[SmallDisk]:
    """A small file system mounted at a directory; the test is skipped where mounting is not permitted."""
    words = [sys.executable, "-c", _HOLDER, str(directory), SIZE]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if not holder.stdout.readline():
            pytest.skip("mounting is not permitted")
        try:
            yield SmallDisk(holder.pid, directory)
        finally:
            holder.kill()

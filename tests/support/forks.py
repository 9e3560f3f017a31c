"""Many processes that do the same thing at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# `work(number)` of each process begins with `os.read(start, 1)`, which returns once the other end is closed.
_FORKS = """
start, begin = os.pipe()
children = []
for number in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        os.close(begin)
        try:
            work(number)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
os.close(begin)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def run_forks(script: str, path: Path, count: int, *, seconds: float) -> tuple[int, str]:
    """Run `work` of a script in `count` processes at once; returns how many failed, and what they printed."""
    command = [sys.executable, "-c", script + _FORKS, str(path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    return done.returncode, done.stderr

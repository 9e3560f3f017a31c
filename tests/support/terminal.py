"""A pseudo-terminal for the program, and control characters that must never reach it."""

from __future__ import annotations

import os
import re
import subprocess
import time

from tests.support.program import Mj

ASCII: dict[str, str | None] = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

EVIL = {
    "escape": "\x1b[2J\x1b[31m",
    "title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;http://evil/\x1b\\x\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;AAAA\x07",
    "C1": "\x9b31m\x9d0;x\x9c\x85",
    "carriage return": "\rmj: all is well",
    "line feed": "\nlink: https://evil/",
    "backspace": "\x08\x08\x08\x7f",
    "null": "\x00",
    "bidi": "\u202egnp.\u202c\u2066\u2069\u200e\u200f\u061c",
    "separators": "\u2028\u2029\ufeff",
}

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def harmless(text: str) -> None:
    """Assert that no control character is left."""
    assert not CONTROL.search(text), text


class Screen:
    """A terminal that `mj` runs in, and everything it has displayed."""

    def __init__(self, columns: int) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = b""

    def read_until(self, process: subprocess.Popen[bytes], wanted: bytes | None) -> None:
        """Read until this text is displayed, or, with None, until the program exits."""
        import select

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            if select.select([self.ours], [], [], 0 if ended else 0.05)[0]:
                self.shown += os.read(self.ours, 65536)
            elif ended:
                return
            if wanted is not None and wanted in self.shown:
                return
        process.kill()
        raise AssertionError(f"{wanted!r} did not come: {self.shown!r}")

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


def plain(shown: str) -> str:
    """The displayed text without control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "")


def at_a_terminal(mj: Mj, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run the program on a terminal and type a reply at its prompt; its exit status and what was displayed."""
    screen = Screen(100)
    try:
        process = mj.start(
            *arguments,
            env={"TERM": "xterm-256color"},
            stdin=screen.theirs,
            stdout=screen.theirs,
            stderr=screen.theirs,
            start_new_session=True,
        )
        with process:
            screen.read_until(process, b"[y/N] ")
            os.write(screen.ours, answer)
            screen.read_until(process, None)
        return process.returncode, screen.shown.decode()
    finally:
        screen.close()

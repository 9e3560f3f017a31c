"""An interactive shell in a terminal that keeps a screen, as tmux emulates it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable

from tests.support.program import SOON, Mj

SHELLS = {
    "dash": ["dash", "-i"],
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i", "-C", "function fish_prompt; printf '$ '; end"],
}


def missing(*programs: str) -> str:
    """Which of these programs, or tmux, are not on this machine."""
    return " ".join(each for each in ("tmux", *programs) if shutil.which(each) is None)


class Pane:
    """A shell whose prompt is `$ `, in which `mj` is the program; use it as a context manager."""

    def __init__(self, mj: Mj, shell: str = "bash", *, columns: int = 70, rows: int = 24) -> None:
        self._socket = mj.home / "tmux"
        program = mj.home / "bin"
        program.mkdir(exist_ok=True)
        (program / "mj").write_text(f'#!/bin/sh\nexec {shlex.join(mj.command())} "$@"\n')
        (program / "mj").chmod(0o755)
        env = mj.environment({"PATH": f"{program}:{mj.env['PATH']}", "PS1": "$ ", "SHELL": "/bin/sh"})
        command = shlex.join(["env", *(f"{name}={value}" for name, value in env.items()), *SHELLS[shell]])
        size = ["-x", str(columns), "-y", str(rows)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, "-c", str(mj.cwd), command)

    def __enter__(self) -> Pane:
        self.wait(lambda: self.screen().rstrip().endswith("$"))
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def run(self, line: str) -> None:
        """Type a command."""
        self.type(line)
        self.press("Enter")

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-l", text)

    def press(self, key: str) -> None:
        """Press a key by its name, such as `C-z`."""
        self._tmux("send-keys", key)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What is on the screen, without empty lines at the end."""
        return self._tmux("capture-pane", "-p").rstrip("\n")

    @property
    def cursor_is_shown(self) -> bool:
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        tty = self._tmux("display-message", "-p", "#{pane_tty}").strip()
        state = subprocess.run(["stty", "-a", "-F", tty], capture_output=True, text=True, check=True).stdout
        return " -echo " not in state

    def wait_for(self, text: str) -> str:
        """Wait until this text is on the screen, and return the screen."""
        return self.wait(lambda: text in self.screen())

    def wait(self, condition: Callable[[], bool]) -> str:
        """Wait until this is true, and return the screen."""
        deadline, pause = time.monotonic() + SOON, threading.Event()
        while not condition():
            assert time.monotonic() < deadline, self.screen()
            pause.wait(0.05)
        return self.screen()

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout

"""Completion in real shells."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

_ASK_BASH = r"""
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=() piece=''
# Split the line as readline does: at spaces, and around "=" and ":".
for ((i = 0; i < ${#2}; i++)); do
    char=${2:i:1}
    case $char in
        ' ') if [[ -n $piece ]]; then COMP_WORDS+=("$piece"); fi; piece='' ;;
        [=:]) if [[ -n $piece ]]; then COMP_WORDS+=("$piece"); fi; COMP_WORDS+=("$char"); piece='' ;;
        *) piece+=$char ;;
    esac
done
if [[ -n $piece || $2 == *' ' ]]; then COMP_WORDS+=("$piece"); fi
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_mj mj "$piece"
for reply in "${COMPREPLY[@]}"; do echo "$reply"; done
"""


def ask_bash(
    bash: str, script: Path, line: str, *, path: str | Path = "", cwd: Path | None = None
) -> list[str]:
    """The words that the script's function offers for a line with the cursor at its end."""
    return _lines([bash, "--norc", "--noprofile", "-c", _ASK_BASH, "bash", str(script), line], path, cwd)


def ask_fish(
    fish: str,
    script: Path,
    line: str,
    *,
    path: str | Path = "",
    cwd: Path | None = None,
    descriptions: bool = False,
) -> list[str]:
    """The words that fish offers for a line; `descriptions` adds them after a tab."""
    command = [fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", str(script), line]
    lines = _lines(command, path, cwd)
    return lines if descriptions else [line.split("\t")[0] for line in lines]


def _lines(command: list[str], path: str | Path, cwd: Path | None = None) -> list[str]:
    home = str(cwd or "/")
    environ = {"PATH": str(path), "HOME": home, "XDG_CONFIG_HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, env=environ, cwd=cwd, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.stderr == "", done.stderr
    return done.stdout.splitlines()


class Terminal:
    """An interactive shell in a pseudo-terminal of 200 columns, with the prompt `$ `."""

    def __init__(self, command: list[str], environ: dict[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))
        # Opening the terminal makes it the controlling terminal of the new session.
        opening = 'exec "$@" <"$TERMINAL" >"$TERMINAL" 2>&1'
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", opening, "sh", *command],
            env={"TERM": "dumb", "LC_ALL": "C.UTF-8", "TERMINAL": os.ttyname(slave), **environ},
            cwd=cwd,
            start_new_session=True,
        )
        self._slave = slave
        self._count = 0

    def __enter__(self) -> Terminal:
        self.run("")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._slave)
        os.close(self._master)

    def tab(self, line: str) -> str:
        """What the terminal shows after a line is typed and Tab is pressed."""
        return self.run(line + "\t")

    def run(self, keys: str) -> str:
        """Type keys, discard the line, and return the output before the next command."""
        self._count += 1
        # The shell echoes the command; the sum distinguishes the echo from the output.
        self._type(f"{keys}\x15echo answer-$(({self._count} + 1000))\r")
        return self._until(f"answer-{self._count + 1000}").rpartition("echo answer")[0]

    def _type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def _until(self, text: str) -> str:
        """Read until the text and a new prompt appear; only then does the line editor read keys."""
        seen = ""
        deadline = time.monotonic() + 30
        while "$ " not in seen.rpartition(text)[2] or text not in seen:
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"The shell did not respond; its output: {seen!r}"
            seen += os.read(self._master, 65536).decode(errors="replace")
        return seen

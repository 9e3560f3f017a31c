"""A prompt on the terminal that survives Ctrl-Z, and reading what is typed at it without echo."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from mjcli.cli.output.terminal import in_foreground
from mjcli.cli.output.text import encode
from mjcli.cli.signals import hold, let_go, undisturbed


class Prompt:
    """A text at which a line is typed.

    With `hidden`, what is typed is not shown; the echo is back whenever the program is stopped or ends.
    """

    def __init__(self, text: str, stdin: TextIO, stderr: TextIO, *, hidden: bool = False) -> None:
        self._text = text
        self._stdin = stdin
        self._stderr = stderr
        self._hidden = hidden
        self._echoed: int | None = None
        """The terminal's own flag, once it is known."""

    def read(self, line: Callable[[], str]) -> str:
        """Show the prompt and return what `line` reads. Raises `OSError` if the terminal cannot hide it."""
        try:
            with undisturbed():
                hold(self)
                self._echo(on=False)
                self._show(self._text)
            return line()
        finally:
            with undisturbed():
                let_go(self)
                self._echo(on=True)
                if self._hidden:  # nor was Enter shown
                    self._show("\n")

    def release(self) -> None:
        """Turn the echo on; for the handler of a signal that stops or ends the program."""
        with suppress(OSError):
            self._echo(on=True)

    def retake(self) -> None:
        """Show the prompt again in the foreground; in the background, reading stops the program again."""
        if in_foreground(self._stdin):
            with suppress(OSError):
                self._echo(on=False)
            self._show(self._text)

    def _show(self, text: str) -> None:
        # Not through the stream, which a handler may have interrupted.
        with suppress(OSError):
            os.write(self._stderr.fileno(), encode(text, self._stderr.encoding))

    def _echo(self, *, on: bool) -> None:
        """Turn the echo of the terminal on or off, unless a shell has the terminal and edits lines itself."""
        if sys.platform == "win32" or not self._hidden:
            return
        import termios

        try:
            state = termios.tcgetattr(self._stdin)
            if self._echoed is None:
                self._echoed = state[3] & termios.ECHO
            if not on:
                state[3] &= ~termios.ECHO
                termios.tcsetattr(self._stdin, termios.TCSAFLUSH, state)
            elif state[3] & (termios.ICANON | termios.ECHO) == termios.ICANON:  # not a shell's line editor
                state[3] |= self._echoed
                # At once: a terminal paused by Ctrl-S would hold up the stop.
                termios.tcsetattr(self._stdin, termios.TCSANOW, state)
        except termios.error as error:
            raise OSError(*error.args) from None

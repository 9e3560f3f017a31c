"""Ask the terminal which pictures it can show, where its variables do not say."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TextIO

from mjcli.cli.output.pictures.support import Answer
from mjcli.cli.output.terminal import in_foreground
from mjcli.cli.signals import hold, let_go

SECONDS = 0.5  # for an answer; a terminal on this machine takes a few milliseconds
_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
# A picture of one pixel that is only checked, the number of Sixel's colours, and the attributes of the terminal:
# every terminal answers the last, so that nothing is waited for after it.
_QUESTION = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[?1;1;0S\x1b[c"
_END = re.compile(rb"\x1b\[\?([0-9;]*)c")
_KITTY_OK = re.compile(rb"\x1b_Gi=31;OK")
_COLOURS = re.compile(rb"\x1b\[\?1;0;([0-9]{1,6})S")
_SIXEL = b"4"  # among the attributes
_SLICE = 0.05  # seconds


def ask(
    stdin: TextIO,
    stream: TextIO,
    environ: Mapping[str, str],
    alone: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> Answer | None:
    """What the terminal behind `stream` answers; None if it does not, or must not be asked.

    It is asked only on this machine, by a program in the foreground, and while nothing typed waits to be read:
    an answer that is late, or mixed with what is typed, would reach the shell. Within `alone`, nothing else is
    written to the terminal.
    """
    if sys.platform == "win32" or any(map(environ.get, _REMOTE)):
        return None
    try:
        if not (
            stdin.isatty() and stream.isatty() and os.ttyname(stdin.fileno()) == os.ttyname(stream.fileno())
        ):
            return None
        with _Quiet(stdin.fileno(), stream) as quiet:
            return _answer(quiet, stdin.fileno(), stream, alone) if quiet.ready else None
    except (OSError, ValueError):
        return None


def _answer(
    quiet: _Quiet, source: int, stream: TextIO, alone: Callable[[], AbstractContextManager[None]]
) -> Answer | None:
    with alone():
        os.write(stream.fileno(), _QUESTION)
    received, end = b"", time.monotonic() + SECONDS
    while quiet.ready and time.monotonic() < end:
        if select.select([source], [], [], _SLICE)[0]:
            received += os.read(source, 4096)
        if found := _END.search(received):
            colours = _COLOURS.search(received)
            return Answer(
                kitty=bool(_KITTY_OK.search(received)),
                sixel=_SIXEL in found[1].split(b";"),
                colours=int(colours[1]) if colours else 0,
            )
    return None


class _Quiet:
    """The terminal without echo and line by line reading, as long as the program may use it.

    `ready` ends when a signal takes the terminal away; the terminal is then as it was before.
    """

    def __init__(self, source: int, stream: TextIO) -> None:
        self._source, self._stream = source, stream
        self._before: list[object] | None = None
        self.ready = False

    def __enter__(self) -> _Quiet:
        import termios

        if not in_foreground(self._stream) or _pending(self._source):
            return self
        before = termios.tcgetattr(self._source)
        quiet = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:]]
        hold(self)
        self._before, self.ready = before, True
        termios.tcsetattr(self._source, termios.TCSANOW, quiet)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        let_go(self)

    def release(self) -> None:
        """Leave the terminal as it was."""
        import termios

        self.ready = False
        before, self._before = self._before, None
        if before is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._source, termios.TCSANOW, before)  # type: ignore[arg-type]

    def retake(self) -> None:
        """Not after a stop: the answer may have come meanwhile."""


def _pending(source: int) -> bool:
    """Whether something typed waits to be read."""
    import fcntl
    import struct
    import termios

    waiting = fcntl.ioctl(source, termios.FIONREAD, b"\0" * 4)
    return bool(struct.unpack("i", waiting)[0]) or bool(select.select([source], [], [], 0)[0])

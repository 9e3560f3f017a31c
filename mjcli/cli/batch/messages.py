"""Notices and warnings about many lines: each text once, with the number of lines that it concerns."""

from __future__ import annotations

from typing import NamedTuple

from mjcli.cli.output.sink import Output, Streams

SHOWN = 20  # different texts that are shown


class _Message(NamedTuple):
    """A text, and a position in a prompt for a warning."""

    text: str
    is_warning: bool


class LineMessages(Output):
    """An output that gathers notices and warnings; `line` is the line that they are about.

    After `show`, a text that was not among them is shown at once, and only once.
    """

    def __init__(self, output: Output) -> None:
        super().__init__(Streams(output.stdin, output.stdout, output.stderr), output.environ, output.mode)
        self._output = output
        self._lines: dict[_Message, list[int]] = {}
        self._gathers = True
        self.line = 0

    def notice(self, text: str) -> None:
        """Gather a notice."""
        self._add(_Message(text, False))

    def warning(
        self, text: str, *, prompt: str = "", start: int = 0, end: int = 0, following: str = ""
    ) -> None:
        """Gather a warning; its position is that of the line."""
        self._add(_Message(text, True))

    def show(self) -> None:
        """Show what was gathered."""
        for message, lines in list(self._lines.items())[:SHOWN]:
            self._print(message, lines)
        if (left := len(self._lines) - SHOWN) > 0:
            self._output.notice(f"… and {left} more notices and warnings.")
        self._gathers = False

    def _add(self, message: _Message) -> None:
        known = message in self._lines
        lines = self._lines.setdefault(message, [])
        if not lines or lines[-1] != self.line:
            lines.append(self.line)
        if not known and not self._gathers:
            self._print(message, [self.line])

    def _print(self, message: _Message, lines: list[int]) -> None:
        where = f"line {lines[0]}" if len(lines) == 1 else f"{len(lines)} lines, the first is {lines[0]}"
        text = f"{message.text} ({where})"
        if message.is_warning:
            self._output.warning(text)
        else:
            self._output.notice(text)

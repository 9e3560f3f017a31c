"""An `Output` whose streams are in memory."""

from __future__ import annotations

import io
from collections.abc import Mapping

from mjcli.cli.output.sink import Mode, Output, Streams


class Memory(io.TextIOWrapper):
    """A text stream in memory, which may say that it is a terminal."""

    def __init__(self, *, encoding: str = "utf-8", terminal: bool = False) -> None:
        self.bytes = io.BytesIO()
        self._terminal = terminal
        super().__init__(self.bytes, encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        """All that was written."""
        return self.bytes.getvalue().decode(self.encoding)


class MemoryOutput(Output):
    """Its streams are `out` and `err`; with `terminal`, standard output is one without escapes."""

    def __init__(
        self,
        mode: Mode | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        terminal: bool = False,
        encoding: str = "utf-8",
    ) -> None:
        self.out = Memory(encoding=encoding, terminal=terminal)
        self.err = Memory(encoding=encoding)
        environ = {"TERM": "dumb", "COLUMNS": "80", **(environ or {})}
        super().__init__(Streams(Memory(), self.out, self.err), environ, mode or Mode())

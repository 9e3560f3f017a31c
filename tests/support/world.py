"""One run of the program inside the test's own process: its context, and what it printed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import IO

from mjcli.cli.context import Context, Flags
from mjcli.cli.output.sink import Streams


class Terminal(io.TextIOWrapper):
    """Standard input that says it is a terminal."""

    def isatty(self) -> bool:
        """As a terminal answers."""
        return True


def typed(data: str | bytes = b"", *, terminal: bool = False) -> IO[str]:
    """Standard input with this content."""
    raw = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return (Terminal if terminal else io.TextIOWrapper)(raw, "utf-8")


class World:
    """A context with streams in memory. `flags` are attributes of `Flags`, such as `json=True`."""

    def __init__(self, environ: Mapping[str, str], stdin: IO[str] | None = None, **flags: object) -> None:
        self._out, self._err = io.BytesIO(), io.BytesIO()
        outputs = [io.TextIOWrapper(each, "utf-8") for each in (self._out, self._err)]
        self.context = Context(environ, Streams(stdin or typed(), *outputs))  # type: ignore[arg-type]
        for name, value in flags.items():
            assert hasattr(Flags(), name)
            setattr(self.context.flags, name, value)

    @property
    def out(self) -> str:
        """What was printed on standard output."""
        self.context.streams.stdout.flush()
        return self._out.getvalue().decode()

    @property
    def err(self) -> str:
        """What was printed on standard error."""
        self.context.streams.stderr.flush()
        return self._err.getvalue().decode()

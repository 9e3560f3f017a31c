"""What the value of an option or argument can be, for help, completion and error messages."""

from __future__ import annotations

from typing import NamedTuple


class ValueType(NamedTuple):
    """The values that an option or argument accepts."""

    kind: str
    """`text`, `file`, `dir` or `path` (a file or a directory)."""
    number: str
    """`whole number`, `number`, or empty for other values."""
    choices: list[str]
    """All accepted values; empty if there is no such list."""
    low: float | None
    high: float | None

    @property
    def bounds(self) -> str:
        """`1 to 4`, `at least 1`, `at most 4`, or empty."""
        if self.low is not None and self.high is not None:
            return f"{self.low:.12g} to {self.high:.12g}"
        if self.low is not None:
            return f"at least {self.low:.12g}"
        return f"at most {self.high:.12g}" if self.high is not None else ""

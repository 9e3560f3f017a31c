"""The options of a sandbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SandboxOptions:
    """How a sandbox behaves. Rates are shares between 0 and 1."""

    seconds: float = 3.0
    """Duration of a job."""
    failure_rate: float = 0.0
    """Share of accepted jobs that fail."""
    error_rate: float = 0.0
    """Share of POST requests that get a 500 `api_error` and have no effect."""
    rate_limit: int | None = None
    """Jobs accepted per minute; more get a 429 with `Retry-After`."""
    cut_rate: float = 0.0
    """Share of streams that are cut off midway; their jobs continue."""
    token: str | None = None
    """The only token to accept; None accepts any token, or none."""
    seed: int | None = None
    """Makes faults and images repeatable."""

"""Help, man pages and completion scripts, rendered from one description of the commands."""

from __future__ import annotations

# The heading of the options that every command takes; it comes last.
GLOBAL_PANEL = "Global options"
# The heading of the options that stand for parameters of the prompt.
PARAMETERS_PANEL = "Midjourney parameters"

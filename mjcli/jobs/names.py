"""What names a job, and the states and kinds of jobs. Imports nothing, because completion needs it at every Tab."""

from __future__ import annotations

UNFINISHED = ("submitting", "running", "unknown")
VIDEO_KINDS = ("video", "extend-video")
TEXT_KINDS = ("describe", "shorten", "translate", "seed")


def is_plain(text: str) -> bool:
    """Whether an id or name from outside is safe in any command line: letters, digits, `-` and `_` of ASCII."""
    return text.isascii() and text[:1] != "-" and text.replace("-", "").replace("_", "a").isalnum()

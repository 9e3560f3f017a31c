"""Links to images: paths with a signature and an expiry time, as the real service has them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from .store import STEPS, Job

LIFETIME = 24 * 3600
"""Seconds until a signed link expires."""


def signature(path: str, expires: str, issued: str) -> str:
    """The `hm` of a signed link. It protects nothing; it exposes clients that change a link."""
    return hashlib.sha256(f"{path} {expires} {issued} sandbox".encode()).hexdigest()


def signed(path: str, now: float) -> str:
    """`path` with the query of a real link: expiry time, issue time, signature, and a trailing `&`."""
    expires, issued = f"{int(now) + LIFETIME:x}", f"{int(now):x}"
    return f"{path}?ex={expires}&is={issued}&hm={signature(path, expires, issued)}&"


def slug(text: str) -> str:
    """At most 40 ASCII letters and digits of `text`, joined by underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:40].strip("_") or "picture"


def image_id(job: Job, step: int | None) -> str:
    """The id of the image at `step` (an index of `STEPS`), or of the finished one."""
    return str(job.image_id if step is None else job.image_id - len(STEPS) + step)


def image_path(job: Job, step: int | None = None) -> str:
    """The path of the image at `step` (an index of `STEPS`), or of the finished one."""
    channel = 1200000000000000000 + int(job.job_id[:8], 16)
    name = f"{job.job_id}_grid_{step}.png"
    if step is None:
        name = f"sandbox_{slug(job.image.get('label', ''))}_{job.job_id}.png"
    return f"/attachments/{channel}/{image_id(job, step)}/{name}"

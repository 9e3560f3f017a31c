"""When signed links expire, according to the links themselves."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit


def expiry_of(url: str) -> int | None:
    """When a signed link expires, in Unix seconds; None for one that does not say so.

    Its query carries the expiry as `ex`, in hexadecimal.
    """
    try:
        value = dict(parse_qsl(urlsplit(url).query)).get("ex", "")
    except ValueError:
        return None
    return int(value, 16) if re.fullmatch("[0-9a-fA-F]+", value) else None


def has_expired(url: str, now: float) -> bool:
    """Whether a signed link has expired by `now` (Unix seconds)."""
    expiry = expiry_of(url)
    return expiry is not None and expiry <= now

"""When signed links expire, according to the links themselves."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

_SIGNATURE = ("ex", "is", "hm")  # parameters of a signed link


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


def without_signature(url: str) -> str:
    """A link without the parameters that sign it, which change whenever it is refreshed."""
    before, mark, query = url.partition("?")
    rest = [each for each in query.split("&") if each.partition("=")[0] not in _SIGNATURE]
    return before + mark + "&".join(rest) if any(rest) else before

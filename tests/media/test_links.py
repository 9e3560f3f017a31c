"""Signed links: when they expire."""

from __future__ import annotations

import pytest

from mjcli.media.links import has_expired

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("query", "is_expired"),
    [
        ("?ex=662fdb36&is=662e89b6&hm=ca9&", True),
        ("?ex=662FDB36", True),
        ("?width=1&ex=0", True),
        (f"?ex={NOW:x}", True),
        (f"?ex={NOW + 1:x}", False),
        ("?ex=" + "f" * 5000, False),
        ("", False),
        ("?", False),
        ("?ex=", False),
        ("?ex", False),
        ("?ex=tomorrow", False),
        ("?ex=0x1", False),
        ("?ex=-1", False),
        ("?ex=1_0", False),
        ("?ex=%201", False),
        ("?ex=\u0661", False),
        ("?EX=1", False),
        ("?next=1", False),
        ("#?ex=1", False),
    ],
)
def test_a_signed_link_shows_whether_it_has_expired(query: str, is_expired: bool) -> None:
    assert has_expired(f"https://cdn.example/a//b%20c.png{query}", NOW) is is_expired


@pytest.mark.parametrize("url", ["", "http://[x?ex=1", "\0", "http://x:99999/?ex=z", "data:,?"])
def test_a_malformed_link_has_not_expired(url: str) -> None:
    assert not has_expired(url, NOW)

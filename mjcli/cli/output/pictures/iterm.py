"""The inline images of iTerm2 (https://iterm2.com/documentation-images.html)."""

from __future__ import annotations

from base64 import b64encode


def show(file: bytes, columns: int, rows: int) -> str:
    """Show an image file at the cursor, in so many cells."""
    keys = f"inline=1;size={len(file)};width={columns};height={rows};preserveAspectRatio=0;doNotMoveCursor=1"
    return f"\x1b]1337;File={keys}:{b64encode(file).decode()}\a"

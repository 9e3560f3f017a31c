"""Mask tokens in text from outside: a server may repeat them in an error, a link or a record."""

from __future__ import annotations

MASK = "********"
SHORTEST = 8  # characters; shorter ones are not real tokens and occur in ordinary words


class Secret:
    """The tokens in use, which must not be shown or stored; also in their URL-encoded form."""

    def __init__(self, *tokens: str | None) -> None:
        self._forms: list[str] = []
        # The longest first: one token may contain another.
        known = sorted({each for each in tokens if each and len(each) >= SHORTEST}, key=len, reverse=True)
        if known:
            from urllib.parse import quote

            self._forms = list(dict.fromkeys(form for each in known for form in (each, quote(each, safe=""))))

    def hide(self, text: str) -> str:
        """`text` with the tokens masked."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def hide_bytes(self, data: bytes) -> bytes:
        """The same for UTF-8 or ASCII bytes."""
        for form in self._forms:
            data = data.replace(form.encode(), MASK.encode())
        return data

"""The token taken out of text that others wrote: a peer may repeat it in an error, a link, a record."""

from __future__ import annotations

MASK = "********"
SHORTEST = 8  # characters; shorter ones are no real tokens and would be found in ordinary words


class Secret:
    """What must not be shown or kept: a token, also as it stands in a URL."""

    def __init__(self, token: str | None = None) -> None:
        self._forms: list[str] = []
        if token and len(token) >= SHORTEST:
            from urllib.parse import quote

            self._forms = list(dict.fromkeys((token, quote(token, safe=""))))

    def hide(self, text: str) -> str:
        """`text` with the token masked."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def hide_bytes(self, data: bytes) -> bytes:
        """The same for UTF-8 or ASCII bytes."""
        for form in self._forms:
            data = data.replace(form.encode(), MASK.encode())
        return data

"""Mask tokens in text from outside: a server may repeat them in an error, a link or a record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mjcli.cli.output.text import json_line

if TYPE_CHECKING:
    import re

MASK = "********"
SHORTEST = 8  # characters; shorter ones are not real tokens and occur in ordinary words
#: The variables that hold tokens of the service.
VARIABLES = ("MJ_TOKEN", "ACEDATACLOUD_API_TOKEN", "MJ_FILES_TOKEN", "MJ_PLATFORM_TOKEN")

# What encoded text contains: JSON and other escapes, percent-encoding, HTML entities.
_SIGNS = ("\\", "%", "&#", "&amp;", "&lt;", "&gt;", "&quot;")
_ESCAPE = (
    r"\\+(?:u\{?0*|x)([0-9a-fA-F]{2})\}?|%(?:25)*([0-9a-fA-F]{2})|&#[xX]0*([0-9a-fA-F]{2});"
    r"|&#0*([0-9]{2,3});|&(amp|lt|gt|quot);|\\+(.)"
)
_DEPTH = 4  # encodings inside each other
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}


class Secret:
    """The tokens in use, which must not be shown or stored, as they are or encoded."""

    def __init__(self, *tokens: str | None) -> None:
        # The longest first: one token may contain another.
        known = {each.strip() for each in tokens if each}
        self.tokens = sorted((each for each in known if len(each) >= SHORTEST), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """`text` with the tokens masked; a JSON object or list stays valid JSON."""
        masked = self._hide(text)
        if masked == text or text[:1] not in ("{", "["):
            return masked
        try:
            return json_line(self._hide_in(json.loads(text)))
        except (ValueError, RecursionError):
            return masked

    def hide_bytes(self, data: bytes) -> bytes:
        """The same for text in UTF-8 or ASCII; other bytes are unchanged."""
        if not self._may_be_in(data):
            return data
        text = data.decode("utf-8", "surrogateescape")
        ending = "\n" if text.endswith("\n") else ""
        masked = self.hide(text.removesuffix("\n")) + ending
        return data if masked == text else masked.encode("utf-8", "surrogateescape")

    def hide_in(self, value: Any) -> Any:
        """A JSON value with the tokens masked in its texts, names and numbers; the value itself without any."""
        text = json_line(value)
        if self._hide(text) == text:
            return value
        try:
            return self._hide_in(value)
        except RecursionError:  # the JSON has many levels, which its parser accepts
            return MASK

    def _hide_in(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide(str(name)): self._hide_in(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._hide_in(each) for each in value]
        if value is None or isinstance(value, bool):
            return value
        return value if self._hide(str(value)) == str(value) else MASK

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of a child process: without the variables that hold a token."""
        return {
            name: value
            for name, value in environ.items()
            if name.upper() not in VARIABLES and self._hide(value) == value
        }

    def _hide(self, text: str) -> str:
        for token in self.tokens:
            text = text.replace(token, MASK)
        if self.tokens and any(each in text for each in _SIGNS):
            # The exact pattern takes long to compile, and is rarely needed.
            decoded = _decoded(text)
            if any(each in decoded for each in self._decoded_tokens):
                text = self._encoded.sub(MASK, text)
        return text

    def _may_be_in(self, data: bytes) -> bool:
        """Whether text can contain a token: quick, since a stream has many events and nearly all contain none."""
        if not self.tokens:
            return False
        if b"%" in data or b";" in data:  # encoded, or with HTML entities
            return True
        if b"\\" in data:  # the service escapes these two in every link
            data = data.replace(b"\\u0026", b"&").replace(b"\\/", b"/")
        return b"\\" in data or any(each in data for each in self._encoded_tokens)

    @cached_property
    def _encoded_tokens(self) -> list[bytes]:
        return [each.encode() for each in self.tokens]

    @cached_property
    def _decoded_tokens(self) -> list[str]:
        return [_decoded(token.rstrip("\\")) for token in self.tokens]

    @cached_property
    def _encoded(self) -> re.Pattern[str]:
        """Matches the tokens with any of their characters encoded, once or several times."""
        import re

        return re.compile("|".join("".join(map(_spellings, token)) for token in self.tokens))


def _decoded(text: str) -> str:
    """`text` with its escapes replaced by what they stand for, until there are none: a form to compare."""
    import re

    def plain(found: re.Match[str]) -> str:
        *codes, decimal, entity, other = found.groups()
        if entity or other:
            return _ENTITIES[entity] if entity else str(other)
        return chr(int(decimal)) if decimal else chr(int(next(filter(None, codes)), 16))

    for _ in range(_DEPTH):
        before, text = text, re.sub(_ESCAPE, plain, text)
        if text == before:
            break
    return text


def _spellings(character: str) -> str:
    """A pattern for the ways to write a character of a token."""
    import html
    import re

    code = ord(character)
    digits = "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in f"{code:02x}")
    named = html.escape(character)
    entity = f"|{re.escape(named)}" if named != character else ""
    return (
        rf"(?:{re.escape(character)}|%(?:25)*{digits}|\\+(?:u00|u\{{0*|x){digits}\}}?"
        rf"|\\+{re.escape(character)}|&#(?:0*{code}|[xX]0*{digits});{entity})"
    )

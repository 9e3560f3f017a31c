"""Guess whether a prompt is in a language that the service understands less well than English."""

from __future__ import annotations

import re
from unicodedata import name

from mjcli.prompt.parse import is_link, parse

# Text in quotes is to be seen in the image.
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|「[^」]*」|『[^』]*』|‘[^’]*’")
_CJK = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")
_LETTERS_IN_A_SIGN = 3  # of Latin script, for one of Chinese, Japanese or Korean


def may_need_translation(prompt: str) -> bool:
    """Whether most of the words are in another script than Latin; names, accents and quoted text do not count."""
    words = " ".join(
        token.text for part in parse(prompt).of("words") for token in part.tokens if not is_link(token.text)
    )
    if words.isascii():
        return False
    latin = other = 0
    for letter in filter(str.isalpha, _QUOTED.sub(" ", words)):
        script = name(letter, "")
        if letter.isascii() or "LATIN" in script:
            latin += 1
        else:
            other += _LETTERS_IN_A_SIGN if script.startswith(_CJK) else 1
    return other > latin

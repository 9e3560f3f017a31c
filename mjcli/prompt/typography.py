"""Fix what software and input methods turn parameters into: dashes, quotes, spaces, full-width characters.

Words are left alone: changes begin at the first parameter, and links never change.
"""

from __future__ import annotations

import re

from mjcli.prompt.parameters import DASHES, known
from mjcli.prompt.parse import is_link, is_name

_DASHES_AND_NAME = re.compile(f"([-{DASHES}]+)(.+)", re.DOTALL)
_QUOTES = {**dict.fromkeys(map(ord, "“”„‟«»"), '"'), **dict.fromkeys(map(ord, "‘’‚‛"), "'")}
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PLAIN_SPACES = " \t\n\r\v\f"
_TOKEN = re.compile(r"(\s*)(\S+)")


def repair(text: str) -> tuple[str, list[str]]:
    """The prompt with its parameters as they must be typed, and a notice for each kind of change."""
    tokens = list(_TOKEN.finditer(text))
    first = next((n for n, each in enumerate(tokens) if _starts_parameter(each[2])), None)
    if first is None:
        return text, []
    notices: dict[str, None] = {}
    pieces = [text[: tokens[first].start()]]
    pieces += [_fix_space(each[1], notices) + _fix_word(each[2], notices) for each in tokens[first:]]
    pieces.append(_fix_space(text[tokens[-1].end() :], notices))
    return "".join(pieces), list(notices)


def _starts_parameter(word: str) -> bool:
    return is_name(word) or _as_name(word) is not None


def _as_name(word: str) -> str | None:
    """The name of a parameter as it must be typed, for a word that has it after any other dashes; else None."""
    found = _DASHES_AND_NAME.fullmatch(word)
    if found is None or found[1].isascii():
        return None
    name = found[2].translate(_FULL_WIDTH).translate(_QUOTES)
    # Two full-width hyphens always start a parameter, even an unknown one.
    return f"--{name}" if known(name) or found[1] == "\uff0d\uff0d" else None


def _fix_word(word: str, notices: dict[str, None]) -> str:
    if is_link(word):
        return word
    name = _as_name(word)
    if name is not None:
        notices[f"Fixed: {word} → {name}"] = None
        return name
    narrow = word.translate(_FULL_WIDTH)
    if narrow != word:
        notices["Fixed: full-width characters → ASCII characters"] = None
    straight = narrow.translate(_QUOTES)
    if straight != narrow:
        notices["Fixed: curly quotes → straight quotes"] = None
    return straight


def _fix_space(space: str, notices: dict[str, None]) -> str:
    if all(each in _PLAIN_SPACES for each in space):
        return space
    notices["Fixed: special spaces → plain spaces"] = None
    return "".join(each if each in _PLAIN_SPACES else " " for each in space)

"""Puts right what software and input methods make of parameters: dashes, quotes, spaces, full-width forms.

Words stay as they are: only from the first parameter on is anything changed, and never inside a link.
"""

from __future__ import annotations

import re

from mjcli.prompt.parameters import DASHES, known
from mjcli.prompt.parse import is_link, is_name

_NAMED = re.compile(f"([-{DASHES}]+)(.+)", re.DOTALL)
_QUOTES = {**dict.fromkeys(map(ord, "“”„‟«»"), '"'), **dict.fromkeys(map(ord, "‘’‚‛"), "'")}
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_PLAIN_SPACES = " \t\n\r\v\f"
_TOKEN = re.compile(r"(\s*)(\S+)")


def repair(text: str) -> tuple[str, list[str]]:
    """The prompt with its parameters as they must be typed, and a sentence for each thing that was put right."""
    tokens = list(_TOKEN.finditer(text))
    first = next((n for n, each in enumerate(tokens) if _begins_parameter(each[2])), None)
    if first is None:
        return text, []
    said: dict[str, None] = {}
    done = [text[: tokens[first].start()]]
    done += [_spaces(each[1], said) + _token(each[2], said) for each in tokens[first:]]
    done.append(_spaces(text[tokens[-1].end() :], said))
    return "".join(done), list(said)


def _begins_parameter(word: str) -> bool:
    return is_name(word) or _named(word) is not None


def _named(word: str) -> str | None:
    """A word that is a known name behind whatever dashes, as it must be typed; None when it is none."""
    found = _NAMED.fullmatch(word)
    if found is None or found[1].isascii():
        return None
    name = found[2].translate(_WIDE).translate(_QUOTES)
    # Two full-width hyphens can only have been meant so, whatever stands behind them.
    return f"--{name}" if known(name) or found[1] == "\uff0d\uff0d" else None


def _token(word: str, said: dict[str, None]) -> str:
    if is_link(word):
        return word
    named = _named(word)
    if named is not None:
        said[f"{word} was put right: {named}."] = None
        return named
    plain = word.translate(_WIDE)
    if plain != word:
        said["Full-width characters among the parameters were put right."] = None
    straight = plain.translate(_QUOTES)
    if straight != plain:
        said["Curly quotes among the parameters were made straight."] = None
    return straight


def _spaces(space: str, said: dict[str, None]) -> str:
    if all(each in _PLAIN_SPACES for each in space):
        return space
    said["Odd spaces among the parameters were made plain ones."] = None
    return "".join(each if each in _PLAIN_SPACES else " " for each in space)

"""Expand braces: `{red, green} bird` stands for one prompt per option."""

from __future__ import annotations

import re
from itertools import product

_ESCAPED = re.compile(r"\\([{},\\])")


class BracesError(ValueError):
    """Unbalanced braces; `place` is the position of the offending one."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


def has_braces(text: str) -> bool:
    """Whether the text contains a brace that is not escaped."""
    return any(each in "{}" for each in _blank_escapes(text))


def count(text: str) -> int:
    """The number of prompts, without expanding them. Raises `BracesError`."""
    total = 1
    for piece in _pieces(text):
        if isinstance(piece, tuple):
            total *= sum(count(each) for each in piece)
    return total


def permutations(text: str) -> list[str]:
    """Every prompt that the braces stand for; the last group changes fastest. Raises `BracesError`."""
    return [_unescape(each) for each in _expand(text)]


def _expand(text: str) -> list[str]:
    choices = [
        [each for option in piece for each in _expand(option)] if isinstance(piece, tuple) else [piece]
        for piece in _pieces(text)
    ]
    return ["".join(each) for each in product(*choices)]


def _pieces(text: str) -> list[str | tuple[str, ...]]:
    """The text outside the outermost braces as strings, the stripped options of each pair as tuples."""
    pieces: list[str | tuple[str, ...]] = []
    options: list[str] = []
    depth, begin, opening = 0, 0, 0
    for place, character in enumerate(_blank_escapes(text)):
        if character == "{":
            if depth == 0:
                pieces.append(text[begin:place])
                options, begin, opening = [], place + 1, place
            depth += 1
        elif character == "}":
            if depth == 0:
                raise BracesError('Unmatched "}": type "\\}" for a literal brace.', place)
            depth -= 1
            if depth == 0:
                pieces.append((*options, text[begin:place].strip()))
                begin = place + 1
        elif character == "," and depth == 1:
            options.append(text[begin:place].strip())
            begin = place + 1
    if depth:
        raise BracesError('Unclosed "{": type "\\{" for a literal brace.', opening)
    return [*pieces, text[begin:]]


def _blank_escapes(text: str) -> str:
    """The text with two spaces for each escaped character and its backslash, so that positions stay the same."""
    return _ESCAPED.sub("  ", text)


def _unescape(text: str) -> str:
    """The text without the backslashes before braces, commas and backslashes."""
    return _ESCAPED.sub(r"\1", text)

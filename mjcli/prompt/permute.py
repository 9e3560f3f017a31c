"""`{red, green} bird`: one prompt for each way of choosing from the braces."""

from __future__ import annotations

import re
from itertools import product

_ESCAPED = re.compile(r"\\([{},\\])")


class BracesError(ValueError):
    """Braces that do not match; `place` is the offending one."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


def has_braces(text: str) -> bool:
    """Whether there is a brace that is not escaped."""
    return any(each in "{}" for each in _unescaped(text))


def plain(text: str) -> str:
    """The text with the backslashes taken away that kept braces and commas from being read."""
    return _ESCAPED.sub(r"\1", text)


def count(text: str) -> int:
    """How many prompts there would be, without making them. Raises `BracesError`."""
    total = 1
    for piece in _pieces(text):
        if isinstance(piece, tuple):
            total *= sum(count(each) for each in piece)
    return total


def permutations(text: str) -> list[str]:
    """Every prompt that the braces stand for; the last choice changes fastest. Raises `BracesError`."""
    return [plain(each) for each in _expanded(text)]


def _expanded(text: str) -> list[str]:
    choices = [
        [each for option in piece for each in _expanded(option)] if isinstance(piece, tuple) else [piece]
        for piece in _pieces(text)
    ]
    return ["".join(each) for each in product(*choices)]


def _pieces(text: str) -> list[str | tuple[str, ...]]:
    """The text between the outermost braces, and the options inside each pair, spaces around them left out."""
    pieces: list[str | tuple[str, ...]] = []
    options: list[str] = []
    depth, begin, opened = 0, 0, 0
    for place, character in enumerate(_unescaped(text)):
        if character == "{":
            if depth == 0:
                pieces.append(text[begin:place])
                options, begin, opened = [], place + 1, place
            depth += 1
        elif character == "}":
            if depth == 0:
                raise BracesError("This brace closes nothing; \\} is a brace that is meant as one.", place)
            depth -= 1
            if depth == 0:
                pieces.append((*options, text[begin:place].strip()))
                begin = place + 1
        elif character == "," and depth == 1:
            options.append(text[begin:place].strip())
            begin = place + 1
    if depth:
        raise BracesError("This brace is not closed; \\{ is a brace that is meant as one.", opened)
    return [*pieces, text[begin:]]


def _unescaped(text: str) -> str:
    """The text with a space for each escaped character and its backslash, so that places stay the same."""
    return _ESCAPED.sub("  ", text)

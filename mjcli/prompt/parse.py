"""A prompt taken apart, to the last space: images, words, parameters, and words where none can stand.

Any text is a prompt to the parser, and what it finds put together again is that text; whether it is a good
one is `check`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mjcli.prompt.parameters import Parameter, fits, known

_TOKEN = re.compile(r"(\s*)(\S+)")


class Token(NamedTuple):
    """A piece of a prompt without spaces, the space before it, and where it begins."""

    before: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends (exclusive)."""
        return self.start + len(self.text)

    def __str__(self) -> str:
        return self.before + self.text


class Part(NamedTuple):
    """Tokens that belong together: an image, the words, or a parameter (its name first, then its values)."""

    kind: str  # "image", "words", "parameter", or "stray": words behind the parameters
    tokens: tuple[Token, ...]
    parameter: Parameter | None = None  # None where the name is unknown

    @property
    def start(self) -> int:
        """Where it begins, the space before it left out."""
        return self.tokens[0].start

    @property
    def end(self) -> int:
        """Where it ends (exclusive)."""
        return self.tokens[-1].end

    @property
    def name(self) -> Token:
        """The name of a parameter, with its dashes."""
        return self.tokens[0]

    @property
    def values(self) -> tuple[Token, ...]:
        """The values of a parameter."""
        return self.tokens[1:]

    @property
    def text(self) -> str:
        """As it was written, without the space before it."""
        return str(self)[len(self.tokens[0].before) :]

    def __str__(self) -> str:
        return "".join(map(str, self.tokens))


class Prompt(NamedTuple):
    """The parts of a prompt in order, and the space behind the last."""

    parts: tuple[Part, ...]
    tail: str

    def of(self, kind: str) -> list[Part]:
        """The parts of one kind."""
        return [part for part in self.parts if part.kind == kind]

    def __str__(self) -> str:
        return "".join(map(str, self.parts)) + self.tail


def is_link(text: str) -> bool:
    """Whether a word is the link of an image."""
    return text.lower().startswith(("http://", "https://")) and len(text.partition("://")[2]) > 0


def is_name(text: str) -> bool:
    """Whether a word has the form of a parameter's name: two dashes and more than signs, or just two dashes."""
    return text.startswith("--") and (text == "--" or any(map(str.isalnum, text)))


def slip(text: str) -> Parameter | bool | None:
    """What a word with one dash was meant to be: a parameter, True for a letter that is none, else None."""
    if not text.startswith("-"):
        return None
    found = re.fullmatch(r"(?s)-([A-Za-z]\w*)([:=].*)?", text)
    if found is None:
        return None
    return known(found[1]) or (len(found[1]) == 1 or None)


def parse(text: str) -> Prompt:
    """Take a prompt apart; never raises, and `str` of the result is `text`."""
    tokens = [Token(found[1], found[2], found.start(2)) for found in _TOKEN.finditer(text)]
    end = tokens[-1].end if tokens else 0
    return Prompt(tuple(_parts(tokens)), text[end:])


def _parts(tokens: list[Token]) -> Iterator[Part]:
    place = 0
    while place < len(tokens) and is_link(tokens[place].text):
        yield Part("image", (tokens[place],))
        place += 1
    kind = "words"
    while place < len(tokens):
        begin = place
        if is_name(tokens[place].text):
            parameter = known(tokens[place].text[2:])
            place += 1 + _count(parameter, tokens, place + 1)
            yield Part("parameter", tuple(tokens[begin:place]), parameter)
            kind = "stray"
            continue
        while place < len(tokens) and not is_name(tokens[place].text):
            place += 1
        yield Part(kind, tuple(tokens[begin:place]))


def _count(parameter: Parameter | None, tokens: list[Token], place: int) -> int:
    """How many of the tokens from `place` on are values of the parameter."""
    end = place
    while end < len(tokens) and not is_name(tokens[end].text) and slip(tokens[end].text) is None:
        end += 1
    room = end - place
    if parameter is None or parameter.name == "no":
        return room
    if parameter.flag or room == 0:
        return 0
    if parameter.many:
        fitting = 0
        while fitting < room and fits(parameter, tokens[place + fitting].text):
            fitting += 1
        # What follows and does not fit is a wrong value rather than words, unless none is needed.
        return fitting or (0 if parameter.alone else 1)
    if parameter.alone and not tokens[place].text[:1].isdigit():
        return 0
    return 1

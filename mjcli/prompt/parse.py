"""Split a prompt into images, words and parameters, without losing a character.

The parser accepts any text, and `str` of its result is that text; `check` finds the mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mjcli.prompt.parameters import Parameter, fits, known

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
# A name and its value without a space between them.
GLUED = re.compile(r"(?is)--([a-z]+?)[=:]?([0-9.][0-9.:]*|(?<=[=:]).*)")
_TOKEN = re.compile(r"(\s*)(\S+)")


class Token(NamedTuple):
    """Characters without white space, the white space before them, and their position in the prompt."""

    before: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Position of its end (exclusive)."""
        return self.start + len(self.text)

    def __str__(self) -> str:
        return self.before + self.text


class Part(NamedTuple):
    """Tokens that belong together: an image, words, or a parameter (its name and its values)."""

    kind: str
    """`image`, `words`, `parameter`, or `stray`: words after a parameter."""
    tokens: tuple[Token, ...]
    parameter: Parameter | None = None
    """None if the name is unknown."""

    @property
    def start(self) -> int:
        """Position of its first character, without the white space before it."""
        return self.tokens[0].start

    @property
    def end(self) -> int:
        """Position of its end (exclusive)."""
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
        """Its characters, without the white space before it."""
        return str(self)[len(self.tokens[0].before) :]

    def __str__(self) -> str:
        return "".join(map(str, self.tokens))


class Prompt(NamedTuple):
    """The parts of a prompt in order, and the white space after the last one."""

    parts: tuple[Part, ...]
    tail: str

    def of(self, kind: str) -> list[Part]:
        """The parts of one kind."""
        return [part for part in self.parts if part.kind == kind]

    def __str__(self) -> str:
        return "".join(map(str, self.parts)) + self.tail


def is_link(text: str) -> bool:
    """Whether a word is an http or https link."""
    return text.lower().startswith(("http://", "https://")) and len(text.partition("://")[2]) > 0


def is_name(text: str) -> bool:
    """Whether a word has the form of a parameter's name: `--` alone, or followed by a letter or digit."""
    return text.startswith("--") and (text == "--" or any(map(str.isalnum, text)))


def single_dash(text: str) -> Parameter | bool | None:
    """What the service reads a word with one dash as: a parameter, True if it is unknown, None if just a word."""
    if not text.startswith("-"):
        return None
    glued = GLUED.fullmatch(f"-{text}")
    parameter = known(glued[1]) if glued else None
    if (
        glued is not None
        and parameter is not None
        and parameter.name != "profile"
        and fits(parameter, glued[2])
    ):
        return parameter
    found = re.fullmatch(r"(?s)-([A-Za-z]\w*)([:=].*)?", text)
    if found is None:
        return None
    return known(found[1]) or (len(found[1]) == 1 or None)


def parse(text: str) -> Prompt:
    """Split a prompt into its parts; never raises, and `str` of the result is `text`."""
    tokens = [Token(found[1], found[2], found.start(2)) for found in _TOKEN.finditer(text)]
    end = tokens[-1].end if tokens else 0
    return Prompt(tuple(_parts(tokens)), text[end:])


def _parts(tokens: list[Token]) -> Iterator[Part]:
    at = 0
    while at < len(tokens) and is_link(tokens[at].text):
        yield Part("image", (tokens[at],))
        at += 1
    kind = "words"
    while at < len(tokens):
        first = at
        if is_name(tokens[at].text):
            parameter = known(tokens[at].text[2:])
            at += 1 + _count_values(parameter, tokens, at + 1)
            yield Part("parameter", tuple(tokens[first:at]), parameter)
            kind = "stray"
            continue
        while at < len(tokens) and not is_name(tokens[at].text):
            at += 1
        yield Part(kind, tuple(tokens[first:at]))


def names_image(text: str) -> bool:
    """Whether a word means an image that is not a link: a reference such as @last, or the name of an image file."""
    return text.startswith("@") or text.lower().endswith(IMAGE_SUFFIXES)


def _may_be_value(parameter: Parameter, text: str) -> bool:
    """Whether a word can be one of many values; images are given as files and references, too."""
    return fits(parameter, text) or (parameter.form in ("REF", "URL") and names_image(text))


def _count_values(parameter: Parameter | None, tokens: list[Token], first: int) -> int:
    """How many of the tokens from index `first` on are values of the parameter."""
    end = first
    while end < len(tokens) and not is_name(tokens[end].text) and single_dash(tokens[end].text) is None:
        end += 1
    available = end - first
    if parameter is None or parameter.name == "no":
        return available
    if parameter.flag or available == 0:
        return 0
    if parameter.many:
        fitting = 0
        while fitting < available and _may_be_value(parameter, tokens[first + fitting].text):
            fitting += 1
        # A token that does not fit is a wrong value rather than a word, unless no value is needed.
        return fitting or (0 if parameter.alone else 1)
    if parameter.alone and not tokens[first].text[:1].isdigit():
        return 0
    return 1

"""Join images, words and parameters into a prompt, in this order, with one space between and no duplicates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from mjcli.prompt.parameters import plain_number, quoted
from mjcli.prompt.parse import Part, parse

TYPED = "prompt"  # the origin of text that the user typed as the prompt


class Piece(NamedTuple):
    """A part of a composed prompt and its origin: `prompt`, `option --image`, `preset poster`, …"""

    text: str
    origin: str


class Suffix(NamedTuple):
    """Text that a preset or the defaults append to every prompt, and its origin."""

    origin: str
    text: str


class Composed(NamedTuple):
    """A prompt as pieces, and a notice for each part that was overridden."""

    pieces: tuple[Piece, ...]
    notices: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The prompt as it is sent."""
        return " ".join(piece.text for piece in self.pieces)

    @property
    def typed(self) -> str:
        """The pieces that the user typed as the prompt."""
        return " ".join(piece.text for piece in self.pieces if piece.origin == TYPED)

    def origin(self, place: int) -> str:
        """Origin of the character at this position of the prompt."""
        end = 0
        for piece in self.pieces:
            end += len(piece.text) + 1
            if place < end:
                return piece.origin
        return TYPED


def compose(
    images: Sequence[str],
    text: str,
    suffixes: Sequence[Suffix] = (),
    *,
    checked: bool = True,
    overridden: Collection[str] = (),
) -> Composed:
    """The prompt made of images, typed text, and suffixes in their order.

    A parameter in the text overrides the suffixes, and so does an option for a slot that is `overridden`; a later
    suffix overrides an earlier one. If a parameter is
    repeated in the text, the last one counts. Unless `checked`, the text stays as it is.
    """
    parts = parse(text.strip()).parts
    notices: list[str] = []
    if checked:
        parts, notices = _without_repeated(parts)
    if suffixes or checked:
        typed = [Piece(_normalise(part) if checked else part.text, TYPED) for part in parts]
    else:
        typed = [Piece(text.strip(), TYPED)] if text.strip() else []
    leading = _count_leading(parts)
    winners = {*overridden, *(part.parameter.slot for part in parts if part.parameter is not None)}
    words, parameters = _suffix_pieces(suffixes, winners)
    pieces = [
        *(Piece(link, "option --image") for link in images),
        *typed[:leading],
        *words,
        *typed[leading:],
        *parameters,
    ]
    return Composed(tuple(pieces), tuple(notices))


def body_fields(prompt: str) -> dict[str, object]:
    """The fields that a request has beside the prompt, as the prompt says: version, quality and HD."""
    fields: dict[str, object] = {}
    for part in parse(prompt).of("parameter"):
        parameter = part.parameter
        if parameter is not None and parameter.body and (parameter.flag or part.values):
            fields[parameter.body] = True if parameter.flag else plain_number(part.values[0].text)
    return fields


def mode_in(prompt: str) -> str | None:
    """The mode that the prompt sets: fast, relax or turbo; None if it sets none."""
    parameters = (part.parameter for part in parse(prompt).of("parameter"))
    modes = [each.name for each in parameters if each is not None and each.group == "mode"]
    return modes[-1] if modes else None


def _without_repeated(parts: Iterable[Part]) -> tuple[tuple[Part, ...], list[str]]:
    """The parts with each parameter once, and a notice for each repeated one.

    The last one counts; one that takes many values gets all of them.
    """
    last: dict[str, Part] = {}
    notices = []
    for part in parts:
        parameter = part.parameter
        before = last.get(parameter.name) if parameter is not None else None
        if parameter is not None and before is not None:
            part = _joined(before, part) if parameter.many else part
            notices.append(f"{part.name.text} is repeated; using {quoted(_normalise(part))}.")
        if parameter is not None:
            last[parameter.name] = part
    remaining: list[Part] = []
    for part in reversed(list(parts)):
        parameter = part.parameter
        if parameter is None:
            remaining.append(part)
        elif parameter.name in last:
            remaining.append(last.pop(parameter.name))
    return tuple(reversed(remaining)), notices


def _joined(first: Part, second: Part) -> Part:
    """A repeated parameter with the values of both."""
    values = list(first.values)
    if values and second.parameter is not None and second.parameter.name == "no":
        values[-1] = values[-1]._replace(text=values[-1].text.rstrip(",") + ",")
    return second._replace(tokens=(second.name, *values, *second.values))


def _suffix_pieces(suffixes: Sequence[Suffix], winners: set[str]) -> tuple[list[Piece], list[Piece]]:
    """The words and the parameters of the suffixes, without overridden ones; adds to `winners`."""
    words: list[Piece] = []
    parameters: list[Piece] = []
    for suffix in reversed(suffixes):
        parts = [
            part
            for part in parse(suffix.text.strip()).parts
            if part.parameter is None or part.parameter.slot not in winners
        ]
        pieces = [Piece(_normalise(part), suffix.origin) for part in parts]
        leading = _count_leading(parts)
        words[:0], parameters[:0] = pieces[:leading], pieces[leading:]
        winners |= {part.parameter.slot for part in parts if part.parameter is not None}
    return words, parameters


def _count_leading(parts: Iterable[Part]) -> int:
    """How many parts are images or words before the parameters."""
    return sum(1 for part in parts if part.kind in ("image", "words"))


def _normalise(part: Part) -> str:
    """A part with single spaces between a parameter and its values; words, and those of --no, as they are."""
    if part.kind != "parameter" or not part.values:
        return part.text
    if part.parameter is None or part.parameter.name == "no":
        values = "".join(map(str, part.values))[len(part.values[0].before) :]
        return f"{part.name.text} {values}"
    return " ".join(each.text for each in part.tokens)

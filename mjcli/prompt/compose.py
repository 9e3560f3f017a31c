"""Join images, words and parameters into a prompt, in this order, with one space between and no duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mjcli.errors import UsageError
from mjcli.prompt.parameters import BY_SPELLING, Parameter, check_value, quoted
from mjcli.prompt.parse import Part, parse

TYPED = "prompt"  # the origin of text that the user typed as the prompt


class Piece(NamedTuple):
    """A part of a composed prompt and its origin: `prompt`, `option --ar`, `preset poster`, …"""

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
    given: Mapping[str, Sequence[str]],
    suffixes: Sequence[Suffix] = (),
    *,
    checked: bool = True,
) -> Composed:
    """The prompt made of images, typed text, parameters given as options, and suffixes in their order.

    `given` maps the spelling of an option to its values (one empty value for a flag). An option overrides
    the same parameter in the text, which overrides the suffixes; a later suffix overrides an earlier one.
    Unless `checked`, the values and the spaces in the text stay as they are. Raises `UsageError` for a
    wrong value of an option.
    """
    options = [(BY_SPELLING[spelling], spelling, values) for spelling, values in given.items()]
    winners = {each.slot: f"--{spelling} on the command line" for each, spelling, _ in options}
    parts, notices = _drop_overridden(parse(text.strip()).parts, winners, TYPED)
    if notices or suffixes or checked:
        typed = [Piece(_normalise(part) if checked else part.text, TYPED) for part in parts]
    else:
        typed = [Piece(text.strip(), TYPED)] if text.strip() else []
    leading = _count_leading(parts)
    winners |= {part.parameter.slot: "" for part in parts if part.parameter is not None}
    words, parameters = _suffix_pieces(suffixes, winners)
    pieces = [
        *(Piece(link, "option --image") for link in images),
        *typed[:leading],
        *words,
        *typed[leading:],
        *parameters,
        *(
            Piece(_option_text(each, spelling, values, checked=checked), f"option --{spelling}")
            for each, spelling, values in options
        ),
    ]
    return Composed(tuple(pieces), tuple(notices))


def body_fields(given: Mapping[str, Sequence[str]], *, checked: bool = True) -> dict[str, object]:
    """The fields that a request has beside the prompt: version, quality and HD, where given as options."""
    fields: dict[str, object] = {}
    for spelling, values in given.items():
        parameter = BY_SPELLING[spelling]
        if parameter.body:
            fields[parameter.body] = (
                True if parameter.flag else _value(parameter, spelling, values[-1], checked=checked)
            )
    return fields


def _drop_overridden(
    parts: Iterable[Part], winners: Mapping[str, str], origin: str
) -> tuple[list[Part], list[str]]:
    """The parts without parameters whose slot has a winner, and a notice for each of those."""
    remaining, notices = [], []
    for part in parts:
        winner = winners.get(part.parameter.slot) if part.parameter is not None else None
        if winner is None:
            remaining.append(part)
        else:
            notices.append(f"{winner} overrides {quoted(part.text)} in the {origin}.")
    return remaining, notices


def _suffix_pieces(suffixes: Sequence[Suffix], winners: dict[str, str]) -> tuple[list[Piece], list[Piece]]:
    """The words and the parameters of the suffixes, without overridden ones; adds to `winners`."""
    words: list[Piece] = []
    parameters: list[Piece] = []
    for suffix in reversed(suffixes):
        parts, _ = _drop_overridden(parse(suffix.text.strip()).parts, winners, suffix.origin)
        pieces = [Piece(_normalise(part), suffix.origin) for part in parts]
        leading = _count_leading(parts)
        words[:0], parameters[:0] = pieces[:leading], pieces[leading:]
        winners |= {part.parameter.slot: suffix.origin for part in parts if part.parameter is not None}
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


def _option_text(parameter: Parameter, spelling: str, values: Sequence[str], *, checked: bool) -> str:
    """An option as the prompt has it."""
    if parameter.flag:
        return f"--{spelling}"
    texts = [_value(parameter, spelling, value, checked=checked) for value in values]
    if parameter.name == "no":
        return f"--no {', '.join(texts)}"
    return f"--{spelling} {' '.join(texts if parameter.many else texts[-1:])}"


def _value(parameter: Parameter, spelling: str, value: str, *, checked: bool) -> str:
    if not checked:
        return value.strip()
    try:
        return check_value(parameter, value, f"--{spelling}")
    except ValueError as error:
        raise UsageError(str(error)) from None

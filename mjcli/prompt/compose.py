"""A prompt put together: images first, then words, then parameters, one space between, each parameter once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mjcli.errors import UsageError
from mjcli.prompt.parameters import BY_SPELLING, Parameter, check_value
from mjcli.prompt.parse import Part, parse

TYPED = "prompt"  # where what was typed as the prompt comes from


class Piece(NamedTuple):
    """A part of a composed prompt, and where it comes from: `prompt`, `option --ar`, `preset poster`, …"""

    text: str
    origin: str


class Suffix(NamedTuple):
    """What a preset or the defaults put behind every prompt, and its origin."""

    origin: str
    text: str


class Composed(NamedTuple):
    """A prompt from its pieces, and the sentences about what was left out of it."""

    pieces: tuple[Piece, ...]
    notices: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The prompt as it is sent."""
        return " ".join(piece.text for piece in self.pieces)

    @property
    def typed(self) -> str:
        """What of it was typed as the prompt."""
        return " ".join(piece.text for piece in self.pieces if piece.origin == TYPED)

    def origin(self, place: int) -> str:
        """Where the character at this place of the prompt comes from."""
        end = 0
        for piece in self.pieces:
            end += len(piece.text) + 1
            if place < end:
                return piece.origin
        return TYPED


def words_of(arguments: Sequence[str]) -> str:
    """Arguments as the words of a prompt. Raises `UsageError` when they are not text."""
    text = " ".join(arguments)
    try:
        # In a locale without UTF-8 the bytes of the arguments arrive as surrogates.
        return os.fsencode(text).decode("utf-8") if _has_surrogates(text) else text
    except UnicodeError:
        raise UsageError("The prompt is not UTF-8 text.") from None


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def compose(
    images: Sequence[str],
    text: str,
    given: Mapping[str, Sequence[str]],
    suffixes: Sequence[Suffix] = (),
    *,
    checked: bool = True,
) -> Composed:
    """The prompt from images, what was typed, the parameters given as options, and suffixes in their order.

    `given` maps the spelling of an option to its values (a flag: to one empty value). An option wins
    over the same parameter in the text, which wins over the suffixes, of which a later one wins. Unless
    `checked`, values are taken as they are, and so are the spaces in the text. Raises `UsageError` for a
    wrong value of an option.
    """
    options = [(BY_SPELLING[spelling], spelling, values) for spelling, values in given.items()]
    taken = {each.slot: f"--{spelling} of the command line" for each, spelling, _ in options}
    typed, notices = _without(parse(text.strip()).parts, taken, TYPED)
    if notices or suffixes or checked:
        typed_pieces = [Piece(_spaced(part) if checked else part.text, TYPED) for part in typed]
    else:
        typed_pieces = [Piece(text.strip(), TYPED)] if text.strip() else []
    front = sum(1 for part in typed if part.kind in ("image", "words")) if typed else 0
    taken |= {part.parameter.slot: "" for part in typed if part.parameter is not None}
    words, parameters = _behind(suffixes, taken)
    pieces = [
        *(Piece(link, "option --image") for link in images),
        *typed_pieces[:front],
        *words,
        *typed_pieces[front:],
        *parameters,
        *(
            Piece(_written(each, spelling, values, checked=checked), f"option --{spelling}")
            for each, spelling, values in options
        ),
    ]
    return Composed(tuple(pieces), tuple(notices))


def body_fields(given: Mapping[str, Sequence[str]], *, checked: bool = True) -> dict[str, object]:
    """The request fields that stand beside the prompt for version, quality and HD (cli.md, "Commands")."""
    fields: dict[str, object] = {}
    for spelling, values in given.items():
        parameter = BY_SPELLING[spelling]
        if parameter.body:
            fields[parameter.body] = (
                True if parameter.flag else _value(parameter, spelling, values[-1], checked=checked)
            )
    return fields


def _behind(suffixes: Sequence[Suffix], taken: dict[str, str]) -> tuple[list[Piece], list[Piece]]:
    """The words and the parameters of the suffixes, but for those whose place is taken."""
    words: list[Piece] = []
    parameters: list[Piece] = []
    for suffix in reversed(suffixes):
        parts, _ = _without(parse(suffix.text.strip()).parts, taken, suffix.origin)
        behind = [Piece(_spaced(part), suffix.origin) for part in parts]
        front = sum(1 for part in parts if part.kind in ("image", "words"))
        words[:0], parameters[:0] = behind[:front], behind[front:]
        taken |= {part.parameter.slot: suffix.origin for part in parts if part.parameter is not None}
    return words, parameters


def _without(parts: Iterable[Part], taken: Mapping[str, str], origin: str) -> tuple[list[Part], list[str]]:
    """The parts but for the parameters whose place is taken, and a sentence for each of those."""
    kept, notices = [], []
    for part in parts:
        winner = taken.get(part.parameter.slot) if part.parameter is not None else None
        if winner is None:
            kept.append(part)
        else:
            notices.append(f"{winner} wins over {part.text} in the {origin}.")
    return kept, notices


def _spaced(part: Part) -> str:
    """A part with one space between a parameter and its values; words, also those of --no, as they are."""
    if part.kind != "parameter" or not part.values:
        return part.text
    if part.parameter is None or part.parameter.name == "no":
        values = "".join(map(str, part.values))[len(part.values[0].before) :]
        return f"{part.name.text} {values}"
    return " ".join(each.text for each in part.tokens)


def _written(parameter: Parameter, spelling: str, values: Sequence[str], *, checked: bool) -> str:
    if parameter.flag:
        return f"--{spelling}"
    written = [_value(parameter, spelling, value, checked=checked) for value in values]
    if parameter.name == "no":
        return f"--no {', '.join(written)}"
    return f"--{spelling} {' '.join(written if parameter.many else written[-1:])}"


def _value(parameter: Parameter, spelling: str, value: str, *, checked: bool) -> str:
    if not checked:
        return value.strip()
    try:
        return check_value(parameter, value)
    except ValueError as error:
        raise UsageError(str(error).replace(f"--{parameter.option}", f"--{spelling}", 1)) from None

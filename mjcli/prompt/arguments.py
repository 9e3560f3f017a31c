"""A prompt typed without quotes: which arguments are words, which are parameters, and which are options of mj.

From the first parameter on, the arguments joined with spaces are what a quoted prompt would be, so that the parser
of the prompt decides which words belong to which parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mjcli.errors import UsageError
from mjcli.prompt.parameters import SHORTEST_CODE, Parameter, fits, known, quoted
from mjcli.prompt.parse import GLUED, is_link, is_name

LONGEST_COUNT = 2  # digits of a number that is a word, as in "2 cats", rather than a code


class UnknownOption(UsageError):
    """An argument that looks like an option and is neither mj's nor a parameter; `option` is its name."""

    def __init__(self, option: str) -> None:
        super().__init__(f'Unknown option "{option}".')
        self.option = option


class MissingValue(UsageError):
    """An option of mj is last, or followed by another one, and so without its value; `option` is its name."""

    def __init__(self, option: str) -> None:
        super().__init__(f"{option} needs a value.")
        self.option = option


class Typed(NamedTuple):
    """The arguments of a command: the options of mj, the words before the parameters, and the parameters."""

    options: list[str]
    words: list[str]
    parameters: list[str]


class _Break:
    """Where an option of mj was, among the arguments of the prompt."""


_BREAK = _Break()


def split_typed(arguments: Sequence[str], own: Mapping[str, bool]) -> Typed:
    """Sort arguments; `own` maps the spellings of mj's options to whether they take a value.

    An option is a whole argument. A parameter before the words takes one argument, if it takes any. Raises
    `UnknownOption`, and `UsageError` for words after an option that ended a `--no`.
    """
    options, typed = _without_options(arguments, own)
    leading, rest = _leading_parameters(typed)
    words: list[str] = []
    for each in rest:
        if isinstance(each, str):
            if _parameter_of(each) is not None:
                break
            words.append(each)
    tail = _tail(rest, len(words))
    return Typed(options, words, [*leading, *tail])


def take_fields(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The parameters that are fields of a request (version, quality, HD), wherever they stand, and the rest.

    Each takes the next argument as its value, if it has one.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    fields: list[str] = []
    rest: list[str] = []
    at = 0
    while at < end:
        argument = arguments[at]
        name, has_value, value = argument.partition("=")
        parameter = known(name[2:]) if is_name(argument) and " " not in argument else None
        if parameter is None or parameter.body is None:
            rest.append(argument)
        elif has_value:
            fields += [name, value]
        elif not parameter.flag and at + 1 < end and not is_name(arguments[at + 1]):
            fields += [argument, arguments[at + 1]]
            at += 1
        else:
            fields.append(argument)
        at += 1
    return fields, [*rest, *arguments[end:]]


def _without_options(
    arguments: Sequence[str], own: Mapping[str, bool]
) -> tuple[list[str], list[str | _Break]]:
    """The options of mj with their values, and all other arguments."""
    options: list[str] = []
    typed: list[str | _Break] = []
    at = 0
    while at < len(arguments):
        argument = arguments[at]
        if argument == "--" and not any(isinstance(each, str) for each in typed):
            typed += arguments[at + 1 :]
            break
        count = _option_length(argument, own)
        _check_value(arguments[at : at + count], own, count)
        if count == 1:
            _refuse_letters(argument, own)
        if count:
            options += arguments[at : at + count]
            typed.append(_BREAK)
        else:
            typed += _as_typed(argument, own)
        at += count or 1
    return options, typed


def check_values(arguments: Sequence[str], own: Mapping[str, bool]) -> None:
    """Raise `MissingValue` for an option that another option follows, which would be its value."""
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        count = _option_length(arguments[at], own)
        if count == 2 and at + 1 < len(arguments) and _option_length(arguments[at + 1], own):
            raise MissingValue(arguments[at])
        at += count or 1


def _check_value(option: Sequence[str], own: Mapping[str, bool], count: int) -> None:
    """Raise `MissingValue` for an option that is last, or that another option or a parameter follows."""
    if len(option) < count or (count == 2 and (_option_length(option[1], own) or _parameter_of(option[1]))):
        raise MissingValue(option[0])


def _refuse_letters(argument: str, own: Mapping[str, bool]) -> None:
    """Refuse an option with its value glued to it that may be a word with a minus, such as `-old`."""
    if not re.fullmatch("-[A-Za-z]{3,}", argument):
        return
    place = next((n for n, letter in enumerate(argument[1:], start=2) if own.get(f"-{letter}")), 0)
    if place:
        raise UsageError(
            f'"{argument}" may be a word or the option -{argument[place - 1]}.',
            hint=f"-{argument[place - 1]} {argument[place:]} is the option",
        )


def _option_length(argument: str, own: Mapping[str, bool]) -> int:
    """How many arguments the option at this position has, including its value; 0 if it is not one of mj's."""
    name, has_value, _ = argument.partition("=")
    if argument.startswith("--"):
        return 0 if name not in own else 1 if has_value or not own[name] else 2
    if not argument.startswith("-") or len(argument) < 2 or " " in argument:
        return 0
    for place, letter in enumerate(argument[1:], start=2):
        takes_value = own.get(f"-{letter}")
        if takes_value is None:
            return 0
        if takes_value:
            return 1 if argument[place:] else 2
    return 1


def _as_typed(argument: str, own: Mapping[str, bool]) -> list[str]:
    """An argument of the prompt; `--ar=16:9` is two. Raises `UnknownOption`."""
    if not is_name(argument) or argument == "--" or any(map(str.isspace, argument)):
        return [argument]
    name, has_value, value = argument[2:].partition("=")
    parameter = known(name)
    if parameter is not None:
        return [f"--{name}", value] if has_value else [argument]
    glued = GLUED.fullmatch(argument)
    if re.fullmatch("[A-Za-z][A-Za-z0-9-]*", name) and (glued is None or not known(glued[1])):
        raise UnknownOption(f"--{name}")
    return [argument]


def _parameter_of(argument: str) -> Parameter | None:
    """The parameter whose name an argument is."""
    return known(argument[2:]) if is_name(argument) else None


def _leading_parameters(typed: Sequence[str | _Break]) -> tuple[list[str], list[str | _Break]]:
    """The parameters before the words, each with the one argument that it takes, and what follows."""
    found: list[str] = []
    rest = list(typed)
    while True:
        texts = [place for place, each in enumerate(rest) if isinstance(each, str)]
        parameter = _parameter_of(str(rest[texts[0]])) if texts else None
        if parameter is None:
            return found, rest
        found.append(str(rest[texts[0]]))
        end = texts[0] + 1
        if len(texts) > 1 and _takes(parameter, str(rest[texts[1]])):
            found.append(str(rest[texts[1]]))
            end = texts[1] + 1
            following = None if len(texts) == 2 else str(rest[texts[2]])
            _refuse_unclear(parameter, found[-2], found[-1], following)
        rest = rest[end:]


def _refuse_unclear(parameter: Parameter, name: str, value: str, following: str | None) -> None:
    """Refuse a value before the words if it may be one of them, or continues after it. Raises `UsageError`."""
    if following is None:
        return
    if parameter.many and value.endswith(","):
        raise UsageError(f"{name} before the words takes one argument; put it after the words.")
    if parameter.many and _is_another(parameter, following):
        raise UsageError(
            f"{quoted(following)} may be another value of {name} or {'an image' if is_link(following) else 'a word'};"
            f" put {name} after the words."
        )
    if parameter.form == "CODE" and value.isalpha() and len(value) < SHORTEST_CODE:
        raise UsageError(f"{quoted(value)} may be the code of {name} or a word; put {name} after the words.")


def _is_another(parameter: Parameter, argument: str) -> bool:
    """Whether an argument looks like another value of a parameter, and unlike a word."""
    if parameter.form not in ("REF", "URL", "CODE") or not fits(parameter, argument):
        return False
    digits = sum(map(str.isdecimal, argument))
    return is_link(argument) or digits > LONGEST_COUNT or (digits > 0 and not argument.isdecimal())


def _takes(parameter: Parameter, argument: str) -> bool:
    """Whether a parameter before the words takes the next argument."""
    if parameter.flag or is_name(argument):
        return False
    return not parameter.alone or fits(parameter, argument)


def _tail(rest: Sequence[str | _Break], words: int) -> list[str]:
    """Everything from the first parameter on. Raises `UsageError` for words that follow a `--no` that has ended."""
    tail: list[str] = []
    excluding = ended = False
    seen = 0
    for each in rest:
        if not isinstance(each, str):
            ended = excluding
            continue
        seen += 1
        if seen <= words:
            continue
        parameter = _parameter_of(each)
        if parameter is not None:
            excluding, ended = parameter.name == "no", False
        elif ended:
            raise UsageError(
                f"{quoted(each)} comes after an option that ends --no; put all words before the first parameter."
            )
        tail.append(each)
    return tail

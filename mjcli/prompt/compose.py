"""A prompt put together: images first, then words, then parameters, one space between."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import takewhile

from mjcli.errors import UsageError
from mjcli.prompt.parameters import PARAMETERS, Parameter, check_value
from mjcli.prompt.rules import check_together

MAX_IMAGES = 5  # the service takes no more (api.md, "Endpoints")


def is_link(text: str) -> bool:
    """Whether a word is the link of an image."""
    return text.lower().startswith(("http://", "https://")) and len(text.partition("://")[2]) > 0


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


def compose(images: Sequence[str], words: str, given: Mapping[str, Sequence[str]]) -> str:
    """The prompt; `words` stands in it untouched, but for the white space around it.

    `given` maps a parameter's name to the values of its option (a flag: to one empty value). Raises
    `UsageError` for a wrong value, too many images, no words at all, or a parameter that is given twice.
    """
    words = words.strip()
    total = len(images) + sum(1 for _ in takewhile(is_link, words.split()))
    if total > MAX_IMAGES:
        raise UsageError(f"A prompt takes at most {MAX_IMAGES} images, not {total}.")
    if not images and not words:
        raise UsageError("There is no prompt.", hint='mj imagine "a cat on a table"')
    try:
        check_together(given, words)
    except ValueError as error:
        raise UsageError(str(error)) from None
    parts = [*images, words] if words else [*images]
    for parameter in PARAMETERS:
        if parameter.name in given:
            _refuse_twice(parameter, words)
            parts.append(_written(parameter, given[parameter.name]))
    return " ".join(parts)


def body_fields(given: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """The request fields that stand beside the prompt for version, quality and HD (cli.md, "Commands")."""
    fields: dict[str, object] = {}
    for parameter in PARAMETERS:
        if parameter.body and parameter.name in given:
            value = given[parameter.name][-1]
            fields[parameter.body] = True if parameter.flag else check_value(parameter, value)
    return fields


def _written(parameter: Parameter, values: Sequence[str]) -> str:
    if parameter.flag:
        return f"--{parameter.name}"
    try:
        checked = [check_value(parameter, value) for value in values]
    except ValueError as error:
        raise UsageError(str(error)) from None
    return f"--{parameter.name} {' '.join(checked if parameter.many else checked[-1:])}"


def _refuse_twice(parameter: Parameter, words: str) -> None:
    for word in words.split():
        if word.startswith("--") and word[2:].lower() in parameter.spellings:
            raise UsageError(
                f"{word} stands in the prompt and --{parameter.option} is given as an option too; "
                "leave one out."
            )

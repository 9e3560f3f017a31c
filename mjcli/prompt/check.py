"""Find mistakes in a prompt before it is sent.

Definite errors have the severity `error`. Where the known tables of parameters and versions may be wrong, the
severity is `warning`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from mjcli.prompt.parameters import (
    DASHES,
    OLDER_VERSIONS,
    Parameter,
    check_value,
    either,
    fits,
    known,
    nearest,
    plain_number,
    quoted,
)
from mjcli.prompt.parse import Part, Prompt, Token, is_link, parse, single_dash

MAX_IMAGES = 5  # the service's limit
ERROR, WARNING = "error", "warning"

_NAME_WITH_VALUE = r"(?is)--([a-z]+?)[=:]?([0-9.][0-9.:]*|(?<=[=:]).*)"  # without a space between
_NIJI_STYLES = ("cute", "scenic", "expressive", "original")
_PUNCTUATION = {",": "comma", ".": "full stop", ";": "semicolon"}


class Finding(NamedTuple):
    """A mistake, or a likely one, in a prompt."""

    severity: str
    """`error` or `warning`."""
    code: str
    """Identifies the kind of mistake; stable, for scripts."""
    message: str
    start: int
    """Position in the prompt, in characters; `end` is exclusive."""
    end: int


def check(text: str) -> list[Finding]:
    """All findings in a prompt, in the order of their positions; never raises."""
    prompt = parse(text)
    findings = [*_check_empty(prompt), *_check_images(prompt), *_check_words(prompt)]
    parameters = [part for part in prompt.of("parameter") if part.parameter is not None]
    for part in prompt.of("parameter"):
        findings += _check_parameter(part)
    findings += [*_check_repeated(parameters), *_check_combinations(parameters), *_check_versions(parameters)]
    return sorted(findings, key=lambda each: (each.start, each.end))


def _error(code: str, message: str, place: Token | Part) -> Finding:
    return Finding(ERROR, code, message, place.start, place.end)


def _warning(code: str, message: str, place: Token | Part) -> Finding:
    return Finding(WARNING, code, message, place.start, place.end)


# -- images and words ----------------------------------------------------------------------------------


def _check_empty(prompt: Prompt) -> Iterator[Finding]:
    if all(part.kind == "parameter" for part in prompt.parts):
        message = (
            "The prompt has only parameters: add words or an image."
            if prompt.parts
            else "The prompt is empty."
        )
        yield Finding(ERROR, "empty", message, 0, len(str(prompt)))


def _check_images(prompt: Prompt) -> Iterator[Finding]:
    images = prompt.of("image")
    for image in images[MAX_IMAGES : MAX_IMAGES + 1]:
        message = f"The prompt has {len(images)} images: remove all but {MAX_IMAGES}."
        yield _error("too_many_images", message, image)


def _check_words(prompt: Prompt) -> Iterator[Finding]:
    for part in prompt.of("words") + prompt.of("stray"):
        for token in part.tokens:
            if is_link(token.text):
                message = f"Put the image link {quoted(token.text)} before all words."
                yield _error("image_behind", message, token)
            else:
                yield from _check_single_dash(token)
                yield from _check_missing_space(token)
    for part in prompt.of("stray"):
        yield from _check_stray(part)


def _check_stray(part: Part) -> Iterator[Finding]:
    """Words after a parameter."""
    # The words after a name with a single dash are its values.
    before_name = takewhile(lambda each: single_dash(each.text) is None, part.tokens)
    words = [each for each in before_name if not is_link(each.text)]
    if not words:
        return
    if words[0].text[0] in DASHES:
        message = f'{quoted(words[0].text)} is not a parameter: parameters start with two hyphens ("--").'
        yield _warning("odd_dash", message, words[0])
    else:
        message = "Put all words before the first parameter."
        yield Finding(ERROR, "words_behind", message, words[0].start, words[-1].end)


def _check_single_dash(token: Token) -> Iterator[Finding]:
    meaning = single_dash(token.text)
    if isinstance(meaning, Parameter):
        message = f"Type {quoted('-' + token.text)} instead of {quoted(token.text)}."
        yield _error("single_dash", message, token)
    elif meaning:
        message = f"Remove {quoted(token.text)}: the service would read it as an unknown parameter."
        yield _error("single_dash", message, token)


def _check_missing_space(token: Token) -> Iterator[Finding]:
    """A parameter that is part of a word, for lack of a space before it."""
    word, dashes, name = token.text.rpartition("--")
    if word.rstrip("-") and dashes and known(name):
        message = f'Put a space before "--{name}"; otherwise it is read as part of the words.'
        yield Finding(WARNING, "no_space", message, token.start + len(word), token.end)


# -- one parameter -------------------------------------------------------------------------------------


def _check_parameter(part: Part) -> Iterator[Finding]:
    parameter, name = part.parameter, part.name
    if parameter is None:
        yield _error(*_unknown_name(name.text), name)
        return
    if not part.values and not parameter.flag:
        yield from _check_missing_value(parameter, name)
        return
    values = [" ".join(each.text for each in part.values)] if parameter.name == "no" else None
    for token, value in zip(part.values, values or [each.text for each in part.values], strict=False):
        yield from _check_value(parameter, name, token, value)


def _unknown_name(name: str) -> tuple[str, str]:
    """The code and the message for a name that is not a parameter's."""
    if name == "--":
        return "dash_alone", '"--" is not a parameter: add a name to it, or type "—" for a dash.'
    bare = name.lstrip("-")
    found = re.fullmatch(_NAME_WITH_VALUE, name)
    if found and known(found[1]):
        message = f"Separate --{found[1]} and {quoted(found[2])} with a space."
    elif known(bare):
        message = f'Type "--{bare}" instead of {quoted(name)}.'
    else:
        message = f"Unknown parameter {quoted(name)}."
        near = nearest(bare)
        if near is not None:
            message += f" Did you mean --{near.name}{f' (--{near.short})' if near.short else ''}?"
    return "unknown_parameter", message


def _check_missing_value(parameter: Parameter, name: Token) -> Iterator[Finding]:
    if not parameter.alone:
        yield _error("missing_value", f"{name.text} needs a value: {parameter.takes}.", name)
    elif parameter.name == "niji":
        yield _warning("bare_niji", f"{name.text} has no version, so the service chooses one.", name)


def _check_value(parameter: Parameter, name: Token, token: Token, value: str) -> Iterator[Finding]:
    if parameter.name == "version" and plain_number(value) in OLDER_VERSIONS:
        message = f"Version {value} is old; the service may not support it."
        yield _warning("unknown_version", message, token)
        return
    try:
        check_value(parameter, value, name.text)
    except ValueError as error:
        bare = value.rstrip(".,;")
        if bare != value and fits(parameter, bare):
            mark = _PUNCTUATION.get(value[len(bare) :], "punctuation")
            yield _error("bad_value", f"Remove the {mark} after {quoted(bare)}.", token)
        else:
            yield _error("bad_value", str(error), token)
        return
    if parameter.name == "repeat" and value.lstrip("0") != "1":
        message = f"{name.text} {value} starts {value} jobs, each billed separately."
        yield _warning("repeat_costs", message, token)


# -- parameters together -------------------------------------------------------------------------------


def _check_repeated(parts: list[Part]) -> Iterator[Finding]:
    seen: dict[str, Part] = {}
    for part in parts:
        parameter = _parameter_of(part)
        if seen.setdefault(parameter.name, part) is part:
            continue
        if parameter.many:
            message = f"{part.name.text} is given twice: list all values after the first one."
            yield _warning("repeated", message, part.name)
        else:
            yield _error("repeated", f"{part.name.text} is given twice: remove one.", part.name)


def _check_combinations(parts: list[Part]) -> Iterator[Finding]:
    names = {_parameter_of(part).name for part in parts}
    groups: dict[str, Part] = {}
    for part in parts:
        parameter = _parameter_of(part)
        if parameter.group is not None:
            first = groups.setdefault(parameter.group, part)
            if _parameter_of(first).name != parameter.name:
                message = f"{first.name.text} and {part.name.text} cannot be combined."
                yield _error("conflict", message, part.name)
        if parameter.needs is not None and parameter.needs not in names:
            yield _error("missing_companion", f"{part.name.text} needs --{parameter.needs}.", part.name)
        if parameter.name == "style" and "niji" not in names:
            for value in part.values:
                if value.text.lower() in _NIJI_STYLES:
                    message = f"{part.name.text} {value.text} needs --niji."
                    yield _error("missing_companion", message, value)


def _parameter_of(part: Part) -> Parameter:
    assert part.parameter is not None
    return part.parameter


# -- versions ------------------------------------------------------------------------------------------


class _Version(NamedTuple):
    """The model version that a prompt chooses."""

    niji: bool
    name: str

    @property
    def number(self) -> float:
        return float(self.name)

    def __str__(self) -> str:
        return f"niji {self.name}" if self.niji else self.name


def _check_versions(parts: list[Part]) -> Iterator[Finding]:
    version = _chosen_version(parts)
    if version is None:
        return
    for part in parts:
        parameter, name = _parameter_of(part), part.name.text
        if str(version) in parameter.never:
            yield _error("version", f"{name} does not exist in version {version}.", part.name)
        elif not _exists_in(parameter, version):
            known_for = f"version {parameter.since} or later" if parameter.since else _only(parameter)
            if _may_exist_in(parameter, version):
                message = f"{name} probably needs {known_for}, not {version}."
                yield _warning("version", message, part.name)
            else:
                yield _error("version", f"{name} needs {known_for}, not {version}.", part.name)
        allowed = parameter.by_version.get(str(version), parameter.words)
        for value in part.values:
            plain = plain_number(value.text)
            if plain in parameter.words and plain not in allowed and parameter.by_version:
                message = (
                    f"{quoted(value.text)} is probably not valid:"
                    f" {name} takes {either(allowed)} in version {version}."
                )
                yield _warning("version_value", message, value)


def _chosen_version(parts: Iterable[Part]) -> _Version | None:
    """The version that the prompt chooses; None if it leaves the choice to the service or has a wrong value."""
    for part in parts:
        parameter = _parameter_of(part)
        if parameter.name in ("version", "niji") and part.values:
            value = plain_number(part.values[0].text)
            if value in parameter.words or value in OLDER_VERSIONS:
                return _Version(parameter.name == "niji", value)
    return None


def _exists_in(parameter: Parameter, version: _Version) -> bool:
    if parameter.only:
        return str(version) in parameter.only
    if parameter.since is None or version.niji:
        return True
    return version.number >= float(parameter.since)


def _may_exist_in(parameter: Parameter, version: _Version) -> bool:
    """Whether a version with the same major number has the parameter: the tables may be wrong there."""
    if parameter.since is not None:
        return int(version.number) == int(float(parameter.since))
    same = [each for each in parameter.only if each.startswith("niji ") == version.niji]
    return any(int(float(each.removeprefix("niji "))) == int(version.number) for each in same)


def _only(parameter: Parameter) -> str:
    return f"version {either(parameter.only)}"

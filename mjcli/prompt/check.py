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
    BY_SPELLING,
    DASHES,
    SHORTEST_CODE,
    STYLE_CODE,
    Parameter,
    check_value,
    either,
    fits,
    is_newer,
    is_older,
    known,
    nearest,
    plain_number,
    quoted,
)
from mjcli.prompt.parse import GLUED, Part, Prompt, Token, is_link, parse, single_dash
from mjcli.prompt.paste import INVISIBLE

MAX_IMAGES = 5  # the service's limit
MOST_LETTERS = 2  # codes of one --p that may be without a digit
ERROR, WARNING = "error", "warning"

_DASH_IN_WORD = re.compile(rf".*[^-{DASHES}]([{DASHES}]{{1,2}})([A-Za-z]+)")
_NIJI_STYLES = ("cute", "scenic", "expressive", "original")
_WEIGHT = re.compile(r"::(-?[0-9]*\.?[0-9]+)?(?:::)*")
_INVISIBLE = re.compile(rf"[\s{INVISIBLE}]+")
_LINK_INSIDE = re.compile(r"(?i)https?://[^\s/]")
_BROKEN_LINK = re.compile(r"(?i)[<(\"']?(?:h+t+p*s*:/*\S*|tt?ps?:/+\S+)")
# A link without a scheme: a host, a domain that is common or the vendor's, and a path.
_HOST = re.compile(
    r"(?i)(?:[a-z0-9-]+\.)+(?:com|net|org|io|run|ai|co|app|dev|me|gg|ly|cc|tv|cn|jp|kr|de|fr|uk|ru|eu|us|xyz|cloud)"
    r"(?::[0-9]+)?/[^\s]+"
)
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
    if all(part.kind == "parameter" or not _INVISIBLE.sub("", part.text) for part in prompt.parts):
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
                yield from _check_link_in_word(token)
        yield from _check_dashes(part)
    for part in prompt.of("stray"):
        yield from _check_stray(part)
    for part in prompt.of("words"):
        yield from _check_weights(part)


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
        glued = GLUED.fullmatch(f"-{token.text}")
        name = f"--{glued[1]} {glued[2]}" if glued else f"-{token.text}"
        message = f"Type {quoted(name)} instead of {quoted(token.text)}."
        yield _error("single_dash", message, token)
    elif meaning:
        message = f"Remove {quoted(token.text)}: the service would read it as an unknown parameter."
        yield _error("single_dash", message, token)


def _check_link_in_word(token: Token) -> Iterator[Finding]:
    """A link that the service reads as words, for lack of a scheme or a space."""
    bare = token.text.rpartition("](")[2].strip("<>()[]\"'`,;*/")
    if _HOST.fullmatch(bare):
        message = f"{quoted(bare)} has no https://: --image {f'https://{bare}'} makes it an image prompt."
        yield _warning("no_scheme", message, token)
    elif (_BROKEN_LINK.fullmatch(token.text) and not is_link(token.text)) or _LINK_INSIDE.search(
        token.text, 1
    ):
        message = (
            f"{quoted(token.text)} is read as words: a link starts with https://, and nothing is around it."
        )
        yield _warning("odd_link", message, token)


def _check_dashes(part: Part) -> Iterator[Finding]:
    """Dashes before the name of a parameter that are most likely part of the words, but may not be."""
    for place, token in enumerate(part.tokens):
        following = part.tokens[place + 1 : place + 3]
        value = following[1].text if len(following) > 1 else ""
        if token.text.strip("-" + DASHES) == "" and following:
            name = following[0].text.lstrip("-" + DASHES)
            # Hyphens and single letters between spaces are common; before a number they are doubtful.
            if known(name) and ((token.text != "-" and len(name) > 1) or value[:1].isdigit()):
                message = f'"{token.text} {following[0].text}" is read as words: for the parameter, type "--{name}".'
                yield Finding(WARNING, "odd_dash", message, token.start, following[0].end)
            continue
        found = _DASH_IN_WORD.fullmatch(token.text)
        if found and following and (parameter := known(found[2])) is not None:
            is_value = not parameter.flag and parameter.name != "no" and fits(parameter, following[0].text)
            if is_value and parameter.form != "CODE":
                message = f'Type " --{found[2]}" for the parameter; "{found[1]}{found[2]}" is read as words.'
                yield Finding(WARNING, "no_space", message, token.start + found.start(1), token.end)


def _check_missing_space(token: Token) -> Iterator[Finding]:
    """A parameter that is part of a word, for lack of a space before it."""
    word, dashes, name = token.text.rpartition("--")
    if word.rstrip("-") and dashes and known(name):
        message = f'Put a space before "--{name}"; otherwise it is read as part of the words.'
        yield Finding(WARNING, "no_space", message, token.start + len(word), token.end)


# -- weights -------------------------------------------------------------------------------------------


def _check_weights(part: Part) -> Iterator[Finding]:
    """`::` that splits no words, and weights whose sum is not positive."""
    total = 0.0
    words = False  # before the next `::`
    marks: list[tuple[int, int]] = []
    for token in part.tokens:
        if is_link(token.text):
            continue
        at = 0
        for found in _WEIGHT.finditer(token.text):
            words = words or found.start() > at
            start, end = token.start + found.start(), token.start + found.end()
            if not words:
                yield Finding(WARNING, "weight", f'"{found[0]}" has no words before it.', start, end)
            elif found.end() < len(token.text) and token.text[found.end()].isalnum():
                message = f'Put a space after "{found[0]}".'
                yield Finding(WARNING, "weight", message, start, end)
            elif found[1] is None and token is part.tokens[-1] and found.end() == len(token.text):
                message = f'"{found[0]}" at the end has no effect: add a weight or words after it.'
                yield Finding(WARNING, "weight", message, start, end)
            marks.append((start, end))
            total = round(total + float(found[1] or 1), 6)  # decimal fractions, which floats only approximate
            words, at = False, found.end()
        words = words or at < len(token.text)
    if marks and total + words <= 0:
        message = f"The weights sum to {total + words:.12g}: the sum must be positive."
        yield Finding(ERROR, "weight", message, marks[0][0], marks[-1][1])


# -- one parameter -------------------------------------------------------------------------------------


def _check_parameter(part: Part) -> Iterator[Finding]:
    parameter, name = part.parameter, part.name
    if parameter is None:
        yield _error(*_unknown_name(name.text), name)
        return
    if not part.values and not parameter.flag:
        yield from _check_missing_value(parameter, name)
        return
    if parameter.form == "CODE":
        yield from _check_codes(part)
    values = [" ".join(each.text for each in part.values)] if parameter.name == "no" else None
    for token, value in zip(part.values, values or [each.text for each in part.values], strict=False):
        yield from _check_value(parameter, name, token, value)


def _check_codes(part: Part) -> Iterator[Finding]:
    """Words after the name that are read as codes; most codes have a digit, but not all."""
    words = [each for each in part.values if each.text.isalpha()]
    if not words:
        return
    start, end = words[0].start, words[-1].end
    if len(words) > MOST_LETTERS or any(len(each.text) < SHORTEST_CODE for each in words):
        message = (
            f"{part.name.text} would take these words as codes: put all words before the first parameter."
        )
        yield Finding(ERROR, "words_behind", message, start, end)
    elif len(words) > 1:
        message = f"{part.name.text} takes these as codes; words come before the first parameter."
        yield Finding(WARNING, "words_as_codes", message, start, end)


def _unknown_name(name: str) -> tuple[str, str]:
    """The code and the message for a name that is not a parameter's."""
    if name == "--":
        return "dash_alone", '"--" is not a parameter: add a name to it, or type "—" for a dash.'
    bare = name.lstrip("-")
    found = GLUED.fullmatch(name)
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
    if is_older(parameter, value) or is_newer(parameter, value):
        kind = "old" if is_older(parameter, value) else "newer than this mj"
        message = f"{_version_name(parameter, value)} is {kind}; the service may not support it."
        yield _warning("unknown_version", message, token)
        return
    try:
        check_value(parameter, value, name.text)
    except ValueError as error:
        bare = value.rstrip(".,;")
        if parameter.form in ("REF", "URL") and _HOST.fullmatch(bare):
            yield _error("bad_value", f"Type {quoted(f'https://{bare}')} instead of {quoted(value)}.", token)
            return
        if bare != value and fits(parameter, bare):
            mark = _PUNCTUATION.get(value[len(bare) :], "punctuation")
            yield _error("bad_value", f"Remove the {mark} after {quoted(bare)}.", token)
        else:
            yield _error("bad_value", str(error), token)
        return
    if parameter.name == "repeat" and value.lstrip("0") != "1":
        message = f"{name.text} {value} starts {value} jobs, each billed separately."
        yield _warning("repeat_costs", message, token)


def _version_name(parameter: Parameter, value: str) -> str:
    return f"Version niji {value}" if parameter.name == "niji" else f"Version {value}"


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
        if parameter.name == "style":
            yield from _check_style_codes(part, version)
        allowed = parameter.by_version.get(str(version), parameter.words)
        for value in part.values:
            plain = plain_number(value.text)
            if plain in parameter.words and plain not in allowed and parameter.by_version:
                message = (
                    f"{quoted(value.text)} is probably not valid:"
                    f" {name} takes {either(allowed)} in version {version}."
                )
                yield _warning("version_value", message, value)


def _check_style_codes(part: Part, version: _Version) -> Iterator[Finding]:
    for value in part.values:
        if str(version) != "5.2" and re.fullmatch(STYLE_CODE, value.text):
            message = f"The style code {quoted(value.text)} is probably for version 5.2, not {version}."
            yield _warning("version_value", message, value)


def _chosen_version(parts: Iterable[Part]) -> _Version | None:
    """The version that the prompt chooses; None if it leaves the choice to the service or has a wrong value."""
    for part in parts:
        parameter = _parameter_of(part)
        if parameter.name in ("version", "niji") and part.values:
            value = plain_number(part.values[0].text)
            if value in parameter.words or is_older(parameter, value) or is_newer(parameter, value):
                return _Version(parameter.name == "niji", value)
    return None


def _exists_in(parameter: Parameter, version: _Version) -> bool:
    if parameter.only:
        return str(version) in parameter.only
    if parameter.since is None or version.niji:
        return True
    return version.number >= float(parameter.since)


def _may_exist_in(parameter: Parameter, version: _Version) -> bool:
    """Whether a version with the same major number has the parameter: the tables may be wrong there.

    Of newer versions than the tables have, nothing is known.
    """
    if is_newer(BY_SPELLING["niji" if version.niji else "version"], version.name):
        return True
    if parameter.since is not None:
        return int(version.number) == int(float(parameter.since))
    same = [each for each in parameter.only if each.startswith("niji ") == version.niji]
    return any(int(float(each.removeprefix("niji "))) == int(version.number) for each in same)


def _only(parameter: Parameter) -> str:
    return f"version {either(parameter.only)}"

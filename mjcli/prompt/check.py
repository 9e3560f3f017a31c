"""What is wrong with a prompt, found out before anything is sent.

What is certainly wrong is an error; what is doubtful, since the tables of the parameters disagree at their
edges (api.md, "Prompt parameters"), is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from mjcli.prompt.parameters import (
    DASHES,
    OLDER_VERSIONS,
    PARAMETERS,
    Parameter,
    check_value,
    fits,
    known,
    nearest,
    plain_number,
)
from mjcli.prompt.parse import Part, Prompt, Token, is_link, parse, slip

MAX_IMAGES = 5  # the service takes no more (api.md, "Endpoints")
ERROR, WARNING = "error", "warning"

_NAMES = {each.name: each for each in PARAMETERS}
_GLUED = r"(?is)--([a-z]+?)[=:]?([0-9.][0-9.:]*|(?<=[=:]).*)"  # a name and its value without a space
_NIJI_STYLES = ("cute", "scenic", "expressive", "original")


class Finding(NamedTuple):
    """Something about a prompt: how bad it is, a word for scripts, a sentence for people, and where it stands."""

    severity: str
    """`error` or `warning`."""
    code: str
    message: str
    start: int
    """Characters from the beginning of the prompt; `end` is exclusive."""
    end: int


def check(text: str) -> list[Finding]:
    """All that is wrong or doubtful in a prompt, in the order of its places; never raises."""
    prompt = parse(text)
    found = [*_emptiness(prompt), *_images(prompt), *_words(prompt)]
    given = [part for part in prompt.of("parameter") if part.parameter is not None]
    for part in prompt.of("parameter"):
        found += _parameter(part)
    found += [*_repeated(given), *_together(given), *_versions(given)]
    return sorted(found, key=lambda each: (each.start, each.end))


def _error(code: str, message: str, place: Token | Part) -> Finding:
    return Finding(ERROR, code, message, place.start, place.end)


def _warning(code: str, message: str, place: Token | Part) -> Finding:
    return Finding(WARNING, code, message, place.start, place.end)


# -- images and words ----------------------------------------------------------------------------------


def _emptiness(prompt: Prompt) -> Iterator[Finding]:
    if all(part.kind == "parameter" for part in prompt.parts):
        end = len(str(prompt))
        what = "no words and no image, only parameters" if prompt.parts else "nothing in it"
        yield Finding(ERROR, "empty", f"The prompt has {what}; say what shall be seen.", 0, end)


def _images(prompt: Prompt) -> Iterator[Finding]:
    images = prompt.of("image")
    for image in images[MAX_IMAGES : MAX_IMAGES + 1]:
        yield _error(
            "too_many_images",
            f"A prompt takes at most {MAX_IMAGES} images, and this is one of {len(images)}.",
            image,
        )


def _words(prompt: Prompt) -> Iterator[Finding]:
    for part in prompt.of("words") + prompt.of("stray"):
        for token in part.tokens:
            if is_link(token.text):
                yield _error(
                    "image_behind",
                    "The link of an image stands behind other words; images come first.",
                    token,
                )
            else:
                yield from _single_dash(token)
                yield from _glued(token)
    for part in prompt.of("stray"):
        # What follows a slip is its value.
        until_slip = takewhile(lambda each: slip(each.text) is None, part.tokens)
        words = [each for each in until_slip if not is_link(each.text)]
        if not words:
            continue
        if words[0].text[0] in DASHES:
            yield _warning(
                "odd_dash",
                f"{words[0].text} begins with a dash that is no part of a parameter; two hyphens begin one.",
                words[0],
            )
        else:
            message = "Words stand behind a parameter; all words come before the first one."
            yield Finding(ERROR, "words_behind", message, words[0].start, words[-1].end)


def _single_dash(token: Token) -> Iterator[Finding]:
    meant = slip(token.text)
    if isinstance(meant, Parameter):
        written = f"-{token.text}"
        yield _error("single_dash", f"A parameter begins with two hyphens: write {written}.", token)
    elif meant:
        yield _error(
            "single_dash",
            f"The service reads {token.text} as a parameter, and there is none of that name.",
            token,
        )


def _glued(token: Token) -> Iterator[Finding]:
    """A parameter that is read as the end of a word, since no space stands before it."""
    word, dashes, name = token.text.rpartition("--")
    if word.rstrip("-") and dashes and known(name):
        begin = token.start + len(word)
        message = f"A space is missing before --{name}; as it stands it is a part of the words."
        yield Finding(WARNING, "no_space", message, begin, token.end)


# -- one parameter -------------------------------------------------------------------------------------


def _parameter(part: Part) -> Iterator[Finding]:
    parameter, name = part.parameter, part.name
    if parameter is None:
        yield _unknown(name)
        return
    if not part.values and not parameter.flag:
        yield from _without_value(parameter, name)
        return
    values = [" ".join(each.text for each in part.values)] if parameter.name == "no" else None
    for token, value in zip(part.values, values or [each.text for each in part.values], strict=False):
        yield from _value(parameter, name, token, value)


def _unknown(name: Token) -> Finding:
    if name.text == "--":
        return _error(
            "dash_alone",
            "Two hyphens stand alone; a parameter's name follows them without a space, and a dash between words is —.",
            name,
        )
    bare = name.text.lstrip("-")
    glued = re.fullmatch(_GLUED, name.text)
    if glued and known(glued[1]):
        message = f"A space stands between a parameter and its value: write --{glued[1]} {glued[2]}."
    elif known(bare):
        message = f"A parameter begins with just two hyphens: write --{bare}."
    else:
        near = nearest(bare)
        message = f"There is no parameter {name.text}."
        if near is not None:
            message += f" Did you mean --{near.name}{f' (--{near.short})' if near.short else ''}?"
    return _error("unknown_parameter", message, name)


def _without_value(parameter: Parameter, name: Token) -> Iterator[Finding]:
    if not parameter.alone:
        examples = {"W:H": " 16:9", "URL": " https://…", "REF": " https://…", "WORDS": " text, logo"}
        example = examples.get(parameter.form, "")
        wanted = (
            f", {parameter.range[0]:g} to {int(parameter.range[1])}"
            if parameter.range
            else f": {', '.join(parameter.words)}"
            if parameter.words
            else f", such as {name.text}{example}"
            if example
            else ""
        )
        yield _error("missing_value", f"{name.text} needs a value{wanted}.", name)
    elif parameter.name == "niji":
        yield _warning("bare_niji", f"{name.text} has no version, so the service chooses one.", name)


def _value(parameter: Parameter, name: Token, token: Token, value: str) -> Iterator[Finding]:
    if parameter.name == "version" and plain_number(value) in OLDER_VERSIONS:
        yield _warning(
            "unknown_version", f"Version {value} is an old one that the service may not know.", token
        )
        return
    try:
        check_value(parameter, value)
    except ValueError as error:
        bare = value.rstrip(".,;")
        if bare != value and fits(parameter, bare):
            yield _error(
                "bad_value", f"No comma or full stop stands behind a value: write {name.text} {bare}.", token
            )
            return
        yield _error("bad_value", str(error).replace(f"--{parameter.option}", name.text, 1), token)
        return
    if parameter.name == "repeat" and value.lstrip("0") != "1":
        yield _warning("repeat_costs", f"The job is made {value} times, and each one is paid.", token)


# -- several together ----------------------------------------------------------------------------------


def _repeated(given: list[Part]) -> Iterator[Finding]:
    seen: dict[str, Part] = {}
    for part in given:
        parameter = _of(part)
        first = seen.setdefault(parameter.name, part)
        if first is part:
            continue
        if parameter.many:
            yield _warning(
                "repeated", f"{part.name.text} is given twice; its values may stand together.", part.name
            )
        else:
            yield _error("repeated", f"{part.name.text} is given twice; leave one out.", part.name)


def _together(given: list[Part]) -> Iterator[Finding]:
    names = {_of(part).name for part in given}
    groups: dict[str, Part] = {}
    for part in given:
        parameter = _of(part)
        if parameter.group is not None:
            first = groups.setdefault(parameter.group, part)
            if _of(first).name != parameter.name:
                yield _error(
                    "conflict",
                    f"{first.name.text} and {part.name.text} exclude one another; leave one out.",
                    part.name,
                )
        if parameter.needs is not None and parameter.needs not in names:
            yield _error(
                "missing_companion",
                f"{part.name.text} weighs --{parameter.needs}, which is not given.",
                part.name,
            )
        if parameter.name == "style" and "niji" not in names:
            for value in part.values:
                if value.text.lower() in _NIJI_STYLES:
                    yield _error(
                        "missing_companion",
                        f"The style {value.text} is one of --niji, which is not given.",
                        value,
                    )


def _of(part: Part) -> Parameter:
    assert part.parameter is not None
    return part.parameter


# -- versions ------------------------------------------------------------------------------------------


class _Version(NamedTuple):
    """A version of the model, as the prompt chooses it."""

    niji: bool
    name: str

    @property
    def number(self) -> float:
        return float(self.name)

    def __str__(self) -> str:
        return f"niji {self.name}" if self.niji else self.name


def _versions(given: list[Part]) -> Iterator[Finding]:
    version = _chosen(given)
    if version is None:
        return
    for part in given:
        parameter = _of(part)
        if str(version) in parameter.never:
            yield _error("version", f"Version {version} does not know {part.name.text}.", part.name)
        elif not _knows(parameter, version):
            finding = _warning if _is_near(parameter, version) else _error
            yield finding("version", f"{_reason(parameter, part, version)}", part.name)
        taken = parameter.by_version.get(str(version), parameter.words)
        for value in part.values:
            plain = plain_number(value.text)
            if plain in parameter.words and plain not in taken and parameter.by_version:
                yield _warning(
                    "version_value",
                    f"Version {version} takes {', '.join(taken)} for {part.name.text}, as far as is known.",
                    value,
                )


def _chosen(given: Iterable[Part]) -> _Version | None:
    """The version that the prompt itself chooses; None when it leaves that to the service, or is wrong."""
    for part in given:
        parameter = _of(part)
        if parameter.name in ("version", "niji") and part.values:
            value = plain_number(part.values[0].text)
            if value in parameter.words or value in OLDER_VERSIONS:
                return _Version(parameter.name == "niji", value)
    return None


def _knows(parameter: Parameter, version: _Version) -> bool:
    if parameter.only:
        return str(version) in parameter.only
    if parameter.since is None or version.niji:
        return True
    return version.number >= float(parameter.since)


def _is_near(parameter: Parameter, version: _Version) -> bool:
    """Whether a version of the same number before the point knows the parameter: the tables may be wrong."""
    if parameter.since is not None:
        return int(version.number) == int(float(parameter.since))
    same = [each for each in parameter.only if each.startswith("niji ") == version.niji]
    return any(int(float(each.removeprefix("niji "))) == int(version.number) for each in same)


def _reason(parameter: Parameter, part: Part, version: _Version) -> str:
    known_by = f"version {parameter.since} on" if parameter.since else " and ".join(parameter.only)
    return f"Version {version} does not know {part.name.text}: it is for {known_by}, as far as is known."

"""The table of prompt parameters: one row for each parameter, and the checks of their values.

The command-line options, the checker, completion and the tables of the man pages all come
from this table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

VERSIONS = ("5.2", "6", "6.1", "7", "8", "8.1", "8.2")
NIJI_VERSIONS = ("4", "5", "6", "7")
# No longer documented, but the service may still accept them.
OLDER_VERSIONS = ("1", "2", "3", "4", "5", "5.1")
OLDER_NIJI_VERSIONS = ("1", "2", "3")
_LAST_VERSION = 20  # a higher number is a typing mistake, such as 61 for 6.1

# Hyphen, non-breaking hyphen, figure dash, en and em dash, bar, minus, two- and three-em dash, and the small em
# dash and hyphen-minus, and the full-width hyphen-minus.
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d"

_WEIGHTED = r"(::-?[0-9]*\.?[0-9]+)?"
_LINK = r"https?://\S+"
# Strings, compiled on first use: most commands never need them.
FORMS = {
    "W:H": r"0*[1-9][0-9]*:0*[1-9][0-9]*",
    "URL": f"(?i:{_LINK}){_WEIGHTED}",
    "REF": f"(?i:{_LINK}|[0-9]+|random){_WEIGHTED}",
    "CODE": r"[0-9A-Za-z_-]+",
}
_FORM_NAMES = {
    "W:H": "an aspect ratio",
    "URL": "an image link",
    "REF": "a style reference",
    "CODE": "a code",
}
_FORM_VALUES = {
    "W:H": "W:H in whole numbers, such as 16:9",
    "URL": "a link that starts with http:// or https://",
    "REF": "an image link, a code of digits, or random",
    "CODE": "letters and digits",
    "WORDS": 'words, such as "text, logo"',
}
# Styles of version 5.2: codes, combined with hyphens, and random ones.
STYLE_CODE = r"(?i)random(-[0-9]{1,4})?|(raw-)?(?=[a-z-]*[0-9])[0-9a-z]{5,}(-[0-9a-z]{5,})*"
SHORTEST_CODE = 3  # characters of a --p code that is no word such as "a"
_MOST_QUOTED = 40  # characters; image links are longer, and findings have positions anyway


class Parameter(NamedTuple):
    """One parameter of the prompt language.

    Its value is one of `words`, a number in `range` (inclusive; `whole` numbers only unless false), or text
    of the given `form` (a key of `FORMS`, or WORDS for any text); a `flag` has no value. `many` allows
    several values, `alone` allows none. `other` is a regular expression of rarer values. `body` is the request
    field with the same meaning, which the option sets as well.

    A prompt has at most one parameter of each `group`. `needs` names the parameter (or group) without which
    this one has no effect. It exists in model versions from `since` on, or in `only` these ("niji 6" for a
    version of niji), but not in those of `never`; `by_version` narrows down the words for some versions.
    """

    name: str
    help: str
    short: str | None = None
    aliases: tuple[str, ...] = ()
    flag: bool = False
    range: tuple[float, float] | None = None
    whole: bool = True
    words: tuple[str, ...] = ()
    form: str = "WORDS"
    many: bool = False
    alone: bool = False
    other: str | None = None
    body: str | None = None
    group: str | None = None
    needs: str | None = None
    since: str | None = None
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    by_version: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def option(self) -> str:
        """Name of the command-line option; `--p` for profile, since `--profile` is an option of mj itself."""
        return "p" if self.name == "profile" else self.name

    @property
    def metavar(self) -> str:
        """Placeholder of the value in help texts."""
        if self.words:
            return "|".join(self.words)
        return "N" if self.range else self.form

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names of the parameter, without the dashes."""
        return (self.name, *([self.short] if self.short else []), *self.aliases)

    @property
    def slot(self) -> str:
        """What a prompt has at most one of: the group of the parameter, or else the parameter."""
        return self.group or self.name

    @property
    def takes(self) -> str:
        """The allowed values, for the end of a sentence."""
        if self.words:
            return either(self.words)
        return f"{self.range[0]:g} to {int(self.range[1])}" if self.range else _FORM_VALUES[self.form]


_QUALITIES = MappingProxyType(
    {
        **dict.fromkeys(("5.2", "6", "6.1"), (".25", ".5", "1")),
        "7": ("1", "2", "4"),
        "8": ("1", "4"),
        "8.2": ("1", "2"),
    }
)

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("version", "Model version.", "v", words=VERSIONS, body="version", group="version"),
    Parameter("niji", "Model version for anime.", words=NIJI_VERSIONS, alone=True, group="version"),
    Parameter("aspect", "Aspect ratio, W:H.", "ar", form="W:H"),
    Parameter(
        "quality",
        "Rendering quality and time.",
        "q",
        words=(".25", ".5", "1", "2", "4"),
        body="quality",
        never=("8.1",),
        by_version=_QUALITIES,
    ),
    Parameter("hd", "High definition (version 8 and later).", flag=True, body="hd", group="definition"),
    Parameter("sd", "Standard definition (version 8 and later).", flag=True, group="definition"),
    Parameter("stylize", "Strength of Midjourney's own style, 0-1000.", "s", range=(0, 1000)),
    Parameter("chaos", "Variety among the four images, 0-100.", "c", range=(0, 100)),
    Parameter("weird", "Degree of strangeness, 0-3000.", "w", range=(0, 3000), since="5.2"),
    Parameter("seed", "Seed of the initial noise, 0-4294967295.", range=(0, 4294967295)),
    Parameter("stop", "Percentage to stop at, 10-100.", range=(10, 100)),
    Parameter("repeat", "Number of jobs, 1-40, each billed separately.", "r", range=(1, 40)),
    Parameter("no", "Things to exclude, comma-separated.", many=True),
    Parameter(
        "style",
        "Style; all but raw need --niji.",
        words=("raw", "cute", "scenic", "expressive", "original"),
        other=STYLE_CODE,
        since="5.1",
    ),
    Parameter("raw", "Same as --style raw.", flag=True, since="5.1"),
    Parameter("iw", "Weight of the image prompts, 0-3.", range=(0, 3), whole=False, since="5"),
    Parameter(
        "sref", "Style reference: link, code or random (repeatable).", form="REF", many=True, since="6"
    ),
    Parameter("sw", "Weight of --sref, 0-1000.", range=(0, 1000), needs="sref", since="6"),
    Parameter("sv", "Version of the style reference, 1-8.", range=(1, 8), since="6"),
    Parameter("cref", "Character reference (repeatable).", form="URL", many=True, only=("6", "niji 6")),
    Parameter("cw", "Weight of --cref, 0-100.", range=(0, 100), needs="cref", only=("6", "niji 6")),
    Parameter("oref", "Omni reference.", form="URL", since="7"),
    Parameter("ow", "Weight of --oref, 1-1000.", range=(1, 1000), needs="oref", since="7"),
    Parameter("exp", "Experimental aesthetics, 0-100.", range=(0, 100), since="7"),
    Parameter(
        "profile",
        "Personalisation code (repeatable).",
        "p",
        ("personalize",),
        form="CODE",
        many=True,
        alone=True,
        since="6",
    ),
    Parameter("tile", "Seamless pattern.", flag=True),
    Parameter("draft", "Draft mode.", flag=True),
    Parameter("video", "Video of the image being generated.", flag=True),
    Parameter("fast", "Fast mode, set in the prompt.", flag=True, group="mode"),
    Parameter("relax", "Relax mode, set in the prompt.", flag=True, group="mode"),
    Parameter("turbo", "Turbo mode, set in the prompt.", flag=True, group="mode", never=("8.1",)),
    Parameter("stealth", "Hide the image from the public gallery.", flag=True, group="visibility"),
    Parameter("public", "Show the image in the public gallery.", flag=True, group="visibility"),
)

BY_SPELLING = {spelling: each for each in PARAMETERS for spelling in each.spellings}


def known(spelling: str) -> Parameter | None:
    """The parameter with this name (without dashes, in any case), or None."""
    return BY_SPELLING.get(spelling.lower())


def nearest(spelling: str, *, cutoff: float = 0.6) -> Parameter | None:
    """The parameter that a misspelled name most likely stands for, or None if none is as similar (0 to 1)."""
    from difflib import get_close_matches

    near = get_close_matches(spelling.lower(), BY_SPELLING, n=1, cutoff=cutoff)
    return BY_SPELLING[near[0]] if near else None


def check_value(parameter: Parameter, value: str, name: str | None = None) -> str:
    """The value as it goes into the prompt. Raises `ValueError` with a sentence for a wrong value.

    `name` is the parameter as the user wrote it, with its dashes; the sentence contains it.
    """
    name = name or f"--{parameter.option}"
    value = value.strip()
    if not value:
        raise ValueError(f"{name} needs a value: {parameter.takes}.")
    if "\n" in value:
        raise ValueError(f"The value of {name} must be on one line.")
    if parameter.words:
        return _check_word(parameter, value, name)
    if parameter.range is not None:
        return _check_number(parameter, value, parameter.range, name)
    if parameter.form in FORMS:
        if not re.fullmatch(FORMS[parameter.form], value):
            kind = _FORM_NAMES[parameter.form]
            raise ValueError(f"{quoted(value)} is not {kind}: {name} takes {parameter.takes}.")
    elif value.startswith("-"):
        raise ValueError(f"{quoted(value)} looks like an option: {name} takes {parameter.takes}.")
    return value


def is_older(parameter: Parameter, value: str) -> bool:
    """Whether a value of --version or --niji is a version that is no longer documented."""
    older = {"version": OLDER_VERSIONS, "niji": OLDER_NIJI_VERSIONS}.get(parameter.name, ())
    return plain_number(value) in older


def is_newer(parameter: Parameter, value: str) -> bool:
    """Whether a value of --version or --niji is a version after the last one of the table."""
    if parameter.slot != "version" or not re.fullmatch(r"[0-9]{1,2}(\.[0-9])?", value):
        return False
    return float(parameter.words[-1]) < float(value) <= _LAST_VERSION


def fits(parameter: Parameter, value: str) -> bool:
    """Whether a word can be a value of the parameter; versions that the table does not have can, too."""
    if is_older(parameter, value) or is_newer(parameter, value):
        return True
    try:
        check_value(parameter, value)
    except ValueError:
        return False
    return True


def plain_number(value: str) -> str:
    """The shortest way to write a number among the words of a parameter: `.5` for 0.5, `6` for 6.0."""
    value = value.removesuffix(".0")
    return value[1:] if value.startswith("0.") else value


def quoted(text: str) -> str:
    """Text of the user in double quotes, for a message; the middle of a long one is left out."""
    if len(text) > _MOST_QUOTED:
        half = (_MOST_QUOTED - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return f'"{text}"'


def either(words: Sequence[str]) -> str:
    """`a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _check_word(parameter: Parameter, value: str, name: str) -> str:
    plain = plain_number(value.lower())
    if plain in parameter.words:
        return plain
    if parameter.other is not None and re.fullmatch(parameter.other, value):
        return value
    raise ValueError(f"{quoted(value)} is not valid: {name} takes {parameter.takes}.")


def _check_number(parameter: Parameter, value: str, bounds: tuple[float, float], name: str) -> str:
    low, high = bounds
    digits = value.removeprefix("-").replace(".", "", 0 if parameter.whole else 1)
    if not (value.isascii() and digits.isdigit()):
        kind = "a whole number" if parameter.whole else "a number"
        raise ValueError(f"{quoted(value)} is not {kind}: {name} takes {parameter.takes}.")
    if value.startswith("-") or not low <= float(value) <= high:
        raise ValueError(f"{quoted(value)} is out of range: {name} takes {parameter.takes}.")
    return value

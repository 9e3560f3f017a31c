"""The one table of prompt parameters (api.md, "Prompt parameters"); adding a parameter is adding a row.

From it come the options of `imagine` and `blend`, what the checker knows, completion, and the tables of the
man pages and the README.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

VERSIONS = ("5.2", "6", "6.1", "7", "8", "8.1", "8.2")
NIJI_VERSIONS = ("4", "5", "6", "7")
OLDER_VERSIONS = ("4", "5", "5.1")  # the tables do not name them any more; the service may still know them

# Hyphen, non-breaking hyphen, figure dash, en and em dash, bar, minus, small and full-width hyphen-minus.
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"

_WEIGHTED = r"(::-?[0-9]*\.?[0-9]+)?"
_LINK = r"https?://\S+"
# Patterns are compiled when they are first wanted: most commands never want them.
FORMS = {
    "W:H": r"0*[1-9][0-9]*:0*[1-9][0-9]*",
    "URL": f"(?i:{_LINK}){_WEIGHTED}",
    "REF": f"(?i:{_LINK}|[0-9]+|random){_WEIGHTED}",
    "CODE": r"[0-9A-Za-z_-]+",
}
_WANTED = {
    "W:H": "width:height in whole numbers, such as 16:9",
    "URL": "the link of a picture",
    "REF": "the link of a picture, a code of digits, or random",
    "CODE": "a code of letters and digits",
}


class Parameter(NamedTuple):
    """A parameter of the prompt language, and what is known of it.

    Its value is one of `words`, a number in `range` (inclusive; `whole` ones only), or a text of the `form`
    (`FORMS`; WORDS is any text); a `flag` takes none. `many` may have several values, one that may stand
    `alone` none at all. `body` names the request field of the same meaning, which the option sets as well.

    Of all in one `group` a prompt has but one; `needs` is the parameter that it says something about, or its
    group. Versions: known from `since` on, or `only` to these ("niji 6" for one of niji), and not to those in
    `never`; `by_version` narrows the words down.
    """

    name: str
    help: str
    short: str | None = None
    flag: bool = False
    range: tuple[float, float] | None = None
    whole: bool = True
    words: tuple[str, ...] = ()
    form: str = "WORDS"
    many: bool = False
    alone: bool = False
    body: str | None = None
    group: str | None = None
    needs: str | None = None
    since: str | None = None
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    by_version: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def option(self) -> str:
        """The command-line option's own name (mj's `--profile` is another thing)."""
        return "p" if self.name == "profile" else self.name

    @property
    def metavar(self) -> str:
        """What the help shows for the value."""
        if self.words:
            return "|".join(self.words)
        return "N" if self.range else self.form

    @property
    def spellings(self) -> tuple[str, ...]:
        """How the parameter may be written, without the dashes."""
        return (self.name, self.short) if self.short else (self.name,)

    @property
    def slot(self) -> str:
        """What a prompt has one of: the parameter, or one of its group."""
        return self.group or self.name


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
    Parameter("aspect", "Proportions, width to height.", "ar", form="W:H"),
    Parameter(
        "quality",
        "Time spent on details.",
        "q",
        words=(".25", ".5", "1", "2", "4"),
        body="quality",
        never=("8.1",),
        by_version=_QUALITIES,
    ),
    Parameter("hd", "High definition (version 8 on).", flag=True, body="hd", group="definition"),
    Parameter("sd", "Standard definition (version 8 on).", flag=True, group="definition"),
    Parameter("stylize", "How strongly Midjourney's taste shows, 0-1000.", "s", range=(0, 1000)),
    Parameter("chaos", "How much the four pictures differ, 0-100.", "c", range=(0, 100)),
    Parameter("weird", "How strange, 0-3000.", "w", range=(0, 3000), since="5.2"),
    Parameter("seed", "Start from this noise, 0-4294967295.", range=(0, 4294967295)),
    Parameter("stop", "End early, at this percentage, 10-100.", range=(10, 100)),
    Parameter("repeat", "Make the job this many times, 1-40; each one is paid.", "r", range=(1, 40)),
    Parameter("no", "What shall not be seen, with commas.", many=True),
    Parameter(
        "style",
        "Less of Midjourney's taste; all but raw with --niji.",
        words=("raw", "cute", "scenic", "expressive", "original"),
        since="5.1",
    ),
    Parameter("raw", "The same as --style raw.", flag=True, since="5.1"),
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
        form="CODE",
        many=True,
        alone=True,
        since="6",
    ),
    Parameter("tile", "A pattern that repeats without a seam.", flag=True),
    Parameter("draft", "Draft mode.", flag=True),
    Parameter("video", "Keep a video of the picture being made.", flag=True),
    Parameter("fast", "Fast mode, said in the prompt.", flag=True, group="mode"),
    Parameter("relax", "Relax mode, said in the prompt.", flag=True, group="mode"),
    Parameter("turbo", "Turbo mode, said in the prompt.", flag=True, group="mode", never=("8.1",)),
    Parameter("stealth", "Keep the picture off the public gallery.", flag=True, group="who sees the picture"),
    Parameter("public", "Show the picture in the public gallery.", flag=True, group="who sees the picture"),
)

BY_SPELLING = {spelling: each for each in PARAMETERS for spelling in each.spellings}


def known(spelling: str) -> Parameter | None:
    """The parameter that is written so, without its dashes; capitals do not count."""
    return BY_SPELLING.get(spelling.lower())


def nearest(spelling: str) -> Parameter | None:
    """The parameter that a wrong spelling is most probably a slip of."""
    from difflib import get_close_matches

    near = get_close_matches(spelling.lower(), BY_SPELLING, n=1, cutoff=0.6)
    return BY_SPELLING[near[0]] if near else None


def check_value(parameter: Parameter, value: str) -> str:
    """The value as it goes into the prompt. Raises `ValueError` with a sentence when it is certainly wrong."""
    value = value.strip()
    if not value or "\n" in value:
        raise ValueError(f"--{parameter.option} needs a value.")
    if parameter.words:
        return _word(parameter, value)
    if parameter.range is not None:
        return _number(parameter, value, parameter.range)
    if parameter.form in FORMS:
        if not re.fullmatch(FORMS[parameter.form], value):
            raise ValueError(f"--{parameter.option} takes {_WANTED[parameter.form]}, not {value}.")
    elif value.startswith("-"):
        raise ValueError(f"--{parameter.option} needs a value, and {value} looks like an option.")
    return value


def fits(parameter: Parameter, value: str) -> bool:
    """Whether a word can be a value of the parameter."""
    try:
        check_value(parameter, value)
    except ValueError:
        return False
    return True


def plain_number(value: str) -> str:
    """The shortest way to write a number among the words of a parameter: `.5` for 0.5, `6` for 6.0."""
    value = value.removesuffix(".0")
    return value[1:] if value.startswith("0.") else value


def _word(parameter: Parameter, value: str) -> str:
    plain = plain_number(value.lower())
    if plain in parameter.words:
        return plain
    raise ValueError(f"--{parameter.option} takes {', '.join(parameter.words)}, not {value}.")


def _number(parameter: Parameter, value: str, bounds: tuple[float, float]) -> str:
    low, high = bounds
    kind = "a whole number" if parameter.whole else "a number"
    plain = value.isascii() and value.replace(".", "", 0 if parameter.whole else 1).isdigit()
    if not plain or not low <= float(value) <= high:
        raise ValueError(f"--{parameter.option} takes {kind} from {low:g} to {int(high)}, not {value}.")
    return value

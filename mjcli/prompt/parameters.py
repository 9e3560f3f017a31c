"""The one table of prompt parameters (api.md, "Prompt parameters"); adding a parameter is adding a row."""

from __future__ import annotations

from typing import NamedTuple

VERSIONS = ("5.2", "6", "6.1", "7", "8", "8.1", "8.2")
NIJI_VERSIONS = ("4", "5", "6", "7")


class Parameter(NamedTuple):
    """A parameter of the prompt language.

    `values` says what may follow: an inclusive range `(low, high)`, a tuple of words, or None for any
    text; a `flag` takes nothing. `whole` asks for whole numbers. `body` names the request field of the
    same meaning, which the option sets as well.
    """

    name: str
    help: str
    short: str | None = None
    flag: bool = False
    range: tuple[float, float] | None = None
    whole: bool = True
    words: tuple[str, ...] = ()
    form: str = "TEXT"
    many: bool = False
    body: str | None = None

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


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("version", "Model version.", "v", words=VERSIONS, body="version"),
    Parameter("niji", "Model version for anime.", words=NIJI_VERSIONS),
    Parameter("aspect", "Proportions, width to height.", "ar", form="W:H"),
    Parameter("quality", "Time spent on details.", "q", words=(".25", ".5", "1", "2", "4"), body="quality"),
    Parameter("hd", "High definition (version 8 on).", flag=True, body="hd"),
    Parameter("sd", "Standard definition (version 8 on).", flag=True),
    Parameter("stylize", "How strongly Midjourney's taste shows, 0-1000.", "s", range=(0, 1000)),
    Parameter("chaos", "How much the four pictures differ, 0-100.", "c", range=(0, 100)),
    Parameter("weird", "How strange, 0-3000.", "w", range=(0, 3000)),
    Parameter("seed", "Start from this noise, 0-4294967295.", range=(0, 4294967295)),
    Parameter("stop", "End early, at this percentage, 10-100.", range=(10, 100)),
    Parameter("repeat", "Make the job this many times, 1-40; each one is paid.", "r", range=(1, 40)),
    Parameter("no", "What shall not be seen, with commas.", form="WORDS"),
    Parameter(
        "style",
        "Less of Midjourney's taste; all but raw with --niji.",
        words=("raw", "cute", "scenic", "expressive", "original"),
    ),
    Parameter("raw", "The same as --style raw.", flag=True),
    Parameter("iw", "Weight of the image prompts, 0-3.", range=(0, 3), whole=False),
    Parameter("sref", "Style reference: link, code or random (repeatable).", form="REF", many=True),
    Parameter("sw", "Weight of --sref, 0-1000.", range=(0, 1000)),
    Parameter("sv", "Version of the style reference, 1-8.", range=(1, 8)),
    Parameter("cref", "Character reference (repeatable).", form="URL", many=True),
    Parameter("cw", "Weight of --cref, 0-100.", range=(0, 100)),
    Parameter("oref", "Omni reference.", form="URL"),
    Parameter("ow", "Weight of --oref, 1-1000.", range=(1, 1000)),
    Parameter("exp", "Experimental aesthetics, 0-100.", range=(0, 100)),
    Parameter("profile", "Personalisation code (repeatable).", "p", form="CODE", many=True),
    Parameter("tile", "A pattern that repeats without a seam.", flag=True),
    Parameter("draft", "Draft mode.", flag=True),
    Parameter("video", "Keep a video of the picture being made.", flag=True),
    Parameter("fast", "Fast mode, said in the prompt.", flag=True),
    Parameter("relax", "Relax mode, said in the prompt.", flag=True),
    Parameter("turbo", "Turbo mode, said in the prompt.", flag=True),
    Parameter("stealth", "Keep the picture off the public gallery.", flag=True),
    Parameter("public", "Show the picture in the public gallery.", flag=True),
)


def check_value(parameter: Parameter, value: str) -> str:
    """The value as it goes into the prompt. Raises `ValueError` with a sentence when it is certainly wrong."""
    value = value.strip()
    if not value or "\n" in value:
        raise ValueError(f"--{parameter.option} needs a value.")
    if parameter.words:
        if value.lower() in parameter.words:
            return value.lower()
        if value == "0" + value.lstrip("0") and value.lstrip("0") in parameter.words:  # 0.5 for .5
            return value.lstrip("0")
        raise ValueError(f"--{parameter.option} takes {', '.join(parameter.words)}, not {value}.")
    if parameter.range is not None:
        return _number(parameter, value, parameter.range)
    if parameter.form == "W:H":
        width, colon, height = value.partition(":")
        if not (colon and _positive(width) and _positive(height)):
            raise ValueError(
                f"--{parameter.name} takes width:height in whole numbers, such as 16:9, not {value}."
            )
    elif parameter.form == "URL" and not value.lower().startswith(("http://", "https://")):
        raise ValueError(f"--{parameter.name} takes the link of a picture, not {value}.")
    elif value.startswith("-"):
        raise ValueError(f"--{parameter.option} needs a value, and {value} looks like an option.")
    return value


def _number(parameter: Parameter, value: str, bounds: tuple[float, float]) -> str:
    low, high = bounds
    kind = "a whole number" if parameter.whole else "a number"
    plain = value.isascii() and value.replace(".", "", 0 if parameter.whole else 1).isdigit()
    if not plain or not low <= float(value) <= high:
        raise ValueError(f"--{parameter.option} takes {kind} from {low:g} to {int(high)}, not {value}.")
    return value


def _positive(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0

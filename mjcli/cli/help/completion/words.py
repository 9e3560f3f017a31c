"""What the completion scripts of all shells share: names, flags and values of the commands."""

from __future__ import annotations

from typing import NamedTuple

from mjcli.cli.help.data import Argument, Command, Option


def name_of(command: Command) -> str:
    """The key of a command in the scripts' tables: `auth login`; empty for `mj` itself."""
    return " ".join(command["path"])


def all_flags(option: Option) -> list[str]:
    """Every spelling of an option, those that turn it off last."""
    return option["flags"] + option["off"]


def candidates(parameter: Argument | Option) -> list[str]:
    """The values to offer for an argument or option."""
    return parameter["choices"] or parameter["words"]


class Offer(NamedTuple):
    """What completes the value of an argument or option, all of it together."""

    words: dict[str, str]
    """Values, each with what it means; empty if its name says it."""
    files: str
    """`path` (files and directories), `dir`, or empty."""
    query: str
    """The kind of words that `mj --complete` prints, or empty."""


_FILES = {"file": "path", "path": "path", "image": "path", "dir": "dir"}
# Kinds of words that `mj --complete` prints; see `value` in `mjcli.cli.help.data`.
QUERIES = ("image", "video", "task", "job", "tag", "profile", "preset", "key", "setting")


def offer(parameter: Argument | Option) -> Offer:
    """What completes the value of an argument or option."""
    value = parameter["value"]
    query = value if value in QUERIES else ""
    notes = parameter.get("notes", {})
    # References come with the answer to the query.
    words = [word for word in candidates(parameter) if not (query and word.startswith("@"))]
    described = {word: notes.get(word) or _note(word) for word in words}  # type: ignore[attr-defined]
    return Offer(described, _FILES.get(value, ""), query)


def _note(word: str) -> str:
    if word in _NOTES:
        return _NOTES[word]
    action, number = word[:-1], word[-1]
    if number.isdecimal() and action in ("upscale", "variation"):
        return f"{'Upscale' if action == 'upscale' else 'Vary'} image {number} of the grid"
    return ""


_NOTES = {
    "fast": "Normal speed and price",
    "relax": "Slower and cheaper",
    "turbo": "Faster, at a higher price",
    "reroll": "Make the grid again",
    "upscale_2x": "Enlarge to twice the size",
    "upscale_4x": "Enlarge to four times the size",
    "upscale_subtle": "Enlarge, close to the image",
    "upscale_creative": "Enlarge, with new details",
    "redo_upscale_2x": "Enlarge to twice the size again",
    "redo_upscale_4x": "Enlarge to four times the size again",
    "redo_upscale_subtle": "Enlarge again, close to the image",
    "redo_upscale_creative": "Enlarge again, with new details",
    "variation_subtle": "Vary a little",
    "variation_strong": "Vary a lot",
    "variation_region": "Redraw a region",
    "zoom_out_2x": "Zoom out by 2",
    "zoom_out_1_5x": "Zoom out by 1.5",
    "pan_left": "Extend to the left",
    "pan_right": "Extend to the right",
    "pan_up": "Extend upwards",
    "pan_down": "Extend downwards",
    "square": "Extend to a square",
    "random": "A random style",
    "header": "In the Authorization header",
    "query": "In the URL",
    "submitting": "Not accepted yet",
    "running": "Accepted, without a result yet",
    "unknown": "The outcome is unknown",
    "done": "Finished with a result",
    "failed": "Ended without a result",
    "unfinished": "Can be resumed",
    "1:1": "Square",
    "3:2": "Landscape, as in photographs",
    "2:3": "Portrait, as in photographs",
    "16:9": "Widescreen",
    "9:16": "Upright screen",
    "21:9": "Cinema",
}


def brief(text: str) -> str:
    """The first sentence of a help text, without its period."""
    return text.split(". ")[0].rstrip(".")


def valued_flags(command: Command) -> list[str]:
    """The spellings of a command's options that take a value."""
    return [flag for option in command["options"] if option["value"] for flag in option["flags"]]


def single_quoted(text: str) -> str:
    """The text as one word of a POSIX shell's command line."""
    return "'" + text.replace("'", "'\\''") + "'"

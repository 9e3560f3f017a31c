"""What the completion scripts of all shells share: names, flags and values of the commands."""

from __future__ import annotations

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


def brief(text: str) -> str:
    """The first sentence of a help text, without its period."""
    return text.split(". ")[0].rstrip(".")


def valued_flags(command: Command) -> list[str]:
    """The spellings of a command's options that take a value."""
    return [flag for option in command["options"] if option["value"] for flag in option["flags"]]


def single_quoted(text: str) -> str:
    """The text as one word of a POSIX shell's command line."""
    return "'" + text.replace("'", "'\\''") + "'"

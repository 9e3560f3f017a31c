"""The commands of `mj` as plain data, from which the help, the man pages and the completions are rendered.

`commands.json` is written from the command tree by `python -m mjcli.gen`. Reading it needs neither
Typer nor any command's module, which is what makes `mj --help` quick.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Iterator, Sequence
from typing import TypedDict

# The panel of the options that every command takes; it is shown last.
GLOBAL_PANEL = "Options for every command"


class Argument(TypedDict):
    """An argument of a command."""

    metavar: str
    help: str
    required: bool
    many: bool
    """Takes any number of words."""
    choices: list[str]
    """All the values there are; else empty."""
    words: list[str]
    """Values worth offering where others are allowed too."""
    value: str
    """`text`, `file`, `dir` or `path` (a file or a directory)."""
    default: str


class Option(TypedDict):
    """An option of a command."""

    flags: list[str]
    """Short spelling first: `["-q", "--quiet"]`."""
    off: list[str]
    """The spellings that say the opposite: `["--no-stream"]`."""
    metavar: str
    """Empty for a flag."""
    help: str
    required: bool
    repeatable: bool
    panel: str
    """The heading it stands under; empty for the ordinary one."""
    choices: list[str]
    words: list[str]
    value: str
    """As in `Argument`; empty for a flag."""
    default: str


class Command(TypedDict):
    """A command, a group of commands, or `mj` itself."""

    path: list[str]
    """The words after `mj`."""
    summary: str
    description: list[str]
    """Paragraphs. One whose lines are indented is shown as it is; lines that start with `- ` are items."""
    examples: list[str]
    """Lines: `# comment`, a command, or empty."""
    arguments: list[Argument]
    options: list[Option]
    commands: list[Command]
    needs_command: bool
    """Whether it does nothing without one of its commands."""


Tree = Command

_loaded: Tree | None = None


def load() -> Tree:
    """The commands as the package ships them; `mj` itself is the root."""
    global _loaded
    if _loaded is None:
        with open(os.path.join(os.path.dirname(__file__), "commands.json"), "rb") as file:  # noqa: PTH118, PTH120, PTH123
            _loaded = json.loads(file.read())
    assert _loaded is not None
    return _loaded


def find(path: Sequence[str], tree: Tree) -> Command | None:
    """The command that these words after `mj` lead to, or None."""
    command = tree
    for word in path:
        for sub in command["commands"]:
            if sub["path"][-1] == word:
                command = sub
                break
        else:
            return None
    return command


def known_path(path: tuple[str, ...]) -> bool:
    """Whether these words after `mj` name a command; `()` is `mj` itself."""
    return find(path, load()) is not None


def walk(tree: Tree) -> Iterator[Command]:
    """The command and everything below it, parents first."""
    yield tree
    for sub in tree["commands"]:
        yield from walk(sub)


def usage(command: Command) -> str:
    """How the command is called: `mj imagine [OPTIONS] PROMPT...`."""
    words = ["mj", *command["path"], "[OPTIONS]"]
    if command["commands"]:
        words.append("COMMAND" if command["needs_command"] else "[COMMAND]")
    words += [spelled(argument) for argument in command["arguments"]]
    return " ".join(words)


def spelled(argument: Argument) -> str:
    """An argument as a usage line shows it: `PROMPT...`, `[IMAGE]`."""
    text = argument["metavar"] + ("..." if argument["many"] else "")
    return text if argument["required"] else f"[{text}]"


def notes(parameter: Argument | Option) -> str:
    """What the help says behind the words of the author: values and default."""
    said = []
    choices = parameter["choices"]
    if choices and parameter["metavar"] != "|".join(choices):
        said.append("one of: " + ", ".join(choices))
    if parameter["default"]:
        said.append("default: " + parameter["default"])
    return f"({'; '.join(said)})" if said else ""


def explained(parameter: Argument | Option) -> str:
    """The help of an argument or option, with its values and default."""
    return f"{parameter['help']} {notes(parameter)}".strip()


def panels(command: Command) -> list[tuple[str, list[Option]]]:
    """Options by heading: the ordinary ones, the others as they come, those of every command last."""
    grouped: dict[str, list[Option]] = {"": []}
    for option in command["options"]:
        grouped.setdefault(option["panel"], []).append(option)
    last = grouped.pop(GLOBAL_PANEL, None)
    if last:
        grouped[GLOBAL_PANEL] = last
    return [(panel or "Options", options) for panel, options in grouped.items() if options]

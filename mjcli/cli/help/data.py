"""The commands of `mj` as plain data, from which the help, the man pages and the completions are rendered.

`python -m mjcli.gen` writes `commands.json` from the command tree. Reading it loads neither Typer nor the
modules of the commands, which keeps `mj --help` fast.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

from mjcli.cli.help import GLOBAL_PANEL


class Argument(TypedDict):
    """An argument of a command."""

    metavar: str
    help: str
    required: bool
    many: bool
    """Whether it takes any number of words."""
    choices: list[str]
    """All accepted values; empty if any text is accepted."""
    words: list[str]
    """Suggested values; others are accepted, too."""
    notes: dict[str, str]
    """What some of the values mean."""
    value: str
    """What completes it: `text` (nothing), `file`, `dir`, `path` (a file or a directory); `image` (a file, or an
    image of the ledger), `video`, `task`, `job`, `tag` (of the ledger); `profile`, `preset`, `key`, `setting` (of the
    config file: names, keys, and the values of the key before it)."""
    default: str


class Option(TypedDict):
    """An option of a command."""

    flags: list[str]
    """Short spelling first: `["-q", "--quiet"]`."""
    off: list[str]
    """The spellings that turn it off: `["--no-stream"]`."""
    metavar: str
    """Empty for a flag."""
    help: str
    required: bool
    repeatable: bool
    panel: str
    """Its heading in the help; empty for "Options"."""
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
    """Paragraphs. Indented ones are shown unchanged; lines that begin with `- ` are list items."""
    examples: list[str]
    """Lines: `# comment`, a command, or empty."""
    arguments: list[Argument]
    options: list[Option]
    commands: list[Command]
    needs_command: bool
    """Whether it requires one of its commands."""


Tree = Command

# What `commands.json` leaves out.
NO_ARGUMENT = Argument(
    metavar="", help="", required=False, many=False, choices=[], words=[], notes={}, value="text", default=""
)
NO_OPTION = Option(
    flags=[], off=[], metavar="", help="", required=False, repeatable=False, panel="", choices=[], words=[],
    value="", default="",
)  # fmt: skip
NO_COMMAND = Command(
    path=[],
    summary="",
    description=[],
    examples=[],
    arguments=[],
    options=[],
    commands=[],
    needs_command=False,
)

_loaded: Tree | None = None


def load() -> Tree:
    """The commands of `commands.json`, with `mj` itself as the root. Read-only: equal options are shared."""
    global _loaded
    if _loaded is None:
        with open(os.path.join(os.path.dirname(__file__), "commands.json"), "rb") as file:  # noqa: PTH118, PTH120, PTH123
            _loaded = restore(json.loads(file.read()))
    return _loaded


def restore(stored: Any) -> Tree:
    """The tree from its compact form, which `mjcli.cli.help.compact` writes."""
    options = {key: NO_OPTION | option for key, option in stored["options"].items()}
    return _command(stored["mj"], options)


def _command(stored: Any, options: dict[str, Option]) -> Command:
    command: Command = NO_COMMAND | stored
    command["arguments"] = [NO_ARGUMENT | argument for argument in command["arguments"]]
    command["options"] = [options[key] for key in stored["options"]]
    command["commands"] = [_command(sub, options) for sub in command["commands"]]
    return command


def find(path: Sequence[str], tree: Tree) -> Command | None:
    """The command with these words after `mj`, or None."""
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
    """The usage line of the command: `mj imagine [OPTIONS] PROMPT...`."""
    words = ["mj", *command["path"], "[OPTIONS]"]
    if command["commands"]:
        words.append("COMMAND" if command["needs_command"] else "[COMMAND]")
    words += [spelled(argument) for argument in command["arguments"]]
    return " ".join(words)


def spelled(argument: Argument) -> str:
    """An argument as in a usage line: `PROMPT...`, `[IMAGE]`."""
    text = argument["metavar"] + ("..." if argument["many"] else "")
    return text if argument["required"] else f"[{text}]"


def notes(parameter: Argument | Option) -> str:
    """The choices and the default in parentheses, for the end of a help text; empty if there are none."""
    parts = []
    choices = parameter["choices"]
    if choices and parameter["metavar"] != "|".join(choices):
        parts.append("one of: " + ", ".join(choices))
    if parameter["default"]:
        parts.append("default: " + parameter["default"])
    return f"({'; '.join(parts)})" if parts else ""


def explained(parameter: Argument | Option) -> str:
    """The help of an argument or option with its choices and default."""
    return f"{parameter['help']} {notes(parameter)}".strip()


def panels(command: Command) -> list[tuple[str, list[Option]]]:
    """Options by heading: "Options" first, then the others in order, the global ones last."""
    grouped: dict[str, list[Option]] = {"": []}
    for option in command["options"]:
        grouped.setdefault(option["panel"], []).append(option)
    last = grouped.pop(GLOBAL_PANEL, None)
    if last:
        grouped[GLOBAL_PANEL] = last
    return [(panel or "Options", options) for panel, options in grouped.items() if options]

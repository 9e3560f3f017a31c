"""Writes the command tree in the compact form of `commands.json`, which `data.restore` reads.

Each option is stored once, on a line of its own; a command lists the keys of its options. Empty fields are
left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mjcli.cli.help.data import NO_ARGUMENT, NO_COMMAND, NO_OPTION, Command, Option, Tree, walk

_WIDTH = 110


def compact(tree: Tree) -> str:
    """The content of `commands.json` for this tree."""
    options: dict[str, Option] = {}
    for command in walk(tree):
        for option in command["options"]:
            options.setdefault(_key(option, command, options), option)
    lines = [f"  {_json(key)}: {_json(_without(option, NO_OPTION))}" for key, option in options.items()]
    return "\n".join(
        ["{", ' "options": {', ",\n".join(lines), " },", f' "mj": {_command(tree, options, " ")}', "}", ""]
    )


def _key(option: Option, command: Command, options: Mapping[str, Option]) -> str:
    """The option's long flag; if an earlier command has another option of that name, also the command."""
    flag = next((flag for flag in option["flags"] if flag.startswith("--")), option["flags"][0])
    own = f"{flag} ({' '.join(command['path'])})"
    same = [key for key in options if key.split(" ")[0] == flag and options[key] == option]
    return same[0] if same else own if flag in options else flag


def _command(command: Command, options: Mapping[str, Option], indent: str) -> str:
    stored = _without(command, NO_COMMAND)
    stored["arguments"] = [_without(argument, NO_ARGUMENT) for argument in command["arguments"]]
    stored["options"] = [_key(option, command, options) for option in command["options"]]
    fields = []
    for name in ("summary", "description", "examples", "arguments", "options", "needs_command"):
        if stored.get(name):
            fields.append(_field(name, stored[name], indent + " "))
    if command["commands"]:
        subs = ",\n".join(f"{indent}  {_command(sub, options, indent + '  ')}" for sub in command["commands"])
        fields.append(f'{indent} "commands": [\n{subs}\n{indent} ]')
    return f'{{"path": {_json(command["path"])},\n' + ",\n".join(fields) + "}"


def _field(name: str, value: Any, indent: str) -> str:
    """A field of a command, the items of a list in lines of at most `_WIDTH` columns if they can be."""
    start = f"{indent}{_json(name)}: "
    if not isinstance(value, list):
        return start + _json(value)
    lines = [start + "["]
    for number, item in enumerate(value):
        text = _json(item) + ("]" if number == len(value) - 1 else ",")
        if not number:
            lines[-1] += text
        elif len(lines[-1]) + 1 + len(text) <= _WIDTH:
            lines[-1] += " " + text
        else:
            lines.append(f"{indent} {text}")
    return "\n".join(lines)


def _without(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields whose values differ from the defaults."""
    return {name: value for name, value in fields.items() if value != defaults[name]}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

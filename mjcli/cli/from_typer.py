"""Converts the command tree into the plain data of `mjcli.cli.help.data`; used by the generator only."""

from __future__ import annotations

import inspect
from typing import Any

from mjcli.cli.help import GLOBAL_PANEL
from mjcli.cli.help.data import Argument, Command, Option
from mjcli.cli.help.facts import ROOT_DESCRIPTION, ROOT_EXAMPLES
from mjcli.cli.help.values import ValueType
from mjcli.cli.output.fields import known_fields
from mjcli.cli.parser import (
    argument_name,
    help_flags,
    is_image_parameter,
    new_context,
    subcommands,
    value_type,
)

# A list of choices up to this width is itself the metavar: `--mode fast|turbo|relax`.
_METAVAR_WIDTH = 24

# What completes a value, by the first word of its metavar; see `value` in `mjcli.cli.help.data`.
_VALUES = {
    **{name: name.lower() for name in ("IMAGE", "VIDEO", "TASK", "JOB", "TAG", "KEY")},
    **{"REF": "job", "VALUE": "setting", "DIR": "dir"},
    **dict.fromkeys(("FILE", "PATH", "COMMAND"), "path"),
}
_VALUES_OF_FLAGS = {"--field": "text", "--profile": "profile", "--preset": "preset"}

_METAVARS = {"whole number": "N", "number": "NUMBER", "": "TEXT"}


def describe(root: Any) -> Command:
    """The data of the whole tree below its root command, without hidden commands and parameters."""
    tree = _command(root, new_context(root, "mj"), [])
    tree["description"] = tree["description"] or list(ROOT_DESCRIPTION)
    tree["examples"] = tree["examples"] or list(ROOT_EXAMPLES)
    return tree


def _command(command: Any, context: Any, path: list[str]) -> Command:
    summary, *description = paragraphs(command.help or "") or [""]
    words: dict[str, list[str]] = {
        "field": [*known_fields(" ".join(["mj", *path]))],
        **getattr(command, "completion_words", {}),
    }
    notes: dict[str, str] = getattr(command, "completion_notes", {})
    visible = [param for param in command.params if not getattr(param, "hidden", False)]
    options = [_option(param, words, context) for param in visible if param.param_type_name == "option"]
    flags = help_flags(command, context)
    if flags:
        options.append(_help_option(flags))
    return Command(
        path=path,
        summary=summary,
        description=description,
        examples=inspect.cleandoc(command.epilog).splitlines() if command.epilog else [],
        arguments=[
            _argument(param, words, notes, context)
            for param in visible
            if param.param_type_name == "argument"
        ],
        options=options,
        commands=[
            _command(sub, new_context(sub, name, context), [*path, name])
            for name, sub in subcommands(command, context)
        ],
        needs_command=not getattr(command, "invoke_without_command", True),
    )


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a docstring: indented ones unchanged, the lines of the others joined."""
    found = []
    for block in inspect.cleandoc(text.split("\f")[0]).split("\n\n"):
        lines = [line.rstrip() for line in block.strip("\n").splitlines() if line != "\b"]
        if not any(lines):
            continue
        if all(line.startswith("  ") for line in lines):
            found.append("\n".join(lines))
            continue
        joined: list[str] = []
        for line in lines:
            if joined and not line.startswith("- "):
                joined[-1] += " " + line.strip()
            else:
                joined.append(line.strip())
        found.append("\n".join(joined))
    return found


def _argument(param: Any, words: dict[str, list[str]], notes: dict[str, str], context: Any) -> Argument:
    accepted = value_type(param)
    suggested = list(words.get(param.name, []))
    return Argument(
        metavar=argument_name(param),
        help=_one_line(param.help),
        required=bool(param.required),
        many=param.nargs == -1,
        choices=accepted.choices,
        words=suggested,
        notes={word: notes[word] for word in suggested if word in notes},
        value=_value(param, argument_name(param), accepted),
        default=_default(param, context),
    )


def _option(param: Any, words: dict[str, list[str]], context: Any) -> Option:
    flag = bool(param.is_flag or param.count)
    accepted = value_type(param)
    return Option(
        flags=_short_first(param.opts),
        off=_short_first(param.secondary_opts),
        metavar="" if flag else _metavar(param, accepted),
        help=" ".join(part for part in (_one_line(param.help), _range(accepted)) if part),
        required=bool(param.required),
        repeatable=bool(param.multiple or param.count),
        panel=param.rich_help_panel or "",
        choices=[] if flag else accepted.choices,
        words=[] if flag else list(words.get(param.name, [])),
        value="" if flag else _value(param, _metavar(param, accepted), accepted),
        default=_default(param, context),
    )


def _help_option(names: list[str]) -> Option:
    return Option(
        flags=_short_first(names),
        off=[],
        metavar="",
        help="Show this help and exit.",
        required=False,
        repeatable=False,
        panel=GLOBAL_PANEL,
        choices=[],
        words=[],
        value="",
        default="",
    )


def _short_first(flags: list[str]) -> list[str]:
    return sorted(flags, key=lambda flag: flag.startswith("--"))


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _metavar(param: Any, accepted: ValueType) -> str:
    if param.metavar:
        return str(param.metavar)
    joined = "|".join(accepted.choices)
    if joined:
        return joined if len(joined) <= _METAVAR_WIDTH else str(param.name).upper()
    return accepted.kind.upper() if accepted.kind != "text" else _METAVARS[accepted.number]


def _value(param: Any, metavar: str, accepted: ValueType) -> str:
    """What completes the value of a parameter."""
    if is_image_parameter(param):
        return "image"
    for flag in param.opts:
        if flag in _VALUES_OF_FLAGS:
            return _VALUES_OF_FLAGS[flag]
    return (
        accepted.kind if accepted.kind != "text" else _VALUES.get(metavar.split(" ")[0].strip("[].…"), "text")
    )


def _range(accepted: ValueType) -> str:
    """The bounds of a number, in parentheses; empty if there are none."""
    return f"({accepted.bounds})" if accepted.bounds else ""


def _default(param: Any, context: Any) -> str:
    """The default, if it is worth showing: not for none, off or empty."""
    if isinstance(param.show_default, str):
        return str(param.show_default)
    value = param.get_default(context, call=False)
    if not param.show_default or value in (None, False, "") or callable(value):
        return ""
    if value is True:
        return str(param.opts[0]) if param.secondary_opts else ""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(getattr(item, "value", item)) for item in value)
    return str(getattr(value, "value", value))

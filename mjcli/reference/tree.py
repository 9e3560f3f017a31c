"""From the Typer tree to the plain data of `mjcli.reference`; only the generator needs it."""

from __future__ import annotations

import inspect
from typing import Any

from mjcli.reference import GLOBAL_PANEL, Argument, Command, Option
from mjcli.reference.facts import ROOT_DESCRIPTION, ROOT_EXAMPLES

# A list of values this long or shorter stands as the metavar itself: `--mode fast|turbo|relax`.
_METAVAR_WIDTH = 24

_METAVARS = {"int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER", "path": "PATH"}


def describe(root: Any) -> Command:
    """The data of a whole tree, given its root command. Hidden commands and parameters are left out."""
    tree = _command(root, root.context_class(root, info_name="mj", **root.context_settings), [])
    tree["description"] = tree["description"] or list(ROOT_DESCRIPTION)
    tree["examples"] = tree["examples"] or list(ROOT_EXAMPLES)
    return tree


def _command(command: Any, context: Any, path: list[str]) -> Command:
    summary, *description = paragraphs(command.help or "") or [""]
    words: dict[str, list[str]] = getattr(command, "completion_words", {})
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    names = [name for name in context.help_option_names if name in command.get_help_option_names(context)]
    options = [_option(p, words, context) for p in shown if p.param_type_name == "option"]
    if names and command.add_help_option:
        options.append(_help_option(names))
    return Command(
        path=path,
        summary=summary,
        description=description,
        examples=inspect.cleandoc(command.epilog).splitlines() if command.epilog else [],
        arguments=[_argument(p, words, context) for p in shown if p.param_type_name == "argument"],
        options=options,
        commands=_subcommands(command, context, path),
        needs_command=not getattr(command, "invoke_without_command", True),
    )


def _subcommands(command: Any, context: Any, path: list[str]) -> list[Command]:
    found = []
    for name in command.list_commands(context) if hasattr(command, "list_commands") else []:
        sub = command.get_command(context, name)
        if sub is not None and not sub.hidden:
            inner = sub.context_class(sub, info_name=name, parent=context, **sub.context_settings)
            found.append(_command(sub, inner, [*path, name]))
    return found


def paragraphs(text: str) -> list[str]:
    """A docstring's paragraphs: indented ones as they are, the lines of the others joined."""
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


def _argument(param: Any, words: dict[str, list[str]], context: Any) -> Argument:
    metavar = (param.metavar or param.name.upper().replace("_", "-")).strip("[]")
    return Argument(
        metavar=metavar.removesuffix("...").removesuffix("…").strip("[]"),
        help=_one_line(param.help),
        required=bool(param.required),
        many=param.nargs == -1,
        choices=_choices(param),
        words=list(words.get(param.name, [])),
        value=_kind(param),
        default=_default(param, context),
    )


def _option(param: Any, words: dict[str, list[str]], context: Any) -> Option:
    flag = bool(param.is_flag or param.count)
    return Option(
        flags=_short_first(param.opts),
        off=_short_first(param.secondary_opts),
        metavar="" if flag else _metavar(param),
        help=" ".join(part for part in (_one_line(param.help), _range(param)) if part),
        required=bool(param.required),
        repeatable=bool(param.multiple or param.count),
        panel=param.rich_help_panel or "",
        choices=[] if flag else _choices(param),
        words=[] if flag else list(words.get(param.name, [])),
        value="" if flag else _kind(param),
        default=_default(param, context),
    )


def _help_option(names: list[str]) -> Option:
    return Option(
        flags=_short_first(names),
        off=[],
        metavar="",
        help="Show this help.",
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


def _metavar(param: Any) -> str:
    if param.metavar:
        return str(param.metavar)
    joined = "|".join(_choices(param))
    if joined:
        return joined if len(joined) <= _METAVAR_WIDTH else str(param.name).upper()
    kind = _kind(param)
    return kind.upper() if kind != "text" else _METAVARS.get(param.type.name, "TEXT")


def _choices(param: Any) -> list[str]:
    values = getattr(param.type, "choices", None) or []
    return [str(getattr(value, "value", value)) for value in values]


def _kind(param: Any) -> str:
    """What the value is: Typer's path type says what it accepts, its file types are files."""
    if hasattr(param.type, "dir_okay"):
        files, directories = param.type.file_okay, param.type.dir_okay
        return "path" if files and directories else "dir" if directories else "file"
    return "file" if getattr(param.type, "name", "") == "filename" else "text"


def _range(param: Any) -> str:
    """The bounds of a number, where its type has them."""
    low, high = getattr(param.type, "min", None), getattr(param.type, "max", None)
    if low is not None and high is not None:
        return f"({low} to {high})"
    if low is not None:
        return f"(at least {low})"
    return f"(at most {high})" if high is not None else ""


def _default(param: Any, context: Any) -> str:
    """The default where it tells something: none, "off" and "empty" do not."""
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

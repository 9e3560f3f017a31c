"""The completion script for zsh."""

from __future__ import annotations

from mjcli.reference import Argument, Command, Option, Tree, walk
from mjcli.reference.completion import all_flags, brief, candidates, single_quoted

_HEAD = """\
#compdef mj
#
# Everything there is to complete stands in this file: completing starts no process.
"""

_TAIL = """
if [[ ${funcstack[1]} == _mj ]]; then
    # Loaded from $fpath: this very file is the function.
    _mj "$@"
elif (( ${+functions[compdef]} )); then
    compdef _mj mj
else
    print -u2 'mj: run "autoload -U compinit && compinit" before this completion is loaded'
fi
"""


def render(tree: Tree) -> str:
    """The script, ending with a line feed."""
    parts = [_HEAD]
    for command in walk(tree):
        parts.append(_function(command))
    return "\n".join(parts) + _TAIL


def _function(command: Command) -> str:
    name = _name(command)
    specs = [spec for option in command["options"] for spec in _option(option)]
    if not command["commands"]:
        specs += [_argument(argument, number) for number, argument in enumerate(command["arguments"], 1)]
        body = ["    _arguments -s -S \\", *(f"        {spec} \\" for spec in specs)]
        body[-1] = body[-1].removesuffix(" \\")
        return "\n".join([f"{name}() {{", *body, "}", ""])
    specs += [single_quoted(f"1:command:{name}_commands"), single_quoted("*::argument:->argument")]
    lines = [f"{name}_commands() {{", "    local -a commands=("]
    for sub in command["commands"]:
        word = sub["path"][-1].replace(":", "\\:")
        lines.append(f"        {single_quoted(word + ':' + brief(sub['summary']))}")
    lines += ["    )", "    _describe -t commands 'command' commands", "}", "", f"{name}() {{"]
    lines += [
        '    local curcontext="$curcontext" context state state_descr line ret=1',
        "    local -A opt_args",
    ]
    lines += ["    _arguments -s -S -C \\", *(f"        {spec} \\" for spec in specs)]
    lines += ["        && ret=0", "    if [[ $state == argument ]]; then", "        case ${words[1]} in"]
    lines += [f"            {sub['path'][-1]}) {_name(sub)} && ret=0 ;;" for sub in command["commands"]]
    return "\n".join([*lines, "        esac", "    fi", "    return ret", "}", ""])


def _name(command: Command) -> str:
    return "_".join(["_mj", *(word.replace("-", "_") for word in command["path"])])


def _option(option: Option) -> list[str]:
    """One spec for each spelling; each excludes the others unless the option may be repeated."""
    flags = all_flags(option)
    before = "*" if option["repeatable"] else f"({' '.join(flags)})"
    explanation = _escaped(brief(option["help"]), "[]:")
    specs = []
    for flag in flags:
        value = ""
        if option["value"]:
            sign = "=" if flag.startswith("--") else "+"
            value = f"{sign}[{explanation}]:{_escaped(option['metavar'], ':')}:{_action(option)}"
        specs.append(single_quoted(before + flag + (value or f"[{explanation}]")))
    return specs


def _argument(argument: Argument, number: int) -> str:
    place = "*" if argument["many"] else str(number) if argument["required"] else f"{number}:"
    return single_quoted(f"{place}:{_escaped(argument['metavar'], ':')}:{_action(argument)}")


def _action(parameter: Argument | Option) -> str:
    """What is offered: the words in parentheses, files, directories, or (a space) nothing."""
    if candidates(parameter):
        return f"({' '.join(_escaped(word, ' ():') for word in candidates(parameter))})"
    return {"file": "_files", "path": "_files", "dir": "_files -/"}.get(parameter["value"], " ")


def _escaped(text: str, characters: str) -> str:
    return "".join("\\" + char if char in "\\" + characters else char for char in text)

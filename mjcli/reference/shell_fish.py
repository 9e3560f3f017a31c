"""The completion script for fish."""

from __future__ import annotations

from mjcli.reference import Argument, Command, Option, Tree, walk
from mjcli.reference.completion import all_flags, brief, candidates, name_of, takes_value

_HEAD = """\
# fish completion for mj
#
# Everything there is to complete stands in this file: completing starts no process.

# Read the words before the cursor: the command, the options given, the number of arguments.
function __mj_read
    set -l tokens (commandline -opc)
    if set -q __mj_tokens; and test "$tokens" = "$__mj_tokens"
        return
    end
    set -g __mj_tokens "$tokens"
    set -g __mj_name mj
    set -g __mj_used
    set -g __mj_position 0
    set -l wanting
    set -l ended
    for token in $tokens[2..-1]
        if set -q wanting[1]
            set -a __mj_used $wanting
            set wanting
        else if set -q ended[1]; or not string match -q -- '-?*' $token
            if __mj_known "$__mj_name $token"
                set __mj_name "$__mj_name $token"
            else
                set __mj_position (math $__mj_position + 1)
            end
        else if test x$token = x--
            set ended yes
        else if string match -q -- '--*=*' $token
            set -a __mj_used (string replace -r -- '=.*' '' $token)
        else if string match -q -- '--*' $token
            if __mj_valued "$__mj_name $token"
                set wanting $token
            else
                set -a __mj_used $token
            end
        else
            set -l letters (string split '' -- (string sub -s 2 -- $token))
            while set -q letters[1]
                set -l flag -$letters[1]
                set -e letters[1]
                if __mj_valued "$__mj_name $flag"
                    if not set -q letters[1]
                        set wanting $flag
                    else
                        set -a __mj_used $flag
                    end
                    break
                end
                set -a __mj_used $flag
            end
        end
    end
end

# Whether the command is $argv[1] and none of the other arguments has been given.
function __mj_at
    __mj_read
    test "$__mj_name" = "$argv[1]"; or return 1
    for flag in $argv[2..-1]
        contains -- $flag $__mj_used; and return 1
    end
    return 0
end

# Whether the command is $argv[1] and its argument number $argv[2] comes next, or (with "more") a later one.
function __mj_argument
    __mj_at $argv[1]; or return 1
    test $__mj_position -eq $argv[2]; and return 0
    test "$argv[3]" = more; and test $__mj_position -gt $argv[2]
end
"""


def render(tree: Tree) -> str:
    """The script, ending with a line feed."""
    commands = list(walk(tree))
    known = [_key(command) for command in commands[1:]]
    valued = [f"{_key(command)} {flag}" for command in commands for flag in takes_value(command)]
    lines = [_HEAD, *_table("__mj_known", "Whether these words are a command.", known), ""]
    lines += [*_table("__mj_valued", "Whether this option of this command wants a value.", valued), ""]
    lines += ["complete -c mj -e", "complete -c mj -f"]
    for command in commands:
        lines += ["", f"# {_key(command)}", *_command(command)]
    return "\n".join(lines) + "\n"


def _key(command: Command) -> str:
    return f"mj {name_of(command)}".strip()


def _table(function: str, comment: str, entries: list[str]) -> list[str]:
    if not entries:
        return [f"# {comment}", f"function {function}", "    return 1", "end"]
    cases = " \\\n            ".join(_quoted(entry) for entry in entries)
    return [
        f"# {comment}",
        f"function {function}",
        "    switch $argv[1]",
        f"        case {cases}",
        "            return 0",
        "    end",
        "    return 1",
        "end",
    ]


def _command(command: Command) -> list[str]:
    key = _quoted(_key(command))
    lines = []
    for sub in command["commands"]:
        condition = _quoted(f"__mj_argument {key} 0")
        lines.append(
            f"complete -c mj -n {condition} -a {sub['path'][-1]} -d {_quoted(brief(sub['summary']))}"
        )
    for number, argument in enumerate(command["arguments"]):
        lines += _argument(argument, f"__mj_argument {key} {number}" + (" more" if argument["many"] else ""))
    for option in command["options"]:
        # fish asks the first condition once for all options, and the second one only where the first holds.
        conditions = [f"__mj_at {key}"]
        if not option["repeatable"]:
            conditions.append(f"__mj_at {key} {' '.join(all_flags(option))}")
        lines += _option(option, " ".join(f"-n {_quoted(condition)}" for condition in conditions))
    return lines


def _argument(argument: Argument, condition: str) -> list[str]:
    start = f"complete -c mj -n {_quoted(condition)}"
    if candidates(argument):
        return [f"{start} -a {_offered(argument)} -d {_quoted(argument['metavar'])}"]
    if argument["value"] == "dir":
        return [f"{start} -a '(__fish_complete_directories)'"]
    return [f"{start} -F"] if argument["value"] in ("file", "path") else []


def _option(option: Option, conditions: str) -> list[str]:
    value = ""
    if candidates(option):
        value = f" -x -a {_offered(option)}"
    elif option["value"] == "dir":
        value = " -x -a '(__fish_complete_directories)'"
    elif option["value"]:
        value = " -r -F" if option["value"] in ("file", "path") else " -x"
    lines = []
    for spellings in (option["flags"], option["off"]):
        if spellings:
            names = " ".join(f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in spellings)
            lines.append(f"complete -c mj {conditions} {names}{value} -d {_quoted(brief(option['help']))}")
    return lines


def _offered(parameter: Argument | Option) -> str:
    """The words as one argument of `-a`, each protected from the expansion that fish gives it."""
    return _quoted(" ".join(_quoted(word) if not word.isalnum() else word for word in candidates(parameter)))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

"""The completion script for bash 3.2 and later."""

from __future__ import annotations

from mjcli.reference import Argument, Command, Option, Tree, walk
from mjcli.reference.completion import all_flags, candidates, name_of, single_quoted, takes_value

_HEAD = """\
# bash completion for mj
#
# Everything there is to complete stands in this file: completing starts no process.
"""

_ENGINE = r"""
# Offer the files or directories ($1) that begin with $3, each with $2 in front.
_mj_files() {
    local name
    if [[ -z $2 ]] && ((BASH_VERSINFO[0] >= 4)); then
        # Readline does it best: it knows about quotes and the tilde.
        if [[ $1 == dir ]]; then
            compopt -o dirnames 2>/dev/null
        else
            compopt -o default 2>/dev/null
        fi
        return
    fi
    for name in "$3"*; do
        if [[ -d $name ]]; then
            COMPREPLY+=("$2$name/")
        elif [[ -e $name && $1 != dir ]]; then
            COMPREPLY+=("$2$name")
        fi
    done
}

_mj() {
    local IFS=$' \t\n'
    local line=${COMP_LINE:0:COMP_POINT} rest piece current fixed='' word letters
    local name='' used=' ' wanting='' ended='' prefix='' kind='' option flag
    local -i i=0 n=0 position=0
    local -a words commands options values
    local valued=''
    COMPREPLY=()

    # COMP_WORDBREAKS has cut words at "=", ":" and "@": put together what no space separates.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        rest=${line#"${line%%[![:space:]]*}"}
        if ((i == COMP_CWORD)) && [[ -n $COMP_LINE ]]; then
            piece=$rest
        fi
        if ((n > 0)) && [[ $rest == "$line" && -n $COMP_LINE ]]; then
            words[n - 1]=${words[n - 1]}$piece
        else
            words[n]=$piece
            n=n+1
        fi
        line=${rest#"$piece"}
    done
    current=${words[n - 1]}
    # Readline replaces only the end of it ($2): "fixed" stays as it is.
    if [[ $current == *"$2" ]]; then
        fixed=${current%"$2"}
    fi

    _mj_command ''
    for ((i = 1; i < n - 1; i++)); do
        word=${words[i]}
        if [[ -n $wanting ]]; then
            wanting=''
        elif [[ -n $ended || $word != -?* ]]; then
            if ((${#commands[@]} == 0)); then
                position=position+1
            elif [[ " ${commands[*]} " == *" $word "* ]]; then
                name=${name:+$name }$word
                _mj_command "$name"
            else
                return
            fi
        elif [[ $word == -- ]]; then
            ended=yes
        elif [[ $word == --*=* ]]; then
            used+="${word%%=*} "
        elif [[ $word == --* ]]; then
            used+="$word "
            if [[ $valued == *" $word "* ]]; then
                wanting=$word
            fi
        else
            letters=${word#-}
            while [[ -n $letters ]]; do
                flag=-${letters:0:1}
                letters=${letters:1}
                used+="$flag "
                if [[ $valued == *" $flag "* ]]; then
                    if [[ -z $letters ]]; then
                        wanting=$flag
                    fi
                    break
                fi
            done
        fi
    done

    values=()
    if [[ -n $wanting ]]; then
        _mj_values "$name|$wanting"
    elif [[ -z $ended && $current == --*=* ]]; then
        prefix=${current%%=*}=
        _mj_values "$name|${prefix%=}"
    elif [[ -z $ended && $current == -* ]]; then
        for option in "${options[@]}"; do
            if [[ $option != \** ]]; then
                for flag in $option; do
                    if [[ $used == *" $flag "* ]]; then
                        option=''
                    fi
                done
            fi
            for flag in ${option#\*}; do
                values+=("$flag")
            done
        done
    elif ((${#commands[@]} > 0)); then
        values=("${commands[@]}")
    else
        _mj_values "$name|$position"
    fi

    if [[ -n $kind ]]; then
        if [[ $fixed == "$prefix" ]]; then
            prefix=''
        fi
        _mj_files "$kind" "$prefix" "${current#"${fixed:-$prefix}"}"
        return
    fi
    for word in ${values[@]+"${values[@]}"}; do
        if [[ $prefix$word == "$current"* ]]; then
            word=$prefix$word
            COMPREPLY+=("${word#"$fixed"}")
        fi
    done
}

if ((BASH_VERSINFO[0] >= 4)); then
    complete -F _mj mj
else
    complete -o default -F _mj mj
fi
"""


def render(tree: Tree) -> str:
    """The script, ending with a line feed."""
    lines = [_HEAD, "# Say what may follow the command $1, in the variables of _mj.", "_mj_command() {"]
    lines += ["    commands=()", "    case $1 in"]
    for command in walk(tree):
        lines += _command(command)
    lines += [
        "    esac",
        "}",
        "",
        "# Say which values $1 takes: a command and its option, or the argument's number.",
    ]
    lines += ["_mj_values() {", "    case $1 in"]
    for command in walk(tree):
        for option in command["options"]:
            lines += _values(option, [f"{name_of(command)}|{flag}" for flag in option["flags"]])
        for number, argument in enumerate(command["arguments"]):
            lines += _values(argument, [f"{name_of(command)}|{number}"])
    return "\n".join([*lines, "    esac", "}"]) + "\n" + _ENGINE


def _command(command: Command) -> list[str]:
    lines = [f"    {single_quoted(name_of(command))})"]
    if command["commands"]:
        lines.append(f"        commands=({' '.join(sub['path'][-1] for sub in command['commands'])})")
    lines.append("        options=(")
    for option in command["options"]:
        star = "*" if option["repeatable"] else ""
        lines.append(f"            {single_quoted(star + ' '.join(all_flags(option)))}")
    lines += ["        )", f"        valued=' {' '.join(takes_value(command))} '", "        ;;"]
    return lines


def _values(parameter: Argument | Option, keys: list[str]) -> list[str]:
    """The case for these keys; an argument that takes any number of words matches every later number."""
    patterns = [single_quoted(key) for key in keys]
    if parameter.get("many"):
        patterns = [single_quoted(keys[0].rpartition("|")[0] + "|") + "[0-9]*"]
    if candidates(parameter):
        said = f"values=({' '.join(single_quoted(value) for value in candidates(parameter))})"
    elif parameter["value"] in ("file", "dir", "path"):
        said = f"kind={parameter['value']}"
    else:
        return []
    return [f"    {' | '.join(patterns)}) {said} ;;"]

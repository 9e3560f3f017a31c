"""The completion script for PowerShell."""

from __future__ import annotations

from mjcli.reference import Command, Tree, walk
from mjcli.reference.completion import all_flags, brief, candidates, name_of, takes_value

_HEAD = """\
# PowerShell completion for mj
#
# Everything there is to complete stands in this file: completing starts no process.

Register-ArgumentCompleter -Native -CommandName 'mj' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What may follow each command: commands, options, and the values that options and arguments offer.
"""

_ENGINE = """
    $name = ''
    $position = 0
    $wanting = ''
    $ended = $false
    $used = @()
    foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $word = $element.Extent.Text
        $facts = $commands[$name]
        if ($wanting) {
            $wanting = ''
        } elseif ($ended -or -not $word.StartsWith('-') -or $word -ceq '-') {
            if ($facts.Commands.Count -eq 0) {
                $position++
            } elseif ($facts.Commands.Contains($word)) {
                $name = "$name $word".Trim()
            } else {
                return
            }
        } elseif ($word -ceq '--') {
            $ended = $true
        } else {
            $flag = $word.Split('=')[0]
            $used += $flag
            if (-not $word.Contains('=') -and $facts.Valued -ccontains $flag) { $wanting = $flag }
        }
    }

    $facts = $commands[$name]
    $prefix = ''
    $found = [ordered]@{}
    if ($wanting) {
        foreach ($value in $facts.Offers[$wanting]) { $found[$value] = $value }
    } elseif (-not $ended -and $wordToComplete -clike '--*=*') {
        $flag = $wordToComplete.Split('=')[0]
        $prefix = "$flag="
        foreach ($value in $facts.Offers[$flag]) { $found[$value] = $value }
    } elseif (-not $ended -and $wordToComplete.StartsWith('-')) {
        foreach ($option in $facts.Options) {
            $given = $option.Flags | Where-Object { $used -ccontains $_ }
            if ($option.Repeatable -or -not $given) {
                foreach ($flag in $option.Flags) { $found[$flag] = $option.Help }
            }
        }
    } elseif ($facts.Commands.Count -gt 0) {
        $found = $facts.Commands
    } else {
        $key = "$position"
        if ($facts.Last -ge 0 -and $position -gt $facts.Last) { $key = "$($facts.Last)" }
        foreach ($value in $facts.Offers[$key]) { $found[$value] = $value }
    }

    foreach ($entry in $found.GetEnumerator()) {
        $text = $prefix + $entry.Key
        if ($text.StartsWith($wordToComplete, [System.StringComparison]::Ordinal)) {
            $help = if ($entry.Value) { $entry.Value } else { $text }
            [System.Management.Automation.CompletionResult]::new($text, $entry.Key, 'ParameterValue', $help)
        }
    }
}
"""


def render(tree: Tree) -> str:
    """The script, ending with a line feed."""
    lines = ["    $commands = @{"]
    for command in walk(tree):
        lines += _command(command)
    return _HEAD + "\n".join([*lines, "    }"]) + "\n" + _ENGINE


def _command(command: Command) -> list[str]:
    # `Last` is the argument that takes any number of words, or -1.
    last = [number for number, argument in enumerate(command["arguments"]) if argument["many"]]
    lines = [f"        {_quoted(name_of(command))} = @{{", f"            Last = {last[0] if last else -1}"]
    lines.append("            Commands = [ordered]@{")
    lines += [
        f"                {_quoted(sub['path'][-1])} = {_quoted(brief(sub['summary']))}"
        for sub in command["commands"]
    ]
    lines += ["            }", "            Options = @("]
    for option in command["options"]:
        repeatable = "$true" if option["repeatable"] else "$false"
        lines.append(
            f"                @{{ Flags = {_list(all_flags(option))}; Repeatable = {repeatable};"
            f" Help = {_quoted(brief(option['help']))} }}"
        )
    lines += [
        "            )",
        f"            Valued = {_list(takes_value(command))}",
        "            Offers = @{",
    ]
    for option in command["options"]:
        if candidates(option):
            lines += [
                f"                {_quoted(flag)} = {_list(candidates(option))}" for flag in option["flags"]
            ]
    for number, argument in enumerate(command["arguments"]):
        if candidates(argument):
            lines.append(f"                '{number}' = {_list(candidates(argument))}")
    return [*lines, "            }", "        }"]


def _list(words: list[str]) -> str:
    return f"@({', '.join(_quoted(word) for word in words)})"


def _quoted(text: str) -> str:
    # PowerShell takes typographic quotation marks for plain ones.
    plain = text.translate(dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b"), "'"))
    return "'" + plain.replace("'", "''") + "'"

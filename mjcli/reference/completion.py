"""The completion scripts. They are static: completing a word starts no process, not even `mj`.

Each shell has a module of its own, so that printing one script loads one of them.
"""

from __future__ import annotations

from typing import Literal, get_args

from mjcli.reference import Argument, Command, Option, Tree

Shell = Literal["bash", "zsh", "fish", "powershell"]
SHELLS: tuple[Shell, ...] = get_args(Shell)

# The file of each script in `completions/`.
FILE_NAMES: dict[Shell, str] = {"bash": "mj.bash", "zsh": "_mj", "fish": "mj.fish", "powershell": "mj.ps1"}


def render_completion(shell: Shell, tree: Tree) -> str:
    """The completion script of a shell for these commands, ending with a line feed."""
    if shell == "bash":
        from mjcli.reference import shell_bash

        return shell_bash.render(tree)
    if shell == "zsh":
        from mjcli.reference import shell_zsh

        return shell_zsh.render(tree)
    if shell == "fish":
        from mjcli.reference import shell_fish

        return shell_fish.render(tree)
    from mjcli.reference import shell_powershell

    return shell_powershell.render(tree)


def name_of(command: Command) -> str:
    """The key of a command in the scripts' tables: `auth login`, and `` for `mj` itself."""
    return " ".join(command["path"])


def all_flags(option: Option) -> list[str]:
    """Every spelling of an option, the opposite ones last."""
    return option["flags"] + option["off"]


def candidates(parameter: Argument | Option) -> list[str]:
    """The values to offer for an argument or option."""
    return parameter["choices"] or parameter["words"]


def brief(text: str) -> str:
    """The first sentence of a help text, without its full stop."""
    return text.split(". ")[0].rstrip(".")


def takes_value(command: Command) -> list[str]:
    """The spellings of a command's options that want a value."""
    return [flag for option in command["options"] if option["value"] for flag in option["flags"]]


def single_quoted(text: str) -> str:
    """The text as one word of a POSIX shell's command line."""
    return "'" + text.replace("'", "'\\''") + "'"

"""The completion scripts. They are static: completing a word does not start a process.

Each shell has its own module, so that printing one script loads only that one.
"""

from __future__ import annotations

from typing import Literal, get_args

from mjcli.cli.help.data import Tree

Shell = Literal["bash", "zsh", "fish", "powershell"]
SHELLS: tuple[Shell, ...] = get_args(Shell)

# The file of each script in `completions/`.
FILE_NAMES: dict[Shell, str] = {"bash": "mj.bash", "zsh": "_mj", "fish": "mj.fish", "powershell": "mj.ps1"}


def render_completion(shell: Shell, tree: Tree) -> str:
    """The completion script of a shell for these commands, with a newline at the end."""
    if shell == "bash":
        from mjcli.cli.help.completion.bash import render
    elif shell == "zsh":
        from mjcli.cli.help.completion.zsh import render
    elif shell == "fish":
        from mjcli.cli.help.completion.fish import render
    else:
        from mjcli.cli.help.completion.powershell import render
    return render(tree)

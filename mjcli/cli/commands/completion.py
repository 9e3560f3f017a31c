"""`mj completion`: the completion script of a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mjcli.cli.parser import MjCommand, new_app

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()

_EXAMPLES = """\
# bash: add this line to ~/.bashrc
source <(mj completion bash)
# bash 3.2, as macOS has it: add this one to ~/.bash_profile instead
eval "$(mj completion bash)"
# zsh: add this line to ~/.zshrc, below the one that runs compinit
source <(mj completion zsh)
# fish: save the script where fish looks for it
mkdir -p ~/.config/fish/completions
mj completion fish > ~/.config/fish/completions/mj.fish
# PowerShell: add this line to the file that $PROFILE names
mj completion powershell | Out-String | Invoke-Expression"""


@app.command("completion", cls=MjCommand, epilog=_EXAMPLES)
def completion(
    ctx: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"],
        typer.Argument(metavar="SHELL", help="Shell to generate the script for."),
    ],
) -> None:
    """Print a shell completion script.

    It completes commands, options, values and files without starting a process. For jobs and settings, such
    as @2 or the name of a profile, it reads the ledger and the config file. A package may have installed it
    already.
    """
    from mjcli.cli.help.completion.scripts import render_completion
    from mjcli.cli.help.data import load

    context: Context = ctx.obj
    context.output.text(render_completion(shell, load()))

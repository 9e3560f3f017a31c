"""`mj completion`: the script that teaches a shell to complete `mj`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mjcli.options import MjCommand, new_app

if TYPE_CHECKING:
    from mjcli.context import Runtime

app = new_app()

_EXAMPLES = """\
# bash: add this line to ~/.bashrc
source <(mj completion bash)
# bash 3.2, as macOS has it: add this one to ~/.bash_profile instead
eval "$(mj completion bash)"
# zsh: add this line to ~/.zshrc, below the one that runs compinit
source <(mj completion zsh)
# fish: save the script where fish looks for it
mj completion fish > ~/.config/fish/completions/mj.fish
# PowerShell: add this line to the file that $PROFILE names
mj completion powershell | Out-String | Invoke-Expression"""


@app.command("completion", cls=MjCommand, epilog=_EXAMPLES)
def completion(
    ctx: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"],
        typer.Argument(metavar="SHELL", help="The shell to complete in."),
    ],
) -> None:
    """Print the script that completes mj's commands, options and values in a shell.

    Completing with it starts no process. Installed from a package, mj may have put the scripts in their
    places already.
    """
    from mjcli.reference import load
    from mjcli.reference.completion import render_completion

    runtime: Runtime = ctx.obj
    runtime.output.text(render_completion(shell, load()))

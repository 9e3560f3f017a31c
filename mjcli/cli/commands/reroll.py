"""`mj reroll`: run the prompt of a grid again."""

from __future__ import annotations

from typing import Annotated

import typer

from mjcli.cli.actions import ActionCommand, ActionOptions, JobGroups, act
from mjcli.cli.options import (
    ConfirmOptions,
    FileOptions,
    ImageOptions,
    MaskOptions,
    SplitOption,
    SubmitOptions,
    WaitOptions,
)
from mjcli.cli.parser import new_app, takes, typed_parameters

app = new_app()


@app.command(
    "reroll",
    cls=ActionCommand,
    epilog="""mj reroll
mj reroll 1234197197067915365 --download""",
)
@takes(
    confirm=ConfirmOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
)
def reroll(
    ctx: typer.Context,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE",
            help="Images (default @last; - reads ids from standard input).",
            show_default=False,
        ),
    ] = None,
    *,
    split: SplitOption = False,
    confirm: ConfirmOptions,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
) -> None:
    """Run the prompt of a grid again.

    Without an IMAGE, it is @last, and its id is printed. Several images are several jobs, each billed
    separately; on a terminal, mj asks first. An image that does not offer the action is refused before
    anything is sent; --force sends it anyway (and replaces existing files).
    """
    options = ActionOptions(None, typed_parameters(ctx), MaskOptions(), confirm.yes, split)
    act(ctx.obj, "reroll", images or [], options, JobGroups(image_options, submit, wait, files))

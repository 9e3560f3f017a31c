"""`mj upscale`: enlarge one image of a grid, or an image."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

from mjcli.api.actions import ALL, QUADRANTS
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


class UpscaleCommand(ActionCommand):
    """Completes the numbers and sizes."""

    completion_words: ClassVar[dict[str, list[str]]] = {
        **ActionCommand.completion_words,
        "action": [*QUADRANTS, ALL, "2x", "4x"],
    }


@app.command(
    "upscale",
    cls=UpscaleCommand,
    epilog="""# The bottom right image of the newest grid
mj upscale 4
# All four, saved
mj upscale all @last --download
# Larger still
mj upscale 2x 1234202545208033400""",
)
@takes(
    confirm=ConfirmOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
)
def upscale(
    ctx: typer.Context,
    action: Annotated[
        str,
        typer.Argument(metavar="1-4|all|2x|4x", help="What to upscale: an image of the grid, or the size."),
    ],
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
    """Take one image of a grid, or enlarge an image.

    The number is the place in the grid: 1 is top left, 2 top right, 3 bottom left, 4 bottom right; all means the four.
    2x and 4x enlarge a single image; so do subtle and creative where an image offers them. Upscaling is
    faster than a variation.

    Without an IMAGE, it is @last, and its id is printed. Several images, or all, are several jobs, each billed
    separately; on a terminal, mj asks first. An image that does not offer the action is refused before
    anything is sent; --force sends it anyway (and replaces existing files).
    """
    options = ActionOptions(None, typed_parameters(ctx), MaskOptions(), confirm.yes, split)
    act(ctx.obj, "upscale", [action, *(images or [])], options, JobGroups(image_options, submit, wait, files))

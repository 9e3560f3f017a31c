"""`mj vary`: variations of one image of a grid, or of an image."""

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
    NewWordsOption,
    SplitOption,
    SubmitOptions,
    WaitOptions,
)
from mjcli.cli.parser import new_app, takes, typed_parameters

app = new_app()


class VaryCommand(ActionCommand):
    """Completes the numbers and strengths."""

    completion_words: ClassVar[dict[str, list[str]]] = {
        **ActionCommand.completion_words,
        "action": [*QUADRANTS, ALL, "subtle", "strong", "region"],
    }


@app.command(
    "vary",
    cls=VaryCommand,
    epilog="""# The top right image of the newest grid
mj vary 2
# With new words
mj vary strong @last "at night"
# Redraw what is white in a mask
mj vary region @last --mask mask.png --prompt "a red door"
# Redraw a rectangle: left, top, width, height
mj vary region @last --prompt "a red door" --region 25%,0,50%,50%""",
)
@takes(
    area=MaskOptions,
    confirm=ConfirmOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
)
def vary(
    ctx: typer.Context,
    action: Annotated[
        str,
        typer.Argument(
            metavar="1-4|all|subtle|strong|region", help="What to vary: an image of the grid, or how."
        ),
    ],
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE",
            help="Images (default @last; - reads ids from standard input), then new words.",
            show_default=False,
        ),
    ] = None,
    *,
    prompt: NewWordsOption = None,
    split: SplitOption = False,
    area: MaskOptions,
    confirm: ConfirmOptions,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
) -> None:
    """Make variations of an image, or redraw a part of it.

    The number is the place in the grid: 1 is top left, 2 top right, 3 bottom left, 4 bottom right; all means the four.
    subtle, strong and region vary a single image; region redraws what --mask or --region selects. A variation
    takes longer than an upscale.

    New words are sent as the prompt; the service may refuse them. Without an IMAGE, it is @last, and its id is
    printed. Several images, or all, are several jobs, each billed separately; on a terminal, mj asks first. An
    image that does not offer the action is refused before anything is sent; --force sends it anyway (and
    replaces existing files).
    """
    options = ActionOptions(prompt, typed_parameters(ctx), area, confirm.yes, split)
    act(ctx.obj, "vary", [action, *(images or [])], options, JobGroups(image_options, submit, wait, files))

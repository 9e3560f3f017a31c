"""`mj action`: apply an action to earlier images."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

from mjcli.api.actions import ACTIONS
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


class AnyActionCommand(ActionCommand):
    """Completes the names of the known actions; the service may offer others."""

    completion_words: ClassVar[dict[str, list[str]]] = {
        **ActionCommand.completion_words,
        "action": [*ACTIONS],
    }


@app.command(
    "action",
    cls=AnyActionCommand,
    epilog="""# The bottom right image of the newest grid
mj action upscale4 @last --download
mj action variation2 1234197197067915365
# Redraw what is white in a mask
mj action variation_region @last --mask mask.png --prompt "a red door"
# Redraw a rectangle: left, top, width, height
mj action variation_region @last --region 25%,0,50%,50% --prompt "a red door"
# For many images
mj action upscale1 - < ids.txt""",
)
@takes(
    area=MaskOptions,
    confirm=ConfirmOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
)
def action(
    ctx: typer.Context,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="upscale1, variation2, reroll, zoom_out_2x, …")
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
    """Upscale, vary, zoom, pan or reroll earlier images.

    The general form of mj upscale, mj vary, mj reroll, mj zoom and mj pan, for every action of the service. U1 to U4
    and V1 to V4 are understood, and so are names such as "upscale 2x". These are the actions:

      upscale1-4                           one image of a grid, by itself
      variation1-4                         four variations of one image of a grid
      reroll                               a new grid from the same prompt
      upscale_2x, upscale_4x               a single image, enlarged
      variation_subtle, variation_strong   variations of a single image
      variation_region                     redraws what --mask or --region selects
      zoom_out_1_5x, zoom_out_2x           a single image in a wider scene
      pan_left, …_right, …_up, …_down      a single image, extended to that side

    The number is the place in the grid: 1 is top left, 2 top right, 3 bottom left, 4 bottom right. Upscaling is
    faster than a variation.

    Each result lists the actions that its image offers. An unknown action, or one that the image does not
    offer, is refused before anything is sent; --force sends it anyway (and replaces existing files). --mask
    and --region work only with variation_region; new words (--prompt) with variations, zooms and pans, where the
    service may refuse them. Several images are several jobs, each billed separately.
    """
    options = ActionOptions(prompt, typed_parameters(ctx), area, confirm.yes, split)
    act(ctx.obj, "", [action, *(images or [])], options, JobGroups(image_options, submit, wait, files))

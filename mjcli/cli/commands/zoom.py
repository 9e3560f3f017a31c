"""`mj zoom`: zoom out of an image."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

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


class ZoomCommand(ActionCommand):
    """Completes the factors."""

    completion_words: ClassVar[dict[str, list[str]]] = {
        **ActionCommand.completion_words,
        "action": ["1.5", "2"],
    }
    completion_notes: ClassVar[dict[str, str]] = {"1.5": "half as much again around it", "2": "twice as wide"}


@app.command(
    "zoom",
    cls=ZoomCommand,
    epilog="""mj zoom 2
# With new words
mj zoom 2 @last "a castle on a hill"
# Saved
mj zoom 1.5 @last --download""",
)
@takes(
    confirm=ConfirmOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
)
def zoom(
    ctx: typer.Context,
    action: Annotated[str, typer.Argument(metavar="1.5|2", help="The factor.")],
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
    confirm: ConfirmOptions,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
) -> None:
    """Zoom out of a single image.

    The image is drawn smaller, by the factor 1.5 or 2, in a wider scene. New words are sent as the prompt;
    the service may refuse them.

    Without an IMAGE, it is @last, and its id is printed. Several images are several jobs, each billed
    separately; on a terminal, mj asks first. An image that does not offer the action is refused before
    anything is sent; --force sends it anyway (and replaces existing files).
    """
    options = ActionOptions(prompt, typed_parameters(ctx), MaskOptions(), confirm.yes, split)
    act(ctx.obj, "zoom", [action, *(images or [])], options, JobGroups(image_options, submit, wait, files))

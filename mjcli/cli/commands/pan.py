"""`mj pan`: extend an image to one side."""

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


class PanCommand(ActionCommand):
    """Completes the directions."""

    completion_words: ClassVar[dict[str, list[str]]] = {
        **ActionCommand.completion_words,
        "action": ["left", "right", "up", "down"],
    }


@app.command(
    "pan",
    cls=PanCommand,
    epilog="""mj pan left
# With new words
mj pan right @last "a river"
# Saved
mj pan up @last --download""",
)
@takes(
    confirm=ConfirmOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
)
def pan(
    ctx: typer.Context,
    action: Annotated[str, typer.Argument(metavar="left|right|up|down", help="The direction.")],
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
    """Extend a single image to one side.

    New words are sent as the prompt; the service may refuse them.

    Without an IMAGE, it is @last, and its id is printed. Several images are several jobs, each billed
    separately; on a terminal, mj asks first. An image that does not offer the action is refused before
    anything is sent; --force sends it anyway (and replaces existing files).
    """
    options = ActionOptions(prompt, typed_parameters(ctx), MaskOptions(), confirm.yes, split)
    act(ctx.obj, "pan", [action, *(images or [])], options, JobGroups(image_options, submit, wait, files))

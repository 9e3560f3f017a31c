"""`mj imagine`: images from a text prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import (
    CheckOptions,
    FileOptions,
    ImageOption,
    ImageOptions,
    Moodboard,
    PromptOptions,
    SplitOption,
    StyleReference,
    SubmitOptions,
    Translation,
    WaitOptions,
)
from mjcli.cli.parser import PromptCommand, new_app, takes, typed_parameters

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "imagine",
    cls=PromptCommand,
    epilog="""mj imagine a cat on a table
# Save the image
mj imagine "a cat on a table" --download --output cats/
# In a script: the link alone
url=$(mj imagine "a cat" -q)
# Into another program
mj imagine "a cat" -o - | magick - cat.gif
# A prompt from a file, with an image prompt
mj imagine --image https://example.com/sketch.png --ar 16:9 < prompt.txt
# Without an account
mj --sandbox imagine "a cat" --download""",
)
@takes(
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
    prompt=PromptOptions,
    check=CheckOptions,
)
def imagine(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Words of the prompt; - reads standard input."),
    ] = None,
    *,
    image: ImageOption = None,
    translation: Translation = None,
    style_reference: StyleReference = None,
    moodboard: Moodboard = None,
    split: SplitOption = False,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
    prompt: PromptOptions,
    check: CheckOptions,
) -> None:
    """Make images from a text prompt.

    The prompt consists of the images of --image, the words, and Midjourney's parameters, given as options or
    after the words. It is checked before anything is sent; mj check only checks it. The job is billed if it
    succeeds, and is never sent twice. Intermediate images are deleted when it ends; links expire after 30 days.
    """
    from mjcli.cli.inputs import expand, words_or_stdin
    from mjcli.cli.keys import KeyedJob, check_permute, typed_prompt
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.request import RequestBuilder, Words
    from mjcli.cli.submit import JobOptions, prepare
    from mjcli.jobs.order import Order

    context: Context = ctx.obj
    stdin = context.streams.stdin
    lookup = Lookup.of(context)
    options = JobOptions(submit, wait, image_options)
    check_permute(options, prompt)
    images = image or []
    text = words_or_stdin(stdin, words or [], images, optional=True)
    typed = Words(text, expand(stdin, images, "image") if images else [], typed_parameters(ctx))
    keyed = KeyedJob(
        context,
        lookup,
        options,
        "imagine",
        **typed_prompt(context.settings, typed, prompt),
        translation=translation,
        style_reference=style_reference,
        moodboard=moodboard,
    )
    if keyed.join(files, split=split) is not None:
        return
    target = prepare(context.output, context.settings, options, files, split=split)
    requests = RequestBuilder.of(context, lookup, prompt, check, image_options.mode).requests(
        typed,
        submit,
        translation=translation,
        style_reference=style_reference,
        moodboard=moodboard,
    )
    orders = [Order("imagine", "imagine", each.body, each.subject) for each in requests]
    keyed.submit_all(orders, target, files, split=split)

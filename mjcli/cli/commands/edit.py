"""`mj edit`: change an image with a text prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import (
    CheckOptions,
    FileOptions,
    ImageOptions,
    MaskOptions,
    PromptOptions,
    SplitOption,
    SubmitOptions,
    WaitOptions,
)
from mjcli.cli.parser import PromptCommand, new_app, takes, typed_parameters
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.origins import Source

app = new_app()


@app.command(
    "edit",
    cls=PromptCommand,
    epilog="""mj edit https://example.com/cat.png "the cat wears a red hat" --download
# A file of this machine is uploaded first
mj edit photo.jpg "in the style of a woodcut"
# Redraw only the upper left quarter
mj edit @last "a full moon" --region 0%,0%,50%,50%
# Redraw what is white in a mask
mj edit @last "a full moon" --mask mask.png""",
)
@takes(
    area=MaskOptions,
    image_options=ImageOptions,
    submit=SubmitOptions,
    wait=WaitOptions,
    files=FileOptions,
    prompt=PromptOptions,
    check=CheckOptions,
)
def edit(
    ctx: typer.Context,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="Image to edit: a link, file, @last or id; - reads standard input."
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Words of the prompt; - reads standard input."),
    ] = None,
    *,
    split: SplitOption = False,
    area: MaskOptions,
    image_options: ImageOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
    prompt: PromptOptions,
    check: CheckOptions,
) -> None:
    """Edit an image with a text prompt.

    Without --mask or --region the whole image is redrawn.
    """
    from mjcli.cli.hints import command
    from mjcli.cli.inputs import expand, is_file, words_or_stdin
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
    if not words and any(map(str.isspace, image)) and not is_file(image):
        raise UsageError(f'"{image}" is not an image.', hint=command("edit", "@last", image))
    text = words_or_stdin(stdin, words or (), [image], example=("edit", image))
    typed = Words(text, parameters=typed_parameters(ctx))
    names = expand(stdin, [image], "image")
    keyed = KeyedJob(
        context,
        lookup,
        options,
        "edit",
        **typed_prompt(context.settings, typed, prompt),
        image=names,
        mask=area.mask,
        region=area.region or None,
    )
    if keyed.join(files, split=split) is not None:
        return
    target = prepare(context.output, context.settings, options, files, split=split)
    builder = RequestBuilder.of(context, lookup, prompt, check, image_options.mode)
    orders: list[Order] = []
    for name in names:
        source = lookup.source(name)
        requests = builder.requests(
            typed,
            submit,
            endpoint="edits",
            image_fields={"image_url": name},
            mask=_mask(lookup, source, area),
        )
        orders += [Order("edit", "edits", each.body, each.subject, source.parent) for each in requests]
    keyed.submit_all(orders, target, files, split=split)


def _mask(lookup: Lookup, source: Source, area: MaskOptions) -> str | None:
    """The mask as the service takes it. Raises `UsageError`."""
    if area.mask is None and not area.region:
        return None
    from mjcli.media.mask import mask_of

    # The service scales a mask, so only a region needs the size of a linked image.
    size = lookup.size(source) if area.region else source.known_size
    return mask_of(area.mask, area.region or [], size)

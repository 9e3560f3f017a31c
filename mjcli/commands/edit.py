"""`mj edit`: change a picture by words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.options import (
    FileOptions,
    JobOptions,
    MaskOptions,
    PromptCommand,
    PromptOptions,
    given_parameters,
    new_app,
    takes,
)

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.sources import Source

app = new_app()


@app.command(
    "edit",
    cls=PromptCommand,
    epilog="""mj edit https://example.com/cat.png "the cat wears a red hat" --download
# A picture on this machine is uploaded first
mj edit photo.jpg "in the style of a woodcut"
# Redraw its upper left quarter alone
mj edit @last "a full moon" --region 0%,0%,50%,50%
# Or what is white in a mask of your own
mj edit @last "a full moon" --mask mask.png""",
)
@takes(area=MaskOptions, job=JobOptions, files=FileOptions, checks=PromptOptions)
def edit(
    ctx: typer.Context,
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="The picture: a link, a file, @last, an id, - for standard input."
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="What it shall show; - reads standard input."),
    ] = None,
    *,
    area: MaskOptions,
    job: JobOptions,
    files: FileOptions,
    checks: PromptOptions,
) -> None:
    """Change a picture by words.

    Without a mask or region the whole picture is drawn anew after the words.
    """
    from mjcli.delivery import Wanted, deliver_all, prepared
    from mjcli.prompts import orders, words_or_stdin
    from mjcli.references import expand
    from mjcli.sources import source_of

    runtime: Runtime = ctx.obj
    target = prepared(runtime, job, files)
    text = words_or_stdin(runtime, words or (), [image] if image == "-" else (), command=f"mj edit {image}")
    jobs: list[Wanted] = []
    for name in expand(runtime, [image], "image"):
        source = source_of(runtime, name)
        made = orders(
            runtime,
            [],
            text,
            given_parameters(ctx),
            checks,
            job,
            endpoint="edits",
            pictured={"image_url": name},
            mask=_mask(runtime, source, area),
        )
        jobs += [Wanted("edit", body, typed, source.parent, "edits") for typed, body in made]
    deliver_all(runtime, jobs, job, files, target)


def _mask(runtime: Runtime, source: Source, area: MaskOptions) -> str | None:
    """What shall be redrawn, as the service wants it. Raises `UsageError`."""
    if area.mask is None and not area.region:
        return None
    from mjcli.masks import mask_of

    # A mask is scaled by the service, so that a link need not be looked at for it.
    size = source.size(runtime) if area.region else source.known_size
    return mask_of(area.mask, area.region or [], size)

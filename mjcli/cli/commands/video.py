"""`mj video`: videos from an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import (
    CheckOptions,
    FileOptions,
    ImageOptions,
    SubmitOptions,
    VideoMode,
    VideoOptions,
    WaitOptions,
)
from mjcli.cli.parser import MjCommand, new_app, takes

if TYPE_CHECKING:
    from mjcli.cli.context import Context

app = new_app()


@app.command(
    "video",
    cls=MjCommand,
    epilog="""mj video "the cat turns its head" --image @last --download
mj video "waves roll in" --image beach.jpg --end-image storm.jpg --resolution 720p
# Extend the second of the four videos
mj extend-video @last "the cat jumps down" --index 1""",
)
@takes(
    video_options=VideoOptions, submit=SubmitOptions, wait=WaitOptions, files=FileOptions, check=CheckOptions
)
def video(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Description of the motion; - reads standard input."),
    ] = None,
    *,
    image: Annotated[
        str,
        typer.Option(
            "--image",
            metavar="IMAGE",
            help="First frame: a link, file, @last or id; - reads standard input.",
        ),
    ],
    mode: VideoMode = None,
    video_options: VideoOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
    check: CheckOptions,
) -> None:
    """Make four short videos from an image.

    --download saves the videos and their cover image.
    """
    from mjcli.cli.inputs import expand, words_or_stdin
    from mjcli.cli.keys import KeyedJob, typed_prompt
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.request import RequestBuilder, Words
    from mjcli.cli.submit import JobOptions, prepare
    from mjcli.jobs.order import Order

    context: Context = ctx.obj
    stdin = context.streams.stdin
    lookup = Lookup.of(context)
    options = JobOptions(submit, wait, ImageOptions(mode=mode))
    text = words_or_stdin(stdin, words or (), [image], example=("video", "--image", image))
    names = expand(stdin, [image], "image")
    keyed = KeyedJob(
        context,
        lookup,
        options,
        "video",
        **typed_prompt(context.settings, Words(text)),
        image=names,
        **video_options._asdict(),
    )
    if keyed.join(files) is not None:
        return
    target = prepare(context.output, context.settings, options, files)
    builder = RequestBuilder.of(context, lookup, check=check, mode=mode)
    orders: list[Order] = []
    for name in names:
        source = lookup.source(name)
        requests = builder.requests(
            Words(text),
            submit,
            endpoint="videos",
            image_fields={"image_url": name, "end_image_url": video_options.end_image},
            resolution=video_options.resolution,
            loop=video_options.loop,
        )
        orders += [Order("video", "videos", each.body, each.subject, source.parent) for each in requests]
    keyed.submit_all(orders, target, files)

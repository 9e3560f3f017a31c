"""`mj extend-video`: a longer version of a video."""

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
    "extend-video",
    cls=MjCommand,
    epilog="""# The first of your newest four videos
mj extend-video @last "the cat jumps down" --download
mj extend-video 1751816807896311 "the cat jumps down" --index 3""",
)
@takes(
    video_options=VideoOptions, submit=SubmitOptions, wait=WaitOptions, files=FileOptions, check=CheckOptions
)
def extend_video(
    ctx: typer.Context,
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="Video id, @last or @2; - reads ids from standard input.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Description of the next motion; - reads standard input."),
    ] = None,
    *,
    index: Annotated[
        int | None, typer.Option(min=0, max=3, metavar="0-3", help="Number of the video; 0 is the first.")
    ] = None,
    mode: VideoMode = None,
    video_options: VideoOptions,
    submit: SubmitOptions,
    wait: WaitOptions,
    files: FileOptions,
    check: CheckOptions,
) -> None:
    """Extend one of a job's four videos.

    The result is four new videos, each with a different continuation.
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
    text = words_or_stdin(stdin, words or (), [video], example=("extend-video", video))
    names = expand(stdin, [video], "video")
    keyed = KeyedJob(
        context,
        lookup,
        options,
        "extend-video",
        **typed_prompt(context.settings, Words(text)),
        video=names,
        index=index or 0,
        **video_options._asdict(),
    )
    if keyed.join(files) is not None:
        return
    target = prepare(context.output, context.settings, options, files)
    videos = [lookup.video(each) for each in names]
    (request,) = RequestBuilder.of(context, lookup, check=check, mode=mode).requests(
        Words(text),
        submit,
        endpoint="videos",
        image_fields={"end_image_url": video_options.end_image},
        action="extend",
        resolution=video_options.resolution,
        loop=video_options.loop,
    )
    indexes = [lookup.video_index(each) if index is None else index for each in names]
    orders = [
        Order(
            "extend-video",
            "videos",
            {**request.body, "video_id": each.id, "video_index": number},
            request.subject,
            each.id,
        )
        for each, number in zip(videos, indexes, strict=True)
    ]
    keyed.submit_all(orders, target, files)

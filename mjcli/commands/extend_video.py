"""`mj extend-video`: a video, made longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.options import (
    BESIDE_VIDEOS,
    FileOptions,
    JobOptions,
    MjCommand,
    PromptOptions,
    VideoMode,
    VideoOptions,
    new_app,
    takes,
)

if TYPE_CHECKING:
    from mjcli.context import Runtime

app = new_app()


@app.command(
    "extend-video",
    cls=MjCommand,
    epilog="""# The first of the newest four videos
mj extend-video @last "the cat jumps down" --download
mj extend-video 1751816807896311 "the cat jumps down" --index 3""",
)
@takes(film=VideoOptions, job=JobOptions, files=FileOptions, checks=PromptOptions, without=BESIDE_VIDEOS)
def extend_video(
    ctx: typer.Context,
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="A video id, @last, @2, or - for ids on standard input.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="What shall happen next; - reads standard input."),
    ] = None,
    *,
    index: Annotated[
        int, typer.Option(min=0, max=3, metavar="0-3", help="Which of the four videos; 0 is the first.")
    ] = 0,
    mode: VideoMode = None,
    film: VideoOptions,
    job: JobOptions,
    files: FileOptions,
    checks: PromptOptions,
) -> None:
    """Make one of four videos longer.

    The answer is four videos again, each of which goes on in another way.
    """
    from mjcli.delivery import Wanted, deliver_all, prepared
    from mjcli.prompts import orders, words_or_stdin
    from mjcli.references import expand, video_of

    runtime: Runtime = ctx.obj
    job = job._replace(mode=mode)
    target = prepared(runtime, job, files)
    alone = [video] if video == "-" else ()
    text = words_or_stdin(runtime, words or (), alone, command=f"mj extend-video {video}")
    videos = [video_of(runtime, each) for each in expand(runtime, [video], "video")]
    ((typed, body),) = orders(
        runtime,
        [],
        text,
        {},
        checks,
        job,
        endpoint="videos",
        pictured={"end_image_url": film.end_image},
        action="extend",
        video_index=index,
        resolution=film.resolution,
        loop=film.loop,
    )
    jobs = [
        Wanted("extend-video", {**body, "video_id": each.id}, typed, each.id, "videos") for each in videos
    ]
    deliver_all(runtime, jobs, job, files, target)

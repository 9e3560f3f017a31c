"""`mj video`: a picture that moves."""

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
    "video",
    cls=MjCommand,
    epilog="""mj video "the cat turns its head" --image @last --download
mj video "waves roll in" --image beach.jpg --end-image storm.jpg --resolution 720p
# Make the second of the four videos longer
mj extend-video @last "the cat jumps down" --index 1""",
)
@takes(film=VideoOptions, job=JobOptions, files=FileOptions, checks=PromptOptions, without=BESIDE_VIDEOS)
def video(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="What shall happen; - reads standard input."),
    ] = None,
    *,
    image: Annotated[
        str,
        typer.Option(
            "--image",
            metavar="IMAGE",
            help="The picture that it begins with: a link, a file, @last, an id, - for standard input.",
        ),
    ],
    mode: VideoMode = None,
    film: VideoOptions,
    job: JobOptions,
    files: FileOptions,
    checks: PromptOptions,
) -> None:
    """Make four short videos that begin with a picture.

    --download saves the videos and their cover.
    """
    from mjcli.delivery import Wanted, deliver_all, prepared
    from mjcli.prompts import orders, words_or_stdin
    from mjcli.references import expand
    from mjcli.sources import source_of

    runtime: Runtime = ctx.obj
    job = job._replace(mode=mode)
    target = prepared(runtime, job, files)
    alone = [image] if image == "-" else ()
    text = words_or_stdin(runtime, words or (), alone, command=f"mj video --image {image}")
    jobs: list[Wanted] = []
    for name in expand(runtime, [image], "image"):
        source = source_of(runtime, name)
        made = orders(
            runtime,
            [],
            text,
            {},
            checks,
            job,
            endpoint="videos",
            pictured={"image_url": name, "end_image_url": film.end_image},
            resolution=film.resolution,
            loop=film.loop,
        )
        jobs += [Wanted("video", body, typed, source.parent, "videos") for typed, body in made]
    deliver_all(runtime, jobs, job, files, target)
